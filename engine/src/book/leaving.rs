//! How an order leaves its book, and what is the best behind it then (R9).
//!
//! Knows queues and levels; does not know why an order leaves. Keeps: what is left behind it is as if it had never
//! been there.

use super::{Best, Book, Entry, FAR, Handle, NOBODY, Place, packed, side_of};
use crate::{Energy, OrderId, ParticipantId, Price, Side};

/// What is known of an order as it leaves its book.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    pub(crate) id: OrderId,
    pub(crate) owner: ParticipantId,
    pub(crate) side: Side,
    /// What a kWh costs its owner; less than nothing where he is paid.
    pub(crate) pays: Price,
    /// What had not traded.
    pub(crate) remaining: Energy,
}

impl Book {
    /// Returns what is known of an order that is about to leave; nothing if it does not stand at `handle`.
    #[expect(clippy::inline_always, reason = "it is on the path of every cancellation")]
    #[inline(always)]
    pub(crate) fn leaving(&self, handle: Handle, id: OrderId) -> Option<Left> {
        // OK because an id that cannot be packed was never placed.
        let entry = self.entries.get(handle.0 as usize).filter(|entry| entry.id == packed(id))?;
        let (number, key) = self.pages.whose(entry.level);
        let side = side_of(number);
        // OK because ranks are far from the ends of 63 bits.
        let pays = Price(self.scale.rank(side, key).wrapping_neg());
        let (owner, remaining) = (ParticipantId(entry.owner), Energy(entry.remaining));
        Some(Left { id, owner, side, pays, remaining })
    }

    /// Removes an order, and returns whether it stood at `handle`; its id is packed.
    #[expect(clippy::inline_always, reason = "it is on the path of every cancellation")]
    #[inline(always)]
    pub(crate) fn remove_if(&mut self, handle: Handle, id: u64) -> bool {
        let entry = self.entries.get(handle.0 as usize).filter(|entry| entry.id == id).copied();
        if let Some(entry) = entry {
            self.remove_entry(handle, entry);
        }
        entry.is_some()
    }

    /// Removes an open order.
    ///
    /// # Panics
    /// If there is none.
    #[expect(clippy::inline_always, reason = "it is on the path of every cancellation")]
    #[inline(always)]
    pub(crate) fn remove(&mut self, handle: Handle) {
        let entry = self.entries[handle.0 as usize];
        assert!(entry.id != u64::MAX, "only open orders are removed");
        self.remove_entry(handle, entry);
    }

    /// Removes an open order of which [`Book::leaving`] has said that it stands there.
    #[expect(clippy::inline_always, reason = "it is on the path of every cancellation")]
    #[inline(always)]
    pub(crate) fn let_leave(&mut self, handle: Handle) {
        self.remove_entry(handle, self.entries[handle.0 as usize]);
    }

    /// Removes an open order, whose entry it is.
    #[expect(clippy::inline_always, reason = "it is on the path of every cancellation")]
    #[inline(always)]
    fn remove_entry(&mut self, handle: Handle, entry: Entry) {
        let Entry { next, previous, level: place, .. } = entry;
        let entries = &mut self.entries[..];
        let freed = &mut entries[handle.0 as usize];
        freed.id = u64::MAX;
        freed.next = core::mem::replace(&mut self.free, handle.0);
        if let Some(next) = entries.get_mut(next as usize) {
            next.previous = previous;
        } else {
            self.pages.at(place).tail = previous;
        }
        if let Some(previous) = entries.get_mut(previous as usize) {
            previous.next = next;
        } else {
            self.follow(handle, place, next);
        }
    }

    /// Sees to a level, and to the best of its ladder, when the first order has gone.
    #[inline]
    fn follow(&mut self, gone: Handle, place: Place, next: u32) {
        let Some(entry) = self.entries.get(next as usize) else {
            return self.leave(place);
        };
        self.pages.at(place).head = next;
        let number = self.pages.whose(place).0;
        let best = &mut self.fronts[number].best;
        if best.head == gone.0 {
            (best.head, best.id) = (next, entry.id);
        }
    }

    /// Leaves a level vacant that has no order any more.
    #[inline(never)]
    fn leave(&mut self, place: Place) {
        let (number, _) = self.pages.whose(place);
        let front = &mut self.fronts[number];
        if front.best.level == place {
            self.leave_best(number, place);
        } else if self.pages.vacate(place) {
            front.ladder.leave_page(&mut self.pages, place);
        }
    }

    /// Leaves the best level of a ladder vacant, which has no order any more.
    #[inline(never)]
    pub(super) fn leave_best(&mut self, number: usize, place: Place) {
        let next = if self.pages.vacate(place) {
            self.first_of_next_page(number, place)
        } else {
            Some(self.pages.first_beside(place))
        };
        let side = side_of(number);
        let best = next.map_or(NOBODY, |(level, key, head)| {
            let (rank, id) = (self.scale.rank(side, key), self.entries[head as usize].id);
            Best { rank, id, head, level }
        });
        let over = core::mem::replace(&mut self.fronts[number].best, best);
        if self.zones == 1 {
            self.least[side as usize] = best.rank;
        } else if over.rank == self.least[side as usize] {
            let least = self.bests(side).fold(FAR, |least, best| least.min(best.rank));
            self.least[side as usize] = least;
        }
    }

    /// Leaves a ladder's first page, which is empty now, and returns the first level of the next one.
    #[cold]
    #[inline(never)]
    fn first_of_next_page(&mut self, number: usize, place: Place) -> Option<(Place, u32, u32)> {
        let ladder = &mut self.fronts[number].ladder;
        ladder.leave_page(&mut self.pages, place);
        ladder.first_of_parts_behind(&self.pages, place)
    }
}
