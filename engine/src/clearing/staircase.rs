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

    /// Adds what is seen of a child, with the edge's doubled charges on its prices.
    pub(super) fn add_child(&mut self, seen: &Seen, up: i64, down: i64) {
        let from_parent = seen.importing().iter().map(|step| Step { price: step.price - down, ..*step });
        self.steps.extend(from_parent);
        self.steps.extend(seen.exporting().iter().map(|step| Step { price: step.price + up, ..*step }));
        self.imported = self.imported.plus(seen.imported);
    }

    /// Cuts the staircase where its export is zero, and at most so far from there as an edge carries up and
    /// down.
    pub(super) fn cut(mut self, up: Energy, down: Energy, book: &Book, interests: &[Interest]) -> Seen {
        // The steps stand in sorted runs, which a stable sort finds and merges.
        self.steps.sort_by_key(|step| step.price);
        let imported = self.imported.min(down);
        let mut steps = self.steps;
        let bottom = part(&mut steps, 0, self.imported.minus(imported), book, interests);
        let idle = part(&mut steps, bottom, imported, book, interests);
        let top = part(&mut steps, idle, up, book, interests);
        Seen { steps, bottom, idle, top, imported }
    }
}

/// A sorted staircase in four: what is beyond what an edge carries down, where the zone imports, where it
/// exports, and what is beyond what the edge carries up.
#[derive(Debug)]
pub(super) struct Seen {
    steps: Vec<Step>,
    bottom: usize,
    idle: usize,
    top: usize,
    /// What is imported at the bottom of what is seen.
    imported: Energy,
}

impl Seen {
    /// Returns the steps below whatever price the parent has.
    pub(super) fn below(&self) -> &[Step] {
        &self.steps[..self.bottom]
    }

    /// Returns the steps at which the zone imports.
    pub(super) fn importing(&self) -> &[Step] {
        &self.steps[self.bottom..self.idle]
    }

    /// Returns the steps at which the zone exports.
    pub(super) fn exporting(&self) -> &[Step] {
        &self.steps[self.idle..self.top]
    }

    /// Returns the steps above whatever price the parent has.
    pub(super) fn above(&self) -> &[Step] {
        &self.steps[self.top..]
    }
}

/// Parts the sorted steps from a place on so that so much lies below, and returns where the rest begins.
fn part(steps: &mut Vec<Step>, from: usize, below: Energy, book: &Book, interests: &[Interest]) -> usize {
    let mut left = below;
    let first_above = steps[from..].iter().position(|step| {
        let is_above = step.energy > left;
        left = if is_above { left } else { left.minus(step.energy) };
        is_above
    });
    let Some(at) = first_above.map(|place| from + place) else {
        return steps.len();
    };
    let price = steps[at].price;
    let start = from + steps[from..at].partition_point(|step| step.price < price);
    let end = at + steps[at..].partition_point(|step| step.price == price);
    let below_of_tie = total(&steps[start..at]).plus(left);
    if below_of_tie.is_zero() {
        return at;
    }
    let (below, above) = part_tie(&steps[start..end], below_of_tie, book, interests);
    let middle = start + below.len();
    steps.splice(start..end, below.into_iter().chain(above));
    middle
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
fn total(steps: &[Step]) -> Energy {
    steps.iter().fold(Energy::ZERO, |sum, step| sum.plus(step.energy))
}
