//! What the same machine does with nothing around it: a write with `fdatasync`, and a signature's verification.

use std::{
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use ed25519_dalek::{Signer, SigningKey};
use hdrhistogram::Histogram;
use serde::{Serialize, Serializer};

use super::{
    disk::Disk,
    run::{histogram, micros},
};

/// How many writes are measured between two runs.
const WRITES: u32 = 200;
/// How many signatures.
const SIGNATURES: u32 = 200;

/// Bare figures, measured before, between and after the runs.
#[derive(Debug)]
pub struct Bare {
    disk: Disk,
    syncs: Histogram<u64>,
    verify_least: Duration,
}

impl Bare {
    /// Returns a bare disk in `dir`.
    pub fn new(dir: &Path) -> Bare {
        Bare { disk: Disk::new(dir, 1), syncs: histogram(), verify_least: Duration::MAX }
    }

    /// Measures once more.
    pub fn measure(&mut self) {
        for _ in 0..WRITES {
            let begin = Instant::now();
            self.disk.write();
            self.syncs.saturating_record(micros(begin.elapsed()));
        }
        let key = SigningKey::from_bytes(&[7; 32]);
        let message = [7; 200];
        let (signature, verifying) = (key.sign(&message), key.verifying_key());
        let begin = Instant::now();
        for _ in 0..SIGNATURES {
            black_box(verifying.verify_strict(&message, &signature)).expect("is signed");
        }
        self.verify_least = self.verify_least.min(begin.elapsed() / SIGNATURES);
    }

    /// Returns the write that so many per cent do not exceed, in microseconds.
    pub fn fdatasync_micros(&self, percent: f64) -> u64 {
        self.syncs.value_at_percentile(percent)
    }

    /// Returns the least mean of a verification, in nanoseconds.
    pub fn verify_nanos(&self) -> u64 {
        u64::try_from(self.verify_least.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Serialize for Bare {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::json!({
            "fdatasync_p50_us": self.fdatasync_micros(50.0),
            "fdatasync_p99_us": self.fdatasync_micros(99.0),
            "fdatasync_p99_9_us": self.fdatasync_micros(99.9),
            "verify_strict_ns": self.verify_nanos(),
        })
        .serialize(serializer)
    }
}
