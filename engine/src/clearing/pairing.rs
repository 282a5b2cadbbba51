//! Who trades with whom, so that every trade's path goes along the flows.
//!
//! From the lowest zones up, each zone pairs what trades in it and what its children sent up, in order of
//! arrival; what is left, of one side only, goes up. So a pair meets where its path turns, and pays exactly
//! the difference of its zones' prices.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::{Interest, Pair};
use crate::grid::Grid;
use crate::{Energy, OrderId, Side};

/// What is to be paired in one zone.
#[derive(Clone, Default)]
struct Pool {
    bids: VecDeque<(OrderId, Energy)>,
    offers: VecDeque<(OrderId, Energy)>,
}

/// Returns the pairs, in order of the bids and then of the offers.
pub(super) fn pair(grid: &Grid, executed: &[Interest]) -> Vec<Pair> {
    let mut pools = alloc::vec![Pool::default(); grid.zone_count()];
    for interest in executed.iter().filter(|interest| !interest.energy.is_zero()) {
        let pool = &mut pools[interest.zone];
        match interest.side {
            Side::Bid => pool.bids.push_back((interest.id, interest.energy)),
            Side::Offer => pool.offers.push_back((interest.id, interest.energy)),
        }
    }
    let mut pairs = Vec::new();
    for edge in grid.edges().iter().rev() {
        let mut left = core::mem::take(&mut pools[edge.zone]);
        left.match_up(&mut pairs);
        pools[edge.parent].bids.append(&mut left.bids);
        pools[edge.parent].offers.append(&mut left.offers);
    }
    pools[0].match_up(&mut pairs);
    assert!(pools[0].bids.is_empty() && pools[0].offers.is_empty(), "bought energy equals sold energy");
    pairs.sort_by_key(|pair| (pair.bid, pair.offer));
    pairs
}

impl Pool {
    /// Pairs in order of arrival until one side is used up.
    fn match_up(&mut self, pairs: &mut Vec<Pair>) {
        self.bids.make_contiguous().sort_unstable();
        self.offers.make_contiguous().sort_unstable();
        while let (Some((bid, wanted)), Some((offer, offered))) =
            (self.bids.front_mut(), self.offers.front_mut())
        {
            let energy = (*wanted).min(*offered);
            pairs.push(Pair { bid: *bid, offer: *offer, energy });
            *wanted = wanted.minus(energy);
            *offered = offered.minus(energy);
            let (bid_is_done, offer_is_done) = (wanted.is_zero(), offered.is_zero());
            if bid_is_done {
                self.bids.pop_front();
            }
            if offer_is_done {
                self.offers.pop_front();
            }
        }
    }
}
