//! The page's server, without a browser: what it gives to whom, with which headers, and how it bears bad callers.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use parkwatt_proto::v1::{GetDepthRequest, Side, market_data_client::MarketDataClient};
use prost::Message;
use serde_json::Value;

use super::{
    market::{Market, SLOT, order, place},
    node::{Node, Place},
};

/// How long anything may take that must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer: its status, its head in small letters, and its body.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

/// Returns where a node says that its page is.
fn page_of(node: &mut Node) -> SocketAddr {
    let said = node.says();
    let (_, rest) = said.split_once("http://").unwrap_or_else(|| panic!("{said}"));
    rest.split_once('/').unwrap().0.parse().unwrap()
}

fn knock(page: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(page).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn ask(page: SocketAddr, path: &str, headers: &str) -> Answer {
    ask_as("127.0.0.1", page, path, headers)
}

/// Asks by a name for the machine.
fn ask_as(host: &str, page: SocketAddr, path: &str, headers: &str) -> Answer {
    let mut stream = knock(page);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_lowercase(),
        body: body.to_owned(),
    }
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{}", answer.body))
}

/// Returns when the node has closed the connection, with what it said before.
fn closed(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Err(problem) if problem.kind() != std::io::ErrorKind::ConnectionReset => panic!("{problem}"),
        _ => String::from_utf8(said).unwrap(),
    }
}

const READ: &str = "/markets/park/v1";

#[tokio::test(flavor = "multi_thread")]
async fn the_page_s_files_are_safe_to_show_and_are_fetched_once() {
    let mut node = Place::with_config("web_listen = '127.0.0.1:0'", &[]).start();
    let page = page_of(&mut node);
    for (path, home) in [("/", "/markets/park/"), ("/markets/park", "/markets/park/")] {
        let answer = ask(page, path, "");
        assert!(answer.status == 307 || answer.status == 308, "{}", answer.head);
        assert!(answer.head.contains(&format!("location: {home}")), "{}", answer.head);
    }
    let index = ask(page, "/markets/park/", "");
    assert_eq!(index.status, 200);
    for header in [
        "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self';",
        "frame-ancestors 'none'",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "content-type: text/html; charset=utf-8",
        "cache-control: no-cache",
    ] {
        assert!(index.head.contains(header), "{header} is missing in {}", index.head);
    }
    // Every file that the page names is there; and again only when it has changed.
    let mut named: Vec<&str> = index.body.split(['"', '\'']).filter(|it| it.starts_with("assets/")).collect();
    named.extend(["assets/contract.json", "assets/proof.js", "assets/chinese.js"]);
    assert!(named.len() > 6, "{named:?}");
    for name in named {
        let path = format!("/markets/park/{name}");
        let file = ask(page, &path, "");
        assert_eq!(file.status, 200, "{path}");
        let (_, etag) = file.head.split_once("etag: ").unwrap();
        let known = format!("If-None-Match: {}\r\n", etag.split("\r\n").next().unwrap());
        let again = ask(page, &path, &known);
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{path}");
    }
    // Nothing inline, or the browser would refuse it.
    assert!(
        !index.body.contains("<style") && !index.body.contains(" style=") && !index.body.contains("onclick")
    );
    for path in
        ["/other", "/markets/park/assets/../Cargo.toml", "/markets/yard/", "/markets/park/v1/Exchange/Submit"]
    {
        let answer = ask(page, path, "");
        assert_eq!(answer.status, 404, "{path}");
        assert!(
            answer.body.contains("there is nothing here") || answer.body.contains("no such file"),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_is_what_grpc_tells_and_what_is_private_needs_a_session() {
    let mut market = Market::found_with("web_listen = '127.0.0.1:0'").await;
    let page = page_of(&mut market.node);
    let mut ann = market.enrol_trader("ann").await;
    market.connection.submit(ann.sign(place(&[order(Side::Offer)]))).await.unwrap();

    let answer = ask(page, &format!("{READ}/MarketData/GetDepth?slot={}", SLOT.0), "");
    assert!(answer.head.contains("cache-control: no-store"), "{}", answer.head);
    let mut data = MarketDataClient::connect(market.node.url()).await.unwrap();
    let asked = GetDepthRequest { slot: SLOT.0, ..GetDepthRequest::default() };
    let depth = data.get_depth(asked).await.unwrap().into_inner();
    let shown = json(&answer);
    assert_eq!(shown["phase"], "PHASE_CONTINUOUS");
    assert_eq!(shown["offers"][0]["energy_wh"], depth.offers[0].energy_wh.to_string());
    assert_eq!(shown["offers"].as_array().unwrap().len(), depth.offers.len());

    for (path, status, words) in [
        ("MarketData/GetDepth?slot=x", 400, "slot: 'x' is no uint32"),
        ("MarketData/GetDepth?slots=1", 400, "slots: is no field of GetDepthRequest, which has market, slot"),
        ("MarketData/GetDepth?market=yard", 400, "'yard' is not a market of this node"),
        ("MarketData/ListTape?count=1001", 400, "count: 1001 exceeds"),
        ("Account/GetAccount", 401, "the call carries no session"),
        ("Account/ListOrders", 401, "the call carries no session"),
        ("Account/GetStatement?until_micros=1", 401, "the call carries no session"),
        ("Ledger/ListEntries", 401, "the call carries no session"),
        ("Ledger/GetProof?leaf_index=1", 401, "the call carries no session"),
    ] {
        let answer = ask(page, &format!("{READ}/{path}"), "");
        let said = json(&answer);
        assert_eq!(answer.status, status, "{path}: {said}");
        assert!(said["message"].as_str().unwrap().contains(words), "{path}: {said}");
    }

    let session = |who: &super::market::Person, expires_s: i64| {
        let signed = who.session("park", expires_s).encode_to_vec();
        format!("parkwatt-session: {}\r\n", STANDARD.encode(signed))
    };
    let account = ask(page, &format!("{READ}/Account/GetAccount"), &session(&ann, 600));
    assert_eq!(json(&account)["name"], "ann", "{}", account.body);
    let orders = json(&ask(page, &format!("{READ}/Account/ListOrders"), &session(&ann, 600)));
    assert_eq!(orders["orders"][0]["state"], "ORDER_STATE_OPEN");
    let path = format!("{READ}/Account/GetStatement?from_micros=1&until_micros=9223372036854775807");
    let statement = json(&ask(page, &path, &session(&ann, 600)));
    assert_eq!(statement["parts"].as_array().unwrap().last().unwrap()["totals"]["name"], "ann");
    for (headers, status, words) in [
        (session(&ann, -1), 401, "has expired"),
        (session(&ann, 100_000), 401, "longer than this node allows"),
        (session(&super::market::Person::new("stranger"), 600), 401, "is not enrolled"),
        ("parkwatt-session: AAAA\r\n".to_owned(), 400, "is no SignedSession"),
        ("parkwatt-session: %%%\r\n".to_owned(), 401, "is not valid base64"),
    ] {
        let answer = ask(page, &format!("{READ}/Account/GetAccount"), &headers);
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(json(&answer)["message"].as_str().unwrap().contains(words), "{}", answer.body);
        // It is called as it was sent, and not as gRPC has it.
        assert!(!answer.body.contains("parkwatt-session-bin"), "{}", answer.body);
    }
}

#[test]
fn several_markets_are_listed_in_the_looks_of_their_pages_and_on_an_address_that_opens() {
    let toml = "web_listen = '0.0.0.0:0'\n[[markets]]\nname = 'park'\n[[markets]]\nname = 'yard'";
    let mut node = Place::with_config(toml, &[]).start();
    assert!(node.says().contains("'yard'"));
    let page = page_of(&mut node);
    assert!(page.ip().is_loopback(), "{page}");
    let list = ask(page, "/", "");
    assert_eq!(list.status, 200);
    let named: Vec<&str> = list.body.split('"').filter(|it| it.starts_with("/markets/")).collect();
    assert!(named.contains(&"/markets/park/") && named.contains(&"/markets/yard/"), "{named:?}");
    for file in ["page.css", "markets.js", "icon.svg"] {
        assert!(named.iter().any(|it| it.ends_with(file)), "{file}: {named:?}");
    }
    for path in named {
        assert_eq!(ask(page, path, "").status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_slow_or_many_or_long_winded_is_closed_and_others_are_answered() {
    let limits = "web_listen = '127.0.0.1:0'
web.header_ms = 200
web.connections_per_address_max = 8
web.header_bytes_max = 8_192
";
    let mut node = Place::with_config(limits, &[]).start();
    let page = page_of(&mut node);
    // Silence, half a request, and an idle connection that was answered once.
    assert_eq!(closed(knock(page)), "");
    let mut half = knock(page);
    half.write_all(b"GET / HTTP/1.1\r\nHost: pa").unwrap();
    assert!(!closed(half).contains("200"));
    let mut idle = knock(page);
    idle.write_all(b"GET /markets/park/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").unwrap();
    assert!(closed(idle).starts_with("HTTP/1.1 200"));

    let long = format!("X-Long: {}\r\n", "x".repeat(20_000));
    let mut stream = knock(page);
    // OK because: the node may close before it has read all of it.
    let _ = write!(stream, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n{long}\r\n");
    assert!(!closed(stream).contains("307"));

    let node_limits =
        "web_listen = '127.0.0.1:0'\nweb.header_ms = 3_600_000\nweb.connections_per_address_max = 8\n";
    let mut node = Place::with_config(node_limits, &[]).start();
    let page = page_of(&mut node);
    let silent: Vec<TcpStream> = (0..8).map(|_| knock(page)).collect();
    // Only those that were accepted before it count.
    let begun = Instant::now();
    while !closed_at_once(page) {
        assert!(begun.elapsed() < PATIENCE);
    }
    drop(silent);
    let begun = Instant::now();
    while closed_at_once(page) {
        assert!(begun.elapsed() < PATIENCE, "a place that is free is taken");
    }
}

/// Returns whether the node closes a connection instead of answering it.
fn closed_at_once(page: SocketAddr) -> bool {
    let mut stream = knock(page);
    let asked = stream.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    asked.is_err() || closed(stream).is_empty()
}

#[test]
fn a_page_on_the_machine_itself_is_shown_under_its_own_names_only() {
    let toml = "web_listen = '127.0.0.1:0'\nweb_names = ['park.example']";
    let mut node = Place::with_config(toml, &[]).start();
    let page = page_of(&mut node);
    let port = page.port();
    for (host, status) in [
        ("127.0.0.1", 200),
        (&*format!("localhost:{port}"), 200),
        ("[::1]:80", 200),
        ("Park.example", 200),
        ("park.example.evil.example", 421),
        ("evil.example", 421),
        (&*format!("evil.example:{port}"), 421),
        ("", 421),
    ] {
        let answer = ask_as(host, page, "/markets/park/", "");
        assert_eq!(answer.status, status, "{host}: {}", answer.head);
    }
}
