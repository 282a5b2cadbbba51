//! The stream of market data: snapshots and changes are the slots as everybody sees them, and it can be gone on with.

use parkwatt_client::{Connection, MarketPicture};
use parkwatt_engine::Slot;
use parkwatt_proto::v1::{
    CancelOrder, Depth, Level, MarketUpdate, NewOrder, OrderId, ReplaceOrder, Side, SlotSummary,
    StreamMarketRequest, TimeInForce, command::Kind, market_data_client::MarketDataClient,
    market_update::Kind as Update, order_answer, outcome::Kind as Outcome,
};
use tokio_stream::{Stream, StreamExt};
use tonic::Code;

use super::{
    market::{LIMIT, Market, NOW_MICROS, Person, SLOT, check_refusal, order, outcome, place},
    settlement::submit,
};

const HOUR: u64 = 3_600_000_000;
/// A slot whose auction is held in six hours.
const AUCTION: Slot = Slot(SLOT.0 + 4 * 29);
/// The slots that are followed: two that trade continuously, and one in its auction.
const SLOTS: [u32; 3] = [SLOT.0, SLOT.0 + 1, AUCTION.0];
const TWO_ZONES: &str = "[[market.zones]]\nname = 'park'\n[[market.zones]]\nname = 'yard'\nparent = 'park'\n";

/// Asks to follow the slots, behind a number or from now on.
fn asked(after_tree_size: Option<u64>) -> StreamMarketRequest {
    StreamMarketRequest { market: String::new(), slots: SLOTS.to_vec(), after_tree_size }
}

/// Owners who trade at random, the same each time.
struct Crowd {
    owners: Vec<Person>,
    open: Vec<(usize, OrderId, NewOrder)>,
    /// How many orders were changed in their place.
    in_place: usize,
    drawn: u64,
}

impl Crowd {
    async fn enrol(market: &mut Market) -> Crowd {
        let mut owners = Vec::new();
        for (name, zone) in [("ann", "park"), ("bob", "yard"), ("eve", "yard")] {
            owners.push(market.enrol_in(name, zone).await);
        }
        Crowd { owners, open: Vec::new(), in_place: 0, drawn: 42 }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.drawn =
            self.drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.drawn >> 33) % bound
    }

    /// Places orders most of the time, some of them immediate, and else changes or withdraws one. Returns how many
    /// leaves the ledger had at least.
    async fn act(&mut self, market: &Market) -> u64 {
        let known = self.open.len() as u64;
        let (who, kind) = match self.below(10) {
            7 | 8 if known > 0 => {
                let drawn = self.below(known);
                let (who, id, placed) = self.open[usize::try_from(drawn).unwrap()];
                // Half of them keep their place in time.
                let change = if self.below(2) == 0 { 0 } else { 100 };
                (
                    who,
                    Kind::ReplaceOrder(ReplaceOrder {
                        order: Some(id),
                        limit_price_micros_per_kwh: placed.limit_price_micros_per_kwh + change,
                        energy_wh: placed.energy_wh - placed.energy_wh / 8,
                    }),
                )
            }
            9 if known > 0 => {
                let drawn = self.below(known);
                let (who, id, _) = self.open[usize::try_from(drawn).unwrap()];
                (who, Kind::CancelOrder(CancelOrder { order: Some(id) }))
            }
            _ => {
                let who = usize::try_from(self.below(3)).unwrap();
                let orders: Vec<NewOrder> = (0..=self.below(3)).map(|_| self.order()).collect();
                (who, place(&orders))
            }
        };
        let receipt = submit(market, &mut self.owners[who], kind.clone()).await;
        match (kind, outcome(receipt.clone())) {
            (Kind::PlaceOrders(schedule), Outcome::Placed(placed)) => {
                for (order, answer) in schedule.orders.into_iter().zip(placed.orders) {
                    if let Some(order_answer::Kind::Accepted(id)) = answer.kind {
                        self.open.push((who, id, order));
                    }
                }
            }
            (Kind::ReplaceOrder(it), Outcome::Replaced(id)) => {
                self.in_place += usize::from(it.order == Some(id));
            }
            _ => {}
        }
        receipt.leaf_index + 1
    }

    fn order(&mut self) -> NewOrder {
        // A bid is all-in: the fee, 0.002 yuan/kWh, stands on top.
        let (side, lowest) =
            if self.below(2) == 0 { (Side::Bid, LIMIT + 2_000) } else { (Side::Offer, LIMIT) };
        let drawn = self.below(4);
        let in_force =
            if self.below(5) == 0 { TimeInForce::ImmediateOrCancel } else { TimeInForce::GoodUntilGate };
        let slot = SLOTS[usize::try_from(self.below(3)).unwrap()];
        let in_force = if slot == AUCTION.0 { TimeInForce::GoodUntilGate } else { in_force };
        NewOrder {
            slot,
            limit_price_micros_per_kwh: lowest + 100 * i64::try_from(drawn).unwrap(),
            energy_wh: 1 + self.below(1_000),
            time_in_force: in_force.into(),
            ..order(side)
        }
    }
}

/// Draws updates until the picture follows from at least so many leaves, and returns how many of them were snapshots.
async fn draw_until<S, E>(picture: &mut MarketPicture, updates: &mut S, tree_size: u64) -> usize
where
    S: Stream<Item = Result<MarketUpdate, E>> + Unpin,
    E: std::fmt::Debug,
{
    let mut snapshots = 0;
    while picture.after_tree_size().is_none_or(|size| size < tree_size) {
        let update = updates.next().await.unwrap().unwrap();
        snapshots += usize::from(matches!(update.kind, Some(Update::Snapshot(_))));
        picture.take(&update).unwrap();
    }
    snapshots
}

/// Places an order that surely changes a book, so that everything before it has been told once it is.
async fn mark(market: &Market, who: &mut Person) -> u64 {
    let lowest = NewOrder { limit_price_micros_per_kwh: 0, energy_wh: 1, ..order(Side::Bid) };
    submit(market, who, place(&[lowest])).await.leaf_index + 1
}

fn sorted(mut depth: Depth) -> Depth {
    let key = |level: &Level| (level.zone.clone(), level.limit_price_micros_per_kwh);
    depth.bids.sort_by_key(key);
    depth.offers.sort_by_key(key);
    depth
}

/// Checks that a picture is what the node answers who asks now. Returns how much was traded.
async fn check_is_as_asked(picture: &MarketPicture, connection: &Connection) -> u64 {
    let mut traded = 0;
    for slot in SLOTS {
        let drawn = picture.slot(slot).unwrap();
        let asked = sorted(connection.depth("", slot).await.unwrap());
        assert_eq!(sorted(drawn.depth()), asked);
        let summary = connection.slots("", slot, 1).await.unwrap().pop().unwrap_or_default();
        let without_mean =
            SlotSummary { mean_price_micros_per_kwh: None, slot, phase: asked.phase, ..summary };
        assert_eq!(SlotSummary { mean_price_micros_per_kwh: None, ..drawn.summary.clone() }, without_mean);
        traded += drawn.summary.traded_wh;
    }
    traded
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_and_changes_are_the_slots_as_everybody_sees_them() {
    let mut market = Market::found_with(TWO_ZONES).await;
    let mut crowd = Crowd::enrol(&mut market).await;
    let mut early = MarketPicture::default();
    let mut from_early = market.connection.stream_market(asked(None)).await.unwrap();
    for _ in 0..100 {
        crowd.act(&market).await;
    }
    // Begun while orders come.
    let connection = market.connection.clone();
    let late = tokio::spawn(async move {
        let mut late = MarketPicture::default();
        let mut updates = connection.stream_market(asked(None)).await.unwrap();
        draw_until(&mut late, &mut updates, 0).await;
        (late, updates)
    });
    for _ in 0..100 {
        crowd.act(&market).await;
    }
    let (mut late, mut from_late) = late.await.unwrap();
    let size = mark(&market, &mut crowd.owners[0].clone()).await;
    assert_eq!(draw_until(&mut early, &mut from_early, size).await, SLOTS.len());
    draw_until(&mut late, &mut from_late, size).await;
    assert!(check_is_as_asked(&early, &market.connection).await > 0);
    assert!(crowd.in_place > 0, "no order was changed in its place");
    check_is_as_asked(&late, &market.connection).await;
    assert!(early.slot(AUCTION.0).unwrap().summary.auction.is_none());

    // The auction is held, and two gates close.
    market.connection.advance_to("", NOW_MICROS + 7 * HOUR).await.unwrap();
    let size = market.size().await;
    let last_phase = |picture: &MarketPicture| picture.slot(AUCTION.0).unwrap().summary.auction.is_some();
    while !last_phase(&early) {
        early.take(&from_early.next().await.unwrap().unwrap()).unwrap();
    }
    let after = crowd.act(&market).await;
    assert!(after > size);
    let mut again = MarketPicture::default();
    let mut from_now = market.connection.stream_market(asked(None)).await.unwrap();
    draw_until(&mut again, &mut from_now, after).await;
    let told = again.after_tree_size().unwrap();
    // What is told next of the early stream is what became durable until then.
    let bid = NewOrder { slot: AUCTION.0, limit_price_micros_per_kwh: 0, energy_wh: 1, ..order(Side::Bid) };
    let size = submit(&market, &mut crowd.owners[1], place(&[bid])).await.leaf_index + 1;
    assert!(size > told);
    draw_until(&mut early, &mut from_early, size).await;
    draw_until(&mut again, &mut from_now, size).await;
    check_is_as_asked(&early, &market.connection).await;
    check_is_as_asked(&again, &market.connection).await;
    assert!(early.slot(SLOT.0).unwrap().depth().bids.is_empty(), "its gate is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_on_misses_and_doubles_nothing_and_gets_snapshots_where_he_cannot() {
    let mut market = Market::found_with(TWO_ZONES).await;
    let mut crowd = Crowd::enrol(&mut market).await;
    let mut picture = MarketPicture::default();
    for _ in 0..5 {
        // Each time the stream is broken off somewhere, and others go on trading.
        let after = picture.after_tree_size();
        let mut updates = market.connection.stream_market(asked(after)).await.unwrap();
        let snapshots = draw_until(&mut picture, &mut updates, after.unwrap_or_default() + 1).await;
        assert_eq!(snapshots, if after.is_some() { 0 } else { SLOTS.len() });
        drop(updates);
        for _ in 0..20 {
            crowd.act(&market).await;
        }
        mark(&market, &mut crowd.owners[0]).await;
    }
    let size = mark(&market, &mut crowd.owners[0]).await;
    let mut updates = market.connection.stream_market(asked(picture.after_tree_size())).await.unwrap();
    assert_eq!(draw_until(&mut picture, &mut updates, size).await, 0);
    assert!(check_is_as_asked(&picture, &market.connection).await > 0);

    // A node that was started anew has nothing at hand, but knows who has seen everything.
    market.kill_and_start_again().await;
    let mut updates = market.connection.stream_market(asked(Some(size))).await.unwrap();
    let next = mark(&market, &mut crowd.owners[0]).await;
    assert_eq!(draw_until(&mut picture, &mut updates, next).await, 0);
    check_is_as_asked(&picture, &market.connection).await;
    let mut updates = market.connection.stream_market(asked(Some(size - 1))).await.unwrap();
    let mut anew = MarketPicture::default();
    assert_eq!(draw_until(&mut anew, &mut updates, next).await, SLOTS.len());
    check_is_as_asked(&anew, &market.connection).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_followed_is_refused_by_field_value_and_rule() {
    let market = Market::found_with("streams.slots_max = 2\nstreams.per_connection_max = 1\n").await;
    let mut reader = MarketDataClient::new(market.channel().await);
    let request = |slots: &[u32], after_tree_size| StreamMarketRequest {
        market: String::new(),
        slots: slots.to_vec(),
        after_tree_size,
    };
    let status = reader.stream_market(request(&[], None)).await.unwrap_err();
    check_refusal(&status, Code::InvalidArgument, "MALFORMED", "slots", &["0 slots", "1 to 2"]);
    let status = reader.stream_market(request(&[1, 2, 3], None)).await.unwrap_err();
    check_refusal(&status, Code::InvalidArgument, "MALFORMED", "slots", &["3 slots", "open several"]);
    let status = reader.stream_market(request(&[1], Some(2))).await.unwrap_err();
    check_refusal(&status, Code::InvalidArgument, "MALFORMED", "after_tree_size", &["2 leaves", "the 1 of"]);

    let first = reader.stream_market(request(&[1, 1], None)).await.unwrap();
    let status = reader.stream_market(request(&[1], None)).await.unwrap_err();
    let words = ["this connection has 1 streams already"];
    check_refusal(&status, Code::ResourceExhausted, "TOO_MANY_STREAMS", "", &words);
    let mut another = MarketDataClient::new(market.channel().await);
    another.stream_market(request(&[1], None)).await.unwrap();
    drop(first);
    // The place is free once the node has heard it.
    while let Err(status) = reader.stream_market(request(&[1], None)).await {
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    }
}
