//! The admin port: alive, ready, measured, and still there while the node drains.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use parkwatt_proto::v1::Side;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{
    market::{Market, order, place},
    node::Node,
};

/// How long anything may take that must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// Returns the admin port that a node says it has.
fn admin_port(market: &mut Market) -> SocketAddr {
    port_of(&mut market.node)
}

/// The same of any node.
pub fn port_of(node: &mut Node) -> SocketAddr {
    let said =
        std::iter::repeat_with(|| node.says()).take(20).find(|line| line.contains("/healthz")).unwrap();
    let (_, rest) = said.split_once("http://").unwrap_or_else(|| panic!("{said}"));
    rest.split_once('/').unwrap().0.parse().unwrap()
}

/// Returns the status and the body of a page.
pub fn get(port: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(port).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_does_is_measured() {
    let mut market = Market::found_with("admin_listen = '127.0.0.1:0'").await;
    let port = admin_port(&mut market);
    let mut ann = market.enrol_trader("ann").await;
    market.connection.submit(ann.sign(place(&[order(Side::Offer)]))).await.unwrap();
    let refused = ann.seal(vec![0; 65_537]);
    market.exchange().await.submit(refused).await.unwrap_err();

    assert_eq!(get(port, "/healthz"), (200, "alive\n".into()));
    assert_eq!(get(port, "/readyz"), (200, "ready\n".into()));
    assert_eq!(get(port, "/other").0, 404);
    let (status, metrics) = get(port, "/metrics");
    assert_eq!(status, 200);
    let size = market.size().await;
    for line in [
        "parkwatt_calls_total{method=\"parkwatt.v1.Exchange/Submit\",code=\"OK\"} 3".to_owned(),
        "parkwatt_calls_total{method=\"parkwatt.v1.Exchange/Submit\",code=\"INVALID_ARGUMENT\"} 1".to_owned(),
        "parkwatt_call_duration_seconds_count{method=\"parkwatt.v1.Exchange/Submit\"} 4".to_owned(),
        "parkwatt_commands_total{market=\"park\",outcome=\"accepted\"} 3".to_owned(),
        "parkwatt_apply_duration_seconds_count{market=\"park\"} 3".to_owned(),
        "parkwatt_queue_len{market=\"park\"} 0".to_owned(),
        format!("parkwatt_ledger_leaves{{market=\"park\"}} {size}"),
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line} is missing:\n{metrics}");
    }
    assert!(metrics.ends_with("# EOF\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_is_not_ready_and_lives_until_its_calls_have_ended() {
    let mut market = Market::found_with("admin_listen = '127.0.0.1:0'\ndrain_ms = 3_600_000").await;
    let port = admin_port(&mut market);
    let (commands, handed_in) = mpsc::channel(1);
    let mut ann = market.enrol_trader("ann").await;
    let answers = market.exchange().await.submit_stream(ReceiverStream::new(handed_in)).await.unwrap();
    market.node.ask_to_stop();
    let begun = Instant::now();
    while get(port, "/readyz") != (503, "the node is stopping\n".into()) {
        assert!(begun.elapsed() < PATIENCE);
    }
    assert_eq!(get(port, "/healthz"), (200, "alive\n".into()));
    // What is under way is still taken.
    commands.send(ann.sign(place(&[order(Side::Offer)]))).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap();
    assert!(answer.is_some());
    drop(commands);
    drop(market.connection);
    assert_eq!(market.node.stop().code(), Some(0));
    assert!(!market.place.log().contains("deadline"), "{}", market.place.log());
}
