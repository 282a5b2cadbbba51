//! The demo's park, whose owners deal with the engine itself: no node, no signatures.

use std::path::Path;

use parkwatt::demo::{Park, node_config};
use parkwatt_engine::{
    Command, Energy, Event, LeafIndex, Market, MarketConfig, NewOrder, NewParticipant, Outcome, Price,
    PublicKey, Quality, Reading, Request, Roles, Schedule, Side, Slot, Stamp, Timestamp, Trade, ZoneId,
};

/// The operator's key; nobody signs here.
const OPERATOR: PublicKey = [255; 32];
/// The least that every roof takes: far below [`PAID`], so that only the grid decides what trades.
const ASKED: Price = Price(400_000);
/// The most that is paid for it.
const PAID: Price = Price(4_000_000);

/// A park whose owners place their orders with the engine itself.
pub struct Day<'a> {
    pub park: &'a Park,
    pub market: Market,
    index: u64,
    /// What has followed since the day began, trades and all.
    pub events: Vec<Event>,
    pub trades: Vec<Trade>,
}

impl<'a> Day<'a> {
    /// Enrols everybody, a week before.
    pub fn new(park: &'a Park, config: &MarketConfig) -> Day<'a> {
        let mut day = Day {
            park,
            market: Market::new(config.clone()).unwrap(),
            index: 0,
            events: Vec::new(),
            trades: Vec::new(),
        };
        let begin = Timestamp(park.first_slot.start().0 - 7 * 86_400_000_000);
        for (number, point) in park.points.iter().enumerate() {
            let zone = config.zones.iter().position(|zone| zone.name == point.zone).unwrap();
            let new = NewParticipant {
                name: point.name.clone(),
                key: key(number),
                meter_key: Some(meter(number)),
                zone: ZoneId(u16::try_from(zone).unwrap()),
                roles: Roles { producer: true, consumer: true, ..Roles::default() },
                pv_capacity_w: point.pv_capacity_w,
                connection_capacity_w: point.pv_capacity_w.max(point.load_peak_w),
                credit_limit_fen: 1_000_000_000,
            };
            let at = Timestamp(begin.0 + number as u64);
            let outcome = day.ask(at, OPERATOR, Command::EnrolParticipant(new));
            assert!(matches!(outcome, Outcome::Enrolled(_)), "{outcome:?}");
        }
        day
    }

    pub fn ask(&mut self, at: Timestamp, key: PublicKey, command: Command) -> Outcome {
        self.let_pass(at);
        let request = Request { key, nonce: self.index + 1, expires_at: Timestamp(u64::MAX), command };
        let mut events = Vec::new();
        let outcome = self.market.apply(self.stamp(at), &request, &mut events);
        self.take(&events);
        outcome
    }

    /// Lets time pass until `at`.
    pub fn let_pass(&mut self, at: Timestamp) {
        while let Some(due) = self.market.next_due().filter(|due| *due <= at) {
            let mut events = Vec::new();
            self.market.tick(self.stamp(due), &mut events);
            self.take(&events);
        }
    }

    fn stamp(&self, at: Timestamp) -> Stamp {
        Stamp { at, index: LeafIndex(self.index) }
    }

    fn take(&mut self, events: &[Event]) {
        self.index += 1 + events.len() as u64;
        self.events.extend_from_slice(events);
        self.trades.extend(events.iter().filter_map(|event| match event {
            Event::TradeMade(trade) => Some(trade),
            _ => None,
        }));
    }

    /// Lets every roof offer its whole surplus of every quarter hour, and a business of the works bid for all
    /// of it, ten minutes before the first auction: every quarter hour of the day is open then.
    pub fn order(&mut self) {
        let begin = self.park.first_slot.start().0 - (86_400 + 600) * 1_000_000;
        for (number, point) in self.park.points.iter().enumerate() {
            let mut orders = Vec::new();
            for (slot, [generation, load]) in (self.park.first_slot.0..).map(Slot).zip(&point.profile) {
                let surplus = Energy(generation.saturating_sub(*load));
                let all = surplus_of(self.park, slot, |_| true);
                if surplus.0 > 0 {
                    orders.push(NewOrder::resting(Side::Offer, slot, ASKED, surplus));
                } else if point.name == "works-001" && all > 0 {
                    orders.push(NewOrder::resting(Side::Bid, slot, PAID, Energy(all)));
                }
            }
            if orders.is_empty() {
                continue;
            }
            let schedule = Schedule { orders, all_or_none: true };
            let outcome =
                self.ask(Timestamp(begin + number as u64), key(number), Command::PlaceOrders(schedule));
            let Outcome::Placed(answers) = outcome else { panic!("{outcome:?}") };
            assert!(answers.iter().all(Result::is_ok), "{}: {answers:?}", point.name);
        }
    }

    /// Lets the meter of a point state its registers at the end of the day's first `quarters` quarter hours.
    pub fn read(&mut self, number: usize, quarters: usize, at: Timestamp) {
        let mut registers = [0; 3];
        for [generation, load] in &self.park.points[number].profile[..quarters] {
            let flows = [load.saturating_sub(*generation), generation.saturating_sub(*load), *generation];
            registers.iter_mut().zip(flows).for_each(|(register, flow)| *register += flow);
        }
        let [import_register, export_register, generation_register] = registers.map(Energy);
        let quarters = u32::try_from(quarters).unwrap();
        let reading = Reading {
            read_at: Slot(self.park.first_slot.0 + quarters).start(),
            import_register,
            export_register,
            generation_register,
            counter: u64::from(quarters),
            quality: Quality::Measured,
        };
        let outcome = self.ask(at, meter(number), Command::SubmitReading(reading));
        assert_eq!(outcome, Outcome::ReadingTaken);
    }
}

fn key(number: usize) -> PublicKey {
    let mut key = [1; 32];
    key[..8].copy_from_slice(&(number as u64).to_be_bytes());
    key
}

/// Returns the surplus of all roofs in the zones that `is_in` names, in Wh.
pub fn surplus_of(park: &Park, slot: Slot, is_in: impl Fn(&str) -> bool) -> u64 {
    let quarter = (slot.0 - park.first_slot.0) as usize;
    let points = park.points.iter().filter(|point| is_in(&point.zone));
    points.map(|point| point.profile[quarter][0].saturating_sub(point.profile[quarter][1])).sum()
}

/// Returns the key of a point's meter.
fn meter(number: usize) -> PublicKey {
    let mut key = key(number);
    key[31] = 2;
    key
}

/// Returns the demo's market.
pub fn config(park: &Park) -> MarketConfig {
    node_config(park, Path::new("unused")).market.constitution(OPERATOR).unwrap()
}
