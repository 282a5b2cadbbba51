//! A market on a node of its own, people with keys, and what a refusal must look like.

use ed25519_dalek::{Signer, SigningKey};
use parkwatt_client::{Connection, Trust, read_key};
use parkwatt_engine::Slot;
use parkwatt_proto::{
    COMMAND_TYPE, SESSION_TYPE, pre_authentication_encoding,
    v1::{
        Command, Deposit, EnrolParticipant, NewOrder, PlaceOrders, Receipt, Role, Session, Side,
        SignedCommand, SignedSession, command::Kind, exchange_client::ExchangeClient,
        outcome::Kind as Outcome,
    },
};
use prost::Message;
use tonic::{
    Code, Status,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};
use tonic_types::{ErrorDetail, StatusExt};

use super::node::{Node, Place};

/// The market's time, which stands still.
const NOW: &str = "2026-06-01T03:00:00Z";
/// The same in microseconds.
pub const NOW_MICROS: u64 = 1_780_282_800_000_000;
/// A slot that begins an hour later: it trades continuously.
pub const SLOT: Slot = Slot(1_978_096);
/// A limit between feed-in and retail tariff.
pub const LIMIT: i64 = 500_000;

/// A market on a node of its own.
pub struct Market {
    pub place: Place,
    pub node: Node,
    pub connection: Connection,
    pub operator: Person,
    /// The certificate of who vouches for the node, where it speaks TLS.
    roots: Option<Vec<u8>>,
}

/// Somebody with a key.
#[derive(Clone)]
pub struct Person {
    pub key: SigningKey,
    nonce: u64,
}

impl Market {
    /// Founds a market.
    pub async fn found() -> Market {
        Market::found_with("").await
    }

    /// Founds a market on a node with these settings.
    pub async fn found_with(toml: &str) -> Market {
        Market::found_trusting(toml, None).await
    }

    /// Founds a market on a node with these settings, for whose certificate these roots vouch.
    pub async fn found_trusting(toml: &str, roots: Option<Vec<u8>>) -> Market {
        let place = Place::with_config(toml, &["--simulated-from", NOW]);
        let node = place.start();
        let connection = connection(&node, roots.clone()).await;
        let operator = Person { key: read_key(&place.operator_key()).unwrap(), nonce: 0 };
        Market { place, node, connection, operator, roots }
    }

    /// Enrols somebody with a meter, and pays 1,000 yuan in.
    pub async fn enrol(&mut self, name: &str, roles: &[Role]) -> Person {
        self.enrol_at(name, roles, "park").await
    }

    /// Enrols somebody who sells and buys in this zone.
    pub async fn enrol_in(&mut self, name: &str, zone: &str) -> Person {
        self.enrol_at(name, &[Role::Producer, Role::Consumer], zone).await
    }

    async fn enrol_at(&mut self, name: &str, roles: &[Role], zone: &str) -> Person {
        let person = Person::new(name);
        let enrol = self.operator.sign(Kind::EnrolParticipant(EnrolParticipant {
            name: name.into(),
            public_key: person.public_key(),
            meter_public_key: person.meter().public_key(),
            zone: zone.into(),
            roles: roles.iter().map(|role| (*role).into()).collect(),
            pv_capacity_w: 40_000,
            connection_capacity_w: 40_000,
            credit_limit_fen: 0,
        }));
        let deposit =
            self.operator.sign(Kind::Deposit(Deposit { participant: name.into(), amount_fen: 100_000 }));
        let enrolled = outcome(self.connection.submit(enrol).await.unwrap());
        assert!(matches!(enrolled, Outcome::EnrolledParticipant(_)), "{enrolled:?}");
        assert!(matches!(outcome(self.connection.submit(deposit).await.unwrap()), Outcome::Deposited(_)));
        person
    }

    /// Enrols somebody who sells and buys.
    pub async fn enrol_trader(&mut self, name: &str) -> Person {
        self.enrol(name, &[Role::Producer, Role::Consumer]).await
    }

    /// Returns a bare connection.
    pub async fn channel(&self) -> Channel {
        self.endpoint().connect().await.unwrap()
    }

    /// Returns where connections are opened.
    pub fn endpoint(&self) -> Endpoint {
        let endpoint = Channel::from_shared(self.node.url()).unwrap();
        match &self.roots {
            None => endpoint,
            Some(roots) => {
                let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(roots));
                endpoint.tls_config(tls).unwrap()
            }
        }
    }

    /// Returns the raw client of commands.
    pub async fn exchange(&self) -> ExchangeClient<Channel> {
        ExchangeClient::new(self.channel().await)
    }

    /// Returns how many leaves the ledger has.
    pub async fn size(&self) -> u64 {
        self.connection.checkpoint("").await.unwrap().tree_size
    }

    /// Kills the node, starts it again, and connects to it.
    pub async fn kill_and_start_again(&mut self) {
        self.node.kill();
        self.node = self.place.start();
        self.connection = connection(&self.node, self.roots.clone()).await;
    }
}

async fn connection(node: &Node, roots: Option<Vec<u8>>) -> Connection {
    Connection::open_with(&node.url(), &Trust { roots, identity: None }).await.unwrap()
}

impl Person {
    /// Returns the person of that name, whose key follows from it.
    pub fn new(name: &str) -> Person {
        let mut seed = [7; 32];
        seed[..name.len()].copy_from_slice(name.as_bytes());
        Person { key: SigningKey::from_bytes(&seed), nonce: 0 }
    }

    /// Returns the person's meter.
    pub fn meter(&self) -> Person {
        let mut seed = self.key.to_bytes();
        seed[31] ^= 1;
        Person { key: SigningKey::from_bytes(&seed), nonce: 0 }
    }

    /// Returns the public key.
    pub fn public_key(&self) -> Vec<u8> {
        self.key.verifying_key().to_bytes().to_vec()
    }

    /// Returns a command with the next nonce.
    pub fn command(&mut self, kind: Kind) -> Command {
        self.nonce += 1;
        let expires_at_micros = NOW_MICROS + 3_600_000_000;
        Command { market: "park".into(), nonce: self.nonce, expires_at_micros, kind: Some(kind) }
    }

    /// Signs a command with the next nonce.
    pub fn sign(&mut self, kind: Kind) -> SignedCommand {
        let command = self.command(kind);
        self.seal(command.encode_to_vec())
    }

    /// Signs any bytes as a command.
    pub fn seal(&self, payload: Vec<u8>) -> SignedCommand {
        let signature = self.key.sign(&pre_authentication_encoding(COMMAND_TYPE, &payload)).to_vec();
        SignedCommand { payload, public_key: self.public_key(), signature }
    }

    /// Signs a session of `market` that expires this many seconds after the market's time.
    pub fn session(&self, market: &str, expires_after_s: i64) -> SignedSession {
        let expires_at_micros = NOW_MICROS.checked_add_signed(expires_after_s * 1_000_000).unwrap();
        let payload = Session { market: market.into(), expires_at_micros }.encode_to_vec();
        let signature = self.key.sign(&pre_authentication_encoding(SESSION_TYPE, &payload)).to_vec();
        SignedSession { payload, public_key: self.public_key(), signature }
    }
}

/// Returns the order that everybody understands: 1 kWh in [`SLOT`] at [`LIMIT`].
pub fn order(side: Side) -> NewOrder {
    NewOrder {
        side: side.into(),
        slot: SLOT.0,
        limit_price_micros_per_kwh: LIMIT,
        energy_wh: 1_000,
        ..NewOrder::default()
    }
}

/// Returns the command that places these orders.
pub fn place(orders: &[NewOrder]) -> Kind {
    Kind::PlaceOrders(PlaceOrders { orders: orders.to_vec(), all_or_none: false })
}

/// Returns what became of a command.
pub fn outcome(receipt: Receipt) -> Outcome {
    receipt.outcome.unwrap().kind.unwrap()
}

/// Checks a refusal: its status, its one reason, the field that it names if it is about one, and words of its
/// sentence.
#[track_caller]
pub fn check_refusal(status: &Status, code: Code, reason: &str, field: &str, words: &[&str]) {
    let said = status.message();
    assert_eq!(status.code(), code, "{said}");
    let (mut reasons, mut fields) = (Vec::new(), Vec::new());
    for detail in status.get_error_details_vec() {
        match detail {
            ErrorDetail::ErrorInfo(info) => {
                assert_eq!(info.domain, "parkwatt");
                reasons.push(info.reason);
            }
            ErrorDetail::BadRequest(bad) => {
                fields.extend(bad.field_violations.into_iter().map(|it| it.field));
            }
            other => panic!("{said}: {other:?}"),
        }
    }
    assert_eq!(reasons, [reason], "{said}");
    let expected: &[&str] = if field.is_empty() { &[] } else { &[field] };
    assert_eq!(fields, expected, "{said}");
    for word in words {
        assert!(said.contains(word), "{said:?} lacks {word:?}");
    }
}
