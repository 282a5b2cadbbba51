//! Packs: many items of the log under one key of the database, since each key costs it about as much as a thousand
//! bytes, and it writes each byte several times.
//!
//! Knows how items lie in a value; does not know the database, or what an item says.
//! Keeps: what is packed comes back, item by item, in order; a value is a pack to the byte, or none.

use super::StoreError;

/// How many bytes of items one value has at most, unless a single item is longer. The database lays up to 17 values
/// side by side, and what is longer than 128 KiB then into a file of its own.
const PACK_BYTES_MAX: usize = 6 << 10;
/// The longest form of a number.
const NUMBER_BYTES_MAX: usize = 10;

/// A value's items: each its key and its value.
pub type Items = Vec<(Vec<u8>, Vec<u8>)>;

/// Values that are being packed, each under the key of its first item.
pub struct Packer {
    prefix: Vec<u8>,
    key: Vec<u8>,
    value: Vec<u8>,
    /// The last item's key, if it is in this pack.
    last: Vec<u8>,
    packs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Packer {
    /// Returns a packer whose packs' keys begin with `prefix`.
    pub fn new(prefix: Vec<u8>) -> Packer {
        Packer { prefix, key: Vec::new(), value: Vec::new(), last: Vec::new(), packs: Vec::new() }
    }

    /// Packs an item, behind all those before: of its key only what the last one's has not.
    pub fn push(&mut self, key: &[u8], value: &[u8]) {
        self.begin(key, 3 * NUMBER_BYTES_MAX + key.len() + value.len());
        let shared = self.last.iter().zip(key).take_while(|(a, b)| a == b).count();
        put_number(&mut self.value, shared);
        for part in [&key[shared..], value] {
            put_number(&mut self.value, part.len());
            self.value.extend_from_slice(part);
        }
        self.last.truncate(shared);
        self.last.extend_from_slice(&key[shared..]);
    }

    /// Packs an item whose key follows from its place.
    pub fn push_counted(&mut self, key: &[u8], item: &[u8]) {
        self.begin(key, NUMBER_BYTES_MAX + item.len());
        put_number(&mut self.value, item.len());
        self.value.extend_from_slice(item);
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
            self.last.clear();
        }
    }
}

/// Returns the items of a pack.
pub fn unpack(pack: &[u8]) -> Result<Items, StoreError> {
    unpack_some(pack, |_| true)
}

/// Returns the items of a pack whose key is wanted.
pub fn unpack_some(mut pack: &[u8], is_wanted: impl Fn(&[u8]) -> bool) -> Result<Items, StoreError> {
    let (mut items, mut key) = (Items::new(), Vec::new());
    while !pack.is_empty() {
        let value = take_item(&mut pack, &mut key)?;
        if is_wanted(&key) {
            items.push((key.clone(), value.to_vec()));
        }
    }
    Ok(items)
}

/// Returns the value of the item with this key, if the pack has one; the items behind it are not looked at.
pub fn find(mut pack: &[u8], wanted: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let mut key = Vec::new();
    while !pack.is_empty() {
        let value = take_item(&mut pack, &mut key)?;
        if key == wanted {
            return Ok(Some(value.to_vec()));
        }
    }
    Ok(None)
}

/// Returns the items of a pack whose keys follow from their places.
pub fn unpack_counted(mut pack: &[u8]) -> impl Iterator<Item = Result<&[u8], StoreError>> {
    std::iter::from_fn(move || {
        if pack.is_empty() {
            return None;
        }
        let item = take_part(&mut pack);
        if item.is_err() {
            pack = &[];
        }
        Some(item)
    })
}

/// Takes an item, whose key follows from the one before.
fn take_item<'a>(pack: &mut &'a [u8], key: &mut Vec<u8>) -> Result<&'a [u8], StoreError> {
    let shared = take_number(pack)?;
    if shared > key.len() {
        return Err(StoreError::Malformed("a key in a pack has more of the last one than that has"));
    }
    key.truncate(shared);
    key.extend_from_slice(take_part(pack)?);
    take_part(pack)
}

fn take_part<'a>(pack: &mut &'a [u8]) -> Result<&'a [u8], StoreError> {
    let len = take_number(pack)?;
    let (part, rest) = pack.split_at_checked(len).ok_or(ENDS)?;
    *pack = rest;
    Ok(part)
}

const ENDS: StoreError = StoreError::Malformed("a pack ends within an item");

/// Puts a number: seven bits a byte, the lowest first, each but the last with the highest bit.
fn put_number(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn take_number(pack: &mut &[u8]) -> Result<usize, StoreError> {
    let mut number = 0_usize;
    for shift in (0..usize::BITS).step_by(7) {
        let (&byte, rest) = pack.split_first().ok_or(ENDS)?;
        *pack = rest;
        number |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(StoreError::Malformed("a number in a pack does not end"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_and_a_pack_that_is_cut_is_none() {
        let items: Items =
            (0_u8..200).map(|n| (vec![0, 0, n / 9, n, 7, 7], vec![n; usize::from(n) * 9])).collect();
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
        let (pack, items) = (&packs[0].1, &unpacked[0]);
        for (key, value) in items {
            assert_eq!(find(pack, key).unwrap().as_ref(), Some(value));
            assert_eq!(unpack_some(pack, |it| it == key).unwrap(), [(key.clone(), value.clone())]);
        }
        assert_eq!(find(pack, &[99; 6]).unwrap(), None);
        // The first item is 1 + 1 + 6 + 1 + 0 bytes long, the second has two bytes of the key and nine of the value anew.
        let two = &pack[..9 + (1 + 1 + 3 + 1 + 9)];
        assert_eq!(unpack(two).unwrap(), items[..2]);
        for len in (1..two.len()).filter(|len| *len != 9) {
            assert!(unpack(&two[..len]).is_err(), "{len} bytes");
            assert!(find(&two[..len], &[99; 6]).is_err(), "{len} bytes");
        }
        assert!(unpack(&[1, 0, 0]).is_err(), "there is no key before");
    }

    #[test]
    fn items_whose_keys_follow_from_their_places_come_back() {
        let items: Vec<Vec<u8>> = (0..300).map(|n| vec![7; n]).collect();
        let mut packer = Packer::new(Vec::new());
        for (n, item) in (0_u64..).zip(&items) {
            packer.push_counted(&n.to_be_bytes(), item);
        }
        let (mut count, mut found) = (0_u64, Vec::new());
        for (key, pack) in packer.finish() {
            assert_eq!(key, count.to_be_bytes());
            let here: Vec<Vec<u8>> = unpack_counted(&pack).map(|item| item.unwrap().to_vec()).collect();
            assert!(unpack_counted(&pack[..pack.len() - 1]).any(|item| item.is_err()));
            count += here.len() as u64;
            found.extend(here);
        }
        assert_eq!(found, items);
    }

    #[test]
    fn an_item_longer_than_a_pack_has_one_of_its_own() {
        let mut packer = Packer::new(Vec::new());
        for len in [1, 9_000, 1] {
            packer.push(b"k", &vec![7; len]);
        }
        assert_eq!(packer.finish().len(), 3);
    }

    #[test]
    fn a_number_comes_back_and_one_that_does_not_end_is_none() {
        for number in [0, 1, 127, 128, 300, 1 << 20, usize::MAX] {
            let mut bytes = Vec::new();
            put_number(&mut bytes, number);
            assert!(bytes.len() <= NUMBER_BYTES_MAX);
            let mut rest = bytes.as_slice();
            assert_eq!((take_number(&mut rest).unwrap(), rest), (number, &[][..]));
            assert!(take_number(&mut &bytes[..bytes.len() - 1]).is_err());
        }
        assert!(take_number(&mut &[0xff; 11][..]).is_err());
    }
}
