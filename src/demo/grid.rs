//! The grid: what the day's trades sent through each transformer, and how often it was full.
//!
//! Reads the node's views and adds the trades up by itself; does not know how the market held the limits.

use std::{collections::BTreeMap, fmt::Write};

use parkwatt_engine::{MarketConfig, Matching, ParticipantId, Slot, Zone};

use super::summary::kwh;
use crate::views::Views;

/// A zone's edge to its parent, and what flowed through it.
pub struct Edge<'a> {
    /// The zone.
    pub zone: &'a Zone,
    /// What trades of a slot sent from the zone to its parent, less what they sent back, in Wh.
    pub flows: BTreeMap<Slot, i128>,
    /// The same of the trades of auctions only.
    pub flows_of_auctions: BTreeMap<Slot, i128>,
    lot_wh: u64,
}

/// Returns every edge of a market, in the zones' order.
pub fn edges(views: &Views) -> Vec<Edge<'_>> {
    let config = &views.config;
    let below = |id: ParticipantId, number: usize| {
        is_below(config, usize::from(views.participants[id.0 as usize].zone.0), number)
    };
    let edge = |(number, zone)| {
        let [mut flows, mut flows_of_auctions] = [BTreeMap::new(), BTreeMap::new()];
        for trade in views.orders.trades().map(|view| &view.trade) {
            let out = i128::from(below(trade.seller, number)) - i128::from(below(trade.buyer, number));
            let flow = out * i128::from(trade.energy.0);
            *flows.entry(trade.slot).or_default() += flow;
            if trade.matching == Matching::Auction {
                *flows_of_auctions.entry(trade.slot).or_default() += flow;
            }
        }
        Edge { zone, flows, flows_of_auctions, lot_wh: config.lot.0 }
    };
    config.zones.iter().enumerate().skip(1).map(edge).collect()
}

/// Returns what every transformer carried at most, and how often that was all it can, as lines of text.
pub fn text(views: &Views) -> String {
    let mut text = String::new();
    for edge in edges(views) {
        for (way, sign, capacity_w) in
            [("upwards", 1, edge.zone.capacity_up_w), ("downwards", -1, edge.zone.capacity_down_w)]
        {
            let flows = || edge.flows.values().map(|flow| u64::try_from(flow * sign).unwrap_or(0));
            let most = flows().max().unwrap_or(0);
            let said = match capacity_w {
                None => format!("at most {} a quarter hour, without a limit", kwh(most)),
                Some(watts) => {
                    let capacity_wh = edge.capacity_wh(watts);
                    let full = flows().filter(|flow| *flow == capacity_wh).count();
                    let (most, capacity) = (kwh(most), kwh(capacity_wh));
                    let most = most.trim_end_matches(" kWh");
                    format!("at most {most} of {capacity} a quarter hour, full in {full} quarter hours")
                }
            };
            writeln!(text, "  {:<34} {said}", format!("Transformer of '{}', {way}", edge.zone.name))
                .expect("text takes text");
        }
    }
    text
}

/// Returns why nobody paid for room on the transformers that were full; nothing if none was.
pub fn why_free(views: &Views) -> Option<&'static str> {
    let edges = edges(views);
    if edges.iter().any(|edge| edge.is_full(&edge.flows_of_auctions)) {
        Some("in the auctions that filled them prices differed by no more than wheeling")
    } else if edges.iter().any(|edge| edge.is_full(&edge.flows)) {
        Some("only auctions charge for it, and later trades filled them")
    } else {
        None
    }
}

impl Edge<'_> {
    /// Returns whether one of these flows is all that it carries.
    fn is_full(&self, flows: &BTreeMap<Slot, i128>) -> bool {
        let ways = [(1, self.zone.capacity_up_w), (-1, self.zone.capacity_down_w)];
        let mut ways = ways.into_iter().filter_map(|(sign, watts)| Some((sign, self.capacity_wh(watts?))));
        ways.any(|(sign, most)| flows.values().any(|flow| flow * sign == i128::from(most)))
    }

    /// Returns what an edge of so many W carries in a quarter hour, in whole lots.
    pub fn capacity_wh(&self, watts: u64) -> u64 {
        watts / 4 / self.lot_wh * self.lot_wh
    }
}

fn is_below(config: &MarketConfig, zone: usize, ancestor: usize) -> bool {
    zone == ancestor
        || config.zones[zone].parent.is_some_and(|parent| is_below(config, usize::from(parent.0), ancestor))
}
