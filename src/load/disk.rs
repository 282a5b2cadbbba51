//! A bare disk: writes into a file of zeros, each followed by `fdatasync`, as a journal would at its very
//! best.
//!
//! Knows files; does not know what is compared with it.

use std::{fs::File, os::unix::fs::FileExt, path::Path};

/// What every write begins and ends at.
const BLOCK: usize = 4096;
/// After how many bytes it begins again at the front.
const FILE_BYTES: u64 = 64 << 20;

/// A file whose every block is allocated and has been written.
#[derive(Debug)]
pub struct Disk {
    file: File,
    offset: u64,
    bytes: Vec<u8>,
}

impl Disk {
    /// Makes the file in `dir`, for writes of `len` bytes, rounded up to whole blocks.
    pub fn new(dir: &Path, len: usize) -> Disk {
        let file = File::create(dir.join(format!("bare-{len}"))).expect("there is room on the disk");
        let zeros = vec![0; 1 << 20];
        for offset in (0..FILE_BYTES).step_by(zeros.len()) {
            file.write_all_at(&zeros, offset).expect("there is room on the disk");
        }
        file.sync_all().expect("the disk takes it");
        Disk { file, offset: 0, bytes: vec![1; len.next_multiple_of(BLOCK)] }
    }

    /// Writes once, and waits until it is durable.
    pub fn write(&mut self) {
        let len = self.bytes.len() as u64;
        if self.offset + len > FILE_BYTES {
            self.offset = 0;
        }
        self.file.write_all_at(&self.bytes, self.offset).expect("the disk takes it");
        self.file.sync_data().expect("the disk takes it");
        self.offset += len;
    }
}
