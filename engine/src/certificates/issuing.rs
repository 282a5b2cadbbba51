//! Issuing: what readings certify, and what of it goes to the buyers.
//!
//! Knows what was issued and sliced before; does not know meters, or how much was delivered why. Keeps: no
//! more is ever issued than readings say at that moment.

use alloc::vec::Vec;

use super::books::{deal, of_producer, sum};
use super::{Certificate, Certificates, Slice};
use crate::{CertificateClass, CertificateId, Energy, Event, ParticipantId, Slot, TradeId};

/// What current readings say that a producer's slot had; zero where it was not measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measured {
    /// What was fed in.
    pub(crate) export: Energy,
    /// What was generated and not fed in.
    pub(crate) self_consumed: Energy,
}

/// What of a producer's slot can be certified, as current readings are, and to whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Certifiable {
    /// What was measured.
    pub(crate) measured: Measured,
    /// What his trades delivered, in order of their ids.
    pub(crate) shares: Vec<Share>,
}

/// What a trade delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// The trade.
    pub(crate) trade: TradeId,
    /// Who bought.
    pub(crate) buyer: ParticipantId,
    /// How much was delivered.
    pub(crate) delivered: Energy,
    /// Whether the buyer's import was measured.
    pub(crate) is_measured: bool,
}

/// What a buyer bought of a producer's slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bought {
    pub(super) buyer: ParticipantId,
    /// What was delivered to him.
    pub(super) delivered: Energy,
    /// What he got of the certificates.
    pub(super) sliced: Energy,
    is_measured: bool,
}

impl Measured {
    /// Returns what certificates of a class can be issued for.
    pub(super) fn of(self, class: CertificateClass) -> Energy {
        match class {
            CertificateClass::Exported => self.export,
            CertificateClass::SelfConsumed => self.self_consumed,
        }
    }
}

impl Certificates {
    /// Issues for a producer's slot what can be issued more, as readings now are, and gives each buyer his
    /// slice.
    ///
    /// What was delivered to buyers whose import was not measured is not issued yet.
    pub(crate) fn certify(
        &mut self,
        slot: Slot,
        producer: ParticipantId,
        certifiable: &Certifiable,
        events: &mut Vec<Event>,
    ) {
        let bought = self.bought(slot, producer, certifiable);
        let unmeasured = bought.iter().filter(|it| !it.is_measured);
        let waiting = unmeasured.fold(Energy::ZERO, |sum, it| sum.plus(it.missing()));
        let export = certifiable.measured.export.saturating_minus(waiting);
        self.certify_up_to(slot, producer, export, certifiable, events);
    }

    /// Concludes a producer's slot, whose settlement is final: withdraws what is still contradicted, and issues
    /// all that readings say, what only waited for buyers' readings to the producer.
    ///
    /// `import_of` says what was drawn in the slot; nothing where there is no reading.
    pub(crate) fn conclude(
        &mut self,
        slot: Slot,
        producer: ParticipantId,
        certifiable: &Certifiable,
        import_of: impl Fn(ParticipantId) -> Energy,
        events: &mut Vec<Event>,
    ) {
        let moved = self.withdraw_contradicted(slot, producer, certifiable, import_of, events);
        self.certify_up_to(slot, producer, certifiable.measured.export, certifiable, events);
        self.move_again(slot, producer, &moved, events);
        for certificate in self.issued.get_mut(&(slot, producer)).into_iter().flatten() {
            certificate.slices = Vec::new();
        }
    }

    /// Issues what is missing of `export` and of what was consumed there, and gives each buyer his slice.
    fn certify_up_to(
        &mut self,
        slot: Slot,
        producer: ParticipantId,
        export: Energy,
        certifiable: &Certifiable,
        events: &mut Vec<Event>,
    ) {
        let classes = [
            (CertificateClass::Exported, export),
            (CertificateClass::SelfConsumed, certifiable.measured.self_consumed),
        ];
        for (class, energy) in classes {
            let more = energy.saturating_minus(self.certified(slot, producer, class));
            self.issue(slot, producer, class, more, events);
        }
        self.slice(slot, producer, certifiable, events);
    }

    /// Returns how much is certified of a producer's slot, without what was withdrawn.
    pub(super) fn certified(&self, slot: Slot, producer: ParticipantId, class: CertificateClass) -> Energy {
        let fitting = self.valid(slot, producer).filter(|(_, certificate)| certificate.class == class);
        fitting.fold(Energy::ZERO, |sum, (_, certificate)| sum.plus(certificate.energy))
    }

    /// Issues a certificate to its producer; none for no energy, nor when the numbers are used up.
    fn issue(
        &mut self,
        slot: Slot,
        producer: ParticipantId,
        class: CertificateClass,
        energy: Energy,
        events: &mut Vec<Event>,
    ) {
        let before = self.issued.get(&(slot, producer)).map_or(0, Vec::len);
        let Ok(issue) = u16::try_from(before + 1) else { return };
        if energy.is_zero() {
            return;
        }
        self.issued.entry((slot, producer)).or_default().push(Certificate {
            energy,
            class,
            is_withdrawn: false,
            holders: Vec::new(),
            used: Vec::new(),
            slices: Vec::new(),
        });
        let certificate = CertificateId { slot, producer, issue };
        self.hold(producer, certificate, energy);
        events.push(Event::CertificateIssued { certificate, energy, class });
    }

    /// Gives the buyers what they miss, trade by trade, as far as the producer still holds it.
    fn slice(
        &mut self,
        slot: Slot,
        producer: ParticipantId,
        certifiable: &Certifiable,
        events: &mut Vec<Event>,
    ) {
        let missing = self.missing(slot, producer, certifiable);
        let own = self.held_of(producer, CertificateClass::Exported, of_producer(slot, producer));
        let taken = self.take(producer, &own, sum(&missing));
        for (certificate, share, energy) in deal(&taken, &missing) {
            self.give(certificate, share, energy, events);
        }
    }

    /// Gives the buyer of a trade a slice of a certificate that its producer does not hold any more.
    fn give(&mut self, certificate: CertificateId, share: &Share, energy: Energy, events: &mut Vec<Event>) {
        let (from, to, trade) = (certificate.producer, share.buyer, share.trade);
        self.hold(to, certificate, energy);
        self.certificate_mut(certificate).slices.push(Slice { trade, buyer: to, energy });
        events.push(Event::CertificateSliced { certificate, from, to, energy, trade });
    }

    /// Returns what buyers whose import was measured miss of a producer's slot, trade by trade.
    fn missing<'a>(
        &self,
        slot: Slot,
        producer: ParticipantId,
        certifiable: &'a Certifiable,
    ) -> Vec<(&'a Share, Energy)> {
        let mut bought = self.bought(slot, producer, certifiable);
        let sliced = self.slices_by(slot, producer, |slice| slice.trade);
        let measured = certifiable.shares.iter().filter(|share| share.is_measured);
        let missing = measured.map(|share| {
            let place = bought.binary_search_by_key(&share.buyer, |it| it.buyer);
            let buyer = &mut bought[place.expect("whose share it is has bought")];
            let of_trade = share.delivered.saturating_minus(sum_of(&sliced, share.trade));
            // OK because what a buyer misses is at most what his trades miss together: what one of them got too
            // much, as their proportions were others, the others lack.
            let energy = buyer.missing().min(of_trade);
            buyer.sliced = buyer.sliced.plus(energy);
            (share, energy)
        });
        missing.collect()
    }

    /// Returns what everybody bought of a producer's slot, in order of the buyers.
    pub(super) fn bought(
        &self,
        slot: Slot,
        producer: ParticipantId,
        certifiable: &Certifiable,
    ) -> Vec<Bought> {
        let shares = certifiable.shares.iter().map(|share| {
            let Share { buyer, delivered, is_measured, .. } = *share;
            Bought { buyer, delivered, sliced: Energy::ZERO, is_measured }
        });
        let mut bought: Vec<Bought> = shares.collect();
        bought.sort_by_key(|it| it.buyer);
        bought.dedup_by(|next, sum| {
            let is_his = next.buyer == sum.buyer;
            if is_his {
                sum.delivered = sum.delivered.plus(next.delivered);
            }
            is_his
        });
        let sliced = self.slices_by(slot, producer, |slice| slice.buyer);
        for it in &mut bought {
            it.sliced = sum_of(&sliced, it.buyer);
        }
        bought
    }

    /// Returns what went to buyers of the valid certificates of a producer's slot, by something.
    fn slices_by<K: Ord>(
        &self,
        slot: Slot,
        producer: ParticipantId,
        key: impl Fn(&Slice) -> K,
    ) -> Vec<(K, Energy)> {
        let all = self.valid(slot, producer).flat_map(|(_, certificate)| &certificate.slices);
        let mut sliced: Vec<(K, Energy)> = all.map(|slice| (key(slice), slice.energy)).collect();
        sliced.sort_by(|a, b| a.0.cmp(&b.0));
        sliced
    }
}

impl Bought {
    /// Returns what was delivered to him of which he has no slice.
    fn missing(&self) -> Energy {
        self.delivered.saturating_minus(self.sliced)
    }
}

/// Returns the sum of all amounts of `key`, in a list that is sorted by it.
fn sum_of<K: Ord + Copy>(sorted: &[(K, Energy)], key: K) -> Energy {
    let first = sorted.partition_point(|(it, _)| *it < key);
    let of_key = sorted[first..].iter().take_while(|(it, _)| *it == key);
    of_key.fold(Energy::ZERO, |sum, (_, energy)| sum.plus(*energy))
}
