//! How a book counts: limits as ranks and keys, and ids in one number.
//!
//! A *rank* is a limit in micro-yuan per kWh, a bid's with its sign turned, so that on both sides the lowest
//! is the best. A *key* is how many ticks it is worse than the best that there can be.

use core::num::NonZeroU32;

use crate::{LeafIndex, MarketConfig, OrderId, Price, Side};

/// More leaves than a ledger has.
pub(crate) const LEAVES_MAX: u64 = 1 << 48;

/// How ranks are keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// The rank of key 0, of bids and of offers.
    first_ranks: [i64; 2],
    tick: NonZeroU32,
    /// How many keys there are.
    pub(super) levels: u32,
}

impl Scale {
    pub(super) fn new(config: &MarketConfig) -> Scale {
        let levels = (config.price_cap.0 - config.price_floor.0) / config.tick.0 + 1;
        let tick = u32::try_from(config.tick.0).ok().and_then(NonZeroU32::new);
        Scale {
            first_ranks: [-config.price_cap.0, config.price_floor.0],
            tick: tick.expect("a tick is checked to be positive and less than the prices are apart"),
            levels: u32::try_from(levels).expect("the market's prices are checked to fit a ladder"),
        }
    }

    /// Returns the key of a rank, how many ticks it is worse than the best that there can be; nothing where it
    /// is not on tick, or out of the market's bounds.
    #[inline]
    pub(super) fn key(&self, side: Side, rank: i64) -> Option<u32> {
        let worse = u32::try_from(rank.wrapping_sub(self.first_ranks[side as usize])).ok()?;
        let key = worse / self.tick;
        (worse % self.tick == 0 && key < self.levels).then_some(key)
    }

    #[inline]
    pub(super) fn rank(&self, side: Side, key: u32) -> i64 {
        // OK because keys are of prices, which are checked to be far from the ends of 63 bits.
        let worse = i64::from(key).wrapping_mul(i64::from(self.tick.get()));
        self.first_ranks[side as usize].wrapping_add(worse)
    }
}

/// Returns how good a limit is: the lower the better.
#[inline]
pub(super) fn rank(side: Side, limit: Price) -> i64 {
    match side {
        // OK because the one limit that wraps, of which anybody may ask, is as far from having a key as before.
        Side::Bid => limit.0.wrapping_neg(),
        Side::Offer => limit.0,
    }
}

/// Returns the limit that has a rank.
#[inline]
pub(super) fn limit(side: Side, rank: i64) -> Price {
    match side {
        Side::Bid => Price(rank.wrapping_neg()),
        Side::Offer => Price(rank),
    }
}

/// Returns an order's id in one number, in the same order.
///
/// # Panics
/// From the leaf 2^48 on.
#[inline]
pub(crate) fn pack(id: OrderId) -> u64 {
    assert!(id.index.0 < LEAVES_MAX, "a ledger has less than 2^48 leaves");
    packed(id)
}

/// Does the same for an id of a leaf below [`LEAVES_MAX`].
#[inline]
pub(super) fn packed(id: OrderId) -> u64 {
    id.index.0 << 16 | u64::from(id.position)
}

/// Returns the id that was packed into a number.
#[inline]
pub(crate) fn unpack(id: u64) -> OrderId {
    OrderId { index: LeafIndex(id >> 16), position: (id & 0xffff) as u16 }
}
