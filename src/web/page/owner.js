// A signed-in owner's day: what he offered, sold, delivered and earned, against feed-in and retail alone.

import { read } from './api.js';
import { byId, figure, h, show, table } from './dom.js';
import { kwh, nanos, percent, scaled, sum, yuan } from './money.js';
import { axis, bars, colour, plot } from './plots.js';
import { clock, SECONDS, span } from './time.js';
import { t } from './words.js';

const FIGURES = ['bought_wh', 'sold_wh', 'delivered_as_buyer_wh', 'delivered_as_seller_wh', 'import_wh', 'export_wh', 'generation_wh', 'certificates_issued_wh'];
const AMOUNTS = ['amount_yuan', 'without_market_yuan', 'gain_yuan', 'energy_yuan'];
const ORDERS = 1000;
const DAYS_AROUND = { before: 4, after: 31 };

/** Reads and draws it. */
export async function drawMine(account, day) {
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
  draw(account, day, parts, offered, orders.orders.length === ORDERS);
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

function draw(account, day, parts, offered, isCut) {
  const all = totals(parts.map((part) => part.figures));
  const offeredAll = [...offered.values()].reduce((total, wh) => total + wh, 0n);
  const unit = (text) => h('span', { class: 'unit' }, ` ${text}`);
  const host = h('div', { class: 'plot', role: 'img', 'aria-label': t('Offered and sold by quarter hour') });
  byId('mine').hidden = false;
  show(byId('mine'),
    h('h2', { id: 'mine-title' }, t('Your day, {name}', { name: account.name })),
    h('p', { class: 'quiet' }, t('Zone {zone}. Your account stands at {balance} yuan, of which {reserved} are reserved.',
      { zone: account.zone, balance: yuan(account.balance_yuan), reserved: yuan(account.reserved_yuan) })),
    h('div', { class: 'figures' },
      figure('mine-offered', t('Offered'), [kwh(offeredAll), unit(t('kWh'))], isCut ? t('Of your newest 1,000 orders.') : t('What was not withdrawn.'), offeredAll),
      figure('mine-sold', t('Sold'), [kwh(all.sold_wh), unit(t('kWh'))], t('{bought} kWh bought.', { bought: kwh(all.bought_wh) }), all.sold_wh),
      figure('mine-delivered', t('Delivered'), [kwh(all.delivered_as_seller_wh), unit(t('kWh'))],
        t('{share} of what you sold; {export} kWh fed in altogether.', { share: percent(all.delivered_as_seller_wh, all.sold_wh), export: kwh(all.export_wh) }), all.delivered_as_seller_wh),
      figure('mine-earned', t('Your account moved by'), [yuan(all.amount_yuan, 2, 'exceptZero'), unit(t('yuan'))],
        t('Without the market: {without} yuan. The market gained you {gain} yuan.', { without: yuan(all.without_market_yuan, 2, 'exceptZero'), gain: yuan(all.gain_yuan) }), all.amount_yuan)),
    parts.length === 0 ? h('p', { class: 'empty' }, t('Nothing of yours is recorded about this day yet.')) : host,
    parts.length > 0 && h('details', {}, h('summary', {}, t('By quarter hour')),
      table(t('Your day by quarter hour'), [t('Quarter hour'), t('Offered (kWh)'), t('Sold (kWh)'), t('Delivered (kWh)'), t('Account (yuan)'), t('Without the market (yuan)')],
        parts.map(({ slot, figures }) => [span(slot), kwh(offered.get(slot) ?? 0n), kwh(figures.sold_wh), kwh(figures.delivered_as_seller_wh),
          yuan(figures.amount_yuan, 4), yuan(figures.without_market_yuan, 4)]), { hideCaption: true })));
  if (parts.length > 0) drawPlot(host, day, parts, offered);
}

function totals(figures) {
  const all = {};
  for (const name of FIGURES) all[name] = figures.reduce((total, it) => total + BigInt(it[name]), 0n);
  for (const name of AMOUNTS) all[name] = figures.length ? sum(...figures.map((it) => it[name])) : scaled(nanos('0'), 9);
  return all;
}

function drawPlot(host, day, parts, offered) {
  const x = Array.from({ length: day.slots }, (_, index) => day.first_slot + index);
  const by = new Map(parts.map((part) => [part.slot, part.figures]));
  const shown = (wh) => Number(wh) / 1000;
  const series = (label, name) => ({ label: t(label), paths: bars(), points: { show: false }, fill: colour(name), stroke: colour(name), width: 0,
    value: (_, value) => (value === null || value === undefined ? '–' : `${value.toFixed(3)} kWh`) });
  const energies = x.map((slot) => shown(offered.get(slot) ?? 0n));
  const most = energies.indexOf(Math.max(...energies));
  plot(host, 200, {
    scales: { x: { time: false, range: [x[0], x.at(-1) + 1] }, y: { range: (_, low, high) => [0, Math.max(high * 1.1, 0.1)] } },
    axes: [axis({ size: 30, space: 44, values: (_, ticks) => ticks.map((slot) => clock(slot)), incrs: [4, 8, 12, 16, 24] }), axis({ size: 46, label: t('kWh'), labelSize: 18 })],
    series: [{ label: t('Quarter hour'), value: (_, slot) => (slot === null ? '–' : span(slot)) }, series('Offered', 'line-strong'), series('Sold', 'accent')],
    cursor: { y: false },
  }, [x, energies, x.map((slot) => shown(by.get(slot)?.sold_wh ?? 0))], () => most);
}
