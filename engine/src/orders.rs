//! Orders: what must hold for one to be placed or cancelled, and what it then changes (R3, R7, R8, R9).
//!
//! Knows the market's limits, balances and phases; how orders trade is `matching.rs`.
//! Keeps: a refused order changes nothing; a bid is reserved to the 1e-9 yuan before it can trade.

use alloc::vec::Vec;

use crate::book::OpenOrder;
use crate::slots::{Placed, Standing};
use crate::{
    Energy, Event, Market, NewOrder, NewParticipant, OrderId, Outcome, ParticipantId, Phase, Rejection, Side,
    Stamp, Worth,
};

impl Market {
    /// Places a schedule of orders, each judged by itself, in its order.
    pub(crate) fn place_orders(
        &mut self,
        stamp: Stamp,
        owner: ParticipantId,
        orders: &[NewOrder],
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let max = self.config.schedule_len_max;
        if orders.len() > usize::from(max) {
            return Err(Rejection::ScheduleMustNotBeTooLong { len: orders.len() as u64, max });
        }
        let ids = (0..).map(|position| OrderId { index: stamp.index, position });
        let placed = ids.zip(orders).map(|(id, order)| self.place(stamp, id, owner, order, events));
        Ok(Outcome::Placed(placed.collect()))
    }

    fn place(
        &mut self,
        stamp: Stamp,
        id: OrderId,
        owner: ParticipantId,
        order: &NewOrder,
        events: &mut Vec<Event>,
    ) -> Result<OrderId, Rejection> {
        let participant = &self.participants.get(owner).new;
        let may = match order.side {
            Side::Bid => participant.roles.consumer,
            Side::Offer => participant.roles.producer,
        };
        if !may {
            return Err(Rejection::RoleMustPermit);
        }
        self.check_slot(stamp, order)?;
        self.check_energy_and_limit(order)?;
        let standing = self.slots.get(order.slot).map_or(Standing::default(), |slot| slot.standing(owner));
        match order.side {
            Side::Bid => self.check_bid(owner, participant, order)?,
            Side::Offer => check_offer(participant, standing, order)?,
        }

        // Every check is above; from here the order is accepted.
        let zone = participant.zone;
        self.slots.hold(order.slot, stamp.at, &self.config.timeline, self.grid.zone_count());
        self.slots.remember(id, Placed { slot: order.slot, owner });
        let slot = self.slots.get_mut(order.slot);
        let NewOrder { side, limit, energy, .. } = *order;
        let open = slot.standings.entry(owner).or_default().open_on(side);
        *open = open.plus(energy);
        if side == Side::Bid {
            self.accounts.reserve(owner, limit.times(energy));
        }
        slot.book.insert(OpenOrder { id, owner, zone, side, limit, remaining: energy });
        if slot.phase == Phase::Continuous {
            self.match_incoming(stamp, order.slot, id, events);
        }
        Ok(id)
    }

    fn check_slot(&self, stamp: Stamp, order: &NewOrder) -> Result<(), Rejection> {
        let slot = order.slot;
        match self.slots.phase(slot, stamp.at, &self.config.timeline) {
            phase @ (Phase::Scheduled | Phase::Settled) => Err(Rejection::SlotMustBeOpen { slot, phase }),
            Phase::Closed => Err(Rejection::GateMustBeOpen { slot }),
            Phase::Auction | Phase::Continuous => Ok(()),
        }
    }

    fn check_energy_and_limit(&self, order: &NewOrder) -> Result<(), Rejection> {
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

    fn check_bid(
        &self,
        owner: ParticipantId,
        participant: &NewParticipant,
        bid: &NewOrder,
    ) -> Result<(), Rejection> {
        let need = bid.limit.times(bid.energy);
        let available = self.accounts.available(owner, participant.credit_limit_fen);
        // A bid at a negative price needs nothing, whatever is available.
        if need > Worth::ZERO && need > available {
            let (need, available) = (need.micros_rounded_up(), available.micros_rounded_down());
            return Err(Rejection::OrderMustBeCovered { need, available });
        }
        Ok(())
    }

    /// Withdraws what is left of an own order.
    pub(crate) fn cancel_order(
        &mut self,
        owner: ParticipantId,
        order: OrderId,
    ) -> Result<Outcome, Rejection> {
        let placed = self.slots.placed(order).ok_or(Rejection::OrderMustExist { order })?;
        let slot = self.slots.get_mut(placed.slot);
        if slot.phase == Phase::Closed {
            return Err(Rejection::GateMustBeOpen { slot: placed.slot });
        }
        if placed.owner != owner {
            return Err(Rejection::OrderMustBeOwn { order });
        }
        let open = slot.book.remove(order).ok_or(Rejection::OrderMustBeOpen { order })?;

        // Every check is above; from here the cancellation is accepted, and the order is out of the book.
        let OpenOrder { side, limit, remaining, .. } = open;
        let standing = slot.standings.entry(owner).or_default().open_on(side);
        *standing = standing.minus(remaining);
        if side == Side::Bid {
            self.accounts.release(owner, limit.times(remaining));
        }
        Ok(Outcome::Cancelled(remaining))
    }
}

fn check_offer(participant: &NewParticipant, standing: Standing, offer: &NewOrder) -> Result<(), Rejection> {
    // A quarter hour at full power, of the weaker of the plant and its connection.
    let deliverable = Energy(participant.pv_capacity_w.min(participant.connection_capacity_w) / 4);
    let free = deliverable.saturating_minus(standing.offers).saturating_minus(standing.sold);
    if offer.energy > free {
        return Err(Rejection::OfferMustBeDeliverable { energy: offer.energy, free });
    }
    Ok(())
}
