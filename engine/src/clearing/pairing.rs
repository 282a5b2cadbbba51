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

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

use super::Interest;
use crate::book::{Book, OpenOrder};
use crate::grid::Grid;
use crate::{Energy, OrderId, Pair, ParticipantId, Side};

/// What pairing found.
#[derive(Debug, Default)]
pub(super) struct Pairing {
    /// Who trades with whom, in order of pairing.
    pub(super) pairs: Vec<Pair>,
    /// Own bids and offers that nobody else is left for.
    pub(super) passed_over: Vec<Pair>,
}

/// What trades of one order.
#[derive(Clone, Copy, Debug)]
struct Part {
    order: OrderId,
    owner: ParticipantId,
    energy: Energy,
}

/// What is to be paired in one zone.
#[derive(Debug, Default)]
struct Lists {
    bids: Vec<Part>,
    offers: Vec<Part>,
}

/// What is left of a zone's lists.
#[derive(Debug, Default)]
struct Left {
    bids: VecDeque<Part>,
    offers: VecDeque<Part>,
}

/// Pairs what trades.
pub(super) fn pair(grid: &Grid, book: &Book, interests: &[Interest]) -> Pairing {
    let mut zones = lists(grid, book, interests);
    let mut pairing = Pairing::default();
    for edge in grid.edges().iter().rev() {
        let left = pairing.pair_zone(&core::mem::take(&mut zones[edge.zone]));
        zones[edge.parent].bids.extend(left.bids);
        zones[edge.parent].offers.extend(left.offers);
    }
    let left = pairing.pair_zone(&zones[0]);
    assert!(left.bids.is_empty() && left.offers.is_empty(), "bought energy equals sold energy");
    pairing
}

fn lists(grid: &Grid, book: &Book, interests: &[Interest]) -> Vec<Lists> {
    let mut zones: Vec<Lists> = (0..grid.zone_count()).map(|_| Lists::default()).collect();
    for interest in interests.iter().filter(|interest| !interest.executed.is_zero()) {
        let lists = &mut zones[usize::from(interest.zone.0)];
        let list = match interest.side {
            Side::Bid => &mut lists.bids,
            Side::Offer => &mut lists.offers,
        };
        let mut left = interest.executed;
        for OpenOrder { id, owner, remaining, .. } in book.queue(interest.zone, interest.side, interest.limit)
        {
            let energy = remaining.min(left);
            list.push(Part { order: id, owner, energy });
            left = left.minus(energy);
            if left.is_zero() {
                break;
            }
        }
    }
    zones
}

impl Pairing {
    /// Pairs one zone's lists, and returns what is left of them, of one side only.
    fn pair_zone(&mut self, lists: &Lists) -> Left {
        let first = self.pairs.len();
        let mut left = self.pair_strangers(lists);
        if let (Some(bid), Some(_)) = (left.bids.front(), left.offers.front()) {
            let owner = bid.owner;
            let own = lists.bids.iter().chain(&lists.offers).filter(|part| part.owner == owner);
            self.exchange(first, &own.map(|part| part.order).collect(), &mut left);
            self.pass_over(&mut left);
        }
        left
    }

    /// Pairs each bid with the first offers that are not its owner's. If bids and offers are left, all are of
    /// one owner.
    fn pair_strangers(&mut self, lists: &Lists) -> Left {
        let mut rest: VecDeque<Part> = lists.offers.iter().copied().collect();
        // Offers that a bid of their owner went past: before the rest, for every bid but his.
        let mut aside: VecDeque<Part> = VecDeque::new();
        let mut waiting = VecDeque::new();
        for mut bid in lists.bids.iter().copied() {
            while !bid.energy.is_zero() {
                let is_own = |offer: Option<&Part>| offer.is_some_and(|offer| offer.owner == bid.owner);
                if !aside.is_empty() && !is_own(aside.front()) {
                    self.meet(&mut bid, &mut aside);
                } else if is_own(rest.front()) {
                    // OK because what stands aside, if anything, is of the same owner.
                    aside.extend(rest.pop_front());
                } else if !rest.is_empty() {
                    self.meet(&mut bid, &mut rest);
                } else {
                    waiting.push_back(bid);
                    break;
                }
            }
        }
        aside.append(&mut rest);
        Left { bids: waiting, offers: aside }
    }

    /// Pairs a bid with the first of some offers.
    fn meet(&mut self, bid: &mut Part, offers: &mut VecDeque<Part>) {
        let energy = bid.energy.min(offers[0].energy);
        self.pairs.push(Pair { bid: bid.order, offer: offers[0].order, energy });
        bid.energy = bid.energy.minus(energy);
        take(offers, energy);
    }

    /// Exchanges one owner's bids and offers with the pairs from `first` on that have no part of his.
    fn exchange(&mut self, first: usize, own: &BTreeSet<OrderId>, left: &mut Left) {
        for mut pair in self.pairs.split_off(first) {
            let is_strangers = !own.contains(&pair.bid) && !own.contains(&pair.offer);
            while let (true, Some(bid), Some(offer)) = (is_strangers, left.bids.front(), left.offers.front())
            {
                let energy = pair.energy.min(bid.energy).min(offer.energy);
                if energy.is_zero() {
                    break;
                }
                self.pairs.push(Pair { bid: bid.order, energy, ..pair });
                self.pairs.push(Pair { offer: offer.order, energy, ..pair });
                pair.energy = pair.energy.minus(energy);
                take(&mut left.bids, energy);
                take(&mut left.offers, energy);
            }
            self.pairs.extend(Some(pair).filter(|pair| !pair.energy.is_zero()));
        }
    }

    /// Passes over what is left on both sides.
    fn pass_over(&mut self, left: &mut Left) {
        while let (Some(bid), Some(offer)) = (left.bids.front(), left.offers.front()) {
            let energy = bid.energy.min(offer.energy);
            self.passed_over.push(Pair { bid: bid.order, offer: offer.order, energy });
            take(&mut left.bids, energy);
            take(&mut left.offers, energy);
        }
    }
}

/// Takes `energy` from the first of some parts.
fn take(parts: &mut VecDeque<Part>, energy: Energy) {
    parts[0].energy = parts[0].energy.minus(energy);
    if parts[0].energy.is_zero() {
        parts.pop_front();
    }
}
