//! A state as a snapshot has it: the market, and the picture of it that readers see.
//!
//! Knows both forms' numbers; does not know files, or the log. A state in other forms is none: the ledger is replayed
//! then.

use parkwatt_engine::{Market, SNAPSHOT_FORMAT, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    apply::Replica,
    views::{VIEWS_FORMAT, Views},
};

/// What is written of a state.
pub struct State {
    /// When the last leaf before it was.
    pub last_at: Timestamp,
    /// The market, as [`Market::snapshot`] writes it.
    pub market: Vec<u8>,
    /// The picture of it, as [`Views::to_bytes`] writes it.
    pub views: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Form<'a> {
    formats: (u32, u32),
    last_at_micros: u64,
    market: &'a [u8],
    views: &'a [u8],
}

impl State {
    /// Returns the state as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let State { last_at, market, views } = self;
        let form =
            Form { formats: (SNAPSHOT_FORMAT, VIEWS_FORMAT), last_at_micros: last_at.0, market, views };
        postcard::to_allocvec(&form).expect("bytes and numbers can be written")
    }
}

/// Returns the market of such bytes behind `leaves` leaves, and the picture of it; nothing if they are of other
/// forms than this program's.
pub fn decode(bytes: &[u8], leaves: u64) -> Option<(Replica, Views)> {
    let form: Form = postcard::from_bytes(bytes).ok()?;
    if form.formats != (SNAPSHOT_FORMAT, VIEWS_FORMAT) {
        return None;
    }
    let (market, views) = (Market::of_snapshot(form.market).ok()?, Views::of_bytes(form.views)?);
    Some((Replica::resume(market, leaves, Timestamp(form.last_at_micros)), views))
}
