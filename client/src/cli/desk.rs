//! A command at work: connected to a node, knowing the market and its time.
//!
//! Knows how a command is signed, handed in and tried again; does not know what it asks.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use jiff::tz::TimeZone;
use parkwatt_client::v1::command::Kind;
use parkwatt_client::v1::{Genesis, Receipt, SignedSession, outcome};
use parkwatt_client::{ClientError, Connection, Signer, Trust};

use super::args::Options;
use super::report::Failure;
use super::surroundings;
use super::time::{Moment, When, slot_at};

/// How long a command is valid, by the market's time.
const COMMAND_LIFETIME: Duration = Duration::from_mins(1);
/// How long a session is valid, by the market's time.
const SESSION_LIFETIME: Duration = Duration::from_mins(1);
/// The pauses after which the same bytes are handed in again, where no answer came.
const RETRY_AFTER: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// What a command works with.
#[derive(Debug)]
pub struct Desk {
    /// The node.
    pub connection: Connection,
    /// The market's constitution.
    pub genesis: Genesis,
    /// The market's time when the command began, in microseconds since 1970.
    pub now_micros: u64,
    /// How many leaves the ledger had when the command began.
    pub tree_size: u64,
    /// The time zone in which people are spoken to.
    pub zone: TimeZone,
}

impl Desk {
    /// Connects to the node, and asks it for the market and its time.
    pub async fn open(options: &Options) -> Result<Self, Failure> {
        Desk::over(connect(options).await?, options).await
    }

    /// Asks a node that is connected already for the market and its time.
    pub async fn over(connection: Connection, options: &Options) -> Result<Self, Failure> {
        let market = connection.market(options.market()).await?;
        let genesis = market.genesis.ok_or_else(|| incomplete(&connection, "the market's constitution"))?;
        Ok(Desk {
            connection,
            genesis,
            now_micros: market.now_micros,
            tree_size: market.tree_size,
            zone: surroundings::zone(),
        })
    }

    /// Signs what is asked with a key, hands it in, and returns what became of it.
    pub async fn submit(&self, key: &SigningKey, kind: Kind) -> Result<(outcome::Kind, Receipt), Failure> {
        self.hand_in(&mut self.signer(key), kind).await
    }

    /// Returns a signer whose nonces lie above all that this key has used in commands of this program.
    pub fn signer(&self, key: &SigningKey) -> Signer {
        // Simulated time may stand still between commands, but each makes the ledger grow: their sum rises.
        let nonce = self.now_micros.saturating_add(self.tree_size);
        Signer::new(key.clone(), &self.genesis.market).after(nonce)
    }

    /// Signs what is asked, hands it in, and returns what became of it.
    ///
    /// Where no answer comes the same bytes are handed in again: the node answers them with the first
    /// receipt.
    pub async fn hand_in(
        &self,
        signer: &mut Signer,
        kind: Kind,
    ) -> Result<(outcome::Kind, Receipt), Failure> {
        let command = signer.sign(kind, self.now_micros, COMMAND_LIFETIME);
        let mut receipt = self.connection.submit(command.clone()).await;
        for pause in RETRY_AFTER {
            if !matches!(receipt, Err(ClientError::Unreachable { .. })) {
                break;
            }
            tokio::time::sleep(pause).await;
            receipt = self.connection.submit(command.clone()).await;
        }
        let receipt = receipt?;
        match receipt.outcome.clone().and_then(|outcome| outcome.kind) {
            Some(outcome::Kind::Rejected(rejection)) => Err(Failure::Rejected(rejection)),
            Some(kind) => Ok((kind, receipt)),
            None => Err(self.incomplete("the command's outcome")),
        }
    }

    /// Returns a session for the owner of a key.
    pub fn session(&self, key: &SigningKey) -> SignedSession {
        Signer::new(key.clone(), &self.genesis.market).session(self.now_micros, SESSION_LIFETIME)
    }

    /// Returns the slot that can still be traded and that `at` means.
    pub fn next_slot(&self, at: When) -> Result<u32, Failure> {
        at.next(self.now_micros, self.genesis.gate_before_s, &self.zone).ok_or_else(no_such_time)
    }

    /// Returns the moment that `at` means, in microseconds since 1970.
    pub fn next_moment(&self, at: Moment) -> Result<u64, Failure> {
        at.next(self.now_micros, &self.zone).ok_or_else(|| Failure::Usage {
            field: "--good-until",
            problem: "the clocks skip this time of day".to_owned(),
            next: "Write the date as well: --good-until \"2026-06-01 10:30\".".to_owned(),
        })
    }

    /// Returns the slot that is over and that `at` means.
    pub fn last_slot(&self, at: When) -> Result<u32, Failure> {
        at.last(self.now_micros, &self.zone).ok_or_else(no_such_time)
    }

    /// Returns the last slot that was over by the moment in the past that `until` means, or by now.
    pub fn last_slot_before(&self, until: Option<When>) -> Result<u32, Failure> {
        match until {
            None => Ok(slot_at(self.now_micros).saturating_sub(1)),
            Some(until) => {
                let begun = until.last_begun(self.now_micros, &self.zone).ok_or_else(no_such_time)?;
                Ok(begun.saturating_sub(1))
            }
        }
    }

    /// Returns the failure that the node's answer lacks something.
    pub fn incomplete(&self, what: &'static str) -> Failure {
        incomplete(&self.connection, what)
    }
}

/// Returns the file of the caller's key.
pub fn key_file(options: &Options) -> Result<PathBuf, Failure> {
    if let Some(file) = options.key() {
        return Ok(file.clone());
    }
    let home = std::env::home_dir().ok_or_else(|| Failure::Usage {
        field: "--key",
        problem: "there is no home folder in which the key could be looked for".to_owned(),
        next: "Name the key's file with --key FILE or in PARKWATT_KEY.".to_owned(),
    })?;
    Ok(home.join(".parkwatt").join("key.pem"))
}

/// Connects to the node.
pub async fn connect(options: &Options) -> Result<Connection, Failure> {
    Ok(Connection::open_with(options.node(), &trust(options)?).await?)
}

/// Returns what a connection over TLS rests on.
fn trust(options: &Options) -> Result<Trust, Failure> {
    let read = |path: &PathBuf, what: &str| {
        let failed = |problem| Failure::File {
            path: path.clone(),
            problem,
            next: "Name the files of TLS with --tls-roots, --tls-certificate and --tls-key.".to_owned(),
        };
        let bytes = fs::read(path).map_err(|problem| failed(format!("cannot be read: {problem}")))?;
        // The library takes a file without any for one that trusts nobody.
        let is_there = String::from_utf8_lossy(&bytes).contains(&format!("{what}-----"));
        is_there.then_some(bytes).ok_or_else(|| failed(format!("holds no {what} in PEM")))
    };
    let (certificate_pem, key_pem) = ("CERTIFICATE", "PRIVATE KEY");
    let roots = options.tls_roots().map(|roots| read(roots, certificate_pem)).transpose()?;
    let identity = match options.tls_identity() {
        Some([certificate, key]) => Some([read(certificate, certificate_pem)?, read(key, key_pem)?]),
        None => None,
    };
    Ok(Trust { roots, identity })
}

fn incomplete(connection: &Connection, what: &'static str) -> Failure {
    ClientError::Incomplete { url: connection.url().to_owned(), what }.into()
}

fn no_such_time() -> Failure {
    Failure::Usage {
        field: "--at",
        problem: "the clocks skip this time of day".to_owned(),
        next: "Write the date as well: --at \"2026-06-01 12:00\".".to_owned(),
    }
}
