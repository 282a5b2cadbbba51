// The proof that an auction's result is the best one, checked here (rule R6 of the market).
//
// Let any prices be given, and let every order and every edge of the grid do what is best for it at these prices. What
// all of them gain together no result can exceed, since what they pay each other cancels out (weak duality). A result
// that reaches exactly that sum is therefore the best there is. It is checked twice: for the welfare, with the prices
// of the zones, and for the volume, with prices in halves that the result brings along. All in whole numbers.

/** What does not hold of a result. */
export class Flaw extends Error {
  constructor(sentence, values) {
    super(sentence);
    Object.assign(this, { sentence, values });
  }
}

function must(holds, sentence, values = {}) {
  if (!holds) throw new Flaw(sentence, values);
}

/**
 * Checks a result against the orders that it met. `orders` are levels { side, zone, limit, energy }, `zones` the grid as
 * tariffIn() gives it, `result` the contract's AuctionCleared. Returns the welfare it reaches and the bound, which are
 * equal, in 1e-9 yuan, and how many Wh of the best volume are not traded: so much must have been passed over, since it
 * would have met orders of the same owner (rule R7), whom only the ledger names. Throws a Flaw with the first thing that
 * does not hold.
 */
export function checkAuction(orders, zones, fee, result) {
  const number = new Map(zones.map((zone, index) => [zone.name, index]));
  const flows = big(result.exports_wh);
  const prices = big(result.prices_micros_per_kwh);
  const halves = big(result.proof_half_micros_per_kwh);
  must(flows.length === zones.length && halves.length === zones.length, 'there is not one number for each zone');
  must(prices.length === 0 || prices.length === zones.length, 'there is not one price for each zone');
  const levels = orders.map((it) => ({ ...it, zone: number.get(it.zone) }));
  must(levels.every((it) => it.zone !== undefined), 'an order is in no zone of this market');

  zones.forEach((zone, index) => must(withinCapacity(zone, flows[index]), 'more flows from {zone} than its edge carries', { zone: zone.name }));
  const injected = zones.map((_, index) => flows[index] - sumOf(zones, (zone, child) => (zone.parent === index ? flows[child] : 0n)));
  must(flows[0] === 0n, 'the root sends something nowhere');

  const energy = BigInt(result.energy_wh);
  must(energy === 0n || prices.length > 0, 'something is traded, and has no price');
  const problems = [{ scale: 2n, bonus: 1n, prices: halves }];
  if (prices.length) problems.unshift({ scale: 1n, bonus: 0n, prices });
  const gained = problems.map((problem) => bound(problem, levels, zones, fee));
  const reached = problems.map((problem) => value(problem, levels, zones, fee, flows, injected));
  executable(problems, levels, zones, fee, injected);
  problems.forEach((problem, index) => must(reached[index] === gained[index],
    'it is worth {reached}, and prices allow for {gained}', { reached: reached[index], gained: gained[index] }));
  if (prices.length) rents(prices, zones, big(result.rents_micros_per_kwh));
  // The second problem is worth twice the welfare, and the volume.
  const volume = prices.length ? reached[1] - 2n * reached[0] : 0n;
  must(energy <= volume, '{energy} Wh are traded, and the best volume is {volume} Wh', { energy, volume });
  return { welfare: prices.length ? reached[0] : 0n, bound: prices.length ? gained[0] : 0n, passedOver: volume - energy };
}

const big = (list) => (list ?? []).map(BigInt);
const most = (one, other) => (one > other ? one : other);
const sumOf = (list, of) => list.reduce((sum, it, index) => sum + of(it, index), 0n);

function withinCapacity(zone, flow) {
  const capacity = flow > 0n ? zone.capacityUp : zone.capacityDown;
  return capacity === undefined || (flow < 0n ? -flow : flow) <= capacity;
}

/** Returns what a Wh is worth to its buyer, before what his zone's price is, or costs its seller. */
function worth({ scale, bonus }, order, zones, fee) {
  if (order.side === 'offer') return scale * order.limit;
  return scale * (order.limit - zones[order.zone].base - fee) + bonus;
}

/** Returns what an order gains of a Wh at its zone's price. */
function gain(problem, order, zones, fee) {
  const rise = worth(problem, order, zones, fee) - problem.prices[order.zone];
  return order.side === 'bid' ? rise : -rise;
}

/** Returns by how much prices differ beyond an edge's charge, for a flow up and for one down. */
function excess({ scale, prices }, zones, index) {
  const { parent, up, down } = zones[index];
  if (parent === undefined) return [0n, 0n];
  const rise = prices[parent] - prices[index];
  return [most(rise - scale * up, 0n), most(-rise - scale * down, 0n)];
}

/** Returns what all orders and edges gain together at these prices: no result can be worth more. */
function bound(problem, levels, zones, fee) {
  const ofOrders = sumOf(levels, (order) => most(gain(problem, order, zones, fee), 0n) * order.energy);
  const ofEdges = sumOf(zones, (zone, index) => {
    const ways = excess(problem, zones, index);
    return sumOf([zone.capacityUp, zone.capacityDown], (capacity, way) => {
      must(ways[way] === 0n || capacity !== undefined, 'an edge without a limit has a rent: {zone}', { zone: zone.name });
      return ways[way] * (capacity ?? 0n);
    });
  });
  return ofOrders + ofEdges;
}

/** Returns what the result is worth, with every order that gains executed, and those that neither gain nor lose as far as
 * the zones' flows need it: a Wh of theirs is worth its zone's price. */
function value(problem, levels, zones, fee, flows, injected) {
  const winners = levels.filter((order) => gain(problem, order, zones, fee) > 0n);
  const signed = (order) => (order.side === 'bid' ? -order.energy : order.energy);
  const ofWinners = sumOf(winners, (order) => -signed(order) * worth(problem, order, zones, fee));
  const rest = zones.map((_, zone) => injected[zone] - sumOf(winners, (it) => (it.zone === zone ? signed(it) : 0n)));
  const ofRest = sumOf(rest, (energy, zone) => -energy * problem.prices[zone]);
  const charges = sumOf(zones, (zone, index) => problem.scale * (flows[index] > 0n ? flows[index] * zone.up : -flows[index] * zone.down));
  return ofWinners + ofRest - charges;
}

/** Checks that orders can be executed as far as each must, may, and no further, so that each zone sends what it does. */
function executable(problems, levels, zones, fee, injected) {
  const least = zones.map(() => ({ bid: 0n, offer: 0n }));
  const greatest = zones.map(() => ({ bid: 0n, offer: 0n }));
  for (const order of levels) {
    const gains = problems.map((problem) => gain(problem, order, zones, fee));
    const [wins, loses] = [gains.some((it) => it > 0n), gains.some((it) => it < 0n)];
    must(!(wins && loses), 'an order would have to trade and not to trade');
    if (wins) least[order.zone][order.side] += order.energy;
    if (!loses) greatest[order.zone][order.side] += order.energy;
  }
  zones.forEach((zone, index) => {
    const fits = least[index].offer - greatest[index].bid <= injected[index]
      && injected[index] <= greatest[index].offer - least[index].bid;
    must(fits, 'at its price {zone} would not send what it sends', { zone: zone.name });
  });
}

/** Checks that a full edge earns what prices differ by beyond its charge, and any other nothing. */
function rents(prices, zones, paid) {
  must(paid.length === zones.length, 'there is not one rent for each zone');
  zones.forEach((zone, index) => {
    const [up, down] = excess({ scale: 1n, prices }, zones, index);
    must(paid[index] === most(up, down), 'the rent of {zone} is not what prices differ by', { zone: zone.name });
  });
}
