//! The market: one request in, an outcome and events out.

use alloc::vec::Vec;

use crate::{ConfigError, Event, MarketConfig, Outcome, PublicKey, Request, Stamp, Timestamp};

/// One market's whole state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Market {
    config: MarketConfig,
}

impl Market {
    /// Founds a market.
    ///
    /// # Errors
    /// If the configuration does not hold; see [`MarketConfig::check`].
    pub fn new(config: MarketConfig) -> Result<Market, ConfigError> {
        config.check()?;
        Ok(Market { config })
    }

    /// Returns the next moment at which time alone changes the market, for [`Market::tick`].
    pub fn next_due(&self) -> Option<Timestamp> {
        None
    }

    /// Applies a request, appends what follows from it to `events`, and returns its outcome.
    pub fn apply(&mut self, _stamp: Stamp, _request: &Request, _events: &mut Vec<Event>) -> Outcome {
        Outcome::Deposited
    }

    /// Lets time pass until `stamp.at`, and appends what follows from it to `events`.
    pub fn tick(&mut self, _stamp: Stamp, _events: &mut Vec<Event>) {}

    /// Returns whether a key is enrolled, as an owner's or as a meter's.
    pub fn knows_key(&self, key: &PublicKey) -> bool {
        &self.config.operator_key == key
    }

    /// Returns the last nonce that a key used; 0 before its first.
    pub fn last_nonce(&self, _key: &PublicKey) -> u64 {
        0
    }

    /// Returns a hash of the whole state, equal on every machine for equal histories.
    pub fn state_hash(&self) -> u64 {
        0
    }
}
