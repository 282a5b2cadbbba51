//! A new key's consent to take another's place: whose word it is, and for which market and keys.
//!
//! Stateless like a command's own signature; the node checks it before anything is sequenced, and the auditor
//! again, by the same function.

use parkwatt_engine as engine;
use parkwatt_proto::{
    KEY_ROTATION_TYPE,
    v1::{self, command::Kind},
};
use prost::Message;

use super::{Malformed, parse::enrolled_key};
use crate::authenticate::{Unauthentic, authenticate};

/// Returns the rotation that a command of `market` under `old_key` asks for.
///
/// # Errors
/// [`Malformed`] unless the new key is a sound one and has signed a consent to exactly this.
pub(super) fn key_rotation(
    it: &v1::RotateKey,
    market: &str,
    old_key: engine::PublicKey,
) -> Result<engine::KeyRotation, Malformed> {
    let new_key = enrolled_key("new_public_key", &it.new_public_key)?;
    let consent = v1::KeyRotationConsent::decode(it.consent.as_slice()).map_err(|problem| {
        Malformed::new("consent", format!("is not a serialised KeyRotationConsent: {problem}"))
    })?;
    if consent.market != market {
        let problem = format!("'{}' is not the command's market; it is '{market}'", consent.market);
        return Err(Malformed::new("consent.market", problem));
    }
    let keys = [
        ("consent.old_public_key", &consent.old_public_key, old_key, "the key that signs the command"),
        ("consent.new_public_key", &consent.new_public_key, new_key, "new_public_key"),
    ];
    for (field, bytes, expected, what) in keys {
        let named = named_key(field, bytes)?;
        if named != expected {
            let (named, expected) = (hex::encode(named), hex::encode(expected));
            return Err(Malformed::new(field, format!("{named} is not {what}, which is {expected}")));
        }
    }
    let signed = authenticate(KEY_ROTATION_TYPE, &it.consent, &new_key, &it.new_signature);
    signed.map(|new_key| engine::KeyRotation { new_key }).map_err(|problem| {
        let problem = match problem {
            Unauthentic::SignatureMustHave64Bytes(len) => {
                format!("has {len} bytes; an Ed25519 signature has 64")
            }
            _ => format!(
                "does not verify under new_public_key {}; the new key signs the DSSE encoding of exactly the \
                 consent's bytes",
                hex::encode(new_key)
            ),
        };
        Malformed::new("new_signature", problem)
    })
}

/// Checks the new key's consent, where a signed command is a rotation.
///
/// # Errors
/// [`Malformed`] if it is one, and the new key did not consent to it.
pub fn check_consent(signed: &v1::SignedCommand) -> Result<(), Malformed> {
    // A glance skips what is no rotation: an audit would else decode every schedule twice.
    let glance = Glance::decode(signed.payload.as_slice());
    if !glance.is_ok_and(|glance| glance.rotate_key.is_some()) {
        return Ok(());
    }
    let Ok(command) = v1::Command::decode(signed.payload.as_slice()) else { return Ok(()) };
    // OK because: of two kinds in one payload only the last counts, and it may be another.
    let Some(Kind::RotateKey(rotation)) = command.kind else { return Ok(()) };
    let old_key = named_key("public_key", &signed.public_key)?;
    key_rotation(&rotation, &command.market, old_key).map(drop)
}

/// A command as far as it matters whether it is a rotation.
#[derive(Clone, PartialEq, Message)]
struct Glance {
    #[prost(message, optional, tag = "18")]
    rotate_key: Option<v1::RotateKey>,
}

fn named_key(field: &str, bytes: &[u8]) -> Result<engine::PublicKey, Malformed> {
    bytes.try_into().map_err(|_| {
        Malformed::new(field, format!("has {} bytes; an Ed25519 public key has 32", bytes.len()))
    })
}
