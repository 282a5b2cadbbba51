//! The markets of a node, by name. Nothing is shared between them but the way to them.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    host::Market,
    refusal::Refused,
    wire::{self, Malformed},
};

/// The markets of a node; at least one.
pub struct Markets(BTreeMap<String, Arc<Market>>);

impl FromIterator<Arc<Market>> for Markets {
    fn from_iter<T: IntoIterator<Item = Arc<Market>>>(markets: T) -> Markets {
        Markets(markets.into_iter().map(|market| (market.config.name.clone(), market)).collect())
    }
}

impl Markets {
    /// Returns the markets in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Market>> {
        self.0.values()
    }

    /// Returns the market where there is no other.
    pub fn only(&self) -> Option<&Arc<Market>> {
        self.0.values().next().filter(|_| self.0.len() == 1)
    }

    /// Returns the market with this name, as a request gives it: an empty one is for the only market.
    ///
    /// # Errors
    /// [`Refused::Malformed`] if the node has no such market, or has several and the request names none.
    pub fn named(&self, name: &str) -> Result<&Arc<Market>, Refused> {
        let found = if name.is_empty() { self.only() } else { self.0.get(name) };
        found.ok_or_else(|| self.unknown(name).into())
    }

    /// Returns the market that a command's payload is for; of the only one, [`wire::parse`] judges the name.
    ///
    /// # Errors
    /// [`Refused::Malformed`] if the payload is no command, or the node has no such market.
    pub fn addressed_by(&self, payload: &[u8]) -> Result<&Arc<Market>, Refused> {
        if let Some(only) = self.only() {
            return Ok(only);
        }
        let name = wire::addressee(payload)?;
        // A command names its market always, so that it is nobody's word elsewhere.
        self.0.get(&name).ok_or_else(|| self.unknown(&name).into())
    }

    fn unknown(&self, name: &str) -> Malformed {
        let names: Vec<String> = self.0.keys().map(|name| format!("'{name}'")).collect();
        let names = names.join(", ");
        let problem = match name {
            "" => format!("must be named, since this node has several: {names}"),
            _ => format!("'{name}' is not a market of this node; it has {names}"),
        };
        Malformed::new("market", problem)
    }
}
