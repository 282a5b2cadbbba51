// Elements, made without a word of HTML: what comes from elsewhere is always text.

import { t } from './words.js';

const SVG = 'http://www.w3.org/2000/svg';

/** Returns an element with these properties and children; `null` and `false` children are left out. */
export function h(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** Returns the same of SVG. */
export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

/** Puts these children in the place of all that an element has. What the reader has opened stays open, and his focus where
 * it was. */
export function show(element, ...children) {
  const open = [...element.querySelectorAll('details')].map((it) => it.open);
  const focused = element.contains(document.activeElement) ? document.activeElement.id : '';
  element.replaceChildren(...children.flat(Infinity).filter(isThere));
  element.querySelectorAll('details').forEach((it, place) => {
    it.open = open[place] ?? it.open;
  });
  if (focused) byId(focused)?.focus({ preventScroll: true });
}

export const byId = (id) => document.getElementById(id);

/** Says something to who listens to the page rather than sees it. */
export function say(text) {
  byId('said').textContent = text;
}

/** Returns a table with a caption, a head and rows; a cell may be text or an element. Columns after the first are numbers,
 * but those in `words`. */
export function table(caption, heads, rows, { words = [], hideCaption = false } = {}) {
  const place = (index) => (index > 0 && !words.includes(index) ? 'number' : null);
  const head = heads.map((text, index) => h('th', { scope: 'col', class: place(index) }, ...heading(text)));
  const body = rows.map((cells) => h('tr', {}, ...cells.map((cell, index) =>
    (index === 0 ? h('th', { scope: 'row' }, cell) : h('td', { class: place(index) }, cell)))));
  return h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    h('table', {},
      h('caption', { class: hideCaption ? 'unseen' : null }, caption),
      h('thead', {}, h('tr', {}, ...head)),
      h('tbody', {}, ...body)));
}

/** Returns what a plot shows once more, as a table that can be opened. */
export function asTable(name, it) {
  return h('details', {}, h('summary', {}, t('The same as a table'), h('span', { class: 'unseen' }, `: ${name}`)), it);
}

/** Returns a heading, in which no line ends within the unit. */
function heading(text) {
  const [, name, unit] = /^([^(（]*)([(（].*)?$/.exec(text) ?? [null, text];
  return unit ? [name, h('span', { class: 'unit-of' }, unit)] : [name];
}

/** Returns a figure: a name, a value, and what it means. */
export function figure(id, name, value, note, data) {
  return h('div', { class: 'figure' },
    h('div', { class: 'figure-name' }, name),
    h('div', { class: 'figure-value', id, 'data-value': data ?? null }, ...[value].flat()),
    h('div', { class: 'figure-note' }, ...[note].flat()));
}

const isThere = (child) => child !== null && child !== undefined && child !== false;

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter(isThere));
  return element;
}

/** Does something whenever the width of an element has changed, until it is gone from the page. */
export function watchWidth(host, redraw) {
  let width = host.clientWidth;
  const watch = new ResizeObserver(() => {
    if (!host.isConnected) {
      watch.disconnect();
    } else if (host.clientWidth !== width) {
      width = host.clientWidth;
      redraw();
    }
  });
  watch.observe(host);
}
