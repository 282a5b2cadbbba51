//! Limits of the page: how many readers there may be, and how slow.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::connections::ConnectionLimits;

/// What the page's readers may take. Every field may be left out of the file.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebLimits {
    /// How many connections there may be; further ones are closed at once. Default 512.
    pub connections_max: usize,
    /// How many connections one address may have. Default 128: a proxy is one address.
    pub connections_per_address_max: usize,
    /// How long a request's head may take to come, in milliseconds; an idle connection is closed after as long. Default
    /// 10,000.
    pub header_ms: u64,
    /// How many bytes a request's head may have. Default 16,384.
    pub header_bytes_max: usize,
    /// How long a reader may take nothing of what is written to him before he is cut off, in milliseconds. Default
    /// 30,000.
    pub stall_ms: u64,
}

impl Default for WebLimits {
    fn default() -> WebLimits {
        WebLimits {
            connections_max: 512,
            connections_per_address_max: 128,
            header_ms: 10_000,
            header_bytes_max: 16 << 10,
            stall_ms: 30_000,
        }
    }
}

impl WebLimits {
    /// Checks the bounds.
    ///
    /// # Errors
    /// A sentence that names the field and its bounds.
    pub fn check(&self) -> Result<(), String> {
        for (field, value, least, most) in [
            ("connections_max", self.connections_max as u64, 1, 1 << 20),
            ("connections_per_address_max", self.connections_per_address_max as u64, 1, 1 << 20),
            ("header_ms", self.header_ms, 1, 3_600_000),
            // Less the server cannot read by.
            ("header_bytes_max", self.header_bytes_max as u64, 8 << 10, 1 << 20),
            ("stall_ms", self.stall_ms, 1, 86_400_000),
        ] {
            if !(least..=most).contains(&value) {
                return Err(format!("web.{field}: {value} is not between {least} and {most}"));
            }
        }
        Ok(())
    }

    /// Returns what connections are accepted by.
    pub fn connections(&self) -> ConnectionLimits {
        ConnectionLimits {
            connections_max: self.connections_max,
            per_address_max: self.connections_per_address_max,
            handshake: self.header(),
        }
    }

    /// Returns how long a request's head may take.
    pub fn header(&self) -> Duration {
        Duration::from_millis(self.header_ms)
    }

    /// Returns how long a reader may take nothing.
    pub fn stall(&self) -> Duration {
        Duration::from_millis(self.stall_ms)
    }
}
