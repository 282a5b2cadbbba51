//! Who trades under load: 16 producers, 16 consumers, and orders about half of which trade.
//!
//! Knows the contract and how a command is signed; does not know nodes, ledgers or what is measured.

use ed25519_dalek::{Signer as _, SigningKey};
use parkwatt_engine::{MICROS_PER_SECOND, MarketConfig, Slot, Timestamp};
use parkwatt_proto::{
    COMMAND_TYPE, pre_authentication_encoding,
    v1::{self, command::Kind},
};
use prost::Message;

use crate::config::MarketFile;

/// How many orders a schedule has: a day of quarter hours.
pub const SCHEDULE_LEN: u32 = 96;
/// How many owners there are: the even ones produce, the odd ones consume.
const OWNERS: u8 = 32;
const LIFETIME_S: u64 = 3_600;

/// Everyone who signs.
pub struct Park {
    owners: Vec<Signer>,
    names: String,
    next: usize,
    drawn: u64,
}

/// What signs commands, under nonces that rise with time.
pub struct Signer {
    key: SigningKey,
    market: String,
    nonce: u64,
}

impl Signer {
    /// Returns what signs for `key` in this market.
    pub fn new(key: SigningKey, market: &str) -> Signer {
        Signer { key, market: market.into(), nonce: 0 }
    }

    /// Signs what is asked at `now`, for an hour.
    pub fn sign(&mut self, kind: Kind, now: Timestamp) -> v1::SignedCommand {
        self.nonce = now.0.max(self.nonce + 1);
        let command = v1::Command {
            market: self.market.clone(),
            nonce: self.nonce,
            expires_at_micros: now.0 + LIFETIME_S * MICROS_PER_SECOND,
            kind: Some(kind),
        };
        let payload = command.encode_to_vec();
        let signature = self.key.sign(&pre_authentication_encoding(COMMAND_TYPE, &payload)).to_vec();
        v1::SignedCommand { payload, public_key: self.public_key(), signature }
    }

    fn public_key(&self) -> Vec<u8> {
        self.key.verifying_key().to_bytes().to_vec()
    }
}

/// Returns the constitution of the market that every node founds.
pub fn constitution(operator: &SigningKey) -> MarketConfig {
    let market = MarketFile::default().constitution(operator.verifying_key().to_bytes());
    market.expect("the default names its zones")
}

/// Returns that market's zone.
pub fn zone() -> String {
    MarketFile::default().zones[0].name.clone()
}

/// Returns what signs for `key` in that market.
pub fn signer(key: SigningKey) -> Signer {
    Signer::new(key, &MarketFile::default().name)
}

impl Default for Park {
    fn default() -> Park {
        Park::new()
    }
}

impl Park {
    /// Returns the same park each time.
    pub fn new() -> Park {
        let owner = |number| signer(SigningKey::from_bytes(&[number + 1; 32]));
        Park { owners: (0..OWNERS).map(owner).collect(), names: "owner".into(), next: 0, drawn: 1 }
    }

    /// Returns a park whose owners nobody knows yet, in this market.
    ///
    /// # Errors
    /// What the system says if it has no randomness.
    pub fn of_strangers(market: &str) -> Result<Park, getrandom::Error> {
        let mut seeds = vec![[0; 32]; usize::from(OWNERS)];
        for seed in &mut seeds {
            getrandom::getrandom(seed)?;
        }
        let names = format!("load-{}", hex::encode(&seeds[0][..4]));
        let owners = seeds.iter().map(|seed| Signer::new(SigningKey::from_bytes(seed), market)).collect();
        Ok(Park { owners, names, next: 0, drawn: 1 })
    }

    /// Returns how many owners there are.
    pub fn len(&self) -> usize {
        self.owners.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }

    /// Returns the operator's commands that enrol everyone in a zone, with capacities and credit that never end.
    pub fn enrolments(&self, operator: &mut Signer, zone: &str, now: Timestamp) -> Vec<v1::SignedCommand> {
        let enrol = |(number, owner): (usize, &Signer)| v1::EnrolParticipant {
            name: format!("{}-{number}", self.names),
            public_key: owner.public_key(),
            meter_public_key: Vec::new(),
            zone: zone.into(),
            roles: vec![if number % 2 == 0 { v1::Role::Producer } else { v1::Role::Consumer }.into()],
            pv_capacity_w: 1_000_000_000_000,
            connection_capacity_w: 1_000_000_000_000,
            credit_limit_fen: 1_000_000_000_000,
        };
        let enrolments = self.owners.iter().enumerate().map(enrol);
        enrolments.map(|it| operator.sign(Kind::EnrolParticipant(it), now)).collect()
    }

    /// Returns one order of the next owner, for some slot within the day that trades continuously.
    pub fn order(&mut self, now: Timestamp) -> v1::SignedCommand {
        let slot = Slot::at(now).0 + 4 + u32::try_from(self.below(64)).expect("less than 64 fits");
        self.schedule_of(now, &[slot])
    }

    /// Returns a schedule of the next owner over a whole day from the next hour on.
    pub fn schedule(&mut self, now: Timestamp) -> v1::SignedCommand {
        let first = Slot::at(now).0 + 4;
        let slots: Vec<u32> = (first..first + SCHEDULE_LEN).collect();
        self.schedule_of(now, &slots)
    }

    fn schedule_of(&mut self, now: Timestamp, slots: &[u32]) -> v1::SignedCommand {
        let owner = self.next;
        self.next = (owner + 1) % self.owners.len();
        // A bid is all-in; the wheeling and the fee, 520 ticks, stand on top.
        let (side, lowest) =
            if owner.is_multiple_of(2) { (v1::Side::Offer, 4_000) } else { (v1::Side::Bid, 4_520) };
        let order = |slot: &u32| v1::NewOrder {
            side: side.into(),
            slot: *slot,
            limit_price_micros_per_kwh: 100
                * (lowest + i64::try_from(self.below(2_000)).expect("less than 2,000 fits")),
            energy_wh: 100 + self.below(2_000),
            ..v1::NewOrder::default()
        };
        let orders = slots.iter().map(order).collect();
        let schedule = v1::PlaceOrders { orders, all_or_none: false };
        self.owners[owner].sign(Kind::PlaceOrders(schedule), now)
    }

    /// Draws one of 0 to `bound` - 1, the same each time.
    fn below(&mut self, bound: u64) -> u64 {
        self.drawn =
            self.drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.drawn >> 33) % bound
    }
}
