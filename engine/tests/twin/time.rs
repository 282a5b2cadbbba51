//! R2: where a slot is in its life, and what falls due when.

use parkwatt_engine::*;

use super::Twin;
use super::orders::Order;

impl Twin {
    /// Returns the phase of a slot at the present moment.
    pub fn phase(&self, slot: Slot) -> Phase {
        if let Some((_, phase)) = self.slots.iter().find(|(held, _)| *held == slot) {
            return *phase;
        }
        if let Some((_, phase)) = self.settled.iter().find(|(settled, _)| *settled == slot) {
            return *phase;
        }
        let has_ended = |phase: &Phase| self.end_of(slot, *phase) <= self.stamp.at;
        let phases = [Phase::Scheduled, Phase::Auction, Phase::Continuous, Phase::Closed, Phase::Settled];
        phases.into_iter().find(|phase| !has_ended(phase)).unwrap_or(Phase::Final)
    }

    /// Returns when a phase of a slot ends by the timeline.
    fn end_of(&self, slot: Slot, phase: Phase) -> Timestamp {
        let seconds = |seconds: u32| u64::from(seconds) * 1_000_000;
        let (delivery, times) = (u64::from(slot.0) * 900_000_000, self.config.timeline);
        let before = |time| Timestamp(delivery.saturating_sub(seconds(time)));
        match phase {
            Phase::Scheduled => before(times.opens_before_s),
            Phase::Auction => before(times.uncross_before_s),
            Phase::Continuous => before(times.gate_before_s),
            Phase::Closed => Timestamp(delivery + 900_000_000 + seconds(times.settle_after_s)),
            Phase::Settled | Phase::Resettled => {
                Timestamp(delivery + 900_000_000 + seconds(times.final_after_s))
            }
            Phase::Final => unreachable!("what is final does not end"),
        }
    }

    /// Lets something stand in a slot from now on.
    pub(super) fn hold(&mut self, slot: Slot) {
        if !self.slots.iter().any(|(held, _)| *held == slot) {
            self.slots.push((slot, self.phase(slot)));
            self.slots.sort_unstable();
        }
    }

    /// Returns the next moment at which something falls due.
    pub fn next_due(&self) -> Option<Timestamp> {
        let ends = self.going_on().into_iter().map(|(slot, phase)| self.end_of(slot, phase));
        // What should have expired before, and is held again, expires now.
        let expiry = self.certificates.next_due().map(|due| due.max(self.reached));
        ends.chain(self.open_orders().filter_map(good_until)).chain(expiry).min()
    }

    /// Lets happen what falls due at one moment: first orders lapse, then slots go on, then
    /// certificates expire.
    pub(super) fn let_happen(&mut self, due: Timestamp) {
        let over = self.open_orders().filter(|order| good_until(order) == Some(due));
        for order in over.map(|order| order.id).collect::<Vec<_>>() {
            self.lapse(order, Lapse::Expired);
        }
        for (slot, _) in self.going_on() {
            let is_over =
                |twin: &Twin, (going_on, phase)| going_on == slot && twin.end_of(slot, phase) == due;
            while self.going_on().into_iter().any(|it| is_over(self, it)) {
                self.go_on(slot);
            }
        }
        self.certificates.expire(due, &mut self.said);
    }

    /// Returns every slot in which something stands and that is not final, with its phase, in their order.
    fn going_on(&self) -> Vec<(Slot, Phase)> {
        let settled = self.settled.iter().filter(|(_, phase)| *phase != Phase::Final);
        let mut all: Vec<(Slot, Phase)> = self.slots.iter().chain(settled).copied().collect();
        all.sort_unstable();
        all
    }

    fn go_on(&mut self, slot: Slot) {
        let next = match self.phase(slot) {
            Phase::Auction => {
                self.hold_auction(slot);
                Phase::Continuous
            }
            Phase::Continuous => {
                for order in self.orders.iter_mut().filter(|order| order.slot == slot) {
                    order.is_open = false;
                }
                Phase::Closed
            }
            Phase::Closed => return self.settle(slot),
            Phase::Settled | Phase::Resettled => return self.conclude(slot),
            phase => unreachable!("nothing stands in a slot that is {phase}"),
        };
        let held = self.slots.iter_mut().find(|(held, _)| *held == slot).unwrap();
        held.1 = next;
        self.say(Event::PhaseBegan { slot, phase: next });
    }
}

fn good_until(order: &Order) -> Option<Timestamp> {
    match order.time_in_force {
        TimeInForce::GoodUntil(until) => Some(until),
        _ => None,
    }
}
