//! How a node starts and ends: one at a time on a ledger, cleanly, and by a deadline whoever is still
//! connected.

use std::{
    io::Read,
    net::{TcpListener, TcpStream},
    process::Command,
};

use parkwatt::EXIT_CANNOT_OPEN;
use parkwatt_client::{ClientError, Connection};
use parkwatt_proto::v1::Side;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::{
    market::{Market, order, place},
    node::Place,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_told_to_stop_ends_cleanly_though_a_call_has_not_ended() {
    let mut market = Market::found_with("drain_ms = 200").await;
    let mut ann = market.enrol_trader("ann").await;
    market.connection.submit(ann.sign(place(&[order(Side::Offer)]))).await.unwrap();
    let size = market.size().await;
    let (_commands, handed_in) = mpsc::channel(1);
    let stream = market.exchange().await.submit_stream(ReceiverStream::new(handed_in)).await.unwrap();

    let status = market.node.stop();
    assert_eq!(status.code(), Some(0), "{}", market.place.log());
    let said = market.place.log();
    assert!(said.contains("calls were still under way at the drain's deadline"), "{said}");
    assert!(said.contains("stopped: everything acknowledged is durable"), "{said}");
    assert!(market.connection.checkpoint("").await.is_err(), "nobody listens any more");
    drop(stream);

    market.node = market.place.start();
    market.connection = Connection::open(&market.node.url()).await.unwrap();
    assert_eq!(market.size().await, size);
    assert!(market.place.log().contains("store=as the journal"), "{}", market.place.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_sent_his_preface_does_not_hold_a_node_up() {
    let mut market = Market::found_with("drain_ms = 3_600_000\nhandshake_ms = 3_600_000").await;
    let _silent = TcpStream::connect(market.node.address).unwrap();
    market.connection.checkpoint("").await.unwrap();
    assert_eq!(market.node.stop().code(), Some(0));
    assert!(!market.place.log().contains("deadline"), "{}", market.place.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_nothing_does_not_hold_a_node_up() {
    let mut market = Market::found().await;
    market.connection.checkpoint("").await.unwrap();
    assert_eq!(market.node.stop().code(), Some(0));
    assert!(!market.place.log().contains("deadline"), "{}", market.place.log());
}

#[test]
fn a_second_node_on_the_same_ledger_is_refused_by_name() {
    let place = Place::new(&[]);
    let _first = place.start();
    let mut second = place.spawn_at(([127, 0, 0, 1], 0).into());
    assert_eq!(second.wait().unwrap().code(), Some(i32::from(EXIT_CANNOT_OPEN)));
    let mut said = String::new();
    second.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
    assert!(place.log().contains("another process has this ledger open"), "{}", place.log());
}

#[test]
fn a_wrong_setting_is_refused_with_file_and_name() {
    for (toml, word) in [
        ("lisen = '127.0.0.1:1'", "lisen"),
        ("[market]\ntick_micros_per_kwh = 0", "market.tick"),
        ("[market]\nname = 'The Park'", "market.name"),
        (
            "[market]\nprice_cap_micros_per_kwh = 26_214_400",
            "market.price_cap: must lie less than 262,144 ticks",
        ),
        (
            "[market]\nprice_floor_micros_per_kwh = -50",
            "market.price_floor: must be, like price_cap, a multiple",
        ),
        ("[market]\nzones = [{ name = 'a', capacity_up_w = 1_000_000_000_001 }]", "must be at most 1 TW"),
        ("[market]\nzones = [{ name = 'a', capacity_w = 5 }]", "capacity_w"),
        ("[market]\nzones = [{ name = 'a', parent = 'b' }]", "zones.parent: 'b'"),
    ] {
        let place = Place::with_config(toml, &[]);
        let mut node = place.spawn_at(([127, 0, 0, 1], 0).into());
        assert_ne!(node.wait().unwrap().code(), Some(0));
        assert!(place.log().contains(word), "{}", place.log());
    }
}

#[test]
fn a_port_that_is_taken_is_named_before_a_market_is_founded() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    for field in ["listen", "admin_listen", "web_listen"] {
        let place = Place::with_config(&format!("{field} = '{address}'"), &[]);
        let listen = if field == "listen" { address } else { ([127, 0, 0, 1], 0).into() };
        let mut node = place.spawn_at(listen);
        assert_eq!(node.wait().unwrap().code(), Some(1));
        assert!(place.log().contains(&format!("{field}: cannot listen on {address}: ")), "{}", place.log());
        assert!(!place.data().join("park").exists(), "{field}");
    }
}

#[test]
fn a_page_on_another_port_than_the_usual_one_is_said_to_be_there() {
    // Held by this test, or by somebody else on this machine.
    let _held = TcpListener::bind("127.0.0.1:7480");
    let place = Place::new(&[]);
    let mut node = place.start();
    let mut greeting = std::iter::repeat_with(|| node.says()).take_while(|line| !line.ends_with("ends it."));
    let said = greeting.find(|line| line.starts_with("Port 7480 is taken"));
    assert!(said.unwrap().contains("`parkwatt page` needs --url"));
}

#[tokio::test]
async fn real_time_is_nobodys_to_move_and_simulated_time_goes_forward_only() {
    let place = Place::new(&[]);
    let node = place.start();
    let refused = Connection::open(&node.url()).await.unwrap().advance_to("", 1).await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused { status: Code::Unimplemented, .. }), "{refused}");

    let market = Market::found().await;
    let refused = market.connection.advance_to("", 1).await.unwrap_err().to_string();
    assert!(refused.contains("to_micros: 1 us is not between the market's time"), "{refused}");
}

#[test]
fn the_program_says_what_it_can_do() {
    for (args, word) in [
        (&["--help"][..], "demo"),
        (&["--version"], "parkwattd 0.1.0"),
        (&["serve", "--help"], "Examples:"),
        (&["serve", "--help"], "Simulation.AdvanceTo"),
        (&["check-store", "--help"], "Exit codes:"),
        (&["demo", "--help"], "--seed"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_parkwattd")).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8_lossy(&output.stdout).contains(word));
    }
}

#[test]
fn settings_are_checked_without_starting_a_node() {
    let config = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_parkwattd")).arg("config").args(args).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), said)
    };
    let (code, said) = config(&["check", "--set", "market.name=yard", "--listen", "127.0.0.1:9"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("market 'yard' on 127.0.0.1:9, with its ledger in parkwatt-data/yard"), "{said}");
    assert!(
        said.contains("page for browsers would be on 127.0.0.1:7480") && said.contains("without TLS"),
        "{said}"
    );
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("file");
    std::fs::write(&file, "").unwrap();
    let (within, port) = (data.path().join("new"), held.local_addr().unwrap().to_string());
    let (code, said) = config(&["check", "--data", within.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    assert!(code == Some(0) && !said.contains("Warning"), "{said}");
    let (code, said) = config(&["check", "--data", file.to_str().unwrap(), "--listen", &port]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("Warning: listen: cannot listen on {port} now: ")), "{said}");
    assert!(said.contains("Warning: data: "), "{said}");
    let ports = ["web_listen='none'", "admin_listen='127.0.0.1:9'"].map(|it| ["--set", it]).concat();
    let (_, said) = config(&[&["check"], &ports[..]].concat());
    assert!(said.contains("no page for browsers") && said.contains("/metrics on 127.0.0.1:9"), "{said}");
    for (setting, words) in [
        ("queue_len_max=0", "queue_len_max: 0 is not between 1 and"),
        ("lisen=1", "--set lisen=1: unknown field `lisen`"),
        ("market.tick_micros_per_kwh=0", "market.tick: must be more than 0"),
        ("tls={certificate='absent.pem', key='absent.pem'}", "tls.certificate: absent.pem"),
        ("witnesses=['nobody']", "witnesses: "),
    ] {
        let (code, said) = config(&["check", "--set", setting]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(words), "{said}");
    }
    let (code, shown) = config(&["show", "--set", "drain_ms=7"]);
    assert!(code == Some(0) && shown.contains("drain_ms = 7\n"), "{shown}");
}
