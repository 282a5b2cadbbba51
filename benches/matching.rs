//! How fast the market matches: a flow of orders and cancellations, driven through the bare book and through
//! the whole engine.
//!
//! - Bare book: finding the best price, trading, resting, cancelling; every order has its own owner, and the
//!   order's place in the book is handed back for its cancellation. Excluded are ids, checks, money and
//!   events.
//! - Whole engine: `Market::apply`, and so the key, its nonce and expiry, every check, reservations, the way
//!   between zones and its room, the book, events and the outcome.
//!
//! Excluded in both are signatures, parsing, leaves and the disk, and the making of the requests.
//! Instructions are counted by valgrind where it is installed, over the second half of a flow, when everything
//! is warm; times are those of the fastest of a few passes. In both is the loop that takes one command after the
//! other; what it takes without the calls is counted apart, and printed.
//!
//! `FLOW=FILE cargo bench --bench matching` takes the flow from a file instead of making one. Plain books say
//! what must come of it.

mod flow;
mod market;
mod measure;
mod resting;
mod script;

use std::{process::Command as Process, time::Duration};

use flow::Flow;
use measure::{Budget, Effort, Table, nanos_each};
use script::{Bare, Part, Whole};

/// Asks a run under valgrind for its part: what, with or without the calls, of a flow over how many products, and how
/// long.
const COUNTED: &str = "PARKWATT_BENCH_COUNTED";

/// What a flow is driven through.
#[derive(Clone, Copy)]
enum Subject {
    BareBook,
    /// The whole engine, with so many zones.
    Market(u16),
}

fn main() {
    if let Ok(asked) = std::env::var(COUNTED) {
        return run_counted(&asked);
    }
    let effort = Effort::from_args();
    let mut table = Table::new("Matching, for each command (orders and cancellations)", "ns", "instructions");
    let products: &[u16] = if std::env::var_os("FLOW").is_some() { &[0] } else { &[1, 96] };
    for &products in products {
        let flow = flow(effort.pick(1_000_000, 50_000), products);
        let len = flow.steps.len();
        println!("flow: {len} commands, products: {}; plain books make {}", flow.products, flow.expected);
        for (subject, what, limit) in [
            (Subject::BareBook, "bare book", Some(100.0)),
            (Subject::Market(1), "whole engine, 1 zone, no charges", None),
            (Subject::Market(8), "whole engine, 8 zones, charges, capacities", Some(350.0)),
        ] {
            let nanos = nanos_each(least(subject, &flow, effort.pick(5, 1)), count(len));
            let counted_len = effort.pick(200_000, 50_000);
            let [counted, of_loop] =
                [Part::All, Part::Loop].map(|part| instructions(subject, part, flow.products, counted_len));
            if let Some(of_loop) = of_loop {
                println!("  {what}: the loop alone takes {of_loop:.0} instructions a command");
            }
            let budget = limit.zip(counted).map(|(limit, counted)| Budget {
                said: format!("<= {limit} instructions"),
                is_met: counted <= limit,
            });
            let counted = counted.map_or("no valgrind".to_owned(), |counted| format!("{counted:.0}"));
            let what = format!("{what}, products: {}", flow.products);
            table.row(&what, format!("{nanos:.0}"), counted, budget);
        }
    }
    table.print();

    let mut table = Table::new("Memory of a resting order", "bytes", "orders");
    for (what, slots) in [("in one slot, zones: 8", 1), ("over a day of 96 slots, zones: 8", 96)] {
        let len = effort.pick(1_000_000, 100_000);
        let bytes = resting::bytes_each(len, slots);
        let budget = Budget { said: "<= 64 bytes".to_owned(), is_met: bytes <= 64.0 };
        table.row(what, format!("{bytes:.0}"), len.to_string(), Some(budget));
    }
    table.print();
}

/// Returns the flow of the file that is asked for, or one that is made.
fn flow(len: u32, products: u16) -> Flow {
    match std::env::var_os("FLOW") {
        Some(file) => Flow::read(&std::fs::read_to_string(file).expect("FLOW is a file that can be read")),
        None => Flow::make(len, products),
    }
}

/// Plays a flow once to see that what must come of it does, and then returns the least time of many passes.
fn least(subject: Subject, flow: &Flow, passes: u32) -> Duration {
    match subject {
        Subject::BareBook => {
            let made = Bare::tally(flow);
            println!("  bare book: {made}");
            assert_eq!(made, flow.expected, "the book trades as plain books do");
            (0..passes).map(|_| Bare::play(flow)).min().expect("there is a pass")
        }
        Subject::Market(zones) => {
            let script = Whole::new(zones, flow);
            println!("  whole engine, zones: {zones}: {}", script.tally);
            if zones == 1 {
                assert_eq!(script.tally, flow.expected, "the market trades as plain books do");
            }
            script.least(passes)
        }
    }
}

/// Returns how many instructions a command takes in the second half of a flow; none without valgrind.
fn instructions(subject: Subject, part: Part, products: u16, len: u32) -> Option<f64> {
    let program = std::env::current_exe().ok()?;
    let zones = match subject {
        Subject::BareBook => 0,
        Subject::Market(zones) => zones,
    };
    let counted = Process::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--toggle-collect=*play_counted*", "--toggle-collect=*loop_counted*"])
        .arg(program)
        .env(COUNTED, format!("{zones} {} {products} {len}", part as u8))
        .output()
        .ok()?;
    let said = String::from_utf8(counted.stderr).ok()?;
    let number = said.lines().find_map(|line| line.split_once("Collected : "))?.1;
    Some(number.trim().parse::<f64>().ok()? / f64::from(len - len / 2))
}

/// Plays the first half of a flow uncounted and the second half counted.
fn run_counted(asked: &str) {
    let numbers: Vec<u32> = asked.split(' ').filter_map(|number| number.parse().ok()).collect();
    let [zones, part, products, len] = numbers[..] else { panic!("{COUNTED}={asked}: not four numbers") };
    let small = |number| u16::try_from(number).expect("zones and products are few");
    let part = if part == Part::All as u32 { Part::All } else { Part::Loop };
    let mut flow = flow(len, small(products));
    flow.steps.truncate(len as usize);
    match small(zones) {
        0 => Bare::play_halves(&flow, part),
        zones => Whole::new(zones, &flow).play_halves(part),
    }
}

fn count(len: usize) -> u32 {
    u32::try_from(len).expect("a flow is shorter than 2^32")
}
