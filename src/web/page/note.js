// Checkpoints: C2SP signed notes, and the key by which their signatures are checked.

import { equal, fromBase64, joined, sha256 } from './proof.js';

const ED25519 = 1;

/** Reads a note: origin, size and root of a tree, its text, and its signatures. */
export function parseNote(note) {
  const end = note.indexOf('\n\n');
  if (end < 0) throw new Error('the note has no signatures');
  const text = note.slice(0, end + 1);
  const [origin, size, root] = text.split('\n');
  if (!origin || !/^(0|[1-9]\d*)$/.test(size ?? '') || !root) throw new Error('the note is not a checkpoint');
  const signatures = note.slice(end + 2).split('\n').filter(Boolean).map((line) => {
    const found = /^— (\S+) (\S+)$/.exec(line);
    if (!found) throw new Error('a signature of the note is malformed');
    const bytes = fromBase64(found[2]);
    return { name: found[1], id: bytes.slice(0, 4), signature: bytes.slice(4) };
  });
  return { origin, size: BigInt(size), root: fromBase64(root), text, signatures };
}

/** Reads a verifier key, such as parkwatt/park+8a7b6c5d+AQ…; throws where it is none. */
export async function parseVkey(vkey) {
  const found = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(vkey.trim());
  if (!found) throw new Error('this is not a verifier key; it reads NAME+HASH+BASE64');
  const [, name, id, key] = found;
  const bytes = bytesOf(key);
  if (bytes?.length !== 33 || bytes[0] !== ED25519) throw new Error('this is not the key of an Ed25519 signature');
  const hash = await sha256(new TextEncoder().encode(`${name}\n`), bytes);
  const computed = Array.from(hash.slice(0, 4), (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (computed !== id) throw new Error('the key does not belong to its number');
  return { name, id: hash.slice(0, 4), key: bytes.slice(1) };
}

/** Returns the bytes of base64; none where it is none. */
function bytesOf(text) {
  try {
    return fromBase64(text);
  } catch {
    return undefined;
  }
}

/** Returns whether the key has signed the note: true, false, or nothing where this browser cannot tell. */
export async function isSigned(note, vkey) {
  if (note.origin !== vkey.name) return false;
  let key;
  try {
    key = await crypto.subtle.importKey('raw', vkey.key, { name: 'Ed25519' }, false, ['verify']);
  } catch {
    return undefined;
  }
  const text = new TextEncoder().encode(note.text);
  for (const { name, id, signature } of note.signatures) {
    if (name === vkey.name && equal(id, vkey.id)) {
      return crypto.subtle.verify({ name: 'Ed25519' }, key, signature, joined(text));
    }
  }
  return false;
}
