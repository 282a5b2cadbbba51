// The page's language: English, and Chinese made of finished English sentences, so that a sentence stands where it is
// said. What lacks Chinese is remembered, and a test finds it.

import { CHINESE } from './chinese.js';

const KEPT = 'parkwatt-language';
/** English sentences that were asked for in Chinese, and have none. */
export const missing = new Set();

let chosen = null;
try {
  chosen = localStorage.getItem(KEPT);
} catch {
  // A browser that keeps nothing still shows the page.
}

/** Returns the language: en or zh. */
export const language = () => chosen ?? (navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en');

export function setLanguage(next) {
  chosen = next;
  try {
    localStorage.setItem(KEPT, next);
  } catch {
    // As above.
  }
}

/** Says several things one after another. */
export const list = (things) => things.join(language() === 'zh' ? '、' : ', ');

/** Says a sentence in the reader's language, with `{name}` replaced by the values of that name. */
export function t(sentence, values = {}) {
  let said = sentence;
  if (language() === 'zh') {
    said = CHINESE[sentence];
    if (said === undefined) {
      missing.add(sentence);
      said = sentence;
    }
  }
  return said.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
