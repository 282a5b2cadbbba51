//! Who comes in: silence, other protocols, too many at once, and a system that has no descriptors left.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use parkwatt_client::Connection;

use super::node::{Node, Place};

/// How long anything may take that must happen.
const PATIENCE: Duration = Duration::from_secs(30);

fn knock(node: &Node) -> TcpStream {
    let stream = TcpStream::connect(node.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Returns when the node has closed the connection, whatever it said before.
fn is_closed(mut stream: TcpStream) -> bool {
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => true,
        Err(problem) => problem.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

/// Returns once somebody is answered.
async fn is_answered(node: &Node) {
    let begun = Instant::now();
    loop {
        let answer = match Connection::open(&node.url()).await {
            Ok(connection) => connection.market("").await.map(|_| ()),
            Err(problem) => Err(problem),
        };
        match answer {
            Ok(()) => return,
            Err(problem) => assert!(begun.elapsed() < PATIENCE, "{problem}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_or_half_a_preface_is_closed_at_the_handshakes_deadline() {
    let node = Place::with_config("handshake_ms = 150", &[]).start();
    let mut half = knock(&node);
    half.write_all(b"PRI * HTTP/2.0\r\n").unwrap();
    assert!(is_closed(knock(&node)));
    assert!(is_closed(half));
    is_answered(&node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_protocol_is_closed_at_once() {
    let node = Place::with_config("handshake_ms = 3_600_000", &[]).start();
    let mut web = knock(&node);
    web.write_all(b"GET / HTTP/1.1\r\nHost: park\r\n\r\n").unwrap();
    assert!(is_closed(web));
    is_answered(&node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_beyond_the_limits_is_free_again_when_somebody_goes() {
    for limits in ["connections_max = 3", "connections_per_address_max = 3"] {
        let node = Place::with_config(limits, &[]).start();
        let first: Vec<TcpStream> = (0..3).map(|_| knock(&node)).collect();
        assert!(is_closed(knock(&node)), "{limits}");
        drop(first);
        is_answered(&node).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_who_say_nothing_keep_nobody_out() {
    let node = Place::new(&[]).start();
    let silent: Vec<TcpStream> = (0..1_000).map(|_| knock(&node)).collect();
    is_answered(&node).await;
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_descriptors_waits_and_goes_on_when_there_are_some() {
    let place = Place::new(&[]);
    let begun = Instant::now();
    let node = place.start_with_descriptors(96);
    let silent: Vec<TcpStream> = (0..200).map(|_| knock(&node)).collect();
    while !place.log().contains("no connection can be accepted") {
        assert!(begun.elapsed() < PATIENCE, "{}", place.log());
        std::thread::yield_now();
    }
    drop(silent);
    is_answered(&node).await;
    let complaints = place.log().matches("no connection can be accepted").count();
    let rests = usize::try_from(begun.elapsed().as_millis() / 100).unwrap() + 1;
    assert!(complaints <= rests, "{complaints} complaints, and {rests} rests at the most");
}
