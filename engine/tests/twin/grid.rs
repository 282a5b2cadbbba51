//! R4: what the way from a seller to a buyer costs, and what it still carries.

use parkwatt_engine::*;

use super::Twin;

/// One way of passing the edge between a zone and its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    pub zone: usize,
    pub parent: usize,
    pub is_up: bool,
    pub charge: Price,
    /// What it carries in a quarter hour, in Wh; none where nothing limits it.
    pub capacity: Option<i64>,
}

/// The way from a seller's zone to a buyer's.
#[derive(Clone, Debug)]
pub struct Way {
    pub passages: Vec<Passage>,
    /// What the buyer pays the network: the edges, and the base charge of his zone.
    pub wheeling: Price,
}

/// What flows up each zone's edge to its parent, in Wh; negative where it flows down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flows(pub Vec<i64>);

/// Returns every way, by the seller's zone and then the buyer's.
pub fn all_ways(config: &MarketConfig) -> Vec<Vec<Way>> {
    let zones = 0..config.zones.len();
    zones.clone().map(|from| zones.clone().map(|to| way(config, from, to)).collect()).collect()
}

/// Returns the way between two zones, found by walking to the root from both until they meet.
fn way(config: &MarketConfig, from: usize, to: usize) -> Way {
    let parent_of = |zone: usize| config.zones[zone].parent.map(|parent| usize::from(parent.0));
    let to_the_root = |zone| std::iter::successors(Some(zone), |zone| parent_of(*zone)).collect::<Vec<_>>();
    let (above_from, above_to) = (to_the_root(from), to_the_root(to));
    let up = above_from.iter().filter(|zone| !above_to.contains(zone));
    let down = above_to.iter().rev().filter(|zone| !above_from.contains(zone));
    let up = up.map(|zone| passage(config, *zone, true));
    let passages: Vec<Passage> =
        up.chain(down.map(|zone| passage(config, *zone, false))).map(Option::unwrap).collect();
    let base = config.zones[to].base_wheeling;
    let wheeling = passages.iter().fold(base, |sum, passage| sum.plus(passage.charge));
    Way { passages, wheeling }
}

/// Returns the passage of a zone's edge one way; nothing at the root.
pub fn passage(config: &MarketConfig, zone: usize, is_up: bool) -> Option<Passage> {
    let it = &config.zones[zone];
    let parent = usize::from(it.parent?.0);
    let (charge, watts) =
        if is_up { (it.wheeling_up, it.capacity_up_w) } else { (it.wheeling_down, it.capacity_down_w) };
    let whole_lots = |watts: u64| i64::try_from(watts / 4 / config.lot.0 * config.lot.0).unwrap();
    Some(Passage { zone, parent, is_up, charge, capacity: watts.map(whole_lots) })
}

impl Flows {
    pub fn none(config: &MarketConfig) -> Flows {
        Flows(vec![0; config.zones.len()])
    }

    /// Returns what flows the way that an edge is passed, less what flows against it.
    pub fn along(&self, passage: &Passage) -> i64 {
        if passage.is_up { self.0[passage.zone] } else { -self.0[passage.zone] }
    }

    /// Returns what a way still carries; nothing where nothing limits it.
    pub fn room(&self, way: &Way) -> Option<u64> {
        let room_of = |passage: &Passage| Some(passage.capacity? - self.along(passage));
        let least = way.passages.iter().filter_map(room_of).min()?;
        Some(u64::try_from(least).unwrap())
    }

    pub fn send(&mut self, passages: &[Passage], energy: u64) {
        let wh = i64::try_from(energy).unwrap();
        for passage in passages {
            self.0[passage.zone] += if passage.is_up { wh } else { -wh };
        }
    }
}

impl Twin {
    /// Returns the way from one participant to another in a slot.
    pub(super) fn way(&self, slot: Slot, seller: ParticipantId, buyer: ParticipantId) -> &Way {
        &self.version(slot).ways[self.zone_of(seller)][self.zone_of(buyer)]
    }

    pub(super) fn zone_of(&self, participant: ParticipantId) -> usize {
        usize::from(self.person(participant).zone.0)
    }

    /// Returns what all trades of a slot together send over the edges.
    pub(super) fn flows(&self, slot: Slot) -> Flows {
        let mut flows = Flows::none(&self.config);
        for trade in self.trades.iter().filter(|trade| trade.slot == slot) {
            flows.send(&self.way(slot, trade.seller, trade.buyer).passages, trade.energy.0);
        }
        flows
    }
}
