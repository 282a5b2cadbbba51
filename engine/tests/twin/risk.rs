//! R8: what orders and trades reserve, and what a plant can deliver.

use parkwatt_engine::*;

use super::Twin;
use super::orders::Order;

/// Returns the most that an order can cost its owner.
pub fn need(side: Side, limit: Price, energy: Energy) -> Worth {
    let worth = match side {
        Side::Bid => limit.times(energy),
        Side::Offer => Price(-limit.0).times(energy),
    };
    worth.max(Worth::ZERO)
}

/// Returns what a trade costs one of its sides.
fn debt(trade: &Trade, owner: ParticipantId) -> Worth {
    let buyers = need(Side::Bid, trade.buyer_price(), trade.energy);
    let sellers = need(Side::Offer, trade.price, trade.energy);
    let if_his = |worth, side| if side == owner { worth } else { Worth::ZERO };
    if_his(buyers, trade.buyer).plus(if_his(sellers, trade.seller))
}

impl Twin {
    /// Returns what is reserved of a participant's money.
    pub fn reserved(&self, owner: ParticipantId) -> Worth {
        let open = self.open_orders().filter(|order| order.owner == owner);
        let open = open.map(|order| need(order.side, order.limit, order.remaining()));
        let unsettled = self.trades.iter().filter(|trade| !self.is_settled(trade.slot));
        let unsettled = unsettled.map(|trade| debt(trade, owner));
        open.chain(unsettled).fold(Worth::ZERO, Worth::plus)
    }

    /// Returns an account's balance.
    pub fn balance(&self, account: Account) -> Worth {
        let moved = self.postings.iter().map(|posting| match posting {
            Posting { from, .. } if *from == account => Worth(-posting.amount.0),
            Posting { to, .. } if *to == account => posting.amount,
            _ => Worth::ZERO,
        });
        moved.fold(Worth::ZERO, Worth::plus)
    }

    /// Moves money, and says so, if it is any.
    pub(super) fn pay(&mut self, from: Account, to: Account, amount: Worth, purpose: Purpose) {
        if amount != Worth::ZERO {
            let posting = Posting { from, to, amount, purpose };
            self.postings.push(posting);
            self.say(Event::Posted(posting));
        }
    }

    /// Checks that an order is covered and deliverable, if orders of its owner that come `before` it stand.
    pub(super) fn check_risk(
        &self,
        owner: ParticipantId,
        order: &NewOrder,
        before: &[NewOrder],
    ) -> Result<(), Rejection> {
        self.check_cover(owner, order, before)?;
        if order.side == Side::Offer {
            let theirs = before.iter().filter(|it| it.side == Side::Offer && it.slot == order.slot);
            let theirs = theirs.fold(Energy::ZERO, |sum, offer| sum.plus(offer.energy));
            let free = self.deliverable(owner, order.slot).saturating_minus(theirs);
            if order.energy > free {
                return Err(Rejection::OfferMustBeDeliverable { energy: order.energy, free });
            }
        }
        Ok(())
    }

    fn check_cover(
        &self,
        owner: ParticipantId,
        order: &NewOrder,
        before: &[NewOrder],
    ) -> Result<(), Rejection> {
        let need_of = |order: &NewOrder| need(order.side, order.limit, order.energy);
        let credit = Worth(i128::from(self.person(owner).credit_limit_fen) * 10_000_000);
        let spoken_for = before.iter().map(need_of).fold(self.reserved(owner), Worth::plus);
        let available = self.balance(Account::Participant(owner)).plus(credit).minus(spoken_for);
        let need = need_of(order);
        if need > Worth::ZERO && need > available {
            let (need, available) = (need.micros_rounded_up(), available.micros_rounded_down());
            return Err(Rejection::OrderMustBeCovered { need, available });
        }
        Ok(())
    }

    /// Returns what an owner's plant can deliver in a slot beyond his open offers and sales.
    fn deliverable(&self, owner: ParticipantId, slot: Slot) -> Energy {
        let watts = self.person(owner).pv_capacity_w.min(self.person(owner).connection_capacity_w);
        let is_own_offer =
            |order: &&Order| order.owner == owner && order.slot == slot && order.side == Side::Offer;
        let offered = self.open_orders().filter(is_own_offer).map(Order::remaining);
        let sold = self.trades.iter().filter(|trade| trade.seller == owner && trade.slot == slot);
        let sold = sold.map(|trade| trade.energy);
        Energy(watts / 4).saturating_minus(offered.chain(sold).fold(Energy::ZERO, Energy::plus))
    }
}
