// Plots, by uPlot: colours from the page's style, and a size that follows the page's.

import { watchWidth } from './dom.js';

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

/** Draws a plot in `host`, as wide as it, and again when its width changes. Its legend says what is at the pointer, and
 * where there is none, at the place that `resting` returns. Returns the plot. */
export function plot(host, height, options, data, resting) {
  const size = () => ({ width: Math.max(240, Math.floor(host.clientWidth)), height });
  const tell = (drawn) => {
    if (drawn.cursor.idx === null || drawn.cursor.idx === undefined) drawn.setLegend({ idx: resting() }, false);
  };
  const hooks = { draw: [...(options.hooks?.draw ?? []), tell], setCursor: [tell] };
  const drawn = new uPlot({ ...size(), legend: { live: true, markers: { dash } }, ...options, hooks }, data, host);
  watchWidth(host, () => drawn.setSize(size()));
  return drawn;
}

/** Returns how a line's sign in the legend is drawn: as the line is. */
function dash(drawn, index) {
  const [long, gap] = drawn.series[index].dash ?? [1, 0];
  return gap === 0 ? 'solid' : long < gap ? 'dotted' : 'dashed';
}

export const bars = (size = 0.8, most = 40) => uPlot.paths.bars({ size: [size, most], align: 1 });
export const steps = () => uPlot.paths.stepped({ align: 1 });
