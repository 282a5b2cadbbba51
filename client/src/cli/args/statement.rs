//! The statement on the command line: of which period, and how fine.

use clap::Args;

use super::super::period::Month;
use super::super::values;

/// Examples, and how a statement is read.
pub const STATEMENT_HELP: &str = "\
EXAMPLES:
  parkwatt statement
      this month's, a row a day
  parkwatt statement --month 2026-11 --slots
      a row for each quarter hour
  parkwatt statement --month 2026-11 --output csv
      the same for a spreadsheet: a row for each quarter hour, and one for each payment
  parkwatt statement --from 2026-11-05 --until \"2026-11-06 12:00\" --output json

HOW IT IS READ:
  It shows what was recorded in the period, whichever delivery it is about. A correction, or what is
  settled anew, counts as the difference to what was stated before, in the period in which it was
  recorded: so months sum to what holds.
  Amounts are changes of your account: negative is what you pay. The opening balance and all amounts
  sum to the closing balance, to the last digit; a statement that does not add up is not shown.
  From the grid, and to the grid, is what your meter measured less what trades delivered.
  Without the market is what the same import and export would have come to at the retail and feed-in
  tariffs alone.";

/// Of which period, and how fine.
#[derive(Args, Debug)]
pub struct Statement {
    /// The month, in your time zone [default: the current one]
    #[arg(long, value_name = "YYYY-MM", value_parser = Month::parse, conflicts_with_all = ["from", "until"])]
    pub month: Option<Month>,
    /// The period's first moment, instead of a month
    #[arg(long, value_name = "DATE|TIME", value_parser = values::dated_moment)]
    pub from: Option<u64>,
    /// The first moment behind the period [default: now]
    #[arg(long, value_name = "DATE|TIME", value_parser = values::dated_moment, requires = "from")]
    pub until: Option<u64>,
    /// A row for each quarter hour instead of each day
    #[arg(long)]
    pub slots: bool,
}
