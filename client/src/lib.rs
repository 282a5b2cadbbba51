//! The client of a Parkwatt market: keys, signatures, and a connection to a node.
//!
//! Knows the contract `parkwatt.v1` and what a signature covers; does not know the market's rules, so it
//! never guesses what a node will answer. The command `parkwatt` is built on it, and so can any other program
//! be.

mod connection;
mod error;
mod key;
mod signing;

pub use connection::Connection;
pub use error::ClientError;
pub use key::{create_key, generate_key, parse_public_key, public_key_text, read_key, write_key};
pub use signing::{SESSION_LIFETIME_MAX, Signer};

/// The messages of the contract.
pub use parkwatt_proto::v1;
