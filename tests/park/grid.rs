//! The grid: what the real surplus of the demo's park sends through its transformers, by the engine alone.
use std::collections::BTreeMap;

use parkwatt::demo::Park;
use parkwatt_engine::{MarketConfig, Matching, ParticipantId, Slot};

use super::day::{self, Day, surplus_of};

/// Returns what the trades sent from the farm upwards, less what they sent down to it, slot by slot.
fn farm_flows(day: &Day) -> BTreeMap<Slot, i64> {
    let is_farm = |id: ParticipantId| day.park.points[id.0 as usize].zone == "farm";
    let mut flows = BTreeMap::new();
    for trade in &day.trades {
        let out = i64::from(is_farm(trade.seller)) - i64::from(is_farm(trade.buyer));
        *flows.entry(trade.slot).or_default() += out * i64::try_from(trade.energy.0).unwrap();
    }
    flows
}

/// Returns the demo's market, with a transformer of this rating at the farm, and with or without auctions.
fn config(park: &Park, farm_w: u64, matching: Matching) -> MarketConfig {
    let mut config = day::config(park);
    let farm = config.zones.iter_mut().find(|zone| zone.name == "farm").unwrap();
    assert_eq!((farm.capacity_up_w, farm.capacity_down_w), (Some(160_000), Some(160_000)));
    farm.capacity_up_w = Some(farm_w);
    if matching == Matching::Continuous {
        config.timeline.uncross_before_s = config.timeline.opens_before_s;
    }
    config
}

#[test]
fn the_farm_sells_its_whole_surplus_or_what_its_transformer_carries() {
    let park = Park::read(None).unwrap();
    for matching in [Matching::Auction, Matching::Continuous] {
        // The real one is never full on this day; a smaller one is, around noon.
        for (farm_w, full_slots, at_noon) in [(160_000, 0, 37_461), (100_000, 17, 25_000)] {
            let mut day = Day::new(&park, &config(&park, farm_w, matching));
            day.order();
            let end = Slot(park.first_slot.0 + 96).start();
            day.let_pass(end);
            assert!(day.trades.iter().all(|trade| trade.matching == matching));

            let flows = farm_flows(&day);
            let mut full = 0;
            for slot in (park.first_slot.0..park.first_slot.0 + 96).map(Slot) {
                let surplus = surplus_of(&park, slot, |zone| zone == "farm");
                let sold = flows.get(&slot).copied().unwrap_or(0);
                assert_eq!(sold, i64::try_from(surplus.min(farm_w / 4)).unwrap(), "{slot}, {farm_w} W");
                full += u64::from(surplus > farm_w / 4);
            }
            assert_eq!(full, full_slots, "{farm_w} W");
            assert_eq!(flows[&Slot(park.first_slot.0 + 48)], at_noon, "{farm_w} W");
        }
    }
}
