// Numbers as people read them. Amounts are exact: integers and decimal texts of any size, never floating point.

import { language } from './words.js';

/** Returns 10^digits-ths as a decimal text: scaled(1234n, 3) is "1.234". */
export function scaled(value, digits) {
  const number = BigInt(value);
  const text = (number < 0n ? -number : number).toString().padStart(digits + 1, '0');
  const whole = text.slice(0, text.length - digits);
  return `${number < 0n ? '-' : ''}${whole}${digits ? `.${text.slice(-digits)}` : ''}`;
}

/** Writes a decimal text with so many digits behind the point, as the reader's language does. */
export function decimal(text, digits, sign = 'auto') {
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: sign };
  return new Intl.NumberFormat(language(), options).format(text);
}

/** Writes micro-yuan per kWh as yuan per kWh, without the unit. */
export const price = (micros, digits = 3) => decimal(scaled(micros, 6), digits);

/** Writes Wh as kWh, without the unit: with one digit, and what is less than 1 kWh to the Wh. */
export function kwh(wh, digits) {
  const energy = BigInt(wh);
  const isSmall = energy !== 0n && energy > -1000n && energy < 1000n;
  return decimal(scaled(energy, 3), digits ?? (isSmall ? 3 : 1));
}

/** Writes decimal yuan, without the unit. */
export const yuan = (text, digits = 2, sign = 'auto') => decimal(text, digits, sign);

/** Writes a count. */
export const count = (number) => decimal(String(number), 0);

/** Writes a share of a whole, in per cent with one digit; nothing of nothing is none. */
export function percent(part, whole) {
  if (BigInt(whole) === 0n) return '–';
  return `${decimal(scaled((BigInt(part) * 10000n) / BigInt(whole), 2), 1)} %`;
}

/** Returns the sum of decimal texts of nine decimals, exactly, as such a text. */
export function sum(...texts) {
  return scaled(texts.reduce((total, text) => total + nanos(text), 0n), 9);
}

/** Returns a decimal text of up to nine decimals as whole 1e-9. */
export function nanos(text) {
  const [, sign, whole, part = ''] = /^(-?)(\d+)(?:\.(\d{1,9}))?$/.exec(text) ?? [];
  if (whole === undefined) throw new Error(`'${text}' is not a decimal number`);
  const value = BigInt(whole + part.padEnd(9, '0'));
  return sign ? -value : value;
}
