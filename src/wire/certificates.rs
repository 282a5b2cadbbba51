//! Certificates, both ways: what is asked of them, and what is said of them.

use parkwatt_engine as engine;
use parkwatt_proto::v1::{self, certificate_voided::Was, leaf::Fact};

use super::Malformed;

/// The longest beneficiary, purpose or reason, in bytes.
const TEXT_BYTES_MAX: usize = 128;

/// Returns the claim that a command makes.
pub(super) fn retirement(it: v1::RetireCertificates) -> Result<engine::Retirement, Malformed> {
    must_be_text("beneficiary", &it.beneficiary)?;
    must_not_be_long("purpose", &it.purpose)?;
    Ok(engine::Retirement {
        slot: engine::Slot(it.slot),
        energy: engine::Energy(it.energy_wh),
        consumption_slot: engine::Slot(it.consumption_slot),
        beneficiary: it.beneficiary,
        purpose: it.purpose,
        class: match v1::CertificateClass::try_from(it.class) {
            Ok(v1::CertificateClass::Unspecified | v1::CertificateClass::Exported) => {
                engine::CertificateClass::Exported
            }
            Ok(v1::CertificateClass::SelfConsumed) => engine::CertificateClass::SelfConsumed,
            Err(_) => {
                let problem = format!("{} is no class; 1 is exported, 2 self-consumed", it.class);
                return Err(Malformed::new("class", problem));
            }
        },
    })
}

/// Returns the transfer that a command asks for.
pub(super) fn transfer(it: v1::TransferCertificates) -> engine::Transfer {
    engine::Transfer { slot: engine::Slot(it.slot), energy: engine::Energy(it.energy_wh), to: it.to }
}

/// Returns the withdrawal that a command asks for.
pub(super) fn withdrawal(it: v1::WithdrawCertificate) -> Result<engine::CertificateWithdrawal, Malformed> {
    let id = it.certificate.ok_or_else(|| Malformed::new("certificate", "no certificate is named"))?;
    let issue = u16::try_from(id.issue).map_err(|_| {
        Malformed::new("certificate.issue", format!("{} is beyond any meter's issues in a slot", id.issue))
    })?;
    must_be_text("reason", &it.reason)?;
    let (slot, producer) = (engine::Slot(id.slot), engine::ParticipantId(id.producer));
    let certificate = engine::CertificateId { slot, producer, issue };
    Ok(engine::CertificateWithdrawal { certificate, reason: it.reason })
}

fn must_be_text(field: &str, text: &str) -> Result<(), Malformed> {
    if text.is_empty() {
        let problem = format!("is empty; 1 to {TEXT_BYTES_MAX} bytes are needed");
        return Err(Malformed::new(field, problem));
    }
    must_not_be_long(field, text)
}

fn must_not_be_long(field: &str, text: &str) -> Result<(), Malformed> {
    if text.len() <= TEXT_BYTES_MAX {
        return Ok(());
    }
    let problem = format!("has {} bytes; at most {TEXT_BYTES_MAX} are allowed", text.len());
    Err(Malformed::new(field, problem))
}

/// Returns the fact that a leaf records of an event that is about a certificate or a national one; without
/// name tags, which events do not know.
///
/// # Panics
/// If the event is about something else.
pub(super) fn fact(event: &engine::Event) -> Fact {
    match event {
        engine::Event::CertificateIssued { certificate, energy, class: its } => {
            let (certificate, class) = (Some(certificate_id(*certificate)), class(*its).into());
            let producer_name = String::new();
            let energy_wh = energy.0;
            Fact::CertificateIssued(v1::CertificateIssued { certificate, energy_wh, class, producer_name })
        }
        engine::Event::CertificateSliced { certificate, from, to, energy, trade } => {
            Fact::CertificateSliced(v1::CertificateSliced {
                certificate: Some(certificate_id(*certificate)),
                from: from.0,
                to: to.0,
                energy_wh: energy.0,
                trade: trade.0.0,
            })
        }
        engine::Event::CertificateTransferred { certificate, from, to, energy } => {
            Fact::CertificateTransferred(v1::CertificateTransferred {
                certificate: Some(certificate_id(*certificate)),
                from: from.0,
                to: to.0,
                energy_wh: energy.0,
            })
        }
        engine::Event::CertificateRetired {
            certificate,
            holder,
            energy,
            consumption_slot,
            beneficiary,
            purpose,
            retirement,
        } => Fact::CertificateRetired(v1::CertificateRetired {
            certificate: Some(certificate_id(*certificate)),
            holder: holder.0,
            energy_wh: energy.0,
            consumption_slot: consumption_slot.0,
            beneficiary: beneficiary.clone(),
            purpose: purpose.clone(),
            retirement: retirement.0.0,
            holder_name: String::new(),
        }),
        engine::Event::CertificateExpired { certificate, holder, energy } => {
            let (certificate, holder, energy_wh) = (Some(certificate_id(*certificate)), holder.0, energy.0);
            Fact::CertificateExpired(v1::CertificateExpired { certificate, holder, energy_wh })
        }
        engine::Event::CertificateWithdrawn { certificate, energy, reason } => {
            let (certificate, reason) = (Some(certificate_id(*certificate)), reason.clone());
            Fact::CertificateWithdrawn(v1::CertificateWithdrawn { certificate, energy_wh: energy.0, reason })
        }
        engine::Event::CertificateVoided { certificate, holder, energy, was: its } => {
            let (certificate, was) = (Some(certificate_id(*certificate)), Some(was(*its)));
            let (holder, energy_wh) = (holder.0, energy.0);
            Fact::CertificateVoided(v1::CertificateVoided { certificate, holder, energy_wh, was })
        }
        _ => national_fact(event),
    }
}

fn national_fact(event: &engine::Event) -> Fact {
    match *event {
        engine::Event::GecIssued { gec, holder } => {
            Fact::GecIssued(v1::GecIssued { gec: Some(gec_id(gec)), holder: holder.0 })
        }
        engine::Event::CertificateBundled { certificate, holder, energy, gec } => {
            let (certificate, gec) = (Some(certificate_id(certificate)), Some(gec_id(gec)));
            let (holder, energy_wh) = (holder.0, energy.0);
            Fact::CertificateBundled(v1::CertificateBundled { certificate, holder, energy_wh, gec })
        }
        engine::Event::GecVoided { gec, holder } => {
            Fact::GecVoided(v1::GecVoided { gec: Some(gec_id(gec)), holder: holder.0 })
        }
        engine::Event::CertificateReleased { certificate, holder, energy, gec } => {
            let (certificate, gec) = (Some(certificate_id(certificate)), Some(gec_id(gec)));
            let (holder, energy_wh) = (holder.0, energy.0);
            Fact::CertificateReleased(v1::CertificateReleased { certificate, holder, energy_wh, gec })
        }
        _ => unreachable!("{event:?} is about no certificate"),
    }
}

fn was(it: engine::CertificateUse) -> Was {
    match it {
        engine::CertificateUse::Held => Was::Held(v1::Done {}),
        engine::CertificateUse::Retired(retirement) => Was::Retirement(retirement.0.0),
        engine::CertificateUse::Bundled(gec) => Was::Gec(gec_id(gec)),
        engine::CertificateUse::Expired => Was::Expired(v1::Done {}),
    }
}

/// Returns the contract's form of a certificate's name.
pub fn certificate_id(id: engine::CertificateId) -> v1::CertificateId {
    v1::CertificateId { slot: id.slot.0, producer: id.producer.0, issue: u32::from(id.issue) }
}

/// Returns the contract's form of a certificate's class.
pub fn class(it: engine::CertificateClass) -> v1::CertificateClass {
    match it {
        engine::CertificateClass::Exported => v1::CertificateClass::Exported,
        engine::CertificateClass::SelfConsumed => v1::CertificateClass::SelfConsumed,
    }
}

/// Returns the contract's form of a national certificate's name.
pub fn gec_id(id: engine::GecId) -> v1::GecId {
    v1::GecId { index: id.index.0, position: id.position }
}
