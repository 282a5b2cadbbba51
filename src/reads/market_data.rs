//! Public reads: the market, its slots, anonymous depth, the tape.

use std::sync::Arc;

use jiff::tz::TimeZone;
use parkwatt_engine::{Clearing, Side, Slot, Trade, Zone, indicative};
use parkwatt_proto::v1::{self, market_data_server::MarketData};
use tonic::{Request, Response, Status};

use super::{
    day::day,
    rows,
    streams::{self, Streams, Told},
};
use crate::{
    host::{Door, Market},
    markets::Markets,
    refusal::Refused,
    views::{BookLevel, SlotView, Views},
    wire,
};

/// The service of what everybody may know.
pub struct MarketDataReads {
    /// The markets.
    pub markets: Arc<Markets>,
    /// Those who follow them.
    pub streams: Arc<Streams>,
    /// The zone of its days.
    pub zone: TimeZone,
}

#[tonic::async_trait]
impl MarketData for MarketDataReads {
    async fn list_markets(
        &self,
        _: Request<v1::ListMarketsRequest>,
    ) -> Result<Response<v1::ListMarketsResponse>, Status> {
        let markets = self.markets.iter().map(|market| {
            let views = market.views();
            v1::MarketListing {
                market: market.config.name.clone(),
                is_open: matches!(market.door, Door::Open(_)),
                participants: participants(&views),
                tree_size: views.tree_size,
            }
        });
        Ok(Response::new(v1::ListMarketsResponse { markets: markets.collect() }))
    }

    async fn get_market(
        &self,
        request: Request<v1::GetMarketRequest>,
    ) -> Result<Response<v1::Market>, Status> {
        let market = self.markets.named(&request.into_inner().market)?;
        let views = market.views();
        Ok(Response::new(v1::Market {
            genesis: Some(wire::genesis(&views.config)),
            now_micros: market.clock.now().0,
            participants: participants(&views),
            tree_size: views.tree_size,
            tariffs: views.tariffs.iter().map(|it| wire::tariffs(&views.config, it)).collect(),
            time_zone: self.zone.iana_name().unwrap_or("UTC").to_owned(),
        }))
    }

    async fn list_slots(
        &self,
        request: Request<v1::ListSlotsRequest>,
    ) -> Result<Response<v1::ListSlotsResponse>, Status> {
        let request = request.into_inner();
        let market = self.markets.named(&request.market)?;
        let count = u32::try_from(rows(request.count)?).expect("rows are at most 1,000");
        let range = Slot(request.from_slot)..Slot(request.from_slot.saturating_add(count));
        let views = market.views();
        let slots = views.slots.range(range).map(|(slot, view)| summary(market, slot, view)).collect();
        Ok(Response::new(v1::ListSlotsResponse { slots }))
    }

    async fn get_depth(&self, request: Request<v1::GetDepthRequest>) -> Result<Response<v1::Depth>, Status> {
        let request = request.into_inner();
        let market = self.markets.named(&request.market)?;
        Ok(Response::new(depth(market, &market.views(), Slot(request.slot))))
    }

    async fn get_indicative_auction(
        &self,
        request: Request<v1::GetIndicativeAuctionRequest>,
    ) -> Result<Response<v1::IndicativeAuction>, Status> {
        let request = request.into_inner();
        let market = self.markets.named(&request.market)?;
        let slot = Slot(request.slot);
        let (phase, tree_size, book) = {
            let views = market.views();
            let phase = phase(market, slot, views.slots.get(slot));
            let is_open = phase == v1::Phase::Auction;
            (phase, views.tree_size, is_open.then(|| (views.config_in(slot), views.book(slot))))
        };
        let mut result = None;
        if let Some((config, book)) = book {
            // Of a large book this takes milliseconds, in which this thread shall answer others.
            let clearing = tokio::task::spawn_blocking(move || indicative(&config, slot, &book));
            result = Some(nameless(&clearing.await.map_err(|_| Refused::Stopped)?));
        }
        Ok(Response::new(v1::IndicativeAuction { slot: slot.0, phase: phase.into(), result, tree_size }))
    }

    async fn get_auction(
        &self,
        request: Request<v1::GetAuctionRequest>,
    ) -> Result<Response<v1::Auction>, Status> {
        let request = request.into_inner();
        let market = self.markets.named(&request.market)?;
        let (slot, views) = (Slot(request.slot), market.views());
        let view = views.slots.get(slot);
        let book = views.sums(slot).map_or(&[][..], |sums| &sums.auction_book);
        let (bids, offers) = sides(&views, book);
        Ok(Response::new(v1::Auction {
            slot: slot.0,
            phase: phase(market, slot, view).into(),
            result: view.and_then(|view| view.auction.as_ref()).map(nameless),
            bids,
            offers,
        }))
    }

    async fn get_flows(&self, request: Request<v1::GetFlowsRequest>) -> Result<Response<v1::Flows>, Status> {
        let request = request.into_inner();
        let market = self.markets.named(&request.market)?;
        let (slot, views) = (Slot(request.slot), market.views());
        let flows = views.sums(slot).map_or(&[][..], |sums| &sums.flows_wh);
        let lot = views.config.lot.0;
        let capacity = |watts: Option<u64>| watts.map(|watts| watts / 4 / lot * lot);
        let edge = |(number, zone): (usize, &Zone)| v1::EdgeFlow {
            zone: zone.name.clone(),
            flow_wh: flows.get(number).copied().unwrap_or(0),
            capacity_up_wh: capacity(zone.capacity_up_w),
            capacity_down_wh: capacity(zone.capacity_down_w),
        };
        Ok(Response::new(v1::Flows {
            slot: slot.0,
            phase: phase(market, slot, views.slots.get(slot)).into(),
            edges: views.config.zones.iter().enumerate().skip(1).map(edge).collect(),
        }))
    }

    async fn get_day(&self, request: Request<v1::GetDayRequest>) -> Result<Response<v1::Day>, Status> {
        let market = self.markets.named(&request.get_ref().market)?;
        Ok(Response::new(day(market, &self.zone, request.get_ref())?))
    }

    async fn list_tape(
        &self,
        request: Request<v1::ListTapeRequest>,
    ) -> Result<Response<v1::ListTapeResponse>, Status> {
        let request = request.into_inner();
        let market = self.markets.named(&request.market)?;
        let count = rows(request.count)?;
        let views = market.views();
        let trades = views.orders.trades().map(|view| &view.trade);
        let trades = trades.filter(|trade| request.slot.is_none_or(|slot| trade.slot.0 == slot));
        Ok(Response::new(v1::ListTapeResponse { trades: trades.take(count).map(nameless_trade).collect() }))
    }

    type StreamMarketStream = Told<v1::MarketUpdate>;

    async fn stream_market(
        &self,
        request: Request<v1::StreamMarketRequest>,
    ) -> Result<Response<Self::StreamMarketStream>, Status> {
        let connection = request.remote_addr();
        let request = request.into_inner();
        let market = self.markets.named(&request.market)?;
        Ok(Response::new(streams::market::open(&self.streams, market, connection, &request)?))
    }
}

fn participants(views: &Views) -> u32 {
    u32::try_from(views.participants.len()).expect("participants' numbers have 32 bits")
}

/// Returns the open orders of a slot, level by level.
pub(super) fn depth(market: &Market, views: &Views, slot: Slot) -> v1::Depth {
    let (bids, offers) = sides(views, &views.levels(slot));
    v1::Depth { slot: slot.0, phase: phase(market, slot, views.slots.get(slot)).into(), bids, offers }
}

/// Returns the levels of bids, and those of offers.
fn sides(views: &Views, levels: &[BookLevel]) -> (Vec<v1::Level>, Vec<v1::Level>) {
    let of = |side: Side| {
        let level = |it: &BookLevel| v1::Level {
            zone: views.config.zones[usize::from(it.zone.0)].name.clone(),
            limit_price_micros_per_kwh: it.limit.0,
            energy_wh: it.energy_wh,
            orders: it.orders,
        };
        levels.iter().filter(|it| it.side == side).map(level).collect()
    };
    (of(Side::Bid), of(Side::Offer))
}

pub(super) fn summary(market: &Market, slot: Slot, view: &SlotView) -> v1::SlotSummary {
    v1::SlotSummary {
        slot: slot.0,
        phase: phase(market, slot, Some(view)).into(),
        traded_wh: view.traded.0,
        mean_price_micros_per_kwh: view.mean_price().map(|price| price.0),
        auction: view.auction.as_ref().map(nameless),
        delivered_wh: view.delivered.0,
    }
}

/// Who traded is nobody else's to know.
pub(super) fn nameless_trade(trade: &Trade) -> v1::Trade {
    v1::Trade { buyer: None, seller: None, bid: None, offer: None, ..wire::trade(trade) }
}

/// Which orders are one owner's is nobody else's to know.
pub(super) fn nameless(clearing: &Clearing) -> v1::AuctionCleared {
    v1::AuctionCleared { passed_over: Vec::new(), ..wire::auction(clearing) }
}

/// A slot in which nothing happened has no view; its phase follows from time alone.
fn phase(market: &Market, slot: Slot, view: Option<&SlotView>) -> v1::Phase {
    let by_time = || market.config.timeline.phase_at(slot, market.clock.now());
    wire::phase(view.and_then(|view| view.phase).unwrap_or_else(by_time))
}
