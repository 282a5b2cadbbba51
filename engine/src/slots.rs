//! Slots: where each quarter hour is in its life, and when time moves it on (R2).
//!
//! Knows the timeline, and what stands in a slot until it is settled; does not know how orders trade or are
//! paid for.
//! Keeps: a slot is held from the first order or metered energy in it until its settlement, and its phase
//! remembered until the final one; for every other the timeline alone says its phase. Each slot that is held
//! or remembered has exactly one next moment.

mod form;
mod held;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::accounts::{Accounts, need};
use crate::book::{Book, Handle, Left};
use crate::checks::check_phase;
use crate::chunks::Chunks;
use crate::deals::Deal;
use crate::grid::Flows;
use crate::placements::{Placement, Placements};
use crate::standings::Standings;
use crate::{
    Energy, Event, MICROS_PER_SECOND, MarketConfig, OrderId, ParticipantId, Phase, Price, Rejection, Slot,
    Tariffs, Timeline, Timestamp, Trade,
};
pub(crate) use form::SlotsForm;
use held::Held;

impl Timeline {
    /// Returns when trading in `slot` opens.
    pub fn opens_at(&self, slot: Slot) -> Timestamp {
        before(slot.start(), self.opens_before_s)
    }

    /// Returns when the call auction of `slot` is held, and continuous trading begins.
    pub fn uncrosses_at(&self, slot: Slot) -> Timestamp {
        before(slot.start(), self.uncross_before_s)
    }

    /// Returns when the gate of `slot` closes.
    pub fn gate_closes_at(&self, slot: Slot) -> Timestamp {
        before(slot.start(), self.gate_before_s)
    }

    /// Returns when `slot` is settled at the latest.
    pub fn settles_by(&self, slot: Slot) -> Timestamp {
        Timestamp(slot.end().0 + u64::from(self.settle_after_s) * MICROS_PER_SECOND)
    }

    /// Returns when the settlement of `slot` is final.
    pub fn final_at(&self, slot: Slot) -> Timestamp {
        Timestamp(slot.end().0 + u64::from(self.final_after_s) * MICROS_PER_SECOND)
    }

    /// Returns the phase in which `slot` is at `at` by time alone; readings may settle it earlier.
    pub fn phase_at(&self, slot: Slot, at: Timestamp) -> Phase {
        if at < self.opens_at(slot) {
            Phase::Scheduled
        } else if at < self.uncrosses_at(slot) {
            Phase::Auction
        } else if at < self.gate_closes_at(slot) {
            Phase::Continuous
        } else if at < self.settles_by(slot) {
            Phase::Closed
        } else if at < self.final_at(slot) {
            Phase::Settled
        } else {
            Phase::Final
        }
    }

    /// Returns when `phase` of `slot` ends.
    fn end_of(&self, phase: Phase, slot: Slot) -> Timestamp {
        match phase {
            Phase::Scheduled => self.opens_at(slot),
            Phase::Auction => self.uncrosses_at(slot),
            Phase::Continuous => self.gate_closes_at(slot),
            Phase::Closed => self.settles_by(slot),
            Phase::Settled | Phase::Resettled => self.final_at(slot),
            Phase::Final => unreachable!("what is final does not end"),
        }
    }
}

fn before(at: Timestamp, seconds: u32) -> Timestamp {
    Timestamp(at.0.saturating_sub(u64::from(seconds) * MICROS_PER_SECOND))
}

/// Every slot in which something stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slots {
    held: Held,
    /// When the phase ends of each slot that is held or settled.
    due: BTreeSet<(Timestamp, Slot)>,
    /// When orders that are good until a time leave the book.
    expiries: BTreeSet<(Timestamp, OrderId)>,
    /// The same by the orders.
    good_until: BTreeMap<OrderId, Timestamp>,
    /// The earliest of both.
    next_due: Option<Timestamp>,
    placements: Placements,
    /// The phase of each slot that is settled and not final, and in which something stands.
    settled: BTreeMap<Slot, Phase>,
}

/// What stands in one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlotState {
    /// Which one.
    pub(crate) slot: Slot,
    /// Where the slot is in its life.
    pub(crate) phase: Phase,
    /// The place of the slot's version among the tariffs.
    pub(crate) tariffs: usize,
    /// The open orders; empty after gate closure.
    pub(crate) book: Book,
    /// What the trades send along the edges.
    pub(crate) flows: Flows,
    /// Whether orders may stand that their limits allow to trade, and the grid or an auction kept apart (R5).
    pub(crate) may_be_blocked: bool,
    /// What is kept of its trades, in order of their ids.
    pub(crate) deals: Chunks<Deal>,
    /// What each owner has standing.
    pub(crate) standings: Standings,
}

/// What falls due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// An order that is good until then.
    Expiry(OrderId),
    /// The end of a slot's phase.
    PhaseEnd(Slot),
}

impl SlotState {
    fn new(slot: Slot, phase: Phase, config: &MarketConfig, tariffs: &Tariffs) -> SlotState {
        let place = tariffs.place_at(slot);
        let grid = &tariffs.get(place).grid;
        SlotState {
            slot,
            phase,
            tariffs: place,
            book: Book::new(config, grid),
            flows: grid.no_flows(),
            may_be_blocked: false,
            deals: Chunks::default(),
            standings: Standings::default(),
        }
    }

    /// Returns the trades, in order of their ids.
    pub(crate) fn trades(&self, tariffs: &Tariffs) -> impl Iterator<Item = Trade> {
        let config = &tariffs.get(self.tariffs).config;
        self.deals.iter().map(|deal| deal.trade(self.slot, config.market_fee, config.tariff_version))
    }

    /// Takes what is left of an open order out of the book, and releases what it reserved.
    fn withdraw(&mut self, handle: Handle, accounts: &mut Accounts) -> Left {
        let id = self.book.at(handle).id;
        let order = self.book.leaving(handle, id).expect("only open orders are withdrawn");
        self.close(&order, accounts);
        self.book.remove(handle);
        order
    }

    /// Releases what an order reserved that has left the book.
    #[expect(clippy::inline_always, reason = "it is on the path of every cancellation")]
    #[inline(always)]
    fn close(&mut self, order: &Left, accounts: &mut Accounts) {
        let standing = self.standings.of_open(order.owner);
        standing.open -= 1;
        standing.take_back(order.side, order.remaining);
        if order.pays > Price::ZERO {
            accounts.release(order.owner, order.pays.times(order.remaining));
        }
    }
}

impl Slots {
    /// Returns the phase of a slot at `now`.
    #[inline]
    pub(crate) fn phase(&self, slot: Slot, now: Timestamp, timeline: &Timeline) -> Phase {
        match self.held.get(slot) {
            Some(state) => state.phase,
            None => match self.settled.get(&slot) {
                Some(phase) => *phase,
                None => timeline.phase_at(slot, now),
            },
        }
    }

    /// Returns a slot in which something stands.
    #[inline]
    pub(crate) fn get(&self, slot: Slot) -> Option<&SlotState> {
        self.held.get(slot)
    }

    /// Returns every slot in which something stands, rising.
    pub(crate) fn held(&self) -> impl Iterator<Item = Slot> {
        self.held.slots()
    }

    /// Returns a held slot, to change what stands in it.
    #[inline]
    pub(crate) fn get_mut(&mut self, slot: Slot) -> &mut SlotState {
        self.held.get_mut(slot).expect("the slot is held from the first order in it until its settlement")
    }

    /// Returns a held slot, and where its orders are remembered, to place one.
    #[inline]
    pub(crate) fn lane(&mut self, slot: Slot) -> Option<(&mut SlotState, &mut Placements)> {
        Some((self.held.get_mut(slot)?, &mut self.placements))
    }

    /// Holds a slot from now on, if it is not held.
    pub(crate) fn hold(&mut self, slot: Slot, now: Timestamp, config: &MarketConfig, tariffs: &Tariffs) {
        if self.held.get(slot).is_some() {
            return;
        }
        let phase = self.phase(slot, now, &config.timeline);
        self.due.insert((config.timeline.end_of(phase, slot), slot));
        self.held.insert(slot, SlotState::new(slot, phase, config, tariffs));
        self.find_next_due();
    }

    /// Changes what an order is for altogether.
    pub(crate) fn set_energy(&mut self, order: OrderId, energy: Energy) {
        self.placements.set_energy(order, energy);
    }

    /// Returns where an order was placed, and by whom; nothing for an order of a settled slot.
    #[inline]
    pub(crate) fn placed(&self, order: OrderId) -> Option<Placement> {
        self.placements.get(order).filter(|placed| self.get(placed.slot).is_some())
    }

    /// Lets an order that rests leave the book at a moment before gate closure.
    pub(crate) fn expire_at(&mut self, order: OrderId, until: Timestamp) {
        self.expiries.insert((until, order));
        self.good_until.insert(order, until);
        self.find_next_due();
    }

    /// Returns until when an open order is good, if that is before gate closure.
    pub(crate) fn good_until(&self, order: OrderId) -> Option<Timestamp> {
        self.good_until.get(&order).copied()
    }

    /// Forgets until when an order was good, which has left the book.
    #[expect(clippy::inline_always, reason = "it is on the path of every cancellation")]
    #[inline(always)]
    pub(crate) fn forget_expiry(&mut self, order: OrderId) {
        if self.can_expire() {
            self.forget_expiry_of(order);
        }
    }

    /// Returns whether any order can expire before gate closure.
    #[inline]
    pub(crate) fn can_expire(&self) -> bool {
        !self.good_until.is_empty()
    }

    #[cold]
    #[inline(never)]
    fn forget_expiry_of(&mut self, order: OrderId) {
        if let Some(until) = self.good_until.remove(&order) {
            self.expiries.remove(&(until, order));
            self.find_next_due();
        }
    }

    /// Forgets until when the orders were good that trades of a slot have used up.
    #[cold]
    #[inline(never)]
    pub(crate) fn forget_expiries_of_traded(&mut self, slot: Slot, events: &[Event]) {
        if !self.can_expire() {
            return;
        }
        let state = self.held.get(slot).expect("it has traded");
        let made = events.iter().filter_map(|event| match event {
            Event::TradeMade(trade) => Some(trade),
            _ => None,
        });
        let traded = made.flat_map(|trade| [trade.bid, trade.offer]);
        let is_open = |id: &OrderId| {
            self.placements.get(*id).is_some_and(|placed| state.book.is_open(placed.handle, *id))
        };
        let gone: Vec<OrderId> = traded.filter(|id| !is_open(id)).collect();
        for id in gone {
            self.forget_expiry(id);
        }
    }

    /// Returns the next moment at which something falls due.
    #[inline]
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.next_due
    }

    /// Returns what falls due first until `now`: by time, then orders before slots, then by their order.
    pub(crate) fn due(&self, now: Timestamp) -> Option<Due> {
        let at = self.next_due.filter(|at| *at <= now)?;
        let expiry = self.expiries.first().filter(|(until, _)| *until == at);
        let phase_end = || self.due.first().map(|(_, slot)| Due::PhaseEnd(*slot));
        expiry.map(|(_, order)| Due::Expiry(*order)).or_else(phase_end)
    }

    fn find_next_due(&mut self) {
        let expiry = self.expiries.first().map(|(until, _)| *until);
        let phase_end = self.due.first().map(|(at, _)| *at);
        self.next_due = expiry.into_iter().chain(phase_end).min();
    }

    /// Returns where an owner's open order was placed, and what stands in its slot.
    pub(crate) fn open_order(
        &mut self,
        owner: ParticipantId,
        order: OrderId,
    ) -> Result<(Placement, &mut SlotState), Rejection> {
        let (placed, state) = self.own_order(owner, order)?;
        if !state.book.is_open(placed.handle, order) {
            return Err(Rejection::OrderMustBeOpen { order });
        }
        Ok((placed, state))
    }

    /// Withdraws an owner's open order, as far as it is one.
    #[expect(clippy::inline_always, reason = "it is on the path of every cancellation")]
    #[inline(always)]
    pub(crate) fn withdraw_own(
        &mut self,
        owner: ParticipantId,
        order: OrderId,
        accounts: &mut Accounts,
    ) -> Result<Energy, Rejection> {
        let (placed, state) = self.own_order(owner, order)?;
        let leaving = state.book.leaving(placed.handle, order);
        let leaving = leaving.ok_or(Rejection::OrderMustBeOpen { order })?;

        // Every check is above; from here the cancellation is accepted.
        let remaining = leaving.remaining;
        state.close(&leaving, accounts);
        state.book.let_leave(placed.handle);
        self.forget_expiry(order);
        Ok(remaining)
    }

    /// Returns where an owner's order was placed, whose slot is open, and what stands there.
    #[expect(clippy::inline_always, reason = "it is on the path of every cancellation")]
    #[inline(always)]
    fn own_order(
        &mut self,
        owner: ParticipantId,
        order: OrderId,
    ) -> Result<(Placement, &mut SlotState), Rejection> {
        let placed = self.placements.get(order).ok_or(Rejection::OrderMustExist { order })?;
        let state = self.held.get_mut(placed.slot).ok_or(Rejection::OrderMustExist { order })?;
        if placed.owner != owner {
            return Err(Rejection::OrderMustBeOwn { order });
        }
        if !matches!(state.phase, Phase::Auction | Phase::Continuous) {
            check_phase(placed.slot, state.phase)?;
        }
        Ok((placed, state))
    }

    /// Takes what is left of an open order out of its book, and releases what it reserved.
    pub(crate) fn withdraw(&mut self, slot: Slot, handle: Handle, accounts: &mut Accounts) -> Left {
        let order = self.get_mut(slot).withdraw(handle, accounts);
        self.forget_expiry(order.id);
        order
    }

    /// Drops a slot's open orders at gate closure, and releases what they reserved.
    pub(crate) fn close_book(&mut self, slot: Slot, accounts: &mut Accounts) {
        let state = self.get_mut(slot);
        state.standings = Standings::default();
        for order in state.book.close() {
            accounts.release(order.owner, need(order.side, order.limit, order.remaining));
            self.forget_expiry(order.id);
        }
    }

    /// Lets the next phase of a held slot begin, and says so.
    pub(crate) fn begin(&mut self, slot: Slot, next: Phase, timeline: &Timeline, events: &mut Vec<Event>) {
        let state = self.get_mut(slot);
        let over = core::mem::replace(&mut state.phase, next);
        assert!(over < next, "a slot's life goes forward");
        self.due.remove(&(timeline.end_of(over, slot), slot));
        self.due.insert((timeline.end_of(next, slot), slot));
        self.find_next_due();
        events.push(Event::PhaseBegan { slot, phase: next });
    }

    /// Lets go of a slot that is settled from now on, and returns its trades.
    pub(crate) fn settle(&mut self, slot: Slot, timeline: &Timeline, tariffs: &Tariffs) -> Vec<Trade> {
        let state = self.held.remove(slot).expect("only a held slot is settled");
        assert_eq!(state.phase, Phase::Closed, "a slot is settled after gate closure");
        self.due.remove(&(timeline.end_of(state.phase, slot), slot));
        let held = &self.held;
        self.placements.forget(|slot| held.get(slot).is_none());
        self.settle_empty(slot, timeline);
        state.trades(tariffs).collect()
    }

    /// Remembers a slot that is settled and not held.
    pub(crate) fn settle_empty(&mut self, slot: Slot, timeline: &Timeline) {
        self.settled.insert(slot, Phase::Settled);
        self.due.insert((timeline.final_at(slot), slot));
        self.find_next_due();
    }

    /// Lets a settled slot be resettled from now on, and returns whether it was not before.
    pub(crate) fn begin_to_resettle(&mut self, slot: Slot) -> bool {
        let before = self.settled.insert(slot, Phase::Resettled);
        before.expect("only a settled slot is resettled") == Phase::Settled
    }

    /// Lets go of a slot whose settlement is final.
    pub(crate) fn conclude(&mut self, slot: Slot, timeline: &Timeline) {
        self.settled.remove(&slot);
        self.due.remove(&(timeline.final_at(slot), slot));
        self.find_next_due();
    }
}
