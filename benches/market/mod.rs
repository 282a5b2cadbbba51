//! A market in which nothing but the book and the rules of matching decide: capacities and credit never end.
//!
//! Knows the engine's configuration and enrolment; does not know orders or what is measured. In each zone one
//! participant places all bids and another all offers, so that their own orders never meet.

use parkwatt::config::MarketFile;
use parkwatt_engine::{
    Command, LeafIndex, Market, MarketConfig, NewParticipant, Outcome, Price, PublicKey, Request, Roles,
    Side, Stamp, Timestamp, Zone, ZoneId,
};

/// A moment at which a slot's day begins; everyone is enrolled just before.
pub const START: Timestamp = Timestamp(1_800_000_000_000_000);
/// Micro-yuan per kWh in a tick.
pub const TICK: i64 = 100;
/// The operator's key; nobody signs here.
const OPERATOR: PublicKey = [1; 32];

/// Returns a tree of zones, two below each; where there is only one, nothing is charged, and limits are
/// prices.
pub fn config(zones: u16) -> MarketConfig {
    let charge = |ticks: i64| if zones > 1 { Price(ticks * TICK) } else { Price::ZERO };
    let zone = |number: u16| Zone {
        name: format!("zone-{number}"),
        parent: number.checked_sub(1).map(|before| ZoneId(before / 2)),
        base_wheeling: charge(20),
        wheeling_up: charge(5),
        wheeling_down: charge(5),
        capacity_up_w: Some(40_000_000),
        capacity_down_w: Some(40_000_000),
    };
    let config = MarketFile::default().constitution(OPERATOR).expect("the default names its zones");
    let zones = (0..zones).map(zone).collect();
    MarketConfig { zones, market_fee: charge(2), open_orders_max: 100_000, ..config }
}

/// Returns a market with its owners.
pub fn founded(config: &MarketConfig) -> Market {
    let mut market = Market::new(config.clone()).expect("the configuration holds");
    let zones = (0..).map(ZoneId).take(config.zones.len());
    let owners = zones.flat_map(|zone| [(zone, Side::Bid), (zone, Side::Offer)]);
    for (nonce, (zone, side)) in (1..).zip(owners) {
        let new = NewParticipant {
            name: format!("owner-{nonce}"),
            key: owner(zone, side),
            meter_key: None,
            zone,
            roles: Roles { producer: side == Side::Offer, consumer: side == Side::Bid, ..Roles::default() },
            pv_capacity_w: 1_000_000_000_000,
            connection_capacity_w: 1_000_000_000_000,
            credit_limit_fen: 1_000_000_000_000,
        };
        let command = Command::EnrolParticipant(new);
        let request = Request { key: OPERATOR, nonce, expires_at: START, command };
        let stamp = Stamp { at: Timestamp(START.0 - 1_000 + nonce), index: LeafIndex(nonce) };
        let outcome = market.apply(stamp, &request, &mut Vec::new());
        assert!(matches!(outcome, Outcome::Enrolled(_)), "{outcome:?}");
    }
    market
}

/// Returns the key of who places all orders of a zone and side.
pub fn owner(zone: ZoneId, side: Side) -> PublicKey {
    let [high, low] = zone.0.to_be_bytes();
    let mut key = [0; 32];
    key[..3].copy_from_slice(&[if side == Side::Bid { 2 } else { 3 }, high, low]);
    key
}
