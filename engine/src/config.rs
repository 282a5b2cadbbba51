//! A market's constitution: what is fixed when it is founded, and stands in the ledger's first leaf.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{Energy, NewTariffs, Price, PublicKey, ZoneId};

/// The greatest capacity of a plant, a connection or an edge: 1 TW. With [`CREDIT_LIMIT_FEN_MAX`] and the
/// bounds on prices it keeps every balance within [`Money`](crate::Money), whatever is signed.
pub(crate) const CAPACITY_W_MAX: u64 = 1_000_000_000_000;
/// The greatest credit limit: 10^10 yuan.
pub(crate) const CREDIT_LIMIT_FEN_MAX: u64 = 1_000_000_000_000;
/// The most prices that orders can have, as many as a ladder has levels.
const PRICES_MAX: i64 = 262_144;
/// What every price and charge stays below: 1,000 yuan/kWh.
const FAR: Price = Price(1_000_000_000);
/// What must hold of a charge.
const CHARGE_RULE: &str = "must be a multiple of the tick, 0 to 1,000 yuan/kWh";

/// Everything that a market's rules leave open.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MarketConfig {
    /// The market's name, which every command must carry.
    pub name: String,
    /// The currency's name, for people.
    pub currency: String,
    /// The key of the first operator.
    pub operator_key: PublicKey,
    /// The zones; the first is the root, and every other's parent stands before it (R4).
    pub zones: Vec<Zone>,
    /// Prices are multiples of this (R3).
    pub tick: Price,
    /// The least limit price (R3).
    pub price_floor: Price,
    /// The greatest limit price (R3).
    pub price_cap: Price,
    /// Energies of orders are multiples of this (R3).
    pub lot: Energy,
    /// The most energy in one order (R3).
    pub order_energy_max: Energy,
    /// The most orders in one command (R3).
    pub schedule_len_max: u16,
    /// The most participants.
    pub participants_max: u32,
    /// The most open orders of one participant in one slot (R3).
    pub open_orders_max: u32,
    /// The most corrections of a meter's reading at one slot's end (R10).
    pub corrections_max: u32,
    /// When a slot's phases begin (R2).
    pub timeline: Timeline,
    /// Where in the range of clearing prices the price is taken, in thousandths from below (R6).
    pub auction_point_per_mille: u32,
    /// What a buyer pays the market for a kWh (R12).
    pub market_fee: Price,
    /// The deviation charge, in thousandths of the trade's price (R12).
    pub deviation_per_mille: u32,
    /// The version of the tariffs, wheeling charges included.
    pub tariff_version: u32,
    /// Retail and feed-in tariffs by time of day; the first begins at quarter 0, and each later one later.
    pub tariffs: Vec<TariffBand>,
}

/// A zone of the grid, and its edge to its parent (R4).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// The zone above; none at the root.
    pub parent: Option<ZoneId>,
    /// What a buyer in this zone pays for wheeling in any case.
    pub base_wheeling: Price,
    /// The charge from this zone to its parent.
    pub wheeling_up: Price,
    /// The charge from the parent to this zone.
    pub wheeling_down: Price,
    /// The most power from this zone to its parent, in W; none where nothing limits it.
    pub capacity_up_w: Option<u64>,
    /// The most power from the parent to this zone, in W; none where nothing limits it.
    pub capacity_down_w: Option<u64>,
}

/// When a slot's phases begin, in seconds relative to the slot (R2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Timeline {
    /// Trading opens this long before delivery begins.
    pub opens_before_s: u32,
    /// The auction uncrosses, and continuous trading begins, this long before delivery begins.
    pub uncross_before_s: u32,
    /// The gate closes this long before delivery begins.
    pub gate_before_s: u32,
    /// The slot is settled at the latest this long after delivery ended.
    pub settle_after_s: u32,
    /// The slot's settlement is final this long after delivery ended (R13).
    pub final_after_s: u32,
}

/// What wheeling costs in a zone, and over its edge to its parent (R4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ZoneCharges {
    /// What a buyer in this zone pays in any case.
    pub base_wheeling: Price,
    /// The charge from this zone to its parent.
    pub wheeling_up: Price,
    /// The charge from the parent to this zone.
    pub wheeling_down: Price,
}

/// The supplier's tariffs from a time of day on (R12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TariffBand {
    /// The first quarter hour of the UTC day, 0 to 95.
    pub from_quarter: u8,
    /// What import beyond the trades costs.
    pub retail: Price,
    /// What export beyond the trades earns.
    pub feed_in: Price,
}

/// Why a configuration is no market.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {rule}")]
pub struct ConfigError {
    /// Which field.
    pub field: &'static str,
    /// What must hold of it.
    pub rule: &'static str,
}

impl MarketConfig {
    /// Checks everything that the engine relies on.
    ///
    /// # Errors
    /// The first field, in order of declaration, that does not hold.
    pub fn check(&self) -> Result<(), ConfigError> {
        must(is_name(&self.name), "name", "must be 1 to 32 of a-z, 0-9 and -")?;
        self.check_tree()?;
        must(self.tick.0 > 0, "tick", "must be more than 0")?;
        self.zones.iter().try_for_each(|zone| self.check_zone(zone))?;
        self.check_prices()?;
        must(self.lot.0 > 0, "lot", "must be more than 0")?;
        must(self.order_energy_max.0 <= 1_000_000_000_000, "order_energy_max", "must be at most 1 TWh")?;
        must((1..=1000).contains(&self.schedule_len_max), "schedule_len_max", "must be 1 to 1000")?;
        must((1..=100_000).contains(&self.open_orders_max), "open_orders_max", "must be 1 to 100,000")?;
        must(self.corrections_max <= 1000, "corrections_max", "must be at most 1000")?;
        let Timeline { opens_before_s, uncross_before_s, gate_before_s, settle_after_s, final_after_s } =
            self.timeline;
        let opens_first = opens_before_s >= uncross_before_s;
        must(opens_first, "timeline", "trading must open before the auction uncrosses")?;
        let uncrosses_first = uncross_before_s >= gate_before_s;
        must(uncrosses_first, "timeline", "the auction must uncross before the gate closes")?;
        let settles_first = settle_after_s <= final_after_s;
        must(settles_first, "timeline", "a slot must be settled before its settlement is final")?;
        must(self.auction_point_per_mille <= 1000, "auction_point_per_mille", "must be at most 1000")?;
        must(self.is_charge(self.market_fee), "market_fee", CHARGE_RULE)?;
        must(self.deviation_per_mille <= 1000, "deviation_per_mille", "must be at most 1000")?;
        self.check_tariffs()
    }

    /// Checks that the zones are a tree in which parents stand before.
    fn check_tree(&self) -> Result<(), ConfigError> {
        must(!self.zones.is_empty() && self.zones.len() <= 1024, "zones", "must be 1 to 1024")?;
        must(self.zones[0].parent.is_none(), "zones", "the first must be the root, without a parent")?;
        let has_parent_before =
            |number: usize, zone: &Zone| zone.parent.is_some_and(|parent| usize::from(parent.0) < number);
        let are_a_tree =
            self.zones.iter().enumerate().skip(1).all(|(number, zone)| has_parent_before(number, zone));
        must(are_a_tree, "zones.parent", "must name a zone that stands before")
    }

    fn check_zone(&self, zone: &Zone) -> Result<(), ConfigError> {
        must(is_name(&zone.name), "zones.name", "must be 1 to 32 of a-z, 0-9 and -")?;
        must(self.is_charge(zone.base_wheeling), "zones.base_wheeling", CHARGE_RULE)?;
        must(self.is_charge(zone.wheeling_up), "zones.wheeling_up", CHARGE_RULE)?;
        must(self.is_charge(zone.wheeling_down), "zones.wheeling_down", CHARGE_RULE)?;
        let capacities = [zone.capacity_up_w, zone.capacity_down_w];
        let within = capacities.iter().flatten().all(|watts| *watts <= CAPACITY_W_MAX);
        must(within, "zones.capacity_up_w, zones.capacity_down_w", "must be at most 1 TW")
    }

    /// Checks floor and cap.
    fn check_prices(&self) -> Result<(), ConfigError> {
        let (floor, cap) = (self.price_floor, self.price_cap);
        must(floor < cap, "price_floor", "must be less than price_cap")?;
        let are_on_tick = [floor, cap].iter().all(|it| it.0 % self.tick.0 == 0);
        must(are_on_tick, "price_floor", "must be, like price_cap, a multiple of the tick")?;
        must(is_near(cap) && is_near(floor), "price_cap", "must be within 1,000 yuan/kWh")?;
        let ticks = cap.minus(floor).0 / self.tick.0;
        must(ticks < PRICES_MAX, "price_cap", "must lie less than 262,144 ticks above price_floor")
    }

    fn check_tariffs(&self) -> Result<(), ConfigError> {
        let begins = self.tariffs.first().is_some_and(|band| band.from_quarter == 0);
        must(begins, "tariffs", "must begin at quarter 0")?;
        let rising = self.tariffs.windows(2).all(|pair| pair[0].from_quarter < pair[1].from_quarter);
        must(rising, "tariffs.from_quarter", "must rise")?;
        let within_a_day = self.tariffs.iter().all(|band| band.from_quarter < 96);
        must(within_a_day, "tariffs.from_quarter", "must be 0 to 95")?;
        let near = self.tariffs.iter().all(|band| is_near(band.retail) && is_near(band.feed_in));
        must(near, "tariffs", "must be within 1,000 yuan/kWh")
    }

    fn is_charge(&self, price: Price) -> bool {
        (0..FAR.0).contains(&price.0) && price.0 % self.tick.0 == 0
    }

    /// Returns the configuration with later tariffs in the place of its own.
    ///
    /// # Errors
    /// As [`MarketConfig::check`], or if they are for other zones.
    pub(crate) fn with_tariffs(&self, tariffs: &NewTariffs) -> Result<MarketConfig, ConfigError> {
        let are_as_many = tariffs.zones.len() == self.zones.len();
        must(are_as_many, "zones", "must be as many as the market has")?;
        let with_charges = |(zone, charges): (&Zone, &ZoneCharges)| Zone {
            base_wheeling: charges.base_wheeling,
            wheeling_up: charges.wheeling_up,
            wheeling_down: charges.wheeling_down,
            ..zone.clone()
        };
        let config = MarketConfig {
            zones: self.zones.iter().zip(&tariffs.zones).map(with_charges).collect(),
            market_fee: tariffs.market_fee,
            tariff_version: tariffs.version,
            tariffs: tariffs.bands.clone(),
            ..self.clone()
        };
        config.check()?;
        Ok(config)
    }

    /// Returns the tariffs that hold in `slot`.
    pub fn tariff(&self, slot: crate::Slot) -> &TariffBand {
        band_at(&self.tariffs, slot)
    }
}

impl NewTariffs {
    /// Returns the tariffs that hold in `slot`, once this version does.
    ///
    /// # Panics
    /// If the version was not accepted, and no band begins at quarter 0.
    pub fn tariff(&self, slot: crate::Slot) -> &TariffBand {
        band_at(&self.bands, slot)
    }
}

fn band_at(bands: &[TariffBand], slot: crate::Slot) -> &TariffBand {
    let quarter = slot.quarter_of_day();
    bands.iter().rev().find(|band| band.from_quarter <= quarter).expect("the first band begins at quarter 0")
}

fn must(holds: bool, field: &'static str, rule: &'static str) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError { field, rule }) }
}

fn is_near(price: Price) -> bool {
    (1 - FAR.0..FAR.0).contains(&price.0)
}

/// Returns whether `name` is a name tag: 1 to 32 of `a-z`, `0-9` and `-`.
pub fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn zone(name: &str, parent: Option<u16>) -> Zone {
        let charge = Price(100);
        Zone {
            name: String::from(name),
            parent: parent.map(ZoneId),
            base_wheeling: charge,
            wheeling_up: charge,
            wheeling_down: charge,
            capacity_up_w: None,
            capacity_down_w: None,
        }
    }

    fn band(from_quarter: u8) -> TariffBand {
        TariffBand { from_quarter, retail: Price(800_000), feed_in: Price(400_000) }
    }

    fn config() -> MarketConfig {
        MarketConfig {
            name: String::from("park"),
            currency: String::from("yuan"),
            operator_key: [1; 32],
            zones: vec![zone("hub", None), zone("east", Some(0)), zone("yard", Some(1))],
            tick: Price(100),
            price_floor: Price(-1_000_000),
            price_cap: Price(2_000_000),
            lot: Energy(100),
            order_energy_max: Energy(1_000_000),
            schedule_len_max: 1000,
            participants_max: 1000,
            open_orders_max: 100,
            corrections_max: 10,
            timeline: Timeline {
                opens_before_s: 172_800,
                uncross_before_s: 86_400,
                gate_before_s: 900,
                settle_after_s: 86_400,
                final_after_s: 2_592_000,
            },
            auction_point_per_mille: 500,
            market_fee: Price(100),
            deviation_per_mille: 100,
            tariff_version: 1,
            tariffs: vec![band(0), band(32), band(88)],
        }
    }

    #[test]
    fn a_configuration_that_is_no_market_names_its_field() {
        assert_eq!(config().check(), Ok(()));
        let far = Price(1_000_000_000);
        let check = |field, change: fn(&mut MarketConfig, Price)| {
            let mut changed = config();
            change(&mut changed, far);
            assert_eq!(changed.check().unwrap_err().field, field);
        };
        check("name", |it, _| it.name = String::from("The Park"));
        check("zones", |it, _| it.zones.clear());
        check("zones", |it, _| it.zones[0].parent = Some(ZoneId(0)));
        check("zones.parent", |it, _| it.zones[1].parent = None);
        check("zones.parent", |it, _| it.zones[1].parent = Some(ZoneId(1)));
        check("tick", |it, _| it.tick = Price(0));
        check("zones.name", |it, _| it.zones[2].name = String::new());
        check("zones.base_wheeling", |it, _| it.zones[2].base_wheeling = Price(150));
        check("zones.wheeling_up", |it, _| it.zones[2].wheeling_up = Price(-100));
        check("zones.wheeling_down", |it, far| it.zones[2].wheeling_down = far);
        let capacities = "zones.capacity_up_w, zones.capacity_down_w";
        check(capacities, |it, _| it.zones[1].capacity_up_w = Some(1_000_000_000_001));
        check("price_floor", |it, _| it.price_floor = it.price_cap);
        check("price_floor", |it, _| it.price_floor = Price(-150));
        check("price_cap", |it, far| it.price_cap = far);
        check("price_cap", |it, _| it.price_cap = Price(262_144 * 100 + it.price_floor.0));
        check("lot", |it, _| it.lot = Energy::ZERO);
        check("order_energy_max", |it, _| it.order_energy_max = Energy(1_000_000_000_001));
        check("schedule_len_max", |it, _| it.schedule_len_max = 0);
        check("open_orders_max", |it, _| it.open_orders_max = 0);
        check("open_orders_max", |it, _| it.open_orders_max = 100_001);
        check("corrections_max", |it, _| it.corrections_max = 1001);
        check("timeline", |it, _| it.timeline.uncross_before_s = 800);
        check("timeline", |it, _| it.timeline.opens_before_s = 0);
        check("timeline", |it, _| it.timeline.final_after_s = it.timeline.settle_after_s - 1);
        check("auction_point_per_mille", |it, _| it.auction_point_per_mille = 1001);
        check("market_fee", |it, far| it.market_fee = far);
        check("deviation_per_mille", |it, _| it.deviation_per_mille = 1001);
        check("tariffs", |it, _| it.tariffs.clear());
        check("tariffs.from_quarter", |it, _| it.tariffs[2].from_quarter = 32);
        check("tariffs.from_quarter", |it, _| it.tariffs[2].from_quarter = 96);
        check("tariffs", |it, far| it.tariffs[2].retail = far);
    }

    #[test]
    fn a_tariff_holds_from_its_quarter_until_the_next_ones() {
        let config = config();
        for (quarter, from) in [(0, 0), (31, 0), (32, 32), (87, 32), (88, 88), (95, 88)] {
            assert_eq!(config.tariff(crate::Slot(96 * 20_000 + quarter)).from_quarter, from);
        }
    }
}
