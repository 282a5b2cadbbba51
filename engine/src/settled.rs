//! Settled slots: what a late or corrected reading needs to settle one again, until that is over (R13).
//!
//! Knows trades, deliveries and meters; does not know money, time or certificates: it says what of a
//! producer's slot can be certified.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::certificates::{Certifiable, Measured, Share};
use crate::delivery::Deliveries;
use crate::meters::{Metered, Meters};
use crate::{ParticipantId, Slot};

/// Every slot that is settled and not final, and in which something stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settled {
    slots: BTreeMap<Slot, Deliveries>,
}

impl Settled {
    /// Keeps a slot's deliveries from its settlement on.
    pub(crate) fn keep(&mut self, slot: Slot, deliveries: Deliveries) {
        let before = self.slots.insert(slot, deliveries);
        assert_eq!(before, None, "a slot is settled once");
    }

    /// Returns whether a slot is kept.
    pub(crate) fn keeps(&self, slot: Slot) -> bool {
        self.slots.contains_key(&slot)
    }

    /// Returns a slot's deliveries, to settle it again.
    pub(crate) fn get_mut(&mut self, slot: Slot) -> &mut Deliveries {
        self.slots.get_mut(&slot).expect("a slot is kept from its settlement until the final one")
    }

    /// Lets go of a slot whose settlement is final.
    pub(crate) fn release(&mut self, slot: Slot) {
        self.slots.remove(&slot);
    }

    /// Returns what of a producer's slot can be certified, and to whom; to no buyer in a slot that is not kept.
    pub(crate) fn certifiable(&self, slot: Slot, producer: ParticipantId, meters: &Meters) -> Certifiable {
        let shares = self.slots.get(&slot).map(|deliveries| shares(slot, producer, deliveries, meters));
        Certifiable { measured: measured(slot, producer, meters), shares: shares.unwrap_or_default() }
    }

    /// Returns what current readings say of a producer's slot; nothing in one that is not kept.
    pub(crate) fn measured(&self, slot: Slot, producer: ParticipantId, meters: &Meters) -> Option<Measured> {
        self.keeps(slot).then(|| measured(slot, producer, meters))
    }
}

fn measured(slot: Slot, producer: ParticipantId, meters: &Meters) -> Measured {
    let metered = meters.metered(slot, producer).filter(Metered::is_measured);
    let (export, generation) = metered.map(|it| (it.export, it.generation)).unwrap_or_default();
    Measured { export, self_consumed: generation.saturating_minus(export) }
}

/// Returns what each of a producer's trades delivered, in order of their ids.
fn shares(slot: Slot, producer: ParticipantId, deliveries: &Deliveries, meters: &Meters) -> Vec<Share> {
    let share = |place: &u32| {
        let (sale, delivery) = deliveries.at(*place as usize);
        let buyers = meters.metered(slot, sale.buyer);
        Share {
            trade: sale.id,
            buyer: sale.buyer,
            delivered: delivery.delivered,
            is_measured: buyers.as_ref().is_some_and(Metered::is_measured),
        }
    };
    deliveries.sales_of(producer).iter().map(share).collect()
}
