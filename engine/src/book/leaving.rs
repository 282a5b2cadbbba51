//! How an order leaves its book, and what is the best behind it then (R9).
//!
//! Knows queues and levels; does not know why an order leaves. Keeps: what is left behind it is as if it had never
//! been there.

use super::{Best, Book, Entry, FAR, Handle, NOBODY, Place, pack, unpack};
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
    /// Removes an open order, and returns what is known of it.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn take(&mut self, handle: Handle) -> Left {
        let id = self.entries[handle.0 as usize].id;
        assert!(id != u64::MAX, "only open orders are removed");
        self.take_if(handle, unpack(id)).expect("it is there")
    }

    /// Removes an order, and returns what is known of it; nothing if it does not stand at `handle`.
    #[expect(clippy::inline_always, reason = "it is on the path of every cancellation")]
    #[inline(always)]
    pub(crate) fn take_if(&mut self, handle: Handle, id: OrderId) -> Option<Left> {
        let entry = *self.entries.get(handle.0 as usize).filter(|entry| entry.id == pack(id))?;
        let (number, key) = self.pages.whose(entry.level);
        let side = self.side(number);
        // OK because ranks are far from the ends of 63 bits.
        let pays = Price(self.scale.rank(side, key).wrapping_neg());
        self.remove_entry(handle, entry);
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
    pub(crate) fn remove(&mut self, handle: Handle) {
        let entry = self.entries[handle.0 as usize];
        assert!(entry.id != u64::MAX, "only open orders are removed");
        self.remove_entry(handle, entry);
    }

    /// Removes an open order, whose entry it is.
    #[expect(clippy::inline_always, reason = "it is on the path of every cancellation")]
    #[inline(always)]
    fn remove_entry(&mut self, handle: Handle, entry: Entry) {
        let Entry { next, previous, level: place, .. } = entry;
        let freed = &mut self.entries[handle.0 as usize];
        freed.id = u64::MAX;
        freed.next = core::mem::replace(&mut self.free, handle.0);
        if let Some(next) = self.entries.get_mut(next as usize) {
            next.previous = previous;
        } else {
            self.pages.at(place).tail = previous;
        }
        if let Some(previous) = self.entries.get_mut(previous as usize) {
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
        let best = &mut self.bests[self.pages.whose(place).0];
        if best.head == gone.0 {
            (best.head, best.id) = (next, entry.id);
        }
    }

    /// Leaves a level vacant that has no order any more.
    #[inline(never)]
    fn leave(&mut self, place: Place) {
        let (number, _) = self.pages.whose(place);
        if self.bests[number].level == place {
            self.leave_best(number, place);
        } else if self.pages.vacate(place) {
            self.ladders[number].leave_page(&mut self.pages, place);
        }
    }

    /// Leaves the best level of a ladder vacant, which has no order any more.
    #[inline(never)]
    pub(super) fn leave_best(&mut self, number: usize, place: Place) {
        let (level, key, head) = if self.pages.vacate(place) {
            match self.first_of_next_page(number, place) {
                Some(first) => first,
                None => return self.let_lead(number, NOBODY),
            }
        } else {
            self.pages.first_beside(place)
        };
        let rank = self.scale.rank(self.side(number), key);
        let id = self.entries[head as usize].id;
        self.let_lead(number, Best { rank, id, head, level });
    }

    /// Leaves a ladder's first page, which is empty now, and returns the first level of the next one.
    #[cold]
    #[inline(never)]
    fn first_of_next_page(&mut self, number: usize, place: Place) -> Option<(Place, u32, u32)> {
        let (_, key) = self.pages.whose(place);
        let ladder = &mut self.ladders[number];
        ladder.leave_page(&mut self.pages, place);
        ladder.first_behind(&self.pages, key)
    }

    /// Lets a worse order be the best of a ladder from now on.
    #[inline]
    fn let_lead(&mut self, number: usize, best: Best) {
        let over = core::mem::replace(&mut self.bests[number], best);
        let side = self.side(number);
        if self.zones == 1 {
            self.least[side as usize] = best.rank;
        } else if over.rank == self.least[side as usize] {
            let mut least = FAR;
            for best in self.bests(side) {
                least = best.rank.min(least);
            }
            self.least[side as usize] = least;
        }
    }
}
