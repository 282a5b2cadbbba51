//! Scenarios: what people ask of a market, line by line, and what it answers.
//!
//! ```text
//! zone east under hub up 0.05 down 0.05        before the first command: the market
//! cast eve producer in east                    enrolled, with 1000 yuan and a plant of 400 kW
//!
//! # a-title-that-states-the-fact               begins a scenario with a fresh market
//! time -24:00                                  hours before delivery begins
//! a: offer eve 25 kWh at 1.00 -> accepted      an order with a label
//! ```
//!
//! Lines before the first title stand before each of the file's scenarios. What arranges the market is done
//! first, wherever it stands. Of the words that a line can begin with [`World::run`] has the list.

mod arranging;
mod asking;
mod holding;
mod telling;

use std::collections::{BTreeMap, BTreeSet};

use arranging::ARRANGING;
pub use arranging::config;
use parkwatt_engine::*;

use crate::twin::machine::Machine;
use crate::words::{self, Words};

/// The slot that scenarios are about.
const SLOT: Slot = Slot(40_000);
/// Who founded the market.
const FOUNDER: &str = "founder";

/// Runs every scenario of a file on a machine, `laws` after each line, and returns the codes of the
/// rejections that occurred.
///
/// # Panics
/// At the first line that is answered otherwise than it says.
pub fn check<M: Machine>(file: &str, mut laws: impl FnMut(&M)) -> BTreeSet<&'static str> {
    let (header, scenarios) = file.split_once("\n# ").expect("a file has a scenario");
    let mut codes = BTreeSet::new();
    for scenario in scenarios.split("\n# ") {
        let (title, lines) = scenario.split_once('\n').expect("a title has lines below it");
        let lines = header.lines().chain(lines.lines()).map(str::trim).filter(|line| !line.is_empty());
        let (arranging, asking): (Vec<&str>, Vec<&str>) =
            lines.partition(|line| ARRANGING.contains(&Words::new(line).next()));
        let mut world = World::<M>::new();
        for line in arranging.into_iter().chain(asking) {
            let (asked, expected) = line.split_once("->").unwrap_or((line, ""));
            let answer = world.run(asked.trim());
            assert_eq!(answer, expected.trim(), "\nin `{title}`, at `{}`", asked.trim());
            world.market.iter().for_each(&mut laws);
        }
        codes.append(&mut world.codes);
    }
    codes
}

/// A market, and what its people know by name.
struct World<M> {
    config: MarketConfig,
    market: Option<M>,
    now: Timestamp,
    next_index: u64,
    nonces: BTreeMap<PublicKey, u64>,
    labels: BTreeMap<String, OrderId>,
    last_order: Option<OrderId>,
    trades: Vec<Trade>,
    /// What was said last of each trade.
    delivered: BTreeMap<TradeId, String>,
    /// What was metered, and which money was moved, by the last command, or by time behind it.
    metered: Vec<String>,
    moved: Vec<String>,
    clearing: Option<Clearing>,
    codes: BTreeSet<&'static str>,
}

/// What of a request a line says itself.
#[derive(Clone, Copy, Default)]
struct Signing {
    key: Option<PublicKey>,
    nonce: Option<u64>,
    expires_at: Option<Timestamp>,
}

impl<M: Machine> World<M> {
    fn new() -> World<M> {
        World {
            config: config(),
            market: None,
            now: at(-36 * 3600),
            next_index: 0,
            nonces: BTreeMap::new(),
            labels: BTreeMap::new(),
            last_order: None,
            trades: Vec::new(),
            delivered: BTreeMap::new(),
            metered: Vec::new(),
            moved: Vec::new(),
            clearing: None,
            codes: BTreeSet::new(),
        }
    }

    /// Does what a line asks, and returns the answer; nothing where the line only arranges things.
    fn run(&mut self, line: &str) -> String {
        let (label, line) = line.split_once(": ").map_or((None, line), |(label, line)| (Some(label), line));
        let mut words = Words::new(line);
        let signing = Signing::of(&mut words);
        let answer = match words.next() {
            word if ARRANGING.contains(&word) => self.arrange(word, &mut words),
            "time" => self.pass_time(words.seconds()),
            "cast" => self.cast(&mut words),
            "enrol" => self.enrol(signing, &mut words),
            "rotate" => self.rotate(signing, &mut words),
            "deposit" => self.deposit(signing, &mut words),
            "pay-out" => self.pay_out(signing, &mut words),
            "publish" => self.publish(signing, &mut words),
            side @ ("bid" | "offer") => self.place(signing, label, side, &mut words),
            "schedule" => self.place_schedule(signing, line, &mut words),
            "cancel" => self.cancel(signing, &mut words),
            "cancel-all" => self.cancel_all(signing, &mut words),
            "replace" => self.replace(signing, &mut words),
            "read" => self.read(signing, &mut words),
            "retire" => self.retire(signing, &mut words),
            "transfer" => self.transfer(signing, &mut words),
            "bundle" => self.bundle(signing, &mut words),
            "withdraw" => self.withdraw(signing, &mut words),
            "certificates" => self.certificates(&mut words),
            "trades" => self.trades.iter().map(|trade| self.describe(trade)).collect::<Vec<_>>().join(", "),
            "versions" => {
                let versions = self.trades.iter().map(|trade| trade.tariff_version.to_string());
                versions.collect::<Vec<_>>().join(", ")
            }
            "delivered" => self.delivered.values().cloned().collect::<Vec<_>>().join(", "),
            "metered" => self.metered.join(", "),
            "moved" => self.moved.join(", "),
            "held" => words::energy(self.market().held(self.id(words.next()), SLOT)),
            "prices" => words::prices(&self.clearing().prices),
            "rents" => words::prices(&self.clearing().rents),
            "passed-over" => self.passed_over(),
            "flow" => self.flow(&mut words),
            "indicative" => self.indicative(),
            "phase" => self.market().phase(asking::relative_slot(&mut words)).to_string(),
            "open" => self.open(&mut words),
            "balance" => words::worth(self.market().balance(self.account(words.next()))),
            "reserved" => words::worth(self.market().reserved(self.id(words.next()))),
            other => panic!("`{other}` is no word that a line begins with"),
        };
        words.end();
        answer
    }

    fn market(&self) -> &M {
        self.market.as_ref().expect("a market is asked once somebody is in it")
    }

    fn clearing(&self) -> &Clearing {
        self.clearing.as_ref().expect("an auction was held")
    }

    fn id(&self, name: &str) -> ParticipantId {
        self.market().by_name(name).unwrap_or_else(|| panic!("{name} is nobody"))
    }

    fn name(&self, id: ParticipantId) -> &str {
        self.market().name_of(id)
    }

    fn account(&self, name: &str) -> Account {
        match name {
            "supplier" => Account::Supplier,
            "network" => Account::Network,
            "congestion" => Account::Congestion,
            "market" => Account::Market,
            "bank" => Account::Bank,
            "rounding" => Account::Rounding,
            name => Account::Participant(self.id(name)),
        }
    }

    fn zone(&self, name: &str) -> ZoneId {
        let place = self.config.zones.iter().position(|zone| zone.name == name).unwrap_or(999);
        ZoneId(u16::try_from(place).expect("a few zones"))
    }

    // What lets time pass and commands come.

    fn pass_time(&mut self, seconds: i64) -> String {
        assert!(at(seconds) > self.now, "time goes on");
        self.now = at(seconds);
        self.moved.clear();
        self.tick()
    }

    fn tick(&mut self) -> String {
        let stamp = self.stamp();
        let market = self.market.as_mut().expect("time passes once somebody is in the market");
        let events = market.tick(stamp);
        assert!(market.next_due().is_none_or(|due| due > stamp.at), "what is due happens");
        self.note(&events)
    }

    fn stamp(&self) -> Stamp {
        Stamp { at: self.now, index: LeafIndex(self.next_index) }
    }

    /// Signs and sends a command, and returns the outcome, with what followed from it in words.
    fn send(&mut self, signing: Signing, by: &str, command: Command) -> (Outcome, String) {
        if self.market.is_none() {
            self.market = Some(M::found(self.config.clone()));
        }
        self.now = Timestamp(self.now.0 + 1);
        self.tick();
        let key = signing.key.unwrap_or(key(by));
        let nonce = self.nonces.entry(key).or_default();
        *nonce = signing.nonce.unwrap_or(*nonce + 1);
        let expires_at = signing.expires_at.unwrap_or(Timestamp(u64::MAX));
        let request = Request { key, nonce: *nonce, expires_at, command };
        let stamp = self.stamp();
        let (outcome, events) = self.market.as_mut().expect("founded above").apply(stamp, &request);
        self.metered.clear();
        self.moved.clear();
        let noted = self.note(&events);
        (outcome, noted)
    }

    /// Signs and sends a command, and returns the answer.
    fn ask(&mut self, signing: Signing, by: &str, command: Command) -> String {
        let (outcome, noted) = self.send(signing, by, command);
        let outcome = self.describe_outcome(outcome);
        if noted.is_empty() { outcome } else { format!("{outcome}, {noted}") }
    }
}

impl Signing {
    /// Takes `as eve`, `nonce 5` and `expires -30:00`.
    fn of(words: &mut Words) -> Signing {
        let key = words.after("as").map(key);
        let nonce = words.skip("nonce").then(|| words.number());
        let expires_at = words.skip("expires").then(|| at(words.seconds()));
        Signing { key, nonce, expires_at }
    }
}

/// Returns the moment so long after delivery begins, or before it.
fn at(seconds: i64) -> Timestamp {
    let micros = seconds * i64::try_from(MICROS_PER_SECOND).expect("a million");
    Timestamp(SLOT.start().0.checked_add_signed(micros).expect("a moment nearby"))
}

fn key(name: &str) -> PublicKey {
    let mut key = [b' '; 32];
    for (place, byte) in key.iter_mut().zip(name.bytes()) {
        *place = byte;
    }
    key
}

fn meter_key(name: &str) -> PublicKey {
    key(&format!("{name} meter"))
}
