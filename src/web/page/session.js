// Who has signed in: a session that his own command has signed, for a quarter of an hour at most. No key is ever here.

const KEPT = 'parkwatt-session';

/** Takes a session out of the address, so that it is in no history and no bookmark, and keeps it for this tab. */
export function takeFromAddress() {
  const found = /^#session=([A-Za-z0-9_-]+=*)$/.exec(location.hash);
  if (!found) return false;
  sessionStorage.setItem(KEPT, found[1].replaceAll('-', '+').replaceAll('_', '/'));
  history.replaceState(null, '', location.pathname + location.search);
  return true;
}

/** Returns the session in base64; none for who has not signed in. */
export const session = () => sessionStorage.getItem(KEPT);

export const signOut = () => sessionStorage.removeItem(KEPT);
