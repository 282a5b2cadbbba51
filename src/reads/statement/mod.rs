//! Statements: what a period changed for a participant, from his own leaves.
//!
//! Knows where leaves are found, and balances; what a leaf means for a row is `rows`' to know.
//! Keeps: everything is as of one tree size. The balances come from the views, less what was posted since,
//! and the rows from the period's leaves: who reads a statement can hold one against the other.

mod rows;

use std::ops::Range;

use parkwatt_engine::{Account, ParticipantId, Timestamp, Worth};
use parkwatt_ledger::Store;
use parkwatt_proto::v1::{self, leaf::Fact, list_entries_request::About, statement_part::Kind};
use prost::Message;

use self::rows::{Figures, Finished, Rows, Subject, change};
use super::{decimal, ledger::found_about};
use crate::{host::Market, index, refusal::Refused};

/// Who asks for a statement, of which period, and where he stands.
pub struct Statement {
    participant: ParticipantId,
    name: String,
    period: Range<Timestamp>,
    /// The leaves that the statement knows.
    tree_size: u64,
    /// The balance behind the last of them.
    balance: Worth,
}

impl Statement {
    /// Returns the statement that is to be drawn, as the market stands now.
    pub fn new(market: &Market, participant: ParticipantId, period: Range<Timestamp>) -> Statement {
        let views = market.views();
        Statement {
            participant,
            name: views.participants[participant.0 as usize].name.clone(),
            period,
            tree_size: views.tree_size,
            balance: views.balance(Account::Participant(participant)),
        }
    }

    /// Returns how many leaves the store must have.
    pub fn tree_size(&self) -> u64 {
        self.tree_size
    }

    /// Returns the statement's parts, in their order. That reads all leaves about the participant from the
    /// period's first moment on, and so takes its time.
    ///
    /// # Errors
    /// [`Refused::Unreadable`] if the store cannot be read.
    pub fn parts(&self, market: &Market) -> Result<Vec<v1::StatementPart>, Refused> {
        let (store, number) = (market.store()?, self.participant.0);
        let first = first_since(store, self.tree_size, self.period.start)?;
        let mut rows = Rows::new(number, self.period.start);
        let (mut opening, mut closing) = (self.balance.0, self.balance.0);
        for found in found_about(store, &About::Participant(number), first) {
            let (leaf_index, bytes) = found?;
            if leaf_index >= self.tree_size {
                break;
            }
            let v1::Leaf { at_micros, fact } = decode(leaf_index, &bytes)?;
            let Some(fact) = fact else { continue };
            let posted = match &fact {
                Fact::Posted(posting) => change(posting, number),
                _ => 0,
            };
            opening -= posted;
            if at_micros < self.period.end.0 {
                let earlier = |subject| stated_before(store, number, subject, first);
                rows.take((leaf_index, at_micros), &fact, earlier)?;
            } else {
                closing -= posted;
            }
        }
        let Finished { slots, payments, paid } = rows.finish(|slot| *market.views().tariff(slot));
        let sums = slots.values().fold(Figures::default(), |sums, figures| sums.plus(figures));
        let totals = self.totals([opening, closing, paid], &sums)?;
        let mut kinds = Vec::with_capacity(slots.len() + payments.len() + 1);
        for (slot, figures) in slots {
            kinds.push(Kind::Slot(v1::SlotStatement { slot, figures: Some(figures.message()?) }));
        }
        kinds.extend(payments.into_iter().map(Kind::Payment));
        kinds.push(Kind::Totals(totals));
        Ok(kinds.into_iter().map(|kind| v1::StatementPart { kind: Some(kind) }).collect())
    }

    fn totals(
        &self,
        [opening, closing, payments]: [i128; 3],
        sums: &Figures,
    ) -> Result<v1::StatementTotals, Refused> {
        Ok(v1::StatementTotals {
            participant: self.participant.0,
            name: self.name.clone(),
            from_micros: self.period.start.0,
            until_micros: self.period.end.0,
            tree_size: self.tree_size,
            opening_balance_yuan: decimal(Worth(opening))?,
            closing_balance_yuan: decimal(Worth(closing))?,
            payments_yuan: decimal(Worth(payments))?,
            figures: Some(sums.message()?),
        })
    }
}

/// Returns the first of `size` leaves that was recorded at `at` or later: leaves' times never fall.
fn first_since(store: &Store, size: u64, at: Timestamp) -> Result<u64, Refused> {
    let (mut low, mut high) = (0, size);
    while low < high {
        let middle = low + (high - low) / 2;
        if read(store, middle)?.at_micros < at.0 {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// Returns what was stated last of a subject before leaf `first`.
fn stated_before(
    store: &Store,
    participant: u32,
    subject: Subject,
    first: u64,
) -> Result<Option<Fact>, Refused> {
    let place = match subject {
        Subject::Delivery { trade } => index::place(&About::Trade(trade)),
        Subject::Metered { slot } => index::metered(participant, slot),
    };
    for row in store.scan_index(place.index, place.page()).rev() {
        let (key, _) = row?;
        let leaf_index = index::leaf_of(&key).filter(|leaf_index| place.has(&key) && *leaf_index < first);
        let Some(leaf_index) = leaf_index else { continue };
        let fact = read(store, leaf_index)?.fact;
        if let Some(Fact::TradeDelivered(_) | Fact::Metered(_)) = fact {
            return Ok(fact);
        }
    }
    Ok(None)
}

fn read(store: &Store, leaf_index: u64) -> Result<v1::Leaf, Refused> {
    let bytes = store.leaf(leaf_index)?;
    let bytes = bytes.ok_or_else(|| Refused::Unreadable(format!("leaf {leaf_index} is missing")))?;
    decode(leaf_index, &bytes)
}

fn decode(leaf_index: u64, bytes: &[u8]) -> Result<v1::Leaf, Refused> {
    v1::Leaf::decode(bytes).map_err(|problem| Refused::Unreadable(format!("leaf {leaf_index}: {problem}")))
}
