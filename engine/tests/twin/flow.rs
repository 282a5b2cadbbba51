//! R6: which orders trade, by the best gain again and again, until nothing gains.
//!
//! Energy flows from offers over zones to bids. What one more Wh gains on a way is what its bid is worth,
//! less what its offer asks, less the charges of the edges, where a flow that is turned back is refunded.
//! The best way is found by relaxing every edge until nothing changes (Bellman and Ford); it is filled, and
//! then the next best one is sought. A way whose order came later gains less, by less than any price is
//! apart.

use parkwatt_engine::*;

use super::auction::Interest;
use super::grid::{self, Flows, Passage};

/// How much of each interest trades, and what flows over the edges.
pub struct Executed {
    pub energies: Vec<u64>,
    pub flows: Flows,
}

/// What a Wh gains: twice its welfare and its volume, and then how early its orders came.
type Gain = (i64, i64);

/// The best way into a zone.
#[derive(Clone, Debug)]
struct Best {
    gain: Gain,
    offer: usize,
    passages: Vec<Passage>,
}

pub fn execute(config: &MarketConfig, interests: &[Interest]) -> Executed {
    let flows = Flows::none(config);
    let mut executed = Executed { energies: vec![0; interests.len()], flows };
    while let Some((best, bid)) = best_way(config, interests, &executed) {
        let left = |place: usize| interests[place].energy - executed.energies[place];
        let room = best.passages.iter().filter_map(|passage| arc(config, &executed.flows, passage).1).min();
        let energy = left(best.offer).min(left(bid)).min(room.unwrap_or(u64::MAX));
        executed.energies[best.offer] += energy;
        executed.energies[bid] += energy;
        executed.flows.send(&best.passages, energy);
    }
    executed
}

/// Returns the way that gains most, if any gains something, and the bid that it ends at.
fn best_way(config: &MarketConfig, interests: &[Interest], executed: &Executed) -> Option<(Best, usize)> {
    let into = best_into_zones(config, interests, executed);
    let open = open(interests, executed, Side::Bid);
    let ways = open.filter_map(|(place, bid)| {
        let mut best = into[bid.zone].clone()?;
        best.gain = plus(best.gain, (2 * bid.net.0 + 1, -i64::try_from(place).unwrap()));
        Some((best, place))
    });
    ways.max_by_key(|(best, _)| best.gain).filter(|(best, _)| best.gain.0 > 0)
}

fn best_into_zones(config: &MarketConfig, interests: &[Interest], executed: &Executed) -> Vec<Option<Best>> {
    let mut into: Vec<Option<Best>> = vec![None; config.zones.len()];
    for (offer, interest) in open(interests, executed, Side::Offer) {
        let gain = (-2 * interest.net.0, -i64::try_from(offer).unwrap());
        improve(&mut into[interest.zone], Best { gain, offer, passages: Vec::new() });
    }
    let zones = 0..config.zones.len();
    let passages = zones.flat_map(|zone| [true, false].map(|is_up| grid::passage(config, zone, is_up)));
    let passages: Vec<Passage> = passages.flatten().collect();
    loop {
        let mut has_changed = false;
        for passage in &passages {
            let (from, to) = ends(passage);
            let (cost, room) = arc(config, &executed.flows, passage);
            if let Some(mut best) = into[from].clone().filter(|_| room != Some(0)) {
                best.gain = plus(best.gain, (-cost, 0));
                best.passages.push(*passage);
                has_changed |= improve(&mut into[to], best);
            }
        }
        if !has_changed {
            return into;
        }
    }
}

/// Returns what passing an edge costs a Wh, doubled, and how many Wh can pass at that; nothing where nothing
/// limits them. First what flows against it is turned back, and refunded.
fn arc(config: &MarketConfig, flows: &Flows, passage: &Passage) -> (i64, Option<u64>) {
    let along = flows.along(passage);
    if along < 0 {
        let back = grid::passage(config, passage.zone, !passage.is_up).unwrap();
        return (-2 * back.charge.0, Some(along.unsigned_abs()));
    }
    let room = passage.capacity.map(|capacity| u64::try_from(capacity - along).unwrap());
    (2 * passage.charge.0, room)
}

/// Returns from which zone to which an edge is passed.
fn ends(passage: &Passage) -> (usize, usize) {
    if passage.is_up { (passage.zone, passage.parent) } else { (passage.parent, passage.zone) }
}

/// Returns the interests of a side that do not trade whole, with their places.
fn open<'a>(
    interests: &'a [Interest],
    executed: &'a Executed,
    side: Side,
) -> impl Iterator<Item = (usize, &'a Interest)> {
    let is_open = |place: usize, interest: &Interest| executed.energies[place] < interest.energy;
    interests.iter().enumerate().filter(move |(place, it)| it.side == side && is_open(*place, it))
}

fn improve(best: &mut Option<Best>, new: Best) -> bool {
    let improves = best.as_ref().is_none_or(|best| new.gain > best.gain);
    if improves {
        *best = Some(new);
    }
    improves
}

fn plus(a: Gain, b: Gain) -> Gain {
    (a.0 + b.0, a.1 + b.1)
}
