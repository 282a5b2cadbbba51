//! Certificates: their steps as they were said, and their states at the end of the ledger.
//!
//! Knows what was issued, claimed and bundled, and how much was drawn; does not know what may be certified:
//! `closing` does.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use parkwatt_engine::{
    CertificateClass, CertificateId, CertificateRecord, CertificateUse, Event, GecId, Market, ParticipantId,
    Slot, Timestamp,
};
use serde::Serialize;

use super::{
    expected::open_until,
    figures::{Figure, Figures},
    files::Files,
    laws::{Checks, Law},
    period::Period,
    rows::{self, CertificateRow, Moment, NationalRow},
    slots::Book,
};

/// What a national certificate is of.
const GEC_WH: i128 = 1_000_000;

/// Everything that is remembered of certificates beside the figures of their slots.
#[derive(Default)]
pub(super) struct Certificates {
    /// Those that are claimed without any import.
    self_consumed: BTreeSet<CertificateId>,
    claims: BTreeMap<(Slot, ParticipantId), Claim>,
    nationals: BTreeMap<GecId, National>,
    pub(super) totals: CertificateTotals,
}

/// What somebody claimed of a slot, and drew in it.
#[derive(Clone, Copy, Default)]
struct Claim {
    claimed: i128,
    import: i128,
}

struct National {
    holder: ParticipantId,
    made_at: Timestamp,
    voided_at: Option<Timestamp>,
}

/// How many certificates there are of a report's period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CertificateTotals {
    /// Those that were issued.
    pub certificates: u64,
    /// Those among them that were withdrawn.
    pub certificates_withdrawn: u64,
    /// National certificates that were made.
    pub nationals: u64,
    /// Those among them that are void.
    pub nationals_void: u64,
}

/// What of certificates is in which state, in Wh.
#[derive(Clone, Copy, Default)]
struct States {
    held: u64,
    retired: u64,
    bundled: u64,
    expired: u64,
    withdrawn: u64,
    holders: usize,
}

impl Certificates {
    /// Takes note of what will be asked at the end.
    pub(super) fn observe(&mut self, at: Timestamp, event: &Event, market: &Market) {
        match *event {
            Event::CertificateIssued { certificate, class: CertificateClass::SelfConsumed, .. } => {
                self.self_consumed.insert(certificate);
            }
            Event::CertificateRetired { certificate, holder, energy, .. } => {
                self.claim(certificate, holder, energy.0.into(), market);
            }
            Event::CertificateVoided { certificate, holder, energy, was: CertificateUse::Retired(_) } => {
                self.claim(certificate, holder, -i128::from(energy.0), market);
            }
            Event::GecIssued { gec, holder } => {
                self.nationals.insert(gec, National { holder, made_at: at, voided_at: None });
            }
            Event::GecVoided { gec, .. } => {
                if let Some(national) = self.nationals.get_mut(&gec) {
                    national.voided_at = Some(at);
                }
            }
            _ => {}
        }
    }

    fn claim(&mut self, certificate: CertificateId, holder: ParticipantId, more: i128, market: &Market) {
        if self.self_consumed.contains(&certificate) {
            return;
        }
        let claim = self.claims.entry((certificate.slot, holder)).or_default();
        claim.claimed += more;
        // OK because a slot that a later correction changes is closed later, too.
        claim.import = market.metered_import(certificate.slot, holder).0.into();
    }

    /// Takes note of what was drawn in a slot that is closed.
    pub(super) fn close(&mut self, slot: Slot, book: &Book) {
        let all = (slot, ParticipantId(0))..=(slot, ParticipantId(u32::MAX));
        for ((_, holder), claim) in self.claims.range_mut(all) {
            let metered = book.people.get(holder).and_then(|person| person.metered);
            claim.import = metered.unwrap_or_default().import;
        }
    }

    /// Writes the certificates and the national ones, and compares them with their steps.
    pub(super) fn finish(
        &mut self,
        market: &Market,
        period: &Period,
        figures: &mut BTreeMap<Slot, Figures>,
        checks: &mut Checks,
        files: &mut Files,
    ) -> io::Result<()> {
        let mut held_by: BTreeMap<ParticipantId, i128> = BTreeMap::new();
        for (&slot, figures) in figures.iter_mut().filter(|(slot, _)| period.has(**slot)) {
            let mut sum = States::default();
            for record in market.certificates().of_slot(slot) {
                let states = States::of(&record);
                sum.add(&states);
                for part in record.parts.iter().filter(|part| part.state == CertificateUse::Held) {
                    *held_by.entry(part.holder).or_default() += i128::from(part.energy.0);
                }
                self.totals.certificates += 1;
                self.totals.certificates_withdrawn += u64::from(record.is_withdrawn);
                files.certificates.write(row(market, &record, &states))?;
            }
            figures.add(Figure::Held, sum.held);
            sum.compare(slot, figures, checks);
        }
        for id in market.participants().ids() {
            let held = market.certificates().held_by(id).filter(|(it, _)| period.has(it.slot));
            let held = held.map(|(_, energy)| i128::from(energy.0)).sum();
            let by_certificates = held_by.get(&id).copied().unwrap_or_default();
            checks.note(Law::Held, None, [by_certificates, held], || rows::name(market, id).to_owned());
        }
        for (&(slot, holder), claim) in self.claims.iter().filter(|((slot, _), _)| period.has(*slot)) {
            let of = || rows::name(market, holder).to_owned();
            let place = (Some(slot), open_until(market, slot));
            checks.note_until(Law::Claimed, place, [claim.claimed, claim.import], of);
        }
        self.nationals(market, period, checks, files)
    }

    fn nationals(
        &mut self,
        market: &Market,
        period: &Period,
        checks: &mut Checks,
        files: &mut Files,
    ) -> io::Result<()> {
        for (&gec, national) in self.nationals.iter().filter(|(_, it)| period.has_moment(it.made_at)) {
            let parts = market.certificates().parts_of(gec);
            let energy_wh: u64 = parts.iter().map(|(_, energy)| energy.0).sum();
            let is_void = national.voided_at.is_some();
            self.totals.nationals += 1;
            self.totals.nationals_void += u64::from(is_void);
            let expected = if is_void { 0 } else { GEC_WH };
            checks.note(Law::Nationals, None, [expected, energy_wh.into()], || rows::gec(gec));
            files.nationals.write(NationalRow {
                gec: rows::gec(gec),
                made_at: Moment(national.made_at),
                holder: rows::name(market, national.holder),
                energy_wh,
                parts: parts.len(),
                first_slot: parts.first().map(|(certificate, _)| certificate.slot.0),
                last_slot: parts.last().map(|(certificate, _)| certificate.slot.0),
                voided_at: national.voided_at.map(Moment),
            })?;
        }
        Ok(())
    }
}

impl States {
    fn of(record: &CertificateRecord) -> States {
        let mut states = States::default();
        for part in &record.parts {
            let sum = match part.state {
                CertificateUse::Held => {
                    states.holders += 1;
                    &mut states.held
                }
                CertificateUse::Retired(_) => &mut states.retired,
                CertificateUse::Bundled(_) => &mut states.bundled,
                CertificateUse::Expired => &mut states.expired,
            };
            *sum += part.energy.0;
        }
        if record.is_withdrawn {
            states.withdrawn += record.energy.0;
        }
        states
    }

    fn add(&mut self, other: &States) {
        self.held += other.held;
        self.retired += other.retired;
        self.bundled += other.bundled;
        self.expired += other.expired;
        self.withdrawn += other.withdrawn;
    }

    /// Compares a slot's certificates as they are with what was said of them.
    fn compare(&self, slot: Slot, said: &Figures, checks: &mut Checks) {
        let all = [self.held, self.retired, self.bundled, self.expired, self.withdrawn];
        let issued = said.get(Figure::CertifiedExport) + said.get(Figure::CertifiedOwn);
        for (law, said, is) in [
            (Law::Issued, issued, all.into_iter().map(i128::from).sum()),
            (Law::Retired, said.get(Figure::Retired), self.retired.into()),
            (Law::Bundled, said.get(Figure::Bundled), self.bundled.into()),
            (Law::Expired, said.get(Figure::Expired), self.expired.into()),
            (Law::Voided, said.get(Figure::Voided), self.withdrawn.into()),
        ] {
            checks.note(law, Some(slot), [said, is], String::new);
        }
    }
}

fn row<'a>(market: &'a Market, record: &CertificateRecord, states: &States) -> CertificateRow<'a> {
    let CertificateId { slot, producer, issue } = record.id;
    CertificateRow {
        slot: slot.0,
        slot_begins_at: rows::begin(slot),
        producer: rows::name(market, producer),
        issue,
        class: rows::class(record.class),
        energy_wh: record.energy.0,
        held_wh: states.held,
        retired_wh: states.retired,
        bundled_wh: states.bundled,
        expired_wh: states.expired,
        withdrawn_wh: states.withdrawn,
        holders: states.holders,
    }
}
