//! Packs: many items of the log under one key of the database, since each key costs it about as much as a hundred
//! small items.
//!
//! Knows how items lie in a value; does not know the database, or what an item says.
//! Keeps: what is packed comes back, item by item, in order; a value is a pack to the byte, or none.

use super::StoreError;

/// How many bytes of items one value has at most, unless a single item is longer.
const PACK_BYTES_MAX: usize = 3 << 10;

/// A value's items: each its key and its value, with their lengths before them.
pub type Items = Vec<(Vec<u8>, Vec<u8>)>;

/// Values that are being packed, each under the key of its first item.
pub struct Packer {
    prefix: Vec<u8>,
    key: Vec<u8>,
    value: Vec<u8>,
    packs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Packer {
    /// Returns a packer whose packs' keys begin with `prefix`.
    pub fn new(prefix: Vec<u8>) -> Packer {
        Packer { prefix, key: Vec::new(), value: Vec::new(), packs: Vec::new() }
    }

    /// Packs an item, behind all those before.
    pub fn push(&mut self, key: &[u8], value: &[u8]) {
        self.begin(key, 2 * 4 + key.len() + value.len());
        for part in [key, value] {
            let len =
                u32::try_from(part.len()).expect("an item is part of a group, which is shorter than 4 GiB");
            self.value.extend_from_slice(&len.to_le_bytes());
            self.value.extend_from_slice(part);
        }
    }

    /// Packs an item whose key and length follow from its place.
    pub fn push_plain(&mut self, key: &[u8], item: &[u8]) {
        self.begin(key, item.len());
        self.value.extend_from_slice(item);
    }

    /// Returns the packs: key and value.
    pub fn finish(mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.end();
        self.packs
    }

    /// Begins another pack where so many bytes more do not fit.
    fn begin(&mut self, key: &[u8], len: usize) {
        if self.value.len() + len > PACK_BYTES_MAX {
            self.end();
        }
        if self.value.is_empty() {
            self.key = [&self.prefix, key].concat();
        }
    }

    fn end(&mut self) {
        if !self.value.is_empty() {
            self.packs.push((std::mem::take(&mut self.key), std::mem::take(&mut self.value)));
        }
    }
}

/// Returns the items of a pack.
pub fn unpack(pack: &[u8]) -> Result<Items, StoreError> {
    read(pack).map(|item| item.map(|(key, value)| (key.to_vec(), value.to_vec()))).collect()
}

/// Returns the value of the item with this key, if the pack has one; the items behind it are not looked at.
pub fn find(pack: &[u8], key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let found = read(pack).find(|item| item.as_ref().map_or(true, |(found, _)| *found == key));
    Ok(found.transpose()?.map(|(_, value)| value.to_vec()))
}

/// Reads the items of a pack, up to what is none.
fn read(mut pack: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8]), StoreError>> {
    std::iter::from_fn(move || {
        if pack.is_empty() {
            return None;
        }
        let item = take(&mut pack).and_then(|key| Ok((key, take(&mut pack)?)));
        if item.is_err() {
            pack = &[];
        }
        Some(item)
    })
}

fn take<'a>(pack: &mut &'a [u8]) -> Result<&'a [u8], StoreError> {
    let ends = || StoreError::Malformed("a pack ends within an item");
    let (len, rest) = pack.split_first_chunk().ok_or_else(ends)?;
    let len = usize::try_from(u32::from_le_bytes(*len)).map_err(|_| ends())?;
    let (part, rest) = rest.split_at_checked(len).ok_or_else(ends)?;
    *pack = rest;
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_and_a_pack_that_is_cut_is_none() {
        let items: Items = (0_u8..100).map(|n| (vec![n; 8], vec![n; usize::from(n) * 9])).collect();
        let mut packer = Packer::new(vec![1]);
        for (key, value) in &items {
            packer.push(key, value);
        }
        let packs = packer.finish();
        assert!(packs.len() > 10 && packs.iter().all(|(_, pack)| pack.len() <= PACK_BYTES_MAX));
        let unpacked: Vec<Items> = packs.iter().map(|(_, pack)| unpack(pack).unwrap()).collect();
        for ((key, _), items) in packs.iter().zip(&unpacked) {
            assert_eq!(key[1..], items[0].0, "a pack's key is that of its first item");
        }
        assert_eq!(unpacked.concat(), items);
        for (key, value) in &unpacked[0] {
            assert_eq!(find(&packs[0].1, key).unwrap().as_ref(), Some(value));
        }
        assert_eq!(find(&packs[0].1, &[99; 8]).unwrap(), None);
        let two = &packs[0].1[..4 + 8 + 4 + 4 + 8 + 4 + 9];
        assert_eq!(unpack(two).unwrap(), items[..2]);
        for len in (1..two.len()).filter(|len| *len != 16) {
            assert!(unpack(&two[..len]).is_err(), "{len} bytes");
            assert!(find(&two[..len], &[99; 8]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn an_item_longer_than_a_pack_has_one_of_its_own() {
        let mut packer = Packer::new(Vec::new());
        for len in [1, 9_000, 1] {
            packer.push(b"k", &vec![7; len]);
        }
        assert_eq!(packer.finish().len(), 3);
    }
}
