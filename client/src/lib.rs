//! The client of a Parkwatt market: keys, signatures, and a connection to a node.
//!
//! Knows the contract `parkwatt.v1`, what a signature covers and how a ledger is proved; does not know the
//! market's rules, so it never guesses what a node will answer. The command `parkwatt` is built on it, and so can any other program
//! be.
//!
//! ```no_run
//! use std::{path::Path, time::Duration};
//! use parkwatt_client::v1::{NewOrder, PlaceOrders, Side, command::Kind};
//! use parkwatt_client::{ClientError, Connection, Signer, read_key};
//!
//! # async fn offer() -> Result<(), ClientError> {
//! let connection = Connection::open("http://127.0.0.1:7400").await?;
//! let market = connection.market("park").await?;
//! let mut signer = Signer::new(read_key(Path::new("key.pem"))?, "park");
//!
//! let order = NewOrder {
//!     side: Side::Offer.into(),
//!     slot: 1_978_096, // 2026-06-01T04:00:00Z
//!     limit_price_micros_per_kwh: 420_000,
//!     energy_wh: 2_500,
//!     ..NewOrder::default()
//! };
//! let command = Kind::PlaceOrders(PlaceOrders { orders: vec![order], all_or_none: false });
//! let signed = signer.sign(command, market.now_micros, Duration::from_mins(1));
//! let receipt = connection.submit(signed).await?;
//! println!("in the ledger at {}", receipt.leaf_index);
//! # Ok(())
//! # }
//! ```

mod claim;
mod connection;
mod error;
mod key;
mod sealed;
mod signing;
mod statement;
mod streams;

pub use claim::{UnprovedStatement, verify_statement};
pub use connection::{Connection, Trust};
pub use error::ClientError;
pub use key::{
    beside, create_key, generate_key, parse_public_key, public_key_text, read_key, replace_key, write_key,
};
pub use sealed::{is_sealed, read_sealed_key, rewrite_key, write_sealed_key};
pub use signing::{SESSION_LIFETIME_MAX, Signer};
pub use statement::{Column, Figures, Payment, Statement};
pub use streams::{MarketPicture, SlotPicture, account_change_nanos};

/// How proofs and the file of a retirement statement are read.
pub use parkwatt_ledger::{CheckpointVerifier, ProvedLeaf, SignedCheckpoint};
/// The file of a retirement statement.
pub use parkwatt_proto::{StatementFile, conclusion};

/// The messages of the contract.
pub use parkwatt_proto::v1;
