//! What settling a day costs: 10,000 participants, of whom each has 20 trades a slot, so 100,000 trades a slot.
//!
//! - Readings: the commands of all meters of a slot but the last one.
//! - Settlement: the command of the last meter, which settles the slot: deliveries, postings, reservations, and
//!   the facts that say so. In the first half of the day all readings are estimates, so that there are no
//!   certificates; in the second half a certificate is issued for each producer, and goes over to the buyers.
//! - Resettlement: a producer's correction of a settled slot, by which the purchases of all his buyers are
//!   shared out anew.
//! - Final settlement: the end of it all, which lets go of what a slot was kept for.
//!
//! Excluded are the trading, signatures, and everything behind the engine. Beside each figure stands how many
//! multiplications of a `Decimal` take as long: a trade needs four exact products at the least.

mod measure;

use std::{cmp::Ordering, hint::black_box, time::Duration};

use measure::{Effort, Table, nanos_each, timed};
use parkwatt_engine::{
    Command, Deposit, Energy, Event, LeafIndex, MICROS_PER_SECOND, Market, MarketConfig, NewOrder,
    NewParticipant, Outcome, Phase, Price, PublicKey, Quality, Reading, Request, Roles, Schedule, Side, Slot,
    Stamp, TariffBand, Timeline, Timestamp, Zone, ZoneId,
};
use rust_decimal::Decimal;

/// The slot before the first one that is settled.
const BEFORE: Slot = Slot(2_000_159);
/// How many trades each participant has in a slot.
const TRADES: u32 = 20;
/// Of how many producers a reading is corrected in each slot.
const CORRECTIONS: u32 = 100;
/// The operator's key; nobody signs here.
const OPERATOR: PublicKey = [0xff; 32];

fn main() {
    let effort = Effort::from_args();
    let (people, slots) = (effort.pick(10_000, 1_000), effort.pick(96, 6));
    let mut day = Day::begin(people);
    let (mut estimated, mut measured) = (Times::default(), Times::default());
    for number in 0..slots {
        let quality = if number < slots / 2 { Quality::Estimated } else { Quality::Measured };
        let times = day.pass_slot(quality);
        // The first slot that is measured begins with an estimate, and so is one of neither.
        match number.cmp(&(slots / 2)) {
            Ordering::Less => estimated.add(&times),
            Ordering::Equal => {}
            Ordering::Greater => measured.add(&times),
        }
    }
    println!("participants: {people}, trades a slot: {}, slots: {slots}", people / 2 * TRADES);
    let product = product();
    let mut table = Table::new("Settlement", "ns", "x a product");
    table.row("one product of two Decimals", format!("{product:.1}"), "1.0".into(), None);
    for (what, times) in [("estimates", &estimated), ("with certificates", &measured)] {
        let (readings, trades) = (times.slots * (people - 1), times.slots * people / 2 * TRADES);
        for (step, took, count) in [
            ("a reading", times.readings, readings),
            ("settlement, a trade", times.settlement, trades),
            ("resettlement, a correction", times.corrections, times.slots * CORRECTIONS),
            ("final settlement, a trade", times.conclusion, trades),
        ] {
            let nanos = nanos_each(took, count);
            table.row(
                &format!("{step}, {what}"),
                format!("{nanos:.1}"),
                format!("{:.1}", nanos / product),
                None,
            );
        }
    }
    table.print();
}

/// Returns how many nanoseconds one multiplication of two amounts takes, of many that follow each other.
fn product() -> f64 {
    let (count, price) = (1_000_000, Decimal::new(391_300, 6));
    let (took, ()) = timed(|| {
        for wh in 0..count {
            black_box(black_box(price) * black_box(Decimal::new(20_000 + i64::from(wh % 1000), 3)));
        }
    });
    nanos_each(took, count)
}

/// What the steps took.
#[derive(Default)]
struct Times {
    slots: u32,
    readings: Duration,
    settlement: Duration,
    corrections: Duration,
    conclusion: Duration,
}

/// A market in which each slot is traded, read and settled before the next one.
struct Day {
    market: Market,
    people: u32,
    now: Timestamp,
    next_index: u64,
    nonce: u64,
    /// The last slot that was read.
    slot: Slot,
    /// The registers and the count of each meter.
    meters: Vec<(Energy, u64)>,
    events: Vec<Event>,
}

impl Times {
    fn add(&mut self, other: &Times) {
        self.slots += other.slots;
        self.readings += other.readings;
        self.settlement += other.settlement;
        self.corrections += other.corrections;
        self.conclusion += other.conclusion;
    }
}

impl Day {
    /// Enrols producers and consumers by turns, and reads all meters for the first time.
    fn begin(people: u32) -> Day {
        let market = Market::new(config(people)).expect("the configuration holds");
        let now = Timestamp(BEFORE.start().0 - 3_600 * MICROS_PER_SECOND);
        let (events, meters) = (Vec::new(), Vec::new());
        let mut day = Day { market, people, now, next_index: 0, nonce: 0, slot: BEFORE, meters, events };
        for who in 0..people {
            let producer = is_producer(who);
            day.ask(
                OPERATOR,
                Command::EnrolParticipant(NewParticipant {
                    name: name(who),
                    key: key(who, 1),
                    meter_key: Some(key(who, 2)),
                    zone: ZoneId(u16::from(who % 4 > 1)),
                    roles: Roles { producer, consumer: !producer, ..Roles::default() },
                    pv_capacity_w: 1_000_000,
                    connection_capacity_w: 1_000_000,
                    credit_limit_fen: 1_000_000_000_000,
                }),
            );
            day.ask(OPERATOR, Command::Deposit(Deposit { participant: name(who), amount_fen: 100_000 }));
            day.meters.push((Energy::ZERO, 0));
        }
        day.trade();
        day.wait_until(BEFORE.end());
        for who in 0..people {
            day.read(who, Energy::ZERO, Quality::Measured);
        }
        day
    }

    /// Lets the next slot pass, be read, settled and corrected, and the one before the last become final.
    fn pass_slot(&mut self, quality: Quality) -> Times {
        let mut times = Times { slots: 1, ..Times::default() };
        self.slot.0 += 1;
        self.trade();
        // The gate of what was traded closes before this slot ends.
        self.wait_until(Timestamp(self.slot.end().0 - 1));
        times.conclusion = self.wait_until(self.slot.end());
        for who in 0..self.people - 1 {
            times.readings += self.read(who, metered(who), quality);
        }
        let last = self.people - 1;
        times.settlement = self.read(last, metered(last), quality);
        let is_settled = |event: &Event| matches!(event, Event::PhaseBegan { phase: Phase::Settled, .. });
        assert!(self.events.iter().any(is_settled), "the last reading settles the slot");
        for who in (0..self.people).filter(|who| is_producer(*who)).take(CORRECTIONS as usize) {
            // He fed in a tenth less than he had stated.
            let (stated, register) = (metered(who), &mut self.meters[who as usize].0);
            *register = register.minus(stated);
            times.corrections += self.read(who, Energy(stated.0 / 10 * 9), quality);
        }
        times
    }

    /// Lets every producer sell, for the slot behind, 1 kWh to each of 20 consumers, who so have as many sellers.
    fn trade(&mut self) {
        let slot = Slot(self.slot.0 + 1);
        let order = |side, level: i64, kwh: u32| {
            let (limit, energy) = (Price(400_000 + 1_000 * level), Energy(1_000 * u64::from(kwh)));
            NewOrder::resting(side, slot, limit, energy)
        };
        for who in (0..self.people).filter(|who| is_producer(*who)) {
            let levels = 0..i64::from(TRADES);
            let orders = levels.map(|level| order(Side::Offer, level, 1)).collect();
            self.ask(key(who, 1), Command::PlaceOrders(Schedule { orders, all_or_none: false }));
        }
        let mut trades = 0;
        for who in (0..self.people).filter(|who| !is_producer(*who)) {
            let orders = vec![order(Side::Bid, 500, TRADES)];
            self.ask(key(who, 1), Command::PlaceOrders(Schedule { orders, all_or_none: false }));
            trades += self.events.len();
        }
        assert_eq!(trades, (self.people / 2 * TRADES) as usize, "all that is offered is sold");
    }

    /// States what a meter measured since its last reading, and returns how long that took.
    fn read(&mut self, who: u32, energy: Energy, quality: Quality) -> Duration {
        let (register, counter) = &mut self.meters[who as usize];
        (*register, *counter) = (register.plus(energy), *counter + 1);
        let (import, export) =
            if is_producer(who) { (Energy::ZERO, *register) } else { (*register, Energy::ZERO) };
        let reading = Reading {
            read_at: self.slot.end(),
            import_register: import,
            export_register: export,
            generation_register: export,
            counter: *counter,
            quality,
        };
        self.ask(key(who, 2), Command::SubmitReading(reading))
    }

    /// Lets time pass until `at`, and returns how long that took.
    fn wait_until(&mut self, at: Timestamp) -> Duration {
        self.now = at;
        self.events.clear();
        let stamp = Stamp { at, index: LeafIndex(self.next_index) };
        let took = timed(|| self.market.tick(stamp, &mut self.events)).0;
        self.next_index += 1 + self.events.len() as u64;
        took
    }

    /// Asks something that is accepted, and returns how long that took.
    fn ask(&mut self, key: PublicKey, command: Command) -> Duration {
        (self.now.0, self.nonce) = (self.now.0 + 1, self.nonce + 1);
        self.events.clear();
        let request = Request { key, nonce: self.nonce, expires_at: Timestamp(u64::MAX), command };
        let stamp = Stamp { at: self.now, index: LeafIndex(self.next_index) };
        let (took, outcome) = timed(|| self.market.apply(stamp, &request, &mut self.events));
        assert!(!matches!(outcome, Outcome::Rejected(_)), "{outcome:?}");
        self.next_index += 1 + self.events.len() as u64;
        took
    }
}

/// Returns what a participant's meter measures in each slot: mostly what he trades, else less or more.
fn metered(who: u32) -> Energy {
    let traded = 1_000 * u64::from(TRADES);
    Energy(match who / 2 % 4 {
        0 => traded * 9 / 10,
        1 => traded + 1_234,
        _ => traded,
    })
}

fn is_producer(who: u32) -> bool {
    who.is_multiple_of(2)
}

fn name(who: u32) -> String {
    format!("p{who}")
}

fn key(who: u32, of: u8) -> PublicKey {
    let mut key = [of; 32];
    key[..4].copy_from_slice(&who.to_le_bytes());
    key
}

fn config(people: u32) -> MarketConfig {
    let zone = |name: &str, parent| Zone {
        name: name.to_owned(),
        parent,
        base_wheeling: Price(20_000),
        wheeling_up: Price(10_000),
        wheeling_down: Price(30_000),
        capacity_up_w: None,
        capacity_down_w: None,
    };
    MarketConfig {
        name: "park".to_owned(),
        currency: "yuan".to_owned(),
        operator_key: OPERATOR,
        zones: vec![zone("hub", None), zone("roofs", Some(ZoneId(0)))],
        tick: Price(100),
        price_floor: Price(0),
        price_cap: Price(2_000_000),
        lot: Energy(1),
        order_energy_max: Energy(1_000_000),
        schedule_len_max: 100,
        participants_max: people,
        open_orders_max: 100,
        corrections_max: 10,
        timeline: Timeline {
            opens_before_s: 7200,
            uncross_before_s: 7200,
            gate_before_s: 300,
            settle_after_s: 900,
            final_after_s: 1800,
        },
        auction_point_per_mille: 500,
        market_fee: Price(2_000),
        deviation_per_mille: 100,
        tariff_version: 1,
        tariffs: vec![TariffBand { from_quarter: 0, retail: Price(800_000), feed_in: Price(391_300) }],
    }
}
