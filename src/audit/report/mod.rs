//! The report: what regulators file, written from a ledger while it is replayed.
//!
//! Knows what followed from each command, and the market as the engine has it; does not know leaves, or
//! whether the ledger is intact: who does publishes the report, or lets it go.
//! Keeps: memory grows with participants, slots and certificates, and with trades that are not final, but not
//! with postings; equal ledgers give equal reports, to the byte.

// What is written,
mod document;
mod figures;
mod files;
mod period;
mod rows;
// what is remembered until then,
mod certificates;
mod meters;
mod money;
mod slots;
mod steps;
// and what must agree.
mod closing;
mod expected;
mod laws;

#[cfg(test)]
mod tests;

use std::{io, path::Path};

use parkwatt_engine::{Event, Market, Slot, Timestamp};

pub use self::{
    certificates::CertificateTotals,
    document::{Document, LedgerRecord, PeriodRecord, Reported},
    figures::{Amount, Figures},
    files::FileRecord,
    laws::{Check, Place, Relation, Unit},
    money::MoneyTotals,
    period::Period,
};
use self::{
    certificates::Certificates, closing::Closing, files::Files, laws::Checks, meters::Meters, money::Money,
    rows::CheckRow, slots::Slots,
};
use super::{Audit, verdict::Finding};
use crate::apply::{Applied, Cause};

/// What is to be reported, and where to.
#[derive(Clone, Copy, Debug)]
pub struct ReportOrder<'a> {
    /// The report's folder: a new one, or one that is empty.
    pub out: &'a Path,
    /// The slots that it is about.
    pub period: Period,
}

/// Who writes a report.
pub(super) struct Reporter {
    files: Files,
    period: Period,
    slots: Slots,
    meters: Meters,
    money: Money,
    certificates: Certificates,
    checks: Checks,
    /// What the report is about, once the ledger has ended.
    closed: Option<Closed>,
    /// Why nothing more can be written.
    problem: Option<io::Error>,
}

/// What of a report is known when the ledger has ended.
struct Closed {
    market: String,
    currency: String,
    participants: usize,
    slots: u64,
    sums: Figures,
    last_leaf_at: String,
    state_hash: String,
}

impl Reporter {
    /// Begins a report about the ledger in `ledger`.
    ///
    /// # Errors
    /// If it cannot be written where it is to be.
    pub(super) fn begin(order: &ReportOrder<'_>, ledger: &Path) -> io::Result<Reporter> {
        Ok(Reporter {
            files: Files::begin(order.out, ledger)?,
            period: order.period,
            slots: Slots::default(),
            meters: Meters::default(),
            money: Money::default(),
            certificates: Certificates::default(),
            checks: Checks::default(),
            closed: None,
            problem: None,
        })
    }

    /// Takes what followed from a command or from time, with the market as it is behind that.
    pub(super) fn observe(&mut self, applied: &Applied, market: &Market) {
        if self.problem.is_none() {
            self.problem = self.take(applied, market).err();
        }
    }

    /// Ends with the ledger.
    pub(super) fn close(&mut self, market: &Market) {
        if self.problem.is_none() {
            self.problem = self.end(market).err();
        }
    }

    /// Gives the report its name, and notes in the audit what it says.
    ///
    /// # Errors
    /// If any of it could not be written.
    pub(super) fn publish(self, audit: &mut Audit) -> io::Result<()> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let closed = self.closed.expect("a ledger that is intact was replayed to its end");
        let checks = self.checks.into_all();
        for check in checks.iter().filter(|check| check.differing > 0) {
            audit.find(Finding::differing(check.to_string()));
        }
        audit.notes.extend(checks.iter().filter_map(Check::what_is_open));
        let ledger = LedgerRecord {
            vkey: audit.key.clone(),
            vkey_source: audit.key_source,
            tree_size: audit.figures.leaves,
            tree_root: audit.figures.tree_root.clone(),
            last_leaf_at: closed.last_leaf_at,
            state_hash: closed.state_hash,
        };
        let (folder, document) = self.files.publish(|files| Document {
            format: document::FORMAT,
            market: closed.market,
            currency: closed.currency,
            period: PeriodRecord::from(&self.period),
            ledger,
            participants: closed.participants,
            slots: closed.slots,
            sums: closed.sums,
            money: self.money.totals,
            certificates: self.certificates.totals,
            checks,
            files,
        })?;
        audit.reported = Some(Reported { folder, document });
        Ok(())
    }

    fn take(&mut self, applied: &Applied, market: &Market) -> io::Result<()> {
        if let Cause::Command { request, outcome } = &applied.cause {
            self.meters.observe(applied.at, (&request.key, &request.command), outcome, market);
        }
        for (leaf, event) in (applied.index + 1..).zip(&applied.events) {
            self.take_event((leaf, applied.at), event, market)?;
        }
        self.close_slots(Some(applied.at), market)
    }

    fn take_event(&mut self, place: (u64, Timestamp), event: &Event, market: &Market) -> io::Result<()> {
        let before = self.slots.observe(place.1, event, &market.config().timeline);
        match (event, before) {
            (Event::Metered { participant, import, export, generation, .. }, Some(before)) => {
                self.meters.measured(*participant, [import.0, export.0, generation.0], &before);
            }
            (Event::Posted(posting), _) => {
                let posted = self.slots.observe_posting(posting);
                let Reporter { money, period, checks, files, .. } = self;
                money.observe(place, (posting, posted), market, period, checks, files)?;
            }
            _ => {}
        }
        self.slots.observe_certificate(event);
        self.certificates.observe(place.1, event, market);
        match steps::row(place, event, market) {
            Some((certificate, row)) if self.period.has(certificate.slot) => self.files.steps.write(row),
            _ => Ok(()),
        }
    }

    /// Closes every slot whose settlement is final at a moment, or all without one.
    fn close_slots(&mut self, at: Option<Timestamp>, market: &Market) -> io::Result<()> {
        while let Some((slot, book)) = self.slots.take_first(at, &market.config().timeline) {
            self.certificates.close(slot, &book);
            if !self.period.has(slot) {
                continue;
            }
            let mut closing = Closing {
                slot,
                phase: market.phase(slot, market.now()),
                book: &book,
                market,
                with_meter: self.meters.at(slot),
                figures: self.slots.figures.entry(slot).or_default(),
                checks: &mut self.checks,
            };
            closing.close(&mut self.files)?;
        }
        Ok(())
    }

    fn end(&mut self, market: &Market) -> io::Result<()> {
        self.close_slots(None, market)?;
        let Reporter { files, period, slots, checks, .. } = self;
        self.certificates.finish(market, period, &mut slots.figures, checks, files)?;
        self.money.check(market, checks);
        self.meters.check(market, checks);
        let (mut sums, mut count) = (Figures::default(), 0);
        for (&slot, figures) in slots.figures.iter().filter(|(slot, _)| period.has(**slot)) {
            sums.add_all(figures);
            count += 1;
            files.slots.write(slot_row(slot, figures, market))?;
        }
        for check in checks.all() {
            write_check(check, files)?;
        }
        self.closed = Some(Closed {
            market: market.config().name.clone(),
            currency: market.config().currency.clone(),
            participants: market.participants().ids().count(),
            slots: count,
            sums,
            last_leaf_at: rows::Moment(market.now()).to_string(),
            state_hash: format!("{:016x}", market.state_hash()),
        });
        Ok(())
    }
}

/// Returns a slot's row: what it is, and its figures.
fn slot_row(slot: Slot, figures: &Figures, market: &Market) -> Vec<String> {
    let tariff_version = market.tariffs().at(slot).config.tariff_version;
    let phase = market.phase(slot, market.now());
    let begins_at = rows::begin(slot).to_string();
    let head = [slot.to_string(), begins_at, phase.to_string(), tariff_version.to_string()];
    head.into_iter().chain(figures.columns().map(|(_, amount)| amount.to_string())).collect()
}

/// Writes how a law stands, and where first it does not hold.
fn write_check(check: &Check, files: &mut Files) -> io::Result<()> {
    let row = |slot: Option<u32>,
               of,
               [left, right, difference]: [Amount; 3],
               [differing, open]: [u64; 2],
               open_until| CheckRow {
        check: check.check,
        slot,
        slot_begins_at: slot.map(|slot| rows::begin(Slot(slot))),
        of,
        unit: check.unit,
        left_is: check.left_is,
        left,
        relation: check.relation,
        right_is: check.right_is,
        right,
        difference,
        differing,
        open,
        open_until,
    };
    let sides = [check.left, check.right, check.difference];
    files.reconciliation.write(row(None, "", sides, [check.differing, check.open], None))?;
    for place in &check.first {
        let sides = [place.left, place.right, place.difference];
        let open_until = place.open_until.as_deref();
        let counts = if open_until.is_some() { [0, 1] } else { [1, 0] };
        files.reconciliation.write(row(place.slot, &place.of, sides, counts, open_until))?;
    }
    Ok(())
}
