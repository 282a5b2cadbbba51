//! The grid: what the day's trades sent through each transformer, and how often it was full.
//!
//! Reads the node's views and adds the trades up by itself; does not know how the market held the limits.

use std::{collections::BTreeMap, fmt::Write};

use parkwatt_engine::{MarketConfig, ParticipantId, Slot, Zone};

use super::summary::kwh;
use crate::views::Views;

/// A zone's edge to its parent, and what flowed through it.
pub struct Edge<'a> {
    /// The zone.
    pub zone: &'a Zone,
    /// What trades of a slot sent from the zone to its parent, less what they sent back, in Wh.
    pub flows: BTreeMap<Slot, i128>,
    lot_wh: u64,
}

/// Returns every edge of a market, in the zones' order.
pub fn edges(views: &Views) -> Vec<Edge<'_>> {
    let config = &views.config;
    let below = |id: ParticipantId, number: usize| {
        is_below(config, usize::from(views.participants[id.0 as usize].zone.0), number)
    };
    let edge = |(number, zone)| {
        let mut flows: BTreeMap<Slot, i128> = BTreeMap::new();
        for trade in views.orders.trades().map(|view| &view.trade) {
            let out = i128::from(below(trade.seller, number)) - i128::from(below(trade.buyer, number));
            *flows.entry(trade.slot).or_default() += out * i128::from(trade.energy.0);
        }
        Edge { zone, flows, lot_wh: config.lot.0 }
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

impl Edge<'_> {
    /// Returns what an edge of so many W carries in a quarter hour, in whole lots.
    pub fn capacity_wh(&self, watts: u64) -> u64 {
        watts / 4 / self.lot_wh * self.lot_wh
    }
}

fn is_below(config: &MarketConfig, zone: usize, ancestor: usize) -> bool {
    zone == ancestor
        || config.zones[zone].parent.is_some_and(|parent| is_below(config, usize::from(parent.0), ancestor))
}
