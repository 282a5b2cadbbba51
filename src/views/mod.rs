//! What readers see: a picture of the market, drawn from what became durable, so that reads never enter the
//! sequencer.
//!
//! Knows events; decides nothing, and can be drawn again from the ledger at any time.

mod orders;
mod slots;

use std::collections::BTreeMap;

use parkwatt_engine::{
    Account, CertificateId, Command, Event, KeyHolder, MarketConfig, NewParticipant, Outcome, ParticipantId,
    PublicKey, Worth,
};

pub use orders::{DeliveryView, OrderState, OrderView, Orders, TradeView};
pub use slots::{SlotView, Slots};

use crate::apply::{Applied, Cause};

/// The picture of one market.
pub struct Views {
    /// The market's constitution.
    pub config: MarketConfig,
    /// How many leaves the picture shows.
    pub tree_size: u64,
    /// The participants, by their numbers.
    pub participants: Vec<NewParticipant>,
    /// Orders and trades.
    pub orders: Orders,
    /// Slots, their phases and volumes.
    pub slots: Slots,
    /// What is held and claimed of each certificate.
    pub certificates: BTreeMap<(ParticipantId, CertificateId), Holding>,
    keys: BTreeMap<PublicKey, KeyHolder>,
    balances: BTreeMap<Account, Worth>,
}

/// What a participant holds and has claimed of one certificate, in Wh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// Held.
    pub held: u64,
    /// Claimed.
    pub retired: u64,
}

impl Views {
    /// Returns the picture of a market that was just founded.
    pub fn new(config: MarketConfig) -> Views {
        Views {
            keys: BTreeMap::from([(config.operator_key, KeyHolder::FoundingOperator)]),
            config,
            tree_size: 1,
            participants: Vec::new(),
            orders: Orders::default(),
            slots: Slots::default(),
            certificates: BTreeMap::new(),
            balances: BTreeMap::new(),
        }
    }

    /// Draws what happened.
    pub fn observe(&mut self, applied: &Applied) {
        if let Cause::Command { request, outcome } = &applied.cause {
            self.observe_command(&request.key, &request.command, outcome);
        }
        for event in &applied.events {
            self.observe_event(event);
        }
        self.tree_size = applied.index + applied.leaves.len() as u64;
    }

    /// Returns whose a key is.
    pub fn holder_of(&self, key: &PublicKey) -> Option<KeyHolder> {
        self.keys.get(key).copied()
    }

    /// Returns an account's balance.
    pub fn balance(&self, account: Account) -> Worth {
        self.balances.get(&account).copied().unwrap_or_default()
    }

    fn observe_command(&mut self, key: &PublicKey, command: &Command, outcome: &Outcome) {
        match (command, outcome) {
            (Command::EnrolParticipant(new), Outcome::Enrolled(id)) => {
                self.keys.insert(new.key, KeyHolder::Owner(*id));
                if let Some(meter_key) = new.meter_key {
                    self.keys.insert(meter_key, KeyHolder::Meter(*id));
                }
                self.participants.push(new.clone());
            }
            (Command::PlaceOrders(orders), Outcome::Placed(answers)) => {
                let Some(KeyHolder::Owner(owner)) = self.holder_of(key) else { return };
                for (order, answer) in orders.iter().zip(answers) {
                    if let Ok(id) = answer {
                        self.orders.placed(*id, owner, *order);
                    }
                }
            }
            (Command::CancelOrder(order), Outcome::Cancelled(_)) => self.orders.cancelled(*order),
            _ => {}
        }
    }

    fn observe_event(&mut self, event: &Event) {
        self.slots.observe(event, &self.orders);
        self.orders.observe(event);
        match event {
            Event::Posted(posting) => {
                let from = self.balances.entry(posting.from).or_default();
                *from = from.minus(posting.amount);
                let to = self.balances.entry(posting.to).or_default();
                *to = to.plus(posting.amount);
            }
            Event::CertificateIssued { certificate, energy } => {
                self.holding(certificate.producer, *certificate).held += energy.0;
            }
            Event::CertificateSliced { certificate, from, to, energy, .. } => {
                self.holding(*from, *certificate).held -= energy.0;
                self.holding(*to, *certificate).held += energy.0;
            }
            Event::CertificateRetired { certificate, holder, energy, .. } => {
                let holding = self.holding(*holder, *certificate);
                holding.held -= energy.0;
                holding.retired += energy.0;
            }
            _ => {}
        }
    }

    fn holding(&mut self, holder: ParticipantId, certificate: CertificateId) -> &mut Holding {
        self.certificates.entry((holder, certificate)).or_default()
    }
}
