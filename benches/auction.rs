//! How fast a slot's call auction is held, beside sorting the same orders by price and time.
//!
//! - Prices: from a book in which the orders stand the volume of every level, flows, prices, rents and the
//!   proof.
//! - Result: all of that, and who trades with whom. It is what asking for the indicative result costs. The budget is
//!   for this.
//! - The market: `Market::tick` at the moment the auction uncrosses, and so the clearing and every trade with
//!   its reservations and its event.
//!
//! Excluded is the placing of the orders. In eight zones the upper four mostly buy and the lower four mostly
//! sell, so that edges are full.

mod market;
mod measure;

use std::{hint::black_box, time::Duration};

use market::{START, TICK, config, founded, owner};
use measure::{Budget, Effort, Table, nanos_each, timed};
use parkwatt_engine::{
    Clearing, Command, Energy, Event, KeyHolder, LeafIndex, Market, MarketConfig, NewOrder, OpenOrder,
    OrderId, Outcome, Price, Request, Schedule, Side, Slot, Stamp, StandaloneBook, Timestamp, Zone, ZoneId,
};

fn main() {
    let effort = Effort::from_args();
    let len = effort.pick(200_000, 20_000);
    let mut table = Table::new("Call auction, beside sorting the same orders", "ns an order", "x sorting");
    for (zones, limit) in [(1, 0.5), (8, 10.0)] {
        let gathered = Gathered::new(zones, len);
        let full = gathered.clear().rents.iter().filter(|rent| rent.0 > 0).count();
        println!("zones: {zones}, full edges with a rent: {full} of {}", zones - 1);
        assert!(zones == 1 || full > 0, "eight zones are congested");
        let rounds = effort.pick(9, 2);
        let sorting = gathered.least(rounds, Gathered::sort);
        table.row(&format!("sorting {len} orders"), nanos(sorting, len), "1.00".into(), None);
        for (what, took, limit) in [
            ("prices", gathered.least(rounds, Gathered::time_prices), None),
            ("result", gathered.least(rounds, Gathered::time_clear), Some(limit)),
            ("the market, with every trade", gathered.least(rounds, Gathered::uncross), None),
        ] {
            let share = took.as_secs_f64() / sorting.as_secs_f64();
            let budget = limit.map(|limit| Budget { said: format!("<= {limit} x"), is_met: share <= limit });
            table.row(&format!("{what}, zones: {zones}"), nanos(took, len), format!("{share:.2}"), budget);
        }
    }
    table.print();
}

fn nanos(took: Duration, len: u32) -> String {
    format!("{:.0}", nanos_each(took, len))
}

/// A slot whose orders have gathered, in a market and in a book by itself.
struct Gathered {
    config: MarketConfig,
    slot: Slot,
    market: Market,
    book: StandaloneBook,
    orders: Vec<(Price, OrderId, Energy)>,
}

impl Gathered {
    /// Gathers as many bids as offers, whose limits are equally distributed over the same 20,000 ticks.
    fn new(zones: u16, len: u32) -> Gathered {
        let config = congested(config(zones), len);
        let slot = Slot(Slot::at(START).0 + 120);
        let (market, book) = (founded(&config), StandaloneBook::new(&config));
        let mut gathered = Gathered { config, slot, market, book, orders: Vec::new() };
        let mut drawn: u64 = 1;
        for number in 0..u64::from(len) {
            drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let side = if number % 2 == 0 { Side::Bid } else { Side::Offer };
            let ticks = i64::try_from((drawn >> 33) % 20_000).expect("less than 20,000 fits");
            let zone = zone_of(side, drawn >> 10, zones);
            gathered.place(number, side, zone, Price(ticks * TICK), Energy(1 + (drawn >> 20) % 1000));
        }
        gathered
    }

    fn place(&mut self, number: u64, side: Side, zone: ZoneId, limit: Price, energy: Energy) {
        let stamp = Stamp { at: Timestamp(START.0 + number), index: LeafIndex(1_000 + number) };
        let orders = vec![NewOrder::resting(side, self.slot, limit, energy)];
        let command = Command::PlaceOrders(Schedule { orders, all_or_none: false });
        let expires_at = Timestamp(u64::MAX);
        let request = Request { key: owner(zone, side), nonce: 1 + number, expires_at, command };
        let outcome = self.market.apply(stamp, &request, &mut Vec::new());
        let Outcome::Placed(answers) = outcome else { panic!("{outcome:?}") };
        let id = answers[0].expect("every order is accepted");
        let Some(KeyHolder::Owner(owner)) = self.market.participants().holder_of(&request.key) else {
            panic!("everyone is enrolled")
        };
        self.book.gather(&OpenOrder { id, owner, zone, side, limit, remaining: energy });
        self.orders.push((limit, id, energy));
    }

    fn least(&self, rounds: u32, run: fn(&Gathered) -> Duration) -> Duration {
        (0..rounds).map(|_| run(self)).min().expect("there is at least one round")
    }

    fn sort(&self) -> Duration {
        let mut orders = self.orders.clone();
        timed(|| black_box(&mut orders).sort_unstable()).0
    }

    fn clear(&self) -> Clearing {
        self.book.clear(&self.config, self.slot)
    }

    fn time_prices(&self) -> Duration {
        timed(|| black_box(self.book.clearing_prices(&self.config))).0
    }

    fn time_clear(&self) -> Duration {
        timed(|| black_box(self.clear())).0
    }

    fn uncross(&self) -> Duration {
        let mut market = self.market.clone();
        let at = market.next_due().expect("the slot's auction is due");
        let mut events = Vec::new();
        let index = LeafIndex(1_000 + self.orders.len() as u64);
        let took = timed(|| market.tick(Stamp { at, index }, &mut events)).0;
        assert!(events.iter().any(|event| matches!(event, Event::TradeMade(_))), "orders trade");
        took
    }
}

/// Returns a zone of the upper half for most bids, and of the lower half for most offers.
fn zone_of(side: Side, drawn: u64, zones: u16) -> ZoneId {
    let half = u64::from(zones / 2);
    let zone = if half == 0 { 0 } else { drawn / 5 % half };
    let is_upper = drawn.is_multiple_of(5) == (side == Side::Offer);
    ZoneId(u16::try_from(zone + if is_upper { 0 } else { half }).expect("zones are few"))
}

/// Returns the market with edges that carry 5 Wh a slot for each order.
fn congested(config: MarketConfig, len: u32) -> MarketConfig {
    let watts = Some(20 * u64::from(len));
    let narrow = |zone: Zone| Zone { capacity_up_w: watts, capacity_down_w: watts, ..zone };
    MarketConfig { zones: config.zones.into_iter().map(narrow).collect(), ..config }
}
