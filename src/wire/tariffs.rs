//! Versions of the tariffs, both ways: in the contract zones are named, in the engine they are counted.

use parkwatt_engine as engine;
use parkwatt_proto::v1;

use super::{Malformed, parse::zone};

/// Returns the version that a command publishes, with the charges in the order of the market's zones.
pub(super) fn new_tariffs(
    config: &engine::MarketConfig,
    it: &v1::PublishTariffs,
) -> Result<engine::NewTariffs, Malformed> {
    let mut charges = vec![None; config.zones.len()];
    for (position, its) in it.zones.iter().enumerate() {
        let field = format!("zones[{position}].zone");
        let number = zone(config, &field, &its.zone)?;
        if charges[usize::from(number.0)].replace(zone_charges(its)).is_some() {
            return Err(Malformed::new(field, format!("'{}' is given twice", its.zone)));
        }
    }
    let charges = charges.into_iter().zip(&config.zones).map(|(charges, zone)| {
        charges.ok_or_else(|| {
            let problem = format!("'{}' is missing; each of this market's zones has its charges", zone.name);
            Malformed::new("zones", problem)
        })
    });
    let bands = it.tariffs.iter().enumerate().map(|(position, band)| {
        let from_quarter = u8::try_from(band.from_quarter).map_err(|_| {
            let problem = format!("{} is no quarter hour of a day; 0 to 95 are", band.from_quarter);
            Malformed::new(format!("tariffs[{position}].from_quarter"), problem)
        })?;
        let retail = engine::Price(band.retail_micros_per_kwh);
        let feed_in = engine::Price(band.feed_in_micros_per_kwh);
        Ok(engine::TariffBand { from_quarter, retail, feed_in })
    });
    Ok(engine::NewTariffs {
        version: it.version,
        effective_from: engine::Slot(it.effective_from_slot),
        zones: charges.collect::<Result<_, Malformed>>()?,
        market_fee: engine::Price(it.market_fee_micros_per_kwh),
        bands: bands.collect::<Result<_, Malformed>>()?,
    })
}

fn zone_charges(it: &v1::ZoneCharges) -> engine::ZoneCharges {
    engine::ZoneCharges {
        base_wheeling: engine::Price(it.base_wheeling_micros_per_kwh),
        wheeling_up: engine::Price(it.wheeling_up_micros_per_kwh),
        wheeling_down: engine::Price(it.wheeling_down_micros_per_kwh),
    }
}

/// Returns the contract's form of a version of the tariffs, with the zones in the market's order.
pub fn tariffs(config: &engine::MarketConfig, it: &engine::NewTariffs) -> v1::PublishTariffs {
    let zones = config.zones.iter().zip(&it.zones).map(|(zone, charges)| v1::ZoneCharges {
        zone: zone.name.clone(),
        base_wheeling_micros_per_kwh: charges.base_wheeling.0,
        wheeling_up_micros_per_kwh: charges.wheeling_up.0,
        wheeling_down_micros_per_kwh: charges.wheeling_down.0,
    });
    v1::PublishTariffs {
        version: it.version,
        effective_from_slot: it.effective_from.0,
        zones: zones.collect(),
        market_fee_micros_per_kwh: it.market_fee.0,
        tariffs: it.bands.iter().map(tariff_band).collect(),
    }
}

/// Returns the contract's form of the tariffs from a time of day on.
pub(super) fn tariff_band(it: &engine::TariffBand) -> v1::TariffBand {
    v1::TariffBand {
        from_quarter: u32::from(it.from_quarter),
        retail_micros_per_kwh: it.retail.0,
        feed_in_micros_per_kwh: it.feed_in.0,
    }
}
