//! `certificates`: what a participant holds of green certificates, and his claims.

use parkwatt_client::v1::command::Kind;
use parkwatt_client::v1::{CertificateHolding, CertificateId, RetireCertificates, outcome};
use serde_json::json;

use super::args::{Certificates, Options};
use super::desk::{Desk, key_file};
use super::quantity::energy_text;
use super::report::{Failure, Report, left, right, table};
use super::time::{slot_rfc3339, slot_text, zone_text};

/// Shows the caller's certificates.
pub async fn list(count: u32, options: &Options) -> Result<Report, Failure> {
    let key = key_file(options)?;
    let desk = Desk::open(options).await?;
    let holdings = desk.connection.certificates(&desk.session(&key)?, count).await?;
    let holdings: Vec<_> = holdings
        .iter()
        .map(|holding| Some((holding.certificate?, holding)))
        .collect::<Option<_>>()
        .ok_or_else(|| desk.incomplete("a certificate's name"))?;
    Ok(list_report(&holdings, &desk))
}

/// Claims certificates for what was consumed in their slot.
pub async fn act(action: &Certificates, options: &Options) -> Result<Report, Failure> {
    let Certificates::Retire { at, energy, beneficiary } = action;
    let key = key_file(options)?;
    let desk = Desk::open(options).await?;
    let slot = desk.last_slot(*at)?;
    let command = Kind::RetireCertificates(RetireCertificates {
        slot,
        energy_wh: *energy,
        consumption_slot: slot,
        beneficiary: beneficiary.clone(),
    });
    let (outcome::Kind::Retired(_), receipt) = desk.submit(&key, command).await? else {
        return Err(desk.incomplete("the claim"));
    };
    Ok(Report {
        json: json!({ "retired": {
            "slot": slot,
            "generation_start": slot_rfc3339(slot),
            "energy_wh": energy,
            "beneficiary": beneficiary,
            "leaf_index": receipt.leaf_index,
        } }),
        text: format!(
            "{} generated from {} ({}) are claimed for {beneficiary}, for good.",
            energy_text(*energy),
            slot_text(slot, &desk.zone),
            zone_text(&desk.zone)
        ),
        refused: false,
    })
}

fn list_report(holdings: &[(CertificateId, &CertificateHolding)], desk: &Desk) -> Report {
    let columns = [
        left("certificate"),
        left(format!("generated from ({})", zone_text(&desk.zone))),
        right("held"),
        right("claimed"),
    ];
    let row = |(id, holding): &(CertificateId, &CertificateHolding)| {
        vec![
            certificate_id(id),
            slot_text(id.slot, &desk.zone),
            energy_text(holding.held_wh),
            energy_text(holding.retired_wh),
        ]
    };
    let json = |(id, holding): &(CertificateId, &CertificateHolding)| {
        json!({
            "certificate_id": certificate_id(id),
            "slot": id.slot,
            "generation_start": slot_rfc3339(id.slot),
            "producer": id.producer,
            "issue": id.issue,
            "held_wh": holding.held_wh,
            "retired_wh": holding.retired_wh,
        })
    };
    Report {
        json: json!({ "certificates": holdings.iter().map(json).collect::<Vec<_>>() }),
        text: table(&columns, holdings.iter().map(row).collect(), "You hold no certificates."),
        refused: false,
    }
}

/// Returns a certificate's name: slot, producer, issue.
fn certificate_id(id: &CertificateId) -> String {
    format!("{}.{}.{}", id.slot, id.producer, id.issue)
}
