//! A history that the engine and its twin live through together, and that ends at their first difference.

use parkwatt_engine::*;

use crate::coverage::Coverage;
use crate::steps::*;
use crate::twin::{Machine, Twin};

/// The engine and its twin, and what their people know.
pub struct History {
    engine: Market,
    twin: Twin,
    lot: u64,
    now: Timestamp,
    next_index: u64,
    /// The key with which each participant signs, and the founder last.
    owners: Vec<PublicKey>,
    /// The key with which each participant's meter signs.
    meters: Vec<PublicKey>,
    nonces: Vec<(PublicKey, u64)>,
    /// Every order that was accepted, with its owner, its limit and how many lots it is for.
    placed: Vec<Placed>,
    /// The last reading of each participant's meter.
    readings: Vec<Option<Reading>>,
    pub coverage: Coverage,
}

#[derive(Clone, Copy)]
struct Placed {
    id: OrderId,
    who: u8,
    limit: Price,
}

impl History {
    /// Founds the market, and enrols everyone, at a moment when trading in all slots is open.
    pub fn begin(config: &MarketConfig) -> History {
        let people = usize::from(PEOPLE);
        let mut history = History {
            engine: Market::found(config.clone()),
            twin: Twin::found(config.clone()),
            lot: config.lot.0,
            now: Timestamp(FIRST.start().0 - 110 * 60 * MICROS_PER_SECOND),
            next_index: 0,
            owners: (0..PEOPLE).map(|who| [who + 1; 32]).chain([FOUNDER]).collect(),
            meters: (0..PEOPLE).map(|who| [100 + who; 32]).collect(),
            nonces: Vec::new(),
            placed: Vec::new(),
            readings: vec![None; people],
            coverage: Coverage::default(),
        };
        for who in 0..PEOPLE {
            let new = history.participant(who, config);
            history.ask(FOUNDER, Signing::Well, Command::EnrolParticipant(new));
            let (participant, amount_fen) = (name(who), 8 * config.lot.0 * u64::from(who + 1));
            history.ask(FOUNDER, Signing::Well, Command::Deposit(Deposit { participant, amount_fen }));
        }
        history.coverage = Coverage::default();
        history
    }

    fn participant(&self, who: u8, config: &MarketConfig) -> NewParticipant {
        let zones = u16::try_from(config.zones.len()).unwrap();
        // The last one operates, and has no meter.
        let (producer, consumer, operator) = (who != CONSUMER, who != PRODUCER, who == PEOPLE - 1);
        NewParticipant {
            name: name(who),
            key: self.owners[usize::from(who)],
            meter_key: (!operator).then(|| self.meters[usize::from(who)]),
            zone: ZoneId(u16::from(who) % zones),
            roles: Roles { producer, consumer, operator, regulator: false },
            pv_capacity_w: 4 * 20 * config.lot.0,
            connection_capacity_w: 4 * (16 + 2 * u64::from(who)) * config.lot.0 + 1,
            credit_limit_fen: u64::from(who),
        }
    }

    pub fn take(&mut self, step: &Step) {
        let signing = step.signing;
        match &step.act {
            Act::Place { who, orders, all_or_none } => {
                let orders = orders.iter().map(|wish| self.new_order(*who, wish)).collect();
                self.place(*who, signing, Schedule { orders, all_or_none: *all_or_none });
            }
            Act::Cancel { which } => {
                let (who, order, _) = self.pick(*which);
                self.ask(self.owners[who], signing, Command::CancelOrder(order));
            }
            Act::Replace { which, ticks, lots } => self.replace(signing, *which, *ticks, *lots),
            Act::CancelMany { who, of, slot, side } => {
                let withdrawal = Withdrawal {
                    participant: of.map(name),
                    slot: slot.map(|slot| Slot(FIRST.0 + slot)),
                    side: *side,
                };
                self.ask(self.owners[usize::from(*who)], signing, Command::CancelOrders(withdrawal));
            }
            Act::Rotate { who, is_meter, to } => self.rotate(signing, usize::from(*who), *is_meter, *to),
            Act::Enrol { who, flaw } => self.enrol(signing, *who, *flaw),
            Act::Deposit { who, to, fen } => {
                let amount_fen = if *fen == 39 { 1_000_000_000_001 } else { *fen };
                let deposit = Deposit { participant: name(*to), amount_fen };
                self.ask(self.owners[usize::from(*who)], signing, Command::Deposit(deposit));
            }
            Act::Read { who, import, export, quality, flaw } => {
                let reading = self.reading(usize::from(*who), *import, *export, *quality, *flaw);
                self.read(signing, usize::from(*who), reading);
            }
            Act::ReadAll { energies } => {
                for (who, (import, export)) in energies.iter().enumerate() {
                    let reading = self.reading(who, *import, *export, Quality::Measured, 0);
                    self.read(signing, who, reading);
                }
            }
            Act::Retire { who, slot, energy, slots_later } => {
                let slot = Slot(FIRST.0 + slot);
                let consumption_slot = Slot(slot.0 + slots_later);
                let (energy, beneficiary) = (Energy(*energy), "works".to_owned());
                let retirement = Retirement { slot, energy, consumption_slot, beneficiary };
                let key = self.owners[usize::from(*who)];
                self.ask(key, signing, Command::RetireCertificates(retirement));
            }
            Act::Wait { minutes } => self.wait(*minutes),
        }
    }

    /// Lets everything that is still due happen, and compares what is left.
    pub fn end(&mut self) {
        self.wait(24 * 60);
        assert_eq!(Machine::next_due(&self.engine), None, "everything ends");
        for name in ["p0", "late", "later"] {
            let id = Machine::by_name(&self.engine, name);
            assert_eq!(id, self.twin.by_name(name), "who {name} is");
            assert!(id.is_none_or(|id| Machine::name_of(&self.engine, id) == self.twin.person(id).name));
        }
        for id in (0..u32::from(PEOPLE)).map(ParticipantId) {
            for slot in (FIRST.0..=FIRST.0 + SLOTS).map(Slot) {
                let held = Machine::held(&self.engine, id, slot);
                assert_eq!(held, Machine::held(&self.twin, id, slot), "certificates");
            }
        }
        for account in [Account::Supplier, Account::Network, Account::Congestion, Account::Market] {
            assert_eq!(Machine::balance(&self.engine, account), self.twin.balance(account), "{account:?}");
        }
    }

    fn new_order(&self, who: u8, wish: &NewWish) -> NewOrder {
        let NewWish { side, slot, ticks, lots, time, post_only, minimum_lots, flaw } = *wish;
        let side = match who {
            _ if flaw == Flaw::Side => side,
            CONSUMER => Side::Bid,
            PRODUCER => Side::Offer,
            _ => side,
        };
        NewOrder {
            side,
            slot: Slot(FIRST.0 + slot),
            limit: Price(ticks * TICK + i64::from(flaw == Flaw::Limit)),
            energy: Energy(lots * self.lot + u64::from(flaw == Flaw::Energy)),
            time_in_force: match time {
                WishedTime::Gate => TimeInForce::GoodUntilGate,
                WishedTime::Minutes(minutes) => {
                    let micros = minutes * 60 * 1_000_000;
                    TimeInForce::GoodUntil(Timestamp(self.now.0.checked_add_signed(micros).unwrap()))
                }
                WishedTime::Immediate => TimeInForce::ImmediateOrCancel,
                WishedTime::Kill => TimeInForce::FillOrKill,
            },
            post_only,
            minimum_fill: Energy(minimum_lots * self.lot),
        }
    }

    fn place(&mut self, who: u8, signing: Signing, schedule: Schedule) {
        let limits: Vec<Price> = schedule.orders.iter().map(|order| order.limit).collect();
        let command = Command::PlaceOrders(schedule);
        if let Outcome::Placed(answers) = self.ask(self.owners[usize::from(who)], signing, command) {
            let accepted = answers
                .iter()
                .zip(limits)
                .filter_map(|(answer, limit)| answer.ok().map(|id| Placed { id, who, limit }));
            self.placed.extend(accepted);
        }
    }

    fn replace(&mut self, signing: Signing, which: Which, ticks: i64, lots: u64) {
        let (who, order, limit) = self.pick(which);
        let (limit, energy) = (limit.plus(Price(ticks * TICK)), Energy(lots * self.lot));
        let replacement = Replacement { order, limit, energy };
        if let Outcome::Replaced(id) = self.ask(self.owners[who], signing, Command::ReplaceOrder(replacement))
        {
            self.coverage.count(if id == order { "replaced in its place" } else { "replaced anew" });
            self.placed.push(Placed { id, who: u8::try_from(who).unwrap(), limit });
        }
    }

    /// Returns who asks about which order, and its limit; an order that nobody placed where there is none.
    fn pick(&self, which: Which) -> (usize, OrderId, Price) {
        let unheard_of = OrderId { index: LeafIndex(1_000_000), position: 0 };
        let place = self.placed.len().checked_sub(which.back + 1);
        let picked = place.map_or((which.who, unheard_of, Price::ZERO), |place| {
            let Placed { id, who, limit } = self.placed[place];
            (if which.by_owner { who } else { which.who }, id, limit)
        });
        (usize::from(picked.0), picked.1, picked.2)
    }

    fn rotate(&mut self, signing: Signing, who: usize, is_meter: bool, to: u8) {
        let is_meter = is_meter && who < self.meters.len();
        let key = if is_meter { self.meters[who] } else { self.owners[who] };
        // Mostly a new key, sometimes one that speaks or spoke.
        let new_key = if to == 0 { [1; 32] } else { [200 + to; 32] };
        let rotation = KeyRotation { new_key };
        if self.ask(key, signing, Command::RotateKey(rotation)) == Outcome::KeyRotated {
            let rotated = if is_meter { &mut self.meters[who] } else { &mut self.owners[who] };
            *rotated = new_key;
        }
    }

    fn enrol(&mut self, signing: Signing, who: u8, flaw: u8) {
        let config = self.engine.config();
        let mut new = self.participant(0, config);
        (new.name, new.key, new.meter_key) = ("late".to_owned(), [90; 32], Some([91; 32]));
        match flaw {
            0 => new.name = "Late".to_owned(),
            1 => new.name = name(0),
            2 => new.key = self.owners[0],
            3 => new.meter_key = Some(self.meters[1]),
            4 => new.meter_key = Some(new.key),
            5 => new.zone = ZoneId(9),
            6 => new.pv_capacity_w = 1_000_000_000_001,
            7 => new.credit_limit_fen = 1_000_000_000_001,
            8 => new.key = [1; 32],
            // Somebody with a meter that is never read, or with none.
            9 => {}
            _ => {
                (new.name, new.key, new.meter_key) = ("later".to_owned(), [92; 32], None);
            }
        }
        self.ask(self.owners[usize::from(who)], signing, Command::EnrolParticipant(new));
    }

    fn reading(&self, who: usize, import: u64, export: u64, quality: Quality, flaw: u8) -> Reading {
        let first = Reading {
            slot: Slot(FIRST.0 - 1),
            import_register: Energy(50),
            export_register: Energy(70),
            counter: 9,
            quality,
        };
        let mut reading = self.readings[who].map_or(first, |last| Reading {
            slot: Slot(last.slot.0 + 1),
            import_register: last.import_register.plus(Energy(import)),
            export_register: last.export_register.plus(Energy(export)),
            counter: last.counter + 1,
            quality,
        });
        match flaw {
            1 => reading.counter += 1,
            2 => reading.slot.0 -= 1,
            3 => reading.import_register = Energy(1),
            4 => reading.export_register = Energy(1_000_000_000_000),
            _ => {}
        }
        reading
    }

    fn read(&mut self, signing: Signing, who: usize, reading: Reading) {
        let key = if who + 1 == usize::from(PEOPLE) { self.owners[who] } else { self.meters[who] };
        if self.ask(key, signing, Command::SubmitReading(reading)) == Outcome::ReadingTaken {
            self.readings[who] = Some(reading);
        }
    }

    fn wait(&mut self, minutes: u64) {
        self.now.0 += minutes * 60 * MICROS_PER_SECOND;
        self.tick();
    }

    /// Asks both, and returns what both answer.
    fn ask(&mut self, key: PublicKey, signing: Signing, command: Command) -> Outcome {
        self.now.0 += 1;
        self.tick();
        let key = match signing {
            Signing::ByAStranger => [77; 32],
            Signing::ByAMeter => self.meters[0],
            _ => key,
        };
        let known = self.nonces.iter().position(|(known, _)| *known == key);
        let place = known.unwrap_or_else(|| {
            self.nonces.push((key, 0));
            self.nonces.len() - 1
        });
        let last = &mut self.nonces[place].1;
        *last += if matches!(signing, Signing::WithAnOldNonce) { 0 } else { 1 };
        let is_late = matches!(signing, Signing::TooLate);
        let expires_at = if is_late { self.now } else { Timestamp(u64::MAX) };
        let request = Request { key, nonce: *last, expires_at, command };
        let stamp = Stamp { at: self.now, index: LeafIndex(self.next_index) };

        let (outcome, events) = Machine::apply(&mut self.engine, stamp, &request);
        let (expected, followed) = self.twin.apply(stamp, &request);
        assert_eq!(outcome, expected, "engine and twin answer {request:?}");
        assert_eq!(events, followed, "engine and twin say what follows from {request:?}");
        self.coverage.note_command(stamp, &outcome, &events);
        self.compare(&events);
        outcome
    }

    fn tick(&mut self) {
        let stamp = Stamp { at: self.now, index: LeafIndex(self.next_index) };
        if self.twin.next_due().is_some_and(|due| due <= stamp.at) {
            let (events, followed) = (Machine::tick(&mut self.engine, stamp), self.twin.tick(stamp));
            assert_eq!(events, followed, "engine and twin say what follows from time");
            self.coverage.note_tick(&events);
            self.compare(&events);
        }
    }

    /// Compares how both stand, and counts the leaves.
    fn compare(&mut self, events: &[Event]) {
        self.next_index += 1 + events.len() as u64;
        assert_eq!(Machine::next_due(&self.engine), self.twin.next_due(), "the next moment");
        for slot in (FIRST.0..=FIRST.0 + SLOTS).map(Slot) {
            let open = Machine::open_orders(&self.engine, slot);
            assert_eq!(open, Machine::open_orders(&self.twin, slot), "open orders");
            assert_eq!(Machine::phase(&self.engine, slot), self.twin.phase(slot), "phase");
        }
        for id in (0..u32::from(PEOPLE)).map(ParticipantId) {
            assert_eq!(Machine::reserved(&self.engine, id), self.twin.reserved(id), "reservations");
            let account = Account::Participant(id);
            assert_eq!(Machine::balance(&self.engine, account), self.twin.balance(account), "balances");
        }
    }
}

fn name(who: u8) -> String {
    format!("p{who}")
}
