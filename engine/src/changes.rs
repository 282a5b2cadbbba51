//! Changes of open orders: cancelled one by one or together, replaced, or over by time (R3, R9).
//!
//! Knows where orders stand and what they reserved; what must hold for a new order is `checks.rs`. Keeps: what
//! leaves a book releases exactly what it reserved; a refused change changes nothing.

use alloc::vec::Vec;

use crate::accounts::need;
use crate::book::{Handle, Left, OpenOrder};
use crate::checks::{Besides, check_energy_and_limit};
use crate::orders::{Arrival, signed};
use crate::placements::Placement;
use crate::{
    Cancellation, Energy, Event, KeyHolder, Lapse, Market, NewOrder, OrderId, Outcome, ParticipantId, Phase,
    Rejection, Replacement, Side, Slot, Stamp, TimeInForce, Worth,
};

impl Market {
    /// Withdraws what is left of an own order, if that is plainly fine: what is wrong with it [`Market::cancel_order`]
    /// names.
    #[inline(never)]
    pub(crate) fn cancel_plain(&mut self, owner: ParticipantId, order: OrderId) -> Option<Energy> {
        self.slots.withdraw_own(owner, order, &mut self.accounts).ok()
    }

    /// Withdraws what is left of an own order.
    #[cold]
    #[inline(never)]
    pub(crate) fn cancel_order(&mut self, owner: ParticipantId, order: OrderId) -> Outcome {
        let withdrawn = self.slots.withdraw_own(owner, order, &mut self.accounts);
        withdrawn.map_or_else(Outcome::Rejected, Outcome::Cancelled)
    }

    /// Changes limit and energy of an own order.
    pub(crate) fn replace_order(
        &mut self,
        stamp: Stamp,
        owner: ParticipantId,
        replacement: &Replacement,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let Replacement { order: id, limit, energy } = *replacement;
        let (Placement { slot, handle, energy: before, .. }, state) = self.slots.open_order(owner, id)?;
        let open = state.book.at(handle);
        let traded = before.minus(open.remaining);
        let good_until = self.slots.good_until(id);
        let time_in_force = good_until.map_or(TimeInForce::GoodUntilGate, TimeInForce::GoodUntil);
        let new = NewOrder { time_in_force, ..NewOrder::resting(open.side, slot, limit, energy) };
        check_energy_and_limit(&self.config, &new)?;
        if energy <= traded {
            return Err(Rejection::EnergyMustExceedWhatHasTraded { energy, traded });
        }
        let new = NewOrder { energy: energy.minus(traded), ..new };
        if limit == open.limit && energy <= before {
            self.slots.set_energy(id, energy);
            self.make_smaller(slot, handle, &open, open.remaining.minus(new.energy));
            return Ok(Outcome::Replaced(id));
        }
        let offers_wh = if open.side == Side::Offer { -signed(open.remaining) } else { 0 };
        let released = need(open.side, open.limit, open.remaining);
        let besides = Besides { reserved: Worth(-released.0), offers_wh, open: -1 };
        let participant = &self.participants.get(owner).new;
        self.check_risk(owner, participant, self.slots.get(slot), &new, besides)?;

        // Every check is above; from here the replacement is accepted.
        self.slots.withdraw(slot, handle, &mut self.accounts);
        let id = OrderId { index: stamp.index, position: 0 };
        let arrival = Arrival { stamp, id, owner, order: &new };
        Ok(Outcome::Replaced(self.accept(&arrival, events)))
    }

    /// Takes energy off an open order at its place in time; nothing of nothing.
    fn make_smaller(&mut self, slot: Slot, handle: Handle, open: &OpenOrder, less: Energy) {
        if less.is_zero() {
            return;
        }
        let state = self.slots.get_mut(slot);
        state.book.reduce(handle, less);
        state.standings.get_mut(open.owner).take_back(open.side, less);
        self.accounts.release(open.owner, need(open.side, open.limit, less));
    }

    /// Withdraws what is left of all orders that fit.
    pub(crate) fn cancel_orders(
        &mut self,
        stamp: Stamp,
        holder: KeyHolder,
        cancellation: &Cancellation,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let owner = self.check_cancellation(holder, cancellation)?;
        if let Some(slot) = cancellation.slot {
            self.check_slot(stamp, slot)?;
        }

        // Every check is above; from here the cancellation is accepted.
        let slots: Vec<Slot> = match cancellation.slot {
            Some(slot) => self.slots.get(slot).map(|_| slot).into_iter().collect(),
            None => self.slots.held().collect(),
        };
        let (mut orders, mut energy) = (0, Energy::ZERO);
        for slot in slots {
            for withdrawn in self.withdraw_all(slot, owner, cancellation.side) {
                orders += 1;
                energy = energy.plus(withdrawn.remaining);
                events.push(lapsed(slot, &withdrawn, Lapse::Cancelled));
            }
        }
        Ok(Outcome::CancelledAll { orders, energy })
    }

    /// Returns whose orders are withdrawn: one's own, or, for an operator, anybody's.
    fn check_cancellation(
        &self,
        holder: KeyHolder,
        cancellation: &Cancellation,
    ) -> Result<ParticipantId, Rejection> {
        match (&cancellation.participant, holder) {
            (Some(name), _) if self.is_operator(holder) => {
                self.participants.by_name(name).ok_or(Rejection::ParticipantMustExist)
            }
            (Some(name), KeyHolder::Owner(owner)) if self.participants.get(owner).new.name == *name => {
                Ok(owner)
            }
            (None, KeyHolder::Owner(owner)) => Ok(owner),
            _ => Err(Rejection::RoleMustPermit),
        }
    }

    /// Withdraws an owner's open orders of a slot, in order of their ids.
    fn withdraw_all(&mut self, slot: Slot, owner: ParticipantId, side: Option<Side>) -> Vec<Left> {
        let state = self.slots.get_mut(slot);
        if state.standings.get(owner).open == 0 {
            return Vec::new();
        }
        let fits = |order: &OpenOrder| order.owner == owner && side.is_none_or(|side| order.side == side);
        let mut fitting: Vec<(OrderId, Handle)> = state
            .book
            .numbered()
            .filter(|(_, order)| fits(order))
            .map(|(handle, order)| (order.id, handle))
            .collect();
        fitting.sort_unstable_by_key(|(id, _)| *id);
        let withdraw = |(_, handle)| self.slots.withdraw(slot, handle, &mut self.accounts);
        fitting.into_iter().map(withdraw).collect()
    }

    /// Withdraws what is left of an order whose time is over.
    pub(crate) fn expire(&mut self, order: OrderId, events: &mut Vec<Event>) {
        let placed = self.slots.placed(order).expect("an order that can expire was placed");
        assert!(self.slots.get_mut(placed.slot).phase < Phase::Closed, "it expires before gate closure");
        let withdrawn = self.slots.withdraw(placed.slot, placed.handle, &mut self.accounts);
        events.push(lapsed(placed.slot, &withdrawn, Lapse::Expired));
    }
}

fn lapsed(slot: Slot, order: &Left, cause: Lapse) -> Event {
    Event::OrderLapsed { order: order.id, owner: order.owner, slot, energy: order.remaining, cause }
}
