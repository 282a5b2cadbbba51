//! Sectors: how a payload is cut so that what a crash left unwritten and what a fault has changed look
//! different.
//!
//! A disk writes 512 bytes or does not write them; a file is made of zeros before anything is written into
//! it. So after a crash each sector of a frame is either all zero or exactly as written. Each written sector
//! carries a mark that is not zero and its own CRC-32C: a third state can only come from a fault.

/// What a disk writes as a whole, in bytes.
pub const SECTOR: usize = 512;
/// What a frame begins and ends at: no two frames share a page of the cache or a physical 4 KiB sector.
pub const BLOCK: usize = 4096;
/// The payload bytes in a sector: what the mark and the CRC leave.
pub const ROOM: usize = SECTOR - 1 - 4;

/// What a sector is part of: its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mark {
    /// The first sector of a segment's header.
    Segment = b'S',
    /// The first sector of a group.
    Group = b'G',
    /// A later sector of either.
    More = b'+',
}

/// What is found where a sector may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Zeros: nothing was ever written here.
    Unwritten,
    /// A sector as it was written.
    Whole(Mark),
    /// Neither: a fault has changed it.
    Damaged,
}

/// Returns how many bytes a payload takes in a file, in whole blocks.
pub fn framed_len(payload_len: u64) -> u64 {
    let sectors = payload_len.div_ceil(ROOM as u64);
    (sectors * SECTOR as u64).next_multiple_of(BLOCK as u64)
}

/// Cuts a payload into the sectors from byte `offset` of its file, filled up with zeros to whole blocks.
pub fn frame(first: Mark, payload: &[u8], offset: u64) -> Vec<u8> {
    let len = usize::try_from(framed_len(payload.len() as u64))
        .expect("a payload in memory has a length in memory");
    let mut bytes = vec![0; len];
    let mut rest = payload;
    for (n, sector) in bytes.chunks_exact_mut(SECTOR).enumerate() {
        let (piece, after) = rest.split_at(rest.len().min(ROOM));
        rest = after;
        sector[0] = if n == 0 { first } else { Mark::More } as u8;
        sector[1..=piece.len()].copy_from_slice(piece);
        let crc = crc(&sector[..SECTOR - 4], offset + (n * SECTOR) as u64);
        sector[SECTOR - 4..].copy_from_slice(&crc.to_le_bytes());
    }
    bytes
}

/// Returns the payload of whole sectors, with the zeros it was filled up with.
pub fn unframe(sectors: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(sectors.len() / SECTOR * ROOM);
    for sector in sectors.chunks_exact(SECTOR) {
        payload.extend_from_slice(&sector[1..=ROOM]);
    }
    payload
}

/// Says what the sector at byte `offset` of its file is.
pub fn inspect(sector: &[u8], offset: u64) -> Found {
    if sector == [0; SECTOR] {
        return Found::Unwritten;
    }
    let (content, stored) = sector.split_at(SECTOR - 4);
    if crc(content, offset).to_le_bytes() != stored {
        return Found::Damaged;
    }
    match content[0] {
        b'S' => Found::Whole(Mark::Segment),
        b'G' => Found::Whole(Mark::Group),
        b'+' => Found::Whole(Mark::More),
        _ => Found::Damaged,
    }
}

/// The CRC knows the sector's place, so that a sector that was written or copied elsewhere is not taken for
/// whole.
fn crc(content: &[u8], offset: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&offset.to_le_bytes()), content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_framed_payload_comes_back() {
        for len in [0, 1, ROOM - 1, ROOM, ROOM + 1, 8 * ROOM, 8 * ROOM + 1, 10_000] {
            let payload: Vec<u8> = (0..=250).cycle().take(len).collect();
            let framed = frame(Mark::Group, &payload, 4096);
            assert_eq!(framed.len() as u64, framed_len(len as u64));
            let unframed = unframe(&framed);
            assert_eq!(unframed[..len], payload);
            assert!(unframed[len..].iter().all(|&byte| byte == 0));
        }
    }

    #[test]
    fn a_payload_of_zeros_does_not_look_unwritten() {
        for (n, sector) in frame(Mark::Group, &[0; 5000], 0).chunks_exact(SECTOR).enumerate() {
            let mark = if n == 0 { Mark::Group } else { Mark::More };
            assert_eq!(inspect(sector, (n * SECTOR) as u64), Found::Whole(mark));
        }
    }

    #[test]
    fn each_flipped_bit_of_a_sector_is_damage() {
        let written = frame(Mark::Group, b"leaves", 512);
        for (sector, what) in [(&written[..SECTOR], "written"), (&[0; SECTOR][..], "unwritten")] {
            for bit in 0..SECTOR * 8 {
                let mut flipped = sector.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(inspect(&flipped, 512), Found::Damaged, "bit {bit} of a sector that was {what}");
            }
        }
    }

    #[test]
    fn a_sector_in_another_place_is_damage() {
        let written = frame(Mark::Group, b"leaves", 4096);
        assert_eq!(inspect(&written[..SECTOR], 8192), Found::Damaged);
    }
}
