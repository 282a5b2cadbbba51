// The grid: a tree of zones, each edge as thick as what flows through it, and marked where it is full.

import { asTable, byId, h, show, svg, table, watchWidth } from './dom.js';
import { kwh, percent } from './money.js';
import { list, t } from './words.js';

const ROW = 84;
const THICKEST = 16;
/** About how wide a letter of a zone's name is. */
const LETTER = 8.6;

/** Draws what a slot's trades send through the grid. */
export function drawGrid(zones, flows) {
  const edges = new Map(flows.edges.map((edge) => [edge.zone, described(edge)]));
  const host = h('div', { class: 'tree' });
  const full = [...edges.values()].filter((edge) => edge.isFull);
  const note = full.length
    ? t('Full: {zones}. Nothing more fits through there in that direction.', { zones: list(full.map((edge) => edge.zone)) })
    : t('No edge is full.');
  const greatest = mostOf(edges);
  show(byId('grid'),
    h('h2', { id: 'grid-title' }, t('Flows in the grid')),
    edges.size > 0 && h('p', { class: 'quiet', id: 'grid-note' }, note),
    edges.size === 0 ? h('p', { class: 'empty' }, t('This market has one zone, and no edge.')) : host,
    edges.size > 0 && h('p', { class: 'quiet' }, t('Of all trades of this quarter hour so far, the auction’s and later ones. The wider an edge, the more flows; the widest: {most} kWh.', { most: kwh(greatest) })),
    edges.size > 0 && asTable(t('Flows in the grid'),
      table(t('Flows in the grid'), [t('Edge'), t('Flow (kWh)'), t('Capacity (kWh)'), t('Used')],
        [...edges.values()].map((edge) => [edge.way, kwh(edge.energy), edge.capacity === undefined ? '–' : kwh(edge.capacity), edge.share]),
        { hideCaption: true })));
  if (edges.size > 0) {
    draw(host, zones, edges);
    watchWidth(host, () => draw(host, zones, edges));
  }

  function described(edge) {
    const flow = BigInt(edge.flow_wh);
    const parent = zones[zones.find((zone) => zone.name === edge.zone).parent].name;
    const energy = flow < 0n ? -flow : flow;
    const capacity = flow < 0n ? edge.capacity_down_wh : edge.capacity_up_wh;
    const isFull = capacity !== undefined && energy > 0n && energy === BigInt(capacity);
    return {
      zone: edge.zone, flow, energy, capacity, isFull,
      way: flow < 0n ? `${parent} → ${edge.zone}` : `${edge.zone} → ${parent}`,
      share: capacity === undefined ? '–' : percent(energy, capacity),
    };
  }
}

/** Returns how much flows where the most does. */
const mostOf = (edges) => [...edges.values()].reduce((most, edge) => (edge.energy > most ? edge.energy : most), 0n);

/** Returns as much of a name as there is room for, cut with an ellipsis. */
function fitted(name, room) {
  const most = Math.max(3, Math.floor(room / LETTER));
  return name.length <= most ? [name] : [`${name.slice(0, most - 1)}…`, svg('title', {}, name)];
}

/** Returns where each zone stands: its depth, and its row, a parent's in the middle of its children's. */
function places(zones) {
  const children = zones.map((_, parent) => zones.flatMap((zone, index) => (zone.parent === parent ? [index] : [])));
  const places = [];
  let leaves = 0;
  const place = (zone, depth) => {
    const rows = children[zone].map((child) => place(child, depth + 1));
    const row = rows.length ? (rows[0] + rows.at(-1)) / 2 : leaves++;
    places[zone] = { depth, row };
    return row;
  };
  place(0, 0);
  return { places, rows: leaves, depth: Math.max(...places.map((it) => it.depth)) };
}

function draw(host, zones, edges) {
  const { places: at, rows, depth } = places(zones);
  const [width, height] = [Math.max(host.clientWidth, 280), rows * ROW + 16];
  const greatest = mostOf(edges) || 1n;
  const longest = Math.max(...zones.map((zone) => zone.name.length)) * LETTER;
  const margin = Math.min(Math.max(94, longest + 14), width * 0.36);
  const step = (width - 16 - margin) / Math.max(depth, 1);
  const x = (zone) => 16 + at[zone].depth * step;
  const y = (zone) => at[zone].row * ROW + ROW / 2 + 8;
  const hasChildren = (index) => zones.some((zone) => zone.parent === index);
  const lines = zones.flatMap((zone, index) => (zone.parent === undefined ? [] : [line(index, zone)]));
  const trunks = zones.flatMap((zone, index) => (zone.parent === undefined ? [] : [trunk(index, zone)]));
  const nodes = zones.map((zone, index) => svg('g', { class: 'zone' },
    svg('circle', { cx: x(index), cy: y(index), r: 8 }),
    hasChildren(index)
      ? svg('text', { x: x(index) - 8, y: y(index) - (zones[index].parent === undefined ? 16 : 30), class: 'zone-name' }, ...fitted(zone.name, step - 10))
      : svg('text', { x: x(index) + 14, y: y(index) + 5, class: 'zone-name' }, ...fitted(zone.name, margin - 14))));
  const words = [...edges.values()].map((edge) => `${edge.way}: ${list([t('{flow} kWh', { flow: kwh(edge.energy) }), edge.isFull ? t('full') : edge.share])}`);
  show(host, svg('svg', { viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': words.join('; ') }, ...trunks, ...lines, ...nodes));

  function bendOf(zone) {
    return x(zone.parent) + Math.min(64, step / 3);
  }

  /** The way that edges have in common, before each goes to its own zone: as wide as none of them. */
  function trunk(index, zone) {
    const bend = bendOf(zone);
    return svg('path', { class: 'trunk', d: `M${x(zone.parent)},${y(zone.parent)} L${bend},${y(zone.parent)} L${bend},${y(index)}` });
  }

  function line(index, zone) {
    const edge = edges.get(zone.name);
    const thick = 1.5 + (Number((edge.energy * 1000n) / greatest) / 1000) * (THICKEST - 1.5);
    const bend = bendOf(zone);
    const path = `M${bend},${y(index)} L${x(index)},${y(index)}`;
    const amount = edge.capacity === undefined
      ? t('{flow} kWh', { flow: kwh(edge.energy) })
      : t('{flow} of {capacity} kWh', { flow: kwh(edge.energy), capacity: kwh(edge.capacity) });
    const arrow = edge.energy === 0n ? '' : edge.flow > 0n ? '← ' : '→ ';
    // Edges that follow each other in a row have their words on different sides.
    const isAbove = at[index].depth % 2 === 1;
    const [over, under] = [y(index) - thick / 2 - 7, y(index) + thick / 2 + 17];
    return svg('g', { class: edge.isFull ? 'edge full' : 'edge' },
      svg('path', { d: path, 'stroke-width': thick.toFixed(1) }),
      svg('text', { x: bend + 10, y: isAbove ? over : under, class: 'flow' }, `${arrow}${amount}`),
      edge.isFull && svg('text', { x: bend + 10, y: isAbove ? under : over, class: 'full-sign' }, `▲ ${t('full')}`));
  }
}
