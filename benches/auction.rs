//! How fast a slot's call auction is held, beside sorting the same orders by price and time.
//!
//! Measured is `Market::tick` at the moment the auction uncrosses, and so the clearing, the prices, the
//! pairing, and every trade with its reservations and event. Excluded is the placing of the orders. Zones
//! have charges and no capacities, so that nothing is ever congested.

mod market;
mod measure;

use std::{hint::black_box, time::Duration};

use market::{START, TICK, config, founded, owner};
use measure::{Budget, Effort, Table, nanos_each, timed};
use parkwatt_engine::{
    Command, Energy, LeafIndex, Market, NewOrder, OrderId, Outcome, Price, Request, Schedule, Side, Slot,
    Stamp, Timestamp, ZoneId,
};

fn main() {
    let effort = Effort::from_args();
    let len = effort.pick(200_000, 20_000);
    let mut table = Table::new("Call auction, beside sorting the same orders", "ns an order", "x sorting");
    for (zones, limit) in [(1, 0.5), (8, 10.0)] {
        let gathered = Gathered::new(zones, len);
        let rounds = effort.pick(5, 1);
        let sorting = gathered.least(rounds, Gathered::sort);
        let clearing = gathered.least(rounds, Gathered::uncross);
        let share = clearing.as_secs_f64() / sorting.as_secs_f64();
        let nanos = |took| format!("{:.0}", nanos_each(took, len));
        let budget = Budget { said: format!("<= {limit} x"), is_met: share <= limit };
        table.row(&format!("sorting {len} orders"), nanos(sorting), "1.00".into(), None);
        table.row(&format!("auction, zones: {zones}"), nanos(clearing), format!("{share:.2}"), Some(budget));
    }
    table.print();
}

/// A slot whose orders have gathered.
struct Gathered {
    market: Market,
    orders: Vec<(Price, OrderId, Energy)>,
}

impl Gathered {
    /// Gathers as many bids as offers, whose limits are equally distributed over the same 20,000 ticks.
    fn new(zones: u16, len: u32) -> Gathered {
        let mut market = founded(&config(zones));
        let slot = Slot(Slot::at(START).0 + 120);
        let mut orders = Vec::new();
        let mut drawn: u64 = 1;
        for number in 0..u64::from(len) {
            drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let zone = ZoneId(u16::try_from(number / 2 % u64::from(zones)).expect("zones are few"));
            let side = if number % 2 == 0 { Side::Bid } else { Side::Offer };
            let ticks = i64::try_from((drawn >> 33) % 20_000).expect("less than 20,000 fits");
            let (limit, energy) = (Price(ticks * TICK), Energy(1 + (drawn >> 20) % 1000));
            let stamp = Stamp { at: Timestamp(START.0 + number), index: LeafIndex(1_000 + number) };
            let order = NewOrder::resting(side, slot, limit, energy);
            let command = Command::PlaceOrders(Schedule { orders: vec![order], all_or_none: false });
            let expires_at = Timestamp(u64::MAX);
            let request = Request { key: owner(zone, side), nonce: 1 + number, expires_at, command };
            let outcome = market.apply(stamp, &request, &mut Vec::new());
            assert!(matches!(&outcome, Outcome::Placed(answers) if answers[0].is_ok()), "{outcome:?}");
            orders.push((limit, OrderId { index: stamp.index, position: 0 }, energy));
        }
        Gathered { market, orders }
    }

    fn least(&self, rounds: u32, run: fn(&Gathered) -> Duration) -> Duration {
        (0..rounds).map(|_| run(self)).min().expect("there is at least one round")
    }

    fn sort(&self) -> Duration {
        let mut orders = self.orders.clone();
        timed(|| black_box(&mut orders).sort_unstable()).0
    }

    fn uncross(&self) -> Duration {
        let mut market = self.market.clone();
        let at = market.next_due().expect("the slot's auction is due");
        let mut events = Vec::new();
        let took = timed(|| market.tick(Stamp { at, index: LeafIndex(10_000_000) }, &mut events)).0;
        assert!(events.len() > self.orders.len() / 4, "many orders trade");
        took
    }
}
