// The day: its figures first, then prices and energies by quarter hour, and the choice of one of them.

import { isSettled } from './book.js';
import { asTable, byId, figure, h, say, show, table } from './dom.js';
import { count, kwh, percent, price, sum, yuan } from './money.js';
import { axis, bars, colour, hours, plot, quarters } from './plots.js';
import { tariffIn } from './tariff.js';
import { dateAfter, dateInWords, span, zoneName } from './time.js';
import { list, t } from './words.js';

const number = (micros) => (micros === undefined ? null : Number(micros) / 1e6);

/** Draws the day's name, and the way to others. */
export function drawHead(day, goTo) {
  show(byId('day-title'), dateInWords(day.date));
  byId('day-words').textContent = t('What the roofs sold to their neighbours, and for how much.');
  const step = (days, sign, words) => h('button', {
    type: 'button', class: 'round', 'aria-label': t(words), id: days < 0 ? 'day-before' : 'day-after',
    onclick: () => goTo(dateAfter(day.date, days)),
  }, sign);
  const pick = h('input', {
    type: 'date', id: 'day-date', value: day.date, 'aria-label': t('Day'),
    onchange: (event) => event.target.value && goTo(event.target.value),
  });
  show(byId('day-nav'), step(-1, '‹', 'The day before'), pick, step(1, '›', 'The day after'));
}

/** Draws what the day came to, and of today also how it stands in this quarter hour. What is not known yet has no number. */
export function drawFigures(market, day, slots, nowSlot) {
  const isPaid = day.slots_settled > 0;
  const traded = BigInt(day.traded_wh) > 0n;
  const saved = sum(day.sellers_gain_yuan, day.buyers_gain_yuan, minus(day.deviation_yuan));
  const unit = (text) => h('span', { class: 'unit' }, ` ${text}`);
  const mean = (name) => (traded ? price(day[`mean_${name}_micros_per_kwh`]) : '–');
  const tariff = (name) => (traded ? mean(name === 'feedIn' ? 'feed_in' : name) : tariffOf(market, day, name));
  const current = slots.find((it) => it.slot === nowSlot);
  const now = current ? ` ${t('Now, {span}: {price} yuan/kWh.', { span: span(nowSlot), price: priceOf(current) })}` : '';
  show(byId('figures'),
    figure('price', t('Sellers were paid'), [mean('price'), unit(t('yuan/kWh'))],
      t(traded ? 'Feed-in alone pays {feedIn}. Buyers paid {allIn} with all charges; retail alone costs {retail}.'
        : 'Nothing is traded for this day. Feed-in alone pays {feedIn}; retail alone costs {retail}.',
      { feedIn: tariff('feedIn'), allIn: mean('all_in'), retail: tariff('retail') }) + now, day.mean_price_micros_per_kwh),
    figure('traded', t('Traded over the wall'), [kwh(day.traded_wh), unit(t('kWh'))],
      t(tradesInWords(day, nowSlot >= day.first_slot + day.slots), { trades: count(day.trades), delivered: percent(day.delivered_wh, day.traded_wh) }), day.traded_wh),
    figure('saved', t('Neighbours saved'), [isPaid ? yuan(saved, 0) : '–', unit(t('yuan'))],
      !isPaid ? t('Known once the first quarter hour is delivered and paid.') : t('Sellers got {sellers} more, buyers paid {buyers} less than without the market; {deviation} went for what was not delivered.',
        { sellers: yuan(day.sellers_gain_yuan, 0), buyers: yuan(day.buyers_gain_yuan, 0), deviation: yuan(day.deviation_yuan, 0) }), saved));
}

/** Returns what is said of a day's trades, by how far the day is. */
function tradesInWords(day, isOver) {
  if (day.trades === '0') return isOver ? 'Nothing was traded.' : 'No trade so far.';
  if (day.slots_settled === 0) return day.trades === '1' ? 'in one trade; nothing is delivered yet.' : 'in {trades} trades; nothing is delivered yet.';
  if (day.trades === '1') return 'in one trade; {delivered} of it delivered so far.';
  return day.slots_settled === day.slots ? 'in {trades} trades; {delivered} of it delivered.' : 'in {trades} trades; {delivered} of it delivered so far.';
}

/** Returns the lowest and the highest tariff of a day. */
function tariffOf(market, day, name) {
  const all = Array.from({ length: day.slots }, (_, place) => Number(tariffIn(market, day.first_slot + place)[name]));
  const [low, high] = [Math.min(...all), Math.max(...all)];
  return low === high ? price(low) : `${price(low)}–${price(high)}`;
}

const minus = (text) => (text.startsWith('-') ? text.slice(1) : `-${text}`);

/** Draws prices and energies by quarter hour; `choose` hears which of them was chosen. */
export function drawDay(market, day, slots, chosen, choose) {
  const host = h('div', { class: 'plot' });
  const rows = rowsOf(market, day, slots);
  show(byId('day'),
    h('h2', { id: 'day-plot-title' }, t('Price and energy by quarter hour')),
    h('p', { class: 'quiet' }, t('Choose a quarter hour in the plot, or below it. Times are of {zone}.', { zone: zoneName() })),
    host,
    asTable(t('Price and energy by quarter hour'), table(t('Price and energy by quarter hour'),
      [t('Quarter hour'), t('Price (yuan/kWh)'), t('Traded (kWh)'), t('Delivered (kWh)')],
      rows.filter((it) => it.summary).map(({ slot, summary }) => [span(slot), priceOf(summary), kwh(summary.traded_wh), isSettled(summary) ? kwh(summary.delivered_wh) : '–']),
      { hideCaption: true })));
  drawPlot(host, rows, summaryOf(day, slots), chosen, choose);
}

const priceOf = (summary) => (summary?.mean_price_micros_per_kwh === undefined ? '–' : price(summary.mean_price_micros_per_kwh));

function rowsOf(market, day, slots) {
  const bySlot = new Map(slots.map((it) => [it.slot, it]));
  return Array.from({ length: day.slots }, (_, index) => {
    const slot = day.first_slot + index;
    return { slot, summary: bySlot.get(slot), tariff: tariffIn(market, slot) };
  });
}

function summaryOf(day, slots) {
  const priced = slots.filter((it) => it.mean_price_micros_per_kwh !== undefined);
  if (!priced.length) return t('Nothing has been traded for this day yet.');
  const by = (of) => priced.toSorted((one, other) => Number(BigInt(of(one)) - BigInt(of(other))));
  const prices = by((it) => it.mean_price_micros_per_kwh);
  const most = by((it) => it.traded_wh).at(-1);
  return t('Prices lay between {low} and {high} yuan/kWh; most was traded for {span}: {kwh} kWh.', {
    low: priceOf(prices[0]), high: priceOf(prices.at(-1)), span: span(most.slot), kwh: kwh(most.traded_wh),
  });
}

function drawPlot(host, rows, words, chosen, choose) {
  const x = rows.map((it) => it.slot);
  const data = [x,
    rows.map((it) => Number(it.summary?.traded_wh ?? 0) / 1000 || null),
    rows.map((it) => Number(it.tariff.retail) / 1e6),
    rows.map((it) => Number(it.tariff.feedIn) / 1e6),
    rows.map((it) => number(it.summary?.mean_price_micros_per_kwh)),
  ];
  const shown = (unit) => (_, value) => (value === null || value === undefined ? '–' : `${value.toFixed(3)} ${unit}`);
  const drawn = plot(host, 300, {
    scales: {
      x: { time: false, range: [x[0], x.at(-1) + 1] },
      energy: { range: (_, low, high) => [0, Math.max(high * 2.2, 1)] },
      price: { range: (_, low, high) => [0, Math.max(high * 1.08, 0.1)] },
    },
    axes: [
      hours(x[0]),
      axis({ scale: 'price', size: 46, values: (_, ticks) => ticks.map((it) => it.toFixed(1)), label: t('yuan/kWh'), labelSize: 18 }),
      axis({ scale: 'energy', side: 1, size: 46, grid: { show: false }, label: t('kWh'), labelSize: 18 }),
    ],
    series: [
      { label: t('Quarter hour'), value: (_, slot) => (Number.isInteger(slot) ? span(slot) : '–') },
      { label: t('Traded'), scale: 'energy', paths: bars(), points: { show: false }, fill: colour('bars'), stroke: colour('bars-edge'), width: 1, value: (drawn, energy) => shown(t('kWh'))(drawn, energy ?? 0) },
      { label: t('Retail'), scale: 'price', paths: quarters(), points: { show: false }, stroke: colour('quiet'), dash: [2, 4], width: 1.5, value: shown(t('yuan/kWh')) },
      { label: t('Feed-in'), scale: 'price', paths: quarters(), points: { show: false }, stroke: colour('quiet'), dash: [8, 4], width: 1.5, value: shown(t('yuan/kWh')) },
      { label: t('Price'), scale: 'price', paths: quarters(), points: { show: false }, stroke: colour('accent'), width: 2.5, value: shown(t('yuan/kWh')) },
    ],
    cursor: { y: false },
    hooks: { draw: [(self) => mark(self, chosen())] },
  }, data, words, () => chosen() - x[0]);
  drawn.over.addEventListener('click', () => drawn.cursor.idx !== null && choose(x[drawn.cursor.idx]));
  drawn.over.style.cursor = 'pointer';
}

/** Marks the chosen quarter hour, with an edge that also stands out where the bars are. */
function mark(drawn, slot) {
  if (!drawn.data[0].includes(slot)) return;
  const left = drawn.valToPos(slot, 'x', true);
  const { ctx, bbox } = drawn;
  const width = Math.max(2, drawn.valToPos(slot + 1, 'x', true) - left);
  ctx.save();
  ctx.fillStyle = colour('mark');
  ctx.fillRect(left, bbox.top, width, bbox.height);
  ctx.strokeStyle = colour('accent');
  ctx.lineWidth = devicePixelRatio;
  ctx.strokeRect(left, bbox.top, width, bbox.height);
  ctx.restore();
}

/** Draws the choice of a quarter hour, for the keyboard as well as for a finger. */
export function drawChooser(day, slots, chosen, choose) {
  const words = (slot) => {
    const summary = slots.find((it) => it.slot === slot);
    return list([span(slot), `${priceOf(summary)} ${t('yuan/kWh')}`, `${kwh(summary?.traded_wh ?? 0)} ${t('kWh')}`]);
  };
  const title = h('h2', { id: 'slot-title', tabindex: '-1' }, t('Quarter hour {span}', { span: span(chosen) }));
  const range = h('input', {
    type: 'range', id: 'slot', min: day.first_slot, max: day.first_slot + day.slots - 1, value: chosen,
    'aria-label': t('Quarter hour'), 'aria-valuetext': words(chosen),
    oninput: (event) => {
      const slot = Number(event.target.value);
      event.target.setAttribute('aria-valuetext', words(slot));
      title.textContent = t('Quarter hour {span}', { span: span(slot) });
      choose(slot);
    },
  });
  const step = (by, sign, label) => h('button', {
    type: 'button', class: 'round', 'aria-label': t(label),
    onclick: () => {
      range.value = Number(range.value) + by;
      range.dispatchEvent(new Event('input'));
      say(range.getAttribute('aria-valuetext'));
    },
  }, sign);
  show(byId('chooser'), title, h('div', { class: 'range' },
    step(-1, '‹', 'The quarter hour before'), range, step(1, '›', 'The quarter hour after')));
}
