//! Certificates: what is asked of them, and what is said of them.

use parkwatt::wire::{self, Malformed};
use parkwatt_engine::{
    Bundling, CertificateClass, CertificateId, CertificateUse, CertificateWithdrawal, Command, Energy, Event,
    GecId, LeafIndex, Outcome, ParticipantId, Retirement, RetirementId, Slot, TradeId, Transfer,
};
use parkwatt_proto::v1::{self, certificate_voided::Was, command::Kind, leaf::Fact, outcome};

use super::{parsed, settlement::refused};

const CERTIFICATE: CertificateId = CertificateId { slot: Slot(1), producer: ParticipantId(2), issue: 3 };
const GEC: GecId = GecId { index: LeafIndex(8), position: 9 };

/// What the contract says for `CERTIFICATE`, and for `GEC`.
const NAMED: Option<v1::CertificateId> = Some(v1::CertificateId { slot: 1, producer: 2, issue: 3 });
const GEC_NAMED: Option<v1::GecId> = Some(v1::GecId { index: 8, position: 9 });

fn claim() -> v1::RetireCertificates {
    v1::RetireCertificates {
        slot: 1,
        energy_wh: 2,
        consumption_slot: 3,
        beneficiary: "Mill No. 3".into(),
        purpose: "report".into(),
        class: v1::CertificateClass::SelfConsumed.into(),
    }
}

fn claimed(change: impl FnOnce(&mut v1::RetireCertificates)) -> Result<Command, Malformed> {
    let mut claim = claim();
    change(&mut claim);
    parsed(Kind::RetireCertificates(claim))
}

fn withdrawn(change: impl FnOnce(&mut v1::WithdrawCertificate)) -> Result<Command, Malformed> {
    let mut withdrawal = v1::WithdrawCertificate { certificate: NAMED, reason: "corrected".into() };
    change(&mut withdrawal);
    parsed(Kind::WithdrawCertificate(withdrawal))
}

#[test]
fn a_claim_is_understood_as_it_was_said() {
    let retirement = Retirement {
        slot: Slot(1),
        energy: Energy(2),
        consumption_slot: Slot(3),
        beneficiary: "Mill No. 3".into(),
        purpose: "report".into(),
        class: CertificateClass::SelfConsumed,
    };
    assert_eq!(claimed(|_| {}), Ok(Command::RetireCertificates(retirement.clone())));
    let exported = Retirement { class: CertificateClass::Exported, ..retirement };
    for class in [0, 1] {
        assert_eq!(claimed(|it| it.class = class), Ok(Command::RetireCertificates(exported.clone())));
    }
    let longest = "x".repeat(128);
    let no_purpose = claimed(|it| {
        it.beneficiary.clone_from(&longest);
        it.purpose.clear();
    });
    assert!(no_purpose.is_ok());
    assert!(claimed(|it| it.purpose = longest).is_ok());
    refused(claimed(|it| it.beneficiary.clear()), "beneficiary", "is empty; 1 to 128 bytes");
    refused(claimed(|it| it.beneficiary = "x".repeat(129)), "beneficiary", "has 129 bytes; at most 128");
    refused(claimed(|it| it.purpose = "\u{7eff}".repeat(43)), "purpose", "has 129 bytes; at most 128");
    refused(claimed(|it| it.class = 3), "class", "3 is no class");
}

#[test]
fn a_transfer_a_bundling_and_a_withdrawal_are_understood_as_they_were_said() {
    let said = v1::TransferCertificates { slot: 1, energy_wh: 2, to: "mill".into() };
    let transfer = Transfer { slot: Slot(1), energy: Energy(2), to: "mill".into() };
    assert_eq!(parsed(Kind::TransferCertificates(said)), Ok(Command::TransferCertificates(transfer)));

    let said = v1::BundleCertificates { until_slot: 4 };
    let bundling = Bundling { until: Slot(4) };
    assert_eq!(parsed(Kind::BundleCertificates(said)), Ok(Command::BundleCertificates(bundling)));

    let withdrawal = CertificateWithdrawal { certificate: CERTIFICATE, reason: "corrected".into() };
    assert_eq!(withdrawn(|_| {}), Ok(Command::WithdrawCertificate(withdrawal)));
    refused(withdrawn(|it| it.certificate = None), "certificate", "no certificate is named");
    refused(withdrawn(|it| it.reason.clear()), "reason", "is empty; 1 to 128 bytes");
    refused(withdrawn(|it| it.reason = "x".repeat(129)), "reason", "has 129 bytes");
    let far = v1::CertificateId { slot: 1, producer: 2, issue: 65_536 };
    refused(withdrawn(|it| it.certificate = Some(far)), "certificate.issue", "65536");
}

#[test]
fn what_becomes_of_a_command_is_said_with_its_values() {
    let done = || v1::Done {};
    for (outcome, said) in [
        (Outcome::Retired(RetirementId(LeafIndex(7))), outcome::Kind::Retirement(7)),
        (Outcome::Transferred, outcome::Kind::Transferred(done())),
        (
            Outcome::Bundled { gecs: 2, left: Energy(3) },
            outcome::Kind::Bundled(v1::Bundled { gecs: 2, left_wh: 3 }),
        ),
        (Outcome::CertificateWithdrawn, outcome::Kind::CertificateWithdrawn(done())),
    ] {
        assert_eq!(wire::outcome(&outcome).kind, Some(said));
    }
}

#[test]
fn what_happens_to_certificates_is_said_with_each_of_its_values() {
    let (holder, energy, energy_wh) = (ParticipantId(4), Energy(5), 5);
    let (from, to) = (ParticipantId(4), ParticipantId(6));
    let certificate = CERTIFICATE;
    let class = v1::CertificateClass::SelfConsumed.into();
    let cases = [
        (
            Event::CertificateIssued { certificate, energy, class: CertificateClass::SelfConsumed },
            Fact::CertificateIssued(v1::CertificateIssued {
                certificate: NAMED,
                energy_wh,
                class,
                producer_name: String::new(),
            }),
        ),
        (
            Event::CertificateSliced { certificate, from, to, energy, trade: TradeId(LeafIndex(7)) },
            Fact::CertificateSliced(v1::CertificateSliced {
                certificate: NAMED,
                from: 4,
                to: 6,
                energy_wh,
                trade: 7,
            }),
        ),
        (
            Event::CertificateTransferred { certificate, from, to, energy },
            Fact::CertificateTransferred(v1::CertificateTransferred {
                certificate: NAMED,
                from: 4,
                to: 6,
                energy_wh,
            }),
        ),
        (
            Event::CertificateRetired {
                certificate,
                holder,
                energy,
                consumption_slot: Slot(7),
                beneficiary: "Mill No. 3".into(),
                purpose: "report".into(),
                retirement: RetirementId(LeafIndex(8)),
            },
            Fact::CertificateRetired(v1::CertificateRetired {
                certificate: NAMED,
                holder: 4,
                energy_wh,
                consumption_slot: 7,
                beneficiary: "Mill No. 3".into(),
                purpose: "report".into(),
                retirement: 8,
                holder_name: String::new(),
            }),
        ),
        (Event::GecIssued { gec: GEC, holder }, Fact::GecIssued(v1::GecIssued { gec: GEC_NAMED, holder: 4 })),
        (
            Event::CertificateBundled { certificate, holder, energy, gec: GEC },
            Fact::CertificateBundled(v1::CertificateBundled {
                certificate: NAMED,
                holder: 4,
                energy_wh,
                gec: GEC_NAMED,
            }),
        ),
        (
            Event::CertificateExpired { certificate, holder, energy },
            Fact::CertificateExpired(v1::CertificateExpired { certificate: NAMED, holder: 4, energy_wh }),
        ),
        (
            Event::CertificateWithdrawn { certificate, energy, reason: "corrected".into() },
            Fact::CertificateWithdrawn(v1::CertificateWithdrawn {
                certificate: NAMED,
                energy_wh,
                reason: "corrected".into(),
            }),
        ),
        (Event::GecVoided { gec: GEC, holder }, Fact::GecVoided(v1::GecVoided { gec: GEC_NAMED, holder: 4 })),
        (
            Event::CertificateReleased { certificate, holder, energy, gec: GEC },
            Fact::CertificateReleased(v1::CertificateReleased {
                certificate: NAMED,
                holder: 4,
                energy_wh,
                gec: GEC_NAMED,
            }),
        ),
    ];
    for (event, fact) in cases {
        assert_eq!(wire::event_fact(&event), fact);
    }
    for (was, said) in [
        (CertificateUse::Held, Was::Held(v1::Done {})),
        (CertificateUse::Retired(RetirementId(LeafIndex(7))), Was::Retirement(7)),
        (CertificateUse::Bundled(GEC), Was::Gec(v1::GecId { index: 8, position: 9 })),
        (CertificateUse::Expired, Was::Expired(v1::Done {})),
    ] {
        let event = Event::CertificateVoided { certificate, holder, energy, was };
        let voided = v1::CertificateVoided { certificate: NAMED, holder: 4, energy_wh, was: Some(said) };
        assert_eq!(wire::event_fact(&event), Fact::CertificateVoided(voided));
    }
}
