//! Where the sequencer's time comes from: the system, or a rehearsal that moves it by hand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use parkwatt_engine::Timestamp;

/// A source of time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system's clock.
    System,
    /// A clock that stands still until it is moved.
    Simulated(Arc<AtomicU64>),
}

impl Clock {
    /// Returns a clock that stands at `start`.
    pub fn simulated(start: Timestamp) -> Clock {
        Clock::Simulated(Arc::new(AtomicU64::new(start.0)))
    }

    /// Returns the time.
    ///
    /// # Panics
    /// If the system's clock stands before 1970.
    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System => {
                let since =
                    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock stands after 1970");
                Timestamp(
                    u64::try_from(since.as_micros()).expect("64 bits of microseconds last 584,000 years"),
                )
            }
            Clock::Simulated(now) => Timestamp(now.load(Ordering::Acquire)),
        }
    }

    /// Returns a clock that stands where this one does, and is moved by itself.
    #[must_use]
    pub fn apart(&self) -> Clock {
        match self {
            Clock::System => Clock::System,
            Clock::Simulated(_) => Clock::simulated(self.now()),
        }
    }

    /// Moves a simulated clock forward to `to`; a system clock cannot be moved, and nothing goes backwards.
    pub fn advance(&self, to: Timestamp) {
        if let Clock::Simulated(now) = self {
            now.fetch_max(to.0, Ordering::AcqRel);
        }
    }
}
