//! Certificates: each metered Wh of export, or of own consumption, carries one until it is claimed.
//!
//! Knows who holds how much of which certificate, and what became of the rest. Does not know trades' prices,
//! money, meters, or when a slot is settled: settlement says what readings certify, and the market when time
//! has come.
//! Keeps: what was issued is held, retired, bundled or expired, or void as a whole; a number is never used
//! again; a national certificate is of exactly 1 MWh; what is claimed is the sum of its retirements. Rule R14.

mod calendar;
// From readings to certificates, and to their buyers;
mod issuing;
// what their holders and time do with them;
mod using;
// and what is void when a correction contradicts them.
mod withdrawing;
// The books in which all of them write,
mod books;
// and what must hold of them.
mod laws;
#[cfg(test)]
mod model;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

pub(crate) use issuing::{Certifiable, Measured, Share};

use serde::{Deserialize, Serialize};

use crate::{
    CertificateClass, CertificateId, CertificateUse, Energy, GecId, ParticipantId, Slot, Timestamp, TradeId,
};
use books::{of_slot, of_slots};

/// What a national certificate is of: 1 MWh.
const GEC_ENERGY: Energy = Energy(1_000_000);

/// All certificates of a market.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificates {
    /// Every certificate ever issued, by its slot and producer; its number is its place, counted from 1.
    issued: BTreeMap<(Slot, ParticipantId), Vec<Certificate>>,
    /// Who holds how much of what; never zero.
    held: BTreeMap<(ParticipantId, CertificateId), Holding>,
    /// How many holdings there are of each slot; never zero.
    holdings_in: BTreeMap<Slot, u32>,
    /// How much of each slot's import is covered by claims; never zero.
    claimed: BTreeMap<(ParticipantId, Slot), Energy>,
    /// Every national certificate that is not void.
    gecs: BTreeMap<GecId, Gec>,
    /// The same by who bundled them.
    gecs_by_holder: BTreeSet<(ParticipantId, GecId)>,
    /// When the first of what is held expires.
    next_due: Option<Timestamp>,
}

/// A certificate, and what became of its parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Certificate {
    energy: Energy,
    class: CertificateClass,
    is_withdrawn: bool,
    /// Who holds a part of it, rising.
    holders: Vec<ParticipantId>,
    /// What is not held any more, in order of whose it was and what became of it.
    used: Vec<CertificatePart>,
    /// What of it went to buyers as readings said, until they can say nothing else any more.
    slices: Vec<Slice>,
}

/// What somebody holds of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Holding {
    energy: Energy,
    /// The certificate's.
    class: CertificateClass,
}

/// What of a certificate went to the buyer of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Slice {
    trade: TradeId,
    buyer: ParticipantId,
    energy: Energy,
}

/// A national certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Gec {
    holder: ParticipantId,
    /// How much of which certificate, in order of their ids.
    parts: Vec<(CertificateId, Energy)>,
}

/// A part of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificatePart {
    /// Who holds it, or held it last.
    pub holder: ParticipantId,
    /// What became of it.
    pub state: CertificateUse,
    /// How much it is.
    pub energy: Energy,
}

/// A certificate as a report tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRecord {
    /// Its id.
    pub id: CertificateId,
    /// For how much it was issued.
    pub energy: Energy,
    /// What it certifies.
    pub class: CertificateClass,
    /// Whether it was withdrawn; then it has no parts.
    pub is_withdrawn: bool,
    /// Its parts, in order of their holders and of what became of them.
    pub parts: Vec<CertificatePart>,
}

impl Certificates {
    /// Returns everything that a holder has, in order of the certificates' ids.
    pub fn held_by(&self, holder: ParticipantId) -> impl Iterator<Item = (CertificateId, Energy)> {
        let all = of_slots(Slot(0)..=Slot(u32::MAX));
        self.holdings(holder, all).map(|(certificate, holding)| (certificate, holding.energy))
    }

    /// Returns how much a holder has of the certificates of `slot`, whatever their class.
    pub fn held(&self, holder: ParticipantId, slot: Slot) -> Energy {
        let holdings = self.holdings(holder, of_slot(slot));
        holdings.fold(Energy::ZERO, |sum, (_, holding)| sum.plus(holding.energy))
    }

    /// Returns how much of its import in `slot` a holder has claimed certificates for.
    pub fn claimed(&self, holder: ParticipantId, slot: Slot) -> Energy {
        self.claimed.get(&(holder, slot)).copied().unwrap_or_default()
    }

    /// Returns every certificate ever issued for `slot`, in order of their ids.
    pub fn of_slot(&self, slot: Slot) -> impl Iterator<Item = CertificateRecord> {
        self.ids_of_slot(slot).map(|id| {
            let &Certificate { energy, class, is_withdrawn, .. } =
                self.certificate(id).expect("it is listed");
            CertificateRecord { id, energy, class, is_withdrawn, parts: self.parts(id) }
        })
    }

    /// Returns the national certificates that a holder has, in order of their names.
    pub fn gecs_of(&self, holder: ParticipantId) -> impl Iterator<Item = GecId> {
        let first = GecId { index: crate::LeafIndex(0), position: 0 };
        let last = GecId { index: crate::LeafIndex(u64::MAX), position: u32::MAX };
        self.gecs_by_holder.range((holder, first)..=(holder, last)).map(|(_, gec)| *gec)
    }

    /// Returns what a national certificate is made of, in order of the certificates' ids; nothing of one that
    /// is void, or never was.
    pub fn parts_of(&self, gec: GecId) -> &[(CertificateId, Energy)] {
        self.gecs.get(&gec).map_or(&[], |gec| &gec.parts)
    }

    /// Returns when the first of what is held expires: maybe a moment that is over, if it came to be held late.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.next_due
    }
}
