//! The summary: an audit as people read it.
//!
//! Knows words and columns; decides nothing.

use std::fmt;

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, presets};
use indicatif::HumanCount;
use parkwatt_engine::Worth;

use super::{Audit, Check, Figures, KeySource, Replayed, Reported, Verdict, totals::Decimal};

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Intact => "intact",
            Verdict::Differing => "differing",
            Verdict::Unwitnessed => "unwitnessed",
            Verdict::Forked => "forked",
            Verdict::Unreadable => "unreadable",
            Verdict::Diverged => "diverged",
            Verdict::Tampered => "tampered",
        })
    }
}

/// The verdict and what was found come last, so that a terminal shows them.
impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        row(f, "ledger", &self.folder.display())?;
        if let Some(source) = self.key_source {
            row(f, "key", &self.key)?;
            row(f, "", &key_source_text(source))?;
        }
        if self.figures.leaves > 0 {
            write_figures(f, &self.figures)?;
        }
        if let Some(seen) = &self.seen {
            row(f, "witnesses", seen)?;
        }
        if let Some(replayed) = &self.replayed {
            write_replayed(f, replayed)?;
        }
        for note in &self.notes {
            row(f, "note", note)?;
        }
        if let Some(reported) = &self.reported {
            write_reported(f, reported)?;
        }
        write!(f, "{}", Conclusion(self))
    }
}

/// What was found, and the verdict.
pub struct Conclusion<'a>(pub &'a Audit);

impl fmt::Display for Conclusion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.0.findings {
            row(f, "found", finding)?;
        }
        row(f, "verdict", &format_args!("{}: {}", self.0.verdict, meaning(self.0)))
    }
}

fn meaning(audit: &Audit) -> &'static str {
    match (audit.verdict, &audit.replayed) {
        (Verdict::Intact, Some(_)) => "everything here follows from signed commands",
        (Verdict::Intact, None) => "everything here is as it was signed",
        (Verdict::Differing, _) => "everything here follows from signed commands, but not all sums agree",
        (Verdict::Unwitnessed, _) => "everything that was checked holds, but too few witnesses have seen it",
        (Verdict::Forked, _) => {
            "the node has signed what contradicts, or takes back, what it had signed before"
        }
        (Verdict::Unreadable, _) => "it cannot be said whether this is as it was signed",
        (Verdict::Diverged, _) => "the node has signed what does not follow from its commands",
        (Verdict::Tampered, _) => "something here is not as it was signed",
    }
}

fn write_figures(f: &mut fmt::Formatter<'_>, figures: &Figures) -> fmt::Result {
    let (leaves, commands) = (HumanCount(figures.leaves), HumanCount(figures.commands));
    let (groups, segments) = (HumanCount(figures.groups), figures.segments);
    row(f, "leaves", &format_args!("{leaves}, of them {commands} commands"))?;
    row(f, "groups", &format_args!("{groups}, segments: {segments}"))?;
    let (of_commands, all) = (figures.commands_signed, figures.signatures);
    let of_checkpoints = HumanCount(all - of_commands);
    let of_commands = HumanCount(of_commands);
    row(
        f,
        "signatures",
        &format_args!("{} hold: {of_commands} of commands, {of_checkpoints} of checkpoints", HumanCount(all)),
    )?;
    if !figures.tree_root.is_empty() {
        row(f, "tree root", &figures.tree_root)?;
    }
    let seconds = format_args!("{}.{:03}", figures.elapsed_us / 1_000_000, figures.elapsed_us / 1000 % 1000)
        .to_string();
    let rate = HumanCount(figures.commands_per_s);
    match figures.bare_signatures_per_s {
        None => row(f, "speed", &format_args!("{seconds} s")),
        Some(bare) => row(
            f,
            "speed",
            &format_args!(
                "{rate} commands/s in {seconds} s; signatures alone would be {}/s",
                HumanCount(bare)
            ),
        ),
    }
}

fn write_replayed(f: &mut fmt::Formatter<'_>, replayed: &Replayed) -> fmt::Result {
    let Replayed { market, currency, state_hash, totals } = replayed;
    row(f, "market", &format_args!("{market}, {} participants", HumanCount(totals.participants)))?;
    row(f, "state hash", state_hash)?;
    row(
        f,
        "energy",
        &format_args!(
            "{} traded in {} trades, {} delivered",
            Kwh(totals.traded_wh),
            HumanCount(totals.trades),
            Kwh(totals.delivered_wh)
        ),
    )?;
    row(
        f,
        "money",
        &format_args!(
            "{} {currency} settled, {} deposited and {} paid out in {} postings; all accounts together: {}",
            money(totals.settled),
            money(totals.deposited),
            money(totals.paid_out),
            HumanCount(totals.postings),
            money(totals.accounts_sum)
        ),
    )?;
    row(
        f,
        "congestion",
        &format_args!("{} {currency} paid for room on full edges", money(totals.congestion)),
    )?;
    row(
        f,
        "certificates",
        &format_args!(
            "{} of {} issued: {} held, {} retired, {} in {} national ones, {} expired, {} void",
            HumanCount(totals.certificates),
            Kwh(totals.issued_wh),
            Kwh(totals.held_wh),
            Kwh(totals.retired_wh),
            Kwh(totals.bundled_wh),
            HumanCount(totals.gecs),
            Kwh(totals.expired_wh),
            Kwh(totals.voided_wh)
        ),
    )
}

/// Returns where a key comes from, and what that means.
pub(super) fn key_source_text(source: KeySource) -> &'static str {
    match source {
        KeySource::Given => "as given",
        KeySource::BesideTheJournal => {
            "taken from the file 'vkey' beside the journal; check it with --vkey if you know it"
        }
        KeySource::FromTheNode => {
            "as the node itself says, whose operator could choose it: ask for it by another way, and give it with --vkey"
        }
        KeySource::InTheFile => {
            "taken from the file itself, whose writer could choose it; check it with --vkey if you know it"
        }
    }
}

/// Writes where the report is, and how what must agree stands.
fn write_reported(f: &mut fmt::Formatter<'_>, reported: &Reported) -> fmt::Result {
    let Reported { folder, document } = reported;
    row(f, "report", &folder.display())?;
    let style = presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none());
    let mut table = Table::new();
    table.load_style(style).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["what must agree", "left side", "right side", "difference", ""]);
    for check in &document.checks {
        let Check { left_is, relation, right_is, unit, left, right, difference, .. } = check;
        let says = format!("{left_is} {relation} {right_is}");
        let [left, right, difference] = [left, right, difference].map(|it| grouped(&it.to_string()));
        table.add_row([says, left, right, difference, unit.to_string()]);
    }
    for column in table.column_iter_mut().skip(1).take(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    writeln!(f, "\n{table}\n")
}

pub(super) fn row(f: &mut fmt::Formatter<'_>, name: &str, value: &dyn fmt::Display) -> fmt::Result {
    writeln!(f, "{name:<12}  {value}")
}

/// Returns an amount of money with every decimal, and commas between its thousands.
fn money(amount: Worth) -> String {
    grouped(&Decimal(amount).to_string())
}

/// Returns a number as it was, with commas between the thousands before its point.
fn grouped(number: &str) -> String {
    let (whole, decimals) = number.split_at(number.find('.').unwrap_or(number.len()));
    let (sign, digits) = whole.split_at(whole.find(|it: char| it.is_ascii_digit()).unwrap_or(0));
    let mut text = sign.to_owned();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + decimals
}

/// An energy in kWh, to the Wh.
struct Kwh(u128);

impl fmt::Display for Kwh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = u64::try_from(self.0 / 1000).unwrap_or(u64::MAX);
        write!(f, "{}.{:03} kWh", HumanCount(whole), self.0 % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_before_their_point_only() {
        for (plain, text) in [
            ("0", "0"),
            ("999", "999"),
            ("71749976", "71,749,976"),
            ("-123456", "-123,456"),
            ("56687.528576870", "56,687.528576870"),
            ("-0.000000001", "-0.000000001"),
        ] {
            assert_eq!(grouped(plain), text);
        }
        assert_eq!(money(Worth(1_234_000_000_000)), "1,234.000000000");
    }

    #[test]
    fn energy_is_grouped_and_exact_to_the_watt_hour() {
        for (wh, text) in [(0, "0.000 kWh"), (7, "0.007 kWh"), (1_234_567_890, "1,234,567.890 kWh")] {
            assert_eq!(Kwh(wh).to_string(), text);
        }
    }
}
