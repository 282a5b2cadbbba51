// Entries of the ledger, decoded from their own bytes: protobuf's wire form, by the contract's list of fields.

let contract;

/** Loads the contract's list of fields. */
export async function loadContract() {
  contract ??= await (await fetch('assets/contract.json')).json();
  return contract;
}

/** Returns the message of this kind that the bytes are; throws where they are none. Numbers of 64 bits are BigInt. */
export function decode(bytes, kind = 'Leaf', forms = contract) {
  const fields = forms.messages[kind];
  const message = {};
  const reader = new Reader(bytes);
  while (!reader.isAtEnd()) {
    const tag = Number(reader.varint());
    const value = reader.value(tag & 7);
    const field = fields[tag >>> 3];
    if (!field) continue;
    const [name, type, repeated] = field;
    const read = repeated && value instanceof Uint8Array && !isChunk(type, forms)
      ? unpacked(value, type, forms)
      : [meant(value, type, forms)];
    if (repeated) message[name] = [...(message[name] ?? []), ...read];
    else [message[name]] = read;
  }
  return message;
}

const isChunk = (type, forms) => type === 'string' || type === 'bytes' || type in forms.messages;

function unpacked(bytes, type, forms) {
  const reader = new Reader(bytes);
  const values = [];
  while (!reader.isAtEnd()) values.push(meant(reader.varint(), type, forms));
  return values;
}

function meant(value, type, forms) {
  if (type in forms.messages) return decode(value, type, forms);
  if (type in forms.enums) return forms.enums[type][String(value)] ?? Number(value);
  switch (type) {
    case 'string': return new TextDecoder('utf-8', { fatal: true }).decode(value);
    case 'bytes': return value;
    case 'bool': return value !== 0n;
    case 'uint32': return Number(value);
    case 'int64': case 'int32': return BigInt.asIntN(64, value);
    case 'sint64': case 'sint32': return (value >> 1n) ^ -(value & 1n);
    default: return value;
  }
}

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  isAtEnd() {
    return this.at >= this.bytes.length;
  }

  varint() {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new Error('the bytes end within a number');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new Error('a number is too long');
  }

  value(form) {
    if (form === 0) return this.varint();
    const len = form === 2 ? Number(this.varint()) : { 1: 8, 5: 4 }[form];
    if (len === undefined || this.at + len > this.bytes.length) throw new Error('the bytes are no entry');
    this.at += len;
    return this.bytes.slice(this.at - len, this.at);
  }
}
