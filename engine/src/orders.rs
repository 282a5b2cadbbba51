//! Orders: what must hold for one to be placed, and what it then changes (R3, R8).
//!
//! Knows the market's limits, balances and phases; how orders trade is `matching.rs`, and how they are
//! cancelled and replaced `changes.rs`.
//! Keeps: a refused order changes nothing; what an order may cost is reserved before it can trade.

use alloc::vec::Vec;

use crate::accounts::need;
use crate::book::{Handle, OpenOrder};
use crate::placements::Placement;
use crate::{
    Answers, Energy, Event, Lapse, Market, NewOrder, NewParticipant, OrderId, Outcome, ParticipantId, Phase,
    Rejection, Schedule, Side, Slot, Stamp, TimeInForce, Worth,
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
        let (max, orders) = (self.config.schedule_len_max, &schedule.orders);
        if orders.len() > usize::from(max) {
            return Err(Rejection::ScheduleMustNotBeTooLong { len: orders.len() as u64, max });
        }
        let id = |position| OrderId { index: stamp.index, position };
        if schedule.all_or_none
            && let Some((refused, rejection)) = self.first_refused(stamp, owner, orders)
        {
            let whole = Rejection::ScheduleMustHoldWhole { refused };
            let answer = |place| Err(if place == refused { rejection } else { whole });
            return Ok(Outcome::Placed((0..).take(orders.len()).map(answer).collect()));
        }
        let mut answers = Answers::with_capacity(orders.len());
        for (position, order) in (0..).zip(orders) {
            let arrival = Arrival { stamp, id: id(position), owner, order };
            answers.push(if schedule.all_or_none {
                // Every check is above; from here all orders are accepted.
                Ok(self.accept(&arrival, events))
            } else {
                self.place(&arrival, events)
            });
        }
        Ok(Outcome::Placed(answers))
    }

    /// Places one order.
    fn place(&mut self, arrival: &Arrival, events: &mut Vec<Event>) -> Result<OrderId, Rejection> {
        self.check_terms(arrival)?;
        self.check_risk(arrival.owner, arrival.order, Besides::default())?;
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
        self.check_terms(arrival)?;
        let slot = arrival.order.slot;
        let of_slot = &slots[slots.partition_point(|(other, _)| *other < slot)..];
        let of_slot = &of_slot[..of_slot.partition_point(|(other, _)| *other == slot)];
        // Of a slot's orders, sorted, one that has a condition stands last.
        if of_slot.len() > 1 && of_slot.last().is_some_and(|(_, is_conditional)| *is_conditional) {
            return Err(Rejection::ConditionalOrderMustBeAloneInItsSlot { slot });
        }
        self.check_risk(arrival.owner, arrival.order, besides)?;
        self.plan(arrival);
        self.check_conditions(arrival.order)
    }

    /// Checks what an order says by itself.
    fn check_terms(&self, arrival: &Arrival) -> Result<(), Rejection> {
        let Arrival { stamp, owner, order, .. } = *arrival;
        let roles = self.participants.get(owner).new.roles;
        let may = match order.side {
            Side::Bid => roles.consumer,
            Side::Offer => roles.producer,
        };
        if !may {
            return Err(Rejection::RoleMustPermit);
        }
        let phase = self.check_slot(stamp, order.slot)?;
        self.check_energy_and_limit(order)?;
        if let TimeInForce::GoodUntil(until) = order.time_in_force
            && until <= stamp.at
        {
            return Err(Rejection::GoodUntilMustBeInTheFuture { until, now: stamp.at });
        }
        let (minimum, energy) = (order.minimum_fill, order.energy);
        if minimum > energy {
            return Err(Rejection::MinimumFillMustNotExceedTheEnergy { minimum, energy });
        }
        if order.post_only && (is_immediate(order) || !minimum.is_zero()) {
            return Err(Rejection::PostOnlyMustRest);
        }
        if phase == Phase::Auction && (is_immediate(order) || !minimum.is_zero()) {
            return Err(Rejection::ContinuousTradingMustHaveBegun { slot: order.slot });
        }
        Ok(())
    }

    /// Returns the phase of a slot that is open for trading.
    pub(crate) fn check_slot(&self, stamp: Stamp, slot: Slot) -> Result<Phase, Rejection> {
        match self.slots.phase(slot, stamp.at, &self.config.timeline) {
            phase @ (Phase::Scheduled | Phase::Settled) => Err(Rejection::SlotMustBeOpen { slot, phase }),
            Phase::Closed => Err(Rejection::GateMustBeOpen { slot }),
            phase @ (Phase::Auction | Phase::Continuous) => Ok(phase),
        }
    }

    pub(crate) fn check_energy_and_limit(&self, order: &NewOrder) -> Result<(), Rejection> {
        let (config, NewOrder { energy, limit, .. }) = (&self.config, *order);
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

    /// Checks that the owner can pay for an order, and deliver it.
    pub(crate) fn check_risk(
        &self,
        owner: ParticipantId,
        order: &NewOrder,
        besides: Besides,
    ) -> Result<(), Rejection> {
        let participant = &self.participants.get(owner).new;
        let need = need(order.side, order.limit, order.energy);
        // OK because an order that can cost nothing needs nothing, whatever is available.
        if need > Worth::ZERO {
            let available = self.accounts.available(owner, participant.credit_limit_fen);
            let available = available.minus(besides.reserved);
            if need > available {
                let (need, available) = (need.micros_rounded_up(), available.micros_rounded_down());
                return Err(Rejection::OrderMustBeCovered { need, available });
            }
        }
        if order.side == Side::Offer {
            let standing = self.slots.get(order.slot).map(|slot| slot.standings.get(owner));
            let standing = standing.unwrap_or_default();
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
    pub(crate) fn accept(&mut self, arrival: &Arrival, events: &mut Vec<Event>) -> OrderId {
        let Arrival { stamp, id, owner, order } = *arrival;
        let NewOrder { side, slot, limit, energy, .. } = *order;
        let order_whole = self.as_open(arrival);
        let state = self.slots.hold(slot, stamp.at, &self.config, &self.grid);
        let incoming = state.book.incoming(&order_whole);
        let (mut remaining, mut makes_room) = (energy, false);
        if state.phase == Phase::Continuous {
            makes_room = state.book.meet(&self.grid, &mut state.flows, &incoming, &mut self.plan);
            remaining = energy.minus(self.plan.filled());
            self.trade_as_met(stamp, slot, &incoming, events);
        }
        let mut handle = Handle::NOWHERE;
        if !remaining.is_zero() && is_immediate(order) {
            let cause = Lapse::Immediate;
            events.push(Event::OrderLapsed { order: id, owner, slot, energy: remaining, cause });
        } else if !remaining.is_zero() {
            self.accounts.reserve(owner, need(side, limit, remaining));
            let state = self.slots.get_mut(slot);
            handle = state.book.insert(&incoming, remaining);
            state.standings.get_mut(owner).open(side, remaining);
            if let TimeInForce::GoodUntil(until) = order.time_in_force
                && until < self.config.timeline.gate_closes_at(slot)
            {
                self.slots.expire_at(id, until);
            }
        }
        self.slots.remember(id, Placement { slot, owner, handle, energy });
        if makes_room {
            self.trade_what_has_room(stamp, slot, events);
        }
        id
    }
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
