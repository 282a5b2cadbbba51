//! R6 and R7: who trades with whom.

use parkwatt_engine::*;

use super::auction::Interest;

/// Who trades with whom, and which own orders were passed over.
#[derive(Default)]
pub struct Paired {
    pub pairs: Vec<Pair>,
    pub passed_over: Vec<Pair>,
}

/// What is still to be paired of an order.
#[derive(Clone, Copy, Debug)]
struct Part {
    id: OrderId,
    owner: ParticipantId,
    energy: u64,
}

/// Two parts that are paired.
#[derive(Clone, Copy, Debug)]
struct Match {
    bid: Part,
    offer: Part,
}

pub fn pair(config: &MarketConfig, interests: &[Interest], executed: &[u64]) -> Paired {
    let zones = 0..config.zones.len();
    let mut bids: Vec<Vec<Part>> =
        zones.clone().map(|zone| list(interests, executed, zone, Side::Bid)).collect();
    let mut offers: Vec<Vec<Part>> =
        zones.clone().map(|zone| list(interests, executed, zone, Side::Offer)).collect();
    let mut paired = Paired::default();
    for zone in zones.rev() {
        let mut matches = pair_strangers(&mut bids[zone], &mut offers[zone]);
        exchange(&mut bids[zone], &mut offers[zone], &mut matches);
        paired.pairs.extend(matches.into_iter().map(Match::into_pair));
        while let Some(own) = meet(&mut bids[zone], 0, &mut offers[zone], 0) {
            paired.passed_over.push(own.into_pair());
        }
        let (left_bids, left_offers) = (std::mem::take(&mut bids[zone]), std::mem::take(&mut offers[zone]));
        if let Some(parent) = config.zones[zone].parent {
            bids[usize::from(parent.0)].extend(left_bids);
            offers[usize::from(parent.0)].extend(left_offers);
        } else {
            assert!(left_bids.is_empty() && left_offers.is_empty(), "bought energy equals sold energy");
        }
    }
    paired
}

/// Returns what trades of a zone's orders of one side, best limit first and then in order of arrival.
fn list(interests: &[Interest], executed: &[u64], zone: usize, side: Side) -> Vec<Part> {
    let in_list = |(interest, energy): &(&Interest, &u64)| {
        interest.zone == zone && interest.side == side && **energy > 0
    };
    let mut trading: Vec<(&Interest, &u64)> = interests.iter().zip(executed).filter(in_list).collect();
    let rank = |net: i64| if side == Side::Bid { -net } else { net };
    trading.sort_by_key(|(interest, _)| (rank(interest.net.0), interest.id));
    trading.into_iter().map(|(it, energy)| Part { id: it.id, owner: it.owner, energy: *energy }).collect()
}

/// Pairs each bid, in turn, with the first offers that are not its owner's.
fn pair_strangers(bids: &mut Vec<Part>, offers: &mut Vec<Part>) -> Vec<Match> {
    let mut matches = Vec::new();
    let strangers = |bids: &[Part], offers: &[Part]| {
        let places = (0..bids.len()).flat_map(|bid| (0..offers.len()).map(move |offer| (bid, offer)));
        places.into_iter().find(|(bid, offer)| bids[*bid].owner != offers[*offer].owner)
    };
    while let Some((bid, offer)) = strangers(bids, offers) {
        matches.extend(meet(bids, bid, offers, offer));
    }
    matches
}

/// Exchanges what one owner has left on both sides with pairs in which he has no part: his bid takes the
/// pair's offer, and the pair's bid his offer.
fn exchange(bids: &mut Vec<Part>, offers: &mut Vec<Part>, matches: &mut Vec<Match>) {
    let mut place = 0;
    while let (Some(bid), Some(offer)) = (bids.first().copied(), offers.first().copied()) {
        let owner = bid.owner;
        let has_no_part = |it: &Match| it.bid.owner != owner && it.offer.owner != owner;
        let Some(next) = (place..matches.len()).find(|place| has_no_part(&matches[*place])) else {
            return;
        };
        let old = matches.remove(next);
        let energy = bid.energy.min(offer.energy).min(old.bid.energy);
        let part = |part: Part| Part { energy, ..part };
        let rest = |part: Part| Part { energy: part.energy - energy, ..part };
        take(bids, 0, energy);
        take(offers, 0, energy);
        let mut new = vec![
            Match { bid: part(bid), offer: part(old.offer) },
            Match { bid: part(old.bid), offer: part(offer) },
        ];
        if old.bid.energy > energy {
            new.push(Match { bid: rest(old.bid), offer: rest(old.offer) });
        }
        matches.splice(next..next, new);
        place = next + 2;
    }
}

/// Pairs the parts at two places of their lists, as much as both have.
fn meet(bids: &mut Vec<Part>, bid: usize, offers: &mut Vec<Part>, offer: usize) -> Option<Match> {
    let (first, second) = (bids.get(bid).copied()?, offers.get(offer).copied()?);
    let energy = first.energy.min(second.energy);
    take(bids, bid, energy);
    take(offers, offer, energy);
    Some(Match { bid: Part { energy, ..first }, offer: Part { energy, ..second } })
}

fn take(parts: &mut Vec<Part>, place: usize, energy: u64) {
    parts[place].energy -= energy;
    if parts[place].energy == 0 {
        parts.remove(place);
    }
}

impl Match {
    fn into_pair(self) -> Pair {
        Pair { bid: self.bid.id, offer: self.offer.id, energy: Energy(self.bid.energy) }
    }
}
