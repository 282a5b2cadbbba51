// The ledger: any entry that the reader may see, with its proof, which this browser checks by itself, step by step.

import { Refused, read } from './api.js';
import { phaseInWords } from './book.js';
import { byId, h, say, show } from './dom.js';
import { count } from './money.js';
import { isSigned, parseNote, parseVkey } from './note.js';
import { canHash, equal, fromBase64, leafHash, parseProof, rootOf, toBase64, toHex } from './proof.js';
import { session } from './session.js';
import { moment, span } from './time.js';
import { decode, loadContract } from './wire.js';
import { t } from './words.js';

const LISTED = 40;
const NEAR_AT_ONCE = 8;
/** What an entry records, by the name of its field in the contract. */
const KINDS = {
  genesis: 'The market’s constitution', command: 'A signed command', tick: 'Time passed', phase_began: 'A phase began',
  auction_cleared: 'An auction', trade_made: 'A trade', metered: 'A meter’s reading', trade_delivered: 'A delivery',
  posted: 'Money moved', certificate_issued: 'A certificate', certificate_sliced: 'Part of a certificate went to a buyer',
  certificate_retired: 'A claim', order_lapsed: 'An order lapsed', certificate_transferred: 'Part of a certificate was passed on',
  gec_issued: 'A national certificate', certificate_bundled: 'Part of a certificate was bundled', certificate_expired: 'Part of a certificate expired',
  certificate_withdrawn: 'A certificate was withdrawn', certificate_voided: 'Part of a certificate is void', gec_voided: 'A national certificate is void',
  certificate_released: 'Part of a certificate is held again', state_recorded: 'The market’s state was recorded',
};
let shownProof = null;
/** The verifier key that the node says is its ledger's. */
let keyOfNode = '';

/** Draws the ledger's part, for a chosen quarter hour. */
export async function drawLedger({ slot, day, participant, seesAll, checkpoint }) {
  const kept = byId('vkey')?.value;
  keyOfNode = checkpoint.vkey;
  const index = byId('leaf-index')?.value ?? '';
  const last = Number(checkpoint.tree_size) - 1;
  const form = h('form', { class: 'line', onsubmit: submitted },
    h('label', { for: 'leaf-index' }, t('Entry')),
    h('input', { type: 'text', inputmode: 'numeric', pattern: '[0-9]{1,15}', autocomplete: 'off', id: 'leaf-index', 'data-last': last, value: index, required: true,
      title: t('A whole number, from 0 to {last}', { last: count(last) }) }),
    h('span', { class: 'quiet' }, t('of 0 to {last}', { last: count(last) })),
    h('button', { type: 'submit', class: 'main', id: 'prove', disabled: !canHash() }, t('Fetch and verify')));
  const list = h('ul', { class: 'entries', id: 'entries' });
  show(byId('ledger'),
    h('h2', { id: 'ledger-title' }, t('The ledger, verified here')),
    h('p', { class: 'quiet' }, t('Everything that happens is an entry of a Merkle tree that the node signs, {size} of them so far. This browser fetches an entry with its proof, hashes it up to the root, and compares that with what was signed.',
      { size: count(checkpoint.tree_size) })),
    !canHash() && h('p', { class: 'verdict broken' }, t('This browser gives a page over plain HTTP from another machine no way to hash. Open the page over HTTPS, or on the node’s own machine.')),
    form,
    h('details', {}, h('summary', {}, t('The key that signs')),
      h('label', { for: 'vkey' }, t('The ledger’s verifier key. This one came from the node itself: compare it with the one that you were given another way, or put yours here.')),
      h('input', { type: 'text', id: 'vkey', class: 'wide', value: kept ?? checkpoint.vkey, spellcheck: 'false', autocomplete: 'off', onchange: () => shownProof && judge() }),
      h('div', { class: 'line' }, h('button', { type: 'button', id: 'key-of-node', onclick: takeKeyOfNode }, t('Take the node’s key again')))),
    h('div', { id: 'proof' }, h('p', { class: 'empty' }, t('Nothing is verified yet: choose an entry, or take one of those below.'))),
    h('h3', {}, listTitle({ slot, participant, seesAll })), list);
  if (shownProof) await judge();
  await listEntries(list, { slot, day, participant, seesAll });
}

function listTitle({ slot, participant, seesAll }) {
  if (seesAll) return t('Entries about {span}', { span: span(slot) });
  if (participant !== undefined) return t('Your newest entries');
  return t('Entries about {span} that everybody may see', { span: span(slot) });
}

/** Lists entries that the reader may see, each with a button that verifies it. */
async function listEntries(list, { slot, day, participant, seesAll }) {
  await loadContract();
  const mine = participant !== undefined && !seesAll;
  const about = mine ? { participant, from_index: Math.max(0, Number(byId('leaf-index').dataset.last) - 20000) } : { slot };
  const found = await read('Ledger/ListEntries', { ...about, count: mine ? 1000 : LISTED }, { asOwner: true });
  const entries = found.entries.map((bytes, place) => ({ index: found.leaf_indices[place], leaf: decode(fromBase64(bytes)) }));
  const shown = mine ? entries.reverse().slice(0, LISTED) : entries;
  const item = ({ index, leaf }) => h('li', {},
    h('button', { type: 'button', disabled: !canHash(), onclick: () => prove(index) }, `${t('Verify')} ${index}`),
    ' ', h('span', {}, nameOf(leaf)), ' ', h('span', { class: 'quiet' }, moment(leaf.at_micros)));
  const near = shown.length || session() ? null : await nearestPublic(slot, day);
  const empty = () => h('li', { class: 'empty' }, session() ? t('There is none.')
    : near ? t('None of this quarter hour’s can be shown without showing a neighbour’s. The nearest that everybody may see is of {span}:', { span: span(near.slot) })
      : t('None of this quarter hour’s can be shown without showing a neighbour’s. Choose another quarter hour.'));
  show(list, ...(shown.length ? shown.map(item) : [empty(), near && item(near)]));
  const first = shown[0] ?? near;
  if (first && !byId('leaf-index').value) byId('leaf-index').value = first.index;
}

/** Returns the entry that everybody may see of the quarter hour of the day that is nearest to one which has none. */
async function nearestPublic(slot, { first_slot: from, slots }) {
  const others = Array.from({ length: slots }, (_, place) => from + place).filter((other) => other !== slot)
    .sort((one, other) => Math.abs(one - slot) - Math.abs(other - slot));
  for (let place = 0; place < others.length; place += NEAR_AT_ONCE) {
    const found = await Promise.all(others.slice(place, place + NEAR_AT_ONCE).map(async (other) => {
      const { leaf_indices: [index], entries: [bytes] } = await read('Ledger/ListEntries', { slot: other, count: 1 });
      return index === undefined ? null : { slot: other, index, leaf: decode(fromBase64(bytes)) };
    }));
    const nearest = found.find(Boolean);
    if (nearest) return nearest;
  }
  return null;
}

/** Returns what kind of thing an entry records. */
function nameOf(leaf) {
  const kind = Object.keys(leaf).find((name) => name !== 'at_micros');
  const words = t(KINDS[kind] ?? 'Something that this page does not know');
  return leaf.phase_began ? `${words}: ${phaseInWords(leaf.phase_began.phase)}` : words;
}

function submitted(event) {
  event.preventDefault();
  prove(byId('leaf-index').value);
}

function takeKeyOfNode() {
  byId('vkey').value = keyOfNode;
  if (shownProof) judge();
}

/** Fetches an entry with its proof, and verifies it. */
async function prove(index) {
  byId('leaf-index').value = index;
  try {
    await loadContract();
    const { tlog_proof: text } = await read('Ledger/GetProof', { leaf_index: index }, { asOwner: true });
    shownProof = { text, asked: BigInt(index), changed: null };
    await judge();
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
    shownProof = null;
    const why = problem.status === 401 && !session()
      ? t('This entry, or its neighbour in the tree, says something about somebody. Who it is about can sign in and verify it.')
      : problem.status === 401 ? t('Your session is over. Run parkwatt page again to sign in.')
        : problem.status === 403 ? t('This entry is not yours to see.')
          : BigInt(index) > BigInt(byId('leaf-index').dataset.last) ? t('There is no entry {index}: the last one is {last}.', { index, last: byId('leaf-index').dataset.last })
            : problem.message;
    show(byId('proof'), h('p', { class: 'verdict unknown', id: 'proof-verdict', 'data-holds': 'unknown' }, why));
  }
}

/** Goes through the proof step by step; every step is this browser's own computation. */
async function judge() {
  const steps = [];
  const took = (holds, words) => steps.push({ holds, words });
  if (!canHash()) {
    took(undefined, t('A browser gives WebCrypto to pages over HTTPS or of its own machine only.'));
    drawProof(steps, null, t('This browser cannot tell: it may not hash here.'));
    return;
  }
  let proof;
  try {
    proof = parseProof(shownProof.text);
    took(proof.index === shownProof.asked, t('The proof is of entry {index}, as asked.', { index: proof.index }));
    const leaf = shownProof.changed === null ? proof.leaf : flipped(proof.leaf, shownProof.changed);
    const hash = await leafHash(leaf);
    took(true, t('Its {bytes} bytes hash to {hash}.', { bytes: leaf.length, hash: short(hash) }));
    const note = parseNote(proof.note);
    const root = await rootOf(hash, proof.index, note.size, proof.path).catch((problem) => problem);
    const holds = root instanceof Uint8Array && equal(root, note.root);
    took(holds, holds
      ? t('{count} hashes lead from there to the root {root} of the {size} entries.', { count: proof.path.length, root: short(root), size: count(note.size) })
      : t('{count} hashes lead from there to {root}, and not to the root {signed} that was signed.',
        { count: proof.path.length, root: root instanceof Uint8Array ? short(root) : t(root.message), signed: short(note.root) }));
    const ofKey = await judgeSignature(note, took);
    drawProof(steps, leaf, steps.some((step) => step !== steps.at(-1) && step.holds === false) ? null : ofKey);
  } catch (problem) {
    took(false, t(problem.message));
    drawProof(steps, proof?.leaf);
  }
}

/** Checks who signed the root. Returns the verdict, where it is about the key and not about the entry. */
async function judgeSignature(note, took) {
  let vkey;
  try {
    vkey = await parseVkey(byId('vkey').value);
  } catch (problem) {
    const why = t(problem.message);
    took(undefined, `${t('The key that signs')}: ${why}`);
    return t('This browser cannot tell: {why}.', { why });
  }
  const signed = await isSigned(note, vkey);
  if (signed === undefined) took(undefined, t('This browser cannot check Ed25519 signatures, so it has not checked who signed the root.'));
  else if (!signed) took(false, t('The root is not signed by this key.'));
  else took(true, byId('vkey').value.trim() === keyOfNode ? t('The root is signed by {name} with the key that this node gave (Ed25519): compare it with one you have from elsewhere.', { name: vkey.name })
    : t('The root is signed by {name} with your own copy of the key (Ed25519).', { name: vkey.name }));
  return signed === false ? t('Not proved: this key has not signed the tree that has the entry.') : null;
}

function flipped(bytes, at) {
  const changed = bytes.slice();
  changed[at] ^= 1;
  return changed;
}

const short = (hash) => `${toHex(hash).slice(0, 12)}…`;

function drawProof(steps, leaf, about = null) {
  const failed = steps.some((step) => step.holds === false);
  const open = steps.some((step) => step.holds === undefined);
  const index = shownProof.asked;
  const words = about ?? (failed ? t('Not proved: this is not entry {index} of the ledger.', { index })
    : open ? t('Entry {index} is in the tree; who signed it this browser cannot tell.', { index })
      : t('Verified by this browser: entry {index} is in the ledger.', { index }));
  const mark = { true: '✓', false: '✗', undefined: '?' };
  const spoken = { true: t('holds'), false: t('does not hold'), undefined: t('unknown') };
  const change = h('button', {
    type: 'button', id: 'change-byte',
    onclick: () => {
      shownProof.changed = shownProof.changed === null ? Math.floor(leaf.length / 2) : null;
      judge().then(() => byId('change-byte').focus());
    },
  }, shownProof.changed === null ? t('Change one byte, and see') : t('Change it back'));
  show(byId('proof'),
    h('p', { class: `verdict ${failed ? 'broken' : open ? 'unknown' : 'holds'}`, id: 'proof-verdict', 'data-holds': failed ? 'false' : open ? 'unknown' : 'true' }, h('strong', {}, words)),
    h('ol', { class: 'steps' }, ...steps.map(({ holds, words: said }) => h('li', { class: `step-${holds}` },
      h('span', { 'aria-hidden': 'true', class: 'step-mark' }, mark[holds]), h('span', { class: 'unseen' }, `${spoken[holds]}: `), said))),
    (leaf || about) && h('div', { class: 'line' }, leaf && change,
      about && byId('vkey').value.trim() !== keyOfNode && h('button', { type: 'button', onclick: takeKeyOfNode }, t('Take the node’s key again'))),
    leaf && h('details', { open: true }, h('summary', {}, t('What the entry says')), h('pre', { tabindex: '0', id: 'leaf' }, said(leaf))));
  say(words);
}

/** Returns an entry as text, decoded from the bytes that were hashed. */
function said(leaf) {
  const plain = (key, value) => {
    if (typeof value === 'bigint') return value.toString();
    return value instanceof Uint8Array ? toBase64(value) : value;
  };
  try {
    const decoded = decode(leaf);
    const command = decoded.command?.signed?.payload;
    if (command) decoded.command.signed.payload = decode(command, 'Command');
    return JSON.stringify(decoded, plain, 2);
  } catch (problem) {
    return `${t('These bytes are no entry')}: ${problem.message}`;
  }
}
