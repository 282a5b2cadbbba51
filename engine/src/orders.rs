//! Orders: what must hold for one to be placed, and what it then changes (R3, R8).
//!
//! Knows the market's limits, balances and phases; how orders trade is `matching.rs`, and how they are
//! cancelled and replaced `changes.rs`.
//! Keeps: a refused order changes nothing; what an order may cost is reserved before it can trade.

use alloc::vec::Vec;

use crate::accounts::need;
use crate::book::{Handle, OpenOrder};
use crate::placements::Placement;
use crate::slots::SlotState;
use crate::{
    Answers, Energy, Event, Lapse, Market, MarketConfig, NewOrder, NewParticipant, OrderId, Outcome,
    ParticipantId, Phase, Rejection, Schedule, Side, Slot, Stamp, TimeInForce, Worth,
};

/// An order that is being placed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival<'a> {
    pub(crate) stamp: Stamp,
    pub(crate) id: OrderId,
    pub(crate) owner: ParticipantId,
    pub(crate) order: &'a NewOrder,
}

/// What of an owner's risk other orders have taken that are not in any book yet, or are about to leave it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Besides {
    /// What is reserved for them; negative for what leaves.
    pub(crate) reserved: Worth,
    /// What they offer in the same slot, in Wh; negative for what leaves.
    pub(crate) offers_wh: i64,
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

    /// Checks everything about an order that does not hang on what it meets.
    #[inline]
    fn check(&self, arrival: &Arrival, besides: Besides) -> Result<(), Rejection> {
        let participant = &self.participants.get(arrival.owner).new;
        let state = self.check_by_itself(arrival, participant)?;
        self.check_risk(arrival.owner, participant, state, arrival.order, besides)
    }

    /// Checks what an order says, and returns what stands in its slot.
    #[inline]
    fn check_by_itself(
        &self,
        arrival: &Arrival,
        participant: &NewParticipant,
    ) -> Result<Option<&SlotState>, Rejection> {
        let Arrival { stamp, order, .. } = *arrival;
        let may = match order.side {
            Side::Bid => participant.roles.consumer,
            Side::Offer => participant.roles.producer,
        };
        if !may {
            return Err(Rejection::RoleMustPermit);
        }
        let state = self.slots.get(order.slot);
        let phase = match state {
            Some(state) => state.phase,
            None => self.slots.phase(order.slot, stamp.at, &self.config.timeline),
        };
        check_phase(order.slot, phase)?;
        check_energy_and_limit(&self.config, order)?;
        check_terms(stamp, phase, order)?;
        Ok(state)
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
        let mut offered: Vec<(Slot, i64)> = Vec::new();
        for (position, order) in (0..).zip(orders) {
            let id = OrderId { index: stamp.index, position };
            let arrival = Arrival { stamp, id, owner, order };
            let place = offered.iter().position(|(slot, _)| *slot == order.slot).unwrap_or_else(|| {
                offered.push((order.slot, 0));
                offered.len() - 1
            });
            let besides = Besides { reserved, offers_wh: offered[place].1 };
            if let Err(rejection) = self.check_of_whole(&arrival, &slots, besides) {
                return Some((position, rejection));
            }
            reserved = reserved.plus(need(order.side, order.limit, order.energy));
            if order.side == Side::Offer {
                offered[place].1 += signed(order.energy);
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
        self.plan(arrival);
        self.check_conditions(arrival.order)
    }

    /// Returns the phase of a slot that is open for trading.
    pub(crate) fn check_slot(&self, stamp: Stamp, slot: Slot) -> Result<Phase, Rejection> {
        let phase = self.slots.phase(slot, stamp.at, &self.config.timeline);
        check_phase(slot, phase).map(|()| phase)
    }

    /// Checks that the owner can pay for an order, and deliver it.
    #[inline]
    pub(crate) fn check_risk(
        &self,
        owner: ParticipantId,
        participant: &NewParticipant,
        state: Option<&SlotState>,
        order: &NewOrder,
        besides: Besides,
    ) -> Result<(), Rejection> {
        let need = need(order.side, order.limit, order.energy);
        // OK because an order that can cost nothing needs nothing, whatever is available.
        if need > Worth::ZERO {
            let available = self.accounts.available(owner, participant.credit_limit_fen);
            let available = available.minus(besides.reserved);
            if need > available {
                return Err(must_be_covered(need, available));
            }
        }
        if order.side == Side::Offer {
            let standing = state.map(|state| state.standings.get(owner)).unwrap_or_default();
            let offers = standing.offers.0.saturating_add_signed(besides.offers_wh);
            let taken = Energy(offers).plus(standing.sold);
            let free = deliverable(participant).saturating_minus(taken);
            if order.energy > free {
                return Err(Rejection::OfferMustBeDeliverable { energy: order.energy, free });
            }
        }
        Ok(())
    }

    /// Checks what an order asks of its coming, against the plan of it.
    fn check_conditions(&self, order: &NewOrder) -> Result<(), Rejection> {
        if order.post_only
            && let Some(fill) = self.plan.fills().first()
        {
            return Err(Rejection::PostOnlyMustNotTrade { other: fill.id() });
        }
        let minimum = match order.time_in_force {
            TimeInForce::FillOrKill => order.energy,
            _ => order.minimum_fill,
        };
        if self.plan.filled() < minimum {
            return Err(Rejection::MinimumFillMustBeReached { minimum, fillable: self.plan.filled() });
        }
        Ok(())
    }

    /// Plans what an order would do as it comes: nothing in an auction.
    fn plan(&mut self, arrival: &Arrival) {
        match self.slots.get(arrival.order.slot) {
            Some(state) if state.phase == Phase::Continuous => {
                let incoming = state.book.incoming(&self.as_open(arrival));
                self.plan.make(&state.book, &self.grid, &state.flows, &incoming);
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
        let state = self.slots.hold(slot, stamp.at, &self.config, &self.grid);
        let incoming = state.book.incoming(&whole);
        let (mut remaining, mut makes_room) = (energy, false);
        if state.phase == Phase::Continuous {
            makes_room = state.book.meet(&self.grid, &mut state.flows, &incoming, &mut self.plan);
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

/// Checks that a slot is open for trading.
#[inline]
fn check_phase(slot: Slot, phase: Phase) -> Result<(), Rejection> {
    match phase {
        Phase::Scheduled | Phase::Settled => Err(Rejection::SlotMustBeOpen { slot, phase }),
        Phase::Closed => Err(Rejection::GateMustBeOpen { slot }),
        Phase::Auction | Phase::Continuous => Ok(()),
    }
}

/// Checks an order's energy and limit against the market's bounds.
#[inline]
pub(crate) fn check_energy_and_limit(config: &MarketConfig, order: &NewOrder) -> Result<(), Rejection> {
    let NewOrder { energy, limit, .. } = *order;
    if energy.is_zero() {
        return Err(Rejection::EnergyMustBePositive);
    }
    if energy.0 % config.lot.0 != 0 {
        return Err(Rejection::EnergyMustBeOnLot { energy, lot: config.lot });
    }
    if energy > config.order_energy_max {
        return Err(Rejection::EnergyMustNotExceedTheMaximum { energy, max: config.order_energy_max });
    }
    if limit.0 % config.tick.0 != 0 {
        return Err(Rejection::PriceMustBeOnTick { limit, tick: config.tick });
    }
    let (floor, cap) = (config.price_floor, config.price_cap);
    if limit < floor || limit > cap {
        return Err(Rejection::PriceMustBeWithinBounds { limit, floor, cap });
    }
    Ok(())
}

/// Checks an order's time in force and conditions against each other, and against its slot's phase.
#[inline]
fn check_terms(stamp: Stamp, phase: Phase, order: &NewOrder) -> Result<(), Rejection> {
    if let TimeInForce::GoodUntil(until) = order.time_in_force
        && until <= stamp.at
    {
        return Err(Rejection::GoodUntilMustBeInTheFuture { until, now: stamp.at });
    }
    let (minimum, energy) = (order.minimum_fill, order.energy);
    if minimum > energy {
        return Err(Rejection::MinimumFillMustNotExceedTheEnergy { minimum, energy });
    }
    if is_immediate(order) || !minimum.is_zero() {
        if order.post_only {
            return Err(Rejection::PostOnlyMustRest);
        }
        if phase == Phase::Auction {
            return Err(Rejection::ContinuousTradingMustHaveBegun { slot: order.slot });
        }
    }
    Ok(())
}

#[cold]
fn must_be_covered(need: Worth, available: Worth) -> Rejection {
    let (need, available) = (need.micros_rounded_up(), available.micros_rounded_down());
    Rejection::OrderMustBeCovered { need, available }
}

/// Returns what the weaker of a participant's plant and connection delivers in a quarter hour at full power.
fn deliverable(participant: &NewParticipant) -> Energy {
    Energy(participant.pv_capacity_w.min(participant.connection_capacity_w) / 4)
}

/// Returns whether an order never rests.
fn is_immediate(order: &NewOrder) -> bool {
    matches!(order.time_in_force, TimeInForce::ImmediateOrCancel | TimeInForce::FillOrKill)
}

/// Returns whether an order asks something of its coming that other orders could spoil.
fn is_conditional(order: &NewOrder) -> bool {
    let fills = order.time_in_force == TimeInForce::FillOrKill || !order.minimum_fill.is_zero();
    order.post_only || fills
}

/// Returns an energy as a number that can be less than none.
pub(crate) fn signed(energy: Energy) -> i64 {
    i64::try_from(energy.0).expect("limits on orders keep a slot's energy below 2^63 Wh")
}
