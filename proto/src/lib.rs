//! The contract of Parkwatt: the messages and services of package `parkwatt.v1`, generated from
//! `proto/parkwatt/v1`, and what exactly a signature covers.
//!
//! Knows the wire; does not know what any of it means.

mod signing;

pub use signing::{
    COMMAND_TYPE, KEY_ROTATION_TYPE, SESSION_METADATA, SESSION_TYPE, pre_authentication_encoding,
};

/// Package `parkwatt.v1`.
// OK because: generated code follows prost's style, and its documentation stands in the .proto files.
#[allow(missing_docs, clippy::pedantic)]
pub mod v1 {
    tonic::include_proto!("parkwatt.v1");
}

/// The descriptors of every file of the contract, for server reflection: a serialised `FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/parkwatt.bin"));
