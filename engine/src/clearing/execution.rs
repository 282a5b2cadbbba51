//! How much of each level trades: the greatest welfare, and then the greatest volume.
//!
//! What a zone exports is a staircase over its price: at the bottom it imports all that is bid for, each step
//! up either a bid ceases to import or an offer begins to export. Seen from the parent, the part of a child's
//! staircase in which it imports lies lower by the charge down, and the part in which it exports lies higher
//! by the charge up; in between the edge is idle. Of each part the parent sees as much as the edge carries,
//! the steps nearest to idleness; the steps beyond lie below or above whatever price the parent has, and so
//! are decided. What is seen of every level can be carried to the root, where one cut decides the rest: below
//! it as much lies as is imported at the bottom, so that exports sum to zero. Offers below the price trade,
//! and bids above it.
//!
//! The volume comes second by a doubling: twice every price and charge, and one on top of each bid, make the
//! welfare 2 W + V. From a greatest 2 W + V no cycle of single Wh improves, each of which changes V by at
//! most one; so W is greatest, and V among those. It also keeps bids and offers from meeting in a tie.
//!
//! Levels of one side that tie, of different zones, are parted by time: an earlier offer lies lower, an
//! earlier bid higher. This is what infinitely small charges that rise with time would do, and so it holds
//! wherever two orders compete, however they came there.

use alloc::vec::Vec;

use super::Interest;
use super::staircase::{Staircase, Step};
use crate::book::Book;
use crate::grid::Grid;
use crate::{Energy, Side};

/// Sets what trades of each interest.
pub(super) fn execute(grid: &Grid, book: &Book, interests: &mut [Interest]) {
    let mut zones: Vec<Staircase> = (0..grid.zone_count()).map(|_| Staircase::default()).collect();
    let mut first = 0;
    for own in interests.chunk_by(|a, b| a.zone == b.zone) {
        zones[usize::from(own[0].zone.0)].add_own(first, own);
        first += own.len();
    }
    for edge in grid.edges().iter().rev() {
        let [up, down] = [edge.capacity_up_wh, edge.capacity_down_wh].map(|wh| Energy(wh.unsigned_abs()));
        let seen = core::mem::take(&mut zones[edge.zone]).cut(up, down, book, interests);
        decide(interests, seen.below(), seen.above());
        zones[edge.parent].add_child(&seen, 2 * edge.up.0, 2 * edge.down.0);
    }
    let seen = core::mem::take(&mut zones[0]).cut(Energy::ZERO, Energy::ZERO, book, interests);
    decide(interests, seen.below(), seen.above());
}

/// Executes what is decided: offers of which the steps lie below the price, and bids of which they lie above.
fn decide(interests: &mut [Interest], below: &[Step], above: &[Step]) {
    for (steps, side) in [(below, Side::Offer), (above, Side::Bid)] {
        for step in steps {
            let interest = &mut interests[step.interest];
            if interest.side == side {
                interest.executed = interest.executed.plus(step.energy);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::clearing::sample::{Case, OrderDraft};

    /// Checks what trades of four orders: in a park, and behind a farm's edge that costs one tick each way.
    fn check(orders: [OrderDraft; 4], executed: [u64; 4]) {
        let zones = [(0, [0, 0, 0], [None, None]), (0, [0, 1, 1], [None, None])];
        let case = Case::new(&zones, &orders, 1, 500);
        assert_eq!(case.executed(&case.clear()), executed);
    }

    #[test]
    fn of_equal_limits_also_after_charges_the_earlier_trades_first() {
        let bid = (0, 0, true, 9, 10);
        let [at_farm, in_park, too_dear] = [(1, 1, false, 2, 6), (0, 1, false, 3, 6), (0, 2, false, 4, 6)];
        check([at_farm, in_park, too_dear, bid], [6, 4, 0, 10]);
        check([bid, too_dear, in_park, at_farm], [10, 0, 6, 4]);
        let offer = (0, 0, false, 2, 10);
        let [at_farm, in_park, too_low] = [(1, 1, true, 7, 6), (0, 1, true, 6, 6), (0, 2, true, 5, 6)];
        check([at_farm, in_park, too_low, offer], [6, 4, 0, 10]);
        check([offer, too_low, in_park, at_farm], [10, 0, 6, 4]);
    }

    #[test]
    fn of_orders_at_one_level_the_earlier_trades_first() {
        let offer = (0, 0, false, 2, 10);
        let bid = (0, 1, true, 6, 4);
        check([bid, bid, offer, bid], [4, 4, 10, 2]);
    }
}
