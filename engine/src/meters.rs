//! Meters: from register states to what was drawn, fed in and generated, slot by slot.
//!
//! Knows the readings of each meter, and the timeline's final settlements. Does not know trades, money or
//! certificates: a reading is taken, and says what it changed.
//! Keeps: registers never run backwards, not by a correction either; no slot is left out. A reading is
//! remembered as long as its slot or the next one can be corrected. Rules R10 and R13.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use smallvec::SmallVec;

use crate::{Energy, Event, ParticipantId, Quality, Reading, Rejection, Slot, Timeline, Timestamp};

/// The greatest state of a register: what a meter of nine digits of kWh can show.
///
/// It keeps every worth of metered energy far below the bounds of money, whatever a meter signs.
pub(crate) const REGISTER_MAX: Energy = Energy(999_999_999_999);
/// For how many slots certificates can be claimed at the most: to the end of a month, and two years.
const CLAIMABLE_SLOTS: u32 = (31 + 366 + 365) * 96;

/// All meters of a market. A participant has at most one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Meters {
    /// By the participants' numbers; none for a meter that was never read.
    list: Vec<Option<Meter>>,
    /// How many meters were read at each slot's end before its deadline, first readings included.
    counts: BTreeMap<Slot, usize>,
    /// What each participant had drawn in a slot at its final settlement, by the participants' numbers.
    final_imports: BTreeMap<Slot, Vec<Energy>>,
}

/// One meter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Meter {
    /// The slot of its first reading.
    first: Slot,
    /// Its last count.
    counter: u64,
    /// The slot of the first of `readings`.
    kept_from: Slot,
    /// Its readings, slot by slot without a gap: the last one at least.
    readings: VecDeque<Reading>,
}

/// What a meter measured in one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Metered {
    /// What was drawn from the grid.
    pub(crate) import: Energy,
    /// What was fed in.
    pub(crate) export: Energy,
    /// What the plant generated.
    pub(crate) generation: Energy,
    /// `Measured` only where the readings at both ends of the slot are, else that of a reading that is not.
    pub(crate) quality: Quality,
}

/// What a reading changed in one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) slot: Slot,
    /// What had been measured before, if anything.
    pub(crate) before: Option<Metered>,
    /// What is measured now; nothing where the reading is the meter's first.
    pub(crate) after: Option<Metered>,
}

/// What a reading changed: its own slot, and the next one if a correction comes before a reading of that.
pub(crate) type Changes = SmallVec<[Change; 2]>;

impl Metered {
    /// Returns whether anything was drawn, fed in or generated.
    pub(crate) fn is_energy(&self) -> bool {
        [self.import, self.export, self.generation].iter().any(|energy| !energy.is_zero())
    }
}

impl Meters {
    /// Takes the reading of a participant's meter and returns what it changed, or refuses it and changes
    /// nothing.
    ///
    /// A meter's first reading is its baseline: it stands for any slot that is over, with any counter, and
    /// measures nothing. Each later one has the next count, and is for the next slot, which it measures, or
    /// for one that was read before, which it corrects, and with it the slot behind.
    pub(crate) fn check_and_take(
        &mut self,
        participant: ParticipantId,
        reading: Reading,
        now: Timestamp,
        timeline: &Timeline,
        events: &mut Vec<Event>,
    ) -> Result<Changes, Rejection> {
        let read_at = reading.read_at;
        let slot = reading.slot().ok_or(Rejection::ReadingMustBeAtASlotsEnd { read_at })?;
        if read_at > now {
            return Err(Rejection::SlotMustBeOver { slot, now });
        }
        let meter = self.meter(participant);
        if let Some(meter) = meter {
            meter.check_place(&reading, slot, timeline.final_at(slot) <= now)?;
            meter.check_neighbours(&reading, slot)?;
        }
        for register in registers(&reading) {
            if register > REGISTER_MAX {
                return Err(Rejection::RegistersMustBeWithinRange { register, max: REGISTER_MAX });
            }
        }

        // Every check is above; from here the reading is accepted.
        let is_correction = meter.is_some_and(|meter| slot <= meter.last());
        let touched = if is_correction { 2 } else { 1 };
        let touched = (slot.0..).map(Slot).take(touched);
        let mut changes: Changes = touched.map(|slot| self.unchanged(slot, participant)).collect();
        self.put(participant, slot, reading);
        for change in &mut changes {
            change.after = self.metered(change.slot, participant);
            self.say(participant, change, events);
        }
        if !is_correction {
            self.count(slot, now, timeline);
        }
        self.list[place_of(participant)].iter_mut().for_each(|meter| meter.forget(now, timeline));
        Ok(changes)
    }

    /// Returns what a participant's meter measured in a slot that is not final; nothing where its reading, or
    /// the one before, is missing.
    pub(crate) fn metered(&self, slot: Slot, participant: ParticipantId) -> Option<Metered> {
        let meter = self.meter(participant)?;
        let last = meter.at(Slot(slot.0.checked_sub(1)?))?;
        Some(difference(meter.at(slot)?, last))
    }

    /// Returns everything that was measured in a slot that is not final, by the participants' numbers.
    pub(crate) fn metered_in(&self, slot: Slot) -> Vec<Option<Metered>> {
        (0..).map(ParticipantId).take(self.list.len()).map(|id| self.metered(slot, id)).collect()
    }

    /// Returns what a participant drew in a slot, as it is measured now, or was at the final settlement; zero
    /// where that is not known.
    pub(crate) fn import(&self, slot: Slot, participant: ParticipantId) -> Energy {
        match self.final_imports.get(&slot) {
            Some(imports) => imports.get(place_of(participant)).copied().unwrap_or_default(),
            None => self.metered(slot, participant).map_or(Energy::ZERO, |metered| metered.import),
        }
    }

    /// Returns how many meters were read at the end of a slot whose deadline has not come, those included
    /// that were read for the first time.
    pub(crate) fn readings_in(&self, slot: Slot) -> usize {
        self.counts.get(&slot).copied().unwrap_or(0)
    }

    /// Remembers what was drawn in a slot that is final from now on, as long as certificates can be claimed
    /// for it.
    pub(crate) fn conclude(&mut self, slot: Slot) {
        let metered = self.metered_in(slot).into_iter();
        let imports = metered.map(|metered| metered.map_or(Energy::ZERO, |metered| metered.import)).collect();
        self.final_imports.insert(slot, imports);
        while let Some((oldest, _)) = self.final_imports.first_key_value()
            && oldest.0.saturating_add(CLAIMABLE_SLOTS) < slot.0
        {
            self.final_imports.pop_first();
        }
    }

    fn meter(&self, participant: ParticipantId) -> Option<&Meter> {
        self.list.get(place_of(participant))?.as_ref()
    }

    fn unchanged(&self, slot: Slot, participant: ParticipantId) -> Change {
        let before = self.metered(slot, participant);
        Change { slot, before, after: before }
    }

    fn put(&mut self, participant: ParticipantId, slot: Slot, reading: Reading) {
        let place = place_of(participant);
        if place >= self.list.len() {
            self.list.resize(place + 1, None);
        }
        match &mut self.list[place] {
            Some(meter) => meter.put(slot, reading),
            first => *first = Some(Meter::first(slot, reading)),
        }
    }

    /// Says what is measured in a slot now, if anything is.
    fn say(&self, participant: ParticipantId, change: &Change, events: &mut Vec<Event>) {
        let reading = self.meter(participant).and_then(|meter| meter.at(change.slot));
        if let (Some(reading), Some(metered)) = (reading, change.after) {
            let Metered { import, export, generation, quality } = metered;
            let (slot, reading) = (change.slot, *reading);
            events.push(Event::Metered { participant, slot, reading, import, export, generation, quality });
        }
    }

    /// Counts a slot's reading, if readings can still settle the slot, and forgets the counts of others.
    fn count(&mut self, slot: Slot, now: Timestamp, timeline: &Timeline) {
        if timeline.settles_by(slot) > now {
            *self.counts.entry(slot).or_default() += 1;
        }
        while let Some((oldest, _)) = self.counts.first_key_value()
            && timeline.settles_by(*oldest) <= now
        {
            self.counts.pop_first();
        }
    }
}

impl Meter {
    fn first(slot: Slot, reading: Reading) -> Meter {
        let readings = VecDeque::from_iter([reading]);
        Meter { first: slot, counter: reading.counter, kept_from: slot, readings }
    }

    fn at(&self, slot: Slot) -> Option<&Reading> {
        self.readings.get(slot.0.checked_sub(self.kept_from.0)? as usize)
    }

    /// Returns the last slot that was read.
    fn last(&self) -> Slot {
        let behind = u32::try_from(self.readings.len()).expect("readings are of slots, which fit 32 bits");
        Slot(self.kept_from.0 + behind - 1)
    }

    /// Checks that a reading has the next count, and is for the next slot or for one that can be corrected.
    fn check_place(&self, reading: &Reading, slot: Slot, is_final: bool) -> Result<(), Rejection> {
        let (counter, first, last) = (reading.counter, self.first, self.last());
        if self.counter.checked_add(1) != Some(counter) {
            return Err(Rejection::CounterMustRiseByOne { counter, last: self.counter });
        }
        if slot.0 > last.0.saturating_add(1) {
            return Err(Rejection::ReadingMustFollowTheLast { slot, last });
        }
        if slot < first {
            return Err(Rejection::ReadingMustNotPrecedeTheFirst { slot, first });
        }
        if slot <= last && is_final {
            return Err(Rejection::FinalSettlementMustLieAhead { slot });
        }
        Ok(())
    }

    /// Checks that a reading's registers lie between those of the slots before and behind, as far as these
    /// were read.
    fn check_neighbours(&self, reading: &Reading, slot: Slot) -> Result<(), Rejection> {
        let neighbour = |slot: Option<u32>| slot.and_then(|slot| self.at(Slot(slot))).map(registers);
        if let Some(before) = neighbour(slot.0.checked_sub(1)) {
            for (register, last) in registers(reading).into_iter().zip(before) {
                if register < last {
                    return Err(Rejection::RegistersMustNotRunBackwards { register, last });
                }
            }
        }
        if let Some(behind) = neighbour(slot.0.checked_add(1)) {
            for (register, next) in registers(reading).into_iter().zip(behind) {
                if register > next {
                    return Err(Rejection::RegistersMustNotExceedTheNext { register, next });
                }
            }
        }
        Ok(())
    }

    /// Puts a reading in its place: behind the last one, or instead of one.
    fn put(&mut self, slot: Slot, reading: Reading) {
        self.counter = reading.counter;
        let place = (slot.0 - self.kept_from.0) as usize;
        match self.readings.get_mut(place) {
            Some(corrected) => *corrected = reading,
            None => self.readings.push_back(reading),
        }
    }

    /// Forgets the readings before the last one that no slot needs any more that is not final.
    fn forget(&mut self, now: Timestamp, timeline: &Timeline) {
        while self.readings.len() > 1 && timeline.final_at(Slot(self.kept_from.0 + 1)) <= now {
            self.readings.pop_front();
            self.kept_from.0 += 1;
        }
    }
}

fn place_of(participant: ParticipantId) -> usize {
    participant.0 as usize
}

fn registers(reading: &Reading) -> [Energy; 3] {
    [reading.import_register, reading.export_register, reading.generation_register]
}

/// Returns what lies between two readings that follow each other.
fn difference(reading: &Reading, last: &Reading) -> Metered {
    let [import, export, generation] = registers(reading);
    let [last_import, last_export, last_generation] = registers(last);
    Metered {
        import: import.minus(last_import),
        export: export.minus(last_export),
        generation: generation.minus(last_generation),
        // A difference is measured only if both its ends are.
        quality: if reading.quality == Quality::Measured { last.quality } else { reading.quality },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: ParticipantId = ParticipantId(7);
    const TIMELINE: Timeline = Timeline {
        opens_before_s: 3600,
        uncross_before_s: 3600,
        gate_before_s: 900,
        settle_after_s: 900,
        final_after_s: 9000,
    };

    fn reading(slot: u32, counter: u64, import: u64, export: u64) -> Reading {
        Reading {
            read_at: Slot(slot).end(),
            import_register: Energy(import),
            export_register: Energy(export),
            generation_register: Energy(export),
            counter,
            quality: Quality::Measured,
        }
    }

    fn take(meters: &mut Meters, reading: Reading, now: Timestamp) -> Result<Changes, Rejection> {
        meters.check_and_take(OWNER, reading, now, &TIMELINE, &mut Vec::new())
    }

    /// Takes all of `taken`, and returns the meters and what became of `last`, all at the end of slot 13.
    fn check(taken: &[Reading], last: Reading) -> (Meters, Result<Changes, Rejection>) {
        let (mut meters, now) = (Meters::default(), Slot(13).end());
        for &reading in taken {
            take(&mut meters, reading, now).unwrap();
        }
        let before = meters.clone();
        let result = take(&mut meters, last, now);
        assert!(result.is_ok() || meters == before, "a refused reading changed something");
        (meters, result)
    }

    fn metered(import: u64, export: u64) -> Metered {
        let [import, export] = [import, export].map(Energy);
        Metered { import, export, generation: export, quality: Quality::Measured }
    }

    #[test]
    fn the_first_reading_measures_nothing_and_the_next_one_its_slot() {
        let (meters, result) = check(&[reading(10, 77, 1_000, 500)], reading(11, 78, 1_015, 508));
        let (slot, after) = (Slot(11), Some(metered(15, 8)));
        assert_eq!(result.unwrap()[..], [Change { slot, before: None, after }]);
        assert_eq!(meters.metered(Slot(10), OWNER), None);
        assert_eq!(meters.metered(slot, OWNER), after);
        assert_eq!(meters.metered_in(slot).last(), Some(&after));
        assert_eq!([10, 11, 12].map(|slot| meters.readings_in(Slot(slot))), [0, 0, 0], "deadlines are over");
    }

    #[test]
    fn a_slot_is_over_at_its_end_and_not_before() {
        let mut meters = Meters::default();
        let end = Slot(10).end();
        let early = Timestamp(end.0 - 1);
        let refused = Rejection::SlotMustBeOver { slot: Slot(10), now: early };
        assert_eq!(take(&mut meters, reading(10, 1, 0, 0), early), Err(refused));
        assert!(take(&mut meters, reading(10, 1, 0, 0), end).is_ok());
        assert_eq!(meters.readings_in(Slot(10)), 1);
    }

    #[test]
    fn a_moment_that_ends_no_slot_is_refused_also_behind_all_slots() {
        for moment in [0, 1, Slot(10).end().0 + 1, u64::MAX, u64::MAX / 900_000_000 * 900_000_000] {
            let read_at = Timestamp(moment);
            let refused = Rejection::ReadingMustBeAtASlotsEnd { read_at };
            let reading = Reading { read_at, ..reading(10, 1, 0, 0) };
            assert_eq!(take(&mut Meters::default(), reading, Timestamp(u64::MAX)), Err(refused));
        }
    }

    #[test]
    fn a_reading_that_does_not_fit_the_others_is_refused_by_name() {
        let taken = [reading(10, 5, 100, 200), reading(11, 6, 110, 220), reading(12, 7, 120, 240)];
        let backwards = |register, last| Rejection::RegistersMustNotRunBackwards {
            register: Energy(register),
            last: Energy(last),
        };
        let exceeds = |register, next| Rejection::RegistersMustNotExceedTheNext {
            register: Energy(register),
            next: Energy(next),
        };
        let [first, last] = [Slot(10), Slot(12)];
        for (next, refused) in [
            (reading(13, 7, 120, 240), Rejection::CounterMustRiseByOne { counter: 7, last: 7 }),
            (reading(13, 9, 120, 240), Rejection::CounterMustRiseByOne { counter: 9, last: 7 }),
            (reading(9, 8, 0, 0), Rejection::ReadingMustNotPrecedeTheFirst { slot: Slot(9), first }),
            (reading(13, 8, 119, 240), backwards(119, 120)),
            (reading(13, 8, 120, 239), backwards(239, 240)),
            (reading(11, 8, 99, 240), backwards(99, 100)),
            (reading(11, 8, 121, 220), exceeds(121, 120)),
            (reading(10, 8, 111, 200), exceeds(111, 110)),
        ] {
            assert_eq!(check(&taken, next).1, Err(refused));
        }
        let refused = Rejection::ReadingMustFollowTheLast { slot: Slot(13), last: Slot(11) };
        assert_eq!(check(&taken[..2], reading(13, 7, 120, 240)).1, Err(refused));
        let (register, max) = (Energy(REGISTER_MAX.0 + 1), REGISTER_MAX);
        let refused = Rejection::RegistersMustBeWithinRange { register, max };
        assert_eq!(check(&taken, reading(13, 8, register.0, 240)).1, Err(refused));
        assert_eq!(last, Slot(12));
    }

    #[test]
    fn a_correction_changes_its_slot_and_the_next_one() {
        let taken = [reading(10, 5, 0, 0), reading(11, 6, 10, 20), reading(12, 7, 20, 40)];
        let (meters, changes) = check(&taken, reading(11, 8, 4, 25));
        let [before, own, next] = [metered(10, 20), metered(4, 25), metered(16, 15)];
        let change = |slot, after| Change { slot: Slot(slot), before: Some(before), after: Some(after) };
        assert_eq!(changes.unwrap()[..], [change(11, own), change(12, next)]);
        assert_eq!(meters.metered(Slot(12), OWNER), Some(next));

        let (_, of_baseline) = check(&taken, reading(10, 8, 3, 0));
        let baseline = Change { slot: Slot(10), before: None, after: None };
        assert_eq!(of_baseline.unwrap()[..], [baseline, change(11, metered(7, 20))]);
    }

    #[test]
    fn what_is_final_is_not_corrected_and_forgotten_when_no_slot_needs_it() {
        let mut meters = Meters::default();
        for slot in 10..=13 {
            take(&mut meters, reading(slot, u64::from(slot), 0, 0), Slot(13).end()).unwrap();
        }
        let final_11 = TIMELINE.final_at(Slot(11));
        let refused = Rejection::FinalSettlementMustLieAhead { slot: Slot(11) };
        assert_eq!(take(&mut meters, reading(11, 14, 0, 0), final_11), Err(refused));
        assert!(take(&mut meters, reading(12, 14, 0, 0), final_11).is_ok());
        let kept: Vec<u32> =
            (0..20).filter(|slot| meters.meter(OWNER).unwrap().at(Slot(*slot)).is_some()).collect();
        assert_eq!(kept, [11, 12, 13]);
    }

    #[test]
    fn a_reading_late_by_years_is_taken_and_only_the_last_is_kept() {
        let (mut meters, now) = (Meters::default(), Slot(100_000).end());
        for slot in 10..=13 {
            take(&mut meters, reading(slot, u64::from(slot), 0, 0), now).unwrap();
        }
        assert_eq!(meters.meter(OWNER).unwrap().readings, [reading(13, 13, 0, 0)]);
        assert!(meters.counts.is_empty());
    }

    #[test]
    fn imports_are_known_behind_the_final_settlement_as_long_as_they_can_be_claimed_for() {
        let (mut meters, _) = check(&[reading(10, 1, 0, 0)], reading(11, 2, 5, 0));
        meters.conclude(Slot(11));
        take(&mut meters, reading(12, 3, 5, 0), Slot(1_000).end()).unwrap();
        assert_eq!(meters.import(Slot(11), OWNER), Energy(5));
        meters.conclude(Slot(11 + CLAIMABLE_SLOTS));
        assert_eq!(meters.import(Slot(11), OWNER), Energy(5));
        meters.conclude(Slot(12 + CLAIMABLE_SLOTS));
        assert_eq!(meters.import(Slot(11), OWNER), Energy::ZERO);
    }

    #[test]
    fn a_slot_is_measured_only_if_both_its_ends_are_and_else_as_the_later_one_that_is_not() {
        use Quality::{Estimated, Measured, Substituted};
        for (first, second, quality) in [
            (Measured, Measured, Measured),
            (Estimated, Measured, Estimated),
            (Measured, Estimated, Estimated),
            (Estimated, Substituted, Substituted),
        ] {
            let [first, second] = [(10, first), (11, second)]
                .map(|(slot, quality)| Reading { quality, ..reading(slot, slot.into(), 0, 0) });
            assert_eq!(check(&[first], second).0.metered(Slot(11), OWNER).unwrap().quality, quality);
        }
    }
}
