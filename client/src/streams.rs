//! Streams of a node: market data, and one's own executions; and the picture that market data comes to.
//!
//! Knows how changes add up; does not know why a stream ended or when to come again: each update says from where a
//! reader can go on, and so does the word with which a node ends a stream.

use std::collections::BTreeMap;

use parkwatt_proto::v1::{
    Depth, Level, LevelChange, MarketChange, MarketUpdate, Side, SlotSnapshot, SlotSummary,
    market_update::Kind,
};
use parkwatt_proto::v1::{Posting, ledger_account};

/// Slots as a stream of market data tells them.
#[derive(Clone, Debug, Default)]
pub struct MarketPicture {
    slots: BTreeMap<u32, SlotPicture>,
    after_tree_size: Option<u64>,
}

/// A slot: what everybody knows of it.
#[derive(Clone, Debug, Default)]
pub struct SlotPicture {
    /// Its phase, volume and auction. The mean price and what was delivered are as they were in the snapshot.
    pub summary: SlotSummary,
    /// By side, zone and limit: the energy, in Wh, and the orders.
    levels: BTreeMap<(Side, String, i64), (u64, u32)>,
}

impl MarketPicture {
    /// Returns the number to go on behind; none until the picture is whole.
    pub fn after_tree_size(&self) -> Option<u64> {
        self.after_tree_size
    }

    /// Returns a slot.
    pub fn slot(&self, slot: u32) -> Option<&SlotPicture> {
        self.slots.get(&slot)
    }

    /// Draws an update.
    ///
    /// # Errors
    /// A sentence if it contradicts what came before.
    pub fn take(&mut self, update: &MarketUpdate) -> Result<(), String> {
        match &update.kind {
            Some(Kind::Snapshot(snapshot)) => self.take_snapshot(snapshot),
            Some(Kind::Change(change)) => self.take_change(change),
            None => Err("an update is neither snapshot nor change".to_owned()),
        }
    }

    fn take_snapshot(&mut self, snapshot: &SlotSnapshot) -> Result<(), String> {
        let (Some(summary), Some(depth)) = (&snapshot.summary, &snapshot.depth) else {
            return Err("a snapshot lacks its slot".to_owned());
        };
        // Until the change behind the snapshots, slots are of several sizes.
        self.after_tree_size = None;
        let bids = depth.bids.iter().map(|level| (Side::Bid, level));
        let offers = depth.offers.iter().map(|level| (Side::Offer, level));
        let key = |(side, level): (Side, &Level)| {
            let key = (side, level.zone.clone(), level.limit_price_micros_per_kwh);
            (key, (level.energy_wh, level.orders))
        };
        let levels = bids.chain(offers).map(key).collect();
        self.slots.insert(summary.slot, SlotPicture { summary: summary.clone(), levels });
        Ok(())
    }

    fn take_change(&mut self, change: &MarketChange) -> Result<(), String> {
        if let Some(before) = self.after_tree_size.filter(|before| *before >= change.tree_size) {
            return Err(format!("the change numbered {} follows that numbered {before}", change.tree_size));
        }
        for phase in &change.phases {
            self.slot_mut(phase.slot)?.summary.phase = phase.phase;
        }
        for auction in &change.auctions {
            self.slot_mut(auction.slot)?.summary.auction = Some(auction.clone());
        }
        for trade in &change.trades {
            self.slot_mut(trade.slot)?.summary.traded_wh += trade.energy_wh;
        }
        for level in &change.levels {
            self.slot_mut(level.slot)?.change(level)?;
        }
        self.after_tree_size = Some(change.tree_size);
        Ok(())
    }

    fn slot_mut(&mut self, slot: u32) -> Result<&mut SlotPicture, String> {
        self.slots.get_mut(&slot).ok_or_else(|| format!("slot {slot} changed, and has no snapshot"))
    }
}

impl SlotPicture {
    /// Returns its open orders, level by level: by the zones' names, best first within a zone.
    pub fn depth(&self) -> Depth {
        let of = |side: Side| {
            let levels = self.levels.iter().filter(move |((its, ..), _)| *its == side);
            levels.map(|((_, zone, limit), (energy_wh, orders))| Level {
                zone: zone.clone(),
                limit_price_micros_per_kwh: *limit,
                energy_wh: *energy_wh,
                orders: *orders,
            })
        };
        let mut bids: Vec<Level> = of(Side::Bid).collect();
        bids.sort_by(|a, b| {
            a.zone.cmp(&b.zone).then(b.limit_price_micros_per_kwh.cmp(&a.limit_price_micros_per_kwh))
        });
        Depth { slot: self.summary.slot, phase: self.summary.phase, bids, offers: of(Side::Offer).collect() }
    }

    fn change(&mut self, change: &LevelChange) -> Result<(), String> {
        let key = (change.side(), change.zone.clone(), change.limit_price_micros_per_kwh);
        let level = self.levels.entry(key.clone()).or_default();
        let changed =
            (level.0.checked_add_signed(change.energy_wh), level.1.checked_add_signed(change.orders));
        match changed {
            (Some(0), Some(0)) => {
                self.levels.remove(&key);
            }
            (Some(energy), Some(orders)) if orders > 0 => *level = (energy, orders),
            _ => {
                return Err(format!("{change:?} does not fit a level of {} Wh, {} orders", level.0, level.1));
            }
        }
        Ok(())
    }
}

/// Returns by how much a posting of one's own executions changes one's account, in 1e-9 yuan; negative where it pays.
///
/// One's own account is the only participant's in it.
pub fn account_change_nanos(posting: &Posting) -> i128 {
    let amount = i128::from(posting.amount_yuan) * 1_000_000_000 + i128::from(posting.amount_nanos);
    let account = posting.from.as_ref().and_then(|from| from.kind.as_ref());
    match account {
        Some(ledger_account::Kind::Participant(_)) => -amount,
        _ => amount,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: u32 = 7;

    fn level(energy_wh: i64, orders: i32) -> LevelChange {
        LevelChange {
            slot: SLOT,
            side: Side::Bid.into(),
            zone: "park".into(),
            limit_price_micros_per_kwh: 5,
            energy_wh,
            orders,
        }
    }

    fn change(tree_size: u64, levels: Vec<LevelChange>) -> MarketUpdate {
        let change = MarketChange { tree_size, levels, ..MarketChange::default() };
        MarketUpdate { kind: Some(Kind::Change(change)) }
    }

    fn snapshot(slot: u32) -> MarketUpdate {
        let summary = Some(SlotSummary { slot, ..SlotSummary::default() });
        let depth = Some(Depth { slot, ..Depth::default() });
        MarketUpdate { kind: Some(Kind::Snapshot(SlotSnapshot { tree_size: 3, summary, depth })) }
    }

    #[test]
    fn a_picture_is_whole_from_the_first_change_on_and_levels_add_up() {
        let mut picture = MarketPicture::default();
        picture.take(&snapshot(SLOT)).unwrap();
        assert_eq!(picture.after_tree_size(), None);
        picture.take(&change(3, vec![level(10, 1)])).unwrap();
        picture
            .take(&change(5, vec![level(-4, 0), LevelChange { zone: "a".into(), ..level(2, 1) }]))
            .unwrap();
        assert_eq!(picture.after_tree_size(), Some(5));
        let bids: Vec<_> = picture.slot(SLOT).unwrap().depth().bids;
        let seen: Vec<_> = bids.iter().map(|it| (it.zone.as_str(), it.energy_wh, it.orders)).collect();
        assert_eq!(seen, [("a", 2, 1), ("park", 6, 1)]);
        picture.take(&change(6, vec![level(-6, -1)])).unwrap();
        assert_eq!(picture.slot(SLOT).unwrap().depth().bids.len(), 1);
        picture.take(&snapshot(SLOT)).unwrap();
        assert!(picture.slot(SLOT).unwrap().depth().bids.is_empty(), "a snapshot takes the place of all");
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let mut picture = MarketPicture::default();
        picture.take(&snapshot(SLOT)).unwrap();
        picture.take(&change(3, vec![level(10, 1)])).unwrap();
        for (wrong, words) in [
            (change(3, vec![]), "follows that numbered 3"),
            (change(9, vec![level(-11, -1)]), "does not fit a level of 10 Wh, 1 orders"),
            (change(9, vec![level(1, -1)]), "does not fit"),
            (change(9, vec![LevelChange { slot: 8, ..level(1, 1) }]), "slot 8 changed"),
            (MarketUpdate { kind: None }, "neither"),
        ] {
            let problem = picture.clone().take(&wrong).unwrap_err();
            assert!(problem.contains(words), "{problem}");
        }
    }
}
