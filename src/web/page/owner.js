// A signed-in owner's day: what he offered, sold, delivered and earned, against feed-in and retail alone.

import { read } from './api.js';
import { isSettled } from './book.js';
import { byId, figure, h, show, table } from './dom.js';
import { kwh, nanos, percent, scaled, sum, yuan } from './money.js';
import { axis, bars, colour, hours, plot } from './plots.js';
import { SECONDS, span } from './time.js';
import { t } from './words.js';

const FIGURES = ['bought_wh', 'sold_wh', 'delivered_as_buyer_wh', 'delivered_as_seller_wh', 'import_wh', 'export_wh', 'generation_wh', 'certificates_issued_wh'];
const AMOUNTS = ['amount_yuan', 'without_market_yuan', 'gain_yuan', 'energy_yuan'];
const ORDERS = 1000;
const DAYS_AROUND = { before: 4, after: 31 };

/** Reads and draws it. */
export async function drawMine(account, day, slots) {
  const micros = (slot) => BigInt(slot * SECONDS) * 1000000n;
  const end = day.first_slot + day.slots;
  const [orders, statement] = await Promise.all([
    read('Account/ListOrders', { count: ORDERS }, { asOwner: true }),
    // What is recorded about a day begins before it, with the first trade, and ends with its final settlement.
    read('Account/GetStatement', {
      from_micros: micros(day.first_slot - DAYS_AROUND.before * 96), until_micros: micros(end + DAYS_AROUND.after * 96),
    }, { asOwner: true }),
  ]);
  const within = (slot) => slot >= day.first_slot && slot < end;
  const parts = statement.parts.flatMap((part) => (part.slot && within(part.slot.slot) ? [part.slot] : []));
  const offered = offeredBySlot(orders.orders.filter((it) => within(it.order.slot)));
  const settled = new Set(slots.filter(isSettled).map((it) => it.slot));
  draw(account, day, parts, offered, settled, orders.orders.length === ORDERS);
}

/** Returns what was offered by slot: of an order that was withdrawn only what traded. */
function offeredBySlot(orders) {
  const bySlot = new Map();
  for (const { order, state, traded_wh: traded } of orders.filter((it) => it.order.side === 'SIDE_OFFER')) {
    const withdrawn = ['ORDER_STATE_CANCELLED', 'ORDER_STATE_REPLACED', 'ORDER_STATE_LAPSED'].includes(state);
    const energy = BigInt(withdrawn ? traded : order.energy_wh);
    bySlot.set(order.slot, (bySlot.get(order.slot) ?? 0n) + energy);
  }
  return bySlot;
}

/** Returns what he has done: sold, where nothing else is known, bought, or both. */
function roles(all, offered) {
  const buys = all.bought_wh > 0n;
  return { buys, sells: all.sold_wh > 0n || offered.size > 0 || !buys };
}

function draw(account, day, parts, offered, settled, isCut) {
  const all = totals(parts.map((part) => part.figures));
  const { buys, sells } = roles(all, offered);
  const host = h('div', { class: 'plot' });
  byId('mine').hidden = false;
  show(byId('mine'),
    h('h2', { id: 'mine-title' }, t('Your day, {name}', { name: account.name })),
    h('p', { class: 'quiet' }, t('Zone {zone}. Your account stands at {balance} yuan, of which {reserved} are reserved.',
      { zone: account.zone, balance: yuan(account.balance_yuan), reserved: yuan(account.reserved_yuan) })),
    h('div', { class: 'figures' }, ...figures({ all, day, offered, isCut, buys, sells })),
    parts.length === 0 ? h('p', { class: 'empty' }, t('Nothing of yours is recorded about this day yet.')) : host,
    parts.length > 0 && h('details', {}, h('summary', {}, t('By quarter hour')), bySlot(parts, offered, settled, { buys, sells })));
  if (parts.length > 0) drawPlot(host, day, parts, offered, { buys, sells });
}

function figures({ all, day, offered, isCut, buys, sells }) {
  const unit = (text) => h('span', { class: 'unit' }, ` ${text}`);
  const energy = (id, name, wh, note) => figure(id, t(name), [kwh(wh), unit(t('kWh'))], note, wh);
  const isPaid = day.slots_settled > 0;
  const later = t('Known once the first quarter hour is delivered and paid.');
  const delivered = (id, name, wh, note) => (isPaid ? energy(id, name, wh, note) : figure(id, t(name), ['–', unit(t('kWh'))], later, wh));
  const offeredAll = [...offered.values()].reduce((total, wh) => total + wh, 0n);
  return [
    sells && energy('mine-offered', 'Offered', offeredAll, isCut ? t('Of your newest 1,000 orders.') : t('What was not withdrawn.')),
    sells && energy('mine-sold', 'Sold', all.sold_wh, t('All your sales of this day.')),
    sells && delivered('mine-delivered', 'Delivered', all.delivered_as_seller_wh,
      t('{share} of what you sold; {export} kWh fed in altogether.', { share: percent(all.delivered_as_seller_wh, all.sold_wh), export: kwh(all.export_wh) })),
    buys && energy('mine-bought', 'Bought', all.bought_wh, t('All your purchases of this day.')),
    buys && delivered('mine-received', 'Delivered to you', all.delivered_as_buyer_wh,
      t('{share} of what you bought; {import} kWh drawn from the grid altogether.', { share: percent(all.delivered_as_buyer_wh, all.bought_wh), import: kwh(all.import_wh) })),
    figure('mine-earned', t('Your account moved by'), [isPaid ? yuan(all.amount_yuan, 2, 'exceptZero') : '–', unit(t('yuan'))],
      isPaid ? t('Without the market: {without} yuan. The market gained you {gain} yuan.',
        { without: yuan(all.without_market_yuan, 2, 'exceptZero'), gain: yuan(all.gain_yuan) }) : later, all.amount_yuan),
  ].filter(Boolean);
}

function bySlot(parts, offered, settled, { buys, sells }) {
  const known = (of) => ({ slot, figures: it }) => (settled.has(slot) ? of(it) : '–');
  const columns = [
    sells && ['Offered (kWh)', ({ slot }) => kwh(offered.get(slot) ?? 0n)],
    sells && ['Sold (kWh)', ({ figures: it }) => kwh(it.sold_wh)],
    sells && ['Delivered (kWh)', known((it) => kwh(it.delivered_as_seller_wh))],
    buys && ['Bought (kWh)', ({ figures: it }) => kwh(it.bought_wh)],
    buys && ['Delivered to you (kWh)', known((it) => kwh(it.delivered_as_buyer_wh))],
    ['Account (yuan)', known((it) => yuan(it.amount_yuan, 4))],
    ['Without the market (yuan)', known((it) => yuan(it.without_market_yuan, 4))],
  ].filter(Boolean);
  return table(t('Your day by quarter hour'), [t('Quarter hour'), ...columns.map(([name]) => t(name))],
    parts.map((part) => [span(part.slot), ...columns.map(([, of]) => of(part))]), { hideCaption: true });
}

function totals(figures) {
  const all = {};
  for (const name of FIGURES) all[name] = figures.reduce((total, it) => total + BigInt(it[name]), 0n);
  for (const name of AMOUNTS) all[name] = figures.length ? sum(...figures.map((it) => it[name])) : scaled(nanos('0'), 9);
  return all;
}

function drawPlot(host, day, parts, offered, { buys, sells }) {
  const x = Array.from({ length: day.slots }, (_, index) => day.first_slot + index);
  const by = new Map(parts.map((part) => [part.slot, part.figures]));
  const shown = (wh) => Number(wh) / 1000 || null;
  const series = (label, name, edge = name) => ({ label: t(label), paths: bars(), points: { show: false }, fill: colour(name), stroke: colour(edge), width: 1,
    value: (_, value) => `${(value ?? 0).toFixed(3)} ${t('kWh')}` });
  const energies = x.map((slot) => shown(offered.get(slot) ?? 0n));
  const of = (name) => x.map((slot) => shown(by.get(slot)?.[name] ?? 0));
  const drawn = [...(sells ? [[series('Offered', 'bars', 'bars-edge'), energies], [series('Sold', 'accent'), of('sold_wh')]] : []),
    ...(buys ? [[series('Bought', 'bid-bars', 'bid-bars-edge'), of('bought_wh')], [series('Delivered to you', 'bid'), of('delivered_as_buyer_wh')]] : [])];
  const words = sells ? t('Offered and sold by quarter hour') : t('Bought and delivered by quarter hour');
  const most = drawn[0][1].indexOf(Math.max(...drawn[0][1]));
  plot(host, 200, {
    scales: { x: { time: false, range: [x[0], x.at(-1) + 1] }, y: { range: (_, low, high) => [0, Math.max(high * 1.1, 0.1)] } },
    axes: [hours(x[0]), axis({ size: 46, label: t('kWh'), labelSize: 18 })],
    series: [{ label: t('Quarter hour'), value: (_, slot) => (Number.isInteger(slot) ? span(slot) : '–') }, ...drawn.map(([it]) => it)],
    cursor: { y: false },
  }, [x, ...drawn.map(([, values]) => values)], words, () => most);
}
