//! What the engine and its twin both are: a machine that answers, and that can be asked how it stands.

use parkwatt_engine::*;

use super::Twin;

/// An open order, as both can tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    pub id: OrderId,
    pub owner: ParticipantId,
    pub side: Side,
    pub limit: Price,
    pub remaining: Energy,
}

/// A market that is driven as its service drives it.
pub trait Machine {
    fn found(config: MarketConfig) -> Self;
    fn apply(&mut self, stamp: Stamp, request: &Request) -> (Outcome, Vec<Event>);
    fn tick(&mut self, stamp: Stamp) -> Vec<Event>;
    fn next_due(&self) -> Option<Timestamp>;

    fn by_name(&self, name: &str) -> Option<ParticipantId>;
    fn name_of(&self, id: ParticipantId) -> &str;
    fn balance(&self, account: Account) -> Worth;
    fn reserved(&self, id: ParticipantId) -> Worth;
    fn held(&self, holder: ParticipantId, slot: Slot) -> Energy;
    fn parts(&self, slot: Slot) -> Vec<(CertificateId, CertificatePart)>;
    fn open_orders(&self, slot: Slot) -> Vec<Rest>;
    fn phase(&self, slot: Slot) -> Phase;
    fn indicative(&self, slot: Slot) -> Option<Clearing>;
}

impl Machine for Market {
    fn found(config: MarketConfig) -> Market {
        Market::new(config).expect("the configuration holds")
    }

    fn apply(&mut self, stamp: Stamp, request: &Request) -> (Outcome, Vec<Event>) {
        let mut events = Vec::new();
        let outcome = self.apply(stamp, request, &mut events);
        (outcome, events)
    }

    fn tick(&mut self, stamp: Stamp) -> Vec<Event> {
        let mut events = Vec::new();
        self.tick(stamp, &mut events);
        events
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.next_due()
    }

    fn by_name(&self, name: &str) -> Option<ParticipantId> {
        self.participants().by_name(name)
    }

    fn name_of(&self, id: ParticipantId) -> &str {
        &self.participants().get(id).new.name
    }

    fn balance(&self, account: Account) -> Worth {
        self.accounts().balance(account).worth()
    }

    fn reserved(&self, id: ParticipantId) -> Worth {
        self.accounts().reserved(id)
    }

    fn held(&self, holder: ParticipantId, slot: Slot) -> Energy {
        self.certificates().held(holder, slot)
    }

    fn parts(&self, slot: Slot) -> Vec<(CertificateId, CertificatePart)> {
        let records = self.certificates().of_slot(slot);
        records.flat_map(|record| record.parts.into_iter().map(move |part| (record.id, part))).collect()
    }

    fn open_orders(&self, slot: Slot) -> Vec<Rest> {
        let rest = |order: &OpenOrder| {
            let OpenOrder { id, owner, side, limit, remaining, .. } = *order;
            Rest { id, owner, side, limit, remaining }
        };
        self.open_orders(slot).iter().map(rest).collect()
    }

    fn phase(&self, slot: Slot) -> Phase {
        self.phase(slot, self.now())
    }

    fn indicative(&self, slot: Slot) -> Option<Clearing> {
        self.indicative(slot)
    }
}

impl Machine for Twin {
    fn found(config: MarketConfig) -> Twin {
        Twin::new(config)
    }

    fn apply(&mut self, stamp: Stamp, request: &Request) -> (Outcome, Vec<Event>) {
        self.apply(stamp, request)
    }

    fn tick(&mut self, stamp: Stamp) -> Vec<Event> {
        self.tick(stamp)
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.next_due()
    }

    fn by_name(&self, name: &str) -> Option<ParticipantId> {
        self.by_name(name)
    }

    fn name_of(&self, id: ParticipantId) -> &str {
        &self.person(id).name
    }

    fn balance(&self, account: Account) -> Worth {
        self.balance(account)
    }

    fn reserved(&self, id: ParticipantId) -> Worth {
        self.reserved(id)
    }

    fn held(&self, holder: ParticipantId, slot: Slot) -> Energy {
        self.held(holder, slot)
    }

    fn parts(&self, slot: Slot) -> Vec<(CertificateId, CertificatePart)> {
        self.parts(slot)
    }

    fn open_orders(&self, slot: Slot) -> Vec<Rest> {
        let open = Twin::open_orders(self).filter(|order| order.slot == slot);
        open.map(|it| Rest {
            id: it.id,
            owner: it.owner,
            side: it.side,
            limit: it.limit,
            remaining: it.remaining(),
        })
        .collect()
    }

    fn phase(&self, slot: Slot) -> Phase {
        self.phase(slot)
    }

    fn indicative(&self, slot: Slot) -> Option<Clearing> {
        self.indicative(slot)
    }
}
