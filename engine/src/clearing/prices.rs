//! The prices that support a result: one per zone.
//!
//! Each zone's price lies between bounds: what trades in the zone must be willing, what does not must have no
//! reason to; across an edge that carries a flow two zones differ by exactly its charge in that direction,
//! across an idle one by at most the charges. Bounds that are carried along the tree, up and then down, are
//! the least and the greatest prices that hold all this; so does every point between them, and, all charges
//! being on the tick, also its rounding down to the tick.

use alloc::vec::Vec;

use super::Interest;
use crate::grid::{Edge, Grid};
use crate::{MarketConfig, Price, Side};

/// Farther than any price, with room for any charges on top.
const FAR: Price = Price(i64::MAX / 4);

/// The least and the greatest price of a zone.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    least: Price,
    greatest: Price,
}

/// Returns the zones' prices, at the configured point between the least and the greatest.
pub(super) fn support(
    config: &MarketConfig,
    grid: &Grid,
    wanted: &[Interest],
    executed: &[Interest],
    exports_wh: &[i64],
) -> Vec<Price> {
    let mut zones = alloc::vec![Bounds { least: Price(-FAR.0), greatest: FAR }; grid.zone_count()];
    for (wanted, executed) in wanted.iter().zip(executed) {
        let trades = !executed.energy.is_zero();
        let is_left = executed.energy < wanted.energy;
        let bounds = &mut zones[wanted.zone];
        // A willing seller and a bid that was left hold the price up; a willing buyer and an offer left,
        // down.
        let (holds_up, holds_down) = match wanted.side {
            Side::Offer => (trades, is_left),
            Side::Bid => (is_left, trades),
        };
        if holds_up {
            bounds.least = bounds.least.max(wanted.net);
        }
        if holds_down {
            bounds.greatest = bounds.greatest.min(wanted.net);
        }
    }
    for edge in grid.edges().iter().rev() {
        let carried = seen_from_parent(zones[edge.zone], edge, exports_wh[edge.zone]);
        narrow(&mut zones[edge.parent], carried);
    }
    for edge in grid.edges() {
        let carried = seen_from_child(zones[edge.parent], edge, exports_wh[edge.zone]);
        narrow(&mut zones[edge.zone], carried);
    }
    zones.iter().map(|bounds| point_between(config, *bounds)).collect()
}

/// Returns what a child's bounds mean for its parent.
fn seen_from_parent(child: Bounds, edge: &Edge, export_wh: i64) -> Bounds {
    Bounds {
        least: if export_wh > 0 { child.least.plus(edge.up) } else { child.least.minus(edge.down) },
        greatest: if export_wh < 0 { child.greatest.minus(edge.down) } else { child.greatest.plus(edge.up) },
    }
}

/// Returns what a parent's bounds mean for its child.
fn seen_from_child(parent: Bounds, edge: &Edge, export_wh: i64) -> Bounds {
    Bounds {
        least: if export_wh < 0 { parent.least.plus(edge.down) } else { parent.least.minus(edge.up) },
        greatest: if export_wh > 0 {
            parent.greatest.minus(edge.up)
        } else {
            parent.greatest.plus(edge.down)
        },
    }
}

fn narrow(bounds: &mut Bounds, other: Bounds) {
    bounds.least = bounds.least.max(other.least);
    bounds.greatest = bounds.greatest.min(other.greatest);
}

/// Returns the configured point between two bounds, rounded down to the tick.
fn point_between(config: &MarketConfig, bounds: Bounds) -> Price {
    let (least, greatest) = (i128::from(bounds.least.0), i128::from(bounds.greatest.0));
    assert!(least <= greatest, "a greatest welfare has prices that support it");
    // Where something trades every zone is bounded: by a trade in it, or over the charges to a zone that has
    // one.
    assert!(bounds.greatest.0 < FAR.0 / 2 && bounds.least.0 > -FAR.0 / 2, "every zone's price is bounded");
    // In thousandths of a price, so that nothing is rounded before the tick.
    let point = least * 1000 + (greatest - least) * i128::from(config.auction_point_per_mille);
    let tick = i128::from(config.tick.0);
    let on_tick = point.div_euclid(tick * 1000) * tick;
    Price(i64::try_from(on_tick).expect("a price between two prices fits 63 bits"))
}
