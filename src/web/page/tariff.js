// The tariffs and charges that hold in a slot, from what GetMarket tells: the constitution's, or of the versions that
// were published since the last that has begun.

/** Returns retail, feed-in and fee of a slot, and each zone's charges, all in micro-yuan per kWh. */
export function tariffIn(market, slot) {
  const version = market.tariffs.findLast((it) => it.effective_from_slot <= slot);
  const bands = (version ?? market.genesis).tariffs;
  const quarter = slot % 96;
  const band = bands.findLast((it) => it.from_quarter <= quarter);
  const charges = new Map((version?.zones ?? market.genesis.zones).map((it) => [it.zone ?? it.name, it]));
  return {
    retail: BigInt(band.retail_micros_per_kwh),
    feedIn: BigInt(band.feed_in_micros_per_kwh),
    fee: BigInt((version ?? market.genesis).market_fee_micros_per_kwh),
    zones: market.genesis.zones.map((zone) => zoneIn(zone, charges.get(zone.name), market.genesis.lot_wh)),
  };
}

function zoneIn(zone, charges, lot) {
  const big = (name) => BigInt(charges[`${name}_micros_per_kwh`]);
  return {
    name: zone.name,
    parent: zone.parent,
    base: big('base_wheeling'),
    up: big('wheeling_up'),
    down: big('wheeling_down'),
    capacityUp: capacity(zone.capacity_up_w, BigInt(lot)),
    capacityDown: capacity(zone.capacity_down_w, BigInt(lot)),
  };
}

/** Returns what an edge of so many W carries in a quarter hour, in whole lots; none where nothing limits it. */
function capacity(watts, lot) {
  return watts === undefined ? undefined : (BigInt(watts) / 4n / lot) * lot;
}
