//! Steps: everything that was ever done with a certificate, as rows.

use parkwatt_engine::{CertificateId, CertificateUse, Energy, Event, Market, Timestamp};

use super::rows::{self, Moment, StepRow};

/// Returns the row of a certificate's step, with the certificate; nothing for any other event.
pub(super) fn row<'a>(
    (leaf, at): (u64, Timestamp),
    event: &'a Event,
    market: &'a Market,
) -> Option<(CertificateId, StepRow<'a>)> {
    let tag = |id| rows::name(market, id);
    let step = |kind, id: &CertificateId, energy: &Energy| {
        let row = StepRow {
            step: leaf,
            at: Moment(at),
            kind,
            slot: id.slot.0,
            slot_begins_at: rows::begin(id.slot),
            producer: rows::name(market, id.producer),
            issue: id.issue,
            energy_wh: energy.0,
            from: "",
            to: "",
            trade: None,
            retirement: None,
            consumption_slot: None,
            beneficiary: "",
            purpose: "",
            gec: None,
            was: "",
            reason: "",
        };
        (*id, row)
    };
    let (id, row) = match event {
        Event::CertificateIssued { certificate, energy, .. } => {
            let (id, row) = step("issued", certificate, energy);
            (id, StepRow { to: tag(certificate.producer), ..row })
        }
        Event::CertificateSliced { certificate, from, to, energy, trade } => {
            let (id, row) = step("sliced", certificate, energy);
            (id, StepRow { from: tag(*from), to: tag(*to), trade: Some(trade.0.0), ..row })
        }
        Event::CertificateTransferred { certificate, from, to, energy } => {
            let (id, row) = step("transferred", certificate, energy);
            (id, StepRow { from: tag(*from), to: tag(*to), ..row })
        }
        Event::CertificateRetired {
            certificate,
            holder,
            energy,
            consumption_slot,
            beneficiary,
            purpose,
            retirement,
        } => {
            let (id, row) = step("retired", certificate, energy);
            let (retirement, consumption_slot) = (Some(retirement.0.0), Some(consumption_slot.0));
            (id, StepRow { from: tag(*holder), retirement, consumption_slot, beneficiary, purpose, ..row })
        }
        Event::CertificateBundled { certificate, holder, energy, gec } => {
            let (id, row) = step("bundled", certificate, energy);
            (id, StepRow { from: tag(*holder), gec: Some(rows::gec(*gec)), ..row })
        }
        Event::CertificateExpired { certificate, holder, energy } => {
            let (id, row) = step("expired", certificate, energy);
            (id, StepRow { from: tag(*holder), ..row })
        }
        Event::CertificateWithdrawn { certificate, energy, reason } => {
            let (id, row) = step("withdrawn", certificate, energy);
            (id, StepRow { reason, ..row })
        }
        Event::CertificateVoided { certificate, holder, energy, was } => {
            let (id, row) = step("voided", certificate, energy);
            let row = StepRow { from: tag(*holder), ..row };
            let row = match was {
                CertificateUse::Held => StepRow { was: "held", ..row },
                CertificateUse::Retired(number) => {
                    StepRow { was: "retired", retirement: Some(number.0.0), ..row }
                }
                CertificateUse::Bundled(gec) => StepRow { was: "bundled", gec: Some(rows::gec(*gec)), ..row },
                CertificateUse::Expired => StepRow { was: "expired", ..row },
            };
            (id, row)
        }
        Event::CertificateReleased { certificate, holder, energy, gec } => {
            let (id, row) = step("released", certificate, energy);
            (id, StepRow { to: tag(*holder), gec: Some(rows::gec(*gec)), ..row })
        }
        _ => return None,
    };
    Some((id, row))
}
