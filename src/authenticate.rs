//! Step 2, authenticate: an Ed25519 signature covers exactly the received bytes, under our domain.
//!
//! Stateless, so that many run at once; node and auditor call the same function and accept exactly the same
//! set.

use ed25519_dalek::{Signature, VerifyingKey};
use parkwatt_engine::PublicKey;
use parkwatt_proto::pre_authentication_encoding;

/// Why bytes are not somebody's word.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthentic {
    /// The key is not 32 bytes.
    #[error("public_key has {0} bytes; an Ed25519 public key has 32")]
    KeyMustHave32Bytes(usize),
    /// The signature is not 64 bytes.
    #[error("signature has {0} bytes; an Ed25519 signature has 64")]
    SignatureMustHave64Bytes(usize),
    /// The key is no point of the curve.
    #[error("public_key {} is not an Ed25519 public key", hex::encode(.0))]
    KeyMustBeAPoint(PublicKey),
    /// The signature is another key's, of other bytes, or under another type.
    #[error("signature does not verify under public_key {}; sign the DSSE encoding of exactly these bytes", hex::encode(.0))]
    SignatureMustVerify(PublicKey),
}

/// Returns the key whose word `payload` is, as a payload of `payload_type`.
///
/// # Errors
/// [`Unauthentic`] unless the signature verifies strictly (no small-order key, canonical encodings).
pub fn authenticate(
    payload_type: &str,
    payload: &[u8],
    public_key: &[u8],
    signature: &[u8],
) -> Result<PublicKey, Unauthentic> {
    let key = verifying_key(public_key)?;
    authenticate_by(&key, payload_type, payload, signature)?;
    Ok(key.to_bytes())
}

/// Returns the point of the curve that a public key is. Whoever keeps it need not compute it for each
/// signature.
///
/// # Errors
/// [`Unauthentic`] if it is none.
pub fn verifying_key(public_key: &[u8]) -> Result<VerifyingKey, Unauthentic> {
    let key: PublicKey =
        public_key.try_into().map_err(|_| Unauthentic::KeyMustHave32Bytes(public_key.len()))?;
    VerifyingKey::from_bytes(&key).map_err(|_| Unauthentic::KeyMustBeAPoint(key))
}

/// Checks that `payload` is the word of `key`, as [`authenticate`] does.
///
/// # Errors
/// [`Unauthentic`] unless the signature verifies strictly.
pub fn authenticate_by(
    key: &VerifyingKey,
    payload_type: &str,
    payload: &[u8],
    signature: &[u8],
) -> Result<(), Unauthentic> {
    let signature = Signature::from_slice(signature)
        .map_err(|_| Unauthentic::SignatureMustHave64Bytes(signature.len()))?;
    key.verify_strict(&pre_authentication_encoding(payload_type, payload), &signature)
        .map_err(|_| Unauthentic::SignatureMustVerify(key.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer, SigningKey};
    use parkwatt_proto::{COMMAND_TYPE, SESSION_TYPE};

    fn signed(payload: &[u8]) -> (SigningKey, Vec<u8>) {
        let key = SigningKey::from_bytes(&[7; 32]);
        let signature = key.sign(&pre_authentication_encoding(COMMAND_TYPE, payload)).to_vec();
        (key, signature)
    }

    #[test]
    fn a_signature_holds_for_its_bytes_its_key_and_its_type_only() {
        let (key, signature) = signed(b"sell");
        let public = key.verifying_key().to_bytes();
        let refused = Err(Unauthentic::SignatureMustVerify(public));
        assert_eq!(authenticate(COMMAND_TYPE, b"sell", &public, &signature), Ok(public));
        assert_eq!(authenticate(COMMAND_TYPE, b"sell!", &public, &signature), refused);
        assert_eq!(authenticate(SESSION_TYPE, b"sell", &public, &signature), refused);
        let other = SigningKey::from_bytes(&[8; 32]).verifying_key().to_bytes();
        let refused = Err(Unauthentic::SignatureMustVerify(other));
        assert_eq!(authenticate(COMMAND_TYPE, b"sell", &other, &signature), refused);
    }

    #[test]
    fn every_flipped_bit_of_a_signature_is_refused() {
        let (key, signature) = signed(b"sell");
        let public = key.verifying_key().to_bytes();
        for bit in 0..512 {
            let mut flipped = signature.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(authenticate(COMMAND_TYPE, b"sell", &public, &flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_short_key_or_signature_is_named_with_its_length() {
        let (key, signature) = signed(b"sell");
        let public = key.verifying_key().to_bytes();
        let short_key = authenticate(COMMAND_TYPE, b"sell", &public[..31], &signature);
        assert_eq!(short_key, Err(Unauthentic::KeyMustHave32Bytes(31)));
        let short_signature = authenticate(COMMAND_TYPE, b"sell", &public, &signature[..10]);
        assert_eq!(short_signature, Err(Unauthentic::SignatureMustHave64Bytes(10)));
    }
}
