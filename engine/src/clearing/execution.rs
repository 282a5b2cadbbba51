//! How much of each order trades: the greatest welfare, and then the greatest volume.
//!
//! What a zone exports is a staircase over its price: at the bottom it imports all that is bid for, each step
//! up either a bid ceases to import or an offer begins to export. Seen from the parent, the part of a child's
//! staircase in which it imports lies lower by the charge down, and the part in which it exports lies higher
//! by the charge up; in between the edge is idle. So every order's steps can be carried to the root, where
//! one cut decides: below it as much lies as is bid for altogether, so that exports sum to zero. Offers below
//! the cut trade, and bids above it.
//!
//! The volume comes second by a doubling: twice every price and charge, and one on top of each bid, make the
//! welfare 2 W + V. From a greatest 2 W + V no cycle of single Wh improves, each of which changes V by at
//! most one; so W is greatest, and V among those. It also keeps bids and offers from meeting in a tie.

use alloc::vec::Vec;

use super::Interest;
use crate::grid::Grid;
use crate::{Energy, OrderId, Side};

/// Part of an order, where its zone's staircase, seen from some zone above, rises by it.
#[derive(Clone, Copy)]
struct Step {
    /// The doubled price.
    price: i64,
    side: Side,
    id: OrderId,
    energy: Energy,
    /// The order's place among the interests.
    place: usize,
}

/// Returns the interests with what trades of each as their energy.
pub(super) fn execute(grid: &Grid, wanted: &[Interest]) -> Vec<Interest> {
    let mut zones: Vec<Vec<Step>> = (0..grid.zone_count()).map(|_| Vec::new()).collect();
    for (place, interest) in wanted.iter().enumerate() {
        zones[interest.zone].push(step(place, interest));
    }
    for edge in grid.edges().iter().rev() {
        let mut child = core::mem::take(&mut zones[edge.zone]);
        let (mut importing, mut exporting) = cut(&mut child);
        for step in &mut importing {
            step.price -= 2 * edge.down.0;
        }
        for step in &mut exporting {
            step.price += 2 * edge.up.0;
        }
        zones[edge.parent].append(&mut importing);
        zones[edge.parent].append(&mut exporting);
    }
    let (below, above) = cut(&mut zones[0]);

    let mut executed: Vec<Interest> =
        wanted.iter().map(|it| Interest { energy: Energy::ZERO, ..*it }).collect();
    let trading_offers = below.iter().filter(|step| step.side == Side::Offer);
    let trading_bids = above.iter().filter(|step| step.side == Side::Bid);
    for step in trading_offers.chain(trading_bids) {
        let energy = &mut executed[step.place].energy;
        *energy = energy.plus(step.energy);
    }
    executed
}

fn step(place: usize, interest: &Interest) -> Step {
    let price = match interest.side {
        Side::Offer => 2 * interest.net.0,
        Side::Bid => 2 * interest.net.0 + 1,
    };
    Step { price, side: interest.side, id: interest.id, energy: interest.energy, place }
}

/// Sorts a staircase, and cuts it where its export is zero: into the part in which it imports, and that in
/// which it exports.
///
/// At equal prices the earlier order trades first: an earlier offer lies lower, an earlier bid higher.
fn cut(steps: &mut [Step]) -> (Vec<Step>, Vec<Step>) {
    steps.sort_by(|a, b| {
        let by_time = match a.side {
            Side::Offer => a.id.cmp(&b.id),
            Side::Bid => b.id.cmp(&a.id),
        };
        a.price.cmp(&b.price).then(by_time)
    });
    let bids = steps.iter().filter(|step| step.side == Side::Bid);
    let mut left = bids.fold(Energy::ZERO, |sum, step| sum.plus(step.energy));
    let (mut below, mut above) = (Vec::new(), Vec::new());
    for step in steps {
        let low = step.energy.min(left);
        let high = step.energy.minus(low);
        left = left.minus(low);
        if !low.is_zero() {
            below.push(Step { energy: low, ..*step });
        }
        if !high.is_zero() {
            above.push(Step { energy: high, ..*step });
        }
    }
    (below, above)
}
