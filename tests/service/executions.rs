//! The stream of one's own executions: complete, in order, one's own alone, at one's own pace.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use parkwatt_client::{Connection, write_key};
use parkwatt_proto::v1::{
    CancelOrder, Execution, ListEntriesRequest, NewOrder, OrderId, ReplaceOrder, Role, Side, SignedSession,
    StreamExecutionsRequest, TimeInForce, account_client::AccountClient, command::Kind, execution,
    ledger_account, list_entries_request::About,
};
use prost::Message;
use serde_json::Value;
use tokio_stream::{Stream, StreamExt};
use tonic::{Code, Request, Status, metadata::MetadataValue, transport::Channel};
use tonic_types::StatusExt;

use super::{
    machine::parkwatt,
    market::{LIMIT, Market, NOW_MICROS, Person, SLOT, check_refusal, order, place},
    settlement::{read, session, submit},
};

const MINUTE: u64 = 60_000_000;

fn between(from_index: u64, until_index: Option<u64>) -> StreamExecutionsRequest {
    StreamExecutionsRequest { from_index, until_index }
}

/// Returns a request with a session, for a bare client.
fn with(request: StreamExecutionsRequest, session: &SignedSession) -> Request<StreamExecutionsRequest> {
    let mut request = Request::new(request);
    let session = MetadataValue::from_bytes(&session.encode_to_vec());
    request.metadata_mut().insert_bin("parkwatt-session-bin", session);
    request
}

async fn all<S, E>(executions: S) -> Vec<Execution>
where
    S: Stream<Item = Result<Execution, E>>,
    E: std::fmt::Debug,
{
    executions.map(Result::unwrap).collect().await
}

/// Returns everything until now.
async fn everything(market: &Market, who: &Person) -> Vec<Execution> {
    let request = between(0, Some(market.size().await));
    all(market.connection.stream_executions(&session(market, who).await, request).await.unwrap()).await
}

fn indices(executions: &[Execution]) -> Vec<u64> {
    executions.iter().map(|it| it.leaf_index).collect()
}

fn at(energy_wh: u64, limit_price_micros_per_kwh: i64, side: Side) -> NewOrder {
    NewOrder { energy_wh, limit_price_micros_per_kwh, ..order(side) }
}

/// Lets two trade, change their minds, and be settled.
async fn trade_and_settle(market: &mut Market, ann: &mut Person, bob: &mut Person) {
    submit(market, ann, place(&[at(1_000, LIMIT, Side::Offer), at(500, LIMIT + 100, Side::Offer)])).await;
    submit(market, bob, place(&[at(600, 2 * LIMIT, Side::Bid)])).await;
    let placed = submit(market, bob, place(&[at(100, 100, Side::Bid), at(200, 200, Side::Bid)])).await;
    let [first, second] = [0, 1].map(|position| OrderId { index: placed.leaf_index, position });
    let replace = ReplaceOrder { order: Some(first), limit_price_micros_per_kwh: 300, energy_wh: 150 };
    submit(market, bob, Kind::ReplaceOrder(replace)).await;
    submit(market, bob, Kind::CancelOrder(CancelOrder { order: Some(second) })).await;
    let immediate = TimeInForce::ImmediateOrCancel.into();
    let immediate = NewOrder { time_in_force: immediate, ..at(9_000, 2 * LIMIT, Side::Bid) };
    submit(market, bob, place(&[immediate])).await;
    let (first, second) = (SLOT, parkwatt_engine::Slot(SLOT.0 - 1));
    market.connection.advance_to("", first.end().0).await.unwrap();
    for (who, registers) in [(&*ann, [0, 1_500, 0]), (&*bob, [1_500, 0, 0])] {
        let mut meter = who.meter();
        read(market, &mut meter, second, 1, [0; 3]).await;
        read(market, &mut meter, first, 2, registers).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_becomes_of_ones_orders_is_told_once_and_nothing_of_others() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    let mut bob = market.enrol_trader("bob").await;
    trade_and_settle(&mut market, &mut ann, &mut bob).await;
    for (who, number) in [(&ann, 0), (&bob, 1)] {
        let told = everything(&market, who).await;
        // The ledger's own index of what is about him, less what only says that he asked.
        let request = ListEntriesRequest {
            about: Some(About::Participant(number)),
            count: 1_000,
            ..ListEntriesRequest::default()
        };
        let entries = market.connection.entries(&session(&market, who).await, request).await.unwrap();
        let told_indices = indices(&told);
        assert!(told_indices.is_sorted_by(|a, b| a < b));
        assert!(told_indices.iter().all(|index| entries.leaf_indices.contains(index)));
        let untold = entries.leaf_indices.len() - told.len();
        assert_eq!(untold, 2, "his meter's two readings were only asked to be taken");
        check_is_nameless(&told, number);
    }
    let kinds = |told: &[Execution]| -> Vec<&'static str> {
        told.iter()
            .map(|it| match it.kind.as_ref().unwrap() {
                execution::Kind::Accepted(_) => "accepted",
                execution::Kind::Cancelled(_) => "cancelled",
                execution::Kind::Replaced(_) => "replaced",
                execution::Kind::Filled(_) => "filled",
                execution::Kind::Lapsed(_) => "lapsed",
                execution::Kind::Metered(_) => "metered",
                execution::Kind::Delivered(_) => "delivered",
                execution::Kind::Posted(_) => "posted",
                execution::Kind::CertificateIssued(_) => "issued",
                execution::Kind::CertificateSliced(_) => "sliced",
                other => panic!("{other:?}"),
            })
            .collect()
    };
    let of_bob = kinds(&everything(&market, &bob).await);
    for kind in
        ["accepted", "cancelled", "replaced", "filled", "lapsed", "metered", "delivered", "posted", "sliced"]
    {
        assert!(of_bob.contains(&kind), "{kind}: {of_bob:?}");
    }
    assert!(kinds(&everything(&market, &ann).await).contains(&"issued"));
}

/// Checks that nothing says who stood on the other side.
fn check_is_nameless(told: &[Execution], own: u32) {
    for execution in told {
        match execution.kind.as_ref().unwrap() {
            execution::Kind::Filled(it) => {
                let trade = it.trade.unwrap();
                let (mine, orders) = match it.side() {
                    Side::Bid => ((trade.buyer, trade.seller), (trade.bid, trade.offer)),
                    _ => ((trade.seller, trade.buyer), (trade.offer, trade.bid)),
                };
                assert_eq!(mine, (Some(own), None));
                assert!(orders.0.is_some() && orders.1.is_none());
            }
            execution::Kind::Delivered(it) => {
                assert!([it.buyer, it.seller].into_iter().flatten().eq([own]));
            }
            execution::Kind::Posted(it) => {
                let people =
                    [&it.from, &it.to].into_iter().flatten().filter_map(|account| match account.kind {
                        Some(ledger_account::Kind::Participant(number)) => Some(number),
                        _ => None,
                    });
                assert!(people.eq([own]), "{it:?}");
            }
            execution::Kind::Lapsed(it) => assert_eq!(it.owner, own),
            execution::Kind::Metered(it) => assert_eq!(it.participant, own),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_on_across_a_killed_node_misses_and_doubles_nothing() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    let mut bob = market.enrol_trader("bob").await;
    let mut told: Vec<Execution> = Vec::new();
    for round in 1..=3 {
        let from = told.last().map_or(0, |last| last.leaf_index + 1);
        let asked = session(&market, &ann).await;
        let mut live = market.connection.stream_executions(&asked, between(from, None)).await.unwrap();
        for _ in 0..10 {
            submit(&market, &mut ann, place(&[at(100, LIMIT, Side::Offer)])).await;
            submit(&market, &mut bob, place(&[at(60, 2 * LIMIT, Side::Bid)])).await;
        }
        // Somewhere within what has happened.
        for _ in 0..7 * round {
            told.push(live.next().await.unwrap().unwrap());
        }
        market.kill_and_start_again().await;
        assert!(
            !matches!(live.next().await, Some(Ok(ref it)) if it.leaf_index <= told.last().unwrap().leaf_index)
        );
    }
    let from = told.last().unwrap().leaf_index + 1;
    let until = Some(market.size().await);
    let asked = session(&market, &ann).await;
    told.extend(all(market.connection.stream_executions(&asked, between(from, until)).await.unwrap()).await);
    let everything = everything(&market, &ann).await;
    assert_eq!(told, everything);
    assert!(everything.len() > 60, "{}", everything.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_hear_them_is_told() {
    let mut market = Market::found_with("streams.per_key_max = 1").await;
    let ann = market.enrol_trader("ann").await;
    let clerk = market.enrol("clerk", &[Role::Regulator]).await;
    let mut account = AccountClient::new(market.channel().await);
    let status = account.stream_executions(between(0, None)).await.unwrap_err();
    check_refusal(&status, Code::Unauthenticated, "SESSION_REQUIRED", "", &["carries no session"]);
    let mut refused = async |who: &Person, from| {
        account.stream_executions(with(between(from, None), &who.session("park", 600))).await.unwrap_err()
    };
    let status = refused(&ann.meter(), 0).await;
    check_refusal(&status, Code::PermissionDenied, "NOT_PERMITTED", "", &["reads nothing"]);
    let status = refused(&market.operator, 0).await;
    check_refusal(&status, Code::PermissionDenied, "NOT_PERMITTED", "", &["no executions"]);
    let newest = market.size().await;
    let status = refused(&ann, newest + 1).await;
    let words = [format!("{} lies behind", newest + 1)];
    check_refusal(&status, Code::InvalidArgument, "MALFORMED", "from_index", &[words[0].as_str()]);

    let first = account.stream_executions(with(between(0, None), &ann.session("park", 600))).await.unwrap();
    let status =
        account.stream_executions(with(between(0, None), &ann.session("park", 600))).await.unwrap_err();
    check_refusal(&status, Code::ResourceExhausted, "TOO_MANY_STREAMS", "", &["this key has 1 streams"]);
    // A regulator's own executions are his own deposits, and nobody else's.
    let told = everything(&market, &clerk).await;
    assert!(told.iter().all(|it| matches!(it.kind, Some(execution::Kind::Posted(_)))), "{told:?}");
    drop(first);
}

/// Reads until the stream ends, and returns what came, and the end.
async fn until_end(mut told: tonic::Streaming<Execution>) -> (Vec<Execution>, Status) {
    let mut seen = Vec::new();
    loop {
        match told.message().await {
            Ok(Some(execution)) => seen.push(execution),
            Ok(None) => panic!("a stream without an end ended without a word"),
            Err(status) => return (seen, status),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_behind_a_session_s_end_or_its_key_s() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    let from = market.size().await;
    let mut account = AccountClient::new(market.channel().await);
    let session = ann.session("park", 600);
    let told = account.stream_executions(with(between(from, None), &session)).await.unwrap().into_inner();
    let first = submit(&market, &mut ann, place(&[order(Side::Offer)])).await.leaf_index;
    market.connection.advance_to("", NOW_MICROS + 11 * MINUTE).await.unwrap();
    submit(&market, &mut ann, place(&[order(Side::Offer)])).await;
    let (seen, status) = until_end(told).await;
    // Whether the first was told before time went on is the scheduler's to say.
    assert!(indices(&seen).iter().all(|index| *index == first), "{seen:?}");
    let go_on = seen.last().map_or(from, |last| last.leaf_index + 1);
    let words = format!("the session is over; sign a new one; go on with from_index = {go_on}");
    check_refusal(&status, Code::Unauthenticated, "SESSION_REQUIRED", "", &[&words]);
    let metadata = status.get_error_details().error_info().unwrap().metadata.clone();
    assert_eq!(metadata["from_index"], go_on.to_string());
}

/// A client that takes little unread.
async fn narrow(market: &Market) -> AccountClient<Channel> {
    let endpoint = Channel::from_shared(market.node.url()).unwrap();
    let narrow = endpoint.initial_stream_window_size(1_024).initial_connection_window_size(65_535);
    AccountClient::new(narrow.connect().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_too_slowly_is_ended_and_goes_on_and_the_others_never_wait() {
    let mut market = Market::found_with("streams.buffer_bytes_max = 2000\nstreams.stall_ms = 1\n").await;
    let mut ann = market.enrol_trader("ann").await;
    let mut bob = market.enrol_trader("bob").await;
    let session = ann.session("park", 900);
    let request = with(between(0, None), &session);
    let told = narrow(&market).await.stream_executions(request).await.unwrap().into_inner();
    let is_ended = || market.place.log().contains("the stream was read too slowly");
    let mut sold = 0;
    while !is_ended() {
        submit(&market, &mut ann, place(&[at(10, LIMIT, Side::Offer)])).await;
        submit(&market, &mut bob, place(&[at(10, 2 * LIMIT, Side::Bid)])).await;
        sold += 1;
        assert!(sold < 900, "nobody was ended: {}", market.place.log());
    }
    let (seen, status) = until_end(told).await;
    let go_on = seen.last().unwrap().leaf_index + 1;
    let words = format!("go on with from_index = {go_on}");
    check_refusal(&status, Code::Aborted, "READ_TOO_SLOWLY", "", &[&words]);
    let until = Some(market.size().await);
    let rest = market.connection.stream_executions(&session, between(go_on, until)).await.unwrap();
    let together = [seen, all(rest).await].concat();
    assert_eq!(together, everything(&market, &ann).await);
    let filled = together.iter().filter(|it| matches!(it.kind, Some(execution::Kind::Filled(_)))).count();
    assert_eq!(filled, sold);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_do_not_hold_a_node_up_and_say_where_they_were() {
    let mut market = Market::found_with("drain_ms = 3_600_000").await;
    let ann = market.enrol_trader("ann").await;
    let mut account = AccountClient::new(market.channel().await);
    let request = with(between(0, None), &ann.session("park", 600));
    let told = account.stream_executions(request).await.unwrap().into_inner();
    assert_eq!(market.node.stop().code(), Some(0), "{}", market.place.log());
    let (seen, status) = until_end(told).await;
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    let go_on = seen.last().map_or(0, |last| last.leaf_index + 1);
    assert!(status.message().contains(&format!("from_index = {go_on}")), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_follows_across_a_restart() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    let home = tempfile::tempdir().unwrap();
    let key = home.path().join("key.pem");
    write_key(&key, &ann.key).unwrap();
    let mut follower = Command::new(parkwatt())
        .args(["executions", "--follow", "--output", "json", "--node", &market.node.url(), "--key"])
        .arg(&key)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(next()["amount_yuan"], "1000.000000000");
    let address = market.node.address;
    for _ in 0..3 {
        let receipt = submit(&market, &mut ann, place(&[at(1_000, LIMIT, Side::Offer)])).await;
        let line = next();
        assert_eq!((&line["what"], &line["leaf_index"]), (&"accepted".into(), &receipt.leaf_index.into()));
        assert_eq!((&line["energy_wh"], &line["slot"]), (&1_000.into(), &SLOT.0.into()));
        market.node.kill();
        market.node = market.place.start_at(address);
        market.connection = Connection::open(&market.node.url()).await.unwrap();
    }
    follower.kill().unwrap();
    follower.wait().unwrap();
}
