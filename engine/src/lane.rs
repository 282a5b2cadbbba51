//! The lane: how an order that breaks no rule comes to trade, to rest and to be remembered (R3, R8).
//!
//! Knows what an order touches, each found once: its owner, what stands in its slot, and where it is
//! remembered. Does not name what is wrong with an order: `checks.rs` judges those that are not plainly fine.
//! Keeps: what is plainly fine breaks no rule; what an order may cost is reserved before another can come.

use alloc::vec::Vec;

use crate::accounts::{Accounts, need};
use crate::book::{ALLOWED, Handle, Incoming, OpenOrder, Plan};
use crate::checks::{Besides, deliverable};
use crate::matching::Records;
use crate::orders::{Arrival, never_rests};
use crate::placements::{Placement, Placements};
use crate::slots::SlotState;
use crate::{
    Energy, Event, Lapse, Market, MarketConfig, NewOrder, NewParticipant, OrderId, ParticipantId, Phase,
    Side, Slot, Stamp, Tariffs, TimeInForce, Worth,
};

/// What the placing of an order touches, found once.
pub(crate) struct Lane<'a> {
    config: &'a MarketConfig,
    participant: &'a NewParticipant,
    accounts: &'a mut Accounts,
    pub(crate) tariffs: &'a Tariffs,
    pub(crate) state: &'a mut SlotState,
    placements: &'a mut Placements,
    pub(crate) plan: &'a mut Plan,
}

impl Market {
    /// Places one order if it is plainly fine, and returns whether it is.
    #[expect(clippy::inline_always, reason = "it is what nearly every command is")]
    #[inline(always)]
    pub(crate) fn place_plain(
        &mut self,
        id: OrderId,
        owner: ParticipantId,
        order: &NewOrder,
        events: &mut Vec<Event>,
    ) -> bool {
        debug_assert!(self.plainly_fine_is_fine(id, owner, order), "what is plainly fine breaks no rule");
        let Some(lane) = self.lane(owner, order.slot) else { return false };
        let Some((incoming, standing)) = lane.plainly_fine(id, owner, order) else { return false };

        // Every check is above; from here the order is accepted.
        let first = events.len();
        let makes_room = lane.accept(&incoming, standing, TimeInForce::GoodUntilGate, events);
        if makes_room || self.slots.can_expire() {
            self.follow_up(id, order.slot, first, makes_room, events);
        }
        true
    }

    /// Accepts an order that was checked, and returns its id.
    #[inline(never)]
    pub(crate) fn accept(&mut self, arrival: &Arrival, events: &mut Vec<Event>) -> OrderId {
        let Arrival { stamp, id, owner, order } = *arrival;
        self.slots.hold(order.slot, stamp.at, &self.config, &self.tariffs);
        let lane = self.lane(owner, order.slot).expect("the slot is held");
        let incoming = lane.incoming(id, owner, order).expect(ALLOWED);
        let standing = lane.state.standings.place_for(owner);
        let first = events.len();
        let makes_room = lane.accept(&incoming, standing, order.time_in_force, events);
        self.let_expire(arrival);
        if makes_room || self.slots.can_expire() {
            self.follow_up(id, order.slot, first, makes_room, events);
        }
        id
    }

    /// Lets an order that rests expire, if that is before gate closure.
    fn let_expire(&mut self, arrival: &Arrival) {
        if let TimeInForce::GoodUntil(until) = arrival.order.time_in_force
            && until < self.config.timeline.gate_closes_at(arrival.order.slot)
            && self.slots.placed(arrival.id).is_some_and(|placed| placed.handle != Handle::NOWHERE)
        {
            self.slots.expire_at(arrival.id, until);
        }
    }

    /// Sees to what an order's trades set going.
    #[cold]
    #[inline(never)]
    fn follow_up(
        &mut self,
        id: OrderId,
        slot: Slot,
        first: usize,
        makes_room: bool,
        events: &mut Vec<Event>,
    ) {
        self.slots.forget_expiries_of_traded(slot, &events[first..]);
        if makes_room {
            self.trade_what_has_room(id.index, slot, events);
        }
    }

    /// Returns whether an order, if it is plainly fine, also passes the checks that name what is wrong.
    fn plainly_fine_is_fine(&mut self, id: OrderId, owner: ParticipantId, order: &NewOrder) -> bool {
        let plainly = self.lane(owner, order.slot).and_then(|lane| lane.plainly_fine(id, owner, order));
        let stamp = Stamp { at: self.now(), index: id.index };
        plainly.is_none() || self.check(&Arrival { stamp, id, owner, order }, Besides::default()).is_ok()
    }

    /// Finds what an order's placing touches; nothing where its slot is not held.
    #[inline]
    pub(crate) fn lane(&mut self, owner: ParticipantId, slot: Slot) -> Option<Lane<'_>> {
        let (state, placements) = self.slots.lane(slot)?;
        Some(Lane {
            config: &self.config,
            participant: &self.participants.get(owner).new,
            accounts: &mut self.accounts,
            tariffs: &self.tariffs,
            state,
            placements,
            plan: &mut self.plan,
        })
    }
}

/// Returns whether an energy is a multiple of the lot; nearly every market's is one Wh.
#[inline]
fn is_on_lot(energy: Energy, lot: Energy) -> bool {
    lot.0 == 1 || energy.0.is_multiple_of(lot.0)
}

impl Lane<'_> {
    /// Returns an order as it meets the book, and where its owner's standing is, if it is plainly fine: of the
    /// kind that nearly every order is, and within every rule. What is wrong with the others [`Market::check`]
    /// names.
    #[expect(clippy::inline_always, reason = "it is on the path of every order")]
    #[inline(always)]
    fn plainly_fine(&self, id: OrderId, owner: ParticipantId, order: &NewOrder) -> Option<(Incoming, usize)> {
        let NewOrder { side, energy, time_in_force, post_only, minimum_fill, .. } = *order;
        let (config, participant) = (self.config, self.participant);
        let is_plain = self.state.phase == Phase::Continuous
            && time_in_force == TimeInForce::GoodUntilGate
            && !post_only
            && minimum_fill.is_zero();
        if !is_plain
            || energy.0.wrapping_sub(1) >= config.order_energy_max.0
            || !is_on_lot(energy, config.lot)
        {
            return None;
        }
        let incoming = self.incoming(id, owner, order)?;
        let place = self.state.standings.place(owner)?;
        let standing = self.state.standings.at(place);
        if standing.open >= config.open_orders_max {
            return None;
        }
        let is_allowed = match side {
            Side::Bid => participant.roles.consumer,
            Side::Offer => {
                let taken = standing.offers.plus(standing.sold);
                participant.roles.producer && energy <= deliverable(participant).saturating_minus(taken)
            }
        };
        if !is_allowed {
            return None;
        }
        let need = need(side, incoming.limit(), energy);
        let is_covered =
            need == Worth::ZERO || need <= self.accounts.available(owner, participant.credit_limit_fen);
        is_covered.then_some((incoming, place))
    }

    /// Returns an order as it meets the book; nothing if its limit is none that the market allows.
    #[inline]
    pub(crate) fn incoming(&self, id: OrderId, owner: ParticipantId, order: &NewOrder) -> Option<Incoming> {
        let NewOrder { side, limit, energy, .. } = *order;
        let zone = self.participant.zone;
        let whole = OpenOrder { id, owner, zone, side, limit, remaining: energy };
        self.state.book.incoming(&whole)
    }

    /// Accepts an order that was checked, and returns whether its trades made room where there was none.
    #[expect(clippy::inline_always, reason = "it is on the path of every order")]
    #[inline(always)]
    fn accept(
        self,
        incoming: &Incoming,
        standing: usize,
        time_in_force: TimeInForce,
        events: &mut Vec<Event>,
    ) -> bool {
        let Incoming { owner, side, energy, .. } = *incoming;
        let (id, slot) = (incoming.id(), self.state.slot);
        let (mut remaining, mut makes_room, mut handle) = (energy, false, Handle::NOWHERE);
        if self.state.phase == Phase::Continuous && self.state.book.may_meet(incoming) {
            (remaining, makes_room) =
                self.state.meet(self.accounts, self.tariffs, self.plan, *incoming, events);
        }
        if !remaining.is_zero() {
            if never_rests(time_in_force) {
                let cause = Lapse::Immediate;
                events.push(Event::OrderLapsed { order: id, owner, slot, energy: remaining, cause });
            } else {
                handle = self.state.book.insert(incoming, remaining);
                self.state.standings.at_mut(standing).open(side, remaining);
                self.accounts.reserve(owner, need(side, incoming.limit(), remaining));
            }
        }
        self.placements.remember(id, Placement { slot, owner, handle, energy });
        makes_room
    }
}

impl SlotState {
    /// Lets an order trade with those that it meets as it comes; returns what is left of it, and whether its
    /// trades made room where there was none.
    #[inline(never)]
    fn meet(
        &mut self,
        accounts: &mut Accounts,
        tariffs: &Tariffs,
        plan: &mut Plan,
        incoming: Incoming,
        events: &mut Vec<Event>,
    ) -> (Energy, bool) {
        let tariffs = tariffs.get(self.tariffs);
        let SlotState { slot, book, flows, trades, standings, may_be_blocked, .. } = self;
        let at = (incoming.id().index, *slot, &incoming);
        let mut records = Records::new(at, tariffs, trades, standings, events);
        let mut meeting = book.meet(&tariffs.grid, flows, &incoming, |fill| records.see(fill));
        let mut needed = records.needed;
        if meeting.is_stuck {
            let left = incoming.of(meeting.left);
            meeting.makes_room |= book.meet_rest(&tariffs.grid, flows, &left, plan);
            let mut records = Records::new(at, tariffs, trades, standings, events);
            plan.fills().iter().for_each(|fill| records.see(fill));
            needed = needed.plus(records.needed);
            meeting.left = meeting.left.minus(plan.filled());
            *may_be_blocked |= plan.is_blocked();
        }
        accounts.reserve(incoming.owner, needed);
        let traded = incoming.energy.minus(meeting.left);
        if incoming.side == Side::Offer && !traded.is_zero() {
            let standing = standings.get_mut(incoming.owner);
            standing.sold = standing.sold.plus(traded);
        }
        (meeting.left, meeting.makes_room)
    }
}
