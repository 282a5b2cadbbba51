//! What holders, and the operator, ask of certificates.

use parkwatt_engine::*;
use proptest::prelude::*;

use super::steps::{FIRST, PEOPLE, SLOTS};

/// What somebody asks of the certificates of a slot.
#[derive(Clone, Debug)]
pub struct Asked {
    pub who: u8,
    slot: u32,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Retire { energy: u64, slots_later: u32, class: CertificateClass },
    Transfer { to: u8, energy: u64 },
    Bundle,
    Withdraw { producer: u8, issue: u16 },
}

impl Asked {
    pub fn command(&self) -> Command {
        let slot = Slot(FIRST.0 + self.slot);
        match self.what {
            What::Retire { energy, slots_later, class } => Command::RetireCertificates(Retirement {
                slot,
                energy: Energy(energy),
                consumption_slot: Slot(slot.0 + slots_later),
                beneficiary: "works".to_owned(),
                purpose: "export".to_owned(),
                class,
            }),
            What::Transfer { to, energy } => {
                let (energy, to) = (Energy(energy), format!("p{to}"));
                Command::TransferCertificates(Transfer { slot, energy, to })
            }
            What::Bundle => Command::BundleCertificates(Bundling { until: slot }),
            What::Withdraw { producer, issue } => {
                let certificate = CertificateId { slot, producer: ParticipantId(producer.into()), issue };
                let reason = "the meter was wrong".to_owned();
                Command::WithdrawCertificate(CertificateWithdrawal { certificate, reason })
            }
        }
    }
}

/// Returns what is asked, where a unit of metered energy is so many Wh.
pub fn asked(scale: u64) -> impl Strategy<Value = Asked> {
    let energy = move || (0..12_u64).prop_map(move |energy| energy * scale);
    let class = prop_oneof![2 => Just(CertificateClass::Exported), 1 => Just(CertificateClass::SelfConsumed)];
    let slots_later = prop_oneof![9 => Just(0), 1 => Just(1_u32)];
    let what = prop_oneof![
        5 => (energy(), slots_later, class)
            .prop_map(|(energy, slots_later, class)| What::Retire { energy, slots_later, class }),
        3 => (0..=PEOPLE, energy()).prop_map(|(to, energy)| What::Transfer { to, energy }),
        3 => Just(What::Bundle),
    ];
    let by_holders = (0..PEOPLE, 0..SLOTS, what).prop_map(|(who, slot, what)| Asked { who, slot, what });
    // Mostly by the founder, who may.
    let operator = prop_oneof![9 => Just(PEOPLE), 1 => 0..PEOPLE];
    let withdrawal = (0..PEOPLE, prop_oneof![9 => 1..4_u16, 1 => Just(0)])
        .prop_map(|(producer, issue)| What::Withdraw { producer, issue });
    let by_operator =
        (operator, 0..SLOTS, withdrawal).prop_map(|(who, slot, what)| Asked { who, slot, what });
    prop_oneof![2 => by_holders, 1 => by_operator]
}
