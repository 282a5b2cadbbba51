//! `certificates`: what a participant has of green certificates, and what he does with them.

use parkwatt_client::v1::command::Kind;
use parkwatt_client::v1::{
    self, BundleCertificates, Bundled, CertificateHolding, CertificateId, Claim, GecId, NationalCertificate,
    RetireCertificates, TransferCertificates, outcome,
};
use serde_json::{Value, json};

use super::args::{Certificates, Class, Options};
use super::desk::Desk;
use super::proofs;
use super::quantity::energy_text;
use super::report::{Failure, Report, certificate_id, gec_id, next_command, word};
use super::table::{left, right, table};
use super::time::{When, slot_rfc3339, slot_text, zone_text};
use super::unlock::own_key;

/// What a class is called before its name.
pub const CLASS: &str = "CERTIFICATE_CLASS_";

/// Shows the caller's certificates.
pub async fn list(count: u32, options: &Options) -> Result<Report, Failure> {
    let key = own_key(options)?;
    let desk = Desk::open(options).await?;
    let listed = desk.connection.certificates(&desk.session(&key), count).await?;
    let holdings: Vec<_> = listed
        .holdings
        .iter()
        .map(|holding| Some((holding.certificate?, holding)))
        .collect::<Option<_>>()
        .ok_or_else(|| desk.incomplete("a certificate's name"))?;
    let nationals: Vec<_> = listed
        .nationals
        .iter()
        .map(|national| Some((national.gec?, national)))
        .collect::<Option<_>>()
        .ok_or_else(|| desk.incomplete("a national certificate's name"))?;
    Ok(Report {
        json: json!({
            "certificates": holdings.iter().map(holding_json).collect::<Vec<_>>(),
            "national_certificates": nationals.iter().map(national_json).collect::<Vec<_>>(),
            "claims": listed.claims.iter().map(claim_json).collect::<Vec<_>>(),
        }),
        text: holdings_text(&holdings, &desk)
            + &nationals_text(&nationals, &desk)
            + &claims_text(&listed.claims, &desk, options),
        refused: false,
        csv: None,
    })
}

/// Does something with the caller's certificates.
pub async fn act(action: &Certificates, options: &Options) -> Result<Report, Failure> {
    match action {
        Certificates::Retire { at, energy, beneficiary, purpose, class } => {
            let (beneficiary, purpose) = (beneficiary.clone(), purpose.clone());
            let class = match class {
                Class::Exported => v1::CertificateClass::Exported,
                Class::SelfConsumed => v1::CertificateClass::SelfConsumed,
            };
            let claim = RetireCertificates {
                energy_wh: *energy,
                beneficiary,
                purpose,
                ..RetireCertificates::default()
            };
            retire(*at, RetireCertificates { class: class.into(), ..claim }, options).await
        }
        Certificates::Statement { number, out } => proofs::statement(*number, out.as_deref(), options).await,
        Certificates::Verify { file, vkey } => proofs::verify(file, vkey.as_deref()),
        Certificates::Transfer { to, at, energy } => transfer(to, *at, *energy, options).await,
        Certificates::Bundle { until } => bundle(*until, options).await,
    }
}

/// Claims certificates for what was consumed in their slot.
async fn retire(at: When, claim: RetireCertificates, options: &Options) -> Result<Report, Failure> {
    let key = own_key(options)?;
    let desk = Desk::open(options).await?;
    let slot = desk.last_slot(at)?;
    let claim = RetireCertificates { slot, consumption_slot: slot, ..claim };
    let command = Kind::RetireCertificates(claim.clone());
    let (outcome::Kind::Retirement(number), receipt) = desk.submit(&key, command).await? else {
        return Err(desk.incomplete("the claim's number"));
    };
    Ok(Report {
        json: json!({ "retired": {
            "retirement": number,
            "slot": slot,
            "generation_start": slot_rfc3339(slot),
            "energy_wh": claim.energy_wh,
            "class": word(CLASS, claim.class().as_str_name()),
            "beneficiary": claim.beneficiary,
            "purpose": claim.purpose,
            "leaf_index": receipt.leaf_index,
        } }),
        text: format!(
            "{} are claimed for {}, for good. The claim's number is {number}.\n\nNext: {}",
            generated(claim.energy_wh, slot, &desk),
            claim.beneficiary,
            next_command(&format!("parkwatt certificates statement {number}"), options)
        ),
        refused: false,
        csv: None,
    })
}

/// Passes certificates on.
async fn transfer(to: &str, at: When, energy_wh: u64, options: &Options) -> Result<Report, Failure> {
    let key = own_key(options)?;
    let desk = Desk::open(options).await?;
    let slot = desk.last_slot(at)?;
    let command = Kind::TransferCertificates(TransferCertificates { slot, energy_wh, to: to.to_owned() });
    let (outcome::Kind::Transferred(_), receipt) = desk.submit(&key, command).await? else {
        return Err(desk.incomplete("the transfer"));
    };
    Ok(Report {
        json: json!({ "transferred": {
            "to": to,
            "slot": slot,
            "generation_start": slot_rfc3339(slot),
            "energy_wh": energy_wh,
            "leaf_index": receipt.leaf_index,
        } }),
        text: format!("{} are passed on to {to}.", generated(energy_wh, slot, &desk)),
        refused: false,
        csv: None,
    })
}

/// Bundles certificates into national ones.
async fn bundle(until: Option<When>, options: &Options) -> Result<Report, Failure> {
    let key = own_key(options)?;
    let desk = Desk::open(options).await?;
    let until_slot = desk.last_slot_before(until)?;
    let command = Kind::BundleCertificates(BundleCertificates { until_slot });
    let (outcome::Kind::Bundled(Bundled { gecs, left_wh }), receipt) = desk.submit(&key, command).await?
    else {
        return Err(desk.incomplete("how many national certificates were made"));
    };
    let made = match gecs {
        1 => "1 national certificate of 1 MWh is made".to_owned(),
        _ => format!("{gecs} national certificates of 1 MWh are made"),
    };
    Ok(Report {
        json: json!({ "bundled": {
            "until_slot": until_slot,
            "national_certificates": gecs,
            "left_wh": left_wh,
            "leaf_index": receipt.leaf_index,
        } }),
        text: format!(
            "{made}; {} stay yours.\n\nNext: {}",
            energy_text(left_wh),
            next_command("parkwatt certificates", options)
        ),
        refused: false,
        csv: None,
    })
}

fn generated(energy_wh: u64, slot: u32, desk: &Desk) -> String {
    let (begin, zone) = (slot_text(slot, &desk.zone), zone_text(&desk.zone));
    format!("{} generated from {begin} ({zone})", energy_text(energy_wh))
}

fn holdings_text(holdings: &[(CertificateId, &CertificateHolding)], desk: &Desk) -> String {
    let columns = [
        left("certificate"),
        left(format!("generated from ({})", zone_text(&desk.zone))),
        left("class"),
        right("held"),
        right("claimed"),
        right("bundled"),
        right("expired"),
        right("void"),
    ];
    let row = |(id, holding): &(CertificateId, &CertificateHolding)| {
        let name = [
            certificate_id(id),
            slot_text(id.slot, &desk.zone),
            word(CLASS, holding.class().as_str_name()).replace('_', "-"),
        ];
        let energies =
            [holding.held_wh, holding.retired_wh, holding.bundled_wh, holding.expired_wh, holding.voided_wh];
        name.into_iter().chain(energies.map(energy_text)).collect()
    };
    table(&columns, holdings.iter().map(row).collect(), "You hold no certificates.")
}

fn holding_json((id, holding): &(CertificateId, &CertificateHolding)) -> Value {
    json!({
        "certificate_id": certificate_id(id),
        "slot": id.slot,
        "generation_start": slot_rfc3339(id.slot),
        "producer": id.producer,
        "issue": id.issue,
        "class": word(CLASS, holding.class().as_str_name()),
        "held_wh": holding.held_wh,
        "retired_wh": holding.retired_wh,
        "bundled_wh": holding.bundled_wh,
        "expired_wh": holding.expired_wh,
        "voided_wh": holding.voided_wh,
    })
}

/// Returns the national certificates for people; nothing where there are none.
fn nationals_text(nationals: &[(GecId, &NationalCertificate)], desk: &Desk) -> String {
    if nationals.is_empty() {
        return String::new();
    }
    let columns = [
        left("national certificate of 1 MWh"),
        left(format!("generated from ({})", zone_text(&desk.zone))),
        left("to"),
        right("parts"),
        left("state"),
    ];
    let row = |(id, national): &(GecId, &NationalCertificate)| {
        vec![
            gec_id(*id),
            slot_text(national.first_slot, &desk.zone),
            slot_text(national.last_slot, &desk.zone),
            national.parts.to_string(),
            (if national.voided { "void" } else { "locked" }).to_owned(),
        ]
    };
    "\n".to_owned() + &table(&columns, nationals.iter().map(row).collect(), "")
}

fn national_json((id, national): &(GecId, &NationalCertificate)) -> Value {
    json!({
        "national_certificate_id": gec_id(*id),
        "first_slot": national.first_slot,
        "first_generation_start": slot_rfc3339(national.first_slot),
        "last_slot": national.last_slot,
        "last_generation_start": slot_rfc3339(national.last_slot),
        "parts": national.parts,
        "voided": national.voided,
    })
}

/// Returns the claims for people; nothing where there are none.
fn claims_text(claims: &[Claim], desk: &Desk, options: &Options) -> String {
    let Some(newest) = claims.first() else { return String::new() };
    let columns = [
        left("claim"),
        left(format!("generated from ({})", zone_text(&desk.zone))),
        left("class"),
        right("claimed"),
        right("void"),
        left("for"),
        left("purpose"),
    ];
    let row = |claim: &Claim| {
        vec![
            claim.number.to_string(),
            slot_text(claim.slot, &desk.zone),
            word(CLASS, claim.class().as_str_name()).replace('_', "-"),
            energy_text(claim.energy_wh),
            energy_text(claim.voided_wh),
            claim.beneficiary.clone(),
            claim.purpose.clone(),
        ]
    };
    let table = table(&columns, claims.iter().map(row).collect(), "");
    let next = next_command(&format!("parkwatt certificates statement {}", newest.number), options);
    format!("\n{table}\nNext: {next}\n")
}

fn claim_json(claim: &Claim) -> Value {
    json!({
        "retirement": claim.number,
        "slot": claim.slot,
        "generation_start": slot_rfc3339(claim.slot),
        "class": word(CLASS, claim.class().as_str_name()),
        "energy_wh": claim.energy_wh,
        "voided_wh": claim.voided_wh,
        "beneficiary": claim.beneficiary,
        "purpose": claim.purpose,
    })
}
