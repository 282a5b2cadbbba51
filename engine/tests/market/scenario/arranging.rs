//! How scenarios arrange their market and cast their people.

use parkwatt_engine::*;

use super::{FOUNDER, Signing, World, key, meter_key};
use crate::twin::machine::Machine;
use crate::words::Words;

/// The words that arrange a market.
pub(super) const ARRANGING: &[&str] = &[
    "zone",
    "fee",
    "lot",
    "tick",
    "floor",
    "cap",
    "point",
    "uncross",
    "final",
    "tariff",
    "open-orders",
    "corrections",
];

impl<M: Machine> World<M> {
    pub(super) fn arrange(&mut self, word: &str, words: &mut Words) -> String {
        assert!(self.market.is_none(), "the market is arranged before anybody is in it");
        match word {
            "zone" => self.add_zone(words),
            "fee" => self.config.market_fee = words.price(),
            "lot" => self.config.lot = words.energy(),
            "tick" => self.config.tick = words.price(),
            "floor" => self.config.price_floor = words.price(),
            "cap" => self.config.price_cap = words.price(),
            "open-orders" => self.config.open_orders_max = words.number(),
            "corrections" => self.config.corrections_max = words.number(),
            "point" => self.config.auction_point_per_mille = words.number(),
            "uncross" => {
                let seconds = u32::try_from(-words.seconds()).expect("an auction is before delivery");
                self.config.timeline.uncross_before_s = seconds;
            }
            "final" => {
                let seconds = u32::try_from(words.seconds()).expect("what is final is over");
                self.config.timeline.final_after_s = seconds;
            }
            "tariff" => self.config.tariffs.push(tariff(words)),
            other => unreachable!("`{other}` is in the list"),
        }
        String::new()
    }

    /// Takes `farm under park up 0.05 down 0.05 base 0.01 capacity-up 160`, charges and capacities being left
    /// out where there are none.
    fn add_zone(&mut self, words: &mut Words) {
        let name = words.next().to_owned();
        let parent = words.after("under").map(|parent| self.zone(parent));
        let mut charge = |word| if words.skip(word) { words.price() } else { Price::ZERO };
        let (wheeling_up, wheeling_down, base_wheeling) = (charge("up"), charge("down"), charge("base"));
        let mut capacity = |word| words.skip(word).then(|| words.watts());
        let (capacity_up_w, capacity_down_w) = (capacity("capacity-up"), capacity("capacity-down"));
        let zone =
            Zone { name, parent, base_wheeling, wheeling_up, wheeling_down, capacity_up_w, capacity_down_w };
        match parent {
            None => self.config.zones = vec![zone],
            Some(_) => self.config.zones.push(zone),
        }
    }

    pub(super) fn cast(&mut self, words: &mut Words) -> String {
        let new = self.new_participant(words);
        let name = new.name.clone();
        let enrolled = self.ask(Signing::default(), FOUNDER, Command::EnrolParticipant(new));
        assert!(enrolled.starts_with("enrolled"), "{name}: {enrolled}");
        let amount_fen = if words.skip("deposit") { words.number::<u64>() * 100 } else { 100_000 };
        if amount_fen > 0 {
            let deposit = Deposit { participant: name, amount_fen };
            self.ask(Signing::default(), FOUNDER, Command::Deposit(deposit));
        }
        String::new()
    }

    /// Takes a participant: his name, roles, and what differs from the usual.
    pub(super) fn new_participant(&mut self, words: &mut Words) -> NewParticipant {
        let name = words.next();
        let roles = Roles {
            producer: words.skip("producer"),
            consumer: words.skip("consumer"),
            operator: words.skip("operator"),
            regulator: false,
        };
        let zone = words.after("in").map_or(ZoneId(0), |zone| self.zone(zone));
        let watts = |words: &mut Words, word| if words.skip(word) { words.watts() } else { 400_000 };
        NewParticipant {
            pv_capacity_w: watts(words, "pv"),
            connection_capacity_w: watts(words, "connection"),
            credit_limit_fen: if words.skip("credit") { words.number::<u64>() * 100 } else { 0 },
            key: words.after("key").map_or(key(name), key),
            meter_key: if words.skip("unmetered") {
                None
            } else {
                Some(words.after("meter").map_or(meter_key(name), key))
            },
            name: name.to_owned(),
            zone,
            roles,
        }
    }
}

/// Takes `from 40 retail 0.80 feed-in 0.20`: tariffs from a quarter hour of the day on.
pub(super) fn tariff(words: &mut Words) -> TariffBand {
    words.must("from");
    let from_quarter = words.number();
    words.must("retail");
    let retail = words.price();
    words.must("feed-in");
    TariffBand { from_quarter, retail, feed_in: words.price() }
}

/// The market that scenarios begin with: one zone, no charges, a plain timeline.
pub fn config() -> MarketConfig {
    let zone = |name: &str| Zone {
        name: name.to_owned(),
        parent: None,
        base_wheeling: Price::ZERO,
        wheeling_up: Price::ZERO,
        wheeling_down: Price::ZERO,
        capacity_up_w: None,
        capacity_down_w: None,
    };
    MarketConfig {
        name: "scenario".to_owned(),
        currency: "yuan".to_owned(),
        operator_key: key(FOUNDER),
        zones: vec![zone("hub")],
        tick: Price(1000),
        price_floor: Price(-10_000_000),
        price_cap: Price(200_000_000),
        lot: Energy(1),
        order_energy_max: Energy(1_000_000),
        schedule_len_max: 3,
        participants_max: 9,
        open_orders_max: 100,
        corrections_max: 10,
        timeline: Timeline {
            opens_before_s: 48 * 3600,
            uncross_before_s: 24 * 3600,
            gate_before_s: 900,
            settle_after_s: 3600,
            final_after_s: 30 * 24 * 3600,
        },
        auction_point_per_mille: 500,
        market_fee: Price::ZERO,
        deviation_per_mille: 100,
        tariff_version: 1,
        tariffs: vec![TariffBand { from_quarter: 0, retail: Price(600_000), feed_in: Price(300_000) }],
    }
}
