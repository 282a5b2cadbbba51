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
//! Lines before the first title stand before each of the file's scenarios. Of the words that a line can begin
//! with [`World::run`] has the list. After each line the laws of `laws.rs` are checked.

mod telling;

use std::collections::{BTreeMap, BTreeSet};

use parkwatt_engine::*;

use crate::laws;
use crate::words::{self, Words};

/// The slot that scenarios are about.
const SLOT: Slot = Slot(40_000);
/// Who founded the market.
const FOUNDER: &str = "founder";

/// Runs every scenario of a file, and returns the codes of the rejections that occurred in it.
///
/// # Panics
/// At the first line that is answered otherwise than it says.
pub fn check(file: &str) -> BTreeSet<&'static str> {
    let (header, scenarios) = file.split_once("\n# ").expect("a file has a scenario");
    let mut codes = BTreeSet::new();
    for scenario in scenarios.split("\n# ") {
        let (title, lines) = scenario.split_once('\n').expect("a title has lines below it");
        let mut world = World::new();
        for line in header.lines().chain(lines.lines()).map(str::trim).filter(|line| !line.is_empty()) {
            let (asked, expected) = line.split_once("->").unwrap_or((line, ""));
            let answer = world.run(asked.trim());
            assert_eq!(answer, expected.trim(), "\nin `{title}`, at `{}`", asked.trim());
            if let Some(market) = &world.market {
                laws::check(market);
            }
        }
        codes.append(&mut world.codes);
    }
    codes
}

/// A market, and what its people know by name.
struct World {
    config: MarketConfig,
    market: Option<Market>,
    now: Timestamp,
    next_index: u64,
    nonces: BTreeMap<PublicKey, u64>,
    labels: BTreeMap<String, OrderId>,
    last_order: Option<OrderId>,
    trades: Vec<Trade>,
    delivered: Vec<String>,
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

impl World {
    fn new() -> World {
        World {
            config: config(),
            market: None,
            now: at(-36 * 3600),
            next_index: 0,
            nonces: BTreeMap::new(),
            labels: BTreeMap::new(),
            last_order: None,
            trades: Vec::new(),
            delivered: Vec::new(),
            clearing: None,
            codes: BTreeSet::new(),
        }
    }

    /// Does what a line asks, and returns the answer; nothing where the line only arranges things.
    fn run(&mut self, line: &str) -> String {
        let (label, line) = line.split_once(": ").map_or((None, line), |(label, line)| (Some(label), line));
        let mut words = Words::new(line);
        let mut signing = Signing::default();
        if let Some(name) = words.after("as") {
            signing.key = Some(key(name));
        }
        if words.skip("nonce") {
            signing.nonce = Some(words.number());
        }
        if words.skip("expires") {
            signing.expires_at = Some(at(words.seconds()));
        }
        let answer = match words.next() {
            "zone" => self.add_zone(&mut words),
            "fee" => self.arrange(|config| config.market_fee = words.price()),
            "lot" => self.arrange(|config| config.lot = words.energy()),
            "time" => self.pass_time(words.seconds()),
            "cast" => self.cast(&mut words),
            "enrol" => self.enrol(signing, &mut words),
            "deposit" => self.deposit(signing, &mut words),
            side @ ("bid" | "offer") => self.place(signing, label, side, &mut words),
            "schedule" => self.place_schedule(signing, line, &mut words),
            "cancel" => self.cancel(signing, &mut words),
            "read" => self.read(signing, &mut words),
            "retire" => self.retire(signing, &mut words),
            "trades" => self.trades.iter().map(|trade| self.describe(trade)).collect::<Vec<_>>().join(", "),
            "delivered" => self.delivered.join(", "),
            "held" => words::energy(self.market().certificates().held(self.id(words.next()), SLOT)),
            "prices" => self.prices(),
            "flow" => self.flow(&mut words),
            "open" => self.open(&mut words),
            "balance" => words::worth(self.market().accounts().balance(self.account(words.next())).worth()),
            "reserved" => words::worth(self.market().accounts().reserved(self.id(words.next()))),
            other => panic!("`{other}` is no word that a line begins with"),
        };
        words.end();
        answer
    }

    fn market(&self) -> &Market {
        self.market.as_ref().expect("a market is asked once somebody is in it")
    }

    fn id(&self, name: &str) -> ParticipantId {
        self.market().participants().by_name(name).unwrap_or_else(|| panic!("{name} is nobody"))
    }

    fn name(&self, id: ParticipantId) -> &str {
        &self.market().participants().get(id).new.name
    }

    fn account(&self, name: &str) -> Account {
        match name {
            "supplier" => Account::Supplier,
            "network" => Account::Network,
            "market" => Account::Market,
            "bank" => Account::Bank,
            name => Account::Participant(self.id(name)),
        }
    }

    fn zone(&self, name: &str) -> ZoneId {
        let place = self.config.zones.iter().position(|zone| zone.name == name).unwrap_or(999);
        ZoneId(u16::try_from(place).expect("a few zones"))
    }

    // What arranges the market.

    fn arrange(&mut self, change: impl FnOnce(&mut MarketConfig)) -> String {
        assert!(self.market.is_none(), "the market is arranged before anybody is in it");
        change(&mut self.config);
        String::new()
    }

    fn add_zone(&mut self, words: &mut Words) -> String {
        let name = words.next().to_owned();
        let parent = words.after("under").map(|parent| self.zone(parent));
        let mut charge = |word| if words.skip(word) { words.price() } else { Price::ZERO };
        let (wheeling_up, wheeling_down, base_wheeling) = (charge("up"), charge("down"), charge("base"));
        let zone = Zone { name, parent, base_wheeling, wheeling_up, wheeling_down };
        self.arrange(|config| match parent {
            None => config.zones = vec![zone],
            Some(_) => config.zones.push(zone),
        })
    }

    fn cast(&mut self, words: &mut Words) -> String {
        let new = self.new_participant(words);
        let name = new.name.clone();
        let enrolled = self.ask(Signing::default(), FOUNDER, Command::EnrolParticipant(new));
        assert!(enrolled.starts_with("enrolled"), "{name}: {enrolled}");
        let amount_fen = if words.skip("deposit") { words.number::<u64>() * 100 } else { 100_000 };
        if amount_fen > 0 {
            self.ask(
                Signing::default(),
                FOUNDER,
                Command::Deposit(Deposit { participant: name, amount_fen }),
            );
        }
        String::new()
    }

    /// Takes a participant: his name, roles, and what differs from the usual.
    fn new_participant(&mut self, words: &mut Words) -> NewParticipant {
        let name = words.next();
        let roles = Roles {
            producer: words.skip("producer"),
            consumer: words.skip("consumer"),
            operator: words.skip("operator"),
            regulator: false,
        };
        let zone = words.after("in").map_or(ZoneId(0), |zone| self.zone(zone));
        let kilowatts =
            |words: &mut Words, word| if words.skip(word) { words.number::<u64>() } else { 400 } * 1000;
        NewParticipant {
            pv_capacity_w: kilowatts(words, "pv"),
            connection_capacity_w: kilowatts(words, "connection"),
            credit_limit_fen: if words.skip("credit") { words.number::<u64>() * 100 } else { 0 },
            key: words.after("key").map_or(key(name), key),
            meter_key: if words.skip("unmetered") {
                None
            } else {
                Some(words.after("meter").map_or(meter_key(name), key))
            },
            name: name.to_owned(),
            zone,
            roles,
        }
    }

    // What lets time pass and commands come.

    fn pass_time(&mut self, seconds: i64) -> String {
        assert!(at(seconds) > self.now, "time goes on");
        self.now = at(seconds);
        self.tick()
    }

    fn tick(&mut self) -> String {
        let (mut events, stamp) = (Vec::new(), self.stamp());
        self.market.as_mut().expect("time passes once somebody is in the market").tick(stamp, &mut events);
        self.note(&events)
    }

    fn stamp(&mut self) -> Stamp {
        Stamp { at: self.now, index: LeafIndex(self.next_index) }
    }

    /// Signs and sends a command, and returns the answer.
    fn ask(&mut self, signing: Signing, by: &str, command: Command) -> String {
        if self.market.is_none() {
            self.market = Some(Market::new(self.config.clone()).expect("the scenario's market holds"));
        }
        self.now = Timestamp(self.now.0 + 1);
        self.tick();
        let key = signing.key.unwrap_or(key(by));
        let nonce = self.nonces.entry(key).or_default();
        *nonce = signing.nonce.unwrap_or(*nonce + 1);
        let expires_at = signing.expires_at.unwrap_or(Timestamp(u64::MAX));
        let request = Request { key, nonce: *nonce, expires_at, command };
        let (mut events, stamp) = (Vec::new(), self.stamp());
        let outcome = self.market.as_mut().expect("founded above").apply(stamp, &request, &mut events);
        let (outcome, noted) = (self.describe_outcome(outcome), self.note(&events));
        if noted.is_empty() { outcome } else { format!("{outcome}, {noted}") }
    }

    /// Remembers what happened, counts its leaves, and returns what of it a line's answer tells.
    fn note(&mut self, events: &[Event]) -> String {
        let mut told = Vec::new();
        for (position, event) in (self.next_index + 1..).zip(events) {
            match event {
                Event::TradeMade(trade) => {
                    assert_eq!(trade.id, TradeId(LeafIndex(position)), "a trade's id is its leaf's index");
                    self.trades.push(*trade);
                    if trade.matching == Matching::Continuous {
                        told.push(self.describe(trade));
                    }
                }
                Event::AuctionCleared(clearing) => {
                    told.push(format!("cleared {}", words::energy(clearing.energy)));
                    self.clearing = Some(clearing.clone());
                }
                Event::TradeDelivered { trade, delivered, seller_deviation, buyer_deviation, .. } => {
                    let parts =
                        self.describe_delivery(*trade, *delivered, *seller_deviation, *buyer_deviation);
                    self.delivered.push(parts);
                }
                Event::PhaseBegan { phase, .. } => told.push(phase.to_string()),
                Event::CertificateRetired { certificate, energy, .. } => {
                    told.push(format!("{} of {}", words::energy(*energy), self.name(certificate.producer)));
                }
                _ => {}
            }
        }
        self.next_index += 1 + events.len() as u64;
        told.join(", ")
    }

    // What people ask for.

    fn enrol(&mut self, signing: Signing, words: &mut Words) -> String {
        let new = self.new_participant(words);
        self.ask(signing, FOUNDER, Command::EnrolParticipant(new))
    }

    fn deposit(&mut self, signing: Signing, words: &mut Words) -> String {
        let deposit = Deposit { participant: words.next().to_owned(), amount_fen: words.number() };
        words.must("fen");
        self.ask(signing, FOUNDER, Command::Deposit(deposit))
    }

    fn place(&mut self, signing: Signing, label: Option<&str>, side: &str, words: &mut Words) -> String {
        let owner = words.next();
        let order = new_order(side, words);
        let answer = self.ask(signing, owner, Command::PlaceOrders(vec![order]));
        if let Some(label) = label {
            self.labels.insert(label.to_owned(), self.last_order.expect("an order with a label is accepted"));
        }
        answer
    }

    /// Takes `ann bid 20 kWh at 3.00; bid 10 kWh at 2.00`.
    fn place_schedule(&mut self, signing: Signing, line: &str, words: &mut Words) -> String {
        let owner = words.next();
        while !words.are_over() {
            words.next();
        }
        let (_, list) = line.split_once(owner).expect("the owner stands in the line");
        let order = |text: &str| {
            let mut words = Words::new(text);
            let side = words.next();
            new_order(side, &mut words)
        };
        self.ask(signing, owner, Command::PlaceOrders(list.split(';').map(order).collect()))
    }

    fn cancel(&mut self, signing: Signing, words: &mut Words) -> String {
        let (owner, label) = (words.next(), words.next());
        let nobodys = OrderId { index: LeafIndex(999_999), position: 0 };
        let order = if label == "unheard-of" { nobodys } else { self.labels[label] };
        self.ask(signing, owner, Command::CancelOrder(order))
    }

    fn read(&mut self, signing: Signing, words: &mut Words) -> String {
        let of = words.next();
        let slot = relative_slot(words);
        words.must("import");
        let import_register = words.energy();
        words.must("export");
        let export_register = words.energy();
        words.must("count");
        let counter = words.number();
        let quality = if words.skip("estimated") { Quality::Estimated } else { Quality::Measured };
        let reading = Reading { slot, import_register, export_register, counter, quality };
        let signing = Signing { key: signing.key.or(Some(meter_key(of))), ..signing };
        self.ask(signing, of, Command::SubmitReading(reading))
    }

    fn retire(&mut self, signing: Signing, words: &mut Words) -> String {
        let (holder, energy, slot) = (words.next(), words.energy(), relative_slot(words));
        let consumption_slot = if words.skip("consumed") { relative_slot(words) } else { slot };
        let retirement = Retirement { slot, energy, consumption_slot, beneficiary: "works".to_owned() };
        self.ask(signing, holder, Command::RetireCertificates(retirement))
    }
}

/// Takes `20 kWh at 3.00`, and `in +1` for another slot.
fn new_order(side: &str, words: &mut Words) -> NewOrder {
    let energy = words.energy();
    words.must("at");
    let limit = words.price();
    let side = if side == "bid" { Side::Bid } else { Side::Offer };
    NewOrder { side, slot: relative_slot(words), limit, energy }
}

/// Takes `in +1`: a slot counted from the scenarios' own, which it is without these words.
fn relative_slot(words: &mut Words) -> Slot {
    let offset = if words.skip("in") { words.number() } else { 0 };
    Slot(SLOT.0.checked_add_signed(offset).expect("a slot nearby"))
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

/// The market that scenarios begin with: one zone, no charges, a plain timeline.
pub fn config() -> MarketConfig {
    let zone = |name: &str| Zone {
        name: name.to_owned(),
        parent: None,
        base_wheeling: Price::ZERO,
        wheeling_up: Price::ZERO,
        wheeling_down: Price::ZERO,
    };
    MarketConfig {
        name: "scenario".to_owned(),
        currency: "yuan".to_owned(),
        operator_key: key(FOUNDER),
        zones: vec![zone("hub")],
        tick: Price(10),
        price_floor: Price(-10_000_000),
        price_cap: Price(200_000_000),
        lot: Energy(1),
        order_energy_max: Energy(1_000_000),
        schedule_len_max: 3,
        participants_max: 6,
        timeline: Timeline {
            opens_before_s: 48 * 3600,
            uncross_before_s: 24 * 3600,
            gate_before_s: 900,
            settle_after_s: 3600,
        },
        auction_point_per_mille: 500,
        market_fee: Price::ZERO,
        deviation_per_mille: 100,
        tariff_version: 1,
        tariffs: vec![TariffBand { from_quarter: 0, retail: Price(600_000), feed_in: Price(300_000) }],
    }
}
