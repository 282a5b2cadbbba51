//! What the operator signs for participants.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};
use ed25519_dalek::VerifyingKey;
use parkwatt_client::parse_public_key;

use super::super::{quantity, values};

/// Whom to enrol.
#[derive(Args, Debug)]
pub struct Enrol {
    /// A name tag: 1 to 32 of a-z, 0-9 and -; everybody at the market's operator will see it
    #[arg(long, value_parser = values::name)]
    pub name: String,
    /// The zone of the grid where the participant is connected [default: the market's root zone]
    #[arg(long)]
    pub zone: Option<String>,
    /// The peak power of the PV, such as 8kW
    #[arg(long, value_name = "POWER", value_parser = quantity::power, default_value = "0kW")]
    pub pv: u64,
    /// The power of the connection to the grid, such as 20kW [default: that of the PV, at least 10kW]
    #[arg(long, value_name = "POWER", value_parser = quantity::power)]
    pub connection: Option<u64>,
    /// What the participant may do
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Role::Producer, Role::Consumer])]
    pub roles: Vec<Role>,
    /// What the participant may owe, in yuan
    #[arg(long, value_name = "YUAN", value_parser = quantity::amount, default_value = "0", allow_negative_numbers = true)]
    pub credit: u64,
    /// The public key of the meter at the connection, in 64 hex digits
    #[arg(long, value_name = "HEX", value_parser = parse_public_key)]
    pub meter_key: Option<VerifyingKey>,
    /// The participant's public key, in 64 hex digits [default: that of --key]
    #[arg(long, value_name = "HEX", value_parser = parse_public_key)]
    pub public_key: Option<VerifyingKey>,
    /// The operator's key file; without it, the command for the operator is printed
    #[arg(long, value_name = "FILE")]
    pub operator_key: Option<PathBuf>,
}

/// What a participant may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// May offer
    Producer,
    /// May bid
    Consumer,
    /// May enrol participants, pay in and out, publish tariffs, and withdraw orders and certificates
    Operator,
    /// May read the whole ledger
    Regulator,
}

/// What to pay in.
#[derive(Args, Debug)]
pub struct Deposit {
    /// The participant's name tag
    #[arg(long, value_name = "NAME", value_parser = values::name)]
    pub to: String,
    /// How much, in yuan
    #[arg(long, value_name = "YUAN", value_parser = quantity::amount, allow_negative_numbers = true)]
    pub amount: u64,
    /// The operator's key file
    #[arg(long, value_name = "FILE")]
    pub operator_key: PathBuf,
}

/// What to pay out.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("what").required(true).args(["amount", "all"])))]
pub struct PayOut {
    /// The participant's name tag
    #[arg(value_name = "NAME", value_parser = values::name)]
    pub from: String,
    /// How much, in yuan
    #[arg(value_name = "YUAN", value_parser = quantity::amount, allow_negative_numbers = true)]
    pub amount: Option<u64>,
    /// The whole balance, which leaves the account empty
    #[arg(long)]
    pub all: bool,
    /// The operator's key file
    #[arg(long, value_name = "FILE")]
    pub operator_key: PathBuf,
}
