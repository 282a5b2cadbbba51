//! A book outside of a market: for those who have open orders and want to know what becomes of them.
//!
//! Knows a market's configuration; does not know its participants, their money or the time.

use super::{Book, Handle, Incoming, OpenOrder, Plan};
use crate::clearing;
use crate::grid::{Flows, Grid};
use crate::{Clearing, Energy, MarketConfig, OrderId, Price, Slot};

/// One slot's orders by themselves, in which continuous matching (R5) and the call auction (R6) can be seen at
/// work. Nothing is checked or reserved, and no flow makes room for orders that rest.
#[derive(Clone, Debug)]
pub struct StandaloneBook {
    grid: Grid,
    book: Book,
    flows: Flows,
    plan: Plan,
}

/// Where an order stands in a [`StandaloneBook`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing(Handle, OrderId);

/// A resting order that was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Met {
    /// Its id.
    pub resting: OrderId,
    /// Its limit, at which it trades.
    pub limit: Price,
    /// How much.
    pub energy: Energy,
}

impl StandaloneBook {
    /// Returns an empty book of a market.
    ///
    /// # Panics
    /// If the configuration does not hold.
    pub fn new(config: &MarketConfig) -> StandaloneBook {
        config.check().expect("the configuration of a market holds");
        let grid = Grid::new(config);
        StandaloneBook { book: Book::new(config), flows: grid.no_flows(), grid, plan: Plan::default() }
    }

    /// Adds an order to those that gather, and lets it trade with none.
    pub fn gather(&mut self, order: &OpenOrder) {
        self.book.insert(order);
    }

    /// Lets an order trade as it comes, and says with whom; what is left of it rests, and can be cancelled.
    #[inline]
    pub fn place(&mut self, order: &OpenOrder, mut meets: impl FnMut(Met)) -> Option<Standing> {
        let OpenOrder { id, owner, zone, side, limit, remaining, .. } = *order;
        let incoming = Incoming { side, zone, owner, limit, energy: remaining, id };
        self.plan.make(&self.book, &self.grid, &self.flows, &incoming);
        for fill in self.plan.fills() {
            let resting = self.book.at(fill.resting);
            self.grid.send_between(&mut self.flows, side, zone, resting.zone, fill.energy);
            meets(Met { resting: resting.id, limit: resting.limit, energy: fill.energy });
            self.book.fill(fill.resting, fill.energy);
        }
        let rest = remaining.minus(self.plan.filled());
        if rest.is_zero() {
            return None;
        }
        Some(Standing(self.book.insert(&OpenOrder { remaining: rest, ..*order }), id))
    }

    /// Takes an order out, and returns whether it was still open.
    #[inline]
    pub fn cancel(&mut self, standing: Standing) -> bool {
        let is_open = self.book.holds(standing.0, standing.1);
        if is_open {
            self.book.remove(standing.0);
        }
        is_open
    }

    /// Returns the result that the call auction of these orders has.
    pub fn clear(&self, config: &MarketConfig, slot: Slot) -> Clearing {
        clearing::clear(config, &self.grid, slot, &self.book).clearing
    }
}

/// Returns the result that a call auction of `orders` has, by the function that clears every auction.
///
/// # Panics
/// If the configuration does not hold, or an order's limit is none that it allows.
pub fn indicative(config: &MarketConfig, slot: Slot, orders: &[OpenOrder]) -> Clearing {
    let mut book = StandaloneBook::new(config);
    orders.iter().for_each(|order| book.gather(order));
    book.clear(config, slot)
}
