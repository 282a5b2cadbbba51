//! How the demo's owners and consumers bid: a plain strategy between feed-in and retail tariff.
//!
//! Each knows his own forecast, which is what will really happen, blurred: the day before by up to 20 % of
//! generation and 12 % of load, half an hour before by a quarter of that. He offers all of a forecast surplus
//! and bids for all of a forecast need. In the spread between feed-in and retail tariff
//!
//! - a seller asks for 5 to 35 % of it above feed-in, by his temper; half an hour before for half as much;
//! - a buyer pays up to 55 to 95 % of it above feed-in, all-in; half an hour before half of what is left
//!   more.
//!
//! Everything is drawn from the seed, the name and the slot by SHA-256, so that it is equal on every machine.

use parkwatt_engine::{MarketConfig, Slot};
use parkwatt_proto::v1::{NewOrder, Side};
use sha2::{Digest, Sha256};

use super::park::Point;

/// A strategy with everything that chance decides.
#[derive(Clone, Copy, Debug)]
pub struct Strategy {
    /// What chance is drawn from.
    pub seed: u64,
}

/// How far ahead an owner looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Horizon {
    /// The day before.
    DayAhead,
    /// Half an hour before.
    Intraday,
}

impl Strategy {
    /// Returns 32 bytes for `name`, as keys are made of them.
    pub fn secret(self, name: &str) -> [u8; 32] {
        Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(name).finalize().into()
    }

    /// Returns what a point expects to feed in (positive) or to draw (negative) in a slot, in Wh.
    pub fn forecast(self, point: &Point, slot: Slot, actual: [u64; 2], horizon: Horizon) -> i64 {
        let [generation, load] = actual;
        let (of_generation, of_load) = match horizon {
            Horizon::DayAhead => (200, 120),
            Horizon::Intraday => (50, 30),
        };
        let blurred = |energy: u64, what: &str, per_mille: i64| {
            // The day before and half an hour before he errs in the same direction, only further.
            let direction =
                i64::try_from(self.draw(&point.name, slot, what, 2001)).expect("at most 2000") - 1000;
            let energy = i64::try_from(energy).expect("a quarter hour's energy fits 63 bits");
            energy + energy * direction * per_mille / 1_000_000
        };
        blurred(generation, "generation", of_generation) - blurred(load, "load", of_load)
    }

    /// Returns the order that a point places for an energy it expects; none for nothing.
    pub fn order(
        self,
        config: &MarketConfig,
        point: &Point,
        slot: Slot,
        energy_wh: i64,
        horizon: Horizon,
    ) -> Option<NewOrder> {
        let side = if energy_wh > 0 { Side::Offer } else { Side::Bid };
        let temper = i64::try_from(self.draw(&point.name, Slot(0), "temper", 1001)).expect("at most 1000");
        let (asked, paid) = (50 + temper * 300 / 1000, 550 + temper * 400 / 1000);
        let share = match (side, horizon) {
            (Side::Offer, Horizon::DayAhead) => asked,
            (Side::Offer, Horizon::Intraday) => asked / 2,
            (_, Horizon::DayAhead) => paid,
            (_, Horizon::Intraday) => i64::midpoint(1000, paid),
        };
        let tariff = config.tariff(slot);
        let limit = tariff.feed_in.0 + (tariff.retail.0 - tariff.feed_in.0) * share / 1000;
        (energy_wh != 0).then(|| NewOrder {
            side: side.into(),
            slot: slot.0,
            limit_price_micros_per_kwh: limit - limit % config.tick.0,
            energy_wh: energy_wh.unsigned_abs(),
            ..NewOrder::default()
        })
    }

    /// Draws a number below `below`.
    fn draw(self, name: &str, slot: Slot, what: &str, below: u64) -> u64 {
        let digest = Sha256::new()
            .chain_update(self.seed.to_be_bytes())
            .chain_update(slot.0.to_be_bytes())
            .chain_update(what)
            .chain_update([0])
            .chain_update(name)
            .finalize();
        let eight = digest[..8].try_into().expect("a digest has 32 bytes");
        u64::from_be_bytes(eight) % below
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::MarketFile, demo::park::Park};

    #[test]
    fn every_limit_lies_between_feed_in_and_retail_on_the_tick() {
        let park = Park::read(None).unwrap();
        let config = MarketFile::default().constitution([1; 32]).unwrap();
        let strategy = Strategy { seed: 42 };
        for point in &park.points {
            for slot in (0..96).map(|quarter| Slot(park.first_slot.0 + quarter)) {
                for (energy, horizon) in
                    [(1, Horizon::DayAhead), (-1, Horizon::DayAhead), (-1, Horizon::Intraday)]
                {
                    let order = strategy.order(&config, point, slot, energy, horizon).unwrap();
                    let (limit, tariff) = (order.limit_price_micros_per_kwh, config.tariff(slot));
                    assert!((tariff.feed_in.0 - 100..=tariff.retail.0).contains(&limit), "{limit}");
                    assert_eq!(limit % 100, 0);
                }
            }
        }
    }

    #[test]
    fn a_forecast_half_an_hour_ahead_is_nearer() {
        let park = Park::read(None).unwrap();
        let strategy = Strategy { seed: 42 };
        let noon = Slot(park.first_slot.0 + 48);
        for point in &park.points {
            let actual = point.profile[48];
            let [generation, load] = actual.map(|energy| i64::try_from(energy).unwrap());
            let miss =
                |horizon| (strategy.forecast(point, noon, actual, horizon) - (generation - load)).abs();
            assert!(miss(Horizon::DayAhead) <= generation / 5 + load * 12 / 100 + 2, "{}", point.name);
            assert!(miss(Horizon::Intraday) <= generation / 20 + load * 3 / 100 + 2, "{}", point.name);
        }
    }
}
