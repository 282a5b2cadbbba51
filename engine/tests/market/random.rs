//! The laws over random histories: whatever people ask, in whatever order, the market stays sound and
//! repeatable.

use parkwatt_engine::*;
use proptest::prelude::*;

use crate::{laws, scenario};

const OPERATOR: PublicKey = [255; 32];
const PARTICIPANTS: u8 = 5;
/// The slots that orders are for, and the moment at which trading in the first of them is open.
const SLOTS: u32 = 3;
const FIRST: Slot = Slot(40_000);

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    Place { who: u8, orders: Vec<(bool, u32, i64, u64)> },
    Cancel { who: u8, which: prop::sample::Index },
    Deposit { who: u8, fen: u64 },
    Read { who: u8, import: u64, export: u64 },
    Wait { minutes: u64 },
}

/// Everything that a history leaves behind.
#[derive(Debug, PartialEq)]
struct Past {
    market: Market,
    outcomes: Vec<Outcome>,
    events: Vec<Event>,
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..PARTICIPANTS;
    let orders = prop::collection::vec((any::<bool>(), 0..SLOTS, -3..12_i64, 0..6_u64), 1..=3);
    prop_oneof![
        6 => (who.clone(), orders).prop_map(|(who, orders)| Step::Place { who, orders }),
        2 => (who.clone(), any::<prop::sample::Index>()).prop_map(|(who, which)| Step::Cancel { who, which }),
        1 => (who.clone(), 0..5_u64).prop_map(|(who, fen)| Step::Deposit { who, fen }),
        2 => (who, 0..4_u64, 0..4_u64).prop_map(|(who, import, export)| Step::Read { who, import, export }),
        1 => (0..45_u64).prop_map(|minutes| Step::Wait { minutes }),
    ]
}

/// A market of four zones, all of whose charges and limits are few ticks apart, so that ties and edges are
/// common.
fn config() -> MarketConfig {
    let tick = 1_000_000;
    let zone = |name: &str, parent: Option<u16>, [base, up, down]: [i64; 3]| Zone {
        name: name.to_owned(),
        parent: parent.map(ZoneId),
        base_wheeling: Price(base * tick),
        wheeling_up: Price(up * tick),
        wheeling_down: Price(down * tick),
    };
    let zones = vec![
        zone("hub", None, [0, 0, 0]),
        zone("east", Some(0), [1, 1, 0]),
        zone("west", Some(0), [0, 2, 1]),
        zone("yard", Some(1), [0, 0, 0]),
    ];
    let timeline =
        Timeline { opens_before_s: 36_000, uncross_before_s: 7200, gate_before_s: 900, settle_after_s: 1800 };
    MarketConfig {
        operator_key: OPERATOR,
        zones,
        tick: Price(tick),
        market_fee: Price(tick),
        timeline,
        ..scenario::config()
    }
}

/// Lets a history happen, and checks the laws after each step of it.
fn happen(steps: &[Step]) -> Past {
    let mut past =
        Past { market: Market::new(config()).expect("it holds"), outcomes: Vec::new(), events: Vec::new() };
    let mut now = FIRST.start().0 - 3 * 3600 * MICROS_PER_SECOND;
    let mut nonce = 0;
    let mut registers = [(0, 0, 0); PARTICIPANTS as usize];
    let mut ask = |past: &mut Past, now: &mut u64, key, command| {
        (nonce, *now) = (nonce + 1, *now + 1);
        let request = Request { key, nonce, expires_at: Timestamp(u64::MAX), command };
        past.ask(Timestamp(*now), &request);
    };
    for who in 0..PARTICIPANTS {
        ask(&mut past, &mut now, OPERATOR, Command::EnrolParticipant(participant(who)));
        ask(&mut past, &mut now, OPERATOR, deposit(who, 5));
    }
    for step in steps {
        match step {
            Step::Place { who, orders } => {
                let orders = orders.iter().map(new_order).collect();
                ask(&mut past, &mut now, [*who; 32], Command::PlaceOrders(orders));
            }
            Step::Cancel { who, which } => {
                let placed = past.placed();
                if !placed.is_empty() {
                    ask(
                        &mut past,
                        &mut now,
                        [*who; 32],
                        Command::CancelOrder(placed[which.index(placed.len())]),
                    );
                }
            }
            Step::Deposit { who, fen } => ask(&mut past, &mut now, OPERATOR, deposit(*who, *fen)),
            Step::Read { who, import, export } => {
                let (counter, total_import, total_export) = &mut registers[usize::from(*who)];
                let reading = Reading {
                    slot: Slot(FIRST.0 - 1 + *counter),
                    import_register: Energy(*total_import + import),
                    export_register: Energy(*total_export + export),
                    counter: u64::from(*counter),
                    quality: Quality::Measured,
                };
                ask(&mut past, &mut now, [100 + who; 32], Command::SubmitReading(reading));
                if past.outcomes.last() == Some(&Outcome::ReadingTaken) {
                    *counter += 1;
                    (*total_import, *total_export) = (*total_import + import, *total_export + export);
                }
            }
            Step::Wait { minutes } => now += minutes * 60 * MICROS_PER_SECOND,
        }
        laws::check(&past.market);
    }
    past.tick(Timestamp(now + 24 * 3600 * MICROS_PER_SECOND));
    past
}

impl Past {
    fn stamp(&self, at: Timestamp) -> Stamp {
        Stamp { at, index: LeafIndex((self.outcomes.len() + self.events.len()) as u64) }
    }

    fn tick(&mut self, at: Timestamp) {
        while let Some(due) = self.market.next_due().filter(|due| *due <= at) {
            let (stamp, mut events) = (self.stamp(due), Vec::new());
            self.market.tick(stamp, &mut events);
            assert!(!events.is_empty(), "what is due happens");
            self.keep(stamp, events);
        }
    }

    fn ask(&mut self, at: Timestamp, request: &Request) {
        self.tick(at);
        let (stamp, mut events) = (self.stamp(at), Vec::new());
        let before = self.market.clone();
        let outcome = self.market.apply(stamp, request, &mut events);
        if let Outcome::Rejected(_) = outcome {
            assert_eq!(before.accounts(), self.market.accounts(), "a refused command moves nothing");
            assert!(events.is_empty(), "nothing follows from a refused command");
        }
        self.keep(stamp, events);
        self.outcomes.push(outcome);
    }

    /// Keeps events, and checks the trades among them.
    fn keep(&mut self, stamp: Stamp, events: Vec<Event>) {
        for (index, event) in (stamp.index.0 + 1..).zip(&events) {
            if let Event::TradeMade(trade) = event {
                let participants = self.market.participants();
                let [seller, buyer] = [trade.seller, trade.buyer].map(|id| participants.get(id).new.zone);
                let charge = laws::path_charge(self.market.config(), seller, buyer);
                assert_eq!(trade.buyer_price(), trade.price.plus(charge), "a trade pays for its path");
                assert_eq!(trade.id, TradeId(LeafIndex(index)), "a trade's id is its leaf's index");
            }
        }
        self.events.extend(events);
    }

    fn placed(&self) -> Vec<OrderId> {
        let orders = self.outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Placed(orders) => Some(orders.iter().flatten().copied()),
            _ => None,
        });
        orders.flatten().collect()
    }

    /// Returns what was traded and what was delivered or left undelivered.
    fn energies(&self) -> (u64, u64) {
        self.events.iter().fold((0, 0), |(traded, settled), event| match event {
            Event::TradeMade(trade) => (traded + trade.energy.0, settled),
            Event::TradeDelivered { delivered, seller_deviation, buyer_deviation, .. } => {
                (traded, settled + delivered.0 + seller_deviation.0 + buyer_deviation.0)
            }
            _ => (traded, settled),
        })
    }
}

fn participant(who: u8) -> NewParticipant {
    NewParticipant {
        name: format!("p{who}"),
        key: [who; 32],
        meter_key: (who != 4).then_some([100 + who; 32]),
        zone: ZoneId(u16::from(who % 4)),
        roles: Roles { producer: who != 0, consumer: who != 1, ..Roles::default() },
        pv_capacity_w: 40,
        connection_capacity_w: 48,
        credit_limit_fen: 3,
    }
}

fn deposit(who: u8, amount_fen: u64) -> Command {
    Command::Deposit(Deposit { participant: format!("p{who}"), amount_fen })
}

fn new_order(&(is_bid, slot, ticks, wh): &(bool, u32, i64, u64)) -> NewOrder {
    let side = if is_bid { Side::Bid } else { Side::Offer };
    NewOrder { side, slot: Slot(FIRST.0 + slot), limit: Price(ticks * 1_000_000), energy: Energy(wh) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_asked_the_market_stays_sound_and_repeatable(steps in prop::collection::vec(step(), 0..150)) {
        let past = happen(&steps);
        let (traded, settled) = past.energies();
        prop_assert_eq!(traded, settled);
        prop_assert_eq!(past.market.unsettled_slots().count(), 0);
        for id in past.market.participants().ids() {
            prop_assert_eq!(past.market.accounts().reserved(id), Worth::ZERO);
        }
        let again = happen(&steps);
        prop_assert_eq!(past.market.state_hash(), again.market.state_hash());
        prop_assert_eq!(past, again);
    }
}
