//! How much memory a resting order takes.
//!
//! Counted is everything that a market holds after orders were placed and did not before: the slab, the
//! ladders, and where each order was placed; also what these lists keep free to grow. Excluded are the ledger
//! and the service's views.

use allocation_counter::measure;
use parkwatt_engine::{
    Command, Energy, LeafIndex, MarketConfig, NewOrder, Outcome, Price, Request, Schedule, Side, Slot, Stamp,
    Timeline, Timestamp, ZoneId,
};

use crate::market::{START, TICK, config, founded, owner};

/// Orders in one command.
const SCHEDULE: u32 = 96;
const ZONES: u16 = 8;

/// Places schedules of `len` orders altogether that rest, over so many slots, and returns how many bytes each
/// of them takes.
pub fn bytes_each(len: u32, slots: u32) -> f64 {
    let config = config(ZONES);
    let timeline = Timeline { uncross_before_s: config.timeline.opens_before_s, ..config.timeline };
    let mut market = founded(&MarketConfig { timeline, ..config });
    let mut drawn: u32 = 1;
    let mut resting = 0;
    let held = measure(|| {
        for (number, zone) in (0..len / SCHEDULE).zip((0..ZONES).cycle().map(ZoneId)) {
            let side = if number / u32::from(ZONES) % 2 == 0 { Side::Bid } else { Side::Offer };
            let order = |position| {
                drawn = drawn.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Bids from 0.50 to 0.60, offers from 1.00 to 1.10: they never meet.
                let ticks = i64::from(drawn >> 16) % 1_000 + if side == Side::Bid { 5_000 } else { 10_000 };
                let slot = Slot(Slot::at(START).0 + 2 + position % slots);
                NewOrder::resting(side, slot, Price(ticks * TICK), Energy(1 + u64::from(drawn >> 8) % 1000))
            };
            let orders = (0..SCHEDULE).map(order).collect();
            let index = u64::from(number);
            let stamp = Stamp { at: Timestamp(START.0 + index), index: LeafIndex(1_000 + index) };
            let command = Command::PlaceOrders(Schedule { orders, all_or_none: false });
            let expires_at = Timestamp(u64::MAX);
            let request = Request { key: owner(zone, side), nonce: 1 + index, expires_at, command };
            let outcome = market.apply(stamp, &request, &mut Vec::new());
            let Outcome::Placed(answers) = outcome else { panic!("{outcome:?}") };
            assert!(answers.iter().all(Result::is_ok), "every order rests");
            resting += SCHEDULE;
        }
    });
    let bytes = u32::try_from(held.bytes_current).expect("a few gigabytes at most");
    f64::from(bytes) / f64::from(resting)
}
