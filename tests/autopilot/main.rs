//! The autopilot as an owner runs it: the real command against a real node, over a simulated day, killed and
//! started again, cut off in the middle of every call, the node killed as well. Whatever happens, no more is
//! offered for a slot than the forecast less what the owner keeps.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod line;
#[path = "../machine/mod.rs"]
mod machine;
#[path = "../node/mod.rs"]
mod node;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
};

use line::Line;
use machine::Machine;
use node::{Node, Place};
use parkwatt_client::Connection;

/// Midnight in Shanghai.
const MIDNIGHT: &str = "2026-05-31T16:00:00Z";
/// The slot that begins then.
const FIRST: u32 = 1_978_048;
/// The slot that begins at noon.
const NOON: u32 = FIRST + 48;
const MICROS_PER_SLOT: u64 = 900_000_000;
/// What an owner says to his autopilot, but for the forecast.
const WISHES: [&str; 11] = [
    "--floor",
    "0.40",
    "--ask",
    "0.48",
    "--step",
    "0.02",
    "--lower-over",
    "2h",
    "--keep",
    "30",
    "--every=1ms",
];

/// An owner with his autopilot, and a factory that buys, in one market.
struct Park {
    place: Place,
    node: Node,
    roof: Machine,
    mill: Machine,
    /// What may be sold of each slot: the forecast, less 30 %, in lots of 100 Wh.
    for_sale: BTreeMap<u32, u64>,
}

impl Park {
    fn new() -> Park {
        let place = Place::with_config("[market]\nlot_wh = 100\n", &["--simulated-from", MIDNIGHT]);
        let node = place.start();
        let (roof, mill) = (Machine::new(&node), Machine::new(&node));
        let operator = place.operator_key().display().to_string();
        for machine in [&roof, &mill] {
            machine.says(&["key", "new"]);
        }
        roof.says(&["enrol", "--name", "roof", "--pv", "8kW", "--operator-key", &operator]);
        let mill_is = ["--roles", "consumer", "--connection", "500kW", "--credit", "5000"];
        mill.says(&[&["enrol", "--name", "mill", "--operator-key", &operator], &mill_is[..]].concat());
        Park { place, node, roof, mill, for_sale: BTreeMap::new() }
    }

    fn forecast_file(&self) -> String {
        self.roof.home.path().join("forecast.csv").display().to_string()
    }

    /// Writes a forecast.
    fn expect(&mut self, energies: impl IntoIterator<Item = (u32, u64)>) {
        let mut text = "time,wh\n".to_owned();
        self.for_sale.clear();
        for (slot, wh) in energies {
            let begin = (slot - FIRST) * 15;
            writeln!(text, "2026-06-01 {:02}:{:02},{wh}", begin / 60, begin % 60).unwrap();
            self.for_sale.insert(slot, wh * 7 / 1_000 * 100);
        }
        fs::write(self.forecast_file(), text).unwrap();
    }

    fn autopilot(&self, further: &[&str]) -> Child {
        Command::new(machine::parkwatt())
            .args(["autopilot", "--forecast", &self.forecast_file()])
            .args(WISHES)
            .args(further)
            .env("HOME", self.roof.home.path())
            .env("TZ", "Asia/Shanghai")
            .env("LC_ALL", "C")
            .env("PARKWATT_NODE", self.node.url())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Lets the autopilot look once, which must succeed.
    #[track_caller]
    fn look(&self) {
        let output = self.autopilot(&["--once"]).wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Returns what the owner has sold and what waits of him, slot by slot.
    fn standing(&self) -> BTreeMap<u32, [u64; 2]> {
        let mut slots: BTreeMap<u32, [u64; 2]> = BTreeMap::new();
        let orders = self.roof.json(&["orders", "--count", "1000"]);
        let orders = orders["orders"].as_array().unwrap();
        assert!(orders.len() < 1_000);
        for order in orders {
            let number = |name: &str| order[name].as_u64().unwrap();
            let standing = slots.entry(u32::try_from(number("slot")).unwrap()).or_default();
            standing[0] += number("traded_wh");
            if order["state"] == "open" {
                standing[1] += number("energy_wh") - number("traded_wh");
            }
        }
        slots
    }

    /// Checks that nowhere is more offered than may be sold; what is sold already may be more, where the
    /// forecast fell.
    #[track_caller]
    fn check_not_too_much(&self, when: &str) {
        for (slot, [sold, open]) in self.standing() {
            let most = self.for_sale.get(&slot).copied().unwrap_or_default();
            assert!(open == 0 || sold + open <= most, "{when}: slot {slot}: {sold} + {open} of {most} Wh");
        }
    }

    /// Checks that from this slot on all is offered that may be sold.
    #[track_caller]
    fn check_all_is_offered(&self, from: u32, when: &str) {
        let standing = self.standing();
        for (slot, most) in self.for_sale.range(from..) {
            let [sold, open] = standing.get(slot).copied().unwrap_or_default();
            assert_eq!(sold + open, sold.max(*most), "{when}: slot {slot}");
        }
    }

    fn buy(&self, slot: u32, energy: &str) -> u64 {
        let begin = (slot - FIRST) * 15;
        let at = format!("2026-06-01 {:02}:{:02}", begin / 60, begin % 60);
        let bought = self.mill.json(&["buy", energy, "--at", &at, "--price", "0.60", "--immediate"]);
        bought["orders"][0]["traded_wh"].as_u64().unwrap()
    }

    async fn advance_to(&self, slot: u32) {
        let connection = Connection::open(&self.node.url()).await.unwrap();
        connection.advance_to("", u64::from(slot) * MICROS_PER_SLOT).await.unwrap();
    }
}

/// What an autopilot says that goes on.
fn lines(autopilot: &mut Child) -> Lines<BufReader<ChildStdout>> {
    BufReader::new(autopilot.stdout.take().unwrap()).lines()
}

/// Reads until an autopilot has looked so many times.
fn looks(said: &mut Lines<BufReader<ChildStdout>>, count: usize) {
    let looked = |line: &String| line.contains(" for sale in ");
    let seen = said.map(Result::unwrap).filter(looked).take(count).count();
    assert_eq!(seen, count, "the autopilot has ended");
}

fn end(mut autopilot: Child) {
    autopilot.kill().unwrap();
    autopilot.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_day_no_more_is_offered_than_the_forecast_less_what_is_kept() {
    let mut park = Park::new();
    // Ten to one o'clock; the forecast falls and rises again in the course of the morning.
    let slots = NOON - 8..NOON + 4;
    let forecast = |step: u32| {
        let weather = [100, 100, 60, 110, 90][step as usize / 6 % 5];
        (NOON - 8..NOON + 4)
            .map(move |slot| (slot, u64::from((1_500 + (slot + 8 - NOON) * 90) * weather / 100)))
    };
    let mut bought = 0;
    for (step, now) in (NOON - 24..NOON + 2).enumerate() {
        let step = u32::try_from(step).unwrap();
        park.advance_to(now).await;
        park.expect(forecast(step));
        // The first slot whose gate is open; at its own beginning and in the quarter hour before it is not.
        let tradable = (now + 2).max(slots.start);
        let when = format!("step {step}");
        match step % 4 {
            0 => park.look(),
            1 => {
                // Killed and started again.
                for count in [1, 2] {
                    let mut autopilot = park.autopilot(&[]);
                    looks(&mut lines(&mut autopilot), count);
                    end(autopilot);
                }
            }
            2 => {
                // The node is killed under it, and comes back.
                let mut autopilot = park.autopilot(&[]);
                let mut said = lines(&mut autopilot);
                looks(&mut said, 1);
                let address = park.node.address;
                park.node.kill();
                park.node = park.place.start_at(address);
                looks(&mut said, 3);
                end(autopilot);
            }
            _ => {
                // Two at once.
                let pair = [park.autopilot(&["--once"]), park.autopilot(&["--once"])];
                for autopilot in pair {
                    let output = autopilot.wait_with_output().unwrap();
                    let said = String::from_utf8_lossy(&output.stderr).into_owned();
                    assert!(output.status.success() || said.contains("R15"), "{said}");
                }
            }
        }
        park.check_not_too_much(&when);
        if slots.contains(&tradable) {
            bought += park.buy(tradable, "0.3kWh");
            bought += park.buy(tradable.max(slots.end - 1 - step % 3), "0.1kWh");
            park.check_not_too_much(&when);
        }
        park.look();
        park.check_not_too_much(&when);
        park.check_all_is_offered(tradable, &when);
    }
    let standing = park.standing();
    let sold: u64 = standing.values().map(|[sold, _]| sold).sum();
    assert!(bought > 5_000 && sold == bought, "{sold} {bought}");
    // Nothing stands any more whose gate has closed.
    assert!(standing.range(..NOON + 2).all(|(_, [_, open])| *open == 0));
}

#[test]
fn cut_off_at_any_point_and_heard_late_it_offers_nothing_twice() {
    let mut park = Park::new();
    let (mut requests, mut refused_late) = (0, 0);
    loop {
        // Each time there is more to be offered: 100 Wh, and 143 Wh of forecast.
        let wh = 143 * (u64::try_from(requests).unwrap() + 1);
        park.expect((NOON..NOON + 4).map(|slot| (slot, wh)));
        let line = Line::to(park.node.address, requests);
        let url = format!("http://{}", line.address);
        let mut autopilot = park.autopilot(&["--once", "--node", &url]);
        if let Some(status) = line.stopped(&mut autopilot) {
            assert!(status.success());
            break;
        }
        end(autopilot);
        let when = format!("cut off behind {requests} requests");
        park.check_not_too_much(&when);
        park.look();
        park.check_all_is_offered(NOON, &when);
        if requests % 3 == 0 {
            assert_eq!(park.buy(NOON + 1, "0.1kWh"), 100);
        }
        // What the first one had on its way arrives now.
        let answer = line.go_on();
        refused_late += usize::from(answer.windows(15).any(|part| part == b"NONCE_MUST_RISE"));
        park.check_not_too_much(&when);
        park.check_all_is_offered(NOON, &when);
        requests += 1;
        assert!(requests < 20, "an autopilot has little to say");
    }
    // The offer was on its way once, and came behind the fence of the next one.
    assert!(requests > 6 && refused_late > 0, "{requests} requests, of them {refused_late} refused");
}

#[test]
fn an_offer_that_comes_late_between_a_look_and_its_offer_is_refused() {
    let mut park = Park::new();
    park.expect([(NOON, 1_430)]);
    // The offer is the seventh request: behind the market, orders, statement, the fence, orders, statement.
    let [first, second] = [(); 2].map(|()| {
        let line = Line::to(park.node.address, 6);
        let mut autopilot = park.autopilot(&["--once", "--node", &format!("http://{}", line.address)]);
        assert_eq!(line.stopped(&mut autopilot), None);
        (line, autopilot)
    });
    end(first.1);
    // The second one has looked and seen nothing. Without its fence both offers would be taken.
    let late = first.0.go_on();
    assert!(late.windows(15).any(|part| part == b"NONCE_MUST_RISE"), "{}", String::from_utf8_lossy(&late));
    assert!(park.standing().is_empty());
    second.0.go_on();
    end(second.1);
    park.check_not_too_much("after both");
    park.check_all_is_offered(NOON, "after both");
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let mut park = Park::new();
    park.expect([(NOON, 2_000), (NOON + 1, 2_000)]);
    let file = park.forecast_file();
    let wishes = ["autopilot", "--forecast", &file, "--floor", "0.40", "--keep", "30"];
    let once = ["--once", "--dry-run"];
    let said = park.roof.says(&[&wishes[..], &once].concat());
    assert!(said.contains("This would be done; nothing was.") && said.contains("2026-06-01 12:15"), "{said}");
    assert!(said.contains("of 2.8 kWh for sale in 2 quarter hours, 0 kWh wait"), "{said}");
    assert!(park.standing().is_empty());
    let done = park.roof.json(&[&wishes[..], &["--once"]].concat());
    assert_eq!((&done["open_wh"], done["steps"].as_array().unwrap().len()), (&2_800.into(), 2));

    let sun = ["autopilot", "--latitude", "31.2", "--longitude", "121.5", "--peak", "8kW", "--floor", "0.40"];
    let planned = park.roof.json(&[&sun[..], &once].concat());
    assert!(planned["steps"].as_array().unwrap().len() > 80, "two days of sun");
    let said = park.roof.fails(&[&sun[..], &once, &["--ask", "0.40005"]].concat(), 2);
    assert!(said.contains("--ask") && said.contains("Choose a multiple of 0.0001 yuan/kWh"), "{said}");
    fs::write(&file, "time,kwh\n2026-06-01 12:00,much\n").unwrap();
    let said = park.roof.fails(&[&wishes[..], &once].concat(), 5);
    assert!(said.contains("line 2") && said.contains("\"much\""), "{said}");
}
