//! The grid: a tree of zones, and what the way between two of them costs (R4).
//!
//! Knows the charges of the configuration; does not know orders, prices or who is connected where.
//! Keeps: the way of a kWh is the one path in the tree, and its charge is the sum over the path's edges.

use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use crate::{MarketConfig, Price, Zone, ZoneId};

/// The tree of zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    edges: Vec<Edge>,
    /// What a buyer pays for wheeling, by the seller's zone and then the buyer's.
    wheeling: Vec<Price>,
}

/// A zone's edge to its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    /// The zone's place among the zones.
    pub(crate) zone: usize,
    /// The parent's place among the zones: always a lower one.
    pub(crate) parent: usize,
    /// The charge from the zone to its parent.
    pub(crate) up: Price,
    /// The charge from the parent to the zone.
    pub(crate) down: Price,
}

impl Grid {
    /// Builds the grid of a configuration that holds.
    pub(crate) fn new(config: &MarketConfig) -> Grid {
        let edges = config.zones.iter().enumerate().filter_map(|(zone, it)| edge_of(zone, it)).collect();
        let mut grid = Grid { edges, wheeling: Vec::new() };
        grid.wheeling = grid.all_pairs(&config.zones);
        grid
    }

    /// Returns how many zones there are.
    pub(crate) fn zone_count(&self) -> usize {
        self.edges.len() + 1
    }

    /// Returns the edges in the order of their lower ends' zones, so that every parent's own edge stands
    /// before.
    pub(crate) fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// Returns what a buyer pays the network for a kWh: his zone's base charge, and the edges on the path.
    pub(crate) fn wheeling(&self, seller: ZoneId, buyer: ZoneId) -> Price {
        self.wheeling[usize::from(seller.0) * self.zone_count() + usize::from(buyer.0)]
    }

    /// Returns the table of charges, each one edge longer than one that stands before it.
    fn all_pairs(&self, zones: &[Zone]) -> Vec<Price> {
        let count = zones.len();
        let mut paths = alloc::vec![Price::ZERO; count * count];
        for edge in &self.edges {
            for other in 0..edge.zone {
                paths[edge.zone * count + other] = paths[edge.parent * count + other].plus(edge.up);
                paths[other * count + edge.zone] = paths[other * count + edge.parent].plus(edge.down);
            }
        }
        for (place, path) in paths.iter_mut().enumerate() {
            *path = path.plus(zones[place % count].base_wheeling);
        }
        paths
    }
}

/// The grid follows from the configuration, and adds nothing to a state's hash.
impl Hash for Grid {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

fn edge_of(zone: usize, it: &Zone) -> Option<Edge> {
    let parent = usize::from(it.parent?.0);
    Some(Edge { zone, parent, up: it.wheeling_up, down: it.wheeling_down })
}
