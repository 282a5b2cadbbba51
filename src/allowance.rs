//! Allowances: how often somebody may do something, so that he leaves room for the others.
//!
//! A bucket for each: it holds so many at the most, one is taken out each time, and so many a second come back.
//! Knows keys and moments; does not know what is allowed. Keeps: memory is bounded by who was here within the time
//! that an empty bucket takes to fill.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How many buckets there are before the full ones are thrown away, which are like new ones.
const BUCKETS_MAX: usize = 1 << 16;

/// How often each may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many come back in a second.
    pub per_s: u32,
    /// How many at once.
    pub burst: u32,
}

/// Everybody's buckets.
#[derive(Debug)]
pub struct Allowances<K> {
    rate: Rate,
    /// When each will be full again.
    buckets: Mutex<HashMap<K, Instant>>,
}

impl<K: Eq + Hash> Allowances<K> {
    /// Returns full buckets for everybody.
    pub fn new(rate: Rate) -> Allowances<K> {
        Allowances { rate, buckets: Mutex::default() }
    }

    /// Takes one.
    ///
    /// # Errors
    /// How long it is until there is one again.
    pub fn take(&self, whose: K, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX {
            buckets.retain(|_, full_at| *full_at > now);
        }
        let full_at = buckets.entry(whose).or_insert(now);
        *full_at = self.less_one(*full_at, now)?;
        Ok(())
    }

    /// Looks whether there is one, and leaves it there.
    ///
    /// # Errors
    /// How long it is until there is one again.
    pub fn look(&self, whose: &K, now: Instant) -> Result<(), Duration> {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.get(whose).map_or(Ok(()), |full_at| self.less_one(*full_at, now).map(|_| ()))
    }

    /// Returns when a bucket will be full once one more is taken, or how long it is until one can be.
    fn less_one(&self, full_at: Instant, now: Instant) -> Result<Instant, Duration> {
        let full_at = full_at.max(now) + self.one();
        let wait = full_at.saturating_duration_since(now).saturating_sub(self.one() * self.rate.burst);
        if wait > Duration::ZERO { Err(wait) } else { Ok(full_at) }
    }

    /// How long it takes until one comes back.
    fn one(&self) -> Duration {
        Duration::from_secs(1) / self.rate.per_s.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_at_once_and_then_one_as_often_as_one_comes_back() {
        let allowances = Allowances::new(Rate { per_s: 10, burst: 3 });
        let begin = Instant::now();
        let tenths = |count: u64| begin + Duration::from_millis(100 * count);
        for _ in 0..3 {
            assert_eq!(allowances.look(&"ann", begin), Ok(()));
            assert_eq!(allowances.take("ann", begin), Ok(()));
        }
        assert_eq!(allowances.take("ann", begin), Err(Duration::from_millis(100)));
        assert_eq!(allowances.look(&"ann", begin), Err(Duration::from_millis(100)));
        assert_eq!(allowances.take("bob", begin), Ok(()), "each has his own");
        assert_eq!(allowances.take("ann", tenths(1)), Ok(()));
        assert!(allowances.take("ann", tenths(1)).is_err());
        for _ in 0..3 {
            assert_eq!(allowances.take("ann", tenths(90)), Ok(()), "a bucket is never more than full");
        }
        assert!(allowances.take("ann", tenths(90)).is_err());
    }

    #[test]
    fn buckets_that_are_full_again_are_forgotten() {
        let allowances = Allowances::new(Rate { per_s: 10, burst: 1 });
        let begin = Instant::now();
        for who in 0..BUCKETS_MAX {
            allowances.take(who, begin).unwrap();
        }
        let later = begin + Duration::from_secs(1);
        allowances.take(0, later).unwrap();
        assert_eq!(allowances.buckets.lock().unwrap().len(), 1);
    }
}
