//! Orders: how one is placed, by itself or in a schedule, and what it then changes (R3, R8).
//!
//! Knows schedules, reservations and phases; what must hold for an order is `checks.rs`, how orders trade
//! `matching.rs`, and how they are cancelled and replaced `changes.rs`.
//! Keeps: a refused order changes nothing; what an order may cost is reserved before it can trade.

use alloc::vec::Vec;

use crate::accounts::need;
use crate::book::{Handle, OpenOrder};
use crate::checks::Besides;
use crate::placements::Placement;
use crate::{
    Answers, Energy, Event, Lapse, Market, NewOrder, OrderId, Outcome, ParticipantId, Phase, Rejection,
    Schedule, Side, Slot, Stamp, TimeInForce, Worth,
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
    /// Places a schedule of orders.
    pub(crate) fn place_orders(
        &mut self,
        stamp: Stamp,
        owner: ParticipantId,
        schedule: &Schedule,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let (max, orders) = (self.config.schedule_len_max, &schedule.orders[..]);
        if orders.len() > usize::from(max) {
            return Err(Rejection::ScheduleMustNotBeTooLong { len: orders.len() as u64, max });
        }
        if schedule.all_or_none {
            return Ok(Outcome::Placed(self.place_whole(stamp, owner, orders, events)));
        }
        let mut answers = Answers::new();
        answers.reserve(orders.len());
        for (position, order) in (0..).zip(orders) {
            let id = OrderId { index: stamp.index, position };
            answers.push(self.place(&Arrival { stamp, id, owner, order }, events));
        }
        Ok(Outcome::Placed(answers))
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

    /// Places one order.
    #[inline]
    fn place(&mut self, arrival: &Arrival, events: &mut Vec<Event>) -> Result<OrderId, Rejection> {
        self.check(arrival, Besides::default())?;
        if is_conditional(arrival.order) {
            self.plan(arrival);
            self.check_conditions(arrival.order)?;
        }

        // Every check is above; from here the order is accepted.
        Ok(self.accept(arrival, events))
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
        match self.slots.get(arrival.order.slot) {
            Some(state) if state.phase == Phase::Continuous => {
                let grid = &self.tariffs.get(state.tariffs).grid;
                let incoming = state.book.incoming(grid, &self.as_open(arrival));
                self.plan.make(&state.book, grid, &state.flows, &incoming);
            }
            _ => self.plan.clear(),
        }
    }

    /// Returns an order as it stands once it rests whole.
    fn as_open(&self, arrival: &Arrival) -> OpenOrder {
        let Arrival { id, owner, order, .. } = *arrival;
        let NewOrder { side, limit, energy, .. } = *order;
        let zone = self.participants.get(owner).new.zone;
        OpenOrder { id, owner, zone, side, limit, remaining: energy }
    }

    /// Accepts an order that was checked, and returns its id.
    #[inline]
    pub(crate) fn accept(&mut self, arrival: &Arrival, events: &mut Vec<Event>) -> OrderId {
        let Arrival { stamp, id, owner, order } = *arrival;
        let NewOrder { side, slot, limit, energy, .. } = *order;
        let whole = self.as_open(arrival);
        let state = self.slots.hold(slot, stamp.at, &self.config, &self.tariffs);
        let grid = &self.tariffs.get(state.tariffs).grid;
        let incoming = state.book.incoming(grid, &whole);
        let (mut remaining, mut makes_room) = (energy, false);
        if state.phase == Phase::Continuous && state.book.may_meet(&incoming) {
            makes_room = state.book.meet(grid, &mut state.flows, &incoming, &mut self.plan);
            state.may_be_blocked |= self.plan.is_blocked();
            if !self.plan.fills().is_empty() {
                remaining = energy.minus(self.plan.filled());
                self.trade_as_met(stamp, slot, &incoming, events);
            }
        }
        let mut handle = Handle::NOWHERE;
        if !remaining.is_zero() {
            if is_immediate(order) {
                let cause = Lapse::Immediate;
                events.push(Event::OrderLapsed { order: id, owner, slot, energy: remaining, cause });
            } else {
                self.accounts.reserve(owner, need(side, limit, remaining));
                let state = self.slots.get_mut(slot);
                handle = state.book.insert(&incoming, remaining);
                state.standings.get_mut(owner).open(side, remaining);
                self.let_expire(id, order);
            }
        }
        self.slots.remember(id, Placement { slot, owner, handle, energy });
        if makes_room {
            self.trade_what_has_room(stamp, slot, events);
        }
        id
    }

    /// Lets an order that rests expire, if that is before gate closure.
    #[inline]
    fn let_expire(&mut self, id: OrderId, order: &NewOrder) {
        if let TimeInForce::GoodUntil(until) = order.time_in_force
            && until < self.config.timeline.gate_closes_at(order.slot)
        {
            self.slots.expire_at(id, until);
        }
    }
}

/// Returns whether an order never rests.
pub(crate) fn is_immediate(order: &NewOrder) -> bool {
    matches!(order.time_in_force, TimeInForce::ImmediateOrCancel | TimeInForce::FillOrKill)
}

/// Returns whether an order asks something of its coming that other orders could spoil.
fn is_conditional(order: &NewOrder) -> bool {
    order.post_only || order.time_in_force == TimeInForce::FillOrKill || !order.minimum_fill.is_zero()
}

/// Returns an energy as a number that can be less than none.
pub(crate) fn signed(energy: Energy) -> i64 {
    i64::try_from(energy.0).expect("limits on orders keep a slot's energy below 2^63 Wh")
}
