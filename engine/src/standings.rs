//! Standings: what each owner has open in one slot and has promised there, and what he may (R8).
//!
//! Knows counts, energies and powers; does not know prices or why they change. An owner's standing is found by his
//! number, without searching, and takes memory from his first order on.
//!
//! What he may is copied from his enrolment, where it never changes, as an order of his is accepted the long way.
//! Until then, also behind a snapshot, his standing says that he may nothing, so that his next order goes that way.

use alloc::vec::Vec;

use crate::accounts::NANOS_PER_FEN;
use crate::checks::deliverable;
use crate::{Energy, NewParticipant, ParticipantId, Side, ZoneId};

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
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Standing {
    /// How many of his orders are open.
    pub(crate) open: u32,
    /// What his open offers offer, and what he sold.
    pub(crate) taken: Energy,
    /// What he may there.
    pub(crate) powers: Powers,
}

/// What an owner may: nothing, as long as it is not known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Powers {
    /// Where he is connected.
    pub(crate) zone: ZoneId,
    /// Whether he may bid.
    pub(crate) bids: bool,
    /// The most that he may offer.
    pub(crate) delivers: Energy,
    /// What he may owe, in 1e-9 yuan.
    pub(crate) credit_nanos: u64,
}

impl Standings {
    /// Returns what an owner has standing, and where that is, if he ever placed an order.
    #[inline]
    pub(crate) fn find(&self, owner: ParticipantId) -> Option<(usize, &Standing)> {
        let place = *self.places.get(owner.0 as usize)? as usize;
        // OK because there is no standing where none is.
        Some((place, self.list.get(place)?))
    }

    /// Returns what an owner has standing, to change it, and where that is, if he ever placed an order.
    #[inline]
    pub(crate) fn find_mut(&mut self, owner: ParticipantId) -> Option<(usize, &mut Standing)> {
        let place = *self.places.get(owner.0 as usize)? as usize;
        // OK because there is no standing where none is.
        Some((place, self.list.get_mut(place)?))
    }

    /// Returns where an owner's standing is from now on, which also says what he may.
    pub(crate) fn place_for(&mut self, owner: ParticipantId, participant: &NewParticipant) -> usize {
        let place = self.find(owner).map(|(place, _)| place);
        let place = place.unwrap_or_else(|| self.begin(owner));
        self.list[place].powers = Powers::of(participant);
        place
    }

    /// Returns what an owner has standing; nothing where he never placed an order.
    #[inline]
    pub(crate) fn get(&self, owner: ParticipantId) -> Standing {
        self.find(owner).map(|(_, standing)| *standing).unwrap_or_default()
    }

    /// Returns the standing at a place, to change it.
    #[inline]
    pub(crate) fn at_mut(&mut self, place: usize) -> &mut Standing {
        &mut self.list[place]
    }

    /// Returns what an owner has standing, to change it.
    #[inline]
    pub(crate) fn get_mut(&mut self, owner: ParticipantId) -> &mut Standing {
        let place = self.find(owner).map(|(place, _)| place);
        let place = place.unwrap_or_else(|| self.begin(owner));
        self.at_mut(place)
    }

    /// Returns what the owner of an open order has standing, to change it.
    #[inline]
    pub(crate) fn of_open(&mut self, owner: ParticipantId) -> &mut Standing {
        self.find_mut(owner).expect("who has an open order has a standing").1
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
        self.promise(side, energy);
    }

    /// Counts what is offered or sold from now on.
    #[inline]
    pub(crate) fn promise(&mut self, side: Side, energy: Energy) {
        if side == Side::Offer {
            self.taken = self.taken.plus(energy);
        }
    }

    /// Counts what is not offered any more and was not sold.
    #[inline]
    pub(crate) fn take_back(&mut self, side: Side, energy: Energy) {
        if side == Side::Offer {
            self.taken = self.taken.minus(energy);
        }
    }
}

/// Two are alike if as much stands: what an owner may is said elsewhere.
impl PartialEq for Standing {
    fn eq(&self, other: &Standing) -> bool {
        (self.open, self.taken) == (other.open, other.taken)
    }
}

impl Eq for Standing {}

impl Powers {
    fn of(participant: &NewParticipant) -> Powers {
        let NewParticipant { zone, roles, credit_limit_fen, .. } = *participant;
        let delivers = if roles.producer { deliverable(participant) } else { Energy::ZERO };
        // OK because credit limits are checked to be at most 10^12 fen, and so 10^19 of these.
        let credit_nanos = credit_limit_fen * NANOS_PER_FEN;
        Powers { zone, bids: roles.consumer, delivers, credit_nanos }
    }
}

impl Default for Powers {
    fn default() -> Powers {
        Powers { zone: ZoneId(0), bids: false, delivers: Energy::ZERO, credit_nanos: 0 }
    }
}
