//! What an auction sees of a book: its levels with their totals, and its orders as they lie in the memory (R6).
//!
//! Knows levels and entries; changes nothing. A level keeps no total of its own, which every order would have to keep
//! up: one walk over the slab adds all of them up.

use alloc::vec::Vec;

use super::{Book, Place, limit, number_of};
use crate::{Energy, ParticipantId, Price, Side, ZoneId};

/// All orders of one price, side and zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    /// Where it is among the book's.
    pub(crate) place: Place,
    /// Their limit.
    pub(crate) limit: Price,
    /// What they are together.
    pub(crate) total: Total,
}

/// What the orders of one level are together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) energy: Energy,
    pub(crate) orders: u32,
}

/// The totals of all levels of a book, by their places.
#[derive(Clone, Debug)]
pub(crate) struct Totals(Vec<Total>);

impl Book {
    /// Returns what the orders of each level are together.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = alloc::vec![Total::default(); self.pages.place_count()];
        self.visit(|level, _, _, energy| {
            let total = &mut totals[level.index()];
            total.energy = total.energy.plus(energy);
            total.orders += 1;
        });
        Totals(totals)
    }

    /// Returns how many places of levels there are.
    pub(crate) fn place_count(&self) -> usize {
        self.pages.place_count()
    }

    /// Returns a zone's levels of one side, best limit first.
    pub(crate) fn levels(&self, zone: ZoneId, side: Side, totals: &Totals) -> impl Iterator<Item = Level> {
        let ladder = &self.fronts[number_of(side, zone)].ladder;
        ladder.places(&self.pages).map(move |(key, place)| Level {
            place,
            limit: limit(side, self.scale.rank(side, key)),
            total: totals.0[place.index()],
        })
    }

    /// Visits every open order, in no order that means anything: where its level is, its packed id, whose it is and
    /// what of it has not traded.
    ///
    /// They are visited as they lie in the memory, which takes a fraction of what following the queues takes.
    #[inline]
    pub(crate) fn visit(&self, mut visit: impl FnMut(Place, u64, ParticipantId, Energy)) {
        for entry in self.entries.iter().filter(|entry| entry.id != u64::MAX) {
            visit(entry.level, entry.id, ParticipantId(entry.owner), Energy(entry.remaining));
        }
    }
}
