//! Readings: what a meter's reading sets going, and how a slot goes from its settlement to the final one.
//!
//! Knows which slots are closed or settled, and who must be asked when something was metered. What a reading
//! must be is `meters.rs`, what was delivered `delivery.rs`, and what is paid `settlement.rs`.
//! Keeps: a slot is settled once, and again with every reading that changes it until its final settlement;
//! behind that nothing changes. Rules R10 to R13.

use alloc::vec::Vec;

use crate::delivery::Deliveries;
use crate::meters::{Change, Metered};
use crate::settlement::Settlement;
use crate::{Event, Market, Outcome, ParticipantId, Phase, Reading, Rejection, Slot, Stamp};

impl Market {
    /// Takes a meter's reading, and settles what it completes or changes.
    pub(crate) fn take_reading(
        &mut self,
        stamp: Stamp,
        of: ParticipantId,
        reading: Reading,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let (timeline, max) = (&self.config.timeline, self.config.corrections_max);
        let changes = self.meters.check_and_take(of, reading, stamp.at, timeline, max, events)?;
        for change in &changes {
            self.follow(stamp, of, change, events);
        }
        Ok(Outcome::ReadingTaken)
    }

    /// Lets follow what a reading changed in one slot.
    fn follow(&mut self, stamp: Stamp, of: ParticipantId, change: &Change, events: &mut Vec<Event>) {
        let slot = change.slot;
        let is_energy = change.after.as_ref().is_some_and(Metered::is_energy);
        match self.phase(slot, stamp.at) {
            Phase::Closed => {
                if is_energy {
                    self.slots.hold(slot, stamp.at, &self.config, &self.tariffs);
                }
                let all_are_in = self.meters.readings_in(slot) == self.participants.with_meter();
                if all_are_in && self.slots.get(slot).is_some() {
                    self.settle(slot, events);
                }
            }
            Phase::Settled | Phase::Resettled => {
                if is_energy && !self.settled.keeps(slot) {
                    // Nothing stood in the slot at its deadline.
                    self.slots.settle_empty(slot, &self.config.timeline);
                    self.settled.keep(slot, Deliveries::default());
                }
                if change.before != change.after && self.settled.keeps(slot) {
                    self.resettle(of, change, events);
                }
            }
            Phase::Final => {}
            phase @ (Phase::Scheduled | Phase::Auction | Phase::Continuous) => {
                unreachable!("a slot that is over is not {phase}")
            }
        }
    }

    /// Settles a held slot, for the first time.
    pub(crate) fn settle(&mut self, slot: Slot, events: &mut Vec<Event>) {
        let trades = self.slots.settle(slot, &self.config.timeline, &self.tariffs);
        let deliveries = self.settlement_of(slot, events).settle(&trades);
        self.settled.keep(slot, deliveries);
        for (producer, metered) in (0..).map(ParticipantId).zip(self.meters.metered_in(slot)) {
            if metered.is_some_and(|metered| !metered.export.is_zero() || !metered.generation.is_zero()) {
                self.certify(slot, producer, events);
            }
        }
        events.push(Event::PhaseBegan { slot, phase: Phase::Settled });
    }

    /// Settles a slot again in which something of one participant is metered anew.
    fn resettle(&mut self, who: ParticipantId, change: &Change, events: &mut Vec<Event>) {
        let (slot, first) = (change.slot, events.len());
        let mut deliveries = core::mem::take(self.settled.get_mut(slot));
        let producers = self.settlement_of(slot, events).resettle(who, change, &mut deliveries);
        *self.settled.get_mut(slot) = deliveries;
        let moves_money = events[first..].iter().any(|event| matches!(event, Event::Posted(_)));
        for producer in producers {
            self.certify(slot, producer, events);
        }
        if moves_money && self.slots.begin_to_resettle(slot) {
            events.push(Event::PhaseBegan { slot, phase: Phase::Resettled });
        }
    }

    /// Ends a slot's settlement for ever.
    pub(crate) fn conclude(&mut self, slot: Slot, events: &mut Vec<Event>) {
        for (producer, metered) in (0..).map(ParticipantId).zip(self.meters.metered_in(slot)) {
            if metered.is_some() {
                let certifiable = self.settled.certifiable(slot, producer, &self.meters);
                let import_of = |id| self.meters.import(slot, id);
                self.certificates.conclude(slot, producer, &certifiable, import_of, events);
            }
        }
        self.meters.conclude(slot);
        self.settled.release(slot);
        self.slots.conclude(slot, &self.config.timeline);
        events.push(Event::PhaseBegan { slot, phase: Phase::Final });
    }

    /// Certifies what current readings say of a producer's slot.
    fn certify(&mut self, slot: Slot, producer: ParticipantId, events: &mut Vec<Event>) {
        let certifiable = self.settled.certifiable(slot, producer, &self.meters);
        self.certificates.certify(slot, producer, &certifiable, events);
    }

    fn settlement_of<'a>(&'a mut self, slot: Slot, events: &'a mut Vec<Event>) -> Settlement<'a> {
        let in_force = &self.tariffs.at(slot).config;
        Settlement {
            slot,
            tariff: *in_force.tariff(slot),
            deviation_per_mille: in_force.deviation_per_mille,
            meters: &self.meters,
            accounts: &mut self.accounts,
            events,
        }
    }
}
