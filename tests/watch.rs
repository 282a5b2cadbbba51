//! The live view of a real market, drawn into memory.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod machine;
mod node;
#[path = "machine/terminal.rs"]
mod terminal;

use machine::Machine;
use node::Place;
use terminal::Terminal;

/// Eleven o'clock in Shanghai.
const NOW: &str = "2026-06-01T03:00:00Z";

/// Returns what stands in one of the four frames of a picture, line by line, without its edges.
fn frame(picture: &str, title: &str) -> Vec<String> {
    let mut lines = picture.lines().skip_while(|line| !line.contains(title));
    let heading = lines.next().unwrap();
    let is_left = !heading[..heading.find(title).unwrap()].contains('┐');
    let part = |line: &str| {
        let mut parts = line.split('│').filter(|part| !part.is_empty());
        if is_left { parts.next() } else { parts.nth(1) }.map(|part| part.trim().to_owned())
    };
    lines.take_while(|line| line.starts_with('│')).filter_map(part).filter(|part| !part.is_empty()).collect()
}

#[test]
fn a_picture_shows_the_book_the_prices_the_own_orders_and_trades_of_a_real_market() {
    let place = Place::new(&["--simulated-from", NOW]);
    let node = place.start();
    let (roof, mill, visitor) = (Machine::new(&node), Machine::new(&node), Machine::new(&node));
    let operator = place.operator_key().display().to_string();
    for (machine, name) in [(&roof, "roof"), (&mill, "mill")] {
        machine.says(&["key", "new"]);
        let enrol = ["enrol", "--name", name, "--pv", "8kW", "--credit", "1000", "--operator-key", &operator];
        machine.says(&enrol);
    }
    let watch = ["watch", "--once", "--at", "12:00", "--columns", "100", "--rows", "24"];
    let picture = roof.says(&watch);
    assert!(picture.starts_with(
        "park  delivery 2026-06-01 12:00  continuous    now 2026-06-01 11:00 (Asia/Shanghai)\n"
    ));
    assert_eq!(frame(&picture, "Book"), ["The book is empty."]);
    assert_eq!(frame(&picture, "The day's prices"), ["Nothing has traded on this day."]);

    roof.says(&["sell", "1kWh", "--at", "12:00-12:30", "--price", "0.45"]);
    roof.says(&["sell", "0.5kWh", "--at", "12:00", "--price", "0.47"]);
    mill.says(&["buy", "0.4kWh", "--at", "12:00", "--price", "0.60"]);
    mill.says(&["buy", "0.8kWh", "--at", "12:15", "--price", "0.60"]);
    mill.says(&["buy", "2kWh", "--at", "12:00", "--price", "0.40"]);
    let picture = roof.says(&watch);
    let words = |title: &str| -> Vec<String> {
        frame(&picture, title)
            .iter()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    };
    // The best offer stands lowest, above the best bid; the highest bar is where most traded.
    assert_eq!(
        words("Book"),
        [
            "side zone yuan/kWh energy",
            "offer park 0.47 0.5 kWh",
            "offer park 0.45 0.6 kWh",
            "bid park 0.40 2 kWh",
        ]
    );
    assert_eq!(
        words("The day's prices"),
        ["time yuan/kWh traded", "12:00 0.45 0.4 kWh ██████", "12:15 0.45 0.8 kWh ████████████",]
    );
    assert_eq!(
        words("Your open orders"),
        [
            "delivery side yuan/kWh energy",
            "12:00 offer 0.47 0.5 kWh",
            "12:15 offer 0.45 0.2 kWh",
            "12:00 offer 0.45 0.6 kWh",
        ]
    );
    assert_eq!(
        words("Your trades"),
        ["delivery side yuan/kWh energy", "12:15 offer 0.45 0.8 kWh", "12:00 offer 0.45 0.4 kWh",]
    );

    // Who has no key sees what everybody sees; and a small screen is a small picture.
    let small = visitor.says(&["watch", "--once", "--at", "12:00", "--columns", "60", "--rows", "14"]);
    assert!(small.contains("0.47") && !small.contains("2026-06-01 12:15"), "{small}");
    assert!(small.lines().count() == 14 && small.lines().all(|line| line.chars().count() <= 60), "{small}");
    assert_eq!(frame(&small, "Your trades")[0], "Without a key only what");
    let said = roof.run(&["watch"]);
    assert_eq!(said.status.code(), Some(2));
    assert!(String::from_utf8(said.stderr).unwrap().contains("Use --once"));
}

#[test]
fn the_live_view_changes_as_orders_and_trades_come_and_not_when_a_clock_says_so() {
    let place = Place::new(&["--simulated-from", NOW]);
    let node = place.start();
    let (roof, mill) = (Machine::new(&node), Machine::new(&node));
    let operator = place.operator_key().display().to_string();
    for (machine, name) in [(&roof, "roof"), (&mill, "mill")] {
        machine.says(&["key", "new"]);
        let enrol = ["enrol", "--name", name, "--pv", "8kW", "--credit", "1000", "--operator-key", &operator];
        machine.says(&enrol);
    }
    // It would look by itself only when this test is long over.
    let mut view = Terminal::run(&roof, &["watch", "--at", "12:00", "--every", "10h"]);
    view.until(|screen| screen.contains("The book is empty.") && screen.contains("You have no trades."));
    mill.says(&["sell", "0.5kWh", "--at", "12:00", "--price", "0.47"]);
    view.until(|screen| screen.contains("0.47"));
    roof.says(&["buy", "0.2kWh", "--at", "12:00", "--price", "0.60"]);
    let screen = view.until(|screen| !screen.contains("You have no trades."));
    assert!(frame(&screen, "Your trades")[1].contains("0.2 kWh"), "{screen}");
    assert!(frame(&screen, "Book").concat().contains("0.3 kWh"), "{screen}");

    // Another quarter hour is followed as well.
    view.press("\u{1b}[C");
    view.until(|screen| screen.starts_with("park  delivery 2026-06-01 12:15"));
    mill.says(&["sell", "0.7kWh", "--at", "12:15", "--price", "0.49"]);
    view.until(|screen| screen.contains("0.49"));
    view.press("q");
    assert_eq!(view.code(), Some(0));
}
