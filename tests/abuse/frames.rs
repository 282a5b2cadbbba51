//! Bytes that are no HTTP/2, or no gRPC, or stop in the middle.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use tokio_rustls::rustls::ClientConfig;

use super::{
    Honest, Over, Site, conclude,
    handshakes::{Encrypted, trusting},
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
/// How often each of the attacks is made.
const TIMES: usize = 40;

/// Returns a frame's head (RFC 9113, section 4.1).
fn head(len: u32, kind: u8, flags: u8, stream: u32) -> Vec<u8> {
    [&len.to_be_bytes()[1..], &[kind, flags], &stream.to_be_bytes()].concat()
}

/// Returns the headers of a call of `Submit`, without Huffman's code and without an index (RFC 7541, section 6.2.2).
fn headers(stream: u32) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/parkwatt.v1.Exchange/Submit"),
        (":authority", "park"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    }
    let is_whole = 4;
    [head(u32::try_from(block.len()).unwrap(), 1, is_whole, stream), block].concat()
}

/// What is sent behind the preface and the settings.
fn attacks() -> Vec<(&'static str, Vec<u8>)> {
    let data = |body: &[u8]| [head(u32::try_from(body.len()).unwrap(), 0, 0, 1), body.to_vec()].concat();
    vec![
        ("a frame of 16 MiB", head(0x00ff_ffff, 0, 0, 1)),
        ("a frame that stops in its head", head(64, 1, 4, 1)[..5].to_vec()),
        ("headers that stop in the middle", headers(1)[..20].to_vec()),
        ("a call whose message never comes", headers(1)),
        ("a message of 4 GiB", [headers(1), data(&[0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3])].concat()),
        ("a message that stops in the middle", [headers(1), data(&[0, 0, 0, 0, 100, 10, 50])].concat()),
        ("a compressed message that nobody asked for", [headers(1), data(&[1, 0, 0, 0, 2, 10, 0])].concat()),
        ("a stream's number that goes back", [headers(7), headers(1)].concat()),
        ("headers that are no HPACK", [head(4, 1, 4, 1), vec![0xff; 4]].concat()),
        ("noise", (0..4_096_u32).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect()),
        ("a thousand pings", head(8, 6, 0, 0).into_iter().chain([0; 8]).collect::<Vec<u8>>().repeat(1_000)),
        (
            "a thousand calls that are taken back",
            (0..1_000)
                .flat_map(|it| {
                    let stream = 2 * it + 1;
                    [headers(stream), head(4, 3, 0, stream), vec![0, 0, 0, 8]].concat()
                })
                .collect(),
        ),
    ]
}

/// Sends it on a connection of its own, which stays open.
fn send(address: SocketAddr, tls: Option<&Arc<ClientConfig>>, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let all = [PREFACE, SETTINGS, bytes].concat();
    // The node may have closed it before all was sent; it may.
    let _ = match tls {
        None => stream.write_all(&all),
        Some(tls) => Encrypted::new(tls, &mut stream).write_all(&all),
    };
    stream
}

/// Returns whether the node has closed the connection, or still waits for the rest.
pub fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let mut said = [0; 4_096];
    loop {
        match stream.read(&mut said) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(problem) => return problem.kind() != ErrorKind::WouldBlock,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_frames_and_half_open_connections_hurt_nobody_else() {
    send_broken_frames(Over::Tcp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_frames_under_tls_hurt_nobody_else() {
    send_broken_frames(Over::Tls).await;
}

async fn send_broken_frames(over: Over) {
    let mut site = Site::found(over, "").await;
    let market = &mut site.market;
    let mut honest = Honest::enrol(market).await;
    let before = honest.trade_some().await;
    let (address, tls) = (market.node.address, (over == Over::Tls).then(|| trusting(&site.authority)));
    let attack = async move {
        tokio::task::spawn_blocking(move || {
            let mut open = Vec::new();
            for _ in 0..TIMES {
                for (what, bytes) in attacks() {
                    open.push((what, send(address, tls.as_ref(), &bytes)));
                }
            }
            open
        })
        .await
        .unwrap()
    };
    let (mut open, mut during) = honest.trade_beside(attack).await;
    // With all of them half open still.
    let behind = honest.trade_some().await;
    if behind.p99 > during.p99 {
        during = behind;
    }
    let closed = open.iter_mut().map(|(_, stream)| is_closed(stream)).filter(|is_closed| *is_closed).count();
    println!("{} connections of {} kinds, {closed} of them closed by the node", open.len(), attacks().len());
    assert!(closed >= TIMES, "what cannot be read is closed");
    conclude("broken frames", &mut site, honest, &before, &during).await;
}
