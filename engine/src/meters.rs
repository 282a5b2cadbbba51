//! Meters: from register states to what was drawn, fed in and generated, slot by slot.
//!
//! Knows the readings of each meter, and the timeline's final settlements. Does not know trades, money or
//! certificates: a reading is taken, and says what it changed.
//! Keeps: registers never run backwards, not by a correction either; no slot is left out; no slot is corrected
//! without end. A reading is remembered as long as its slot or the next one can be corrected. Rules R10 and R13.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::{Energy, Event, ParticipantId, Quality, Reading, Rejection, Slot, Timeline, Timestamp};

/// The greatest state of a register: what a meter of nine digits of kWh can show.
///
/// It keeps every worth of metered energy far below the bounds of money, whatever a meter signs.
pub(crate) const REGISTER_MAX: Energy = Energy(999_999_999_999);
/// For how many slots certificates can be claimed at the most: to the end of a month, and two years.
const CLAIMABLE_SLOTS: u32 = (31 + 366 + 365) * 96;

/// All meters of a market. A participant has at most one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meters {
    /// By the participants' numbers; none for a meter that was never read.
    list: Vec<Option<Meter>>,
    /// How many meters were read at each slot's end before its deadline, first readings included.
    counts: BTreeMap<Slot, usize>,
    /// What each participant had drawn in a slot at its final settlement, by the participants' numbers.
    final_imports: BTreeMap<Slot, Vec<Energy>>,
}

/// One meter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Meter {
    /// The slot of its first reading.
    first: Slot,
    /// Its last count.
    counter: u64,
    /// The slot of the first of `readings`.
    kept_from: Slot,
    /// Its readings, slot by slot without a gap: the last one at least.
    readings: VecDeque<Kept>,
}

/// A reading that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    reading: Reading,
    /// How often the one of this slot was corrected.
    corrections: u32,
}

/// What a meter measured in one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Returns whether this was measured, and not estimated or substituted.
    pub(crate) fn is_measured(&self) -> bool {
        self.quality == Quality::Measured
    }

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
        corrections_max: u32,
        events: &mut Vec<Event>,
    ) -> Result<Changes, Rejection> {
        let read_at = reading.read_at;
        let slot = reading.slot().ok_or(Rejection::ReadingMustBeAtASlotsEnd { read_at })?;
        if read_at > now {
            return Err(Rejection::SlotMustBeOver { slot, now });
        }
        let meter = self.meter(participant);
        if let Some(meter) = meter {
            meter.check_place(&reading, slot)?;
            meter.check_correction(slot, timeline.final_at(slot) <= now, corrections_max)?;
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
    /// where that is not known, or not measured.
    pub(crate) fn import(&self, slot: Slot, participant: ParticipantId) -> Energy {
        match self.final_imports.get(&slot) {
            Some(imports) => imports.get(place_of(participant)).copied().unwrap_or_default(),
            None => measured_import(self.metered(slot, participant)),
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
        self.final_imports.insert(slot, metered.map(measured_import).collect());
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
        let readings = VecDeque::from_iter([Kept { reading, corrections: 0 }]);
        Meter { first: slot, counter: reading.counter, kept_from: slot, readings }
    }

    fn at(&self, slot: Slot) -> Option<&Reading> {
        self.kept(slot).map(|kept| &kept.reading)
    }

    fn kept(&self, slot: Slot) -> Option<&Kept> {
        self.readings.get(slot.0.checked_sub(self.kept_from.0)? as usize)
    }

    /// Returns the last slot that was read.
    fn last(&self) -> Slot {
        let behind = u32::try_from(self.readings.len()).expect("readings are of slots, which fit 32 bits");
        Slot(self.kept_from.0 + behind - 1)
    }

    /// Checks that a reading has the next count, and is for the next slot or for one that was read.
    fn check_place(&self, reading: &Reading, slot: Slot) -> Result<(), Rejection> {
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
        Ok(())
    }

    /// Checks that a slot, if it was read, can be corrected once more, at most `max` times.
    fn check_correction(&self, slot: Slot, is_final: bool, max: u32) -> Result<(), Rejection> {
        if slot <= self.last() && is_final {
            return Err(Rejection::FinalSettlementMustLieAhead { slot });
        }
        if self.kept(slot).is_some_and(|kept| kept.corrections >= max) {
            return Err(Rejection::CorrectionsMustNotExceedTheMaximum { slot, max });
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
            Some(kept) => *kept = Kept { reading, corrections: kept.corrections + 1 },
            None => self.readings.push_back(Kept { reading, corrections: 0 }),
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

fn measured_import(metered: Option<Metered>) -> Energy {
    metered.filter(Metered::is_measured).map_or(Energy::ZERO, |metered| metered.import)
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
mod tests;
