//! R3: orders that are placed under one signature, each by itself or all or none.

use parkwatt_engine::*;

use super::Twin;

/// Returns how much of an order must trade as it comes.
fn minimum(order: &NewOrder) -> Energy {
    if order.time_in_force == TimeInForce::FillOrKill { order.energy } else { order.minimum_fill }
}

/// Returns whether others of its schedule could spoil what an order relies on.
fn has_condition(order: &NewOrder) -> bool {
    order.post_only || order.time_in_force == TimeInForce::FillOrKill || !order.minimum_fill.is_zero()
}

impl Twin {
    pub(super) fn place(&mut self, owner: ParticipantId, schedule: &Schedule) -> Result<Outcome, Rejection> {
        let (len, max) = (schedule.orders.len(), self.config.schedule_len_max);
        if len > usize::from(max) {
            return Err(Rejection::ScheduleMustNotBeTooLong { len: len as u64, max });
        }
        if schedule.all_or_none {
            return Ok(Outcome::Placed(self.place_whole(owner, &schedule.orders).into_iter().collect()));
        }
        let mut answers = Vec::new();
        for (position, order) in (0..).zip(&schedule.orders) {
            let answer = self.check_order(owner, order, &[], &[]);
            answers.push(answer.map(|()| self.accept_at(position, owner, order)));
        }
        Ok(Outcome::Placed(answers.into_iter().collect()))
    }

    fn place_whole(&mut self, owner: ParticipantId, orders: &[NewOrder]) -> Vec<Result<OrderId, Rejection>> {
        for (refused, order) in orders.iter().enumerate() {
            let (before, after) = (&orders[..refused], &orders[refused + 1..]);
            if let Err(rejection) = self.check_order(owner, order, before, after) {
                let others = Rejection::ScheduleMustHoldWhole { refused: u16::try_from(refused).unwrap() };
                let mut answers = vec![Err(others); orders.len()];
                answers[refused] = Err(rejection);
                return answers;
            }
        }
        (0..).zip(orders).map(|(position, order)| Ok(self.accept_at(position, owner, order))).collect()
    }

    fn accept_at(&mut self, position: u16, owner: ParticipantId, order: &NewOrder) -> OrderId {
        let id = OrderId { index: self.stamp.index, position };
        self.accept(id, owner, order);
        id
    }

    /// Checks an order between those that are to stand or fall with it.
    fn check_order(
        &self,
        owner: ParticipantId,
        order: &NewOrder,
        before: &[NewOrder],
        after: &[NewOrder],
    ) -> Result<(), Rejection> {
        let roles = self.person(owner).roles;
        let may = if order.side == Side::Bid { roles.consumer } else { roles.producer };
        if !may {
            return Err(Rejection::RoleMustPermit);
        }
        self.check_slot(order.slot)?;
        self.check_amounts(order.energy, order.limit)?;
        self.check_conditions(order)?;
        let others = before.iter().chain(after).filter(|other| other.slot == order.slot);
        let others: Vec<&NewOrder> = others.collect();
        if !others.is_empty() && (has_condition(order) || others.into_iter().any(has_condition)) {
            return Err(Rejection::ConditionalOrderMustBeAloneInItsSlot { slot: order.slot });
        }
        self.check_room_for_one_more(owner, order, before)?;
        self.check_risk(owner, order, before)?;
        if self.phase(order.slot) == Phase::Continuous { self.check_fill(owner, order) } else { Ok(()) }
    }

    /// Checks that an order that may rest is not one too many of its owner's in the slot.
    fn check_room_for_one_more(
        &self,
        owner: ParticipantId,
        order: &NewOrder,
        before: &[NewOrder],
    ) -> Result<(), Rejection> {
        let may_rest = |order: &NewOrder| {
            matches!(order.time_in_force, TimeInForce::GoodUntilGate | TimeInForce::GoodUntil(_))
        };
        let (slot, max) = (order.slot, self.config.open_orders_max);
        let open = self.open_orders().filter(|it| it.owner == owner && it.slot == slot).count();
        let earlier = before.iter().filter(|it| it.slot == slot && may_rest(it)).count();
        if may_rest(order) && open + earlier >= usize::try_from(max).unwrap() {
            return Err(Rejection::OpenOrdersMustNotExceedTheMaximum { slot, max });
        }
        Ok(())
    }

    fn check_conditions(&self, order: &NewOrder) -> Result<(), Rejection> {
        let NewOrder { slot, energy, time_in_force, post_only, minimum_fill, .. } = *order;
        let now = self.stamp.at;
        if let TimeInForce::GoodUntil(until) = time_in_force
            && until <= now
        {
            return Err(Rejection::GoodUntilMustBeInTheFuture { until, now });
        }
        if minimum_fill > energy {
            return Err(Rejection::MinimumFillMustNotExceedTheEnergy { minimum: minimum_fill, energy });
        }
        let is_immediate = matches!(time_in_force, TimeInForce::ImmediateOrCancel | TimeInForce::FillOrKill);
        let trades_as_it_comes = is_immediate || !minimum_fill.is_zero();
        if post_only && trades_as_it_comes {
            return Err(Rejection::PostOnlyMustRest);
        }
        if self.phase(slot) == Phase::Auction && trades_as_it_comes {
            return Err(Rejection::ContinuousTradingMustHaveBegun { slot });
        }
        Ok(())
    }

    /// Checks what an order says of its trading as it comes.
    fn check_fill(&self, owner: ParticipantId, order: &NewOrder) -> Result<(), Rejection> {
        let met = self.what_it_meets(owner, order, None);
        if let Some(first) = met.first().filter(|_| order.post_only) {
            return Err(Rejection::PostOnlyMustNotTrade { other: first.other });
        }
        let fillable = met.iter().fold(Energy::ZERO, |sum, meeting| sum.plus(meeting.energy));
        if fillable < minimum(order) {
            return Err(Rejection::MinimumFillMustBeReached { minimum: minimum(order), fillable });
        }
        Ok(())
    }
}
