//! What an order meets in a book, before anything happens (R5, R7).
//!
//! Knows a book, the grid and the order; changes nothing, so that an order with a condition can be judged by
//! what it would do. Keeps: both limits are kept, charges included; the best effective price comes first, and
//! then the earliest; own orders are passed over; no path is asked for more than it has room for.

use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use super::{Book, Entry, Handle, NONE, pack, rank};
use crate::grid::{Flows, Grid};
use crate::{Energy, OrderId, ParticipantId, Price, Side, ZoneId};

/// An order that meets a book.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming {
    pub(crate) side: Side,
    pub(crate) zone: ZoneId,
    pub(crate) owner: ParticipantId,
    pub(crate) limit: Price,
    pub(crate) energy: Energy,
    /// It meets only orders that came before this one: itself, or the one that it is.
    pub(crate) id: OrderId,
}

/// One trade that an order would make, with one that rests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fill {
    pub(crate) resting: Handle,
    pub(crate) energy: Energy,
}

/// What an order would do. Its memory is used again for the next order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    fills: Vec<Fill>,
    filled: Energy,
    is_blocked: bool,
    cursors: Vec<Cursor>,
    flows: Flows,
}

/// The order that would be met next in one zone.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    /// The price that is effective for the incoming order, as a rank.
    effective: i64,
    /// The order's id, packed.
    id: u64,
    zone: u16,
    key: u32,
    handle: u32,
}

impl Plan {
    /// Returns what would trade, in this order.
    pub(crate) fn fills(&self) -> &[Fill] {
        &self.fills
    }

    /// Returns how much would trade.
    pub(crate) fn filled(&self) -> Energy {
        self.filled
    }

    /// Returns whether an order that the limits allow was left because its path had no room.
    pub(crate) fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Plans nothing.
    pub(crate) fn clear(&mut self) {
        self.fills.clear();
        self.cursors.clear();
        self.filled = Energy::ZERO;
        self.is_blocked = false;
    }

    /// Plans what `incoming` would do, where trades flow as `flows` says.
    #[inline]
    pub(crate) fn make(&mut self, book: &Book, grid: &Grid, flows: &Flows, incoming: &Incoming) {
        self.clear();
        let worst = -rank(incoming.side, incoming.limit);
        let bests = &book.half(incoming.side.opposite()).bests;
        let ways = grid.ways(incoming.side, incoming.zone);
        for (zone, (best, way)) in (0..).zip(bests.iter().zip(ways)) {
            let effective = best.rank + way.0;
            if effective <= worst {
                let (id, key, handle) = (best.id, best.key, best.head);
                self.cursors.push(Cursor { effective, id, zone, key, handle });
            }
        }
        if !self.cursors.is_empty() {
            self.walk(book, grid, flows, incoming);
        }
    }

    /// Meets one order after the other.
    fn walk(&mut self, book: &Book, grid: &Grid, flows: &Flows, incoming: &Incoming) {
        let before = pack(incoming.id);
        if grid.zone_count() > 1 {
            self.flows.clone_from(flows);
        }
        let mut left = incoming.energy;
        while !left.is_zero()
            && let Some((chosen, cursor)) = self.first_cursor()
        {
            let entry = &book.entries[cursor.handle as usize];
            let is_met = entry.owner != incoming.owner.0 && entry.id < before;
            if is_met {
                let (seller, buyer) = match incoming.side {
                    Side::Bid => (ZoneId(cursor.zone), incoming.zone),
                    Side::Offer => (incoming.zone, ZoneId(cursor.zone)),
                };
                let mut energy = left.min(Energy(entry.remaining));
                if seller != buyer {
                    energy = energy.min(grid.room(&self.flows, seller, buyer));
                    if energy.is_zero() {
                        // All flows of this order run towards it, or away from it: what is full stays so.
                        self.is_blocked = true;
                        self.cursors.swap_remove(chosen);
                        continue;
                    }
                    grid.send(&mut self.flows, seller, buyer, energy);
                }
                self.fills.push(Fill { resting: Handle(cursor.handle), energy });
                left = left.minus(energy);
                if energy.0 < entry.remaining {
                    // The order or the path is used up; the next turn sees which.
                    continue;
                }
            }
            self.advance(book, grid, incoming, chosen, entry);
        }
        self.filled = incoming.energy.minus(left);
    }

    fn first_cursor(&self) -> Option<(usize, Cursor)> {
        let numbered = self.cursors.iter().copied().enumerate();
        numbered.min_by_key(|(_, cursor)| (cursor.effective, cursor.id))
    }

    /// Moves a cursor on to the next order of its zone, if the limits allow it.
    fn advance(&mut self, book: &Book, grid: &Grid, incoming: &Incoming, chosen: usize, entry: &Entry) {
        let cursor = &mut self.cursors[chosen];
        if entry.next == NONE {
            let half = book.half(incoming.side.opposite());
            let ladder = &half.ladders[usize::from(cursor.zone)];
            let way = grid.ways(incoming.side, incoming.zone)[usize::from(cursor.zone)];
            let next = ladder.next_from(cursor.key + 1).map(|key| (key, half.rank_of(key) + way.0));
            let worst = -rank(incoming.side, incoming.limit);
            let Some((key, effective)) = next.filter(|(_, effective)| *effective <= worst) else {
                self.cursors.swap_remove(chosen);
                return;
            };
            (cursor.key, cursor.effective) = (key, effective);
            cursor.handle = ladder.level(key).map_or(NONE, |level| level.head);
        } else {
            cursor.handle = entry.next;
        }
        cursor.id = book.entries[cursor.handle as usize].id;
    }
}

/// A plan is over when its order is: between commands it holds nothing that makes two markets differ.
impl PartialEq for Plan {
    fn eq(&self, _: &Plan) -> bool {
        true
    }
}

impl Eq for Plan {}

impl Hash for Plan {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}
