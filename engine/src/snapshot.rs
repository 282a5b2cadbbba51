//! Snapshots: a market's whole state as bytes, and a market of such bytes again.
//!
//! Knows what of the state does not follow from the rest: books, their indices and what falls due are made again.
//! Does not know files or digests, or who keeps the bytes.
//! Keeps: equal histories give equal bytes, on any machine; a market that was made of bytes gives the same bytes,
//! and goes on as the one that they were made of.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::accounts::Accounts;
use crate::book::Plan;
use crate::certificates::Certificates;
use crate::market::Quiet;
use crate::meters::Meters;
use crate::settled::Settled;
use crate::slots::{Slots, SlotsForm};
use crate::{Market, MarketConfig, Participants, Tariffs, Timestamp};

/// The number of the form in which [`Market::snapshot`] writes: another one for every change of a type in it.
///
/// The form itself is postcard's, which has no names and no types: bytes of another form can be read as if they
/// were of this one, and mean something else.
pub const SNAPSHOT_FORMAT: u32 = 1;

/// Bytes that are no snapshot of a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no snapshot of a market in format {SNAPSHOT_FORMAT}")]
pub struct SnapshotError;

/// What is written of a market, in this order.
#[derive(Serialize, Deserialize)]
struct Form<'a> {
    config: Cow<'a, MarketConfig>,
    tariffs: Cow<'a, Tariffs>,
    participants: Cow<'a, Participants>,
    accounts: Cow<'a, Accounts>,
    slots: SlotsForm<'a>,
    settled: Cow<'a, Settled>,
    meters: Cow<'a, Meters>,
    certificates: Cow<'a, Certificates>,
    now: Timestamp,
    earliest: Timestamp,
}

impl Market {
    /// Returns the whole state as bytes, in format [`SNAPSHOT_FORMAT`].
    pub fn snapshot(&self) -> Vec<u8> {
        let form = Form {
            config: Cow::Borrowed(&self.config),
            tariffs: Cow::Borrowed(&self.tariffs),
            participants: Cow::Borrowed(&self.participants),
            accounts: Cow::Borrowed(&self.accounts),
            slots: self.slots.form(&self.tariffs),
            settled: Cow::Borrowed(&self.settled),
            meters: Cow::Borrowed(&self.meters),
            certificates: Cow::Borrowed(&self.certificates),
            now: self.now,
            earliest: self.earliest,
        };
        postcard::to_allocvec(&form).expect("a state has no part that cannot be written")
    }

    /// Returns the market of a snapshot.
    ///
    /// The bytes must be those of [`Market::snapshot`], as a digest of them shows: others can be read as a state
    /// that no history leads to.
    ///
    /// # Errors
    /// If they cannot be read at all, or not to their end.
    pub fn of_snapshot(bytes: &[u8]) -> Result<Market, SnapshotError> {
        let (form, rest) = postcard::take_from_bytes::<Form>(bytes).map_err(|_| SnapshotError)?;
        if !rest.is_empty() {
            return Err(SnapshotError);
        }
        let (config, tariffs) = (form.config.into_owned(), form.tariffs.into_owned());
        Ok(Market {
            slots: Slots::of_form(form.slots, &config, &tariffs).ok_or(SnapshotError)?,
            participants: form.participants.into_owned(),
            accounts: form.accounts.into_owned(),
            settled: form.settled.into_owned(),
            meters: form.meters.into_owned(),
            certificates: form.certificates.into_owned(),
            plan: Plan::default(),
            now: form.now,
            earliest: form.earliest,
            quiet: Quiet::default(),
            config,
            tariffs,
        })
    }
}
