//! R10: what meters say, and what they measured.

use parkwatt_engine::*;

use super::Twin;

/// What a meter of nine digits of kWh can show.
const REGISTER_MAX: Energy = Energy(999_999_999_999);
const MICROS_PER_SLOT: u64 = 900_000_000;

/// What a meter measured in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metered {
    pub import: Energy,
    pub export: Energy,
    pub generation: Energy,
    pub quality: Quality,
}

impl Metered {
    pub fn is_measured(&self) -> bool {
        self.quality == Quality::Measured
    }
}

impl Twin {
    pub(super) fn read(&mut self, of: ParticipantId, reading: Reading) -> Result<Outcome, Rejection> {
        let (read_at, now) = (reading.read_at, self.stamp.at);
        let number = read_at.0 / MICROS_PER_SLOT;
        let slot = number.checked_sub(1).and_then(|number| u32::try_from(number).ok()).map(Slot);
        let slot = slot.filter(|_| read_at.0.is_multiple_of(MICROS_PER_SLOT));
        let slot = slot.ok_or(Rejection::ReadingMustBeAtASlotsEnd { read_at })?;
        if read_at > now {
            return Err(Rejection::SlotMustBeOver { slot, now });
        }
        let was_read = self.reading_at(slot, of, self.readings.len()).is_some();
        self.check_place(of, &reading, slot, was_read)?;
        self.check_registers(of, &reading, slot)?;

        self.readings.push((of, reading));
        let touched = if was_read { vec![slot, Slot(slot.0 + 1)] } else { vec![slot] };
        for &slot in &touched {
            self.say_what_is_metered(slot, of);
        }
        for slot in touched {
            self.follow(slot, of);
        }
        Ok(Outcome::ReadingTaken)
    }

    /// Checks what a reading says of the order of readings.
    fn check_place(
        &self,
        of: ParticipantId,
        reading: &Reading,
        slot: Slot,
        was_read: bool,
    ) -> Result<(), Rejection> {
        let own: Vec<Reading> = self.readings_of(of).collect();
        let (Some(latest), Some(last)) = (own.last(), own.iter().map(slot_of).max()) else { return Ok(()) };
        let first = slot_of(&own[0]);
        if latest.counter.checked_add(1) != Some(reading.counter) {
            return Err(Rejection::CounterMustRiseByOne { counter: reading.counter, last: latest.counter });
        }
        if slot > Slot(last.0 + 1) {
            return Err(Rejection::ReadingMustFollowTheLast { slot, last });
        }
        if slot < first {
            return Err(Rejection::ReadingMustNotPrecedeTheFirst { slot, first });
        }
        if was_read && self.phase(slot) == Phase::Final {
            return Err(Rejection::FinalSettlementMustLieAhead { slot });
        }
        let max = self.config.corrections_max;
        let same = self.readings_of(of).filter(|reading| slot_of(reading) == slot).count();
        if same > max as usize {
            return Err(Rejection::CorrectionsMustNotExceedTheMaximum { slot, max });
        }
        Ok(())
    }

    /// Checks a reading's registers against those of the slots before and behind, and against what a meter
    /// can show.
    fn check_registers(&self, of: ParticipantId, reading: &Reading, slot: Slot) -> Result<(), Rejection> {
        let all = self.readings.len();
        let before = slot.0.checked_sub(1).and_then(|slot| self.reading_at(Slot(slot), of, all));
        for (register, last) in before.iter().flat_map(|before| registers(reading).zip(registers(before))) {
            if register < last {
                return Err(Rejection::RegistersMustNotRunBackwards { register, last });
            }
        }
        let behind = self.reading_at(Slot(slot.0 + 1), of, all);
        for (register, next) in behind.iter().flat_map(|behind| registers(reading).zip(registers(behind))) {
            if register > next {
                return Err(Rejection::RegistersMustNotExceedTheNext { register, next });
            }
        }
        for register in registers(reading) {
            if register > REGISTER_MAX {
                return Err(Rejection::RegistersMustBeWithinRange { register, max: REGISTER_MAX });
            }
        }
        Ok(())
    }

    fn say_what_is_metered(&mut self, slot: Slot, participant: ParticipantId) {
        let all = self.readings.len();
        if let Some(Metered { import, export, generation, quality }) = self.metered_by(slot, participant, all)
        {
            let reading = self.reading_at(slot, participant, all).unwrap();
            self.say(Event::Metered { participant, slot, reading, import, export, generation, quality });
        }
    }

    /// Settles what a reading completes, and settles again what it changes.
    fn follow(&mut self, slot: Slot, of: ParticipantId) {
        let is_energy = self.metered(slot, of).is_some_and(|it| {
            it.import > Energy::ZERO || it.export > Energy::ZERO || it.generation > Energy::ZERO
        });
        match self.phase(slot) {
            Phase::Closed => {
                if is_energy {
                    self.hold(slot);
                }
                let all = self.readings.len();
                let is_read = |id: ParticipantId| self.reading_at(slot, id, all).is_some();
                let all_are_in = self.ids().all(|id| self.person(id).meter_key.is_none() || is_read(id));
                if all_are_in && self.slots.iter().any(|(held, _)| *held == slot) {
                    self.settle(slot);
                }
            }
            Phase::Settled | Phase::Resettled => {
                if is_energy && !self.is_settled(slot) {
                    self.settled.push((slot, Phase::Settled));
                }
                let [before, after] =
                    [1, 0].map(|less| self.metered_by(slot, of, self.readings.len() - less));
                if self.is_settled(slot) && before != after {
                    self.settle_again(slot, of);
                }
            }
            _ => {}
        }
    }

    /// Returns what a meter measured in a slot, as far as that counts: after the final settlement nothing
    /// that comes later does.
    pub(super) fn metered(&self, slot: Slot, of: ParticipantId) -> Option<Metered> {
        let concluded = self.concluded.iter().find(|(concluded, _)| *concluded == slot);
        self.metered_by(slot, of, concluded.map_or(self.readings.len(), |(_, readings)| *readings))
    }

    /// Returns what a meter measured in a slot by the first `count` readings of all meters; nothing where one
    /// of those at the slot's ends is missing.
    fn metered_by(&self, slot: Slot, of: ParticipantId, count: usize) -> Option<Metered> {
        let before = self.reading_at(Slot(slot.0.checked_sub(1)?), of, count)?;
        let after = self.reading_at(slot, of, count)?;
        let qualities = [before.quality, after.quality];
        let worst = qualities.into_iter().rfind(|quality| *quality != Quality::Measured);
        Some(Metered {
            import: after.import_register.minus(before.import_register),
            export: after.export_register.minus(before.export_register),
            generation: after.generation_register.minus(before.generation_register),
            quality: worst.unwrap_or(Quality::Measured),
        })
    }

    /// Returns the reading that holds at a slot's end, of the first `count` readings of all meters.
    fn reading_at(&self, slot: Slot, of: ParticipantId, count: usize) -> Option<Reading> {
        let first = self.readings[..count].iter().filter(|(meter, _)| *meter == of);
        first.map(|(_, reading)| *reading).rfind(|reading| slot_of(reading) == slot)
    }

    fn readings_of(&self, of: ParticipantId) -> impl Iterator<Item = Reading> {
        self.readings.iter().filter(move |(meter, _)| *meter == of).map(|(_, reading)| *reading)
    }
}

fn slot_of(reading: &Reading) -> Slot {
    Slot(u32::try_from(reading.read_at.0 / MICROS_PER_SLOT - 1).unwrap())
}

fn registers(reading: &Reading) -> impl Iterator<Item = Energy> + use<> {
    [reading.import_register, reading.export_register, reading.generation_register].into_iter()
}
