//! The grid: a tree of zones, what the path between two of them costs, and what it carries (R4).
//!
//! Knows charges and capacities of the configuration; does not know orders, prices or who is connected where.
//! Keeps: a kWh goes the one path in the tree, and no flow exceeds its edge's capacity.
//!
//! A *way* is all that a buyer pays for a path on top of the seller's price: the charges of its edges, the base
//! charge of his zone, and the fee.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{Energy, MarketConfig, Price, Side, Zone, ZoneId};

/// More than any sum of orders, and far from the ends of 63 bits: the capacity of an edge that has no limit.
pub(crate) const UNLIMITED_WH: i64 = i64::MAX / 4;

/// The tree of zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    /// The edges in the order of their lower ends' zones: the one of zone 1 first.
    edges: Vec<Edge>,
    /// The ways, by the buyer's zone and then the seller's; and by the seller's zone and then the buyer's.
    ways: [Vec<Vec<Price>>; 2],
    /// What of each way the market takes.
    fee: Price,
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
    /// The most energy from the zone to its parent in a slot, in Wh, a multiple of the lot.
    pub(crate) capacity_up_wh: i64,
    /// The most energy from the parent to the zone in a slot, in Wh, a multiple of the lot.
    pub(crate) capacity_down_wh: i64,
}

/// What trades of one slot send up each zone's edge, less what they send down it, in Wh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Flows(Vec<i64>);

/// What was sent along a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// How much had room.
    pub(crate) energy: Energy,
    /// Whether it made room, against it, where there was none.
    pub(crate) makes_room: bool,
}

impl Grid {
    /// Builds the grid of a configuration that holds.
    pub(crate) fn new(config: &MarketConfig) -> Grid {
        let zones = config.zones.iter().enumerate();
        let edges = zones.filter_map(|(zone, it)| edge_of(config.lot, zone, it)).collect();
        let mut grid = Grid { edges, ways: Default::default(), fee: config.market_fee };
        let (count, table) = (config.zones.len(), grid.all_pairs(&config.zones));
        let by_seller = table.chunks(count).map(<[Price]>::to_vec).collect();
        let to_buyer = |buyer| table.iter().skip(buyer).step_by(count).copied().collect();
        grid.ways = [(0..count).map(to_buyer).collect(), by_seller];
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
        self.ways(Side::Offer, seller)[usize::from(buyer.0)].minus(self.fee)
    }

    /// Returns, in the zones' order, the ways by which an order of `side` from `zone` trades with one of the
    /// other side from each.
    #[inline]
    pub(crate) fn ways(&self, side: Side, zone: ZoneId) -> &[Price] {
        &self.ways[side as usize][usize::from(zone.0)]
    }

    /// Returns the least of [`Grid::ways`].
    pub(crate) fn least_way(&self, side: Side, zone: ZoneId) -> Price {
        *self.ways(side, zone).iter().min().expect("there is a zone")
    }

    /// Returns the flows of a slot without trades.
    pub(crate) fn no_flows(&self) -> Flows {
        Flows(alloc::vec![0; self.zone_count()])
    }

    /// Returns how much the path from a seller to a buyer still carries.
    pub(crate) fn room(&self, flows: &Flows, seller: ZoneId, buyer: ZoneId) -> Energy {
        let mut room = UNLIMITED_WH;
        self.walk(seller, buyer, |edge, is_up| room = room.min(edge.room(flows.0[edge.zone], is_up)));
        Energy(room.unsigned_abs())
    }

    /// Sends `energy` from a seller to a buyer, and returns whether that made room, against it, where there
    /// was none.
    ///
    /// # Panics
    /// If the path has no room for it.
    pub(crate) fn send(&self, flows: &mut Flows, seller: ZoneId, buyer: ZoneId, energy: Energy) -> bool {
        let wh = i64::try_from(energy.0).expect("limits on orders keep a slot's energy below 2^63 Wh");
        let mut makes_room = false;
        self.walk(seller, buyer, |edge, is_up| {
            let flow = &mut flows.0[edge.zone];
            assert!(wh <= edge.room(*flow, is_up), "a flow stays within its edge's capacity");
            makes_room |= edge.carry(flow, wh, is_up);
        });
        makes_room
    }

    /// Sends between an order of `side` from `zone` and one of the other side from `other` as much of `energy` as
    /// has room.
    #[inline(never)]
    pub(crate) fn send_what_fits(
        &self,
        flows: &mut Flows,
        side: Side,
        zone: ZoneId,
        other: ZoneId,
        energy: Energy,
    ) -> Sent {
        let (seller, buyer) = match side {
            Side::Bid => (other, zone),
            Side::Offer => (zone, other),
        };
        let wh = i64::try_from(energy.0).expect("limits on orders keep a slot's energy below 2^63 Wh");
        // Sent at once, since it nearly always has room.
        let (mut has_room, mut makes_room) = (true, false);
        self.walk(seller, buyer, |edge, is_up| {
            let flow = &mut flows.0[edge.zone];
            has_room &= wh <= edge.room(*flow, is_up);
            makes_room |= edge.carry(flow, wh, is_up);
        });
        if has_room { Sent { energy, makes_room } } else { self.send_less(flows, seller, buyer, wh) }
    }

    /// Takes back what was sent along a path that has no room for it, and sends as much of it as has room.
    #[cold]
    #[inline(never)]
    fn send_less(&self, flows: &mut Flows, seller: ZoneId, buyer: ZoneId, sent_wh: i64) -> Sent {
        let mut wh = sent_wh;
        self.walk(seller, buyer, |edge, is_up| {
            let flow = &mut flows.0[edge.zone];
            edge.carry(flow, -sent_wh, is_up);
            wh = wh.min(edge.room(*flow, is_up));
        });
        let mut makes_room = false;
        self.walk(seller, buyer, |edge, is_up| {
            makes_room |= edge.carry(&mut flows.0[edge.zone], wh, is_up);
        });
        Sent { energy: Energy(wh.unsigned_abs()), makes_room: makes_room && wh != 0 }
    }

    /// Sends `energy` between an order of `side` from `zone` and one of the other side from `other`, as
    /// [`Grid::send`] does.
    #[inline]
    pub(crate) fn send_between(
        &self,
        flows: &mut Flows,
        side: Side,
        zone: ZoneId,
        other: ZoneId,
        energy: Energy,
    ) -> bool {
        match side {
            _ if zone == other => false,
            Side::Bid => self.send(flows, other, zone, energy),
            Side::Offer => self.send(flows, zone, other, energy),
        }
    }

    /// Returns how much the path between an order of `side` from `zone` and one of the other side from
    /// `other` still carries.
    #[inline]
    pub(crate) fn room_between(&self, flows: &Flows, side: Side, zone: ZoneId, other: ZoneId) -> Energy {
        match side {
            Side::Bid => self.room(flows, other, zone),
            Side::Offer => self.room(flows, zone, other),
        }
    }

    /// Visits the edges between two zones, each with whether it is passed upwards.
    #[expect(clippy::inline_always, reason = "it is on the path of every trade between zones")]
    #[inline(always)]
    fn walk(&self, from: ZoneId, to: ZoneId, mut visit: impl FnMut(&Edge, bool)) {
        let (mut from, mut to) = (usize::from(from.0), usize::from(to.0));
        // A parent has the lower number, so the greater of two different zones is never where the path turns.
        while from != to {
            let is_up = from > to;
            // OK because the greater of two is not 0.
            let edge = &self.edges[from.max(to).wrapping_sub(1)];
            visit(edge, is_up);
            if is_up { from = edge.parent } else { to = edge.parent }
        }
    }

    /// Returns the table of ways by seller: each path is one edge longer than one that is in it already.
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
            *path = path.plus(zones[place % count].base_wheeling).plus(self.fee);
        }
        paths
    }
}

impl Edge {
    /// Returns how much it still carries one way, where so much flows up it.
    pub(crate) fn room(&self, flow_wh: i64, is_up: bool) -> i64 {
        // OK because capacities, and flows with what an order adds, are far from the ends of 63 bits.
        if is_up {
            self.capacity_up_wh.wrapping_sub(flow_wh)
        } else {
            self.capacity_down_wh.wrapping_add(flow_wh)
        }
    }

    /// Adds to its flow one way, and returns whether that made room the other way, where there was none.
    #[inline]
    fn carry(&self, flow_wh: &mut i64, wh: i64, is_up: bool) -> bool {
        let makes_room = self.room(*flow_wh, !is_up) == 0;
        *flow_wh += if is_up { wh } else { -wh };
        makes_room
    }
}

fn edge_of(lot: Energy, zone: usize, it: &Zone) -> Option<Edge> {
    let parent = usize::from(it.parent?.0);
    let [capacity_up_wh, capacity_down_wh] =
        [it.capacity_up_w, it.capacity_down_w].map(|watts| capacity_wh(lot, watts));
    Some(Edge { zone, parent, up: it.wheeling_up, down: it.wheeling_down, capacity_up_wh, capacity_down_wh })
}

/// Returns what an edge carries in a quarter hour, in whole lots.
fn capacity_wh(lot: Energy, watts: Option<u64>) -> i64 {
    let whole_lots = |watts: u64| watts / 4 / lot.0 * lot.0;
    watts.map_or(UNLIMITED_WH, |watts| i64::try_from(whole_lots(watts)).expect("capacities are checked"))
}
