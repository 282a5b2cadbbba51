//! What a signature covers: DSSE's pre-authentication encoding, so that no bytes can be read as another kind.

/// The type under which commands are signed.
pub const COMMAND_TYPE: &str = "application/vnd.parkwatt.command.v1+protobuf";
/// The type under which sessions are signed.
pub const SESSION_TYPE: &str = "application/vnd.parkwatt.session.v1+protobuf";
/// The type under which a new key signs that it takes another's place.
pub const KEY_ROTATION_TYPE: &str = "application/vnd.parkwatt.key-rotation.v1+protobuf";

/// The metadata in which a call carries its `SignedSession`.
pub const SESSION_METADATA: &str = "parkwatt-session-bin";

/// Returns the bytes that are signed for `payload` of type `payload_type`.
///
/// Source: DSSE v1.0, "PAE": `"DSSEv1" SP LEN(type) SP type SP LEN(payload) SP payload`.
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_that_of_the_specification() {
        let encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
        assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }
}
