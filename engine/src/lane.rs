//! The lane: how an order that breaks no rule comes to trade, to rest and to be remembered (R3, R8).
//!
//! Knows what an order touches, each found once: its owner, what stands in its slot, and where it is
//! remembered. Does not name what is wrong with an order: `checks.rs` judges those that are not plainly fine.
//! Keeps: what is plainly fine breaks no rule; what an order may cost is reserved before another can come.

use alloc::vec::Vec;

use crate::accounts::Accounts;
use crate::book::{ALLOWED, Book, Handle, Incoming, OpenOrder, Plan};
use crate::checks::Besides;
use crate::matching::Records;
use crate::orders::{Arrival, never_rests};
use crate::placements::{Placement, Placements};
use crate::slots::SlotState;
use crate::standings::{Powers, Standing, Standings};
use crate::{
    Energy, Event, Lapse, Market, MarketConfig, NewOrder, NewParticipant, OrderId, ParticipantId, Phase,
    Side, Slot, Stamp, Tariffs, TimeInForce, Worth, ZoneId,
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
        let SlotState { slot, phase, ref mut book, ref mut standings, .. } = *state;
        let Some(plain) = plainly_fine(config, accounts, (phase, book, standings), id, owner, order) else {
            return false;
        };

        // Every check is above; from here the order is accepted.
        let Plain { incoming, place, standing, need, reserved } = plain;
        if book.may_meet(&incoming) {
            self.place_meeting(id, owner, order, place, events);
            return true;
        }
        let energy = incoming.energy;
        standing.open(incoming.side, energy);
        if let Some(reserved) = reserved {
            *reserved = reserved.plus(need);
        }
        let handle = book.insert(&incoming, energy);
        placements.remember(id, Placement { slot, owner, handle, energy });
        true
    }

    /// Places an order that is plainly fine and may meet another; its owner's standing is at `standing`.
    // It finds anew what it touches: for its sake an order that meets nobody keeps nothing in the memory.
    #[inline(never)]
    fn place_meeting(
        &mut self,
        id: OrderId,
        owner: ParticipantId,
        order: &NewOrder,
        standing: usize,
        events: &mut Vec<Event>,
    ) {
        let lane = self.lane(order.slot).expect("the slot is held");
        let zone = lane.state.standings.at_mut(standing).powers.zone;
        let incoming = lane.incoming(id, owner, zone, order).expect(ALLOWED);
        let first = events.len();
        let makes_room = lane.accept(&incoming, standing, TimeInForce::GoodUntilGate, events);
        if makes_room || self.slots.can_expire() {
            self.follow_up(id, order.slot, first, makes_room, events);
        }
    }

    /// Accepts an order that was checked, and returns its id.
    #[inline(never)]
    pub(crate) fn accept(&mut self, arrival: &Arrival, events: &mut Vec<Event>) -> OrderId {
        let Arrival { stamp, id, owner, order } = *arrival;
        self.slots.hold(order.slot, stamp.at, &self.config, &self.tariffs);
        let (lane, participant) = self.lane_of(owner, order.slot).expect("the slot is held");
        let incoming = lane.incoming(id, owner, participant.zone, order).expect(ALLOWED);
        let standing = lane.state.standings.place_for(owner, participant);
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
        let stamp = Stamp { at: self.now(), index: id.index };
        let is_plainly_fine = self.lane(order.slot).is_some_and(|lane| {
            let Lane { config, accounts, state, .. } = lane;
            let of_slot = (state.phase, &mut state.book, &mut state.standings);
            plainly_fine(config, accounts, of_slot, id, owner, order).is_some()
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
    lot.0 == 1 || energy.0.is_multiple_of(lot.0)
}

/// An order that is plainly fine, with what its owner has and reserves.
struct Plain<'a> {
    incoming: Incoming,
    /// Where his standing is.
    place: usize,
    standing: &'a mut Standing,
    /// What is to be reserved.
    need: Worth,
    /// What he has reserved; nothing where nothing is to be.
    reserved: Option<&'a mut Worth>,
}

/// Returns an order that is plainly fine: of the kind that nearly every order is, and within every rule. What is
/// wrong with the others [`Market::check`] names.
#[expect(clippy::inline_always, reason = "it is on the path of every order")]
#[inline(always)]
fn plainly_fine<'a>(
    config: &MarketConfig,
    accounts: &'a mut Accounts,
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
    let Powers { zone, bids, delivers, credit_limit_fen } = standing.powers;
    let is_allowed = match side {
        Side::Bid => bids,
        Side::Offer => energy <= delivers.saturating_minus(standing.taken),
    };
    if !is_allowed {
        return None;
    }
    let incoming = book.incoming(&OpenOrder { id, owner, zone, side, limit, remaining: energy })?;
    let need = incoming.need(energy);
    let reserved = match need {
        // OK because an order that can cost nothing needs nothing, whatever is available.
        Worth::ZERO => None,
        need => Some(accounts.covering(need, owner, credit_limit_fen)?),
    };
    Some(Plain { incoming, place, standing, need, reserved })
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

    /// Accepts an order that was checked, and returns whether its trades made room where there was none.
    #[expect(clippy::inline_always, reason = "it is on the path of every order that trades")]
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
        let (mut remaining, mut makes_room) = (energy, false);
        if self.state.phase == Phase::Continuous && self.state.book.may_meet(incoming) {
            (remaining, makes_room) =
                self.state.meet(self.accounts, self.tariffs, self.plan, *incoming, events);
        }
        let (mut handle, mut promised) = (Handle::NOWHERE, energy);
        let standing = self.state.standings.at_mut(standing);
        if !remaining.is_zero() {
            if never_rests(time_in_force) {
                let cause = Lapse::Immediate;
                events.push(Event::OrderLapsed { order: id, owner, slot, energy: remaining, cause });
                promised = energy.minus(remaining);
            } else {
                standing.open += 1;
                handle = self.state.book.insert(incoming, remaining);
                self.accounts.reserve(owner, incoming.need(remaining));
            }
        }
        standing.promise(side, promised);
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
        let SlotState { slot, book, flows, deals, standings, may_be_blocked, .. } = self;
        let at = (incoming.id().index, *slot, &incoming);
        let mut records = Records::new(at, tariffs, deals, standings, events);
        // Each kind of book has a loop of its own, which the records become a part of.
        let mut meeting = if book.is_of_one_zone() {
            book.meet_at_home(&incoming, |fill| records.see(fill))
        } else {
            let ways = records.ways;
            book.meet((&tariffs.grid, ways, flows), &incoming, |fill| records.see(fill))
        };
        let mut needed = records.needed;
        if meeting.is_stuck {
            let left = incoming.of(meeting.left);
            meeting.makes_room |= book.meet_rest(&tariffs.grid, flows, &left, plan);
            let mut records = Records::new(at, tariffs, deals, standings, events);
            plan.fills().iter().for_each(|fill| records.see(fill));
            needed = needed.plus(records.needed);
            meeting.left = meeting.left.minus(plan.filled());
            *may_be_blocked |= plan.is_blocked();
        }
        accounts.reserve(incoming.owner, needed);
        (meeting.left, meeting.makes_room)
    }
}
