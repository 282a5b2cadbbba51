// The node's reads: methods of its gRPC contract, over HTTP, as JSON.

import { session } from './session.js';

const ASK_AGAIN_MS = 5000;

/** What the node answered instead of what was asked. */
export class Refused extends Error {
  constructor(status, reason, message) {
    super(message);
    Object.assign(this, { status, reason });
  }
}

/** Calls a method of the contract: `read('MarketData/GetDepth', { slot: 7 })`. A private one needs a session. */
export async function read(method, fields = {}, { asOwner = false } = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined && value !== null) query.set(name, String(value));
  }
  const mine = asOwner ? session() : null;
  const answer = await fetch(`v1/${method}?${query}`, { headers: mine ? { 'parkwatt-session': mine } : {} });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, said.reason, said.message ?? `HTTP ${answer.status}`);
  return said;
}

/** Follows a slot: `on.snapshot` and `on.change` hear what `MarketData.StreamMarket` tells. Where the node refuses it, which
 * a browser does not try again, it is asked again later. Returns how to stop. */
export function follow(slots, on) {
  let stop = open(slots, on, again);
  let waiting = null;
  function again() {
    waiting = setTimeout(() => {
      stop = open(slots, on, again);
    }, ASK_AGAIN_MS);
  }
  return () => {
    clearTimeout(waiting);
    stop();
  };
}

function open(slots, on, again) {
  const source = new EventSource(`v1/MarketData/StreamMarket?slots=${slots.join(',')}`);
  source.addEventListener('snapshot', (event) => on.snapshot(JSON.parse(event.data).snapshot));
  source.addEventListener('change', (event) => on.change(JSON.parse(event.data).change));
  source.addEventListener('open', () => on.state(true));
  source.addEventListener('error', () => {
    on.state(false);
    if (source.readyState === EventSource.CLOSED) again();
  });
  return () => source.close();
}
