//! What scenarios ask and tell of certificates.

use parkwatt_engine::*;

use super::asking::relative_slot;
use super::{FOUNDER, Signing, World};
use crate::twin::machine::Machine;
use crate::words::{self, Words};

impl<M: Machine> World<M> {
    /// Takes `ann 4 kWh`, `in +1` for another slot, `consumed in +1` for consumption there, and
    /// `self-consumed` for what was consumed where it was generated.
    pub(super) fn retire(&mut self, signing: Signing, words: &mut Words) -> String {
        let (holder, energy, slot) = (words.next(), words.energy(), relative_slot(words));
        let consumption_slot = if words.skip("consumed") { relative_slot(words) } else { slot };
        let is_his_own = words.skip("self-consumed");
        let class = if is_his_own { CertificateClass::SelfConsumed } else { CertificateClass::Exported };
        let (beneficiary, purpose) = ("works".to_owned(), String::new());
        let retirement = Retirement { slot, energy, consumption_slot, beneficiary, purpose, class };
        self.ask(signing, holder, Command::RetireCertificates(retirement))
    }

    /// Takes `ann 4 kWh to bob`.
    pub(super) fn transfer(&mut self, signing: Signing, words: &mut Words) -> String {
        let (holder, energy, slot) = (words.next(), words.energy(), relative_slot(words));
        words.must("to");
        let to = words.next().to_owned();
        self.ask(signing, holder, Command::TransferCertificates(Transfer { slot, energy, to }))
    }

    /// Takes `ann`, and `in +1` for all slots up to another one.
    pub(super) fn bundle(&mut self, signing: Signing, words: &mut Words) -> String {
        let (holder, until) = (words.next(), relative_slot(words));
        self.ask(signing, holder, Command::BundleCertificates(Bundling { until }))
    }

    /// Takes `eve/1`: the producer, and the number of the issue.
    pub(super) fn withdraw(&mut self, signing: Signing, words: &mut Words) -> String {
        let (producer, issue) = words.next().split_once('/').expect("a certificate has a number");
        let (producer, issue) = (self.id(producer), issue.parse().expect("a number"));
        let certificate = CertificateId { slot: relative_slot(words), producer, issue };
        let reason = "the meter was wrong".to_owned();
        let withdrawal = CertificateWithdrawal { certificate, reason };
        self.ask(signing, FOUNDER, Command::WithdrawCertificate(withdrawal))
    }

    /// Tells the parts of a slot's certificates: `eve/1: ann 3 kWh, ann 5 kWh retired; eve/2: eve 4 kWh`.
    pub(super) fn certificates(&self, words: &mut Words) -> String {
        let parts = self.market().parts(relative_slot(words));
        let certificates = parts.chunk_by(|one, other| one.0 == other.0);
        let tell = |parts: &[(CertificateId, CertificatePart)]| {
            let told: Vec<String> = parts.iter().map(|(_, part)| self.describe_part(part)).collect();
            format!("{}: {}", self.describe_id(parts[0].0), told.join(", "))
        };
        certificates.map(tell).collect::<Vec<_>>().join("; ")
    }

    /// Returns what a line's answer tells of what happened to a certificate, if anything.
    pub(super) fn describe_step(&self, event: &Event) -> Option<String> {
        let (certificate, energy, become_of_it) = match event {
            Event::CertificateTransferred { certificate, energy, .. }
            | Event::CertificateRetired { certificate, energy, .. }
            | Event::CertificateBundled { certificate, energy, .. } => (certificate, energy, String::new()),
            Event::CertificateExpired { certificate, energy, holder } => {
                (certificate, energy, format!(" of {} expired", self.name(*holder)))
            }
            Event::CertificateReleased { certificate, energy, holder, .. } => {
                (certificate, energy, format!(" of {} held again", self.name(*holder)))
            }
            Event::CertificateWithdrawn { certificate, energy, .. } => {
                let id = self.describe_id(*certificate);
                return Some(format!("{id} of {} void", words::energy(*energy)));
            }
            Event::CertificateVoided { holder, energy, was, .. } => {
                let part = CertificatePart { holder: *holder, state: *was, energy: *energy };
                return Some(format!("{} void", self.describe_part(&part)));
            }
            Event::GecVoided { holder, .. } => return Some(format!("1 MWh of {} void", self.name(*holder))),
            _ => return None,
        };
        Some(format!("{} of {}{become_of_it}", words::energy(*energy), self.describe_id(*certificate)))
    }

    fn describe_part(&self, part: &CertificatePart) -> String {
        let state = match part.state {
            CertificateUse::Held => "",
            CertificateUse::Retired(_) => " retired",
            CertificateUse::Bundled(_) => " bundled",
            CertificateUse::Expired => " expired",
        };
        format!("{} {}{state}", self.name(part.holder), words::energy(part.energy))
    }

    fn describe_id(&self, id: CertificateId) -> String {
        format!("{}/{}", self.name(id.producer), id.issue)
    }
}
