//! A book outside of a market: for those who have open orders and want to know what becomes of them.
//!
//! Knows a market's configuration; does not know its participants, their money or the time.

use alloc::vec::Vec;

use super::{ALLOWED, Book, Fill, Handle, Incoming, LEAVES_MAX, Meeting, OpenOrder, Plan};
use crate::clearing;
use crate::grid::{Flows, Grid};
use crate::{Clearing, Energy, MarketConfig, OrderId, Price, Slot};

/// One slot's orders by themselves, in which continuous matching (R5) and the call auction (R6) can be seen
/// at work. Nothing is checked or reserved, and no flow makes room for orders that rest.
#[derive(Clone, Debug)]
pub struct StandaloneBook {
    grid: Grid,
    book: Book,
    flows: Flows,
    plan: Plan,
}

/// An order as a book takes it.
#[derive(Clone, Copy, Debug)]
pub struct Prepared(Incoming);

impl Prepared {
    /// Returns the order's id.
    pub fn id(&self) -> OrderId {
        self.0.id()
    }
}

/// Where an order stands, or stood, in a [`StandaloneBook`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    handle: Handle,
    /// The order's id, packed.
    id: u64,
}

/// A resting order that was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Met {
    /// Its id.
    pub resting: OrderId,
    /// What the order that came pays all-in, or is paid net.
    pub price: Price,
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
        StandaloneBook { book: Book::new(config, &grid), flows: grid.no_flows(), grid, plan: Plan::default() }
    }

    /// Prepares an order to be placed here.
    ///
    /// # Panics
    /// If its limit is none that the market allows.
    pub fn prepare(&self, order: &OpenOrder) -> Prepared {
        assert!(order.id.index.0 < LEAVES_MAX, "a ledger has less than 2^48 leaves");
        Prepared(self.book.incoming(order).expect(ALLOWED))
    }

    /// Adds an order to those that gather, and lets it trade with none.
    pub fn gather(&mut self, order: &OpenOrder) {
        self.book.gather(order);
    }

    /// Lets an order trade as it comes, and says with whom; what is left of it rests.
    #[inline]
    pub fn place(&mut self, order: &Prepared, mut meets: impl FnMut(Met)) -> Placed {
        let Prepared(incoming) = order;
        let mut rest = incoming.energy;
        if self.book.may_meet(incoming) {
            let side = incoming.side();
            let met =
                |fill: &Fill| Met { resting: fill.id(), price: fill.own_price(side), energy: fill.energy };
            let meeting = if self.book.is_of_one_zone() {
                self.book.meet_at_home(incoming, |fill| meets(met(fill)))
            } else {
                self.meet(incoming, |fill| meets(met(fill)))
            };
            rest = meeting.left;
            if meeting.is_stuck {
                let left = incoming.of(rest);
                self.book.meet_rest(&self.grid, &mut self.flows, &left, &mut self.plan);
                self.plan.fills().iter().for_each(|fill| meets(met(fill)));
                rest = rest.minus(self.plan.filled());
            }
        }
        let handle = if rest.is_zero() { Handle::NOWHERE } else { self.book.insert(incoming, rest) };
        Placed { handle, id: incoming.id }
    }

    // Apart from the loop for one zone, so that each has the registers.
    #[inline(never)]
    fn meet(&mut self, incoming: &Incoming, see: impl FnMut(&Fill)) -> Meeting {
        let ways = self.grid.ways(incoming.side(), incoming.zone());
        self.book.meet((&self.grid, ways, &mut self.flows), incoming, see)
    }

    /// Takes an order out, and returns whether it was still open.
    #[inline]
    pub fn cancel(&mut self, placed: Placed) -> bool {
        self.book.remove_if(placed.handle, placed.id)
    }

    /// Returns the zones' prices that the call auction of these orders has; none where nothing trades.
    pub fn clearing_prices(&self, config: &MarketConfig) -> Vec<Price> {
        clearing::find(config, &self.grid, &self.book).prices
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
    for order in orders {
        book.gather(order);
    }
    book.clear(config, slot)
}
