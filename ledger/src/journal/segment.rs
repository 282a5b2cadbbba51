//! Segments: the files of a journal, their names and their headers.
//!
//! Knows names and headers; does not know groups.

use std::fs;
use std::path::{Path, PathBuf};

use super::PathError;
use super::sector::{self, BLOCK, Mark};
use crate::tree::Hash;

/// The digits of a segment's name; the largest leaf index has as many.
const NAME_DIGITS: usize = 20;
/// What a segment's file is called after its digits.
const EXTENSION: &str = "seg";
/// What a header's payload begins with: what the file is, and version 1 of its format.
const MAGIC: &[u8; 12] = b"pw-ledger\0\0\x01";

/// The first block of a segment: what the file is, and what came before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// The length the file was made with, in bytes.
    pub capacity: u64,
    /// The index of the first leaf in the file.
    pub first_index: u64,
    /// The root of the tree of all leaves before.
    pub root_before: Hash,
    /// Whose log this is: the verifier key, which begins with the origin.
    pub vkey: String,
}

impl Header {
    /// Lays the header out as a block.
    pub fn encode(&self) -> Vec<u8> {
        let mut payload = MAGIC.to_vec();
        payload.extend_from_slice(&self.capacity.to_le_bytes());
        payload.extend_from_slice(&self.first_index.to_le_bytes());
        payload.extend_from_slice(&self.root_before.0);
        let vkey_len = u16::try_from(self.vkey.len()).expect("an origin is at most 255 bytes");
        payload.extend_from_slice(&vkey_len.to_le_bytes());
        payload.extend_from_slice(self.vkey.as_bytes());
        let block = sector::frame(Mark::Segment, &payload, 0);
        assert_eq!(block.len(), BLOCK, "a header is one block");
        block
    }

    /// Reads a header from the payload of its block; returns nothing if it is not one, to the byte.
    pub fn decode(payload: &[u8]) -> Option<Header> {
        let rest = payload.strip_prefix(MAGIC)?;
        let (capacity, rest) = rest.split_first_chunk()?;
        let (first_index, rest) = rest.split_first_chunk()?;
        let (root_before, rest) = rest.split_first_chunk()?;
        let (vkey_len, rest) = rest.split_first_chunk()?;
        let (vkey, filler) = rest.split_at_checked(usize::from(u16::from_le_bytes(*vkey_len)))?;
        let header = Header {
            capacity: u64::from_le_bytes(*capacity),
            first_index: u64::from_le_bytes(*first_index),
            root_before: Hash(*root_before),
            vkey: String::from_utf8(vkey.to_vec()).ok()?,
        };
        filler.iter().all(|&byte| byte == 0).then_some(header)
    }
}

/// Returns the path of the segment that begins with leaf `first_index`.
pub fn path(journal: &Path, first_index: u64) -> PathBuf {
    journal.join(format!("{first_index:0NAME_DIGITS$}.{EXTENSION}"))
}

/// Returns the path under which a segment is made before it gets its name.
pub fn unfinished_path(journal: &Path) -> PathBuf {
    journal.join("next.seg.new")
}

/// Returns the segments of a journal with the index each name says, in order. Other files are not looked at.
pub fn list(journal: &Path) -> Result<Vec<(u64, PathBuf)>, PathError> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(journal).map_err(PathError::at(journal))? {
        let path = entry.map_err(PathError::at(journal))?.path();
        if let Some(first_index) = index_in_name(&path) {
            segments.push((first_index, path));
        }
    }
    segments.sort();
    Ok(segments)
}

/// Returns what is left of segments whose making was interrupted.
pub fn list_unfinished(journal: &Path) -> Result<Vec<PathBuf>, PathError> {
    let mut unfinished = Vec::new();
    for entry in fs::read_dir(journal).map_err(PathError::at(journal))? {
        let path = entry.map_err(PathError::at(journal))?.path();
        if path.extension().is_some_and(|extension| extension == "new") {
            unfinished.push(path);
        }
    }
    Ok(unfinished)
}

fn index_in_name(path: &Path) -> Option<u64> {
    let digits = path.file_name()?.to_str()?.strip_suffix(EXTENSION)?.strip_suffix('.')?;
    let plain = digits.len() == NAME_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_from_its_block() {
        let header = Header {
            capacity: 1 << 26,
            first_index: 77,
            root_before: Hash([9; 32]),
            vkey: format!("{}+12345678+AQ", "x".repeat(255)),
        };
        assert_eq!(Header::decode(&sector::unframe(&header.encode())), Some(header));
    }

    #[test]
    fn only_twenty_digits_name_a_segment() {
        let index = |name: &str| index_in_name(Path::new(name));
        assert_eq!(index("00000000000000000012.seg"), Some(12));
        for other in
            ["12.seg", "+0000000000000000012.seg", "00000000000000000012.seg.new", "0000000000000000001x.seg"]
        {
            assert_eq!(index(other), None, "{other}");
        }
    }
}
