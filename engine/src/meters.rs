//! Meters: from register states to what was drawn and fed in, slot by slot.
//!
//! Knows the last reading of each meter and what each measured. Does not know trades, money, certificates, or
//! which slots are settled: a late reading is taken like any other, and its registers go on.
//! Keeps: registers never run backwards, no slot is left out, none is measured twice. Rule R10.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::{Energy, Event, ParticipantId, Quality, Reading, Rejection, Slot, Timestamp};

/// The greatest state of a register: what a meter of nine digits of kWh can show.
///
/// It keeps every worth of metered energy far below the bounds of money, whatever a meter signs.
pub(crate) const REGISTER_MAX: Energy = Energy(999_999_999_999);

/// All meters of a market. A participant has at most one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Meters {
    /// The last reading of each meter that was read at all.
    last: BTreeMap<ParticipantId, Reading>,
    /// What was measured.
    metered: BTreeMap<(Slot, ParticipantId), Metered>,
    /// How many readings were taken at each slot's end, first ones included.
    readings: BTreeMap<Slot, usize>,
}

/// What a meter measured in one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Metered {
    /// What was drawn from the grid.
    pub(crate) import: Energy,
    /// What was fed in.
    pub(crate) export: Energy,
    /// `Measured` only where the readings at both ends of the slot are, else that of a reading that is not.
    pub(crate) quality: Quality,
}

impl Meters {
    /// Takes the reading of a participant's meter, or refuses it and changes nothing.
    ///
    /// A meter's first reading is its baseline: it stands for any slot that is over, with any counter, and
    /// measures nothing. Each later one follows the last by one slot and one count, and measures that slot.
    pub(crate) fn check_and_take(
        &mut self,
        participant: ParticipantId,
        reading: Reading,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Rejection> {
        let read_at = reading.read_at;
        let slot = reading.slot().ok_or(Rejection::ReadingMustBeAtASlotsEnd { read_at })?;
        if read_at > now {
            return Err(Rejection::SlotMustBeOver { slot, now });
        }
        let last = self.last.get(&participant).copied();
        if let Some(last) = last {
            follows(reading, last)?;
        }
        for register in [reading.import_register, reading.export_register] {
            if register > REGISTER_MAX {
                return Err(Rejection::RegistersMustBeWithinRange { register, max: REGISTER_MAX });
            }
        }

        // Every check is above; from here the reading is accepted.
        self.last.insert(participant, reading);
        *self.readings.entry(slot).or_default() += 1;
        if let Some(last) = last {
            let metered = difference(reading, last);
            self.metered.insert((slot, participant), metered);
            let Metered { import, export, quality } = metered;
            let generation = reading.generation_register;
            events.push(Event::Metered { participant, slot, reading, import, export, generation, quality });
        }
        Ok(())
    }

    /// Returns what a participant's meter measured in `slot`; nothing where its reading, or the one before,
    /// is missing.
    pub(crate) fn metered(&self, slot: Slot, participant: ParticipantId) -> Option<Metered> {
        self.metered.get(&(slot, participant)).copied()
    }

    /// Returns everything that was measured in `slot`, in order of participants.
    pub(crate) fn metered_in(&self, slot: Slot) -> impl Iterator<Item = (ParticipantId, Metered)> {
        let all = (slot, ParticipantId(0))..=(slot, ParticipantId(u32::MAX));
        self.metered.range(all).map(|(&(_, participant), &metered)| (participant, metered))
    }

    /// Returns how many meters were read at the end of `slot`, those included that were read for the first
    /// time.
    pub(crate) fn readings_in(&self, slot: Slot) -> usize {
        self.readings.get(&slot).copied().unwrap_or(0)
    }
}

/// Checks that `reading` is the one after `last`.
fn follows(reading: Reading, last: Reading) -> Result<(), Rejection> {
    if last.counter.checked_add(1) != Some(reading.counter) {
        return Err(Rejection::CounterMustRiseByOne { counter: reading.counter, last: last.counter });
    }
    let [slot, last_slot] = [reading, last].map(|it| it.slot().expect("it is checked first"));
    if last_slot.0.checked_add(1) != Some(slot.0) {
        return Err(Rejection::ReadingMustFollowTheLast { slot, last: last_slot });
    }
    let registers =
        [(reading.import_register, last.import_register), (reading.export_register, last.export_register)];
    for (register, last) in registers {
        if register < last {
            return Err(Rejection::RegistersMustNotRunBackwards { register, last });
        }
    }
    Ok(())
}

/// Returns what lies between two readings that follow each other.
fn difference(reading: Reading, last: Reading) -> Metered {
    Metered {
        import: reading.import_register.minus(last.import_register),
        export: reading.export_register.minus(last.export_register),
        // A difference is measured only if both its ends are.
        quality: if reading.quality == Quality::Measured { last.quality } else { reading.quality },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: ParticipantId = ParticipantId(7);
    const LATE: Timestamp = Timestamp(u64::MAX);

    fn reading(slot: u32, counter: u64, import: u64, export: u64) -> Reading {
        Reading {
            slot: Slot(slot),
            import_register: Energy(import),
            export_register: Energy(export),
            counter,
            quality: Quality::Measured,
        }
    }

    /// Takes all of `taken`, and returns the meters and what became of `last`.
    fn check(taken: &[Reading], last: Reading) -> (Meters, Result<(), Rejection>) {
        let (mut meters, mut events) = (Meters::default(), Vec::new());
        for &reading in taken {
            meters.check_and_take(OWNER, reading, LATE, &mut events).unwrap();
        }
        let before = meters.clone();
        let result = meters.check_and_take(OWNER, last, LATE, &mut events);
        assert!(result.is_ok() || meters == before, "a refused reading changed something");
        (meters, result)
    }

    #[test]
    fn the_first_reading_measures_nothing_and_the_next_one_its_slot() {
        let (meters, result) = check(&[reading(10, 77, 1_000, 500)], reading(11, 78, 1_015, 508));
        assert_eq!(result, Ok(()));
        assert_eq!(meters.metered(Slot(10), OWNER), None);
        let metered = Metered { import: Energy(15), export: Energy(8), quality: Quality::Measured };
        assert_eq!(meters.metered(Slot(11), OWNER), Some(metered));
        assert_eq!(meters.metered_in(Slot(11)).collect::<Vec<_>>(), [(OWNER, metered)]);
        assert_eq!(
            (meters.readings_in(Slot(10)), meters.readings_in(Slot(11)), meters.readings_in(Slot(12))),
            (1, 1, 0)
        );
    }

    #[test]
    fn a_slot_is_over_at_its_end_and_not_before() {
        let mut meters = Meters::default();
        let end = Slot(10).end();
        let early = Timestamp(end.0 - 1);
        let refused = Rejection::SlotMustBeOver { slot: Slot(10), now: early };
        assert_eq!(meters.check_and_take(OWNER, reading(10, 1, 0, 0), early, &mut Vec::new()), Err(refused));
        assert_eq!(meters.check_and_take(OWNER, reading(10, 1, 0, 0), end, &mut Vec::new()), Ok(()));
    }

    #[test]
    fn a_reading_that_does_not_follow_the_last_is_refused_by_name() {
        let first = reading(10, 5, 100, 200);
        let (slot, last) = (Slot(12), Slot(10));
        for (next, refused) in [
            (reading(11, 5, 100, 200), Rejection::CounterMustRiseByOne { counter: 5, last: 5 }),
            (reading(12, 7, 100, 200), Rejection::CounterMustRiseByOne { counter: 7, last: 5 }),
            (reading(12, 6, 100, 200), Rejection::ReadingMustFollowTheLast { slot, last }),
            (reading(10, 6, 100, 200), Rejection::ReadingMustFollowTheLast { slot: last, last }),
            (
                reading(11, 6, 99, 200),
                Rejection::RegistersMustNotRunBackwards { register: Energy(99), last: Energy(100) },
            ),
            (
                reading(11, 6, 100, 199),
                Rejection::RegistersMustNotRunBackwards { register: Energy(199), last: Energy(200) },
            ),
            (
                reading(11, 6, REGISTER_MAX.0 + 1, 200),
                Rejection::RegistersMustBeWithinRange {
                    register: Energy(REGISTER_MAX.0 + 1),
                    max: REGISTER_MAX,
                },
            ),
        ] {
            assert_eq!(check(&[first], next).1, Err(refused));
        }
    }

    #[test]
    fn a_slot_is_measured_only_if_both_its_ends_are() {
        let estimated = |reading| Reading { quality: Quality::Estimated, ..reading };
        let (first, second) = (reading(10, 1, 0, 0), reading(11, 2, 5, 5));
        for (first, second, quality) in [
            (first, second, Quality::Measured),
            (estimated(first), second, Quality::Estimated),
            (first, estimated(second), Quality::Estimated),
        ] {
            assert_eq!(check(&[first], second).0.metered(Slot(11), OWNER).unwrap().quality, quality);
        }
    }
}
