//! The document: what `report.json` says, and an audit of it.
//!
//! Knows names and values; decides nothing.

use std::path::PathBuf;

use serde::Serialize;

use super::{CertificateTotals, Check, Figures, FileRecord, MoneyTotals, Period, rows};
use crate::audit::KeySource;

/// The form of a report; another one has another name.
pub(super) const FORMAT: &str = "parkwatt-report-1";

/// A report that was written.
#[derive(Debug, Serialize)]
pub struct Reported {
    /// Its folder.
    pub folder: PathBuf,
    /// What its `report.json` says.
    #[serde(flatten)]
    pub document: Document,
}

/// What `report.json` says.
#[derive(Debug, Serialize)]
pub struct Document {
    /// The form of the report.
    pub format: &'static str,
    /// The market's name.
    pub market: String,
    /// The currency's name; columns call it yuan.
    pub currency: String,
    /// The slots that it is about.
    pub period: PeriodRecord,
    /// The ledger that it follows from.
    pub ledger: LedgerRecord,
    /// Participants who were enrolled.
    pub participants: usize,
    /// Slots in which something was traded or metered.
    pub slots: u64,
    /// The sums of all slots' figures.
    pub sums: Figures,
    /// What was posted.
    pub money: MoneyTotals,
    /// How many certificates there are.
    pub certificates: CertificateTotals,
    /// What must agree, and whether it does.
    pub checks: Vec<Check>,
    /// The files beside this one.
    pub files: Vec<FileRecord>,
}

/// The slots that a report is about; nothing where it is open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PeriodRecord {
    /// The first slot.
    pub first_slot: Option<u32>,
    /// When it begins.
    pub begins_at: Option<String>,
    /// The last slot.
    pub last_slot: Option<u32>,
    /// When it ends.
    pub ends_at: Option<String>,
}

/// The ledger that a report follows from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LedgerRecord {
    /// The verifier key, beginning with the log's origin.
    pub vkey: String,
    /// Where the key comes from.
    pub vkey_source: Option<KeySource>,
    /// How many leaves the tree has.
    pub tree_size: u64,
    /// The root of the tree, in base64 as in a checkpoint.
    pub tree_root: String,
    /// The moment of the last leaf.
    pub last_leaf_at: String,
    /// The hash of the market's state behind it, 16 hexadecimal digits.
    pub state_hash: String,
}

impl From<&Period> for PeriodRecord {
    fn from(period: &Period) -> PeriodRecord {
        let moment = |at| rows::Moment(at).to_string();
        PeriodRecord {
            first_slot: period.from.map(|slot| slot.0),
            begins_at: period.from.map(|slot| moment(slot.start())),
            last_slot: period.until.map(|slot| slot.0),
            ends_at: period.until.map(|slot| moment(slot.end())),
        }
    }
}
