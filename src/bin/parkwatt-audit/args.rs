//! The command line: what can be asked, with help and examples.
//!
//! Knows the words of the command line; does not know how anything is answered.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use parkwatt::audit::{CertificateName, NodeAddress, Period, Subject, Trust, checkpoint_note};
use parkwatt_engine::Slot;
use parkwatt_ledger::{CheckpointVerifier, Quorum, Witness};

use crate::help::{CHECK_HELP, FOLLOW_HELP, HELP, PROVE_HELP, TILES_HELP, WITNESS_HELP};

/// Prove, without trusting who runs a market, what it did: from its files, or from its live node.
///
/// A folder is only read, and no network is used for it; the node must be stopped, or the folder be a copy.
#[derive(Parser)]
#[command(name = "parkwatt-audit", version, propagate_version = true, after_help = HELP)]
pub struct Cli {
    /// This process is the one that does the work, and another waits for it.
    #[arg(long, hide = true)]
    pub apart: bool,
    /// What is asked.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be asked.
#[derive(Subcommand)]
pub enum Command {
    /// Check every frame, hash, checkpoint and signature, and that the store is the journal's.
    #[command(after_help = HELP)]
    Verify(Options),
    /// Do all that `verify` does, run the engine over the signed commands, and compare every leaf.
    #[command(after_help = HELP)]
    Replay(Options),
    /// Do all that `replay` does, and write what the market did to a new folder: trades, postings, mass balance,
    /// certificates, and whether all sums agree.
    #[command(after_help = HELP)]
    Report(ReportOptions),
    /// Mirror a live node into a folder, which can then be audited offline, and sound the alarm if the node rewrites
    /// or takes back what it has signed.
    #[command(after_help = FOLLOW_HELP)]
    Follow(FollowOptions),
    /// Watch a live node, and cosign each checkpoint to which its log has only grown.
    #[command(after_help = WITNESS_HELP)]
    Witness(WitnessOptions),
    /// Write the proof of one entry of a folder's ledger to a file, or of all entries about a trade or a certificate.
    #[command(after_help = PROVE_HELP)]
    Prove(ProveOptions),
    /// Write a folder's ledger as C2SP tlog-tiles, for other tools to read.
    #[command(after_help = TILES_HELP)]
    Tiles {
        /// The market's folder, or the folder above it if that has only one market.
        dir: PathBuf,
        /// Where the tiles are written: a new folder, or an empty one.
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
        /// The ledger's verifier key, or a file with it; without it the file 'vkey' beside the journal is believed.
        #[arg(long, value_name = "KEY", value_parser = vkey)]
        vkey: Option<String>,
        /// How the result is printed.
        #[command(flatten)]
        printing: Printing,
    },
    /// Check a file that proves a part of a ledger, without the ledger: a retirement statement
    /// (parkwatt certificates statement), one entry (parkwatt proof), or what `prove` has written.
    #[command(after_help = CHECK_HELP)]
    Check(CheckOptions),
    /// Compare a ledger's store with its journal; this program runs itself so, since a damaged store can
    /// crash it.
    #[command(hide = true)]
    CheckStore {
        /// The market's folder.
        dir: PathBuf,
        /// End with standard input, whose other end who asks holds.
        #[arg(long)]
        held: bool,
    },
}

/// What is audited.
#[derive(Args)]
pub struct Options {
    /// The market's folder, such as parkwatt-data/park, or the folder above it if that has only one market; or a live
    /// node, such as `http://127.0.0.1:7400`.
    #[arg(value_name = "DIR|URL")]
    pub ledger: PathBuf,
    /// The ledger's verifier key, or a file with it; without it the file 'vkey' beside the journal is believed, or
    /// what the node says.
    #[arg(long, value_name = "KEY", value_parser = vkey)]
    pub vkey: Option<String>,
    /// How a node is read.
    #[command(flatten)]
    pub reading: Reading,
    /// A checkpoint that was kept (--keep, a proof or a statement): the ledger must have grown from it.
    #[arg(long, value_name = "FILE", value_parser = kept)]
    pub checkpoint: Option<String>,
    /// Write the newest checkpoint to this file, if the ledger is intact: whoever keeps it can prove later that
    /// the ledger was rewritten. A checkpoint that is in the file already is replaced only if the ledger has grown from
    /// it, and any other file never.
    #[arg(long, value_name = "FILE")]
    pub keep: Option<PathBuf>,
    /// Who must have seen it.
    #[command(flatten)]
    pub witnesses: Witnesses,
    /// How the result is printed.
    #[command(flatten)]
    pub printing: Printing,
}

/// How a node is read.
#[derive(Args)]
pub struct Reading {
    /// The file with the key of a regulator or an operator, for a live node (a file of `parkwatt key new`).
    #[arg(long, value_name = "FILE", env = "PARKWATT_KEY")]
    pub key: Option<PathBuf>,
    /// The market's name, where the node has several.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub market: String,
    /// The roots of a certificate of a node over TLS, as PEM; those of the system where none are given.
    #[arg(long, value_name = "FILE", env = "PARKWATT_TLS_ROOTS")]
    pub tls_roots: Option<PathBuf>,
    /// A certificate to show to a node that asks for one, as PEM; with --tls-key.
    #[arg(long, value_name = "FILE", env = "PARKWATT_TLS_CERTIFICATE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// The private key of --tls-certificate, as PEM.
    #[arg(long, value_name = "FILE", env = "PARKWATT_TLS_KEY", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
}

/// Who must have seen a checkpoint.
#[derive(Args)]
pub struct Witnesses {
    /// The verifier key of a witness who must have cosigned the newest checkpoint; may be given several times.
    #[arg(long, value_name = "KEY", value_parser = Witness::from_vkey)]
    pub witness: Vec<Witness>,
    /// How many of them suffice; without it all are needed.
    #[arg(long, value_name = "N", requires = "witness")]
    pub quorum: Option<usize>,
}

/// How a result is printed.
#[derive(Args)]
pub struct Printing {
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
    /// Show no progress, and print only what is wrong and the verdict.
    #[arg(long, short)]
    pub quiet: bool,
}

/// A report that is to be written.
#[derive(Args)]
pub struct ReportOptions {
    /// What is audited.
    #[command(flatten)]
    pub options: Options,
    /// Where the report is written: a new folder, or an empty one.
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// The first slot of delivery that it is about: its number, the moment at which it begins, or a day (UTC).
    #[arg(long, value_name = "SLOT", value_parser = Period::first_slot)]
    pub from: Option<Slot>,
    /// The last slot, or the last day (UTC).
    #[arg(long, value_name = "SLOT", value_parser = Period::last_slot)]
    pub until: Option<Slot>,
}

/// A node that is followed.
#[derive(Args)]
pub struct FollowOptions {
    /// The node, such as `http://127.0.0.1:7400`.
    pub url: String,
    /// The mirror's folder; made if it is missing, gone on with if it is there.
    #[arg(long, value_name = "FOLDER")]
    pub dir: PathBuf,
    /// The ledger's verifier key, or a file with it; without it the one beside the mirror, or at first what the node
    /// says.
    #[arg(long, value_name = "KEY", value_parser = vkey)]
    pub vkey: Option<String>,
    /// How the node is read.
    #[command(flatten)]
    pub reading: Reading,
    /// How often.
    #[command(flatten)]
    pub polling: Polling,
    /// Who must have seen it.
    #[command(flatten)]
    pub witnesses: Witnesses,
    /// How the result is printed.
    #[command(flatten)]
    pub printing: Printing,
}

/// How often a node is asked.
#[derive(Args)]
pub struct Polling {
    /// Ask once, and end.
    #[arg(long)]
    pub once: bool,
    /// How long between two looks at the node, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub interval_s: u64,
}

/// A node that is witnessed.
#[derive(Args)]
pub struct WitnessOptions {
    /// The node, such as `http://127.0.0.1:7400`.
    pub url: String,
    /// The ledger's verifier key, or a file with it, as its operator has published it.
    #[arg(long, value_name = "KEY", value_parser = vkey)]
    pub vkey: String,
    /// How the node is read: consistency proofs are for participants, regulators and operators.
    #[command(flatten)]
    pub reading: Reading,
    /// The witness's name: a URL without its scheme, such as witness.example/park.
    #[arg(long)]
    pub name: String,
    /// The file with the witness's own key, which signs nothing else; made if it is missing.
    #[arg(long, value_name = "FILE")]
    pub witness_key: PathBuf,
    /// The folder that says what was signed last.
    #[arg(long, value_name = "FOLDER")]
    pub state: PathBuf,
    /// How often.
    #[command(flatten)]
    pub polling: Polling,
    /// How the result is printed.
    #[command(flatten)]
    pub printing: Printing,
}

/// Entries that are proved.
#[derive(Args)]
pub struct ProveOptions {
    /// The market's folder, or the folder above it if that has only one market.
    pub dir: PathBuf,
    /// About what.
    #[command(flatten)]
    pub subject: SubjectOptions,
    /// The file; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The ledger's verifier key, or a file with it; without it the file 'vkey' beside the journal is believed.
    #[arg(long, value_name = "KEY", value_parser = vkey)]
    pub vkey: Option<String>,
    /// Who must have seen the checkpoint.
    #[command(flatten)]
    pub witnesses: Witnesses,
    /// How the result is printed.
    #[command(flatten)]
    pub printing: Printing,
}

/// What entries are about.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct SubjectOptions {
    /// The entry with this index.
    #[arg(long, value_name = "N")]
    pub leaf: Option<u64>,
    /// This trade: itself, what was delivered of it, what was paid for it, and which certificate went with it.
    #[arg(long, value_name = "ID")]
    pub trade: Option<u64>,
    /// This certificate: its issue and every step since.
    #[arg(long, value_name = "NAME")]
    pub certificate: Option<CertificateName>,
}

/// A file of proofs that is checked.
#[derive(Args)]
pub struct CheckOptions {
    /// The file.
    pub file: PathBuf,
    /// The ledger's verifier key, or a file with it; without it the key in a statement is believed.
    #[arg(long, value_name = "KEY", value_parser = vkey)]
    pub vkey: Option<String>,
    /// Who must have seen the checkpoint that the proofs are against.
    #[command(flatten)]
    pub witnesses: Witnesses,
    /// How the result is printed.
    #[command(flatten)]
    pub printing: Printing,
}

/// The form of a result.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

impl Options {
    /// Returns the node's address, if it is not a folder.
    pub fn node(&self) -> Option<NodeAddress<'_>> {
        let url =
            self.ledger.to_str().filter(|it| it.starts_with("http://") || it.starts_with("https://"))?;
        Some(self.reading.of(url))
    }
}

impl SubjectOptions {
    /// Returns what is asked for.
    pub fn subject(&self) -> Subject {
        let leaf = self.leaf.map(Subject::Leaf);
        let subject = leaf.or(self.trade.map(Subject::Trade)).or(self.certificate.map(Subject::Certificate));
        subject.expect("the command line has one of them")
    }
}

impl Reading {
    /// Returns the address of the node at `url`.
    pub fn of<'a>(&'a self, url: &'a str) -> NodeAddress<'a> {
        let identity = self.tls_certificate.as_deref().zip(self.tls_key.as_deref());
        let identity = identity.map(|(certificate, key)| [certificate, key]);
        let trust = Trust { roots: self.tls_roots.as_deref(), identity };
        NodeAddress { url, trust, key: self.key.as_deref(), market: &self.market }
    }
}

impl Witnesses {
    /// Returns who must have seen a checkpoint, if anybody.
    ///
    /// # Errors
    /// A sentence if that can never be.
    pub fn quorum(&self) -> Result<Option<Quorum>, String> {
        if self.witness.is_empty() {
            return Ok(None);
        }
        let needed = self.quorum.unwrap_or(self.witness.len());
        Quorum::new(self.witness.clone(), needed).map(Some).map_err(|problem| format!("--quorum: {problem}"))
    }
}

/// Takes a verifier key, or the file that has one.
fn vkey(given: &str) -> Result<String, String> {
    let verifier = CheckpointVerifier::from_vkey_or_file(given);
    verifier.map(|verifier| verifier.vkey().to_owned()).map_err(|problem| problem.to_string())
}

/// Takes the file of a checkpoint.
fn kept(given: &str) -> Result<String, String> {
    checkpoint_note(Path::new(given))
}
