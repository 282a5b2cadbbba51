//! R10: what meters say, and what they measured.

use parkwatt_engine::*;

use super::Twin;

/// What a meter of nine digits of kWh can show.
const REGISTER_MAX: Energy = Energy(999_999_999_999);

/// What a meter measured in a slot.
pub struct Metered {
    pub import: Energy,
    pub export: Energy,
    /// Whether both readings were measured.
    pub is_measured: bool,
}

impl Twin {
    pub(super) fn read(&mut self, of: ParticipantId, reading: Reading) -> Result<Outcome, Rejection> {
        let Reading { slot, import_register, export_register, .. } = reading;
        let now = self.stamp.at;
        if (u64::from(slot.0) + 1) * 900_000_000 > now.0 {
            return Err(Rejection::SlotMustBeOver { slot, now });
        }
        if let Some((_, last)) = self.readings.iter().rfind(|(meter, _)| *meter == of) {
            check_follows(&reading, last)?;
        }
        for register in [import_register, export_register] {
            if register > REGISTER_MAX {
                return Err(Rejection::RegistersMustBeWithinRange { register, max: REGISTER_MAX });
            }
        }

        self.readings.push((of, reading));
        let metered = self.metered(slot, of);
        if let Some(Metered { import, export, .. }) = metered {
            self.say(Event::Metered { participant: of, reading, import, export });
        }
        let is_energy = metered.is_some_and(|it| !it.import.is_zero() || !it.export.is_zero());
        if is_energy && self.phase(slot) == Phase::Closed {
            self.hold(slot);
        }
        let is_read = |id: ParticipantId| self.readings.iter().any(|(of, it)| *of == id && it.slot == slot);
        let all_are_in = self.ids().all(|id| self.person(id).meter_key.is_none() || is_read(id));
        if all_are_in && self.slots.iter().any(|(held, _)| *held == slot) {
            self.settle(slot);
        }
        Ok(Outcome::ReadingTaken)
    }

    /// Returns what a meter measured in a slot; nothing where one of the readings at its ends is missing.
    pub(super) fn metered(&self, slot: Slot, of: ParticipantId) -> Option<Metered> {
        let reading_at = |slot: u32| {
            let mut readings = self.readings.iter().filter(|(meter, _)| *meter == of);
            readings.find(|(_, reading)| reading.slot.0 == slot).map(|(_, reading)| reading)
        };
        let (before, after) = (reading_at(slot.0.checked_sub(1)?)?, reading_at(slot.0)?);
        Some(Metered {
            import: after.import_register.minus(before.import_register),
            export: after.export_register.minus(before.export_register),
            is_measured: [before.quality, after.quality] == [Quality::Measured; 2],
        })
    }
}

fn check_follows(reading: &Reading, last: &Reading) -> Result<(), Rejection> {
    let counter = reading.counter;
    if last.counter.checked_add(1) != Some(counter) {
        return Err(Rejection::CounterMustRiseByOne { counter, last: last.counter });
    }
    if last.slot.0.checked_add(1) != Some(reading.slot.0) {
        return Err(Rejection::ReadingMustFollowTheLast { slot: reading.slot, last: last.slot });
    }
    for (register, last) in
        [(reading.import_register, last.import_register), (reading.export_register, last.export_register)]
    {
        if register < last {
            return Err(Rejection::RegistersMustNotRunBackwards { register, last });
        }
    }
    Ok(())
}
