//! Slots: where each quarter hour is in its life, and when time moves it on (R2).
//!
//! Knows the timeline, and what stands in a slot until it is settled; does not know how orders trade or are
//! paid for.
//! Keeps: a slot is held from the first order or metered energy in it until its settlement; for every other
//! the timeline alone says its phase. Each held slot has exactly one next moment.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::accounts::Accounts;
use crate::book::Book;
use crate::{
    Energy, Event, MICROS_PER_SECOND, OrderId, ParticipantId, Phase, Side, Slot, Timeline, Timestamp, Trade,
};

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
        } else {
            Phase::Settled
        }
    }

    /// Returns when `phase` of `slot` ends.
    fn end_of(&self, phase: Phase, slot: Slot) -> Timestamp {
        match phase {
            Phase::Scheduled => self.opens_at(slot),
            Phase::Auction => self.uncrosses_at(slot),
            Phase::Continuous => self.gate_closes_at(slot),
            Phase::Closed => self.settles_by(slot),
            Phase::Settled => unreachable!("a settled slot is not held"),
        }
    }
}

fn before(at: Timestamp, seconds: u32) -> Timestamp {
    Timestamp(at.0.saturating_sub(u64::from(seconds) * MICROS_PER_SECOND))
}

/// Every slot in which something stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Slots {
    held: BTreeMap<Slot, SlotState>,
    /// When each held slot's phase ends.
    due: BTreeSet<(Timestamp, Slot)>,
    /// Every order ever placed in a held slot.
    placed: BTreeMap<OrderId, Placed>,
    /// The slots that readings settled before their deadline, until that is over.
    settled_early: BTreeSet<Slot>,
}

/// Where an order was placed, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Placed {
    pub(crate) slot: Slot,
    pub(crate) owner: ParticipantId,
}

/// What stands in one slot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SlotState {
    /// Where the slot is in its life.
    pub(crate) phase: Phase,
    /// The open orders; empty after gate closure.
    pub(crate) book: Book,
    /// The trades, in order of their ids.
    pub(crate) trades: Vec<Trade>,
    /// What each owner has standing.
    pub(crate) standings: BTreeMap<ParticipantId, Standing>,
    /// Every order placed.
    placed: Vec<OrderId>,
}

/// What one owner has standing in one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Standing {
    /// What his open bids ask for.
    pub(crate) bids: Energy,
    /// What his open offers offer.
    pub(crate) offers: Energy,
    /// What he sold.
    pub(crate) sold: Energy,
}

impl Standing {
    /// Returns the energy of the open orders on one side.
    pub(crate) fn open_on(&mut self, side: Side) -> &mut Energy {
        match side {
            Side::Bid => &mut self.bids,
            Side::Offer => &mut self.offers,
        }
    }
}

impl SlotState {
    /// Returns what an owner has standing; nothing where he never placed an order.
    pub(crate) fn standing(&self, owner: ParticipantId) -> Standing {
        self.standings.get(&owner).copied().unwrap_or_default()
    }
}

impl Slots {
    /// Returns the phase of a slot at `now`.
    pub(crate) fn phase(&self, slot: Slot, now: Timestamp, timeline: &Timeline) -> Phase {
        match self.held.get(&slot) {
            Some(state) => state.phase,
            None if self.settled_early.contains(&slot) => Phase::Settled,
            None => timeline.phase_at(slot, now),
        }
    }

    /// Returns a slot in which something stands.
    pub(crate) fn get(&self, slot: Slot) -> Option<&SlotState> {
        self.held.get(&slot)
    }

    /// Returns every slot in which something stands.
    pub(crate) fn held(&self) -> impl Iterator<Item = Slot> {
        self.held.keys().copied()
    }

    /// Returns a held slot, to change what stands in it.
    pub(crate) fn get_mut(&mut self, slot: Slot) -> &mut SlotState {
        self.held.get_mut(&slot).expect("the slot is held from the first order in it until its settlement")
    }

    /// Holds a slot from now on, if it is not held.
    pub(crate) fn hold(&mut self, slot: Slot, now: Timestamp, timeline: &Timeline, zone_count: usize) {
        if self.held.contains_key(&slot) {
            return;
        }
        let phase = self.phase(slot, now, timeline);
        self.due.insert((timeline.end_of(phase, slot), slot));
        let state = SlotState {
            phase,
            book: Book::new(zone_count),
            trades: Vec::new(),
            standings: BTreeMap::new(),
            placed: Vec::new(),
        };
        self.held.insert(slot, state);
    }

    /// Remembers an order of a held slot.
    pub(crate) fn remember(&mut self, order: OrderId, placed: Placed) {
        self.placed.insert(order, placed);
        self.get_mut(placed.slot).placed.push(order);
    }

    /// Returns where an order was placed, and by whom; nothing for an order of a settled slot.
    pub(crate) fn placed(&self, order: OrderId) -> Option<Placed> {
        self.placed.get(&order).copied()
    }

    /// Returns the next moment at which a phase ends, and of which slot: the earliest, and then the first
    /// slot.
    pub(crate) fn next_due(&self) -> Option<(Timestamp, Slot)> {
        self.due.first().copied()
    }

    /// Drops a slot's open orders at gate closure, and releases what its bids reserved.
    pub(crate) fn close_book(&mut self, slot: Slot, accounts: &mut Accounts) {
        let state = self.get_mut(slot);
        for order in state.book.orders().filter(|order| order.side == Side::Bid) {
            accounts.release(order.owner, order.limit.times(order.remaining));
        }
        state.book = Book::new(0);
        state.standings.clear();
    }

    /// Lets the next phase of a held slot begin, and says so.
    pub(crate) fn begin(&mut self, slot: Slot, next: Phase, timeline: &Timeline, events: &mut Vec<Event>) {
        let state = self.get_mut(slot);
        let over = core::mem::replace(&mut state.phase, next);
        assert!(over < next, "a slot's life goes forward");
        self.due.remove(&(timeline.end_of(over, slot), slot));
        self.due.insert((timeline.end_of(next, slot), slot));
        events.push(Event::PhaseBegan { slot, phase: next });
    }

    /// Lets go of a slot that is being settled, and returns its trades.
    pub(crate) fn release(&mut self, slot: Slot, now: Timestamp, timeline: &Timeline) -> Vec<Trade> {
        let state = self.held.remove(&slot).expect("only a held slot is settled");
        assert_eq!(state.phase, Phase::Closed, "a slot is settled after gate closure");
        self.due.remove(&(timeline.end_of(state.phase, slot), slot));
        for order in &state.placed {
            self.placed.remove(order);
        }
        self.settled_early.retain(|early| timeline.settles_by(*early) > now);
        if timeline.settles_by(slot) > now {
            self.settled_early.insert(slot);
        }
        state.trades
    }
}
