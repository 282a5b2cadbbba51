//! The stream of market data: each slot as it stands, and then every public change of it.
//!
//! Knows what is public; does not know whose anything is. Keeps: what was told of a slot, added up, is the slot as
//! everybody sees it, as of the last change's number.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
};

use parkwatt_engine::{Event, Side, Slot, ZoneId};
use parkwatt_proto::v1::{self, market_update::Kind};

use super::{End, Outbox, Streams, Told};
use crate::{
    host::Market,
    reads::market_data::{depth, nameless, nameless_trade, summary},
    recent::{Happened, TooOld},
    refusal::{Refused, StreamEnd},
    views::SlotView,
    wire::{self, Malformed},
};

/// How much is taken from what is at hand at once.
const BATCH: usize = 64;
/// The request's field that says from where to go on.
const FIELD: &str = "after_tree_size";

/// Opens a stream of the slots that `request` names.
pub fn open(
    streams: &Streams,
    market: &Arc<Market>,
    connection: Option<SocketAddr>,
    request: &v1::StreamMarketRequest,
) -> Result<Told<v1::MarketUpdate>, Refused> {
    let slots: BTreeSet<Slot> = request.slots.iter().map(|slot| Slot(*slot)).collect();
    let (count, max) = (slots.len(), streams.limits.slots_max);
    if count == 0 || count > max {
        let problem = format!("names {count} slots; a stream follows 1 to {max}, so open several for more");
        return Err(Malformed::new("slots", problem).into());
    }
    let after = request.after_tree_size;
    let newest = market.checkpoint().size();
    if let Some(after) = after.filter(|after| *after > newest) {
        let problem = format!("{after} leaves are more than the {newest} of the ledger");
        return Err(Malformed::new(FIELD, problem).into());
    }
    // What does not fit does not go on either.
    market.store()?;
    let following = Following { market: market.clone(), slots, told: 0 };
    streams.open(connection, None, FIELD, move |outbox| following.run(after, outbox))
}

struct Following {
    market: Arc<Market>,
    slots: BTreeSet<Slot>,
    /// What was told follows from the first so many leaves.
    told: u64,
}

impl Following {
    async fn run(mut self, after: Option<u64>, mut outbox: Outbox<v1::MarketUpdate>) -> Result<(), End> {
        let _follower = self.market.shared.backlog.follow();
        match after.filter(|after| self.market.shared.recent.has(*after)) {
            Some(after) => {
                self.told = after;
                outbox.go_on_from = Some(after);
            }
            None => self.begin(&mut outbox).await?,
        }
        let mut stored = self.market.shared.stored.clone();
        loop {
            let more = stored.wait_for(|size| *size > self.told);
            let Ok(size) = outbox.unless_over(async { more.await.map(|size| *size) }).await? else {
                return Err(outbox.ended(StreamEnd::Stopping));
            };
            self.tell_until(size, &mut outbox).await?;
        }
    }

    /// Tells every change until the ledger had `size` leaves.
    async fn tell_until(&mut self, size: u64, outbox: &mut Outbox<v1::MarketUpdate>) -> Result<(), End> {
        while self.told < size {
            let batch = self.market.shared.recent.from(self.told, BATCH);
            let batch = batch.map_err(|TooOld| outbox.ended(StreamEnd::TooSlow))?;
            let is_all = batch.len() < BATCH;
            for happened in &batch {
                self.told = happened.end_index();
                let mut changes = Changes::default();
                changes.take(happened, |slot| self.slots.contains(&slot));
                if let Some(change) = changes.finish(&self.market, self.told) {
                    outbox.tell(update(Kind::Change(change)), Some(self.told)).await?;
                }
            }
            if is_all {
                self.told = self.told.max(size);
            }
        }
        Ok(())
    }

    /// Tells how each slot stands, and then, as the first change, what has changed of them meanwhile.
    ///
    /// The sequencer is not held up by many books at once: each is drawn by itself.
    async fn begin(&mut self, outbox: &mut Outbox<v1::MarketUpdate>) -> Result<(), End> {
        let mut drawn: BTreeMap<Slot, u64> = BTreeMap::new();
        for slot in &self.slots {
            let snapshot = snapshot(&self.market, *slot);
            drawn.insert(*slot, snapshot.tree_size);
            outbox.tell(update(Kind::Snapshot(snapshot)), None).await?;
        }
        let sizes = || drawn.values().copied();
        let (first, last) = (sizes().min().unwrap_or_default(), sizes().max().unwrap_or_default());
        let mut changes = Changes::default();
        let mut from = first;
        while from < last {
            let batch = self.market.shared.recent.from(from, BATCH);
            let batch = batch.map_err(|TooOld| outbox.ended(StreamEnd::TooSlow))?;
            for happened in batch.iter().filter(|it| it.end_index() <= last) {
                changes
                    .take(happened, |slot| drawn.get(&slot).is_some_and(|of| *of <= happened.applied.index));
            }
            from = batch.last().filter(|_| batch.len() == BATCH).map_or(last, |it| it.end_index());
        }
        self.told = last;
        let empty = v1::MarketChange { tree_size: last, ..v1::MarketChange::default() };
        let change = changes.finish(&self.market, last).unwrap_or(empty);
        outbox.tell(update(Kind::Change(change)), Some(last)).await
    }
}

fn update(kind: Kind) -> v1::MarketUpdate {
    v1::MarketUpdate { kind: Some(kind) }
}

fn snapshot(market: &Market, slot: Slot) -> v1::SlotSnapshot {
    let views = market.views();
    let empty = SlotView::default();
    let view = views.slots.get(slot).unwrap_or(&empty);
    v1::SlotSnapshot {
        tree_size: views.tree_size,
        summary: Some(summary(market, slot, view)),
        depth: Some(depth(market, &views, slot)),
    }
}

/// Changes that are told at once.
#[derive(Default)]
struct Changes {
    /// By slot, side, zone and limit: how much more, and how many orders more.
    levels: BTreeMap<(Slot, Side, ZoneId, i64), (i64, i32)>,
    change: v1::MarketChange,
}

impl Changes {
    /// Takes in what happened in the slots that are wanted.
    fn take(&mut self, happened: &Happened, is_wanted: impl Fn(Slot) -> bool) {
        for it in happened.books.iter().filter(|it| is_wanted(it.slot)) {
            let level = self.levels.entry((it.slot, it.side, it.zone, it.limit.0)).or_default();
            level.0 += it.energy;
            level.1 += it.orders;
        }
        for event in &happened.applied.events {
            match event {
                Event::TradeMade(trade) if is_wanted(trade.slot) => {
                    self.change.trades.push(nameless_trade(trade));
                }
                Event::PhaseBegan { slot, phase } if is_wanted(*slot) => self
                    .change
                    .phases
                    .push(v1::PhaseBegan { slot: slot.0, phase: wire::phase(*phase).into() }),
                Event::AuctionCleared(clearing) if is_wanted(clearing.slot) => {
                    self.change.auctions.push(nameless(clearing));
                }
                _ => {}
            }
        }
    }

    /// Returns the change, if there is anything in it.
    fn finish(mut self, market: &Market, tree_size: u64) -> Option<v1::MarketChange> {
        // An order that came and went at once changes nothing.
        let changed = self.levels.into_iter().filter(|(_, change)| *change != (0, 0));
        let level =
            |((slot, side, zone, limit), (energy, orders)): ((Slot, Side, ZoneId, i64), _)| v1::LevelChange {
                slot: slot.0,
                side: wire::side(side).into(),
                zone: market.config.zones[usize::from(zone.0)].name.clone(),
                limit_price_micros_per_kwh: limit,
                energy_wh: energy,
                orders,
            };
        self.change.levels = changed.map(level).collect();
        self.change.tree_size = tree_size;
        let v1::MarketChange { levels, trades, phases, auctions, .. } = &self.change;
        let is_empty = levels.is_empty() && trades.is_empty() && phases.is_empty() && auctions.is_empty();
        (!is_empty).then_some(self.change)
    }
}
