//! The desk: everybody's keys at one place, and commands handed in through the client until each is answered.
//!
//! A node that is killed and comes back loses nothing: what was not answered is handed in again, and the same
//! bytes get the same receipt.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail};
use ed25519_dalek::SigningKey;
use parkwatt_client::{ClientError, Connection, Signer};
use parkwatt_engine::MarketConfig;
use parkwatt_proto::v1::{
    self, Receipt, SignedCommand, answer, command::Kind, leaf::Fact, order_answer, outcome::Kind as Answer,
};
use prost::Message;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};
use tokio_stream::StreamExt;
use tonic::Code;

use super::{park::Park, strategy::Strategy};

/// How long commands of the demo live, from the moment when they are signed.
const LIFETIME: Duration = Duration::from_hours(1);
/// How long a node may be away.
const RECONNECT: Duration = Duration::from_mins(1);

/// Who signs at a connection point.
pub struct Seat {
    /// The owner.
    pub owner: Signer,
    /// The meter.
    pub meter: Signer,
}

/// Everybody's keys, the connection, and the market's time.
pub struct Desk<'a> {
    /// The park.
    pub park: &'a Park,
    /// The market's constitution.
    pub config: &'a MarketConfig,
    /// The strategy.
    pub strategy: Strategy,
    /// Who signs, in the order of the park's points.
    pub seats: Vec<Seat>,
    /// The operator.
    pub operator: Signer,
    /// What has been handed in so far.
    pub tally: Tally,
    connection: Connection,
    now_micros: u64,
    state_hash: u64,
}

/// What was handed in, and what became of it.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Commands that are in the ledger.
    pub commands: u64,
    /// Orders that were accepted.
    pub orders: u64,
    /// Readings that were taken.
    pub readings: u64,
    /// Rejections by their code.
    pub rejections: BTreeMap<String, u64>,
    /// The time that handing in took, receipts included.
    pub elapsed: Duration,
    /// The highest leaf index that a receipt named.
    pub last_leaf: u64,
    /// How often the node went away and came back.
    pub reconnections: u32,
    /// The leaf index and the [`leaf_digest`] that each receipt named, in the order of the receipts.
    pub receipts: Vec<(u64, [u8; 32])>,
}

impl<'a> Desk<'a> {
    /// Connects to the node at `url`; keys are made from the strategy's seed.
    pub async fn open(
        park: &'a Park,
        config: &'a MarketConfig,
        strategy: Strategy,
        url: &str,
    ) -> anyhow::Result<Desk<'a>> {
        let signer = |name: &str| Signer::new(SigningKey::from_bytes(&strategy.secret(name)), &config.name);
        let seat = |name: &str| Seat { owner: signer(name), meter: signer(&format!("{name}/meter")) };
        Ok(Desk {
            park,
            config,
            strategy,
            seats: park.points.iter().map(|point| seat(&point.name)).collect(),
            operator: signer("operator"),
            tally: Tally::default(),
            connection: Connection::open(url).await?,
            now_micros: 0,
            state_hash: 0,
        })
    }

    /// Returns the market's time, in microseconds.
    pub fn now_micros(&self) -> u64 {
        self.now_micros
    }

    /// Returns the hash of the market's state when its time was moved last.
    pub fn state_hash(&self) -> u64 {
        self.state_hash
    }

    /// Signs a command of the owner at `seat`.
    pub fn sign_owner(&mut self, seat: usize, kind: Kind) -> SignedCommand {
        self.seats[seat].owner.sign(kind, self.now_micros, LIFETIME)
    }

    /// Signs a command of the meter at `seat`.
    pub fn sign_meter(&mut self, seat: usize, kind: Kind) -> SignedCommand {
        self.seats[seat].meter.sign(kind, self.now_micros, LIFETIME)
    }

    /// Signs a command of the operator.
    pub fn sign_operator(&mut self, kind: Kind) -> SignedCommand {
        self.operator.sign(kind, self.now_micros, LIFETIME)
    }

    /// Lets the market's time pass until `to_micros`.
    pub async fn advance_to(&mut self, to_micros: u64) -> anyhow::Result<()> {
        self.now_micros = to_micros;
        loop {
            match self.try_advance_to(to_micros).await {
                Ok(now) => {
                    self.state_hash = now.state_hash;
                    return Ok(());
                }
                Err(problem) => self.reconnect_after(&problem).await?,
            }
        }
    }

    async fn try_advance_to(&self, to_micros: u64) -> Result<v1::AdvanceToResponse, ClientError> {
        // A node that comes back stands at its last command, a little later than where its time was moved to.
        let now_micros = self.connection.market("").await?.now_micros;
        self.connection.advance_to("", to_micros.max(now_micros)).await
    }

    /// Returns the orders of the owner at `seat`, newest first.
    pub async fn orders(&mut self, seat: usize) -> anyhow::Result<Vec<v1::Order>> {
        loop {
            let session = self.seats[seat].owner.session(self.now_micros, Duration::from_mins(10));
            match self.connection.orders(&session, false, 1_000).await {
                Ok(orders) => return Ok(orders),
                Err(problem) => self.come_back_after(&problem).await?,
            }
        }
    }

    /// Returns the certificates of the owner at `seat`, newest slot first.
    pub async fn certificates(&mut self, seat: usize) -> anyhow::Result<Vec<v1::CertificateHolding>> {
        loop {
            let session = self.seats[seat].owner.session(self.now_micros, Duration::from_mins(10));
            match self.connection.certificates(&session, 1_000).await {
                Ok(listed) => return Ok(listed.holdings),
                Err(problem) => self.come_back_after(&problem).await?,
            }
        }
    }

    /// Hands in commands in order, and returns when each has its receipt.
    pub async fn hand_in(&mut self, commands: &[SignedCommand]) -> anyhow::Result<()> {
        let begun = Instant::now();
        let mut answered = 0;
        while answered < commands.len() {
            if let Err(problem) = self.stream(commands, &mut answered).await? {
                self.come_back_after(&problem).await?;
            }
        }
        self.tally.elapsed += begun.elapsed();
        Ok(())
    }

    /// Streams what is not answered yet; the inner error is a connection that broke.
    async fn stream(
        &mut self,
        commands: &[SignedCommand],
        answered: &mut usize,
    ) -> anyhow::Result<Result<(), ClientError>> {
        let rest = tokio_stream::iter(commands[*answered..].to_vec());
        let mut answers = match self.connection.submit_stream(rest).await {
            Ok(answers) => answers,
            Err(problem) => return Ok(Err(problem)),
        };
        while let Some(answer) = answers.next().await {
            match answer.map(|answer| answer.kind) {
                Ok(Some(answer::Kind::Receipt(receipt))) => self.tally.count(&commands[*answered], &receipt),
                Ok(Some(answer::Kind::Refusal(refusal))) if refusal.status == Code::Unavailable as u32 => {
                    break;
                }
                Ok(Some(answer::Kind::Refusal(refusal))) => {
                    bail!("the node refused a command: {}", refusal.message)
                }
                Ok(None) => bail!("the node gave an empty answer"),
                Err(problem) => return Ok(Err(problem)),
            }
            *answered += 1;
        }
        Ok(Ok(()))
    }

    /// Comes back to a node that went away, at the market's time.
    async fn come_back_after(&mut self, problem: &ClientError) -> anyhow::Result<()> {
        self.reconnect_after(problem).await?;
        self.advance_to(self.now_micros).await
    }

    async fn reconnect_after(&mut self, problem: &ClientError) -> anyhow::Result<()> {
        let is_away = match problem {
            ClientError::Unreachable { .. } => true,
            ClientError::Refused { status, .. } => {
                matches!(status, Code::Unavailable | Code::Unknown | Code::Cancelled)
            }
            _ => false,
        };
        if !is_away {
            bail!("{problem}");
        }
        let url = self.connection.url().to_owned();
        let deadline = Instant::now() + RECONNECT;
        loop {
            match Connection::open(&url).await {
                Ok(connection) => {
                    self.connection = connection;
                    self.tally.reconnections += 1;
                    return Ok(());
                }
                Err(problem) if Instant::now() > deadline => {
                    return Err(problem).context("the node did not come back");
                }
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

impl Tally {
    fn count(&mut self, signed: &SignedCommand, receipt: &Receipt) {
        self.commands += 1;
        self.last_leaf = self.last_leaf.max(receipt.leaf_index);
        let outcome = receipt.outcome.clone().unwrap_or_default();
        self.receipts.push((receipt.leaf_index, leaf_digest(signed, receipt.at_micros, outcome)));
        match receipt.outcome.as_ref().and_then(|outcome| outcome.kind.as_ref()) {
            Some(Answer::Placed(placed)) => {
                for order in &placed.orders {
                    match &order.kind {
                        Some(order_answer::Kind::Rejected(why)) => self.reject(why),
                        _ => self.orders += 1,
                    }
                }
            }
            Some(Answer::Rejected(why)) => self.reject(why),
            Some(Answer::ReadingTaken(_)) => self.readings += 1,
            _ => {}
        }
    }

    fn reject(&mut self, why: &v1::Rejection) {
        *self.rejections.entry(why.code.clone()).or_default() += 1;
    }
}

/// Returns a digest of a command and of what its receipt says of it, by which a leaf can be told to say the
/// same.
pub fn leaf_digest(signed: &SignedCommand, at_micros: u64, outcome: v1::Outcome) -> [u8; 32] {
    // A receipt does not say who asked, or how many leaves followed.
    let command = v1::CommandLeaf {
        signed: Some(signed.clone()),
        outcome: Some(outcome),
        ..v1::CommandLeaf::default()
    };
    let leaf = v1::Leaf { at_micros, fact: Some(Fact::Command(command)) };
    Sha256::digest(leaf.encode_to_vec()).into()
}
