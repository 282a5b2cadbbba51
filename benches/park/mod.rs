//! The market that the benches trade in: one zone, 16 producers, 16 consumers, and orders about half of which
//! trade.
//!
//! Knows the contract and how a client signs; does not know nodes, ledgers or what is measured.

use std::time::Duration;

use ed25519_dalek::SigningKey;
use parkwatt::config::MarketFile;
use parkwatt_client::Signer;
use parkwatt_engine::{MarketConfig, Slot, Timestamp};
use parkwatt_proto::v1::{self, command::Kind};

/// How many orders a schedule has: a day of quarter hours.
pub const SCHEDULE_LEN: u32 = 96;
/// How many owners there are: the even ones produce, the odd ones consume.
const OWNERS: u8 = 32;
const LIFETIME: Duration = Duration::from_hours(1);

/// Everyone who signs.
pub struct Park {
    owners: Vec<Signer>,
    next: usize,
    drawn: u64,
}

/// Returns the market's constitution.
pub fn constitution(operator: &SigningKey) -> MarketConfig {
    let market = MarketFile::default().constitution(operator.verifying_key().to_bytes());
    market.expect("the default names its zones")
}

/// Returns what signs for `key` in this market.
pub fn signer(key: SigningKey) -> Signer {
    Signer::new(key, &MarketFile::default().name)
}

impl Park {
    /// Returns the same park each time.
    pub fn new() -> Park {
        let owner = |number| signer(SigningKey::from_bytes(&[number + 1; 32]));
        Park { owners: (0..OWNERS).map(owner).collect(), next: 0, drawn: 1 }
    }

    /// Returns the operator's commands that enrol everyone, with capacities and credit that never end.
    pub fn enrolments(&self, operator: &mut Signer, now: Timestamp) -> Vec<v1::SignedCommand> {
        let enrol = |(number, owner): (usize, &Signer)| v1::EnrolParticipant {
            name: format!("owner-{number}"),
            public_key: owner.public_key().to_bytes().to_vec(),
            meter_public_key: Vec::new(),
            zone: MarketFile::default().zones[0].name.clone(),
            roles: vec![if number % 2 == 0 { v1::Role::Producer } else { v1::Role::Consumer }.into()],
            pv_capacity_w: 1_000_000_000_000,
            connection_capacity_w: 1_000_000_000_000,
            credit_limit_fen: 1_000_000_000_000,
        };
        let enrolments = self.owners.iter().enumerate().map(enrol);
        enrolments.map(|it| operator.sign(Kind::EnrolParticipant(it), now.0, LIFETIME)).collect()
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
        self.owners[owner].sign(Kind::PlaceOrders(schedule), now.0, LIFETIME)
    }

    /// Draws one of 0 to `bound` - 1, the same each time.
    fn below(&mut self, bound: u64) -> u64 {
        self.drawn =
            self.drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.drawn >> 33) % bound
    }
}
