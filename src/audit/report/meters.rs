//! Meters: who has one, and what their registers say of all slots together.
//!
//! Knows readings as meters signed them; does not know slots' figures. What was measured slot by slot must sum
//! to what the registers rose from the first reading to the last.

use std::collections::BTreeMap;

use parkwatt_engine::{
    Command, KeyHolder, Market, Outcome, ParticipantId, PublicKey, Reading, Slot, Timestamp,
};

use super::{
    laws::{Checks, Law},
    rows,
    slots::Metered,
};

/// All meters of a market.
#[derive(Default)]
pub(super) struct Meters {
    /// When each was enrolled, rising.
    enrolled_at: Vec<Timestamp>,
    /// Whose they are, in the same order.
    owners: Vec<ParticipantId>,
    read: BTreeMap<ParticipantId, Meter>,
}

/// A meter that was read.
#[derive(Clone, Copy, Default)]
struct Meter {
    first: Option<Reading>,
    last: Option<Reading>,
    /// What was measured in all slots: import, export and generation.
    measured: [i128; 3],
}

impl Meters {
    /// Takes note of a command that enrolled a meter, or stated its registers.
    pub(super) fn observe(
        &mut self,
        at: Timestamp,
        (key, command): (&PublicKey, &Command),
        outcome: &Outcome,
        market: &Market,
    ) {
        match (command, outcome) {
            (Command::EnrolParticipant(new), Outcome::Enrolled(id)) if new.meter_key.is_some() => {
                self.enrolled_at.push(at);
                self.owners.push(*id);
            }
            (Command::SubmitReading(reading), Outcome::ReadingTaken) => {
                let Some(KeyHolder::Meter(id)) = market.participants().holder_of(key) else { return };
                self.read.entry(id).or_default().take(*reading);
            }
            _ => {}
        }
    }

    /// Adds what was measured in a slot, and takes away what had been said of it before.
    pub(super) fn measured(&mut self, id: ParticipantId, now: [u64; 3], before: &Metered) {
        let before = [before.import, before.export, before.generation];
        let sums = &mut self.read.entry(id).or_default().measured;
        for ((sum, now), before) in sums.iter_mut().zip(now).zip(before) {
            *sum += i128::from(now) - before;
        }
    }

    /// Returns who had a meter when a slot began.
    pub(super) fn at(&self, slot: Slot) -> &[ParticipantId] {
        &self.owners[..self.enrolled_at.partition_point(|at| *at <= slot.start())]
    }

    /// Compares every meter's slots with its registers.
    pub(super) fn check(&self, market: &Market, checks: &mut Checks) {
        for (&id, meter) in &self.read {
            let laws = [Law::ImportRegisters, Law::ExportRegisters, Law::GenerationRegisters];
            for ((law, measured), rise) in laws.into_iter().zip(meter.measured).zip(meter.rise()) {
                checks.note(law, None, [measured, rise], || rows::name(market, id).to_owned());
            }
        }
    }
}

impl Meter {
    /// Takes the reading of a later slot, or a correction.
    fn take(&mut self, reading: Reading) {
        if self.first.is_none_or(|first| first.read_at == reading.read_at) {
            self.first = Some(reading);
        }
        if self.last.is_none_or(|last| last.read_at <= reading.read_at) {
            self.last = Some(reading);
        }
    }

    /// Returns what the registers rose: import, export and generation.
    fn rise(&self) -> [i128; 3] {
        let registers = |reading: Option<Reading>| {
            reading.map_or([0; 3], |it| {
                [it.import_register, it.export_register, it.generation_register].map(|it| i128::from(it.0))
            })
        };
        let (first, last) = (registers(self.first), registers(self.last));
        [0, 1, 2].map(|place| last[place] - first[place])
    }
}
