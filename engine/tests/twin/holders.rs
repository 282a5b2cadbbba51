//! R14: what readings say of certificates, and what a market's people ask of them.

use parkwatt_engine::*;

use super::Twin;
use super::certificates::{Said, Sale};
use super::meters::Metered;

impl Twin {
    /// Certifies what readings say of a producer's slot.
    pub(super) fn certify(&mut self, slot: Slot, producer: ParticipantId) {
        let readings = self.said_of(slot, producer);
        self.certificates.certify(slot, producer, &readings, &mut self.said);
    }

    /// Concludes what is certified of everybody's slot.
    pub(super) fn conclude_certificates(&mut self, slot: Slot) {
        for id in self.ids() {
            let readings = self.said_of(slot, id);
            let imports: Vec<u64> = self.ids().map(|id| self.import(slot, id)).collect();
            let import_of = |id: ParticipantId| imports[usize::try_from(id.0).unwrap()];
            self.certificates.conclude(slot, id, &readings, import_of, &mut self.said);
        }
    }

    fn said_of(&self, slot: Slot, producer: ParticipantId) -> Said {
        let measured = |id| self.metered(slot, id).filter(Metered::is_measured);
        let (export, generation) =
            measured(producer).map_or((0, 0), |metered| (metered.export.0, metered.generation.0));
        let deliveries = self.deliveries(slot).into_iter().filter(|it| it.trade.seller == producer);
        let sales = deliveries.map(|it| Sale {
            trade: it.trade.id,
            buyer: it.trade.buyer,
            delivered: it.drawn,
            is_measured: measured(it.trade.buyer).is_some(),
        });
        Said { export, self_consumed: generation.saturating_sub(export), sales: sales.collect() }
    }

    fn import(&self, slot: Slot, id: ParticipantId) -> u64 {
        self.metered(slot, id).filter(Metered::is_measured).map_or(0, |metered| metered.import.0)
    }

    /// Returns what readings say of everybody's slots that a correction can still change.
    fn open_readings(&self) -> Vec<((Slot, ParticipantId), Said)> {
        let open = self.settled.iter().filter(|(_, phase)| *phase != Phase::Final);
        open.flat_map(|(slot, _)| self.ids().map(|id| ((*slot, id), self.said_of(*slot, id)))).collect()
    }

    fn has_certificates(&self, slot: Slot) -> bool {
        self.phase(slot) >= Phase::Settled
    }

    pub(super) fn retire(
        &mut self,
        holder: ParticipantId,
        retirement: &Retirement,
    ) -> Result<Outcome, Rejection> {
        let slot = retirement.slot;
        let import = self.has_certificates(slot).then(|| self.import(slot, holder));
        let measured = found_in(self.open_readings());
        self.certificates.retire(self.stamp, holder, retirement, import, measured, &mut self.said)
    }

    pub(super) fn transfer(
        &mut self,
        from: ParticipantId,
        transfer: &Transfer,
    ) -> Result<Outcome, Rejection> {
        let to = self.by_name(&transfer.to).ok_or(Rejection::ParticipantMustExist)?;
        let is_settled = self.has_certificates(transfer.slot);
        let measured = found_in(self.open_readings());
        self.certificates.transfer(from, to, transfer, is_settled, measured, &mut self.said)
    }

    pub(super) fn bundle(&mut self, holder: ParticipantId, bundling: Bundling) -> Result<Outcome, Rejection> {
        let measured = found_in(self.open_readings());
        self.certificates.bundle(self.stamp, holder, bundling, measured, &mut self.said)
    }

    pub(super) fn withdraw(&mut self, withdrawal: &CertificateWithdrawal) -> Result<Outcome, Rejection> {
        let CertificateId { slot, producer, .. } = withdrawal.certificate;
        let can_change = matches!(self.phase(slot), Phase::Settled | Phase::Resettled);
        let readings = can_change.then(|| self.said_of(slot, producer));
        let imports: Vec<u64> = self.ids().map(|id| self.import(slot, id)).collect();
        let import_of = |id: ParticipantId| imports[usize::try_from(id.0).unwrap()];
        self.certificates.withdraw(withdrawal, readings.as_ref(), import_of, &mut self.said)
    }

    pub fn held(&self, holder: ParticipantId, slot: Slot) -> Energy {
        Energy(self.certificates.held(holder, slot))
    }

    /// Returns the parts of all certificates of a slot.
    pub fn parts(&self, slot: Slot) -> Vec<(CertificateId, CertificatePart)> {
        let parts = self.certificates.parts().into_iter().filter(|(id, ..)| id.slot == slot);
        parts
            .map(|(id, holder, state, wh)| (id, CertificatePart { holder, state, energy: Energy(wh) }))
            .collect()
    }
}

fn found_in(readings: Vec<((Slot, ParticipantId), Said)>) -> impl Fn(Slot, ParticipantId) -> Option<Said> {
    move |slot, producer| readings.iter().find(|it| it.0 == (slot, producer)).map(|it| it.1.clone())
}
