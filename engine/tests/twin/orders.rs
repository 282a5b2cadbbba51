//! R3 and R9: what an order must be, and how it comes, changes and goes.

use parkwatt_engine::*;

use super::Twin;
use super::people::Speaker;

/// An order that was accepted.
#[derive(Clone, Copy)]
pub struct Order {
    pub id: OrderId,
    pub owner: ParticipantId,
    pub side: Side,
    pub slot: Slot,
    pub limit: Price,
    /// What it is for altogether.
    pub energy: Energy,
    pub traded: Energy,
    pub time_in_force: TimeInForce,
    /// Whether it stands in the book.
    pub is_open: bool,
}

impl Order {
    pub fn remaining(&self) -> Energy {
        self.energy.minus(self.traded)
    }
}

impl Twin {
    pub(super) fn open_orders(&self) -> impl Iterator<Item = &Order> {
        self.orders.iter().filter(|order| order.is_open)
    }

    pub(super) fn order(&self, id: OrderId) -> &Order {
        self.orders.iter().find(|order| order.id == id).unwrap()
    }

    pub(super) fn order_mut(&mut self, id: OrderId) -> &mut Order {
        self.orders.iter_mut().find(|order| order.id == id).unwrap()
    }

    /// Checks that a slot takes orders.
    pub(super) fn check_slot(&self, slot: Slot) -> Result<(), Rejection> {
        match self.phase(slot) {
            Phase::Auction | Phase::Continuous => Ok(()),
            Phase::Closed => Err(Rejection::GateMustBeOpen { slot }),
            phase => Err(Rejection::SlotMustBeOpen { slot, phase }),
        }
    }

    /// Checks what an order is for, and at what limit.
    pub(super) fn check_amounts(&self, energy: Energy, limit: Price) -> Result<(), Rejection> {
        let MarketConfig { lot, tick, price_floor: floor, price_cap: cap, .. } = self.config;
        let max = self.config.order_energy_max;
        if energy.is_zero() {
            return Err(Rejection::EnergyMustBePositive);
        }
        if !energy.0.is_multiple_of(lot.0) {
            return Err(Rejection::EnergyMustBeOnLot { energy, lot });
        }
        if energy > max {
            return Err(Rejection::EnergyMustNotExceedTheMaximum { energy, max });
        }
        if limit.0 % tick.0 != 0 {
            return Err(Rejection::PriceMustBeOnTick { limit, tick });
        }
        if limit < floor || limit > cap {
            return Err(Rejection::PriceMustBeWithinBounds { limit, floor, cap });
        }
        Ok(())
    }

    /// Takes an order that nothing speaks against: it trades as it comes, and rests or lapses.
    pub(super) fn accept(&mut self, id: OrderId, owner: ParticipantId, new: &NewOrder) {
        self.hold(new.slot);
        let NewOrder { side, slot, limit, energy, time_in_force, .. } = *new;
        let traded = Energy::ZERO;
        self.orders.push(Order {
            id,
            owner,
            side,
            slot,
            limit,
            energy,
            traded,
            time_in_force,
            is_open: true,
        });
        if self.phase(slot) == Phase::Continuous {
            let has_traded = self.trade_as_it_comes(id);
            if time_in_force == TimeInForce::ImmediateOrCancel && self.order(id).is_open {
                self.lapse(id, Lapse::Immediate);
            }
            if has_traded {
                self.trade_what_can(slot);
            }
        }
    }

    /// Takes what is left of an order out of the book, and says so.
    pub(super) fn lapse(&mut self, id: OrderId, cause: Lapse) -> Energy {
        let order = self.order_mut(id);
        order.is_open = false;
        let (owner, slot, energy) = (order.owner, order.slot, order.remaining());
        self.say(Event::OrderLapsed { order: id, owner, slot, energy, cause });
        energy
    }

    pub(super) fn cancel(&mut self, owner: ParticipantId, id: OrderId) -> Result<Outcome, Rejection> {
        let order = self.own_open_order(owner, id)?;
        self.order_mut(id).is_open = false;
        Ok(Outcome::Cancelled(order.remaining()))
    }

    pub(super) fn replace(
        &mut self,
        owner: ParticipantId,
        replacement: &Replacement,
    ) -> Result<Outcome, Rejection> {
        let Replacement { order: id, limit, energy } = *replacement;
        let old = self.own_open_order(owner, id)?;
        self.check_amounts(energy, limit)?;
        if energy <= old.traded {
            return Err(Rejection::EnergyMustExceedWhatHasTraded { energy, traded: old.traded });
        }
        if limit == old.limit && energy <= old.energy {
            self.order_mut(id).energy = energy;
            return Ok(Outcome::Replaced(id));
        }
        let Order { side, slot, time_in_force, .. } = old;
        let rest =
            NewOrder { time_in_force, ..NewOrder::resting(side, slot, limit, energy.minus(old.traded)) };
        self.order_mut(id).is_open = false;
        if let Err(refused) = self.check_risk(owner, &rest, &[]) {
            self.order_mut(id).is_open = true;
            return Err(refused);
        }
        let new = OrderId { index: self.stamp.index, position: 0 };
        self.accept(new, owner, &rest);
        Ok(Outcome::Replaced(new))
    }

    fn own_open_order(&self, owner: ParticipantId, id: OrderId) -> Result<Order, Rejection> {
        let known = self.orders.iter().find(|order| order.id == id && !self.is_settled(order.slot));
        let order = known.ok_or(Rejection::OrderMustExist { order: id })?;
        if order.owner != owner {
            return Err(Rejection::OrderMustBeOwn { order: id });
        }
        self.check_slot(order.slot)?;
        if !order.is_open {
            return Err(Rejection::OrderMustBeOpen { order: id });
        }
        Ok(*order)
    }

    pub(super) fn cancel_many(
        &mut self,
        by: Speaker,
        withdrawal: &Cancellation,
    ) -> Result<Outcome, Rejection> {
        let own = match by {
            Speaker::Owner(id) => Some(id),
            Speaker::Founder | Speaker::Meter(_) => None,
        };
        let named = withdrawal.participant.as_ref().map(|name| self.by_name(name));
        let owner = match named {
            None => own.ok_or(Rejection::RoleMustPermit)?,
            Some(Some(named)) if own == Some(named) => named,
            Some(_) if !self.is_operator(by) => return Err(Rejection::RoleMustPermit),
            Some(named) => named.ok_or(Rejection::ParticipantMustExist)?,
        };
        if let Some(slot) = withdrawal.slot {
            self.check_slot(slot)?;
        }
        let is_meant = |order: &&Order| {
            order.owner == owner
                && withdrawal.slot.is_none_or(|slot| slot == order.slot)
                && withdrawal.side.is_none_or(|side| side == order.side)
        };
        let mut meant: Vec<(Slot, OrderId)> =
            self.open_orders().filter(is_meant).map(|order| (order.slot, order.id)).collect();
        meant.sort_unstable();
        let orders = u32::try_from(meant.len()).unwrap();
        let energy = meant
            .into_iter()
            .fold(Energy::ZERO, |sum, (_, order)| sum.plus(self.lapse(order, Lapse::Cancelled)));
        Ok(Outcome::CancelledAll { orders, energy })
    }
}
