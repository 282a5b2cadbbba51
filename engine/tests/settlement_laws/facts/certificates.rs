//! What must be true of certificates, by what the events said of them.

use std::collections::BTreeMap;

use parkwatt_engine::*;

/// What became of every part of every certificate, added up without the engine's code.
#[derive(Default)]
pub struct Certified {
    issued: BTreeMap<CertificateId, u64>,
    withdrawn: BTreeMap<CertificateId, u64>,
    parts: BTreeMap<(CertificateId, ParticipantId, CertificateUse), u64>,
}

impl Certified {
    /// Adds an event; `import` and `export` say what is measured as drawn and fed in by somebody in a slot.
    pub fn take(
        &mut self,
        event: &Event,
        import: impl Fn(Slot, ParticipantId) -> u64,
        export: impl Fn(Slot, ParticipantId) -> u64,
    ) {
        match *event {
            Event::CertificateIssued { certificate, energy, .. } => {
                assert_eq!(self.issued.insert(certificate, energy.0), None, "a certificate was issued twice");
                self.put(certificate, certificate.producer, CertificateUse::Held, energy);
                let CertificateId { slot, producer, .. } = certificate;
                assert!(
                    self.certified(slot, producer) <= export(slot, producer),
                    "certified beyond the export"
                );
            }
            Event::CertificateSliced { certificate, from, to, energy, .. }
            | Event::CertificateTransferred { certificate, from, to, energy } => {
                self.take_from(certificate, from, CertificateUse::Held, energy);
                self.put(certificate, to, CertificateUse::Held, energy);
            }
            Event::CertificateRetired { certificate, holder, energy, retirement, .. } => {
                self.use_up(certificate, holder, energy, CertificateUse::Retired(retirement));
                let slot = certificate.slot;
                assert!(self.claimed(slot, holder) <= import(slot, holder), "claimed beyond the import");
            }
            Event::CertificateBundled { certificate, holder, energy, gec } => {
                self.use_up(certificate, holder, energy, CertificateUse::Bundled(gec));
            }
            Event::CertificateExpired { certificate, holder, energy } => {
                self.use_up(certificate, holder, energy, CertificateUse::Expired);
            }
            Event::CertificateWithdrawn { certificate, energy, .. } => {
                assert_eq!(self.issued.get(&certificate), Some(&energy.0), "what is withdrawn was issued");
                assert_eq!(self.withdrawn.insert(certificate, 0), None, "a certificate was withdrawn twice");
            }
            Event::CertificateVoided { certificate, holder, energy, was } => {
                self.take_from(certificate, holder, was, energy);
                *self.withdrawn.get_mut(&certificate).expect("only what is withdrawn is void") += energy.0;
            }
            Event::CertificateReleased { certificate, holder, energy, gec } => {
                self.take_from(certificate, holder, CertificateUse::Bundled(gec), energy);
                self.put(certificate, holder, CertificateUse::Held, energy);
            }
            _ => {}
        }
    }

    fn use_up(
        &mut self,
        certificate: CertificateId,
        holder: ParticipantId,
        energy: Energy,
        state: CertificateUse,
    ) {
        self.take_from(certificate, holder, CertificateUse::Held, energy);
        self.put(certificate, holder, state, energy);
    }

    fn put(&mut self, id: CertificateId, holder: ParticipantId, state: CertificateUse, energy: Energy) {
        assert!(!energy.is_zero(), "a part is of some energy");
        *self.parts.entry((id, holder, state)).or_default() += energy.0;
    }

    fn take_from(&mut self, id: CertificateId, holder: ParticipantId, state: CertificateUse, energy: Energy) {
        let part = self.parts.get_mut(&(id, holder, state)).expect("who gives a part away has it");
        *part = part.checked_sub(energy.0).expect("nobody gives away more than he has");
        if *part == 0 {
            self.parts.remove(&(id, holder, state));
        }
    }

    /// Returns what is certified of a producer's slot.
    fn certified(&self, slot: Slot, producer: ParticipantId) -> u64 {
        let of_producer = self.issued.iter().filter(|(id, _)| (id.slot, id.producer) == (slot, producer));
        of_producer.filter(|(id, _)| !self.withdrawn.contains_key(id)).map(|(_, energy)| energy).sum()
    }

    fn claimed(&self, slot: Slot, claimer: ParticipantId) -> u64 {
        let own = self.parts.iter().filter(|((id, holder, _), _)| (id.slot, *holder) == (slot, claimer));
        own.filter(|((.., state), _)| matches!(state, CertificateUse::Retired(_)))
            .map(|(_, energy)| energy)
            .sum()
    }

    /// Checks what must hold at all times.
    pub fn check(&self, market: &Market) {
        for (id, issued) in &self.issued {
            let parts = self.parts.iter().filter(|((of, ..), _)| of == id).map(|(_, energy)| energy);
            let void = self.withdrawn.get(id).copied().unwrap_or(0);
            assert_eq!(*issued, parts.sum::<u64>() + void, "a certified Wh was lost or doubled");
            assert!(void == 0 || void == *issued, "what is withdrawn is void as a whole");
        }
        let mut slots: Vec<Slot> = self.issued.keys().map(|id| id.slot).collect();
        slots.dedup();
        let records = slots.into_iter().flat_map(|slot| market.certificates().of_slot(slot));
        let part = |id, part: CertificatePart| ((id, part.holder, part.state), part.energy.0);
        let parts: BTreeMap<_, _> =
            records.flat_map(|record| record.parts.into_iter().map(move |it| part(record.id, it))).collect();
        assert_eq!(parts, self.parts, "a part is not what the events made of it");
    }

    /// Checks what must hold of a slot whose settlement is final.
    pub fn check_final(&self, slot: Slot, who: ParticipantId, import: u64, export: u64) {
        assert_eq!(self.certified(slot, who), export, "what was measured is certified");
        assert!(self.claimed(slot, who) <= import, "claimed beyond the import");
    }
}
