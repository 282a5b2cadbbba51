//! Orders: how they are placed, one by one or as schedules (R3).
//!
//! Knows schedules and conditions; what must hold for an order is `checks.rs`, what it then changes `lane.rs`,
//! how orders trade `matching.rs`, and how they are cancelled and replaced `changes.rs`.
//! Keeps: a refused order changes nothing.

use alloc::vec::Vec;

use crate::accounts::need;
use crate::book::ALLOWED;
use crate::checks::Besides;
use crate::market::Quiet;
use crate::{
    Answers, Energy, Event, Market, NewOrder, OrderId, Outcome, ParticipantId, Phase, Rejection, Schedule,
    Side, Slot, Stamp, TimeInForce, Worth,
};

/// An order that is being placed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival<'a> {
    pub(crate) stamp: Stamp,
    pub(crate) id: OrderId,
    pub(crate) owner: ParticipantId,
    pub(crate) order: &'a NewOrder,
}

impl Market {
    /// Places a schedule, order by order or whole.
    // Cold, though it is not seldom: so that for its sake a single order keeps nothing in the registers.
    #[cold]
    #[inline(never)]
    pub(crate) fn place_schedule(
        &mut self,
        stamp: Stamp,
        owner: ParticipantId,
        schedule: &Schedule,
        events: &mut Vec<Event>,
    ) -> Outcome {
        let (max, orders) = (self.config.schedule_len_max, &schedule.orders[..]);
        // Orders can hold a slot from now on, and expire.
        self.quiet = Quiet::default();
        if orders.len() > usize::from(max) {
            return Outcome::Rejected(Rejection::ScheduleMustNotBeTooLong { len: orders.len() as u64, max });
        }
        if schedule.all_or_none {
            return Outcome::Placed(self.place_whole(stamp, owner, orders, events));
        }
        let mut answers = Answers::new();
        answers.reserve(orders.len());
        for (position, order) in (0..).zip(orders) {
            let id = OrderId { index: stamp.index, position };
            answers.push(self.place(&Arrival { stamp, id, owner, order }, events));
        }
        Outcome::Placed(answers)
    }

    /// Places a schedule whose orders are accepted all together or not at all.
    #[cold]
    #[inline(never)]
    fn place_whole(
        &mut self,
        stamp: Stamp,
        owner: ParticipantId,
        orders: &[NewOrder],
        events: &mut Vec<Event>,
    ) -> Answers {
        if let Some((refused, rejection)) = self.first_refused(stamp, owner, orders) {
            let whole = Rejection::ScheduleMustHoldWhole { refused };
            let answer = |place| Err(if place == refused { rejection } else { whole });
            return (0..).take(orders.len()).map(answer).collect();
        }

        // Every check is above; from here all orders are accepted.
        let mut answers = Answers::new();
        for (position, order) in (0..).zip(orders) {
            let id = OrderId { index: stamp.index, position };
            answers.push(Ok(self.accept(&Arrival { stamp, id, owner, order }, events)));
        }
        answers
    }

    /// Places one order: at once if it is plainly fine, as nearly every one is.
    fn place(&mut self, arrival: &Arrival, events: &mut Vec<Event>) -> Result<OrderId, Rejection> {
        if self.place_plain(arrival.id, arrival.owner, arrival.order, events) {
            return Ok(arrival.id);
        }
        self.check_whole(arrival)?;

        // Every check is above; from here the order is accepted.
        Ok(self.accept(arrival, events))
    }

    /// Checks an order, and what it asks of its coming.
    #[cold]
    #[inline(never)]
    fn check_whole(&mut self, arrival: &Arrival) -> Result<(), Rejection> {
        self.check(arrival, Besides::default())?;
        if is_conditional(arrival.order) {
            self.plan(arrival);
            self.check_conditions(arrival.order)?;
        }
        Ok(())
    }

    /// Returns the first order of an all-or-none schedule that is refused, judged at the state before all of
    /// them.
    fn first_refused(
        &mut self,
        stamp: Stamp,
        owner: ParticipantId,
        orders: &[NewOrder],
    ) -> Option<(u16, Rejection)> {
        let mut slots: Vec<(Slot, bool)> = orders.iter().map(|it| (it.slot, is_conditional(it))).collect();
        slots.sort_unstable();
        let mut reserved = Worth::ZERO;
        // What of the orders before offers in the slot, and how many of them may rest there.
        let mut taken: Vec<(Slot, i64, i32)> = Vec::new();
        for (position, order) in (0..).zip(orders) {
            let id = OrderId { index: stamp.index, position };
            let arrival = Arrival { stamp, id, owner, order };
            let place = taken.iter().position(|(slot, ..)| *slot == order.slot).unwrap_or_else(|| {
                taken.push((order.slot, 0, 0));
                taken.len() - 1
            });
            let (_, offers_wh, open) = &mut taken[place];
            let besides = Besides { reserved, offers_wh: *offers_wh, open: *open };
            if let Err(rejection) = self.check_of_whole(&arrival, &slots, besides) {
                return Some((position, rejection));
            }
            reserved = reserved.plus(need(order.side, order.limit, order.energy));
            *open += i32::from(!is_immediate(order));
            if order.side == Side::Offer {
                *offers_wh += signed(order.energy);
            }
        }
        None
    }

    /// Checks an order of an all-or-none schedule, whose orders' slots and conditions are in `slots`, sorted.
    fn check_of_whole(
        &mut self,
        arrival: &Arrival,
        slots: &[(Slot, bool)],
        besides: Besides,
    ) -> Result<(), Rejection> {
        let (slot, participant) = (arrival.order.slot, &self.participants.get(arrival.owner).new);
        let state = self.check_by_itself(arrival, participant)?;
        let of_slot = &slots[slots.partition_point(|(other, _)| *other < slot)..];
        let of_slot = &of_slot[..of_slot.partition_point(|(other, _)| *other == slot)];
        // Of a slot's orders, sorted, one that has a condition stands last.
        if of_slot.len() > 1 && of_slot.last().is_some_and(|(_, is_conditional)| *is_conditional) {
            return Err(Rejection::ConditionalOrderMustBeAloneInItsSlot { slot });
        }
        self.check_risk(arrival.owner, participant, state, arrival.order, besides)?;
        if is_conditional(arrival.order) {
            self.plan(arrival);
            self.check_conditions(arrival.order)?;
        }
        Ok(())
    }

    /// Plans what an order would do as it comes: nothing in an auction.
    fn plan(&mut self, arrival: &Arrival) {
        match self.lane_of(arrival.owner, arrival.order.slot) {
            Some((lane, owner)) if lane.state.phase == Phase::Continuous => {
                let incoming = lane.incoming(arrival.id, arrival.owner, owner.zone, arrival.order);
                let incoming = incoming.expect(ALLOWED);
                let grid = &lane.tariffs.get(lane.state.tariffs).grid;
                lane.plan.make(&lane.state.book, grid, &lane.state.flows, &incoming);
            }
            _ => self.plan.clear(),
        }
    }
}

/// Returns whether an order never rests.
pub(crate) fn is_immediate(order: &NewOrder) -> bool {
    never_rests(order.time_in_force)
}

pub(crate) fn never_rests(time_in_force: TimeInForce) -> bool {
    matches!(time_in_force, TimeInForce::ImmediateOrCancel | TimeInForce::FillOrKill)
}

/// Returns whether an order asks something of its coming that other orders could spoil.
fn is_conditional(order: &NewOrder) -> bool {
    order.post_only || order.time_in_force == TimeInForce::FillOrKill || !order.minimum_fill.is_zero()
}

/// Returns an energy as a number that can be less than none.
pub(crate) fn signed(energy: Energy) -> i64 {
    i64::try_from(energy.0).expect("limits on orders keep a slot's energy below 2^63 Wh")
}
