// What the reader has chosen: language, light or dark, and whether he has signed in.

import { byId, h, show } from './dom.js';
import { session, signOut } from './session.js';
import { language, setLanguage, t } from './words.js';

const KEPT = 'parkwatt-theme';
const THEMES = { auto: 'Colours: as the system', light: 'Colours: light', dark: 'Colours: dark' };

function theme() {
  try {
    return localStorage.getItem(KEPT) in THEMES ? localStorage.getItem(KEPT) : 'auto';
  } catch {
    return 'auto';
  }
}

/** Puts the chosen theme in force. */
export function applyTheme(next = theme()) {
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem(KEPT, next);
  } catch {
    // A browser that keeps nothing forgets it at the end.
  }
}

/** Draws the settings; `changed` is called when everything must be drawn anew. */
export function drawSettings(changed) {
  document.documentElement.lang = language();
  for (const element of document.querySelectorAll('[data-t]')) element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll('[data-t-label]')) element.setAttribute('aria-label', t(element.dataset.tLabel));
  const other = language() === 'zh' ? ['en', 'English'] : ['zh', '中文'];
  const switchLanguage = h('button', {
    type: 'button', id: 'language', lang: other[0],
    onclick: () => {
      setLanguage(other[0]);
      changed();
      byId('language').focus();
    },
  }, other[1]);
  const options = Object.entries(THEMES).map(([name, words]) => h('option', { value: name, selected: name === theme() }, t(words)));
  const themes = h('select', {
    id: 'theme', 'aria-label': t('Colours'),
    onchange: (event) => {
      applyTheme(event.target.value);
      changed();
      byId('theme').focus();
    },
  }, ...options);
  const leave = session() && h('button', {
    type: 'button', id: 'sign-out',
    onclick: () => {
      signOut();
      changed();
      byId('language').focus();
    },
  }, t('Sign out'));
  show(byId('tools'), leave, themes, switchLanguage);
}
