//! What an order meets in a book, before anything happens (R5, R7).
//!
//! Knows a book, the grid and the order; changes nothing, so that an order with a condition can be judged by
//! what it would do. Keeps: both limits are kept, charges included; the best effective price comes first, and
//! then the earliest; own orders are passed over; no path is asked for more than it has room for.

use alloc::vec::Vec;

use super::{Best, Book, Handle, NONE, limit, number_of, side_of, unpack, zone_of};
use crate::grid::{Flows, Grid};
use crate::{Energy, OrderId, ParticipantId, Price, Side, Worth, ZoneId};

/// An order that meets a book.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming {
    pub(crate) rank: i64,
    /// The worst rank that it can trade with, wherever that stands.
    pub(super) reach: i64,
    pub(crate) energy: Energy,
    /// Its id, packed: it meets only orders that came before.
    pub(crate) id: u64,
    /// Where its side and zone stand in the book's lists.
    pub(super) number: usize,
    pub(crate) owner: ParticipantId,
    /// The key of its level.
    pub(super) key: u32,
}

impl Incoming {
    /// Returns what so much of it costs its owner: nothing where he is paid (R8).
    #[inline]
    pub(crate) fn need(&self, energy: Energy) -> Worth {
        // OK because what an order pays is its rank with the sign turned, on both sides, and far from the ends of
        // 63 bits.
        let pays = Price(self.rank.wrapping_neg());
        if pays.0 > 0 { pays.times(energy) } else { Worth::ZERO }
    }

    /// Returns the order's id.
    #[inline]
    pub(crate) fn id(&self) -> OrderId {
        unpack(self.id)
    }

    /// Returns whether it buys or sells.
    #[inline]
    pub(crate) fn side(&self) -> Side {
        side_of(self.number)
    }

    /// Returns where its owner is connected.
    #[inline]
    pub(crate) fn zone(&self) -> ZoneId {
        zone_of(self.number)
    }

    /// Returns the order for so much.
    #[inline]
    pub(crate) fn of(&self, energy: Energy) -> Incoming {
        Incoming { energy, ..*self }
    }
}

/// One trade that an order would make, with one that rests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fill {
    /// The resting order's id, packed.
    pub(crate) id: u64,
    pub(crate) energy: Energy,
    /// The price that is effective for the incoming order, as a rank: what it pays, less than nothing where it
    /// is paid.
    pub(crate) effective: i64,
    /// What a buyer pays besides the seller's price.
    pub(crate) way: i64,
    pub(crate) handle: Handle,
    pub(crate) owner: ParticipantId,
    pub(crate) zone: ZoneId,
    /// Whether it leaves nothing of the resting order.
    pub(crate) is_whole: bool,
}

impl Fill {
    /// Returns the resting order's id.
    #[inline]
    pub(crate) fn id(&self) -> OrderId {
        unpack(self.id)
    }

    /// Returns what an incoming order of `side` pays all-in, or is paid net.
    #[inline]
    pub(crate) fn own_price(&self, side: Side) -> Price {
        limit(side.opposite(), self.effective)
    }
}

/// What an order would do. Its memory is used again for the next order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(super) fills: Vec<Fill>,
    pub(super) filled: Energy,
    is_blocked: bool,
    cursors: Vec<Cursor>,
    flows: Flows,
}

/// The order that would be met next in one zone.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    /// The price that is effective for the incoming order, as a rank.
    effective: i64,
    zone: ZoneId,
    best: Best,
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
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.fills.clear();
        self.filled = Energy::ZERO;
        self.is_blocked = false;
    }

    /// Plans what `incoming` would do, where trades flow as `flows` says.
    #[inline]
    pub(crate) fn make(&mut self, book: &Book, grid: &Grid, flows: &Flows, incoming: &Incoming) {
        self.clear();
        if book.may_meet(incoming) {
            self.walk(book, grid, flows, incoming);
        }
    }

    /// Meets one order after the other, behind what is planned already.
    pub(super) fn walk(&mut self, book: &Book, grid: &Grid, flows: &Flows, incoming: &Incoming) {
        if !self.set_out(book, grid, incoming) {
            return;
        }
        let (own_zone, ways) = (incoming.zone(), grid.ways(incoming.side(), incoming.zone()));
        if self.cursors.len() > 1 || self.cursors[0].zone != own_zone {
            self.flows.clone_from(flows);
        }
        let mut left = incoming.energy.0;
        while left > 0
            && let Some(chosen) = self.first_cursor()
        {
            let Cursor { effective, zone, best } = self.cursors[chosen];
            let entry = &book.entries[best.head as usize];
            if entry.id >= incoming.id {
                if zone != own_zone
                    && grid.room_between(&self.flows, incoming.side(), own_zone, zone).is_zero()
                {
                    self.is_blocked = true;
                    self.cursors.swap_remove(chosen);
                } else {
                    // Who stands behind it at its price came later still.
                    self.advance(book, grid, incoming, chosen, NONE);
                }
                continue;
            }
            if entry.owner != incoming.owner.0 {
                let mut energy = left.min(entry.remaining);
                if zone != own_zone {
                    energy = self.send(grid, incoming, zone, energy);
                    if energy == 0 {
                        // All flows of this order run towards it, or away from it: what is full stays so.
                        self.is_blocked = true;
                        self.cursors.swap_remove(chosen);
                        continue;
                    }
                }
                left -= energy;
                let is_whole = energy == entry.remaining;
                self.fills.push(Fill {
                    id: entry.id,
                    energy: Energy(energy),
                    effective,
                    way: ways[usize::from(zone.0)].0,
                    handle: Handle(best.head),
                    owner: ParticipantId(entry.owner),
                    zone,
                    is_whole,
                });
                if !is_whole {
                    // The incoming order is used up, or the path; the next turn sees which.
                    continue;
                }
            }
            if left > 0 {
                self.advance(book, grid, incoming, chosen, entry.next);
            }
        }
        self.filled = Energy(incoming.energy.0 - left);
    }

    /// Sets a cursor on the best order of each zone where the limits allow it; returns whether there is one.
    #[inline]
    fn set_out(&mut self, book: &Book, grid: &Grid, incoming: &Incoming) -> bool {
        self.cursors.clear();
        let ways = grid.ways(incoming.side(), incoming.zone());
        let bests = book.bests(incoming.side().opposite());
        for ((zone, &best), way) in (0..).map(ZoneId).zip(bests).zip(ways) {
            let effective = best.rank + way.0;
            if effective <= -incoming.rank {
                self.cursors.push(Cursor { effective, zone, best });
            }
        }
        !self.cursors.is_empty()
    }

    /// Returns which cursor has the best price, and of those the earliest order.
    #[inline]
    fn first_cursor(&self) -> Option<usize> {
        if self.cursors.len() < 2 {
            return self.cursors.len().checked_sub(1);
        }
        let numbered = self.cursors.iter().enumerate();
        numbered.min_by_key(|(_, cursor)| (cursor.effective, cursor.best.id)).map(|(number, _)| number)
    }

    /// Plans to send energy between the incoming order and one in another zone; returns how much has room.
    fn send(&mut self, grid: &Grid, incoming: &Incoming, zone: ZoneId, energy: u64) -> u64 {
        let (seller, buyer) = match incoming.side() {
            Side::Bid => (zone, incoming.zone()),
            Side::Offer => (incoming.zone(), zone),
        };
        let energy = grid.room(&self.flows, seller, buyer).min(Energy(energy));
        grid.send(&mut self.flows, seller, buyer, energy);
        energy.0
    }

    /// Moves a cursor on to the next order of its zone, if the limits allow it.
    #[inline]
    fn advance(&mut self, book: &Book, grid: &Grid, incoming: &Incoming, chosen: usize, next: u32) {
        let cursor = &mut self.cursors[chosen];
        if let Some(entry) = book.entries.get(next as usize) {
            cursor.best.head = next;
            cursor.best.id = entry.id;
            return;
        }
        let side = incoming.side().opposite();
        let ladder = &book.fronts[number_of(side, cursor.zone)].ladder;
        let way = grid.ways(incoming.side(), incoming.zone())[usize::from(cursor.zone.0)];
        let next = ladder.first_behind(&book.pages, cursor.best.level).map(|(level, key, head)| {
            let rank = book.scale.rank(side, key);
            (rank + way.0, Best { rank, id: book.entries[head as usize].id, head, level })
        });
        let Some((effective, best)) = next.filter(|(effective, _)| *effective <= -incoming.rank) else {
            self.cursors.swap_remove(chosen);
            return;
        };
        (cursor.effective, cursor.best) = (effective, best);
    }
}

/// A plan is over when its order is: between commands it holds nothing that makes two markets differ.
impl PartialEq for Plan {
    fn eq(&self, _: &Plan) -> bool {
        true
    }
}

impl Eq for Plan {}
