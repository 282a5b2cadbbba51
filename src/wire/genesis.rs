//! A market's constitution, to and from the ledger's first leaf.

use parkwatt_engine as engine;
use parkwatt_proto::v1;

use super::{Malformed, tariffs::tariff_band};

/// Returns the contract's form of a market's configuration.
pub fn genesis(config: &engine::MarketConfig) -> v1::Genesis {
    v1::Genesis {
        market: config.name.clone(),
        currency: config.currency.clone(),
        operator_public_key: config.operator_key.to_vec(),
        zones: config.zones.iter().map(zone).collect(),
        tick_micros_per_kwh: config.tick.0,
        price_floor_micros_per_kwh: config.price_floor.0,
        price_cap_micros_per_kwh: config.price_cap.0,
        lot_wh: config.lot.0,
        order_energy_max_wh: config.order_energy_max.0,
        schedule_len_max: u32::from(config.schedule_len_max),
        participants_max: config.participants_max,
        open_orders_max: config.open_orders_max,
        corrections_max: config.corrections_max,
        opens_before_s: config.timeline.opens_before_s,
        uncross_before_s: config.timeline.uncross_before_s,
        gate_before_s: config.timeline.gate_before_s,
        settle_after_s: config.timeline.settle_after_s,
        final_after_s: config.timeline.final_after_s,
        auction_point_per_mille: config.auction_point_per_mille,
        market_fee_micros_per_kwh: config.market_fee.0,
        deviation_per_mille: config.deviation_per_mille,
        tariff_version: config.tariff_version,
        tariffs: config.tariffs.iter().map(tariff_band).collect(),
    }
}

fn zone(it: &engine::Zone) -> v1::Zone {
    v1::Zone {
        name: it.name.clone(),
        parent: it.parent.map(|parent| u32::from(parent.0)),
        base_wheeling_micros_per_kwh: it.base_wheeling.0,
        wheeling_up_micros_per_kwh: it.wheeling_up.0,
        wheeling_down_micros_per_kwh: it.wheeling_down.0,
        capacity_up_w: it.capacity_up_w,
        capacity_down_w: it.capacity_down_w,
    }
}

/// Returns the configuration that a first leaf states.
///
/// # Errors
/// [`Malformed`] if a field does not fit; [`engine::MarketConfig::check`] judges the rest.
pub fn config_of(it: &v1::Genesis) -> Result<engine::MarketConfig, Malformed> {
    let too_large = |field: &'static str| move |_| Malformed::new(field, "is out of range");
    let operator_key = it.operator_public_key.as_slice().try_into();
    let mut zones = Vec::with_capacity(it.zones.len());
    for zone in &it.zones {
        let parent = zone.parent.map(u16::try_from).transpose().map_err(too_large("zones.parent"))?;
        zones.push(engine::Zone {
            name: zone.name.clone(),
            parent: parent.map(engine::ZoneId),
            base_wheeling: engine::Price(zone.base_wheeling_micros_per_kwh),
            wheeling_up: engine::Price(zone.wheeling_up_micros_per_kwh),
            wheeling_down: engine::Price(zone.wheeling_down_micros_per_kwh),
            capacity_up_w: zone.capacity_up_w,
            capacity_down_w: zone.capacity_down_w,
        });
    }
    let mut tariffs = Vec::with_capacity(it.tariffs.len());
    for band in &it.tariffs {
        tariffs.push(engine::TariffBand {
            from_quarter: u8::try_from(band.from_quarter).map_err(too_large("tariffs.from_quarter"))?,
            retail: engine::Price(band.retail_micros_per_kwh),
            feed_in: engine::Price(band.feed_in_micros_per_kwh),
        });
    }
    Ok(engine::MarketConfig {
        name: it.market.clone(),
        currency: it.currency.clone(),
        operator_key: operator_key
            .map_err(|_| Malformed::new("operator_public_key", "must have 32 bytes"))?,
        zones,
        tick: engine::Price(it.tick_micros_per_kwh),
        price_floor: engine::Price(it.price_floor_micros_per_kwh),
        price_cap: engine::Price(it.price_cap_micros_per_kwh),
        lot: engine::Energy(it.lot_wh),
        order_energy_max: engine::Energy(it.order_energy_max_wh),
        schedule_len_max: u16::try_from(it.schedule_len_max).map_err(too_large("schedule_len_max"))?,
        participants_max: it.participants_max,
        open_orders_max: it.open_orders_max,
        corrections_max: it.corrections_max,
        timeline: engine::Timeline {
            opens_before_s: it.opens_before_s,
            uncross_before_s: it.uncross_before_s,
            gate_before_s: it.gate_before_s,
            settle_after_s: it.settle_after_s,
            final_after_s: it.final_after_s,
        },
        auction_point_per_mille: it.auction_point_per_mille,
        market_fee: engine::Price(it.market_fee_micros_per_kwh),
        deviation_per_mille: it.deviation_per_mille,
        tariff_version: it.tariff_version,
        tariffs,
    })
}
