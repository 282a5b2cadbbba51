//! Withdrawing: certificates that a correction contradicts, and all that depends on them.
//!
//! Knows what readings now say, as it is told; does not know what they said before. Keeps: a withdrawn
//! certificate has no parts, and its number is never used again; what it had in common with others is undone.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Certifiable, CertificatePart, Certificates};
use crate::{
    CertificateClass, CertificateId, CertificateUse, CertificateWithdrawal, Energy, Event, GecId, Outcome,
    ParticipantId, Rejection, Slot,
};

/// Why the market itself withdraws.
const FINAL_SETTLEMENT: &str = "final settlement";

impl Certificates {
    /// Withdraws a certificate that current readings contradict, and issues what they say, or refuses and
    /// changes nothing.
    ///
    /// `certifiable` is what they say of the producer's slot; nothing where its settlement is final, after which
    /// nothing is contradicted any more. `import_of` says what was drawn in the slot.
    pub(crate) fn withdraw(
        &mut self,
        withdrawal: &CertificateWithdrawal,
        certifiable: Option<&Certifiable>,
        import_of: impl Fn(ParticipantId) -> Energy,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let id = withdrawal.certificate;
        if self.certificate(id).is_none_or(|certificate| certificate.is_withdrawn) {
            return Err(Rejection::CertificateMustExist);
        }
        let certifiable = certifiable.ok_or(Rejection::CorrectionMustContradictTheCertificate)?;
        if !self.is_contradicted(id, certifiable, import_of) {
            return Err(Rejection::CorrectionMustContradictTheCertificate);
        }

        // Every check is above; from here the withdrawal is accepted.
        self.void(id, withdrawal.reason.clone(), events);
        self.certify(id.slot, id.producer, certifiable, events);
        Ok(Outcome::CertificateWithdrawn)
    }

    /// Withdraws every certificate of a producer's slot that is contradicted when its turn comes, the last ones
    /// first, so that as few as possible have to go.
    pub(super) fn withdraw_contradicted(
        &mut self,
        slot: Slot,
        producer: ParticipantId,
        certifiable: &Certifiable,
        import_of: impl Fn(ParticipantId) -> Energy,
        events: &mut Vec<Event>,
    ) {
        let valid: Vec<CertificateId> = self.valid(slot, producer).map(|(id, _)| id).collect();
        for id in valid.into_iter().rev() {
            if self.is_contradicted(id, certifiable, &import_of) {
                self.void(id, String::from(FINAL_SETTLEMENT), events);
            }
        }
    }

    /// Returns whether current readings contradict a certificate: what it certifies, a slice of it, or a claim.
    fn is_contradicted(
        &self,
        id: CertificateId,
        certifiable: &Certifiable,
        import_of: impl Fn(ParticipantId) -> Energy,
    ) -> bool {
        let certificate = self.certificate(id).expect("it was issued");
        let certified = self.certified(id.slot, id.producer, certificate.class);
        if certificate.class == CertificateClass::SelfConsumed {
            return certified > certifiable.self_consumed;
        }
        let bought = self.bought(id.slot, id.producer, certifiable);
        let got_too_much = |buyer: ParticipantId| {
            let place = bought.binary_search_by_key(&buyer, |it| it.buyer);
            let bought = bought[place.expect("a slice goes to a buyer")];
            bought.sliced > bought.delivered
        };
        let claimed_too_much = |part: &CertificatePart| {
            matches!(part.state, CertificateUse::Retired(_))
                && self.claimed(part.holder, id.slot) > import_of(part.holder)
        };
        certified > certifiable.export
            || certificate.slices.iter().any(|slice| got_too_much(slice.buyer))
            || certificate.used.iter().any(claimed_too_much)
    }

    /// Makes a certificate void, with everything that depends on it: all its parts first, then the national
    /// certificates that one of them is in.
    fn void(&mut self, id: CertificateId, reason: String, events: &mut Vec<Event>) {
        let parts = self.parts(id);
        let (energy, class) = {
            let certificate = self.certificate_mut(id);
            certificate.is_withdrawn = true;
            (certificate.energy, certificate.class)
        };
        events.push(Event::CertificateWithdrawn { certificate: id, energy, reason });
        let mut gecs = Vec::new();
        for CertificatePart { holder, state, energy } in parts {
            match state {
                CertificateUse::Held => self.let_go(holder, id, energy),
                CertificateUse::Retired(_) if class == CertificateClass::Exported => {
                    self.unclaim(holder, id.slot, energy);
                }
                CertificateUse::Bundled(gec) => gecs.push(gec),
                CertificateUse::Retired(_) | CertificateUse::Expired => {}
            }
            events.push(Event::CertificateVoided { certificate: id, holder, energy, was: state });
        }
        let certificate = self.certificate_mut(id);
        (certificate.used, certificate.slices) = (Vec::new(), Vec::new());
        gecs.sort_unstable();
        for gec in gecs {
            self.void_gec(gec, id, events);
        }
    }

    /// Makes a claim free again.
    fn unclaim(&mut self, holder: ParticipantId, slot: Slot, energy: Energy) {
        let claimed = self.claimed.get_mut(&(holder, slot)).expect("it was claimed");
        *claimed = claimed.minus(energy);
        if claimed.is_zero() {
            self.claimed.remove(&(holder, slot));
        }
    }

    /// Makes a national certificate void, whose parts other than that of `withdrawn` are held again.
    ///
    /// What of them has expired meanwhile is due at once.
    fn void_gec(&mut self, gec: GecId, withdrawn: CertificateId, events: &mut Vec<Event>) {
        let voided = self.gecs.remove(&gec).expect("it has a part");
        let holder = voided.holder;
        self.gecs_by_holder.remove(&(holder, gec));
        events.push(Event::GecVoided { gec, holder });
        for (certificate, energy) in voided.parts.into_iter().filter(|(id, _)| *id != withdrawn) {
            self.unmark(certificate, holder, CertificateUse::Bundled(gec));
            self.hold(holder, certificate, energy);
            events.push(Event::CertificateReleased { certificate, holder, energy, gec });
        }
    }
}
