// Proofs of the ledger: RFC 6962 hashes, inclusion, and the text form in which they come (C2SP tlog-proof). Nothing here
// trusts the node: bytes go in, and what comes out was computed by this browser.

const HEADING = 'c2sp.org/tlog-proof@v1';

/** Returns whether this browser lets a page hash: over plain HTTP from another machine it does not. */
export const canHash = () => Boolean(globalThis.crypto?.subtle);

export async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', joined(...parts)));
}

/** Returns the hash of a leaf: one byte 0 before its bytes, so that no node passes for a leaf. */
export const leafHash = (leaf) => sha256(Uint8Array.of(0), leaf);

const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);

/** Returns the root that a leaf's hash and its path lead to (RFC 9162, 2.1.3.2); throws where the path cannot fit. */
export async function rootOf(hash, index, size, path) {
  let [place, last, root] = [BigInt(index), BigInt(size) - 1n, hash];
  if (place < 0n || place > last) throw new Error('the tree has no such entry');
  for (const other of path) {
    if (last === 0n) throw new Error('the path is too long');
    if (place & 1n || place === last) {
      root = await nodeHash(other, root);
      while (place !== 0n && !(place & 1n)) [place, last] = [place >> 1n, last >> 1n];
    } else {
      root = await nodeHash(root, other);
    }
    [place, last] = [place >> 1n, last >> 1n];
  }
  if (last !== 0n) throw new Error('the path is too short');
  return root;
}

/** Reads a tlog-proof with the leaf as its extra data; throws with what is not as the form says. */
export function parseProof(text) {
  const end = text.indexOf('\n\n');
  if (end < 0) throw new Error('there is no empty line before the checkpoint');
  const [heading, extra, index, ...path] = text.slice(0, end).split('\n');
  if (heading !== HEADING) throw new Error(`it does not begin with ${HEADING}`);
  if (!extra?.startsWith('extra ')) throw new Error("there is no line 'extra' with the entry");
  if (!/^index (0|[1-9]\d*)$/.test(index ?? '')) throw new Error("there is no line 'index'");
  return {
    leaf: fromBase64(extra.slice(6)),
    index: BigInt(index.slice(6)),
    path: path.map(fromBase64),
    note: text.slice(end + 2),
  };
}

export function joined(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
export const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));
export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
export const equal = (one, other) => one.length === other.length && one.every((byte, index) => byte === other[index]);
