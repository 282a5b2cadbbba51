//! Laws of readings, delivery, settlement, resettlement, payouts and certificates (R10 to R14), held over
//! random histories.
//!
//! A history is orders for three slots, and then readings, corrections, payouts, waits and retirements in any
//! order: readings come late, out of step, below or above what was traded, estimated, or never. After every
//! step the laws are checked against what the events alone say.
#![allow(clippy::unwrap_used, reason = "a test says plainly what it expects")]

#[path = "settlement_laws/facts.rs"]
mod facts;
#[path = "market/laws.rs"]
mod laws;

use std::collections::BTreeMap;

use facts::Facts;
use parkwatt_engine::*;
use proptest::prelude::*;

/// The first slot of delivery; two more follow.
const FIRST: u32 = 40_000;
const SLOTS: u32 = 3;
/// Participants 0 and 1 produce, 2 and 3 consume, 4 does both; 5 does both and has no meter.
const PARTICIPANTS: u8 = 6;
const WITHOUT_METER: u8 = 5;
const OPERATOR: PublicKey = [255; 32];

#[derive(Clone, Debug)]
enum Step {
    Place { who: u8, side: Side, slot: u32, price: i64, energy: u64 },
    Wait { seconds: u64 },
    Read { who: u8, import: u64, export: u64, quality: Quality },
    Correct { who: u8, back: usize, import: i64, export: i64, quality: Quality },
    PayOut { from: u8, amount: PayoutAmount },
    Retire { who: u8, slot: u32, energy: u64 },
    Transfer { who: u8, to: u8, slot: u32, energy: u64 },
    Withdraw { producer: u8, slot: u32, issue: u16 },
}

fn config() -> MarketConfig {
    let zone = |name: &str, parent: Option<u16>, up, down| Zone {
        name: name.to_owned(),
        parent: parent.map(ZoneId),
        base_wheeling: Price(20_000),
        wheeling_up: Price(up),
        wheeling_down: Price(down),
        capacity_up_w: None,
        capacity_down_w: None,
    };
    MarketConfig {
        name: "laws".to_owned(),
        currency: "CNY".to_owned(),
        operator_key: OPERATOR,
        zones: vec![zone("park", None, 0, 0), zone("roofs", Some(0), 10_000, 30_000)],
        tick: Price(100),
        price_floor: Price(-1_000_000),
        price_cap: Price(2_000_000),
        lot: Energy(1),
        order_energy_max: Energy(1_000_000),
        schedule_len_max: 10,
        participants_max: 10,
        open_orders_max: 100,
        corrections_max: 10,
        timeline: Timeline {
            opens_before_s: 7200,
            uncross_before_s: 3600,
            gate_before_s: 900,
            settle_after_s: 1800,
            final_after_s: 5400,
        },
        auction_point_per_mille: 500,
        market_fee: Price(1_000),
        deviation_per_mille: 100,
        tariff_version: 1,
        tariffs: vec![TariffBand { from_quarter: 0, retail: Price(801_100), feed_in: Price(391_300) }],
    }
}

/// The market, driven as its service drives it, and everything that it said.
struct History {
    market: Market,
    now: Timestamp,
    next_index: u64,
    nonce: u64,
    /// What each meter has read, slot by slot, and its last count.
    meters: BTreeMap<u8, (Vec<Reading>, u64)>,
    facts: Facts,
}

impl History {
    /// Founds the market, and enrols everyone just after trading in the first slot has opened.
    fn begin() -> History {
        let market = Market::new(config()).expect("the configuration holds");
        let now = Timestamp(Slot(FIRST).start().0 - 7_000 * MICROS_PER_SECOND);
        let (meters, facts) = (BTreeMap::new(), Facts::default());
        let mut history = History { market, now, next_index: 0, nonce: 0, meters, facts };
        for who in 0..PARTICIPANTS {
            let (producer, consumer) = (!(2..=3).contains(&who), who >= 2);
            let name = format!("p{who}");
            let new = NewParticipant {
                name: name.clone(),
                key: [who; 32],
                meter_key: (who != WITHOUT_METER).then_some([100 + who; 32]),
                zone: ZoneId(u16::from(who % 2)),
                roles: Roles { producer, consumer, ..Roles::default() },
                pv_capacity_w: 1_000,
                connection_capacity_w: 1_000,
                credit_limit_fen: 0,
            };
            let enrolled = history.apply(OPERATOR, Command::EnrolParticipant(new));
            assert_eq!(enrolled, Outcome::Enrolled(ParticipantId(u32::from(who))));
            let deposit = Deposit { participant: name, amount_fen: 100 };
            assert_eq!(history.apply(OPERATOR, Command::Deposit(deposit)), Outcome::Deposited);
        }
        history
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Place { who, side, slot, price, energy } => {
                let (limit, energy) = (Price(price * 10_000), Energy(energy));
                let orders = vec![NewOrder::resting(side, Slot(FIRST + slot), limit, energy)];
                let schedule = Schedule { orders, all_or_none: false };
                self.apply([who; 32], Command::PlaceOrders(schedule));
            }
            Step::Wait { seconds } => self.wait(seconds),
            Step::Read { who, import, export, quality } => {
                let (readings, counter) = self.meters.get(&who).cloned().unwrap_or_default();
                let reading = match readings.last() {
                    None => Reading {
                        read_at: Slot(FIRST).start(),
                        import_register: Energy(7),
                        export_register: Energy(9),
                        generation_register: Energy::ZERO,
                        counter: 1,
                        quality,
                    },
                    Some(last) => Reading {
                        read_at: Slot::at(last.read_at).end(),
                        import_register: last.import_register.plus(Energy(import)),
                        export_register: last.export_register.plus(Energy(export)),
                        counter: counter + 1,
                        quality,
                        ..*last
                    },
                };
                self.read(who, reading);
            }
            Step::Correct { who, back, import, export, quality } => {
                let (readings, counter) = self.meters.get(&who).cloned().unwrap_or_default();
                let corrected = readings.len().checked_sub(1 + back).map(|place| readings[place]);
                let other = |register: Energy, more: i64| Energy(register.0.saturating_add_signed(more));
                if let Some(reading) = corrected {
                    let import_register = other(reading.import_register, import);
                    let export_register = other(reading.export_register, export);
                    let counter = counter + 1;
                    self.read(who, Reading { import_register, export_register, counter, quality, ..reading });
                }
            }
            Step::PayOut { from, amount } => {
                let payout = Payout { participant: format!("p{from}"), amount };
                self.apply(OPERATOR, Command::PayOut(payout));
            }
            Step::Retire { who, slot, energy } => {
                let (slot, energy) = (Slot(FIRST + slot), Energy(energy));
                let retirement = Retirement {
                    slot,
                    energy,
                    consumption_slot: slot,
                    beneficiary: "works 3".to_owned(),
                    purpose: "a report".to_owned(),
                    class: CertificateClass::Exported,
                };
                self.apply([who; 32], Command::RetireCertificates(retirement));
            }
            Step::Transfer { who, to, slot, energy } => {
                let (slot, energy, to) = (Slot(FIRST + slot), Energy(energy), format!("p{to}"));
                self.apply([who; 32], Command::TransferCertificates(Transfer { slot, energy, to }));
            }
            Step::Withdraw { producer, slot, issue } => {
                let (slot, producer) = (Slot(FIRST + slot), ParticipantId(producer.into()));
                let certificate = CertificateId { slot, producer, issue };
                let reason = "the meter was wrong".to_owned();
                let withdrawal = CertificateWithdrawal { certificate, reason };
                self.apply(OPERATOR, Command::WithdrawCertificate(withdrawal));
            }
        }
    }

    fn read(&mut self, who: u8, reading: Reading) {
        if self.apply([100 + who; 32], Command::SubmitReading(reading)) == Outcome::ReadingTaken {
            let (readings, counter) = self.meters.entry(who).or_default();
            *counter = reading.counter;
            match readings.iter_mut().find(|it| it.read_at == reading.read_at) {
                Some(corrected) => *corrected = reading,
                None => readings.push(reading),
            }
        }
    }

    fn apply(&mut self, key: PublicKey, command: Command) -> Outcome {
        self.wait(1);
        self.nonce += 1;
        let request = Request { key, nonce: self.nonce, expires_at: Timestamp(u64::MAX), command };
        self.now.0 += 1;
        let stamp = Stamp { at: self.now, index: LeafIndex(self.next_index) };
        let mut events = Vec::new();
        let outcome = self.market.apply(stamp, &request, &mut events);
        self.take(&events);
        outcome
    }

    /// Lets `seconds` pass, less the last microseconds that commands take.
    fn wait(&mut self, seconds: u64) {
        let until = self.now.0 + seconds * MICROS_PER_SECOND;
        while let Some(due) = self.market.next_due().filter(|due| due.0 <= until + 1) {
            self.now = self.now.max(due);
            let mut events = Vec::new();
            self.market.tick(Stamp { at: self.now, index: LeafIndex(self.next_index) }, &mut events);
            self.take(&events);
        }
        self.now.0 = self.now.0.max(until);
    }

    fn take(&mut self, events: &[Event]) {
        self.next_index += 1 + events.len() as u64;
        for event in events {
            self.facts.take(&self.market, event);
        }
        self.facts.check(&self.market);
        laws::check(&self.market);
    }
}

fn order() -> impl Strategy<Value = Step> {
    let offer = (prop_oneof![0..2_u8, 4..PARTICIPANTS], -20..60_i64)
        .prop_map(|(who, price)| (who, Side::Offer, price));
    let bid = (2..PARTICIPANTS, 20..120_i64).prop_map(|(who, price)| (who, Side::Bid, price));
    (prop_oneof![offer, bid], 0..SLOTS, 1..120_u64)
        .prop_map(|((who, side, price), slot, energy)| Step::Place { who, side, slot, price, energy })
}

fn reading(who: impl Strategy<Value = u8>) -> impl Strategy<Value = Step> {
    (who, 0..100_u64, 0..100_u64, quality()).prop_map(|(who, import, export, quality)| Step::Read {
        who,
        import,
        export,
        quality,
    })
}

fn correction() -> impl Strategy<Value = Step> {
    let more = || prop_oneof![1 => Just(0), 3 => -40..40_i64];
    (0..WITHOUT_METER, 0..3_usize, more(), more(), quality())
        .prop_map(|(who, back, import, export, quality)| Step::Correct { who, back, import, export, quality })
}

fn quality() -> impl Strategy<Value = Quality> {
    prop_oneof![
        8 => Just(Quality::Measured),
        1 => Just(Quality::Estimated),
        1 => Just(Quality::Substituted)
    ]
}

fn payout() -> impl Strategy<Value = Step> {
    let amount = prop_oneof![Just(PayoutAmount::All), (1..60_u64).prop_map(PayoutAmount::Fen)];
    (0..PARTICIPANTS, amount).prop_map(|(from, amount)| Step::PayOut { from, amount })
}

fn retirement() -> impl Strategy<Value = Step> {
    (0..PARTICIPANTS, 0..SLOTS, 0..40_u64).prop_map(|(who, slot, energy)| Step::Retire { who, slot, energy })
}

fn transfer() -> impl Strategy<Value = Step> {
    (0..PARTICIPANTS, 0..PARTICIPANTS, 0..SLOTS, 0..40_u64)
        .prop_map(|(who, to, slot, energy)| Step::Transfer { who, to, slot, energy })
}

fn withdrawal() -> impl Strategy<Value = Step> {
    (0..PARTICIPANTS, 0..SLOTS, 1..4_u16).prop_map(|(producer, slot, issue)| Step::Withdraw {
        producer,
        slot,
        issue,
    })
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    let wait = |seconds| (0..seconds).prop_map(|seconds| Step::Wait { seconds });
    let trading = prop_oneof![9 => order(), 1 => wait(1_500_u64)];
    let trading = prop::collection::vec(trading, 0..50);
    // Most meters are read for the first time before the first slot, some later or never.
    let first = prop::collection::vec(reading(0..WITHOUT_METER), 0..12);
    let metering = prop_oneof![
        6 => reading(0..WITHOUT_METER),
        4 => correction(),
        4 => retirement(),
        2 => transfer(),
        3 => withdrawal(),
        1 => payout(),
        1 => wait(1_200_u64)
    ];
    let metering = prop::collection::vec(metering, 0..100);
    (trading, first, metering).prop_map(|(trading, first, metering)| {
        // Until the first slot is over, or beyond that if trading took long.
        let wait = Step::Wait { seconds: 8_000 };
        trading.into_iter().chain([wait]).chain(first).chain(metering).collect()
    })
}

proptest! {
    #[test]
    fn energy_money_and_certificates_are_neither_lost_nor_made(steps in history()) {
        let mut history = History::begin();
        for step in &steps {
            history.step(step);
        }
        history.wait(20_000);
        // Until all certificates have expired.
        history.wait(3 * 366 * 86_400);

        prop_assert_eq!(history.market.next_due(), None);
        let facts = &history.facts;
        prop_assert_eq!(facts.delivered.len(), facts.trades.len(), "a trade was left unsettled");
        for participant in (0..u32::from(PARTICIPANTS)).map(ParticipantId) {
            prop_assert_eq!(history.market.accounts().reserved(participant), Worth::ZERO);
        }
    }
}
