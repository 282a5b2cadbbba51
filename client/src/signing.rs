//! Signs commands and sessions as the contract asks.
//!
//! Knows the envelope: market, nonce, expiry, signature. Does not know the time: it is told, since a node may
//! run on simulated time (`MarketData.GetMarket` tells it). Keeps: the nonces of a signer rise.

use std::time::Duration;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use parkwatt_proto::v1::command::Kind;
use parkwatt_proto::v1::{Command, KeyRotationConsent, RotateKey, Session, SignedCommand, SignedSession};
use parkwatt_proto::{COMMAND_TYPE, KEY_ROTATION_TYPE, SESSION_TYPE, pre_authentication_encoding};
use prost::Message;

/// The longest lifetime of a session that a node takes.
pub const SESSION_LIFETIME_MAX: Duration = Duration::from_mins(15);

/// A participant's key at work in one market.
#[derive(Clone, Debug)]
pub struct Signer {
    key: SigningKey,
    market: String,
    /// The nonce of the last command; 0 before the first.
    nonce: u64,
}

impl Signer {
    /// Returns a signer for the market of that name.
    pub fn new(key: SigningKey, market: &str) -> Self {
        Signer { key, market: market.to_owned(), nonce: 0 }
    }

    /// Returns the signer, going on after `nonce`: for a key that has signed before.
    #[must_use]
    pub fn after(self, nonce: u64) -> Self {
        Signer { nonce: self.nonce.max(nonce), ..self }
    }

    /// Returns the public key.
    pub fn public_key(&self) -> VerifyingKey {
        self.key.verifying_key()
    }

    /// Returns the market's name.
    pub fn market(&self) -> &str {
        &self.market
    }

    /// Signs a command at the market's time `now_micros`, to be refused after `lifetime`.
    ///
    /// Its nonce is the time, or one more than the last where the time has not risen above it.
    pub fn sign(&mut self, kind: Kind, now_micros: u64, lifetime: Duration) -> SignedCommand {
        self.nonce = self.nonce.saturating_add(1).max(now_micros);
        let command = Command {
            market: self.market.clone(),
            nonce: self.nonce,
            expires_at_micros: now_micros.saturating_add(micros(lifetime)),
            kind: Some(kind),
        };
        let payload = command.encode_to_vec();
        let (public_key, signature) = self.seal(COMMAND_TYPE, &payload);
        SignedCommand { payload, public_key, signature }
    }

    /// Returns the command by which `new_key` takes this key's place, with the new key's consent.
    pub fn rotation(&self, new_key: &SigningKey) -> Kind {
        let new_public_key = new_key.verifying_key().to_bytes().to_vec();
        let consent = KeyRotationConsent {
            market: self.market.clone(),
            old_public_key: self.key.verifying_key().to_bytes().to_vec(),
            new_public_key: new_public_key.clone(),
        };
        let consent = consent.encode_to_vec();
        let new_signature = new_key.sign(&pre_authentication_encoding(KEY_ROTATION_TYPE, &consent));
        let new_signature = new_signature.to_bytes().to_vec();
        Kind::RotateKey(RotateKey { new_public_key, consent, new_signature })
    }

    /// Signs a session at the market's time `now_micros`; a longer `lifetime` than [`SESSION_LIFETIME_MAX`]
    /// is cut.
    pub fn session(&self, now_micros: u64, lifetime: Duration) -> SignedSession {
        let session = Session {
            market: self.market.clone(),
            expires_at_micros: now_micros.saturating_add(micros(lifetime.min(SESSION_LIFETIME_MAX))),
        };
        let payload = session.encode_to_vec();
        let (public_key, signature) = self.seal(SESSION_TYPE, &payload);
        SignedSession { payload, public_key, signature }
    }

    /// Returns the public key and the signature over `payload`.
    fn seal(&self, payload_type: &str, payload: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let signature = self.key.sign(&pre_authentication_encoding(payload_type, payload));
        (self.key.verifying_key().to_bytes().to_vec(), signature.to_bytes().to_vec())
    }
}

/// Returns a length of time in whole microseconds.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::Signature;
    use parkwatt_proto::v1::{CancelOrder, OrderId};

    use super::*;

    const NOW: u64 = 1_800_000_000_000_000;

    fn signer() -> Signer {
        Signer::new(SigningKey::from_bytes(&[7; 32]), "park")
    }

    fn cancel() -> Kind {
        Kind::CancelOrder(CancelOrder { order: Some(OrderId { index: 12, position: 0 }) })
    }

    fn verifies(payload_type: &str, payload: &[u8], public_key: &[u8], signature: &[u8]) -> bool {
        let key = VerifyingKey::from_bytes(public_key.try_into().unwrap()).unwrap();
        let signature = Signature::from_slice(signature).unwrap();
        key.verify_strict(&pre_authentication_encoding(payload_type, payload), &signature).is_ok()
    }

    #[test]
    fn a_command_is_signed_over_its_encoding() {
        let signed = signer().sign(cancel(), NOW, Duration::from_mins(1));
        assert!(verifies(COMMAND_TYPE, &signed.payload, &signed.public_key, &signed.signature));
        assert!(!verifies(SESSION_TYPE, &signed.payload, &signed.public_key, &signed.signature));
        let command = Command::decode(&signed.payload[..]).unwrap();
        assert_eq!(command.market, "park");
        assert_eq!(command.expires_at_micros, NOW + 60_000_000);
        assert_eq!(command.kind, Some(cancel()));
    }

    #[test]
    fn every_byte_of_a_command_is_covered() {
        let signed = signer().sign(cancel(), NOW, Duration::from_mins(1));
        for place in 0..signed.payload.len() {
            let mut payload = signed.payload.clone();
            payload[place] ^= 1;
            assert!(!verifies(COMMAND_TYPE, &payload, &signed.public_key, &signed.signature), "{place}");
        }
    }

    #[test]
    fn nonces_follow_the_time_and_always_rise() {
        let mut pen = signer();
        let mut nonce = |now| {
            let signed = pen.sign(cancel(), now, Duration::from_mins(1));
            Command::decode(&signed.payload[..]).unwrap().nonce
        };
        assert_eq!(nonce(NOW), NOW);
        assert_eq!(nonce(NOW), NOW + 1);
        assert_eq!(nonce(NOW - 5), NOW + 2);
        assert_eq!(nonce(NOW + 9), NOW + 9);
    }

    #[test]
    fn a_signer_goes_on_after_a_nonce() {
        let signed = signer().after(NOW + 7).after(5).sign(cancel(), NOW, Duration::from_mins(1));
        assert_eq!(Command::decode(&signed.payload[..]).unwrap().nonce, NOW + 8);
    }

    #[test]
    fn a_new_key_consents_to_take_this_key_s_place_in_this_market() {
        let new_key = SigningKey::from_bytes(&[8; 32]);
        let Kind::RotateKey(it) = signer().rotation(&new_key) else { panic!("a rotation") };
        assert_eq!(it.new_public_key, new_key.verifying_key().to_bytes());
        assert!(verifies(KEY_ROTATION_TYPE, &it.consent, &it.new_public_key, &it.new_signature));
        assert!(!verifies(COMMAND_TYPE, &it.consent, &it.new_public_key, &it.new_signature));
        let consent = KeyRotationConsent::decode(&it.consent[..]).unwrap();
        assert_eq!(consent.market, "park");
        assert_eq!(consent.old_public_key, signer().public_key().to_bytes());
        assert_eq!(consent.new_public_key, it.new_public_key);
    }

    #[test]
    fn a_session_lives_15_minutes_at_most() {
        for (lifetime, lives) in [(60, 60), (900, 900), (901, 900), (u64::MAX, 900)] {
            let signed = signer().session(NOW, Duration::from_secs(lifetime));
            assert!(verifies(SESSION_TYPE, &signed.payload, &signed.public_key, &signed.signature));
            assert!(!verifies(COMMAND_TYPE, &signed.payload, &signed.public_key, &signed.signature));
            let session = Session::decode(&signed.payload[..]).unwrap();
            assert_eq!(session.market, "park");
            assert_eq!(session.expires_at_micros, NOW + lives * 1_000_000);
        }
    }
}
