//! Two markets on one node: what is the one's is never the other's, and what befalls the one, not the other.

use std::{fs, path::Path, time::Duration};

use ed25519_dalek::SigningKey;
use parkwatt_client::{Connection, Signer, read_key};
use parkwatt_proto::v1::{
    Deposit, EnrolParticipant, GetMarketRequest, ListEntriesRequest, NewOrder, Receipt, Role, Side,
    SignedCommand, SignedSession, command::Kind, exchange_client::ExchangeClient,
    ledger_client::LedgerClient, market_data_client::MarketDataClient, outcome::Kind as Outcome,
};
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::{
    admin::{get, port_of},
    market::{LIMIT, NOW_MICROS, Person, SLOT, check_refusal, order, outcome, place},
    node::{self, Node, Place},
    sessions::with,
};

const LIFETIME: Duration = Duration::from_hours(1);

const TOML: &str = "\
admin_listen = '127.0.0.1:0'
[[markets]]
name = 'park'
[[markets]]
name = 'yard'
tick_micros_per_kwh = 1_000
zones = [{ name = 'hall' }, { name = 'shed', parent = 'hall', capacity_up_w = 4_000 }]
";

/// A node with two markets, and its operator's signer in each.
struct Two {
    place: Place,
    node: Node,
    connection: Connection,
    operator: SigningKey,
}

impl Two {
    async fn found() -> Two {
        let place = Place::with_config(TOML, &["--simulated-from", "2026-06-01T03:00:00Z"]);
        let node = place.start();
        let connection = Connection::open(&node.url()).await.unwrap();
        let operator = read_key(&place.operator_key()).unwrap();
        Two { place, node, connection, operator }
    }

    /// Starts the node again, which was killed.
    async fn start_again(&mut self) {
        self.node = self.place.start();
        self.connection = Connection::open(&self.node.url()).await.unwrap();
    }

    fn ledger(&self, market: &str) -> std::path::PathBuf {
        self.place.data().join(market)
    }

    /// Enrols somebody who trades in a market, with 1,000 yuan, and returns his signer there.
    async fn enrol(&self, operator: &mut Signer, zone: &str, person: &Person) -> Signer {
        let enrol = Kind::EnrolParticipant(EnrolParticipant {
            name: "ann".into(),
            public_key: person.public_key(),
            zone: zone.into(),
            roles: vec![Role::Producer.into(), Role::Consumer.into()],
            pv_capacity_w: 40_000,
            connection_capacity_w: 40_000,
            ..EnrolParticipant::default()
        });
        let deposit = Kind::Deposit(Deposit { participant: "ann".into(), amount_fen: 100_000 });
        for kind in [enrol, deposit] {
            let done = self.connection.submit(operator.sign(kind, NOW_MICROS, LIFETIME)).await.unwrap();
            assert!(matches!(outcome(done), Outcome::EnrolledParticipant(_) | Outcome::Deposited(_)));
        }
        Signer::new(person.key.clone(), operator.market())
    }

    fn operator(&self, market: &str) -> Signer {
        Signer::new(self.operator.clone(), market)
    }

    /// Enrols the same person in both.
    async fn enrol_in_both(&self, person: &Person) -> [Signer; 2] {
        [
            self.enrol(&mut self.operator("park"), "park", person).await,
            self.enrol(&mut self.operator("yard"), "shed", person).await,
        ]
    }

    async fn size(&self, market: &str) -> u64 {
        self.connection.checkpoint(market).await.unwrap().tree_size
    }

    /// Places an order, and returns the receipt.
    async fn order(&self, signer: &mut Signer, order: NewOrder) -> Receipt {
        self.connection.submit(signer.sign(place(&[order]), NOW_MICROS, LIFETIME)).await.unwrap()
    }

    async fn refusal(&self, signed: SignedCommand) -> tonic::Status {
        ExchangeClient::connect(self.node.url()).await.unwrap().submit(signed).await.unwrap_err()
    }
}

fn session(signer: &Signer) -> SignedSession {
    signer.session(NOW_MICROS, Duration::from_mins(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_one_markets_is_never_the_others() {
    let two = Two::found().await;
    let ann = Person::new("ann");
    let [mut in_park, mut in_yard] = two.enrol_in_both(&ann).await;
    let listed = two.connection.markets().await.unwrap();
    let listed: Vec<_> = listed.iter().map(|it| (it.market.as_str(), it.is_open, it.participants)).collect();
    assert_eq!(listed, [("park", true, 1), ("yard", true, 1)]);

    // The same nonces in both, and each market's own tick.
    let off_tick = NewOrder { limit_price_micros_per_kwh: LIMIT + 100, ..order(Side::Offer) };
    assert!(matches!(outcome(two.order(&mut in_park, off_tick).await), Outcome::Placed(_)));
    let sizes = [two.size("park").await, two.size("yard").await];
    let Outcome::Placed(placed) = outcome(two.order(&mut in_yard, off_tick).await) else { panic!() };
    let rejected = format!("{:?}", placed.orders[0].kind);
    assert!(rejected.contains("PRICE_MUST_BE_ON_TICK"), "{rejected}");
    assert_eq!([two.size("park").await, two.size("yard").await], [sizes[0], sizes[1] + 1]);
    assert_eq!(two.connection.depth("park", SLOT.0).await.unwrap().offers.len(), 1);
    assert_eq!(two.connection.depth("yard", SLOT.0).await.unwrap().offers.len(), 0);
    assert_eq!(two.connection.orders(&session(&in_park), true, 0).await.unwrap().len(), 1);
    assert_eq!(two.connection.orders(&session(&in_yard), true, 0).await.unwrap().len(), 0);
    assert_eq!(two.connection.account(&session(&in_yard)).await.unwrap().zone, "shed");

    // Each has its own time.
    two.connection.advance_to("yard", SLOT.end().0).await.unwrap();
    assert_eq!(two.connection.market("park").await.unwrap().now_micros, NOW_MICROS);
    assert_eq!(two.connection.market("yard").await.unwrap().now_micros, SLOT.end().0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_names_no_market_or_another_is_told_which_there_are() {
    let two = Two::found().await;
    let ann = Person::new("ann");
    let [in_park, in_yard] = two.enrol_in_both(&ann).await;
    let names = &["'park', 'yard'"];
    let mut market_data = MarketDataClient::connect(two.node.url()).await.unwrap();
    for name in ["", "plaza"] {
        let request = GetMarketRequest { market: name.into() };
        let refused = market_data.get_market(request).await.unwrap_err();
        check_refusal(&refused, Code::InvalidArgument, "MALFORMED", "market", names);
    }
    let mut elsewhere = Signer::new(ann.key.clone(), "plaza");
    let refused = two.refusal(elsewhere.sign(place(&[order(Side::Bid)]), NOW_MICROS, LIFETIME)).await;
    check_refusal(&refused, Code::InvalidArgument, "MALFORMED", "market", names);
    let refused = two.refusal(ann.seal(vec![0xff])).await;
    check_refusal(&refused, Code::InvalidArgument, "MALFORMED", "payload", &["is not a serialised Command"]);

    // Who is known in one market is a stranger in the other.
    let bea = Person::new("bea");
    two.connection
        .submit(two.operator("park").after(9).sign(
            Kind::EnrolParticipant(EnrolParticipant {
                name: "bea".into(),
                public_key: bea.public_key(),
                zone: "park".into(),
                roles: vec![Role::Consumer.into()],
                connection_capacity_w: 40_000,
                ..EnrolParticipant::default()
            }),
            NOW_MICROS,
            LIFETIME,
        ))
        .await
        .unwrap();
    let bid = Signer::new(bea.key.clone(), "yard").sign(place(&[order(Side::Bid)]), NOW_MICROS, LIFETIME);
    let refused = two.refusal(bid).await;
    check_refusal(&refused, Code::Unauthenticated, "KEY_MUST_BE_ENROLLED", "", &["'yard'"]);

    // A session opens its own market's doors only.
    let mut ledger = LedgerClient::connect(two.node.url()).await.unwrap();
    let asked = |market: &str| ListEntriesRequest {
        market: market.into(),
        about: Some(parkwatt_proto::v1::list_entries_request::About::Participant(0)),
        ..ListEntriesRequest::default()
    };
    assert!(ledger.list_entries(with(asked("yard"), &session(&in_yard))).await.is_ok());
    let refused = ledger.list_entries(with(asked("yard"), &session(&in_park))).await.unwrap_err();
    check_refusal(&refused, Code::Unauthenticated, "SESSION_REQUIRED", "", &["another market"]);
    let refused = ledger.list_entries(with(asked(""), &session(&in_park))).await.unwrap_err();
    check_refusal(&refused, Code::InvalidArgument, "MALFORMED", "market", names);
    let refused = two.connection.account(&session(&elsewhere)).await.unwrap_err();
    assert!(refused.to_string().contains("another market"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_are_found_again_after_a_kill_and_pass_their_audits() {
    let mut two = Two::found().await;
    let [mut in_park, mut in_yard] = two.enrol_in_both(&Person::new("ann")).await;
    let signed = [&mut in_park, &mut in_yard]
        .map(|signer| signer.sign(place(&[order(Side::Offer)]), NOW_MICROS, LIFETIME));
    let mut first = Vec::new();
    for signed in &signed {
        first.push(two.connection.submit(signed.clone()).await.unwrap());
    }
    two.node.kill();
    two.start_again().await;
    for (signed, first) in signed.iter().zip(first) {
        let again = two.connection.submit(signed.clone()).await.unwrap();
        assert_eq!(again, Receipt { repeated_command: true, ..first });
    }
    let key = two.place.operator_key();
    for market in ["park", "yard"] {
        let key = key.to_str().unwrap();
        let url = two.node.url();
        let live = node::auditor(&["replay", &url, "--market", market, "--key", key]);
        assert_eq!(live.status.code(), Some(0), "{live:?}");
    }
    let url = two.node.url();
    let unnamed = node::auditor(&["replay", &url, "--key", key.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&unnamed.stdout).contains("'park', 'yard'"), "{unnamed:?}");
    let sizes = [two.size("park").await, two.size("yard").await];
    assert_eq!(two.node.stop().code(), Some(0));
    for (market, size) in ["park", "yard"].into_iter().zip(sizes) {
        let said = node::audit("replay", &two.ledger(market));
        let text = String::from_utf8_lossy(&said.stdout);
        assert_eq!(said.status.code(), Some(0), "{text}");
        assert!(text.contains(&size.to_string()), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_market_whose_ledger_does_not_fit_leaves_the_other_open() {
    let mut two = Two::found().await;
    let [mut in_park, mut in_yard] = two.enrol_in_both(&Person::new("ann")).await;
    for _ in 0..9 {
        two.order(&mut in_yard, order(Side::Offer)).await;
    }
    two.node.kill();
    flip_within(&two.ledger("yard"));
    two.start_again().await;

    assert!(matches!(outcome(two.order(&mut in_park, order(Side::Offer)).await), Outcome::Placed(_)));
    let refused = two.refusal(in_yard.sign(place(&[order(Side::Offer)]), NOW_MICROS, LIFETIME)).await;
    check_refusal(&refused, Code::FailedPrecondition, "READ_ONLY", "", &["journal"]);
    let listed = two.connection.markets().await.unwrap();
    assert_eq!(listed.iter().map(|it| it.is_open).collect::<Vec<_>>(), [true, false]);

    let port = port_of(&mut two.node);
    assert_eq!(get(port, "/healthz"), (200, "alive\n".into()));
    assert_eq!(get(port, "/readyz/park"), (200, "ready\n".into()));
    for path in ["/readyz", "/readyz/yard"] {
        let (status, said) = get(port, path);
        assert_eq!(status, 503, "{said}");
        assert!(said.starts_with("yard: the market is read-only: "), "{said}");
    }
    assert_eq!(get(port, "/readyz/plaza").0, 404);
    let metrics = get(port, "/metrics").1;
    for market in ["park", "yard"] {
        assert!(metrics.contains(&format!("parkwatt_queue_len{{market=\"{market}\"}} 0\n")), "{metrics}");
    }
    let mut health = HealthClient::new(
        tonic::transport::Channel::from_shared(two.node.url()).unwrap().connect().await.unwrap(),
    );
    for (service, status) in [
        ("parkwatt.v1.Exchange", ServingStatus::Serving),
        ("parkwatt.v1.Exchange/park", ServingStatus::Serving),
        ("parkwatt.v1.Exchange/yard", ServingStatus::NotServing),
    ] {
        let request = HealthCheckRequest { service: service.into() };
        assert_eq!(health.check(request).await.unwrap().into_inner().status(), status, "{service}");
    }
}

#[test]
fn markets_that_would_share_a_folder_are_refused_by_name() {
    let toml = "[[markets]]\nname = 'park'\n[[markets]]\nname = 'park'\n";
    let place = Place::with_config(toml, &[]);
    assert_eq!(place.try_start().err().and_then(|status| status.code()), Some(1));
    assert!(place.log().contains("markets.name: 'park' is there twice"), "{}", place.log());
}

/// Flips a bit in the middle of what a journal has.
fn flip_within(ledger: &Path) {
    let segment = fs::read_dir(ledger.join("journal")).unwrap().map(|it| it.unwrap().path()).min().unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[written * 2 / 3] ^= 1;
    fs::write(&segment, bytes).unwrap();
}
