//! Checks: what must hold for an order to be placed (R1, R2, R3, R8).
//!
//! Knows the market's limits, balances and phases; changes nothing. The order of the checks is that of
//! [`Rejection`].

use crate::accounts::need;
use crate::orders::{Arrival, is_immediate};
use crate::slots::SlotState;
use crate::{
    Energy, Market, MarketConfig, NewOrder, NewParticipant, ParticipantId, Phase, Rejection, Side, Slot,
    Stamp, TimeInForce, Worth,
};

/// What of an owner's risk other orders have taken that are not in any book yet, or are about to leave it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Besides {
    /// What is reserved for them; negative for what leaves.
    pub(crate) reserved: Worth,
    /// What they offer in the same slot, in Wh; negative for what leaves.
    pub(crate) offers_wh: i64,
    /// How many of them may rest in the same slot; negative for what leaves.
    pub(crate) open: i32,
}

impl Market {
    /// Checks everything about an order that does not hang on what it meets.
    #[inline]
    pub(crate) fn check(&self, arrival: &Arrival, besides: Besides) -> Result<(), Rejection> {
        let participant = &self.participants.get(arrival.owner).new;
        let state = self.check_by_itself(arrival, participant)?;
        self.check_risk(arrival.owner, participant, state, arrival.order, besides)
    }

    /// Checks what an order says, and returns what stands in its slot.
    #[inline]
    pub(crate) fn check_by_itself(
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

    /// Checks that a slot is open for trading.
    pub(crate) fn check_slot(&self, stamp: Stamp, slot: Slot) -> Result<(), Rejection> {
        check_phase(slot, self.slots.phase(slot, stamp.at, &self.config.timeline))
    }

    /// Checks that the owner may have one more order, and can pay for it, and deliver it.
    #[inline]
    pub(crate) fn check_risk(
        &self,
        owner: ParticipantId,
        participant: &NewParticipant,
        state: Option<&SlotState>,
        order: &NewOrder,
        besides: Besides,
    ) -> Result<(), Rejection> {
        let standing = state.map(|state| state.standings.get(owner)).unwrap_or_default();
        let max = self.config.open_orders_max;
        if standing.open.saturating_add_signed(besides.open) >= max && !is_immediate(order) {
            return Err(Rejection::OpenOrdersMustNotExceedTheMaximum { slot: order.slot, max });
        }
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
            let taken = Energy(standing.taken.0.saturating_add_signed(besides.offers_wh));
            let free = deliverable(participant).saturating_minus(taken);
            if order.energy > free {
                return Err(Rejection::OfferMustBeDeliverable { energy: order.energy, free });
            }
        }
        Ok(())
    }

    /// Checks what an order asks of its coming, against the plan of it.
    pub(crate) fn check_conditions(&self, order: &NewOrder) -> Result<(), Rejection> {
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
}

/// Checks that a phase is one of trading.
#[inline]
pub(crate) fn check_phase(slot: Slot, phase: Phase) -> Result<(), Rejection> {
    match phase {
        Phase::Scheduled | Phase::Settled | Phase::Resettled | Phase::Final => {
            Err(Rejection::SlotMustBeOpen { slot, phase })
        }
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
pub(crate) fn deliverable(participant: &NewParticipant) -> Energy {
    Energy(participant.pv_capacity_w.min(participant.connection_capacity_w) / 4)
}
