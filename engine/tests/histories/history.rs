//! From steps to requests: who signs, which key, which order, which reading comes next.

use parkwatt_engine::*;

use super::steps::*;

/// What a history happens to.
pub trait Subject {
    /// Answers a request, and returns how many events followed from it.
    fn ask(&mut self, stamp: Stamp, request: &Request) -> (Outcome, usize);

    /// Lets time pass, and returns how many events followed from it.
    fn tick(&mut self, stamp: Stamp) -> usize;
}

/// What happens to a subject, and what its people know.
pub struct History<S> {
    pub subject: S,
    config: MarketConfig,
    now: Timestamp,
    next_index: u64,
    /// The key with which each participant signs, and the founder last.
    owners: Vec<PublicKey>,
    /// The key with which each participant's meter signs.
    meters: Vec<PublicKey>,
    nonces: Vec<(PublicKey, u64)>,
    /// Every order that was accepted.
    placed: Vec<Placed>,
    /// The readings of each participant's meter, slot by slot, and its last count.
    readings: Vec<(Vec<Reading>, u64)>,
    /// In units of how many Wh energies are metered.
    unit: u64,
}

#[derive(Clone, Copy)]
struct Placed {
    id: OrderId,
    who: u8,
    limit: Price,
}

impl<S: Subject> History<S> {
    /// Enrols everyone, at a moment when trading in no slot is open.
    pub fn begin(config: &MarketConfig, subject: S) -> History<S> {
        let mut history = History {
            subject,
            config: config.clone(),
            now: Timestamp(FIRST.start().0 - 190 * 60 * MICROS_PER_SECOND),
            next_index: 0,
            owners: (0..PEOPLE).map(|who| [who + 1; 32]).chain([FOUNDER]).collect(),
            meters: (0..PEOPLE).map(|who| [100 + who; 32]).collect(),
            nonces: Vec::new(),
            placed: Vec::new(),
            readings: vec![(Vec::new(), 8); usize::from(PEOPLE)],
            unit: 1,
        };
        for who in 0..PEOPLE {
            let new = history.participant(who);
            history.ask(FOUNDER, Signing::Well, Command::EnrolParticipant(new));
            let (participant, amount_fen) = (name(who), 8 * config.lot.0 * u64::from(who + 1));
            history.ask(FOUNDER, Signing::Well, Command::Deposit(Deposit { participant, amount_fen }));
        }
        history
    }

    fn participant(&self, who: u8) -> NewParticipant {
        let zones = u16::try_from(self.config.zones.len()).unwrap();
        // The last one operates, and has no meter.
        let (producer, consumer, operator) = (who != CONSUMER, who != PRODUCER, who == PEOPLE - 1);
        NewParticipant {
            name: name(who),
            key: self.owners[usize::from(who)],
            meter_key: (!operator).then(|| self.meters[usize::from(who)]),
            zone: ZoneId(u16::from(who) % zones),
            roles: Roles { producer, consumer, operator, regulator: false },
            pv_capacity_w: 4 * 20 * self.config.lot.0,
            connection_capacity_w: 4 * (16 + 2 * u64::from(who)) * self.config.lot.0 + 1,
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
                let withdrawal = Cancellation {
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
            Act::PayOut { who, from, fen } => {
                let amount = match fen {
                    Some(39) => PayoutAmount::Fen(1_000_000_000_001),
                    Some(fen) => PayoutAmount::Fen(*fen),
                    None => PayoutAmount::All,
                };
                let payout = Payout { participant: name(*from), amount };
                self.ask(self.owners[usize::from(*who)], signing, Command::PayOut(payout));
            }
            Act::Publish(wish) => {
                let new = self.new_tariffs(wish);
                self.ask(self.owners[usize::from(wish.who)], signing, Command::PublishTariffs(new));
            }
            Act::Read { who, energies, quality, flaw } => {
                let who = usize::from(*who);
                let reading = with_flaw(self.next_reading(who, *energies, *quality), *flaw);
                self.read(signing, who, reading);
            }
            Act::ReadAll { energies } => {
                for (who, energies) in energies.iter().enumerate() {
                    let reading = self.next_reading(who, *energies, Quality::Measured);
                    self.read(signing, who, reading);
                }
            }
            Act::Correct { who, back, more, quality } => {
                let who = usize::from(*who);
                if let Some(reading) = self.correction(who, *back, *more, *quality) {
                    self.read(signing, who, reading);
                }
            }
            Act::OfCertificates(asked) => {
                self.ask(self.owners[usize::from(asked.who)], signing, asked.command(self.unit));
            }
            Act::CountIn { unit } => self.unit = *unit,
            Act::Wait { minutes } => self.wait(*minutes),
        }
    }

    /// Lets everything that is still due happen, until all certificates have expired.
    pub fn end(&mut self) {
        self.wait(48 * 60);
        self.wait(4 * 366 * 24 * 60);
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
            energy: Energy(lots * self.config.lot.0 + u64::from(flaw == Flaw::Energy)),
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
            minimum_fill: Energy(minimum_lots * self.config.lot.0),
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
        let (limit, energy) = (limit.plus(Price(ticks * TICK)), Energy(lots * self.config.lot.0));
        let replacement = Replacement { order, limit, energy };
        if let Outcome::Replaced(id) = self.ask(self.owners[who], signing, Command::ReplaceOrder(replacement))
        {
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
        let late = NewParticipant {
            name: "late".to_owned(),
            key: [90; 32],
            meter_key: Some([91; 32]),
            ..self.participant(0)
        };
        let new = match flaw {
            0 => NewParticipant { name: "Late".to_owned(), ..late },
            1 => NewParticipant { name: name(0), ..late },
            2 => NewParticipant { key: self.owners[0], ..late },
            3 => NewParticipant { meter_key: Some(self.meters[1]), ..late },
            4 => NewParticipant { meter_key: Some(late.key), ..late },
            5 => NewParticipant { zone: ZoneId(9), ..late },
            6 => NewParticipant { pv_capacity_w: 1_000_000_000_001, ..late },
            7 => NewParticipant { credit_limit_fen: 1_000_000_000_001, ..late },
            8 => NewParticipant { key: [1; 32], ..late },
            // Somebody with a meter that is never read, or with none.
            9 => late,
            _ => NewParticipant { name: "later".to_owned(), key: [92; 32], meter_key: None, ..late },
        };
        self.ask(self.owners[usize::from(who)], signing, Command::EnrolParticipant(new));
    }

    fn new_tariffs(&self, wish: &WishedTariffs) -> NewTariffs {
        let charges = |place: usize| {
            let [base, up, down] = wish.charges[place % wish.charges.len()].map(|ticks| Price(ticks * TICK));
            ZoneCharges { base_wheeling: base, wheeling_up: up, wheeling_down: down }
        };
        let band = |from_quarter, retail| TariffBand { from_quarter, retail, feed_in: Price(250_000) };
        let retail = Price(wish.retail * 123_457);
        let mut new = NewTariffs {
            version: wish.version,
            effective_from: Slot(FIRST.0 - 1 + wish.slot),
            zones: (0..self.config.zones.len()).map(charges).collect(),
            market_fee: Price(wish.fee * TICK),
            bands: vec![band(0, retail), band(66, Price(retail.0 / 2))],
        };
        match wish.flaw {
            1 => new.zones.push(ZoneCharges::default()),
            2 => new.zones[0].wheeling_down.0 += 1,
            3 => new.market_fee = Price(-TICK),
            4 => new.bands.clear(),
            5 => new.bands[1].from_quarter = 0,
            6 => new.bands[1].from_quarter = 96,
            7 => new.bands[1].feed_in = Price(1_000_000_000),
            8 => new.effective_from.0 += 40_000,
            _ => {}
        }
        new
    }

    fn next_reading(&self, who: usize, energies: [u64; 3], quality: Quality) -> Reading {
        let (readings, counter) = &self.readings[who];
        let [import, export, generation] = energies.map(|energy| Energy(energy * self.unit));
        let [slot, registers @ ..] = match readings.last() {
            None => [u64::from(FIRST.0 - 1), 50, 70, 90],
            Some(last) => [
                last.read_at.0 / 900_000_000,
                last.import_register.plus(import).0,
                last.export_register.plus(export).0,
                last.generation_register.plus(generation).0,
            ],
        };
        let [import_register, export_register, generation_register] = registers.map(Energy);
        let read_at = Slot(u32::try_from(slot).unwrap()).end();
        let counter = counter + 1;
        Reading { read_at, import_register, export_register, generation_register, counter, quality }
    }

    /// Returns a correction of a slot that was read, so many before the last one.
    fn correction(&self, who: usize, back: u32, more: [i64; 3], quality: Quality) -> Option<Reading> {
        let (readings, counter) = &self.readings[who];
        let place = readings.len().checked_sub(1 + usize::try_from(back).unwrap())?;
        let reading = readings[place];
        let unit = i64::try_from(self.unit).unwrap();
        let other = |register: Energy, more: i64| Energy(register.0.saturating_add_signed(more * unit));
        Some(Reading {
            import_register: other(reading.import_register, more[0]),
            export_register: other(reading.export_register, more[1]),
            generation_register: other(reading.generation_register, more[2]),
            counter: counter + 1,
            quality,
            ..reading
        })
    }

    fn read(&mut self, signing: Signing, who: usize, reading: Reading) {
        let key = if who + 1 == usize::from(PEOPLE) { self.owners[who] } else { self.meters[who] };
        if self.ask(key, signing, Command::SubmitReading(reading)) == Outcome::ReadingTaken {
            let (readings, counter) = &mut self.readings[who];
            *counter = reading.counter;
            match readings.iter_mut().find(|it| it.read_at == reading.read_at) {
                Some(corrected) => *corrected = reading,
                None => readings.push(reading),
            }
        }
    }

    fn wait(&mut self, minutes: u64) {
        self.now.0 += minutes * 60 * MICROS_PER_SECOND;
        self.tick();
    }

    /// Signs and asks, and returns the answer.
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
        *last += u64::from(signing != Signing::WithAnOldNonce);
        let expires_at = if signing == Signing::TooLate { self.now } else { Timestamp(u64::MAX) };
        let request = Request { key, nonce: *last, expires_at, command };
        let (outcome, events) = self.subject.ask(self.stamp(), &request);
        self.next_index += 1 + events as u64;
        outcome
    }

    fn tick(&mut self) {
        self.next_index += 1 + self.subject.tick(self.stamp()) as u64;
    }

    fn stamp(&self) -> Stamp {
        Stamp { at: self.now, index: LeafIndex(self.next_index) }
    }
}

fn name(who: u8) -> String {
    format!("p{who}")
}

/// Returns a reading with something wrong.
fn with_flaw(mut reading: Reading, flaw: u8) -> Reading {
    let slots = |slots: i64| slots * 900_000_000;
    let moved = |by: i64| Timestamp(reading.read_at.0.checked_add_signed(by).unwrap());
    match flaw {
        1 => reading.counter += 1,
        2 => reading.read_at = moved(slots(-2)),
        3 => reading.import_register = Energy(1),
        4 => reading.export_register = Energy(1_000_000_000_000),
        5 => reading.read_at = moved(1),
        6 => reading.read_at = moved(slots(1)),
        7 => reading.read_at = Timestamp(u64::MAX / 900_000_000 * 900_000_000),
        _ => {}
    }
    reading
}
