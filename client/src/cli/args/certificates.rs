//! Certificates on the command line: what can be done with them.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use parkwatt_client::v1;

use super::super::time::When;
use super::super::{quantity, values};

/// What can be done with certificates.
#[derive(Debug, Subcommand)]
pub enum Certificates {
    /// Claim certificates for what you consumed in the same quarter hour; for good
    #[command(after_help = "\
EXAMPLES:
  parkwatt certificates retire --at 12:00 --energy 1kWh --beneficiary \"Mill No. 3\"
      12:00 is the last noon that is over
  parkwatt certificates retire --at 12:00 --energy 1kWh --beneficiary \"Mill No. 3\" --purpose \"report of 2026\"
  parkwatt certificates retire --at 12:00 --energy 2kWh --beneficiary \"Sunny Roof\" --class self-consumed
      claims what your own plant generated and you consumed yourself")]
    Retire {
        /// When the quarter hour of generation began
        #[arg(long, value_name = "TIME", value_parser = values::when)]
        at: When,
        /// How much, such as 1kWh
        #[arg(long, value_parser = quantity::energy)]
        energy: u64,
        /// For whom the green quality is claimed, in at most 128 bytes
        #[arg(long, value_name = "TEXT", value_parser = values::beneficiary)]
        beneficiary: String,
        /// What for, in at most 128 bytes
        #[arg(long, value_name = "TEXT", value_parser = values::purpose, default_value = "")]
        #[arg(hide_default_value = true)]
        purpose: String,
        /// Which certificates
        #[arg(long, value_enum, default_value_t = Class::Exported)]
        class: Class,
    },
    /// Show a claim, and write it to a file with everything that proves it
    ///
    /// Whoever gets the file checks it without the node, and sees nothing else of the ledger.
    #[command(after_help = "\
EXAMPLES:
  parkwatt certificates statement 1234
      writes retirement-1234.json; `parkwatt certificates retire` names the number
  parkwatt certificates statement 1234 --out claim.json")]
    Statement {
        /// The claim's number
        #[arg(value_name = "NUMBER", value_parser = values::whole::<u64>(0..=u64::MAX))]
        number: u64,
        /// The file to write [default: retirement-NUMBER.json]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Check the file of a claim, without a node
    #[command(after_help = "\
EXAMPLES:
  parkwatt certificates verify retirement-1234.json --vkey park.vkey
  parkwatt certificates verify retirement-1234.json
      believes the key in the file, and says so")]
    Verify {
        /// The file that `parkwatt certificates statement` wrote
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The ledger's verifier key as you know it, or a file with it
        #[arg(long, value_name = "KEY")]
        vkey: Option<String>,
    },
    /// Pass certificates of exported energy on to another participant
    #[command(after_help = "\
EXAMPLES:
  parkwatt certificates transfer --to mill --at 12:00 --energy 1kWh
      12:00 is the last noon that is over
  parkwatt certificates transfer --to mill --at \"2026-06-01 12:00\" --energy 1kWh")]
    Transfer {
        /// The name tag of who gets them
        #[arg(long, value_name = "NAME", value_parser = values::name)]
        to: String,
        /// When the quarter hour of generation began
        #[arg(long, value_name = "TIME", value_parser = values::when)]
        at: When,
        /// How much, such as 1kWh
        #[arg(long, value_parser = quantity::energy)]
        energy: u64,
    },
    /// Bundle certificates of exported energy into national ones (GEC) of 1 MWh
    ///
    /// As many are made as there are; the rest stays yours. What is bundled is locked against any other use.
    #[command(after_help = "\
EXAMPLES:
  parkwatt certificates bundle
      everything that you hold
  parkwatt certificates bundle --until \"2026-07-01 00:00\"
      what was generated before July")]
    Bundle {
        /// Only what was generated before then
        #[arg(long, value_name = "TIME", value_parser = values::when)]
        until: Option<When>,
    },
}

/// What a certificate certifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Class {
    /// Energy that was fed in
    Exported,
    /// Energy that its producer consumed himself
    SelfConsumed,
}

/// Which certificate to withdraw, and why.
#[derive(Args, Debug)]
pub struct WithdrawCertificate {
    /// The certificate's name, as `parkwatt certificates` shows it, such as 1978096.2.1
    #[arg(value_name = "CERTIFICATE", value_parser = values::certificate_id)]
    pub certificate: v1::CertificateId,
    /// Why, in at most 128 bytes
    #[arg(long, value_name = "TEXT", value_parser = values::reason)]
    pub reason: String,
    /// The operator's key file
    #[arg(long, value_name = "FILE")]
    pub operator_key: PathBuf,
}
