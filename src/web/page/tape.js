// The trades of the chosen quarter hour, newest first, and what the auction came to.

import { checkAuction, Flaw } from './auction.js';
import { byId, h, say, show, table } from './dom.js';
import { count, decimal, kwh, percent, price, scaled } from './money.js';
import { tariffIn } from './tariff.js';
import { t } from './words.js';

const SAY_MS = 4000;
const untold = [];
let saying = null;

/** Says that something was traded: the first trade at once, and of those that follow within seconds only how many. */
export function sayTrades(trades) {
  if (!trades.length) return;
  untold.push(...trades);
  if (saying) return;
  const tell = () => {
    const [newest, many] = [untold.at(-1), untold.length];
    untold.length = 0;
    saying = many ? setTimeout(tell, SAY_MS) : null;
    if (many) {
      const values = { price: price(newest.price_micros_per_kwh, 4), count: count(many) };
      say(t(many === 1 ? 'A trade at {price} yuan/kWh' : '{count} trades, the last at {price} yuan/kWh', values));
    }
  };
  tell();
}

/** Draws the trades. */
export function drawTape(trades, limit) {
  const rows = trades.map((trade) => [`#${trade.id}`, price(trade.price_micros_per_kwh, 4), kwh(trade.energy_wh, 3), price(allIn(trade), 4),
    trade.matching === 'MATCHING_AUCTION' ? t('auction') : t('continuous')]);
  show(byId('tape'),
    h('h2', { id: 'tape-title' }, t('Trades')),
    h('p', { class: 'quiet', id: 'tape-note' }, trades.length === limit
      ? t('The newest {count}. Who trades with whom is nobody else’s to know.', { count: count(limit) })
      : t(trades.length === 1 ? 'One trade. Who trades with whom is nobody else’s to know.' : '{count} trades. Who trades with whom is nobody else’s to know.', { count: count(trades.length) })),
    trades.length === 0 ? h('p', { class: 'empty' }, t('Nothing has been traded in this quarter hour.'))
      : table(t('Trades, newest first'), [t('Trade'), t('Price (yuan/kWh)'), t('Energy (kWh)'), t('All-in (yuan/kWh)'), t('How')], rows, { words: [4], hideCaption: true }));
}

function allIn(trade) {
  return ['price', 'wheeling', 'congestion', 'fee'].reduce((all, part) => all + BigInt(trade[`${part}_micros_per_kwh`]), 0n);
}

/** Draws an auction's result, and checks its proof against the orders that it met. */
export function drawAuction(market, auction, indicative) {
  const { result, isIndicative } = auction.result ? { result: auction.result } : { result: indicative?.result, isIndicative: true };
  const part = byId('auction');
  const head = h('h2', { id: 'auction-title' }, isIndicative && result ? t('The auction, if it were held now') : t('The auction'));
  if (!result) {
    show(part, head, h('p', { class: 'empty' }, auction.isMoving ? t('Orders come and go too fast to say what the auction would be.') : t('No auction has been held for this quarter hour.')));
    return;
  }
  const { zones } = market.genesis;
  const rows = zones.map((zone, index) => [zone.name, result.prices_micros_per_kwh.length ? price(result.prices_micros_per_kwh[index], 4) : '–',
    kwh(result.exports_wh[index]), result.rents_micros_per_kwh.length ? price(result.rents_micros_per_kwh[index], 4) : '–']);
  show(part, head,
    h('p', { class: 'quiet' }, t(zones.length === 1 ? '{energy} kWh at one price.'
      : '{energy} kWh at one price per zone. Prices differ by what wheeling from zone to zone costs, and by more across a full edge.', { energy: kwh(result.energy_wh) })),
    table(t('The auction’s result by zone'), [t('Zone'), t('Price (yuan/kWh)'), t('Sends to its parent (kWh)'), t('Rent of its edge (yuan/kWh)')], rows, { hideCaption: true }),
    isIndicative && auction.bids.length + auction.offers.length === 0 ? null : verdict(market, auction, result));
}

function verdict(market, { slot, bids, offers }, result) {
  if (bids.length + offers.length === 0) {
    return h('p', { class: 'verdict unknown', id: 'auction-verdict', 'data-holds': 'unknown' },
      t('The orders that it met are not kept any more, so this browser cannot check it. The ledger can.'));
  }
  const level = (side) => (it) => ({ side, zone: it.zone, limit: BigInt(it.limit_price_micros_per_kwh), energy: BigInt(it.energy_wh) });
  const orders = [...bids.map(level('bid')), ...offers.map(level('offer'))];
  const { zones, fee } = tariffIn(market, slot);
  try {
    const { welfare, bound, passedOver } = checkAuction(orders, zones, fee, result);
    const worth = (nanos) => decimal(scaled(nanos, 9), 2);
    const howMany = [...bids, ...offers].reduce((all, it) => all + it.orders, 0);
    return h('div', { class: 'verdict holds', id: 'auction-verdict', 'data-holds': 'true', 'data-welfare': welfare },
      h('strong', {}, t('Checked by this browser: no better result exists.')), ' ',
      t(howMany === 1 ? 'At these prices the only order and the grid together could gain {bound} yuan at most; the result reaches {welfare} yuan.'
        : 'At these prices all {orders} orders and the grid together could gain {bound} yuan at most; the result reaches {welfare} yuan.',
        { orders: count(howMany), bound: worth(bound), welfare: worth(welfare) }),
      passedOver > 0n && ` ${t('{energy} kWh of it were passed over, since buyer and seller would have been the same.', { energy: kwh(passedOver, 3) })}`);
  } catch (problem) {
    if (!(problem instanceof Flaw)) throw problem;
    return h('div', { class: 'verdict broken', id: 'auction-verdict', 'data-holds': 'false' },
      h('strong', {}, t('This result does not prove itself.')), ' ', t(problem.sentence, problem.values));
  }
}

/** Draws what became of the certificates of the day's generation. */
export function drawCertificates(day) {
  const it = day.certificates;
  const part = byId('certificates');
  const head = h('h2', { id: 'certificates-title' }, t('Green certificates'));
  if (!it) {
    show(part, head, h('p', { class: 'empty' }, day.slots_settled < day.slots ? t('Known once all of the day is delivered and paid.')
      : t('Not shown: fewer than three producers have certificates of this day, and would be seen through their sum.')));
    return;
  }
  const known = (...parts) => (parts.includes(undefined) ? undefined : parts.reduce((all, wh) => all + BigInt(wh), 0n));
  const issued = known(it.issued_wh, it.self_consumed_wh);
  const gone = known(it.retired_wh, it.bundled_wh, it.expired_wh, it.voided_wh);
  const rest = issued === undefined || gone === undefined ? undefined : issued - gone;
  const rows = [['Claimed', it.retired_wh, 'retired'], ['Held', rest, 'held'], ['In national certificates (GEC)', it.bundled_wh, 'bundled'],
    ['Expired', it.expired_wh, 'expired'], ['Withdrawn', it.voided_wh, 'voided']];
  const bar = rest !== undefined && h('div', { class: 'shares', 'aria-hidden': 'true' }, ...rows.map(([, wh, name]) => share(wh, issued, name)));
  const few = t('not shown, since it is that of one or two');
  const of = (wh) => (wh === undefined ? few : kwh(wh));
  show(part, head,
    h('p', { class: 'quiet' }, t('Each Wh of this day’s sun has one certificate: {issued} kWh were fed in, {own} kWh their producers used themselves.',
      { issued: kwh(it.issued_wh), own: it.self_consumed_wh === undefined ? '–' : kwh(it.self_consumed_wh) })),
    bar,
    table(t('What became of the certificates'), [t('Certificates'), t('Energy (kWh)'), t('Share')],
      rows.map(([name, wh, id]) => [h('span', { class: `key ${id}` }, t(name)), h('span', { id: `certificates-${id}`, 'data-value': String(wh) }, of(wh)), wh === undefined || issued === undefined ? '–' : percent(wh, issued)]),
      { hideCaption: true }));
}

function share(part, whole, name) {
  const element = h('div', { class: name });
  element.style.flexGrow = whole === 0n ? '0' : String(Number((BigInt(part) * 10000n) / whole));
  return element;
}
