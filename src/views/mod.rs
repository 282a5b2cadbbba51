//! What readers see: a picture of the market, drawn from what became durable, so that reads never enter the
//! sequencer.
//!
//! Knows events; decides nothing, and can be drawn again from the ledger at any time.

mod certificates;
mod orders;
mod placed;
mod slots;
mod sums;

use std::collections::BTreeMap;

use parkwatt_engine::{
    Account, Command, Event, KeyHolder, MarketConfig, NewParticipant, NewTariffs, OpenOrder, Outcome,
    ParticipantId, Price, PublicKey, Side, Slot, TariffBand, Worth, ZoneId,
};

use serde::{Deserialize, Serialize};

pub use certificates::{Certificates, Holding, NationalView};
pub use orders::{Delivered, DeliveryView, OrderState, OrderView, Orders, TradeView};
pub use slots::{SlotView, Slots};
pub use sums::{BookLevel, PARTICIPANTS_MIN, SlotSums, SumOfSome};

use crate::apply::{Applied, Cause};
use orders::OrderChange;

/// A change of one order in a slot's book, as everybody may know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookChange {
    /// The slot.
    pub slot: Slot,
    /// The order's side.
    pub side: Side,
    /// Its owner's zone.
    pub zone: ZoneId,
    /// Its limit.
    pub limit: Price,
    /// How much more there is of it, in Wh.
    pub energy: i64,
    /// Whether it came (1), stayed (0) or went (-1).
    pub orders: i32,
}

/// The number of the form in which [`Views::to_bytes`] writes: another one for every change of a type in it.
pub const VIEWS_FORMAT: u32 = 2;

/// The picture of one market.
#[derive(Serialize, Deserialize)]
pub struct Views {
    /// The market's constitution.
    pub config: MarketConfig,
    /// The versions of the tariffs that were published since, in their order.
    pub tariffs: Vec<NewTariffs>,
    /// How many leaves the picture shows.
    pub tree_size: u64,
    /// The participants, by their numbers, each with the keys that speak for him now.
    pub participants: Vec<NewParticipant>,
    /// Orders and trades.
    pub orders: Orders,
    /// Slots, their phases and volumes.
    pub slots: Slots,
    /// Certificates, and national ones.
    pub certificates: Certificates,
    sums: BTreeMap<Slot, SlotSums>,
    keys: BTreeMap<PublicKey, KeyHolder>,
    balances: BTreeMap<Account, Worth>,
}

impl Views {
    /// Returns the picture of a market that was just founded.
    pub fn new(config: MarketConfig) -> Views {
        Views {
            keys: BTreeMap::from([(config.operator_key, KeyHolder::FoundingOperator)]),
            config,
            tariffs: Vec::new(),
            tree_size: 1,
            participants: Vec::new(),
            orders: Orders::default(),
            slots: Slots::default(),
            certificates: Certificates::default(),
            sums: BTreeMap::new(),
            balances: BTreeMap::new(),
        }
    }

    /// Returns the picture as bytes, in format [`VIEWS_FORMAT`].
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("a picture has no part that cannot be written")
    }

    /// Returns the picture of such bytes; nothing if they cannot be read as one.
    pub fn of_bytes(bytes: &[u8]) -> Option<Views> {
        postcard::from_bytes(bytes).ok()
    }

    /// Draws what happened.
    ///
    /// Returns what changed in the books.
    pub fn observe(&mut self, applied: &Applied) -> Vec<BookChange> {
        if let Cause::Command { request, outcome } = &applied.cause {
            self.observe_command(&request.key, &request.command, outcome);
        }
        for event in &applied.events {
            self.observe_event(event);
        }
        self.tree_size = applied.index + applied.leaves.len() as u64;
        let zone = |owner: ParticipantId| self.participants[owner.0 as usize].zone;
        let changes = self.orders.take_changes().into_iter();
        changes
            .map(|OrderChange { owner, order, energy, orders }| BookChange {
                slot: order.slot,
                side: order.side,
                zone: zone(owner),
                limit: order.limit,
                energy,
                orders,
            })
            .collect()
    }

    /// Returns whose a key is; nobody's once another has taken its place.
    pub fn holder_of(&self, key: &PublicKey) -> Option<KeyHolder> {
        self.keys.get(key).copied().filter(|holder| *holder != KeyHolder::Retired)
    }

    /// Returns whether a key spoke for somebody until another took its place.
    pub fn has_retired(&self, key: &PublicKey) -> bool {
        self.keys.get(key) == Some(&KeyHolder::Retired)
    }

    /// Returns the open orders of a slot as the engine holds them, in order of arrival.
    pub fn book(&self, slot: Slot) -> Vec<OpenOrder> {
        let open = |view: &OrderView| OpenOrder {
            id: view.id,
            owner: view.owner,
            zone: self.participants[view.owner.0 as usize].zone,
            side: view.order.side,
            limit: view.order.limit,
            remaining: view.open_energy(),
        };
        self.orders.open_in(slot).map(open).collect()
    }

    /// Returns the market's constitution with the tariffs that hold in a slot.
    pub fn config_in(&self, slot: Slot) -> MarketConfig {
        let mut config = self.config.clone();
        let Some(tariffs) = self.published_for(slot) else { return config };
        for (zone, charges) in config.zones.iter_mut().zip(&tariffs.zones) {
            zone.base_wheeling = charges.base_wheeling;
            zone.wheeling_up = charges.wheeling_up;
            zone.wheeling_down = charges.wheeling_down;
        }
        config.market_fee = tariffs.market_fee;
        config.tariff_version = tariffs.version;
        config.tariffs.clone_from(&tariffs.bands);
        config
    }

    /// Returns the supplier's tariffs that hold in a slot.
    pub fn tariff(&self, slot: Slot) -> &TariffBand {
        self.published_for(slot).map_or_else(|| self.config.tariff(slot), |tariffs| tariffs.tariff(slot))
    }

    /// Returns an account's balance.
    pub fn balance(&self, account: Account) -> Worth {
        self.balances.get(&account).copied().unwrap_or_default()
    }

    /// Returns the version of the tariffs that holds in a slot; none where the constitution's does.
    fn published_for(&self, slot: Slot) -> Option<&NewTariffs> {
        self.tariffs.iter().rfind(|tariffs| tariffs.effective_from <= slot)
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
            (Command::PublishTariffs(tariffs), Outcome::TariffsPublished) => {
                self.tariffs.push(tariffs.clone());
            }
            (Command::RotateKey(rotation), Outcome::KeyRotated) => self.rotate_key(*key, rotation.new_key),
            (Command::PlaceOrders(schedule), Outcome::Placed(answers)) => {
                let Some(KeyHolder::Owner(owner)) = self.holder_of(key) else { return };
                for (order, answer) in schedule.orders.iter().zip(answers) {
                    if let Ok(id) = answer {
                        self.orders.placed(*id, owner, *order);
                    }
                }
            }
            (Command::CancelOrder(order), Outcome::Cancelled(_)) => self.orders.cancelled(*order),
            (Command::ReplaceOrder(replacement), Outcome::Replaced(id)) => {
                self.orders.replaced(replacement, *id);
            }
            _ => {}
        }
    }

    fn rotate_key(&mut self, old: PublicKey, new: PublicKey) {
        let Some(holder) = self.keys.insert(old, KeyHolder::Retired) else { return };
        self.keys.insert(new, holder);
        match holder {
            KeyHolder::Owner(id) => self.participants[id.0 as usize].key = new,
            KeyHolder::Meter(id) => self.participants[id.0 as usize].meter_key = Some(new),
            KeyHolder::FoundingOperator | KeyHolder::Retired => {}
        }
    }

    fn observe_event(&mut self, event: &Event) {
        self.sum(event);
        self.slots.observe(event, &self.orders);
        self.orders.observe(event);
        self.certificates.observe(event);
        if let Event::Posted(posting) = event {
            let from = self.balances.entry(posting.from).or_default();
            *from = from.minus(posting.amount);
            let to = self.balances.entry(posting.to).or_default();
            *to = to.plus(posting.amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use parkwatt_engine::{
        CertificateClass, CertificateId, Clearing, Energy, LeafIndex, Matching, NewOrder, OrderId,
        ParticipantId, Phase, Posting, Price, Purpose, Roles, Side, Trade, TradeId, ZoneCharges, ZoneId,
    };
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::config::MarketFile;

    /// Returns a picture with something of every kind in it.
    fn full() -> Views {
        let mut views = Views::new(MarketFile::default().constitution([1; 32]).unwrap());
        let (slot, ann, eve) = (Slot(7), ParticipantId(0), ParticipantId(1));
        for (name, key) in [("ann", 2), ("eve", 3)] {
            views.participants.push(NewParticipant {
                name: name.into(),
                key: [key; 32],
                meter_key: Some([key + 10; 32]),
                zone: ZoneId(0),
                roles: Roles { producer: true, consumer: true, operator: false, regulator: false },
                pv_capacity_w: 1,
                connection_capacity_w: 2,
                credit_limit_fen: 3,
            });
        }
        views.keys.insert([2; 32], KeyHolder::Owner(ann));
        views.tariffs.push(NewTariffs {
            version: 2,
            effective_from: Slot(5),
            zones: vec![ZoneCharges {
                base_wheeling: Price(1),
                wheeling_up: Price(2),
                wheeling_down: Price(3),
            }],
            market_fee: Price(4),
            bands: vec![TariffBand { from_quarter: 0, retail: Price(5), feed_in: Price(6) }],
        });
        let order = |position| OrderId { index: LeafIndex(9), position };
        views.orders.placed(order(0), ann, NewOrder::resting(Side::Bid, slot, Price(9), Energy(10)));
        views.orders.placed(order(1), eve, NewOrder::resting(Side::Offer, slot, Price(9), Energy(8)));
        views.orders.placed(order(2), eve, NewOrder::resting(Side::Offer, slot, Price(9), Energy(1)));
        views.orders.cancelled(order(2));
        let certificate = CertificateId { slot, producer: eve, issue: 1 };
        let trade = Trade {
            id: TradeId(LeafIndex(12)),
            slot,
            bid: order(0),
            offer: order(1),
            buyer: ann,
            seller: eve,
            energy: Energy(8),
            price: Price(9),
            wheeling: Price::ZERO,
            congestion: Price::ZERO,
            fee: Price::ZERO,
            tariff_version: 2,
            matching: Matching::Continuous,
        };
        for event in [
            Event::PhaseBegan { slot, phase: Phase::Continuous },
            Event::AuctionCleared(Box::new(Clearing { slot, energy: Energy(1), ..Clearing::default() })),
            Event::TradeMade(trade),
            Event::TradeDelivered {
                trade: trade.id,
                slot,
                buyer: ann,
                seller: eve,
                delivered: Energy(7),
                seller_deviation: Energy(1),
                buyer_deviation: Energy(0),
                estimated: false,
            },
            Event::Posted(Posting {
                from: Account::Participant(ann),
                to: Account::Market,
                amount: Worth(63),
                purpose: Purpose::Payout,
            }),
            Event::CertificateIssued { certificate, energy: Energy(8), class: CertificateClass::Exported },
        ] {
            views.observe_event(&event);
        }
        views
    }

    /// If this fails because a type of the picture has changed, [`VIEWS_FORMAT`] must rise with it; what is found
    /// stands beside it then.
    #[test]
    fn what_is_written_is_what_was_written_in_this_format() {
        let bytes = full().to_bytes();
        assert_eq!(Views::of_bytes(&bytes).unwrap().to_bytes(), bytes);
        assert_eq!(
            (VIEWS_FORMAT, hex::encode(&Sha256::digest(&bytes)[..8])),
            (2, "0ffef71a1eee82e2".to_owned())
        );
        for len in 0..bytes.len() {
            assert!(Views::of_bytes(&bytes[..len]).is_none(), "{len} bytes");
        }
    }

    #[test]
    fn a_slot_s_tariffs_are_those_of_the_last_version_that_has_begun() {
        let mut views = Views::new(MarketFile::default().constitution([1; 32]).unwrap());
        for (version, first) in [(2, 100), (5, 200)] {
            let price = Price(version.into());
            views.tariffs.push(NewTariffs {
                version,
                effective_from: Slot(first),
                zones: vec![ZoneCharges { base_wheeling: price, wheeling_up: price, wheeling_down: price }],
                market_fee: price,
                bands: vec![TariffBand { from_quarter: 0, retail: price, feed_in: price }],
            });
        }
        assert_eq!(views.config_in(Slot(99)), views.config);
        assert_eq!(views.tariff(Slot(99)), views.config.tariff(Slot(99)));
        for (slot, version) in [(100, 2), (199, 2), (200, 5), (u32::MAX, 5)] {
            let config = views.config_in(Slot(slot));
            let zone = &config.zones[0];
            let price = Price(version.into());
            assert_eq!((zone.base_wheeling, zone.wheeling_up, zone.wheeling_down), (price, price, price));
            assert_eq!((config.market_fee, config.tariff_version), (price, version));
            assert_eq!((config.tariffs.len(), config.tariffs[0].retail), (1, price));
            assert_eq!(views.tariff(Slot(slot)), &config.tariffs[0]);
            assert_eq!((&zone.name, config.tick), (&views.config.zones[0].name, views.config.tick));
        }
    }
}
