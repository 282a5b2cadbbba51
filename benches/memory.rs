//! How much memory a resting order takes, in a market with a million of them.
//!
//! Counted is everything that the market holds after they were placed and did not before: the slab, the ladders,
//! and where each order was placed; also what these lists keep free to grow. Excluded are the ledger and the
//! service's views.

mod market;
mod measure;

use allocation_counter::measure;
use market::{START, TICK, config, founded, owner};
use measure::{Budget, Effort, Table};
use parkwatt_engine::{
    Command, Energy, LeafIndex, MarketConfig, NewOrder, Outcome, Price, Request, Schedule, Side, Slot, Stamp,
    Timeline, Timestamp, ZoneId,
};

/// Orders in one command.
const SCHEDULE: u64 = 96;

fn main() {
    let effort = Effort::from_args();
    let mut table = Table::new("Memory of a resting order", "bytes", "orders");
    for (what, slots) in [("one slot, 8 zones", 1), ("a day of 96 slots, 8 zones", 96)] {
        let len = effort.pick(1_000_000, 100_000);
        let bytes = bytes_each(len, slots);
        let budget = Budget { said: "<= 64 bytes".to_owned(), is_met: bytes <= 64.0 };
        table.row(what, format!("{bytes:.1}"), len.to_string(), Some(budget));
    }
    table.print();
}

/// Places schedules of orders that rest, and returns how many bytes each of them takes.
fn bytes_each(len: u32, slots: u64) -> f64 {
    let config = config(8);
    let timeline = Timeline { uncross_before_s: config.timeline.opens_before_s, ..config.timeline };
    let mut market = founded(&MarketConfig { timeline, ..config });
    let mut drawn: u64 = 1;
    let mut resting = 0;
    let held = measure(|| {
        for index in 0..u64::from(len) / SCHEDULE {
            let (zone, side) = (ZoneId((index / 2 % 8) as u16), [Side::Bid, Side::Offer][(index % 2) as usize]);
            let order = |position: u64| {
                drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let slot = Slot(Slot::at(START).0 + 2 + (position % slots) as u32);
                // Bids from 0.50 to 0.60, offers from 1.00 to 1.10: they never meet.
                let ticks = (drawn >> 33) as i64 % 1_000 + if side == Side::Bid { 5_000 } else { 10_000 };
                NewOrder::resting(side, slot, Price(ticks * TICK), Energy(1 + (drawn >> 20) % 1000))
            };
            let orders = (0..SCHEDULE).map(order).collect();
            let stamp = Stamp { at: Timestamp(START.0 + index), index: LeafIndex(1_000 + index) };
            let command = Command::PlaceOrders(Schedule { orders, all_or_none: false });
            let expires_at = Timestamp(u64::MAX);
            let request = Request { key: owner(zone, side), nonce: 1 + index, expires_at, command };
            let outcome = market.apply(stamp, &request, &mut Vec::new());
            let Outcome::Placed(answers) = outcome else { panic!("{outcome:?}") };
            assert!(answers.iter().all(Result::is_ok), "every order rests");
            resting += answers.len();
        }
    });
    held.bytes_current as f64 / resting as f64
}
