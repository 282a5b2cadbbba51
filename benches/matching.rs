//! How fast the market matches: a flow of orders and cancellations, driven through the whole engine.
//!
//! Measured is `Market::apply`, and so: the key, its nonce and expiry, every check, reservations, the book,
//! events and the outcome. Excluded are signatures, parsing, leaves and the disk, and the making of the
//! requests. There is no bare book to measure by itself, so that the first budget is set against more than it
//! was made for. Instructions are counted by valgrind where it is installed, over the second half of a flow,
//! when the book is warm.
//!
//! `FLOW=FILE cargo bench --bench matching` takes a flow from a file instead. A plain book says what must
//! come of it.

mod flow;
mod market;
mod measure;

use std::{collections::BTreeMap, hint::black_box, process::Command as Process, time::Duration};

use flow::{Step, Tally, Way};
use market::{START, TICK, config, founded, owner};
use measure::{Budget, Effort, Table, nanos_each, timed};
use parkwatt_engine::{
    Command, Energy, Event, LeafIndex, Market, NewOrder, OrderId, Outcome, Price, PublicKey, Request,
    Schedule, Side, Slot, Stamp, Timestamp, ZoneId,
};

/// How many requests are made at once, outside of what is timed.
const CHUNK: usize = 1024;
/// Asks a run under valgrind for its part: how many zones, and how long a flow.
const COUNTED: &str = "PARKWATT_BENCH_COUNTED";

fn main() {
    if let Ok(asked) = std::env::var(COUNTED) {
        return run_counted(&asked);
    }
    let effort = Effort::from_args();
    let (steps, expected) = match std::env::var_os("FLOW") {
        Some(file) => flow::read(&std::fs::read_to_string(file).expect("FLOW is a file that can be read")),
        None => flow::make(effort.pick(1_000_000, 50_000)),
    };
    println!("flow: {} commands; a plain book makes {expected}", steps.len());

    let mut table = Table::new(
        "Matching: the whole market, for each command (orders and cancellations)",
        "ns",
        "instructions",
    );
    for (zones, limit, what) in [
        (1, 100.0, "1 zone (the budget is a bare book's)"),
        (8, 350.0, "8 zones, charges, reservations, events"),
    ] {
        let script = Script::new(zones, &steps);
        println!("zones: {zones}; the market makes {}", script.tally);
        if zones == 1 {
            assert_eq!(script.tally, expected, "the market trades as a plain book does");
        }
        let least = script.least(effort.pick(5, 1));
        let nanos = nanos_each(least, count(steps.len()));
        let counted = instructions(zones, effort.pick(200_000, 50_000));
        let budget = counted
            .map(|counted| Budget { said: format!("<= {limit} instructions"), is_met: counted <= limit });
        let counted = counted.map_or("no valgrind".to_owned(), |counted| format!("{counted:.0}"));
        table.row(what, format!("{nanos:.0}"), counted, budget);
    }
    table.print();
}

/// A market before the first order, and everything that will be asked of it.
struct Script {
    market: Market,
    asks: Vec<Ask>,
    tally: Tally,
}

/// A request, short enough that a million of them do not crowd the caches.
#[derive(Clone, Copy)]
struct Ask {
    index: LeafIndex,
    key: PublicKey,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Place(NewOrder),
    Cancel(OrderId),
}

impl Script {
    /// Plays a flow once, to learn the names that orders get.
    ///
    /// In each zone one participant places all bids and another all offers: their own orders never meet.
    fn new(zones: u16, steps: &[Step]) -> Script {
        let config = config(zones);
        let slot = Slot(Slot::at(START).0 + 48);
        let mut script = Script { market: founded(&config), asks: Vec::new(), tally: Tally::default() };
        let mut market = script.market.clone();
        let (mut names, mut numbers) = (vec![], BTreeMap::new());
        let mut index = LeafIndex(1_000);
        let mut events = Vec::new();
        for step in steps {
            let ask = match *step {
                Step::Place { way, price_ticks, quantity } => {
                    let name = OrderId { index, position: 0 };
                    let zone =
                        ZoneId(u16::try_from(names.len() % usize::from(zones)).expect("zones are few"));
                    let (side, charges) = match way {
                        // A bid is all-in, so that it must also cover what the way to it costs at least.
                        Way::Buy => (Side::Bid, config.zones[0].base_wheeling.plus(config.market_fee)),
                        Way::Sell => (Side::Offer, Price::ZERO),
                    };
                    names.push((name, zone, side));
                    numbers.insert(name, names.len());
                    let limit = Price(price_ticks * TICK).plus(charges);
                    let order = NewOrder::resting(side, slot, limit, Energy(quantity));
                    Ask { index, key: owner(zone, side), what: What::Place(order) }
                }
                Step::Cancel { order } => {
                    let (name, zone, side) = names[order - 1];
                    Ask { index, key: owner(zone, side), what: What::Cancel(name) }
                }
            };
            let (stamp, request) = ask.request();
            events.clear();
            // OK because: with charges between zones other orders trade, and one that is gone cannot be
            // cancelled.
            let outcome = market.apply(stamp, &request, &mut events);
            assert!(zones > 1 || is_done(&outcome), "{outcome:?}");
            for event in &events {
                if let Event::TradeMade(trade) = event {
                    let (bid, offer) = (numbers[&trade.bid], numbers[&trade.offer]);
                    script.tally.count(bid.min(offer), bid.max(offer), trade.price.0 / TICK, trade.energy.0);
                }
            }
            script.asks.push(ask);
            index.0 += 1 + events.len() as u64;
        }
        script
    }

    /// Plays it again on markets without orders, and returns how long the market took, each chunk at its
    /// fastest.
    fn least(&self, passes: u32) -> Duration {
        let play = |_| {
            let mut market = self.market.clone();
            let chunks = self.asks.chunks(CHUNK);
            chunks.map(|chunk| apply_all(&mut market, &requests(chunk))).collect::<Vec<Duration>>()
        };
        let faster = |one: Vec<Duration>, other: Vec<Duration>| {
            one.into_iter().zip(other).map(|(one, other)| one.min(other)).collect()
        };
        (0..passes).map(play).reduce(faster).into_iter().flatten().sum()
    }
}

impl Ask {
    fn request(&self) -> (Stamp, Request) {
        let at = Timestamp(START.0 + self.index.0);
        let command = match self.what {
            What::Place(order) => Command::PlaceOrders(Schedule { orders: vec![order], all_or_none: false }),
            What::Cancel(order) => Command::CancelOrder(order),
        };
        let expires_at = Timestamp(u64::MAX);
        let request = Request { key: self.key, nonce: at.0, expires_at, command };
        (Stamp { at, index: self.index }, request)
    }
}

fn requests(asks: &[Ask]) -> Vec<(Stamp, Request)> {
    asks.iter().map(Ask::request).collect()
}

/// What is timed.
fn apply_all(market: &mut Market, requests: &[(Stamp, Request)]) -> Duration {
    timed(|| apply_counted(market, requests)).0
}

/// What is counted: valgrind knows it by its name.
#[inline(never)]
fn apply_counted(market: &mut Market, requests: &[(Stamp, Request)]) {
    let mut events = Vec::new();
    for (stamp, request) in requests {
        events.clear();
        black_box(market.apply(*stamp, request, &mut events));
    }
}

/// The same where nothing is counted.
fn apply_uncounted(market: &mut Market, requests: &[(Stamp, Request)]) {
    for (stamp, request) in requests {
        black_box(market.apply(*stamp, request, &mut Vec::new()));
    }
}

/// Returns how many instructions a command takes in the second half of a flow; none without valgrind.
fn instructions(zones: u16, len: u32) -> Option<f64> {
    let program = std::env::current_exe().ok()?;
    let counted = Process::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*apply_counted*"])
        .arg(program)
        .env(COUNTED, format!("{zones} {len}"))
        .output()
        .ok()?;
    let said = String::from_utf8(counted.stderr).ok()?;
    let number = said.lines().find_map(|line| line.split_once("Collected : "))?.1;
    Some(number.trim().parse::<f64>().ok()? / f64::from(len / 2))
}

/// Plays the first half of a flow uncounted and the second half counted.
fn run_counted(asked: &str) {
    let numbers: Vec<u32> = asked.split(' ').filter_map(|number| number.parse().ok()).collect();
    let [zones, len] = numbers[..] else { panic!("{COUNTED}={asked}: not two numbers") };
    let script = Script::new(u16::try_from(zones).expect("zones are few"), &flow::make(len).0);
    let mut market = script.market.clone();
    let (first, second) = script.asks.split_at(script.asks.len() / 2);
    first.chunks(CHUNK).for_each(|chunk| apply_uncounted(&mut market, &requests(chunk)));
    second.chunks(CHUNK).for_each(|chunk| apply_counted(&mut market, &requests(chunk)));
}

fn is_done(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Placed(answers) => answers.iter().all(Result::is_ok),
        outcome => matches!(outcome, Outcome::Cancelled(_)),
    }
}

fn count(len: usize) -> u32 {
    u32::try_from(len).expect("a flow is shorter than 2^32")
}
