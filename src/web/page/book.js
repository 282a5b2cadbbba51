// The book of the chosen quarter hour: who would buy and sell at which price, as it stands now, or as the auction met it.

import { asTable, byId, h, show, table } from './dom.js';
import { kwh, price } from './money.js';
import { axis, colour, plot, steps } from './plots.js';
import { t } from './words.js';

const PHASES = {
  PHASE_SCHEDULED: 'Trading has not opened.',
  PHASE_AUCTION: 'Orders gather for the auction.',
  PHASE_CONTINUOUS: 'Orders trade as they come.',
  PHASE_CLOSED: 'The gate is closed; delivery and metering follow.',
  PHASE_SETTLED: 'Delivered and paid.',
  PHASE_RESETTLED: 'Delivered and paid; a later reading has changed what is paid.',
  PHASE_FINAL: 'Delivered and paid, for good.',
};

export const phaseInWords = (phase) => t(PHASES[phase] ?? PHASES.PHASE_SCHEDULED);

/** Returns whether what was delivered in a quarter hour is known, and paid. */
export const isSettled = ({ phase }) => ['PHASE_SETTLED', 'PHASE_RESETTLED', 'PHASE_FINAL'].includes(phase);

/** The book as the market's stream tells it: snapshots, and changes on top of them. */
export class Book {
  constructor() {
    this.levels = new Map();
  }

  /** Takes the place of what was known. */
  begin(depth) {
    this.levels.clear();
    for (const [side, levels] of [['bid', depth.bids], ['offer', depth.offers]]) {
      for (const it of levels) this.change({ side, zone: it.zone, limit: it.limit_price_micros_per_kwh, energy: it.energy_wh, orders: it.orders });
    }
  }

  /** Adds a change of a level; one that has no order left is gone. */
  change({ side, zone, limit, energy, orders }) {
    const key = `${side} ${zone} ${limit}`;
    const level = this.levels.get(key) ?? { side, zone, limit: BigInt(limit), energy: 0n, orders: 0 };
    level.energy += BigInt(energy);
    level.orders += orders;
    if (level.orders === 0) this.levels.delete(key);
    else this.levels.set(key, level);
  }

  apply(change, slot) {
    for (const it of change.levels.filter((level) => level.slot === slot)) {
      const side = it.side === 'SIDE_BID' ? 'bid' : 'offer';
      this.change({ side, zone: it.zone, limit: it.limit_price_micros_per_kwh, energy: it.energy_wh, orders: it.orders });
    }
  }

  of(side) {
    const levels = [...this.levels.values()].filter((level) => level.side === side);
    const sign = side === 'bid' ? -1 : 1;
    return levels.sort((one, other) => sign * Number(one.limit - other.limit));
  }
}

/** Draws the book. Where nothing stands in it any more, what the auction met is drawn instead, if it is known. */
export function drawBook({ book, auction, phase, live }) {
  const isPast = book.levels.size === 0 && (auction.bids.length > 0 || auction.offers.length > 0);
  const shown = isPast ? new Book() : book;
  if (isPast) shown.begin(auction);
  const [bids, offers] = [shown.of('bid'), shown.of('offer')];
  const host = h('div', { class: 'plot' });
  const state = isPast ? t('As the auction met it, a day before.') : live ? t('Live') : t('As it stands; not live now.');
  show(byId('book'),
    h('h2', { id: 'book-title' }, t('Bids and offers')),
    h('p', { class: 'quiet' }, h('span', { class: live && !isPast ? 'live' : 'still', id: 'book-state' }, state), ' ', phaseInWords(phase)),
    bids.length + offers.length === 0 ? h('p', { class: 'empty' }, t('No order stands in the book.')) : host,
    bids.length + offers.length > 0 && h('p', { class: 'quiet' }, t('A bid’s limit is for all that its buyer pays, with wheeling, congestion and fee; an offer’s is for what its seller gets.')),
    bids.length + offers.length > 0 && asTable(t('Bids and offers'), levelTable(bids, offers)));
  if (bids.length + offers.length > 0) drawPlot(host, bids, offers);
}

function levelTable(bids, offers) {
  const row = (name) => (it) => [name, it.zone, price(it.limit, 4), kwh(it.energy), String(it.orders)];
  return table(t('Bids and offers, best first'), [t('Side'), t('Zone'), t('Limit (yuan/kWh)'), t('Energy (kWh)'), t('Orders')],
    [...bids.map(row(t('Bid'))), ...offers.map(row(t('Offer')))], { words: [1], hideCaption: true });
}

function inWords(bids, offers) {
  const best = (levels) => (levels.length ? price(levels[0].limit, 4) : '–');
  const all = (levels) => kwh(levels.reduce((total, it) => total + it.energy, 0n));
  return t('{bids} kWh are bid for, at most at {bid} yuan/kWh; {offers} kWh are offered, at least at {offer} yuan/kWh.',
    { bids: all(bids), bid: best(bids), offers: all(offers), offer: best(offers) });
}

/** Returns the staircase of a side: how much altogether at each price. */
function staircase(levels) {
  let total = 0n;
  const stairs = new Map();
  for (const it of levels) {
    total += it.energy;
    stairs.set(Number(it.limit) / 1e6, Number(total) / 1000);
  }
  return stairs;
}

function drawPlot(host, bids, offers) {
  const [demand, supply] = [staircase(bids), staircase(offers)];
  const x = [...new Set([...demand.keys(), ...supply.keys()])].sort((one, other) => one - other);
  const margin = Math.max((x.at(-1) - x[0]) * 0.05, 0.02);
  x.unshift(x[0] - margin);
  x.push(x.at(-1) + margin);
  const filled = (stairs, isDemand) => {
    const line = [];
    let known = 0;
    for (const at of isDemand ? x.toReversed() : x) {
      known = stairs.get(at) ?? known;
      line.push(known);
    }
    return isDemand ? line.reverse() : line;
  };
  const [bidFor, offered] = [filled(demand, true), filled(supply, false)];
  // Where they meet: the last limit at which no more is offered than bid for.
  const meeting = Math.max(0, x.findLastIndex((_, at) => offered[at] <= bidFor[at]));
  const energy = (_, value) => (value === null || value === undefined ? '–' : `${value.toFixed(value > 0 && value < 1 ? 3 : 1)} ${t('kWh')}`);
  plot(host, 260, {
    scales: { x: { time: false }, y: { range: (_, low, high) => [0, high * 1.05] } },
    axes: [
      axis({ values: (_, ticks) => ticks.map((it) => it.toFixed(2)), label: t('yuan/kWh'), size: 30, labelSize: 18, space: 50 }),
      axis({ size: 46, label: t('kWh'), labelSize: 18 }),
    ],
    series: [
      { label: t('Limit'), value: (_, at) => (at === null ? '–' : `${at.toFixed(4)} ${t('yuan/kWh')}`) },
      { label: t('Bid for at this price or more'), paths: steps('up to'), points: { show: false }, stroke: colour('bid'), fill: colour('bid-fill'), width: 2, value: energy },
      { label: t('Offered at this price or less'), paths: steps('from'), points: { show: false }, stroke: colour('offer'), fill: colour('offer-fill'), width: 2, value: energy },
    ],
  }, [x, bidFor, offered], inWords(bids, offers), () => meeting);
}
