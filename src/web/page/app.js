// The page at work: what is read, when it is read again, and which part draws it.

import { follow, read, Refused } from './api.js';
import { Book, drawBook } from './book.js';
import { drawChooser, drawDay, drawFigures, drawHead } from './day.js';
import { byId, h, say, show } from './dom.js';
import { drawLedger } from './explorer.js';
import { drawGrid } from './grid.js';
import { count, price } from './money.js';
import { drawMine } from './owner.js';
import { session, signOut, takeFromAddress } from './session.js';
import { applyTheme, drawSettings } from './settings.js';
import { drawAuction, drawCertificates, drawTape } from './tape.js';
import { moment, setZone, slotAt, span, zoneName } from './time.js';
import { t } from './words.js';

const TAPE = 200;
const READ_AGAIN_MS = 30000;
const SETTLE_MS = 250;

const state = { market: null, day: null, slots: [], slot: null, book: new Book(), phase: 'PHASE_SCHEDULED', live: false, account: null, seesAll: false };
let stop = () => {};
let turn = 0;

/** Does something, and says so plainly where it fails. */
async function attempt(what) {
  try {
    await what();
    byId('trouble').hidden = true;
  } catch (problem) {
    const isOver = problem instanceof Refused && problem.status === 401 && (state.account || state.seesAll);
    if (isOver) await becomePublic();
    show(byId('trouble'), isOver ? t('Your session is over. Run parkwatt page again to sign in.')
      : problem instanceof Refused ? problem.message : t('The node does not answer. The page tries again by itself.'));
    byId('trouble').hidden = false;
    if (!(problem instanceof Refused || problem instanceof TypeError)) throw problem;
  }
}

/** Goes on without the session, which has ended. */
async function becomePublic() {
  signOut();
  Object.assign(state, { account: null, seesAll: false });
  await drawAll();
}

async function readDay(date) {
  state.market = await read('MarketData/GetMarket');
  setZone(state.market.time_zone);
  state.day = await read('MarketData/GetDay', { date });
  const { first_slot: from, slots: count } = state.day;
  state.slots = (await read('MarketData/ListSlots', { from_slot: from, count })).slots;
}

/** Returns the quarter hour to look at first: the next that can be traded, or of a day that is over the busiest. */
function firstChoice() {
  const { day, market, slots } = state;
  const next = slotAt(market.now_micros) + 1 + Math.ceil(market.genesis.gate_before_s / 900);
  if (next >= day.first_slot && next < day.first_slot + day.slots) return next;
  const busiest = slots.toSorted((one, other) => Number(BigInt(other.traded_wh) - BigInt(one.traded_wh)))[0];
  return busiest?.slot ?? day.first_slot + 48;
}

function drawPublic() {
  const { market, day, slots } = state;
  byId('market-name').textContent = market.genesis.market;
  document.title = `${market.genesis.market} · Parkwatt`;
  drawFigures(day, slots, slotAt(market.now_micros));
  drawDay(market, day, slots, () => state.slot, choose);
  drawCertificates(day);
  show(byId('foot'),
    h('p', {}, t('Market time {now} ({zone}). {participants} participants, {size} entries in the ledger.',
      { now: moment(market.now_micros), zone: zoneName(), participants: count(market.participants), size: count(market.tree_size) })),
    h('p', {}, t('All figures come from the node’s own reads; what they are is in its contract, parkwatt.v1.')));
}

/** Draws the choice of a slot; once the reader rests on it, all that is about it. */
function choose(slot) {
  state.slot = slot;
  byId('day').querySelector('.plot')?.plot?.redraw(false);
  const range = byId('slot');
  if (range && Number(range.value) !== slot) {
    drawChooser(state.day, state.slots, slot, choose);
    say(t('Quarter hour {span}', { span: span(slot) }));
  }
  const mine = ++turn;
  setTimeout(() => mine === turn && attempt(() => readSlot(mine)), SETTLE_MS);
}

/** Reads what is about the chosen slot, unless another was chosen meanwhile, and follows it. */
async function readSlot(mine) {
  const { slot } = state;
  const [auction, flows, tape, depth, checkpoint] = await Promise.all([
    read('MarketData/GetAuction', { slot }), read('MarketData/GetFlows', { slot }), read('MarketData/ListTape', { slot, count: TAPE }),
    read('MarketData/GetDepth', { slot }), read('Ledger/GetCheckpoint'),
  ]);
  const indicative = auction.result || depth.phase !== 'PHASE_AUCTION' ? null : await read('MarketData/GetIndicativeAuction', { slot });
  if (mine !== turn) return;
  stop();
  Object.assign(state, { auction, phase: depth.phase, live: false });
  state.book.begin(depth);
  drawBook(state);
  drawGrid(state.market.genesis.zones, flows);
  drawAuction(state.market, auction.result ? auction : { ...auction, bids: depth.bids, offers: depth.offers }, indicative);
  drawTape(tape.trades, TAPE);
  await drawLedger({ slot, participant: state.account?.participant, seesAll: state.seesAll, checkpoint });
  document.body.dataset.ready = String(slot);
  followSlot(slot);
}

function followSlot(slot) {
  stop();
  state.live = false;
  if (!['PHASE_SCHEDULED', 'PHASE_AUCTION', 'PHASE_CONTINUOUS'].includes(state.phase)) return;
  const redraw = debounced(() => state.slot === slot && drawBook(state), 100);
  const again = debounced(() => state.slot === slot && attempt(() => reread(slot)), 1000);
  stop = follow([slot], {
    state: (isOpen) => {
      state.live = isOpen;
      redraw();
    },
    snapshot: (snapshot) => {
      state.book.begin(snapshot.depth);
      state.phase = snapshot.summary.phase;
      redraw();
    },
    change: (change) => {
      state.book.apply(change, slot);
      for (const trade of change.trades) say(t('A trade at {price} yuan/kWh', { price: price(trade.price_micros_per_kwh, 4) }));
      for (const began of change.phases) state.phase = began.phase;
      redraw();
      if (change.trades.length + change.phases.length + change.auctions.length > 0) again();
    },
  });
}

/** Reads again what trades change: the tape, the flows, the auction, and the day's figures. */
async function reread(slot) {
  const [auction, flows, tape] = await Promise.all([
    read('MarketData/GetAuction', { slot }), read('MarketData/GetFlows', { slot }), read('MarketData/ListTape', { slot, count: TAPE }), readDay(state.day.date),
  ]);
  if (slot !== state.slot) return;
  state.auction = auction;
  drawGrid(state.market.genesis.zones, flows);
  if (auction.result) drawAuction(state.market, auction, null);
  drawTape(tape.trades, TAPE);
  drawPublic();
}

function debounced(what, ms) {
  let waiting = null;
  return () => {
    waiting ??= setTimeout(() => {
      waiting = null;
      what();
    }, ms);
  };
}

/** Reads who has signed in, if somebody has. An operator has no account, and may see every entry. */
async function readOwner() {
  state.account = null;
  state.seesAll = false;
  if (!session()) return;
  try {
    state.account = await read('Account/GetAccount', {}, { asOwner: true });
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
    if (problem.status === 401 || problem.status === 400) {
      signOut();
      throw problem;
    }
  }
  try {
    await read('Ledger/ListEntries', { from_index: 0, count: 1 }, { asOwner: true });
    state.seesAll = true;
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
  }
}

async function drawOwner() {
  byId('mine').hidden = true;
  if (state.account) await drawMine(state.account, state.day);
}

async function goTo(date) {
  await attempt(async () => {
    await readDay(date);
    state.slot = null;
    await drawAll();
    say(byId('day-title').textContent);
  });
}

async function drawAll() {
  drawSettings(() => attempt(async () => {
    if (!session()) await readOwner();
    await drawAll();
  }));
  drawHead(state.day, goTo);
  drawPublic();
  state.slot ??= firstChoice();
  drawChooser(state.day, state.slots, state.slot, choose);
  byId('day').querySelector('.plot').plot.redraw(false);
  await drawOwner();
  await readSlot(++turn);
}

async function begin() {
  const signedIn = takeFromAddress();
  applyTheme();
  drawSettings(() => location.reload());
  await attempt(() => readDay());
  if (!state.day) {
    setTimeout(begin, READ_AGAIN_MS);
    return;
  }
  await attempt(readOwner);
  const trouble = byId('trouble').hidden ? null : byId('trouble').textContent;
  await attempt(drawAll);
  if (trouble) {
    show(byId('trouble'), trouble);
    byId('trouble').hidden = false;
  }
  if (signedIn && state.account) say(t('Your day, {name}', { name: state.account.name }));
}

window.addEventListener('hashchange', () => takeFromAddress() && location.reload());
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => state.day && attempt(drawAll));
setInterval(() => document.visibilityState === 'visible' && state.day && state.live && attempt(() => reread(state.slot)), READ_AGAIN_MS);
begin();
