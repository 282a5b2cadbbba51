//! Reads: what callers see of a market, from its views and its store. Nothing here enters the sequencer.

mod account;
mod day;
mod ledger;
mod market_data;
mod public;
mod retirement;
mod session;
mod statement;
mod streams;

pub use account::AccountReads;
pub use ledger::LedgerReads;
pub use market_data::MarketDataReads;
pub use streams::{StreamLimits, Streams};

use parkwatt_engine::{Money, Worth};

use crate::{refusal::Refused, wire::Malformed};

/// The most rows of one answer.
const ROWS_MAX: u32 = 1_000;
/// The rows of an answer where the caller does not say.
const ROWS_DEFAULT: u32 = 100;

/// Returns how many rows are asked for.
fn rows(count: u32) -> Result<usize, Refused> {
    match count {
        0 => Ok(ROWS_DEFAULT as usize),
        1..=ROWS_MAX => Ok(count as usize),
        _ => Err(Malformed::new("count", format!("{count} exceeds the maximum of {ROWS_MAX}")).into()),
    }
}

/// Returns an amount as decimal yuan with nine decimals.
fn decimal(worth: Worth) -> Result<String, Refused> {
    let money = Money::from_worth(worth);
    money.map(|money| money.to_string()).map_err(|problem| Refused::Unreadable(problem.to_string()))
}
