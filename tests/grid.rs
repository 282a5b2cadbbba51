//! The grid: what the real surplus of the demo's park sends through its transformers, by the engine alone.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::{collections::BTreeMap, path::Path};

use parkwatt::demo::{Park, node_config};
use parkwatt_engine::{
    Command, Energy, Event, LeafIndex, Market, MarketConfig, Matching, NewOrder, NewParticipant, Outcome,
    Price, PublicKey, Request, Roles, Schedule, Side, Slot, Stamp, Timestamp, Trade, ZoneId,
};

const OPERATOR: PublicKey = [255; 32];
/// The least that every roof takes: far below [`PAID`], so that only the grid decides what trades.
const ASKED: Price = Price(400_000);
/// The most that is paid for it.
const PAID: Price = Price(4_000_000);

/// A park whose owners place their orders with the engine itself.
struct Day<'a> {
    park: &'a Park,
    market: Market,
    index: u64,
    trades: Vec<Trade>,
}

impl<'a> Day<'a> {
    /// Enrols everybody, a week before.
    fn new(park: &'a Park, config: &MarketConfig) -> Day<'a> {
        let mut day =
            Day { park, market: Market::new(config.clone()).unwrap(), index: 0, trades: Vec::new() };
        let begin = Timestamp(park.first_slot.start().0 - 7 * 86_400_000_000);
        for (number, point) in park.points.iter().enumerate() {
            let zone = config.zones.iter().position(|zone| zone.name == point.zone).unwrap();
            let new = NewParticipant {
                name: point.name.clone(),
                key: key(number),
                meter_key: None,
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

    fn ask(&mut self, at: Timestamp, key: PublicKey, command: Command) -> Outcome {
        self.let_pass(at);
        let request = Request { key, nonce: self.index + 1, expires_at: Timestamp(u64::MAX), command };
        let mut events = Vec::new();
        let outcome = self.market.apply(self.stamp(at), &request, &mut events);
        self.take(&events);
        outcome
    }

    /// Lets time pass until `at`.
    fn let_pass(&mut self, at: Timestamp) {
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
        self.trades.extend(events.iter().filter_map(|event| match event {
            Event::TradeMade(trade) => Some(trade),
            _ => None,
        }));
    }

    /// Lets every roof offer its whole surplus of every quarter hour, and a business of the works bid for all
    /// of it, ten minutes before the first auction: every quarter hour of the day is open then.
    fn order(&mut self) {
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

    /// Returns what the trades sent from the farm upwards, less what they sent down to it, slot by slot.
    fn farm_flows(&self) -> BTreeMap<Slot, i64> {
        let is_farm = |id: parkwatt_engine::ParticipantId| self.park.points[id.0 as usize].zone == "farm";
        let mut flows = BTreeMap::new();
        for trade in &self.trades {
            let out = i64::from(is_farm(trade.seller)) - i64::from(is_farm(trade.buyer));
            *flows.entry(trade.slot).or_default() += out * i64::try_from(trade.energy.0).unwrap();
        }
        flows
    }
}

fn key(number: usize) -> PublicKey {
    let mut key = [1; 32];
    key[..8].copy_from_slice(&(number as u64).to_be_bytes());
    key
}

/// Returns the surplus of all roofs in the zones that `is_in` names, in Wh.
fn surplus_of(park: &Park, slot: Slot, is_in: impl Fn(&str) -> bool) -> u64 {
    let quarter = (slot.0 - park.first_slot.0) as usize;
    let points = park.points.iter().filter(|point| is_in(&point.zone));
    points.map(|point| point.profile[quarter][0].saturating_sub(point.profile[quarter][1])).sum()
}

/// Returns the demo's market, with a transformer of this rating at the farm, and with or without auctions.
fn config(park: &Park, farm_w: u64, matching: Matching) -> MarketConfig {
    let mut config = node_config(park, Path::new("unused")).market.constitution(OPERATOR).unwrap();
    let farm = config.zones.iter_mut().find(|zone| zone.name == "farm").unwrap();
    assert_eq!((farm.capacity_up_w, farm.capacity_down_w), (Some(160_000), Some(160_000)));
    farm.capacity_up_w = Some(farm_w);
    if matching == Matching::Continuous {
        config.timeline.uncross_before_s = config.timeline.opens_before_s;
    }
    config
}

#[test]
fn the_farm_sells_its_whole_surplus_or_what_its_transformer_carries() {
    let park = Park::read(None).unwrap();
    for matching in [Matching::Auction, Matching::Continuous] {
        // The real one is never full on this day; a smaller one is, around noon.
        for (farm_w, full_slots, at_noon) in [(160_000, 0, 37_461), (100_000, 17, 25_000)] {
            let mut day = Day::new(&park, &config(&park, farm_w, matching));
            day.order();
            let end = Slot(park.first_slot.0 + 96).start();
            day.let_pass(end);
            assert!(day.trades.iter().all(|trade| trade.matching == matching));

            let flows = day.farm_flows();
            let mut full = 0;
            for slot in (park.first_slot.0..park.first_slot.0 + 96).map(Slot) {
                let surplus = surplus_of(&park, slot, |zone| zone == "farm");
                let sold = flows.get(&slot).copied().unwrap_or(0);
                assert_eq!(sold, i64::try_from(surplus.min(farm_w / 4)).unwrap(), "{slot}, {farm_w} W");
                full += u64::from(surplus > farm_w / 4);
            }
            assert_eq!(full, full_slots, "{farm_w} W");
            assert_eq!(flows[&Slot(park.first_slot.0 + 48)], at_noon, "{farm_w} W");
        }
    }
}
