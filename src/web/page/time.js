// Quarter hours and days, in the market's zone.

import { language } from './words.js';

export const SECONDS = 900;
let zone = 'UTC';

/** Sets the zone of the market's days, by its IANA name. */
export function setZone(name) {
  zone = name || 'UTC';
}

export const zoneName = () => zone;

/** Returns the slot that a moment in microseconds lies in. */
export const slotAt = (micros) => Number(BigInt(micros) / 900000000n);

/** Writes when a slot begins: 12:15. */
export const clock = (slot) => write(slot * SECONDS, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });

/** Writes a slot's span: 12:15–12:30. */
export const span = (slot) => `${clock(slot)}–${clock(slot + 1)}`;

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
