//! Very many who connect, and many who ask and do not read.

use parkwatt_proto::v1::{
    GetMarketRequest, NewOrder, Side, StreamExecutionsRequest, StreamMarketRequest,
    account_client::AccountClient, exchange_client::ExchangeClient, market_data_client::MarketDataClient,
};
use prost::Message;
use tokio::task::JoinSet;
use tonic::{Request, metadata::MetadataValue, transport::Channel};

use super::{
    Honest, Over, Site, conclude,
    market::{SLOT, order, place},
};

const CONNECTIONS: usize = 1_000;
/// Connections of those who do not read, each with the most streams that one may have.
const UNREAD_CONNECTIONS: usize = 16;
const UNREAD_STREAMS: usize = 32;
/// How many slots they follow.
const FOLLOWED: u32 = 180;
/// How many schedules they are not told of, each with so many orders a slot.
const SCHEDULES: usize = 20;
const LEVELS: u32 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_connections_that_ask_leave_an_honest_one_his_place() {
    come_as_a_thousand(Over::Tcp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_connections_over_tls_leave_an_honest_one_his_place() {
    come_as_a_thousand(Over::Tls).await;
}

async fn come_as_a_thousand(over: Over) {
    let mut site = Site::found(over, "").await;
    let market = &mut site.market;
    let mut honest = Honest::enrol(market).await;
    let before = honest.trade_some().await;
    let endpoint = market.endpoint();
    let attack = async move {
        let mut asking = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let endpoint = endpoint.clone();
            asking.spawn(async move {
                let mut reader = MarketDataClient::new(endpoint.connect().await.unwrap());
                reader.get_market(GetMarketRequest::default()).await.unwrap();
                reader
            });
        }
        asking.join_all().await
    };
    let (mut open, mut during) = honest.trade_beside(attack).await;
    assert_eq!(open.len(), CONNECTIONS);
    let behind = honest.trade_some().await;
    if behind.p99 > during.p99 {
        during = behind;
    }
    // Each is served still.
    for reader in &mut open {
        reader.get_market(GetMarketRequest::default()).await.unwrap();
    }
    conclude("a thousand connections", &mut site, honest, &before, &during).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_everything_and_reads_nothing_takes_bounded_memory() {
    let settings = "streams.per_key_max = 1000\nstreams.buffer_bytes_max = 20_000\n";
    let mut site = Site::found(Over::Tcp, settings).await;
    let market = &mut site.market;
    let mut honest = Honest::enrol(market).await;
    let mut bob = market.enrol_trader("bob").await;
    let before = honest.trade_some().await;
    let session = MetadataValue::from_bytes(&bob.session("park", 900).encode_to_vec());
    let slots: Vec<u32> = (SLOT.0..SLOT.0 + FOLLOWED).collect();
    let mut unread = Vec::new();
    for _ in 0..UNREAD_CONNECTIONS {
        let channel = market.channel().await;
        for number in 0..UNREAD_STREAMS {
            if number % 2 == 0 {
                let mut request = Request::new(StreamExecutionsRequest::default());
                request.metadata_mut().insert_bin("parkwatt-session-bin", session.clone());
                let told = AccountClient::new(channel.clone()).stream_executions(request).await;
                unread.push(Box::new(told.unwrap()) as Box<dyn Send>);
            } else {
                let request = StreamMarketRequest { slots: slots.clone(), ..StreamMarketRequest::default() };
                let told = MarketDataClient::new(channel.clone()).stream_market(request).await;
                unread.push(Box::new(told.unwrap()));
            }
        }
    }
    // All of them would have to be told of every order that bob hands in; he reads no answer either.
    let schedules: Vec<_> = (0..SCHEDULES).map(|number| bob.sign(place(&schedule(&slots, number)))).collect();
    let mut exchange: ExchangeClient<Channel> = market.exchange().await;
    let answers = exchange.submit_stream(tokio_stream::iter(schedules)).await.unwrap();
    let during = honest.trade_some().await;
    let orders =
        market.connection.depth("", SLOT.0).await.unwrap().bids.iter().map(|it| it.orders).sum::<u32>();
    assert_eq!(orders, u32::try_from(SCHEDULES).unwrap() * LEVELS, "every order of bob's was taken");
    println!("{} streams were opened and not read, behind {} orders", unread.len(), orders * FOLLOWED);
    assert_eq!(unread.len(), UNREAD_CONNECTIONS * UNREAD_STREAMS);
    drop(answers);
    conclude("readers who do not read", &mut site, honest, &before, &during).await;
}

/// Returns bids of one Wh in each slot, at limits of their own.
fn schedule(slots: &[u32], number: usize) -> Vec<NewOrder> {
    let bid = |slot: &u32, level: u32| NewOrder {
        slot: *slot,
        energy_wh: 1,
        limit_price_micros_per_kwh: 100 * i64::from(level + LEVELS * u32::try_from(number).unwrap()),
        ..order(Side::Bid)
    };
    slots.iter().flat_map(|slot| (0..LEVELS).map(move |level| bid(slot, level))).collect()
}
