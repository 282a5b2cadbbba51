//! Frames: one segment read from its header to its end, sector by sector.
//!
//! Knows which patterns of unwritten sectors a crash can leave, and where. Does not know leaves or hashes.
//! Keeps: every byte of the file is looked at; what is neither written nor unwritten is an error that names
//! it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::sector::{self, BLOCK, Found, Mark, SECTOR};
use super::segment::Header;
use super::{PathError, ReadError, group};

/// How much of an unwritten region is read at once.
const CHUNK: usize = 1 << 20;

/// Whether more segments follow: a crash can interrupt a write only in the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Another segment follows.
    Earlier,
    /// The segment that is written to.
    Last,
}

/// What lies at the next place where a group may begin.
pub enum Frame {
    /// A whole group, as its payload.
    Group {
        /// Where it begins.
        offset: u64,
        /// Its payload, with the filler.
        payload: Vec<u8>,
    },
    /// Nothing, up to the end of the file.
    End,
    /// A group whose write did not finish.
    Torn {
        /// Where it begins.
        offset: u64,
        /// Behind its last written sector.
        end: u64,
    },
}

/// A segment that is being read.
pub struct Frames {
    file: File,
    path: PathBuf,
    header: Header,
    place: Place,
    len: u64,
    offset: u64,
}

impl Frames {
    /// Opens a segment and reads its header.
    pub fn open(path: &Path, place: Place) -> Result<Frames, ReadError> {
        let file = File::open(path).map_err(PathError::at(path))?;
        let len = file.metadata().map_err(PathError::at(path))?.len();
        let corrupt = |offset, what: String| ReadError::Corrupt { file: path.to_owned(), offset, what };

        if len < BLOCK as u64 {
            return Err(corrupt(len, "the file ends within its header".into()));
        }
        let mut block = [0; BLOCK];
        file.read_exact_at(&mut block, 0).map_err(PathError::at(path))?;
        for (n, bytes) in block.chunks_exact(SECTOR).enumerate() {
            let offset = (n * SECTOR) as u64;
            let mark = if n == 0 { Mark::Segment } else { Mark::More };
            if sector::inspect(bytes, offset) != Found::Whole(mark) {
                return Err(corrupt(
                    offset,
                    "this sector of the segment's header is not as it was written".into(),
                ));
            }
        }
        let header = Header::decode(&sector::unframe(&block)).ok_or_else(|| {
            corrupt(0, "this is not the header of a segment, or of an unknown version".into())
        })?;
        if len > header.capacity || len % BLOCK as u64 != 0 || (place == Place::Last && len < header.capacity)
        {
            let what = format!("the file is {len} bytes long, but was made with {}", header.capacity);
            return Err(corrupt(len.min(header.capacity), what));
        }
        Ok(Frames { file, path: path.to_owned(), header, place, len, offset: BLOCK as u64 })
    }

    /// Returns the segment's header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the segment's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns where the next group begins: after the end was found, where the next one will be written.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns whether the unused rest has been cut off.
    pub fn is_trimmed(&self) -> bool {
        self.len == self.offset
    }

    /// Returns an error about the byte `offset` of this segment.
    pub fn corrupt(&self, offset: u64, what: impl Into<String>) -> ReadError {
        ReadError::Corrupt { file: self.path.clone(), offset, what: what.into() }
    }

    /// Reads what lies at the next place where a group may begin.
    pub fn next(&mut self) -> Result<Frame, ReadError> {
        let begin = self.offset;
        if begin == self.len {
            return Ok(Frame::End);
        }
        let mut frame = vec![0; BLOCK];
        self.read(&mut frame, begin)?;
        match sector::inspect(&frame[..SECTOR], begin) {
            Found::Unwritten => return self.without_beginning(),
            Found::Damaged => return Err(self.damaged(begin)),
            Found::Whole(Mark::Group) => {}
            Found::Whole(_) => return Err(self.corrupt(begin, "here a group must begin, not go on")),
        }

        let payload_len = group::payload_len(&frame[1..]);
        let frame_len = sector::framed_len(payload_len);
        if frame_len > self.len - begin {
            let what = format!("a group of {payload_len} bytes does not fit into the rest of the segment");
            return Err(self.corrupt(begin, what));
        }
        frame.resize(usize::try_from(frame_len).expect("a length of 32 bits fits into memory"), 0);
        self.read(&mut frame[BLOCK..], begin + BLOCK as u64)?;

        let mut written_end = begin;
        let mut unwritten = None;
        for (n, bytes) in frame.chunks_exact(SECTOR).enumerate() {
            let offset = begin + (n * SECTOR) as u64;
            match sector::inspect(bytes, offset) {
                Found::Whole(Mark::More) => written_end = offset + SECTOR as u64,
                Found::Whole(Mark::Group) if n == 0 => written_end = offset + SECTOR as u64,
                Found::Unwritten => unwritten = unwritten.or(Some(offset)),
                Found::Damaged => return Err(self.damaged(offset)),
                Found::Whole(_) => return Err(self.corrupt(offset, "here a group must go on, not begin")),
            }
        }
        let Some(unwritten) = unwritten else {
            self.offset = begin + frame_len;
            return Ok(Frame::Group { offset: begin, payload: sector::unframe(&frame) });
        };
        // Sectors of a group are missing: a crash does this, but only to the group that was written last.
        if self.place == Place::Earlier || self.written_behind(begin + frame_len)?.is_some() {
            return Err(
                self.corrupt(unwritten, "this sector of a group is unwritten, and more groups follow")
            );
        }
        Ok(Frame::Torn { offset: begin, end: written_end })
    }

    /// Decides what it is when the sector in which a group may begin is unwritten.
    fn without_beginning(&self) -> Result<Frame, ReadError> {
        let begin = self.offset;
        let Some((mut end, mut mark)) = self.written_behind(begin)? else {
            let cut_elsewhere = self.place == Place::Earlier && self.len != self.header.capacity;
            if cut_elsewhere {
                return Err(self.corrupt(begin, "here the segment must end, or be as long as it was made"));
            }
            return Ok(Frame::End);
        };
        // A crash may have lost the group's first sector and kept later ones. But no group follows a torn
        // one.
        loop {
            if self.place == Place::Earlier || mark != Mark::More {
                return Err(self
                    .corrupt(begin, format!("the group that began here is gone; byte {} is not", end - 1)));
            }
            match self.written_behind(end)? {
                Some(next) => (end, mark) = next,
                None => return Ok(Frame::Torn { offset: begin, end }),
            }
        }
    }

    /// Returns the first written sector at or behind `offset`: its end, and its mark.
    fn written_behind(&self, mut offset: u64) -> Result<Option<(u64, Mark)>, ReadError> {
        let mut chunk = vec![0; CHUNK];
        while offset < self.len {
            let len = usize::try_from(self.len - offset).map_or(CHUNK, |rest| rest.min(CHUNK));
            let chunk = &mut chunk[..len];
            self.read(chunk, offset)?;
            for (n, bytes) in chunk.chunks_exact(SECTOR).enumerate() {
                let at = offset + (n * SECTOR) as u64;
                match sector::inspect(bytes, at) {
                    Found::Unwritten => {}
                    Found::Damaged => return Err(self.damaged(at)),
                    Found::Whole(mark) => return Ok(Some((at + SECTOR as u64, mark))),
                }
            }
            offset += len as u64;
        }
        Ok(None)
    }

    fn damaged(&self, offset: u64) -> ReadError {
        self.corrupt(offset, "this sector is neither unwritten nor as it was written: its checksum is wrong")
    }

    fn read(&self, bytes: &mut [u8], offset: u64) -> Result<(), ReadError> {
        Ok(self.file.read_exact_at(bytes, offset).map_err(PathError::at(&self.path))?)
    }
}
