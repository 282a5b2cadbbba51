//! Who trades with whom, so that every trade's path goes along the flows, and nobody trades with himself.
//!
//! Each zone has a list of its trading bids and one of its trading offers, best limit first and then in order
//! of arrival. From the last zone to the first a zone pairs what is in its lists, and appends what is left,
//! of one side only, to its parent's. So a pair meets where its path turns, and pays exactly the difference
//! of its zones' prices.
//!
//! A bid takes the first offer that is not its owner's. If at the end one owner's bids and offers are left in
//! both lists, they are exchanged with the zone's pairs in which he has no part, in the order in which those
//! were made, first with first: of (bid, offer) become (his bid, offer) and (bid, his offer), in its place,
//! and before what is left of it. What then is still left in both lists is passed over, first with first.
//! That is no more than it must be: of all that meets in the zone or goes on, each Wh needs a bid or an offer
//! that is not his.
//!
//! An owner is connected in one zone, so his bids and offers can meet only there.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::Interest;
use crate::book::Book;
use crate::grid::Grid;
use crate::{Energy, OrderId, Pair, ParticipantId, Side};

/// What pairing found.
#[derive(Debug, Default)]
pub(super) struct Pairing {
    /// Who trades with whom, in order of pairing.
    pub(super) pairs: Vec<Pair>,
    /// Own bids and offers that nobody else is left for.
    pub(super) passed_over: Vec<Pair>,
    /// The buyers and sellers of the pairs of the zone at hand, as they were made.
    owners: Vec<[ParticipantId; 2]>,
}

/// What trades of one order.
#[derive(Clone, Copy, Debug)]
struct Part {
    order: OrderId,
    owner: ParticipantId,
    energy: Energy,
}

/// What a zone or its children leave over.
#[derive(Debug, Default)]
struct Left {
    bids: VecDeque<Part>,
    offers: VecDeque<Part>,
}

/// Pairs what trades.
pub(super) fn pair(grid: &Grid, book: &Book, interests: &[Interest]) -> Pairing {
    let mut zones: Vec<Left> = (0..grid.zone_count()).map(|_| Left::default()).collect();
    let mut pairing = Pairing::default();
    let mut rest = interests;
    for zone in (0..zones.len()).rev() {
        let (others, own) = rest.split_at(rest.partition_point(|it| usize::from(it.zone.0) < zone));
        rest = others;
        let of_children = core::mem::take(&mut zones[zone]);
        let mut left = pairing.pair_zone(book, own, of_children);
        if zone > 0 {
            let parent = &mut zones[grid.edges()[zone - 1].parent];
            parent.bids.append(&mut left.bids);
            parent.offers.append(&mut left.offers);
        }
        assert!(left.bids.is_empty() && left.offers.is_empty(), "bought energy equals sold energy");
    }
    pairing
}

/// Returns what trades of a zone's orders of one side, best limit first and then in order of arrival.
fn parts(book: &Book, own: &[Interest], side: Side) -> Vec<Part> {
    let mut parts = Vec::with_capacity(own.len());
    for it in own.iter().filter(|it| it.side == side) {
        book.visit_first((it.zone, side, it.limit), it.executed, |order, owner, energy| {
            parts.push(Part { order, owner, energy });
        });
    }
    parts
}

impl Pairing {
    /// Pairs what trades of one zone's own orders and what its children left, and returns what is left of
    /// it, of one side only.
    fn pair_zone(&mut self, book: &Book, own: &[Interest], of_children: Left) -> Left {
        self.owners.clear();
        let [bids, offers] = [Side::Bid, Side::Offer].map(|side| parts(book, own, side));
        self.pairs.reserve(bids.len().max(offers.len()));
        let bids = bids.into_iter().chain(of_children.bids);
        let mut left = self.pair_strangers(bids, offers.into_iter().chain(of_children.offers));
        self.exchange(&mut left);
        self.pass_over(&mut left);
        left
    }

    /// Pairs each bid with the first offers that are not its owner's. If bids and offers are left, all are of
    /// one owner.
    fn pair_strangers(
        &mut self,
        bids: impl Iterator<Item = Part>,
        mut offers: impl Iterator<Item = Part>,
    ) -> Left {
        // Offers that a bid of their owner went past: before the rest, for every bid but his.
        let mut aside: VecDeque<Part> = VecDeque::new();
        let mut next = offers.next();
        let mut waiting = VecDeque::new();
        for mut bid in bids {
            while !bid.energy.is_zero() {
                if let Some(offer) = aside.front_mut().filter(|offer| offer.owner != bid.owner) {
                    if self.meet(&mut bid, offer) {
                        aside.pop_front();
                    }
                } else if let Some(offer) = &mut next {
                    if offer.owner == bid.owner {
                        // OK because what stands aside already, if anything, is of the same owner.
                        aside.push_back(*offer);
                        next = offers.next();
                    } else if self.meet(&mut bid, offer) {
                        next = offers.next();
                    }
                } else {
                    waiting.push_back(bid);
                    break;
                }
            }
        }
        aside.extend(next.into_iter().chain(offers));
        Left { bids: waiting, offers: aside }
    }

    /// Pairs a bid with an offer, and returns whether that is used up.
    fn meet(&mut self, bid: &mut Part, offer: &mut Part) -> bool {
        let energy = bid.energy.min(offer.energy);
        self.pairs.push(Pair { bid: bid.order, offer: offer.order, energy });
        self.owners.push([bid.owner, offer.owner]);
        bid.energy = bid.energy.minus(energy);
        offer.energy = offer.energy.minus(energy);
        offer.energy.is_zero()
    }

    /// Exchanges the bids and offers of one owner, if both are left, with the zone's pairs in which he has no
    /// part.
    fn exchange(&mut self, left: &mut Left) {
        let Some((owner, _)) = left.both() else { return };
        let made = self.pairs.split_off(self.pairs.len() - self.owners.len());
        for (mut pair, owners) in made.into_iter().zip(&self.owners) {
            while let Some((_, together)) = left.both().filter(|_| !owners.contains(&owner)) {
                let energy = pair.energy.min(together);
                if energy.is_zero() {
                    break;
                }
                self.pairs.push(Pair { bid: left.bids[0].order, energy, ..pair });
                self.pairs.push(Pair { offer: left.offers[0].order, energy, ..pair });
                pair.energy = pair.energy.minus(energy);
                left.take(energy);
            }
            self.pairs.extend(Some(pair).filter(|pair| !pair.energy.is_zero()));
        }
    }

    /// Passes over what is left on both sides.
    fn pass_over(&mut self, left: &mut Left) {
        while let Some((_, energy)) = left.both() {
            self.passed_over.push(Pair { bid: left.bids[0].order, offer: left.offers[0].order, energy });
            left.take(energy);
        }
    }
}

impl Left {
    /// Returns whose are the first of both sides, if both have one, and how much both of these have.
    fn both(&self) -> Option<(ParticipantId, Energy)> {
        let (bid, offer) = (self.bids.front()?, self.offers.front()?);
        Some((bid.owner, bid.energy.min(offer.energy)))
    }

    /// Takes so much from the first of both sides.
    fn take(&mut self, energy: Energy) {
        for side in [&mut self.bids, &mut self.offers] {
            side[0].energy = side[0].energy.minus(energy);
            if side[0].energy.is_zero() {
                side.pop_front();
            }
        }
    }
}
