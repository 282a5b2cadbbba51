// Quarter hours and days, in the market's zone.

import { language } from './words.js';

export const SECONDS = 900;
let zone = 'UTC';

/** Sets the zone of the market's days, by its IANA name. */
export function setZone(name) {
  zone = name || 'UTC';
}

export const zoneName = () => zone;

let isShifted = false;

/** Tells which day is looked at: on one on which the clocks are changed, a time alone may be two moments. */
export function setDay({ slots }) {
  isShifted = slots !== 96;
}

/** Returns the slot that a moment in microseconds lies in. */
export const slotAt = (micros) => Number(BigInt(micros) / 900000000n);

/** Writes when a slot begins: 12:15. */
export const clock = (slot) => write(slot * SECONDS, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });

/** Writes a slot's span: 12:15–12:30; on a day on which the clocks are changed, with how far they are from UTC. */
export function span(slot) {
  const [from, until] = [clock(slot), clock(slot + 1)];
  if (!isShifted) return `${from}–${until}`;
  const [before, after] = [offset(slot), offset(slot + 1)];
  return before === after ? `${from}–${until} ${after}` : `${from} ${before}–${until} ${after}`;
}

/** Returns how far a slot's clock is from UTC: UTC+2. */
function offset(slot) {
  const parts = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'shortOffset' }).formatToParts(new Date(slot * SECONDS * 1000));
  return parts.find((part) => part.type === 'timeZoneName').value.replace('GMT', 'UTC');
}

/** Writes a moment in microseconds: 30 Nov, 12:15:07. */
export const moment = (micros) => write(Number(BigInt(micros) / 1000000n), {
  day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23',
});

/** Writes a date, 2026-06-01, in words. */
export function dateInWords(date) {
  const options = { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' };
  return new Intl.DateTimeFormat(language(), options).format(new Date(`${date}T00:00:00Z`));
}

/** Returns the date so many days after another. */
export function dateAfter(date, days) {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * 86400000).toISOString().slice(0, 10);
}

function write(seconds, options) {
  return new Intl.DateTimeFormat(language(), { timeZone: zone, ...options }).format(new Date(seconds * 1000));
}
