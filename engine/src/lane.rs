//! The lane: how an order that breaks no rule comes to trade, to rest and to be remembered (R3, R8).
//!
//! Knows what an order touches, each found once: its owner, what stands in its slot, and where it is
//! remembered. Does not name what is wrong with an order: `checks.rs` judges those that are not plainly fine.
//! Keeps: what is plainly fine breaks no rule; what an order may cost is reserved before another can come.

use alloc::vec::Vec;

use crate::accounts::Accounts;
use crate::book::{ALLOWED, Book, Handle, Incoming, Meeting, OpenOrder, Plan};
use crate::checks::Besides;
use crate::matching::Records;
use crate::orders::{Arrival, never_rests};
use crate::placements::{Placement, Placements};
use crate::slots::SlotState;
use crate::standings::{Powers, Standing, Standings};
use crate::{
    Energy, Event, Lapse, LeafIndex, Market, MarketConfig, NewOrder, NewParticipant, OrderId, ParticipantId,
    Phase, Side, Slot, Stamp, TariffVersion, Tariffs, TimeInForce, Worth, ZoneId,
};

/// What the placing of an order touches, found once.
pub(crate) struct Lane<'a> {
    config: &'a MarketConfig,
    accounts: &'a mut Accounts,
    pub(crate) tariffs: &'a Tariffs,
    pub(crate) state: &'a mut SlotState,
    placements: &'a mut Placements,
    pub(crate) plan: &'a mut Plan,
}

impl Market {
    /// Places a command's only order if it is plainly fine, and returns whether it is.
    #[inline(never)]
    pub(crate) fn place_single(
        &mut self,
        index: LeafIndex,
        owner: ParticipantId,
        order: &NewOrder,
        events: &mut Vec<Event>,
    ) -> bool {
        self.place_plain(OrderId { index, position: 0 }, owner, order, events)
    }

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
        let Some(lane) = self.lane(order.slot) else { return false };
        let Lane { config, accounts, state, placements, .. } = lane;
        let SlotState { phase, ref mut book, ref mut standings, .. } = *state;
        let Some(plain) = plainly_fine(config, (phase, book, standings), id, owner, order) else {
            return false;
        };
        let Plain { incoming, place, standing } = plain;
        let energy = incoming.energy;
        let (need, credit_nanos) = (incoming.need(energy), standing.powers.credit_nanos);
        if book.may_meet(&incoming) {
            if !accounts.cover(need, owner, credit_nanos) {
                return false;
            }

            // Every check is above; from here the order is accepted. A copy meets others, so that the order itself stays
            // in the registers.
            let (copy, first, in_force) = (incoming.of(energy), events.len(), TimeInForce::GoodUntilGate);
            let makes_room = self.place_meeting(copy, order.slot, place, in_force, events);
            if makes_room || self.slots.can_expire() {
                self.follow_up(id, order.slot, first, makes_room, events);
            }
            return true;
        }
        if !accounts.reserve_covered(need, owner, credit_nanos) {
            return false;
        }

        // Every check is above; from here the order is accepted, and what it may cost is reserved.
        standing.open(order.side, energy);
        let handle = book.insert(&incoming, energy);
        placements.remember(id, Placement { slot: state.slot, owner, handle, energy });
        true
    }

    /// Places an order that may meet another, and was checked; its owner's standing is at `standing`. Returns whether
    /// its trades made room where there was none.
    // It takes a copy, and finds anew what it touches: for its sake an order that meets nobody keeps nothing in the
    // memory.
    #[inline(never)]
    fn place_meeting(
        &mut self,
        incoming: Incoming,
        slot: Slot,
        standing: usize,
        time_in_force: TimeInForce,
        events: &mut Vec<Event>,
    ) -> bool {
        let lane = self.lane(slot).expect("the slot is held");
        if lane.state.book.is_of_one_zone() {
            return self.place_meeting_at_home(&incoming, slot, standing, time_in_force, events);
        }
        let (left, needed, makes_room) = lane.state.meet(lane.tariffs, lane.plan, &incoming, events);
        lane.rest(&incoming, standing, time_in_force, (left, needed), events);
        makes_room
    }

    /// Does the same in the book of a single zone, whose loop is another one.
    #[inline(never)]
    fn place_meeting_at_home(
        &mut self,
        incoming: &Incoming,
        slot: Slot,
        standing: usize,
        time_in_force: TimeInForce,
        events: &mut Vec<Event>,
    ) -> bool {
        let lane = self.lane(slot).expect("the slot is held");
        let (left, needed) = lane.state.meet_at_home(lane.tariffs, lane.plan, incoming, events);
        lane.rest(incoming, standing, time_in_force, (left, needed), events);
        false
    }

    /// Accepts an order that was checked, and returns its id.
    #[inline(never)]
    pub(crate) fn accept(&mut self, arrival: &Arrival, events: &mut Vec<Event>) -> OrderId {
        let Arrival { stamp, id, owner, order } = *arrival;
        self.slots.hold(order.slot, stamp.at, &self.config, &self.tariffs);
        let (lane, participant) = self.lane_of(owner, order.slot).expect("the slot is held");
        let incoming = lane.incoming(id, owner, participant.zone, order).expect(ALLOWED);
        let standing = lane.state.standings.place_for(owner, participant);
        let (first, mut makes_room) = (events.len(), false);
        if lane.state.phase == Phase::Continuous && lane.state.book.may_meet(&incoming) {
            makes_room = self.place_meeting(incoming, order.slot, standing, order.time_in_force, events);
        } else {
            let traded = (order.energy, Worth::ZERO);
            lane.rest(&incoming, standing, order.time_in_force, traded, events);
        }
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
        let stamp = Stamp { at: self.now(), index: id.index };
        let is_plainly_fine = self.lane(order.slot).is_some_and(|lane| {
            let Lane { config, accounts, state, .. } = lane;
            let of_slot = (state.phase, &mut state.book, &mut state.standings);
            plainly_fine(config, of_slot, id, owner, order).is_some_and(|plain| {
                let need = plain.incoming.need(order.energy);
                accounts.cover(need, owner, plain.standing.powers.credit_nanos)
            })
        });
        !is_plainly_fine || self.check(&Arrival { stamp, id, owner, order }, Besides::default()).is_ok()
    }

    /// Finds what an order's placing touches; nothing where its slot is not held.
    #[inline]
    fn lane(&mut self, slot: Slot) -> Option<Lane<'_>> {
        let Market { config, accounts, tariffs, plan, slots, .. } = self;
        let (state, placements) = slots.lane(slot)?;
        Some(Lane { config, accounts, tariffs, state, placements, plan })
    }

    /// Finds what an order's placing touches, and its owner; nothing where its slot is not held.
    pub(crate) fn lane_of(
        &mut self,
        owner: ParticipantId,
        slot: Slot,
    ) -> Option<(Lane<'_>, &NewParticipant)> {
        let Market { config, accounts, tariffs, plan, slots, participants, .. } = self;
        let (state, placements) = slots.lane(slot)?;
        let lane = Lane { config, accounts, tariffs, state, placements, plan };
        Some((lane, &participants.get(owner).new))
    }
}

/// Returns whether an energy is a multiple of the lot; nearly every market's is one Wh.
#[inline]
fn is_on_lot(energy: Energy, lot: Energy) -> bool {
    lot.0 == 1 || is_multiple(energy, lot)
}

#[cold]
#[inline(never)]
fn is_multiple(energy: Energy, lot: Energy) -> bool {
    energy.0.is_multiple_of(lot.0)
}

/// An order that is plainly fine, if its owner covers it.
struct Plain<'a> {
    incoming: Incoming,
    /// Where his standing is.
    place: usize,
    standing: &'a mut Standing,
}

/// Returns an order that is plainly fine: of the kind that nearly every order is, and within every rule, save that it
/// must be covered. What is wrong with the others [`Market::check`] names.
#[expect(clippy::inline_always, reason = "it is on the path of every order")]
#[inline(always)]
fn plainly_fine<'a>(
    config: &MarketConfig,
    (phase, book, standings): (Phase, &mut Book, &'a mut Standings),
    id: OrderId,
    owner: ParticipantId,
    order: &NewOrder,
) -> Option<Plain<'a>> {
    let NewOrder { side, limit, energy, time_in_force, post_only, minimum_fill, .. } = *order;
    let (place, standing) = standings.find_mut(owner)?;
    let is_plain = phase == Phase::Continuous
        && time_in_force == TimeInForce::GoodUntilGate
        && !post_only
        && minimum_fill.is_zero();
    if !is_plain
        || energy.0.wrapping_sub(1) >= config.order_energy_max.0
        || !is_on_lot(energy, config.lot)
        || standing.open >= config.open_orders_max
    {
        return None;
    }
    let Powers { zone, bids, delivers, .. } = standing.powers;
    match side {
        Side::Bid if !bids => return None,
        // OK because what anybody has taken, and any order's energy, are far below 2^64 Wh.
        Side::Offer if standing.taken.0.wrapping_add(energy.0) > delivers.0 => return None,
        Side::Bid | Side::Offer => {}
    }
    let incoming = book.incoming(&OpenOrder { id, owner, zone, side, limit, remaining: energy })?;
    Some(Plain { incoming, place, standing })
}

impl Lane<'_> {
    /// Returns an order as it meets the book; nothing if its limit is none that the market allows.
    #[inline]
    pub(crate) fn incoming(
        &self,
        id: OrderId,
        owner: ParticipantId,
        zone: ZoneId,
        order: &NewOrder,
    ) -> Option<Incoming> {
        let NewOrder { side, limit, energy, .. } = *order;
        let whole = OpenOrder { id, owner, zone, side, limit, remaining: energy };
        self.state.book.incoming(&whole)
    }

    /// Lets what is left of an order rest, or lapse, and remembers it; `needed` is what its owner owes for the rest.
    #[expect(clippy::inline_always, reason = "it is on the path of every order that trades")]
    #[inline(always)]
    fn rest(
        self,
        incoming: &Incoming,
        standing: usize,
        time_in_force: TimeInForce,
        (left, mut needed): (Energy, Worth),
        events: &mut Vec<Event>,
    ) {
        let Incoming { owner, energy, .. } = *incoming;
        let slot = self.state.slot;
        let (mut handle, mut promised) = (Handle::NOWHERE, energy);
        let standing = self.state.standings.at_mut(standing);
        if !left.is_zero() {
            if never_rests(time_in_force) {
                let (order, cause) = (incoming.id(), Lapse::Immediate);
                events.push(Event::OrderLapsed { order, owner, slot, energy: left, cause });
                promised = energy.minus(left);
            } else {
                standing.open += 1;
                handle = self.state.book.insert(incoming, left);
                needed = needed.plus(incoming.need(left));
            }
        }
        standing.promise(incoming.side(), promised);
        self.accounts.reserve(owner, needed);
        self.placements.remember(incoming.id(), Placement { slot, owner, handle, energy });
    }
}

impl SlotState {
    /// Lets an order trade with those that it meets as it comes; returns what is left of it, what its owner owes for
    /// the rest, and whether its trades made room where there was none.
    #[expect(clippy::inline_always, reason = "it is on the path of every order that trades")]
    #[inline(always)]
    fn meet(
        &mut self,
        tariffs: &Tariffs,
        plan: &mut Plan,
        incoming: &Incoming,
        events: &mut Vec<Event>,
    ) -> (Energy, Worth, bool) {
        let tariffs = tariffs.get(self.tariffs);
        let SlotState { slot, book, flows, deals, standings, .. } = self;
        let at = (incoming.id().index, *slot, incoming);
        let mut records = Records::new(at, tariffs, deals, standings, events);
        let ways = tariffs.grid.ways(incoming.side(), incoming.zone());
        let grid = (&tariffs.grid, ways, flows);
        let mut meeting = book.meet(grid, incoming, |fill| records.see(fill));
        let mut needed = records.needed;
        if meeting.is_stuck {
            needed = needed.plus(self.meet_rest(tariffs, plan, incoming, &mut meeting, events));
        }
        (meeting.left, needed, meeting.makes_room)
    }

    /// Does the same in the book of a single zone, where nothing makes room.
    #[expect(clippy::inline_always, reason = "it is on the path of every order that trades")]
    #[inline(always)]
    fn meet_at_home(
        &mut self,
        tariffs: &Tariffs,
        plan: &mut Plan,
        incoming: &Incoming,
        events: &mut Vec<Event>,
    ) -> (Energy, Worth) {
        let tariffs = tariffs.get(self.tariffs);
        let SlotState { slot, book, deals, standings, .. } = self;
        let at = (incoming.id().index, *slot, incoming);
        let mut records = Records::new(at, tariffs, deals, standings, events);
        let mut meeting = book.meet_at_home(incoming, |fill| records.see(fill));
        let mut needed = records.needed;
        if meeting.is_stuck {
            needed = needed.plus(self.meet_rest(tariffs, plan, incoming, &mut meeting, events));
        }
        (meeting.left, needed)
    }

    /// Lets what is left of an order that is stuck trade by a plan, and returns what its owner owes for that.
    #[cold]
    #[inline(never)]
    fn meet_rest(
        &mut self,
        tariffs: &TariffVersion,
        plan: &mut Plan,
        incoming: &Incoming,
        meeting: &mut Meeting,
        events: &mut Vec<Event>,
    ) -> Worth {
        let SlotState { slot, book, flows, deals, standings, may_be_blocked, .. } = self;
        meeting.makes_room |= book.meet_rest(&tariffs.grid, flows, &incoming.of(meeting.left), plan);
        let at = (incoming.id().index, *slot, incoming);
        let mut records = Records::new(at, tariffs, deals, standings, events);
        plan.fills().iter().for_each(|fill| records.see(fill));
        meeting.left = meeting.left.minus(plan.filled());
        *may_be_blocked |= plan.is_blocked();
        records.needed
    }
}
