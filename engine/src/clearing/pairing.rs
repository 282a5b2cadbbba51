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
use core::ops::Range;

use super::Interest;
use crate::book::{Book, unpack};
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
    /// The order's id, packed.
    order: u64,
    energy: Energy,
    owner: ParticipantId,
}

/// What trades of all orders, level by level.
struct Parts {
    list: Vec<Part>,
    /// Where in it those of each interest begin and end, in order of arrival.
    bounds: Vec<(usize, usize)>,
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
    let parts = Parts::new(book, interests);
    pairing.pairs.reserve(parts.list.len());
    let mut end = interests.len();
    for zone in (0..zones.len()).rev() {
        let own = interests[..end].partition_point(|it| usize::from(it.zone.0) < zone)..end;
        end = own.start;
        let offers = own.start + interests[own.clone()].partition_point(|it| it.side == Side::Bid);
        let of_children = core::mem::take(&mut zones[zone]);
        let mut left = pairing.pair_zone(&parts, [own.start..offers, offers..own.end], of_children);
        if zone > 0 {
            let parent = &mut zones[grid.edges()[zone - 1].parent];
            parent.bids.append(&mut left.bids);
            parent.offers.append(&mut left.offers);
        }
        assert!(left.bids.is_empty() && left.offers.is_empty(), "bought energy equals sold energy");
    }
    pairing
}

impl Parts {
    /// Finds what trades of each order: of a level the earliest.
    fn new(book: &Book, interests: &[Interest]) -> Parts {
        let executed = |it: &Interest| if it.executed.is_zero() { 0 } else { it.orders as usize };
        // Where the next order of each level goes: nowhere if nothing trades there.
        let mut next = alloc::vec![usize::MAX; book.place_count()];
        let mut len = 0;
        for it in interests.iter().filter(|it| !it.executed.is_zero()) {
            next[it.level.index()] = len;
            len += executed(it);
        }
        let nothing = Part { order: 0, energy: Energy::ZERO, owner: ParticipantId(0) };
        let mut list = alloc::vec![nothing; len];
        book.visit(|level, order, owner, energy| {
            let next = &mut next[level.index()];
            if let Some(part) = list.get_mut(*next) {
                *part = Part { order, energy, owner };
                *next += 1;
            }
        });
        let (mut bounds, mut first) = (Vec::with_capacity(interests.len()), 0);
        for it in interests {
            let end = first + executed(it);
            bounds.push((first, first + cut(&mut list[first..end], it.executed)));
            first = end;
        }
        Parts { list, bounds }
    }

    /// Returns what trades of the interests in a range, which stand best limit first: so also in order of arrival.
    fn of(&self, interests: Range<usize>) -> impl Iterator<Item = Part> {
        let bounds = self.bounds[interests].iter();
        bounds.flat_map(|&(first, end)| &self.list[first..end]).copied()
    }

    /// Returns which of the orders are an owner's, rising.
    fn orders_of(&self, owner: ParticipantId) -> Vec<OrderId> {
        let his = self.list.iter().filter(|part| part.owner == owner);
        let mut his: Vec<OrderId> = his.map(|part| unpack(part.order)).collect();
        his.sort_unstable();
        his
    }
}

/// Puts a level's orders in order of arrival, cuts off what exceeds `executed`, and returns how many trade.
fn cut(orders: &mut [Part], executed: Energy) -> usize {
    // OK because they nearly always are: places in a book are taken in turn, and used again when orders go.
    if !orders.is_sorted_by_key(|part| part.order) {
        orders.sort_unstable_by_key(|part| part.order);
    }
    let mut left = executed;
    for (place, part) in orders.iter_mut().enumerate() {
        if left.is_zero() {
            return place;
        }
        part.energy = part.energy.min(left);
        left = left.minus(part.energy);
    }
    orders.len()
}

impl Pairing {
    /// Pairs what trades of one zone's own orders and what its children left, and returns what is left of
    /// it, of one side only.
    fn pair_zone(&mut self, parts: &Parts, own: [Range<usize>; 2], of_children: Left) -> Left {
        let first = self.pairs.len();
        let [bids, offers] = own.map(|interests| parts.of(interests));
        let bids = bids.chain(of_children.bids);
        let mut left = self.pair_strangers(bids, offers.chain(of_children.offers));
        self.exchange(first, parts, &mut left);
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
        self.pairs.push(Pair { bid: unpack(bid.order), offer: unpack(offer.order), energy });
        bid.energy = bid.energy.minus(energy);
        offer.energy = offer.energy.minus(energy);
        offer.energy.is_zero()
    }

    /// Exchanges the bids and offers of one owner, if both are left, with the zone's pairs in which he has no
    /// part: those from the `first` on.
    fn exchange(&mut self, first: usize, parts: &Parts, left: &mut Left) {
        let Some((owner, _)) = left.both() else { return };
        let his = parts.orders_of(owner);
        for mut pair in self.pairs.split_off(first) {
            let is_his = [pair.bid, pair.offer].iter().any(|order| his.binary_search(order).is_ok());
            while let Some((_, together)) = left.both().filter(|_| !is_his) {
                let energy = pair.energy.min(together);
                if energy.is_zero() {
                    break;
                }
                self.pairs.push(Pair { bid: unpack(left.bids[0].order), energy, ..pair });
                self.pairs.push(Pair { offer: unpack(left.offers[0].order), energy, ..pair });
                pair.energy = pair.energy.minus(energy);
                left.take(energy);
            }
            self.pairs.extend(Some(pair).filter(|pair| !pair.energy.is_zero()));
        }
    }

    /// Passes over what is left on both sides.
    fn pass_over(&mut self, left: &mut Left) {
        while let Some((_, energy)) = left.both() {
            let (bid, offer) = (unpack(left.bids[0].order), unpack(left.offers[0].order));
            self.passed_over.push(Pair { bid, offer, energy });
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts a level's orders, given by order and energy as they lie in the memory, and checks what trades of which.
    fn check(orders: &[(u64, u64)], executed: u64, trade: &[(u64, u64)]) {
        let part = |&(order, energy)| Part { order, energy: Energy(energy), owner: ParticipantId(0) };
        let mut parts: Vec<Part> = orders.iter().map(part).collect();
        let count = cut(&mut parts, Energy(executed));
        let told: Vec<(u64, u64)> = parts[..count].iter().map(|part| (part.order, part.energy.0)).collect();
        assert_eq!(told, trade);
    }

    #[test]
    fn of_a_level_the_earliest_trade_wherever_they_lie() {
        check(&[(1, 4), (2, 6), (3, 5)], 15, &[(1, 4), (2, 6), (3, 5)]);
        check(&[(3, 5), (1, 4), (2, 6)], 7, &[(1, 4), (2, 3)]);
        check(&[(2, 6), (1, 4)], 4, &[(1, 4)]);
        check(&[(2, 6), (1, 4)], 0, &[]);
    }
}
