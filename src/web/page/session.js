// Who has signed in: a session that his own command has signed, for a quarter of an hour at most. No key is ever here.

const KEPT = 'parkwatt-session';

/** Takes a session out of the address, so that it is in no history and no bookmark, and keeps it for this tab. Returns whether
 * there was one: none, malformed, or taken. */
export function takeFromAddress() {
  if (!location.hash.startsWith('#session=')) return 'none';
  const found = /^#session=([A-Za-z0-9_-]+=*)$/.exec(location.hash);
  history.replaceState(null, '', location.pathname + location.search);
  if (!found) return 'malformed';
  sessionStorage.setItem(KEPT, found[1].replaceAll('-', '+').replaceAll('_', '/'));
  return 'taken';
}

/** Returns the session in base64; none for who has not signed in. */
export const session = () => sessionStorage.getItem(KEPT);

export const signOut = () => sessionStorage.removeItem(KEPT);
