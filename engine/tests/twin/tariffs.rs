//! R12: which tariffs hold in which slot.

use parkwatt_engine::*;

use super::Twin;
use super::grid::{self, Way};

const MICROS_MAX: i64 = 1_000_000_000;
const CHARGE: &str = "must be a multiple of the tick, 0 to 1,000 yuan/kWh";

/// A version of the tariffs, as what it makes of the market.
pub struct Version {
    pub from: Slot,
    /// The market's configuration, with these charges and tariffs.
    pub config: MarketConfig,
    /// The ways between all zones, by the seller's and then the buyer's.
    pub ways: Vec<Vec<Way>>,
}

impl Version {
    pub fn new(from: Slot, config: MarketConfig) -> Version {
        Version { from, ways: grid::all_ways(&config), config }
    }
}

impl Twin {
    /// Returns what holds in a slot.
    pub(super) fn version(&self, slot: Slot) -> &Version {
        self.versions.iter().rfind(|version| version.from <= slot).unwrap()
    }

    pub(super) fn publish(&mut self, new: &NewTariffs) -> Result<Outcome, Rejection> {
        let last = self.versions.last().unwrap();
        let (version, slot) = (new.version, new.effective_from);
        if u64::from(version) != u64::from(last.config.tariff_version) + 1 {
            let last = last.config.tariff_version;
            return Err(Rejection::TariffVersionMustFollowTheLast { version, last });
        }
        if let Some((part, must)) = self.flaw(new) {
            return Err(Rejection::TariffsMustBeWellFormed { part, must });
        }
        if slot <= last.from {
            return Err(Rejection::TariffsMustBeginBehindTheLast { slot, last: last.from });
        }
        let phase = self.phase(slot);
        if phase != Phase::Scheduled {
            return Err(Rejection::TariffsMustBeginBeforeTrading { slot, phase });
        }
        let number = self.stamp.at.0 / 900_000_000 + 366 * 96;
        let last = Slot(u32::try_from(number).unwrap_or(u32::MAX));
        if slot > last {
            return Err(Rejection::TariffsMustBeginWithinAYear { slot, last });
        }

        let mut config = self.config.clone();
        for (zone, charges) in config.zones.iter_mut().zip(&new.zones) {
            zone.base_wheeling = charges.base_wheeling;
            zone.wheeling_up = charges.wheeling_up;
            zone.wheeling_down = charges.wheeling_down;
        }
        config.market_fee = new.market_fee;
        config.tariff_version = version;
        config.tariffs.clone_from(&new.bands);
        self.versions.push(Version::new(slot, config));
        Ok(Outcome::TariffsPublished)
    }

    /// Returns what is wrong with tariffs, if anything is.
    fn flaw(&self, new: &NewTariffs) -> Option<(&'static str, &'static str)> {
        let tick = self.config.tick.0;
        let is_charge = |charge: Price| charge.0 >= 0 && charge.0 < MICROS_MAX && charge.0 % tick == 0;
        let is_near = |price: Price| price.0.abs() < MICROS_MAX;
        if new.zones.len() != self.config.zones.len() {
            return Some(("zones", "must be as many as the market has"));
        }
        for zone in &new.zones {
            for (part, charge) in [
                ("zones.base_wheeling", zone.base_wheeling),
                ("zones.wheeling_up", zone.wheeling_up),
                ("zones.wheeling_down", zone.wheeling_down),
            ] {
                if !is_charge(charge) {
                    return Some((part, CHARGE));
                }
            }
        }
        if !is_charge(new.market_fee) {
            return Some(("market_fee", CHARGE));
        }
        let quarters: Vec<u8> = new.bands.iter().map(|band| band.from_quarter).collect();
        if quarters.first() != Some(&0) {
            return Some(("tariffs", "must begin at quarter 0"));
        }
        if quarters.iter().zip(&quarters[1..]).any(|(one, next)| one >= next) {
            return Some(("tariffs.from_quarter", "must rise"));
        }
        if quarters.iter().any(|quarter| *quarter > 95) {
            return Some(("tariffs.from_quarter", "must be 0 to 95"));
        }
        if new.bands.iter().any(|band| !is_near(band.retail) || !is_near(band.feed_in)) {
            return Some(("tariffs", "must be within 1,000 yuan/kWh"));
        }
        None
    }
}
