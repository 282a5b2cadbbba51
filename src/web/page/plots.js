// Plots, by uPlot: colours from the page's style, and a size that follows the page's.

import { watchWidth } from './dom.js';
import { clock } from './time.js';

/* global uPlot */

/** Returns a colour of the page's style. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Returns an axis in the page's colours. */
export function axis(options) {
  return {
    stroke: colour('quiet'),
    grid: { stroke: colour('line'), width: 1 },
    ticks: { stroke: colour('line'), width: 1, size: 4 },
    font: '12px system-ui, sans-serif',
    ...options,
  };
}

/** Returns the axis of a day that begins with this slot: as many times of the day as there is room for. */
export function hours(first) {
  const splits = (drawn, _, low, high, apart) => {
    const every = Math.max(4, Math.round(apart));
    return Array.from({ length: Math.floor((high - first) / every) + 1 }, (_, place) => first + place * every);
  };
  return axis({ size: 30, space: 44, incrs: [4, 8, 12, 16, 24, 32, 48, 96], splits, values: (_, ticks) => ticks.map((slot) => clock(slot)) });
}

/** Draws a plot in `host`, as wide as it, and again when its width changes; `words` say it to who cannot see it. Its legend
 * says what is at the pointer, and where there is none, at the place that `resting` returns. Returns the plot, which
 * `host.plot` is from then on. */
export function plot(host, height, options, data, words, resting) {
  const size = () => ({ width: Math.max(240, Math.floor(host.clientWidth)), height });
  const tell = (drawn) => {
    if (drawn.cursor.idx !== null && drawn.cursor.idx !== undefined) return;
    // What is chosen may be of another day than this plot, which is about to go.
    const rests = resting();
    drawn.setLegend({ idx: rests >= 0 && rests < data[0].length ? rests : null }, false);
  };
  const hooks = { draw: [...(options.hooks?.draw ?? []), tell], setCursor: [tell] };
  const drawn = new uPlot({ ...size(), legend: { live: true, markers: { dash } }, ...options, hooks }, data, host);
  const picture = drawn.root.querySelector('.u-wrap');
  picture.setAttribute('role', 'img');
  picture.setAttribute('aria-label', words);
  watchWidth(host, () => drawn.setSize(size()));
  host.plot = drawn;
  return drawn;
}

/** Returns how a line's sign in the legend is drawn: as the line is. */
function dash(drawn, index) {
  const [long, gap] = drawn.series[index].dash ?? [1, 0];
  return gap === 0 ? 'solid' : long < gap ? 'dotted' : 'dashed';
}

export const bars = (size = 0.8, most = 40) => uPlot.paths.bars({ size: [size, most], align: 1 });
/** Returns how a staircase is drawn whose values hold from their place on, to the next; or up to their place, from the last. */
export const steps = (holds) => uPlot.paths.stepped({ align: holds === 'up to' ? -1 : 1 });

/** Returns how values are drawn that hold for a quarter hour each, whatever is known of the next. */
export const quarters = () => (drawn, series) => {
  const [at, values] = [drawn.data[0], drawn.data[series]];
  const stroke = new Path2D();
  const { scale } = drawn.series[series];
  let joins = false;
  at.forEach((slot, place) => {
    const value = values[place];
    if (value !== null && value !== undefined) {
      const y = drawn.valToPos(value, scale, true);
      const [left, right] = [slot, slot + 1].map((edge) => drawn.valToPos(edge, 'x', true));
      if (joins) stroke.lineTo(left, y);
      else stroke.moveTo(left, y);
      stroke.lineTo(right, y);
    }
    joins = value !== null && value !== undefined;
  });
  return { stroke, fill: null, clip: null, band: null, gaps: null, flags: 1 };
};
