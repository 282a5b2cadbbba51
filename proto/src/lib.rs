//! The contract of Parkwatt: the messages and services of package `parkwatt.v1`, generated from
//! `proto/parkwatt/v1`, what exactly a signature covers, and the file of a retirement statement.
//!
//! Knows the wire; does not know the market's rules.

mod signing;
mod statement;

pub use signing::{
    COMMAND_TYPE, KEY_ROTATION_TYPE, SESSION_METADATA, SESSION_TYPE, pre_authentication_encoding,
};
pub use statement::{FormError, STATEMENT_FORMAT, StatementError, StatementFile, conclusion, retirement};

/// Returns the name, or origin, of a market's log.
pub fn log_origin(market: &str) -> String {
    format!("parkwatt/{market}")
}

/// Package `parkwatt.v1`.
// OK because: generated code follows prost's style, and its documentation stands in the .proto files.
#[allow(missing_docs, clippy::pedantic)]
pub mod v1 {
    tonic::include_proto!("parkwatt.v1");
}

/// The descriptors of every file of the contract, for server reflection: a serialised `FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/parkwatt.bin"));
