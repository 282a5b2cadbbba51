//! What became durable lately, at hand for those who follow it, and whom it concerns.
//!
//! Knows what was applied; does not know readers or the wire. Keeps: memory is bounded; the sequencer only puts in,
//! and never waits for a reader; everything public from some leaf on is at hand, without a gap.

use std::{
    collections::{HashMap, VecDeque},
    mem::size_of,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use parkwatt_engine::Event;
use tokio::sync::watch;

use crate::{apply::Applied, views::BookChange};

/// What happened at once, and what it changed in the books.
pub struct Happened {
    /// What was applied.
    pub applied: Arc<Applied>,
    /// What changed in the books.
    pub books: Vec<BookChange>,
}

impl Happened {
    /// Returns how many leaves the ledger has with it.
    pub fn end_index(&self) -> u64 {
        self.applied.index + self.applied.leaves.len() as u64
    }

    fn is_public(&self) -> bool {
        let is_public = |it: &Event| {
            matches!(it, Event::PhaseBegan { .. } | Event::AuctionCleared(_) | Event::TradeMade(_))
        };
        !self.books.is_empty() || self.applied.events.iter().any(is_public)
    }

    /// About how many bytes of memory it takes: its leaves, what they were made from, and its events.
    fn bytes(&self) -> usize {
        let leaves: usize = self.applied.leaves.iter().map(Vec::len).sum();
        2 * leaves
            + self.applied.events.len() * size_of::<Event>()
            + self.books.len() * size_of::<BookChange>()
            + size_of::<Applied>()
    }
}

/// What became durable lately and is public.
pub struct Recent {
    bytes_max: usize,
    kept: Mutex<Kept>,
}

struct Kept {
    happened: VecDeque<Arc<Happened>>,
    bytes: usize,
    /// Everything public from this leaf on is at hand.
    from: u64,
}

/// What is at hand is not old enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOld;

impl Recent {
    /// Returns an empty memory of at most about so many bytes, for what follows the first `size` leaves.
    pub fn new(size: u64, bytes_max: usize) -> Recent {
        let kept = Kept { happened: VecDeque::new(), bytes: 0, from: size };
        Recent { bytes_max, kept: Mutex::new(kept) }
    }

    /// Takes in what became durable, in order.
    pub fn put(&self, happened: Vec<Happened>) {
        let mut kept = self.kept();
        for happened in happened.into_iter().filter(Happened::is_public) {
            kept.bytes += happened.bytes();
            kept.happened.push_back(Arc::new(happened));
            while kept.bytes > self.bytes_max
                && let Some(oldest) = kept.happened.pop_front()
            {
                kept.bytes -= oldest.bytes();
                kept.from = oldest.end_index();
            }
        }
    }

    /// Returns whether everything public from leaf `from` on is at hand.
    pub fn has(&self, from: u64) -> bool {
        from >= self.kept().from
    }

    /// Returns the next of what is public from leaf `from` on, in order; at most `count`.
    ///
    /// # Errors
    /// [`TooOld`] if not all of it is at hand any more.
    pub fn from(&self, from: u64, count: usize) -> Result<Vec<Arc<Happened>>, TooOld> {
        let kept = self.kept();
        if from < kept.from {
            return Err(TooOld);
        }
        let first = kept.happened.partition_point(|it| it.applied.index < from);
        Ok(kept.happened.range(first..).take(count).cloned().collect())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who waits for what is about him.
#[derive(Default)]
pub struct Concerned(Mutex<HashMap<u32, watch::Sender<u64>>>);

impl Concerned {
    /// Returns where a participant, by his number, is told how many leaves the store has, each time that one is about
    /// him.
    pub fn listen(&self, participant: u32) -> watch::Receiver<u64> {
        let mut listening = self.listening();
        listening.retain(|_, told| told.receiver_count() > 0);
        listening.entry(participant).or_insert_with(|| watch::channel(0).0).subscribe()
    }

    /// Tells those who listen that the store has so many leaves, some of them about each of these.
    pub fn tell(&self, participants: impl Iterator<Item = u32>, size: u64) {
        let listening = self.listening();
        if listening.is_empty() {
            return;
        }
        for told in participants.filter_map(|participant| listening.get(&participant)) {
            told.send_replace(size);
        }
    }

    fn listening(&self) -> MutexGuard<'_, HashMap<u32, watch::Sender<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use parkwatt_engine::{Phase, Slot, Timestamp};

    use super::*;
    use crate::apply::Cause;

    fn happened(index: u64, events: Vec<Event>) -> Happened {
        let leaves = vec![vec![0; 100]; 1 + events.len()];
        let applied = Applied { index, at: Timestamp(index), cause: Cause::Tick, events, leaves };
        Happened { applied: Arc::new(applied), books: Vec::new() }
    }

    fn public(index: u64) -> Happened {
        happened(index, vec![Event::PhaseBegan { slot: Slot(7), phase: Phase::Closed }])
    }

    fn indices(found: Result<Vec<Arc<Happened>>, TooOld>) -> Result<Vec<u64>, TooOld> {
        found.map(|found| found.iter().map(|it| it.applied.index).collect())
    }

    #[test]
    fn what_is_public_is_at_hand_from_where_the_memory_begins_and_the_rest_takes_no_room() {
        let recent = Recent::new(10, usize::MAX);
        recent.put(vec![public(10), happened(12, Vec::new()), public(13)]);
        recent.put(vec![public(15)]);
        assert!(recent.has(10) && !recent.has(9));
        assert_eq!(indices(recent.from(9, 9)), Err(TooOld));
        assert_eq!(indices(recent.from(10, 9)), Ok(vec![10, 13, 15]));
        assert_eq!(indices(recent.from(11, 1)), Ok(vec![13]));
        assert_eq!(indices(recent.from(17, 9)), Ok(vec![]));
    }

    #[test]
    fn the_oldest_is_forgotten_for_the_newest() {
        let recent = Recent::new(0, 2 * public(0).bytes());
        for index in [0, 2, 4, 6] {
            recent.put(vec![public(index)]);
            assert!(recent.kept().bytes <= recent.bytes_max);
        }
        assert_eq!(indices(recent.from(3, 9)), Err(TooOld));
        assert_eq!(indices(recent.from(4, 9)), Ok(vec![4, 6]));
    }

    #[test]
    fn only_those_hear_whom_it_concerns() {
        let concerned = Concerned::default();
        let [mut ann, bob] = [1, 2].map(|who| concerned.listen(who));
        concerned.tell([1, 3].into_iter(), 8);
        assert!(ann.has_changed().unwrap() && !bob.has_changed().unwrap());
        assert_eq!(*ann.borrow_and_update(), 8);
        drop((ann, bob));
        concerned.listen(4);
        assert_eq!(concerned.listening().len(), 1, "who listens no more is forgotten");
    }
}
