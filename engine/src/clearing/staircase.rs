//! A zone's staircase: its export over its price, as sorted steps that can be parted anywhere.
//!
//! A step is a contiguous part of one level's queue. Parting keeps it so: of an offer's level the earlier
//! orders go below, of a bid's the later ones.

use alloc::vec::Vec;

use super::Interest;
use crate::book::Book;
use crate::{Energy, Side};

/// Part of a level, where its zone's staircase, seen from some zone above, rises by it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// The doubled price.
    price: i64,
    /// How much of the level's queue stands before it.
    before: Energy,
    /// How much of the level's queue it is; never nothing.
    pub(super) energy: Energy,
    /// The level's place among the interests.
    pub(super) interest: usize,
}

/// The steps of one zone, and of what it sees of its children.
#[derive(Debug, Default)]
pub(super) struct Staircase {
    /// One sorted run of steps after another.
    steps: Vec<Step>,
    /// What is imported at the bottom.
    imported: Energy,
}

impl Staircase {
    /// Adds a zone's own levels, which stand from `first` on among the interests.
    pub(super) fn add_own(&mut self, first: usize, own: &[Interest]) {
        let bids = own.iter().take_while(|interest| interest.side == Side::Bid).count();
        self.steps.reserve(own.len());
        let rising = (0..bids).rev().chain(bids..own.len());
        self.steps.extend(rising.map(|place| {
            let interest = &own[place];
            let price = match interest.side {
                Side::Bid => 2 * interest.net.0 + 1,
                Side::Offer => 2 * interest.net.0,
            };
            Step { price, before: Energy::ZERO, energy: interest.wanted, interest: first + place }
        }));
        self.imported = own[..bids].iter().fold(self.imported, |sum, bid| sum.plus(bid.wanted));
    }

    /// Adds a part of a child's staircase, with the edge's doubled charge on its prices.
    pub(super) fn add_child(&mut self, steps: &[Step], charge: i64, imported: Energy) {
        self.steps.extend(steps.iter().map(|step| Step { price: step.price + charge, ..*step }));
        self.imported = self.imported.plus(imported);
    }

    /// Cuts the staircase where its export is zero: into the steps at which the zone imports, and those at
    /// which it exports.
    pub(super) fn cut(mut self, book: &Book, interests: &[Interest]) -> (Vec<Step>, Vec<Step>) {
        // OK because it makes use of the runs: a stable sort merges them.
        self.steps.sort_by_key(|step| step.price);
        part(self.steps, self.imported, book, interests)
    }
}

/// Parts sorted steps, so that so much lies below.
pub(super) fn part(
    mut steps: Vec<Step>,
    below: Energy,
    book: &Book,
    interests: &[Interest],
) -> (Vec<Step>, Vec<Step>) {
    if below.is_zero() {
        return (Vec::new(), steps);
    }
    let mut left = below;
    let first_above = steps.iter().position(|step| {
        let is_above = step.energy > left;
        left = if is_above { left } else { left.minus(step.energy) };
        is_above
    });
    let Some(at) = first_above else {
        return (steps, Vec::new());
    };
    let price = steps[at].price;
    let start = steps[..at].partition_point(|step| step.price < price);
    let end = at + steps[at..].partition_point(|step| step.price == price);
    let below_of_tie = total(&steps[start..at]).plus(left);
    let (below, above) = part_tie(&steps[start..end], below_of_tie, book, interests);
    let above = above.into_iter().chain(steps.drain(end..)).collect();
    steps.truncate(start);
    steps.extend(below);
    (steps, above)
}

/// Parts steps of one price, and so of one side, by the time of their orders.
fn part_tie(tie: &[Step], below: Energy, book: &Book, interests: &[Interest]) -> (Vec<Step>, Vec<Step>) {
    let side = interests[tie[0].interest].side;
    let earliest = match side {
        Side::Offer => below,
        Side::Bid => total(tie).minus(below),
    };
    let earlier_parts = match tie {
        [_] => alloc::vec![earliest],
        _ => earliest_parts(tie, earliest, book, interests),
    };
    let (mut lower, mut upper) = (Vec::new(), Vec::new());
    for (step, energy) in tie.iter().zip(earlier_parts) {
        let earlier = Step { energy, ..*step };
        let later = Step { before: step.before.plus(energy), energy: step.energy.minus(energy), ..*step };
        let (low, high) = match side {
            Side::Offer => (earlier, later),
            Side::Bid => (later, earlier),
        };
        lower.extend(Some(low).filter(|step| !step.energy.is_zero()));
        upper.extend(Some(high).filter(|step| !step.energy.is_zero()));
    }
    (lower, upper)
}

/// Returns how much of each step is among the `earliest` of all of them, in order of arrival.
fn earliest_parts(tie: &[Step], earliest: Energy, book: &Book, interests: &[Interest]) -> Vec<Energy> {
    let mut arrivals = Vec::new();
    for (place, step) in tie.iter().enumerate() {
        let Interest { zone, side, limit, .. } = interests[step.interest];
        let (begin, end) = (step.before, step.before.plus(step.energy));
        let mut before = Energy::ZERO;
        for order in book.queue(zone, side, limit) {
            let after = before.plus(order.remaining);
            let (from, to) = (before.max(begin), after.min(end));
            if from < to {
                arrivals.push((order.id, place, to.minus(from)));
            }
            before = after;
        }
    }
    arrivals.sort_unstable();
    let mut left = earliest;
    let mut parts = alloc::vec![Energy::ZERO; tie.len()];
    for (_, place, energy) in arrivals {
        let taken = energy.min(left);
        parts[place] = parts[place].plus(taken);
        left = left.minus(taken);
    }
    parts
}

/// Returns the energy of all steps together.
pub(super) fn total(steps: &[Step]) -> Energy {
    steps.iter().fold(Energy::ZERO, |sum, step| sum.plus(step.energy))
}
