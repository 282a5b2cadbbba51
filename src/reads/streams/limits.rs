//! Limits of streams: how many there may be, and what may wait for a slow reader.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What those who follow the market may take. Every field may be left out of the file.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StreamLimits {
    /// How many streams of market data and of executions there may be. Default 1,024.
    pub open_max: usize,
    /// How many streams one connection may have. Default 32.
    pub per_connection_max: usize,
    /// How many streams of executions one key may have. Default 16.
    pub per_key_max: usize,
    /// How many slots one stream of market data may follow. Default 384: four days.
    pub slots_max: usize,
    /// How many bytes of a stream may wait for its reader. Default 262,144.
    pub buffer_bytes_max: u32,
    /// How long a reader may leave them waiting before his stream is ended, in milliseconds; he may go on from where
    /// he was. Default 30,000.
    pub stall_ms: u64,
    /// About how many bytes of what changed lately are kept, so that a reader of market data can go on from where he
    /// was without a new snapshot. Default 16 MiB.
    pub kept_bytes_max: usize,
}

impl Default for StreamLimits {
    fn default() -> StreamLimits {
        StreamLimits {
            open_max: 1_024,
            per_connection_max: 32,
            per_key_max: 16,
            slots_max: 384,
            buffer_bytes_max: 256 << 10,
            stall_ms: 30_000,
            kept_bytes_max: 16 << 20,
        }
    }
}

impl StreamLimits {
    /// Checks the bounds.
    ///
    /// # Errors
    /// A sentence that names the field and its bounds.
    pub fn check(&self) -> Result<(), String> {
        for (field, value, most) in [
            ("open_max", self.open_max as u64, 1 << 20),
            ("per_connection_max", self.per_connection_max as u64, 1 << 20),
            ("per_key_max", self.per_key_max as u64, 1 << 20),
            ("slots_max", self.slots_max as u64, 1 << 16),
            ("buffer_bytes_max", self.buffer_bytes_max.into(), 1 << 28),
            ("stall_ms", self.stall_ms, 86_400_000),
            ("kept_bytes_max", self.kept_bytes_max as u64, 1 << 36),
        ] {
            if !(1..=most).contains(&value) {
                return Err(format!("streams.{field}: {value} is not between 1 and {most}"));
            }
        }
        Ok(())
    }

    /// Returns how long a reader may leave what waits for him.
    pub fn stall(&self) -> Duration {
        Duration::from_millis(self.stall_ms)
    }
}
