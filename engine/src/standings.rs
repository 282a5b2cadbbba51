//! Standings: what each owner has open in one slot, and has sold there (R8).
//!
//! Knows counts and energies; does not know prices or why they change. An owner's standing is found by his
//! number, without searching, and takes memory from his first order on.

use alloc::vec::Vec;

use crate::{Energy, ParticipantId, Side};

/// No standing.
const NONE: u32 = u32::MAX;

/// What all owners have standing in one slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standings {
    /// By the owner's number, the place of his standing.
    places: Vec<u32>,
    list: Vec<Standing>,
}

/// What one owner has standing in one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// How many of his orders are open.
    pub(crate) open: u32,
    /// What his open offers offer.
    pub(crate) offers: Energy,
    /// What he sold.
    pub(crate) sold: Energy,
}

impl Standings {
    /// Returns where an owner's standing is, if he ever placed an order.
    #[inline]
    pub(crate) fn place(&self, owner: ParticipantId) -> Option<usize> {
        self.places.get(owner.0 as usize).filter(|place| **place != NONE).map(|place| *place as usize)
    }

    /// Returns where an owner's standing is from now on.
    #[inline]
    pub(crate) fn place_for(&mut self, owner: ParticipantId) -> usize {
        self.place(owner).unwrap_or_else(|| self.begin(owner))
    }

    /// Returns what an owner has standing; nothing where he never placed an order.
    #[inline]
    pub(crate) fn get(&self, owner: ParticipantId) -> Standing {
        self.place(owner).map_or_else(Standing::default, |place| self.list[place])
    }

    /// Returns the standing at a place.
    #[inline]
    pub(crate) fn at(&self, place: usize) -> &Standing {
        &self.list[place]
    }

    /// Returns the standing at a place, to change it.
    #[inline]
    pub(crate) fn at_mut(&mut self, place: usize) -> &mut Standing {
        &mut self.list[place]
    }

    /// Returns what an owner has standing, to change it.
    #[inline]
    pub(crate) fn get_mut(&mut self, owner: ParticipantId) -> &mut Standing {
        let place = self.place_for(owner);
        self.at_mut(place)
    }

    #[cold]
    fn begin(&mut self, owner: ParticipantId) -> usize {
        let (owner, place) = (owner.0 as usize, self.list.len());
        if owner >= self.places.len() {
            self.places.resize(owner + 1, NONE);
        }
        self.places[owner] = u32::try_from(place).expect("participants are less than 2^32");
        self.list.push(Standing::default());
        place
    }
}

impl Standing {
    /// Counts an order that is open from now on.
    #[inline]
    pub(crate) fn open(&mut self, side: Side, energy: Energy) {
        self.open += 1;
        if side == Side::Offer {
            self.offers = self.offers.plus(energy);
        }
    }

    /// Counts what is not open any more: of an order that stays, or all that was left of it.
    #[inline]
    pub(crate) fn close(&mut self, side: Side, energy: Energy, is_gone: bool) {
        self.open -= u32::from(is_gone);
        if side == Side::Offer {
            self.offers = self.offers.minus(energy);
        }
    }

    /// Counts what an open order has traded: part of it, or all that was left.
    #[inline]
    pub(crate) fn trade(&mut self, side: Side, energy: Energy, is_gone: bool) {
        self.close(side, energy, is_gone);
        if side == Side::Offer {
            self.sold = self.sold.plus(energy);
        }
    }
}
