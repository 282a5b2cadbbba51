// The page at work: what is read, when it is read again, and which part draws it.

import { follow, read, Refused } from './api.js';
import { Book, drawBook } from './book.js';
import { drawChooser, drawDay, drawFigures, drawHead } from './day.js';
import { byId, h, say, show } from './dom.js';
import { drawLedger } from './explorer.js';
import { drawGrid } from './grid.js';
import { count } from './money.js';
import { drawMine } from './owner.js';
import { session, signOut, takeFromAddress } from './session.js';
import { applyTheme, drawSettings } from './settings.js';
import { drawAuction, drawCertificates, drawTape, sayTrades } from './tape.js';
import { moment, setDay, setZone, slotAt, span, zoneName } from './time.js';
import { t } from './words.js';

const TAPE = 200;
const READ_AGAIN_MS = 30000;
const RETRY_MS = 4000;
const SETTLE_MS = 250;
const PREVIEW_TRIES = 4;
const NO_SESSION = 'This link is no valid session. Run parkwatt page again to sign in.';

const state = { market: null, day: null, slots: [], slot: null, book: new Book(), phase: 'PHASE_SCHEDULED', live: false, account: null, seesAll: false };
let stop = () => {};
let turn = 0;
let dayTurn = 0;
/** What stands in the box of troubles: what a later success takes away, and what only the reader's next step does. */
const trouble = { passing: '', staying: '' };

function tellTrouble(change) {
  Object.assign(trouble, change);
  const text = trouble.staying || trouble.passing;
  show(byId('trouble'), text);
  byId('trouble').hidden = !text;
}

/** Does something, and says so plainly where it fails; where the node did not answer, `again` is called a little later. */
async function attempt(what, again = () => {}) {
  try {
    await what();
    tellTrouble({ passing: '' });
  } catch (problem) {
    const isRefused = problem instanceof Refused;
    if (isRefused && problem.status === 401 && session()) {
      const isOver = state.account || state.seesAll || problem.message.includes('expired');
      signOut();
      tellTrouble({ staying: isOver ? t('Your session is over. Run parkwatt page again to sign in.') : t(NO_SESSION) });
      Object.assign(state, { account: null, seesAll: false });
      if (state.day) await attempt(drawAll);
    } else {
      const isPassing = isRefused ? problem.status >= 429 : problem instanceof TypeError;
      tellTrouble({ passing: isRefused ? problem.message : t('The node does not answer. The page tries again by itself.') });
      if (isPassing) setTimeout(again, RETRY_MS);
      if (!isRefused && !isPassing) throw problem;
    }
  }
}

/** Reads a day, today without one; it takes the place of the last only if no other was asked for meanwhile. */
async function readDay(date) {
  const mine = ++dayTurn;
  const market = await read('MarketData/GetMarket');
  const day = await read('MarketData/GetDay', { date });
  const { slots } = await read('MarketData/ListSlots', { from_slot: day.first_slot, count: day.slots });
  if (mine !== dayTurn) return false;
  setZone(market.time_zone);
  setDay(day);
  Object.assign(state, { market, day, slots });
  return true;
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
  drawFigures(market, day, slots, slotAt(market.now_micros));
  drawDay(market, day, slots, () => state.slot, choose);
  drawCertificates(day);
  show(byId('foot'),
    h('p', {}, t(market.participants === 1 ? 'Market time {now} ({zone}). One participant.' : 'Market time {now} ({zone}). {participants} participants.',
      { now: moment(market.now_micros), zone: zoneName(), participants: count(market.participants) })),
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
  // What stands there still is another quarter hour's.
  byId('main').classList.add('waits');
  setTimeout(() => readWhileChosen(mine), SETTLE_MS);
}

/** Reads what is about the chosen slot, again and again until the node answers or another is chosen. */
function readWhileChosen(mine) {
  if (mine === turn) attempt(() => readSlot(mine), () => readWhileChosen(mine));
}

/** Reads what is about the chosen slot, unless another was chosen meanwhile, and follows it. */
async function readSlot(mine) {
  const { slot } = state;
  const [auction, flows, tape, depth, checkpoint] = await Promise.all([
    read('MarketData/GetAuction', { slot }), read('MarketData/GetFlows', { slot }), read('MarketData/ListTape', { slot, count: TAPE }),
    read('MarketData/GetDepth', { slot }), read('Ledger/GetCheckpoint'),
  ]);
  const preview = auction.result || depth.phase !== 'PHASE_AUCTION' ? null : await readPreview(slot);
  if (mine !== turn) return;
  stop();
  Object.assign(state, { auction, phase: depth.phase, live: false });
  state.book.begin(depth);
  drawBook(state);
  drawGrid(state.market.genesis.zones, flows);
  drawAuction(state.market, preview ? { ...auction, ...preview } : auction, preview?.indicative);
  drawTape(tape.trades, TAPE);
  await drawLedger({ slot, day: state.day, participant: state.account?.participant, seesAll: state.seesAll, checkpoint });
  if (mine !== turn) return;
  byId('main').classList.remove('waits');
  document.body.dataset.ready = String(slot);
  followSlot(slot);
}

/** Reads what an auction would come to now, and the very orders that it would meet: none came or went between. */
async function readPreview(slot) {
  let before = await read('MarketData/GetDepth', { slot });
  for (let tries = 0; tries < PREVIEW_TRIES; tries += 1) {
    const indicative = await read('MarketData/GetIndicativeAuction', { slot });
    const { phase, bids, offers } = await read('MarketData/GetDepth', { slot });
    if (JSON.stringify([before.bids, before.offers]) === JSON.stringify([bids, offers])) return { indicative, bids, offers };
    before = { phase, bids, offers };
  }
  return { indicative: null, bids: [], offers: [], isMoving: true };
}

async function drawPreview(slot) {
  const preview = await readPreview(slot);
  if (slot !== state.slot || state.phase !== 'PHASE_AUCTION' || state.auction.result) return;
  drawAuction(state.market, { ...state.auction, ...preview }, preview.indicative);
}

function followSlot(slot) {
  stop();
  state.live = false;
  if (!['PHASE_SCHEDULED', 'PHASE_AUCTION', 'PHASE_CONTINUOUS'].includes(state.phase)) return;
  const redraw = debounced(() => state.slot === slot && drawBook(state), 100);
  const again = debounced(() => state.slot === slot && attempt(() => reread(slot), again), 1000);
  const preview = debounced(() => state.slot === slot && attempt(() => drawPreview(slot), preview), 1000);
  stop = follow([slot], {
    state: (isOpen) => {
      state.live = isOpen;
      redraw();
    },
    snapshot: (snapshot) => {
      state.book.begin(snapshot.depth);
      state.phase = snapshot.summary.phase;
      redraw();
      if (state.phase === 'PHASE_AUCTION') preview();
    },
    change: (change) => {
      state.book.apply(change, slot);
      sayTrades(change.trades);
      for (const began of change.phases) state.phase = began.phase;
      redraw();
      if (state.phase === 'PHASE_AUCTION' && change.levels.some((level) => level.slot === slot)) preview();
      if (change.trades.length + change.phases.length + change.auctions.length > 0) again();
    },
  });
}

/** Reads again what trades change: the tape, the flows, the auction, the day's figures, and the owner's. */
async function reread(slot) {
  const [auction, flows, tape, isCurrent] = await Promise.all([
    read('MarketData/GetAuction', { slot }), read('MarketData/GetFlows', { slot }), read('MarketData/ListTape', { slot, count: TAPE }), readDay(state.day.date),
  ]);
  if (slot !== state.slot || !isCurrent) return;
  state.auction = auction;
  drawGrid(state.market.genesis.zones, flows);
  if (auction.result) drawAuction(state.market, auction, null);
  drawTape(tape.trades, TAPE);
  drawPublic();
  if (!state.account) return;
  state.account = await read('Account/GetAccount', {}, { asOwner: true });
  await drawOwner();
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
    if (problem.status === 401) throw problem;
    if (problem.status === 400) {
      signOut();
      tellTrouble({ staying: t(NO_SESSION) });
      return;
    }
  }
  try {
    await read('Ledger/ListEntries', { from_index: 0, count: 1 }, { asOwner: true });
    state.seesAll = true;
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
  }
}

/** Reads who has signed in once the node answers again, and draws what is his. */
async function readOwnerLater() {
  await attempt(readOwner, readOwnerLater);
  if (state.account || state.seesAll) await attempt(drawAll);
}

async function drawOwner() {
  byId('mine').hidden = !state.account;
  if (state.account) await drawMine(state.account, state.day, state.slots);
}

const drawOwnerSoon = () => attempt(drawOwner, drawOwnerSoon);

async function goTo(date) {
  tellTrouble({ staying: '' });
  const mine = dayTurn + 1;
  await attempt(async () => {
    try {
      if (!await readDay(date)) return;
    } catch (problem) {
      // The box says again what is shown.
      drawHead(state.day, goTo);
      if (!(problem instanceof Refused && problem.status === 400)) throw problem;
      tellTrouble({ staying: t('The node has no day {date}. The first one is 1970-01-01.', { date }) });
      return;
    }
    state.slot = null;
    await drawAll();
    say(byId('day-title').textContent);
  }, () => mine === dayTurn && goTo(date));
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
  await drawOwnerSoon();
  const mine = ++turn;
  await attempt(() => readSlot(mine), () => readWhileChosen(mine));
}

async function begin() {
  const link = takeFromAddress();
  if (link === 'malformed') tellTrouble({ staying: t(NO_SESSION) });
  applyTheme();
  drawSettings(() => location.reload());
  await attempt(() => readDay());
  if (!state.day) {
    setTimeout(begin, READ_AGAIN_MS);
    return;
  }
  await attempt(readOwner, readOwnerLater);
  await attempt(drawAll);
  linkToOthers();
  if (link === 'taken' && state.account) say(t('Your day, {name}', { name: state.account.name }));
}

/** Shows the way to the node's other markets, where it has some: of a single one the list of them leads back here. */
async function linkToOthers() {
  const list = await fetch('../../', { redirect: 'manual' }).catch(() => null);
  byId('others').hidden = !list?.ok;
}

/** On paper there is no dark ground. */
function prepareForPaper() {
  document.documentElement.dataset.theme = 'light';
  if (state.day && state.auction) redrawPlots();
}

function redrawPlots() {
  drawDay(state.market, state.day, state.slots, () => state.slot, choose);
  drawBook(state);
}

function comeBackFromPaper() {
  applyTheme();
  if (state.day && state.auction) redrawPlots();
}

window.addEventListener('hashchange', () => {
  const link = takeFromAddress();
  if (link === 'taken') location.reload();
  else if (link === 'malformed') tellTrouble({ staying: t(NO_SESSION) });
});
window.addEventListener('beforeprint', prepareForPaper);
window.addEventListener('afterprint', comeBackFromPaper);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => state.day && attempt(drawAll));
setInterval(() => document.visibilityState === 'visible' && state.slot !== null
  && (state.live || state.account || trouble.passing) && attempt(() => reread(state.slot)), READ_AGAIN_MS);
begin();
