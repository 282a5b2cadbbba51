//! One slot's book: the open orders, by price and then by time, in every zone (R5).
//!
//! Knows orders and prices; does not know charges, balances, phases or why an order came.
//! Keeps: an order is in exactly one queue, and none is empty; a level's energy is that of its orders; the
//! best of each zone and side is at hand.
//!
//! Orders stand in a slab, linked to queues, first in first out; a freed place is used again. Prices are
//! compared as *ranks*, in micro-yuan per kWh: an offer's limit, and a bid's with its sign turned, so that on
//! both sides the lowest rank is the best, and one path serves both.

mod ladder;
mod plan;
mod standalone;

use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use crate::grid::Grid;
use crate::{Energy, LeafIndex, MarketConfig, OrderId, ParticipantId, Price, Side, ZoneId};
use ladder::{Ladder, NONE};
pub(crate) use plan::{Fill, Incoming, Plan};
pub use standalone::{Met, Standing, StandaloneBook, indicative};

/// The rank of nobody: worse than any, with room for charges on top.
const FAR: i64 = i64::MAX / 4;
/// Bits of a place that are the level's key, and the zone's number above them.
const KEY_BITS: u32 = 18;
const ZONE_BITS: u32 = 10;

/// An order that stands in a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpenOrder {
    /// Its id.
    pub id: OrderId,
    /// Whose it is.
    pub owner: ParticipantId,
    /// Where its owner is connected.
    pub zone: ZoneId,
    /// Bid or offer.
    pub side: Side,
    /// The most a bid pays all-in, the least an offer takes net.
    pub limit: Price,
    /// What has not traded.
    pub remaining: Energy,
    /// What has traded since it has this id.
    pub traded: Energy,
}

/// Where an order stands in its book's slab; used again once the order has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Handle(pub(crate) u32);

impl Handle {
    /// Where an order stands that never rested.
    pub(crate) const NOWHERE: Handle = Handle(NONE);
}

/// All orders of one price, side and zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    /// Their limit.
    pub(crate) limit: Price,
    /// What they are for together.
    pub(crate) energy: Energy,
}

/// The open orders of one slot.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    bids: Half,
    offers: Half,
    entries: Vec<Entry>,
    /// The first free place in `entries`; each names the next one.
    free: u32,
    open: usize,
}

/// One side of all zones.
#[derive(Clone, Debug)]
struct Half {
    side: Side,
    /// The rank of key 0.
    first_rank: i64,
    tick: i64,
    /// How many keys there are.
    levels: u32,
    ladders: Vec<Ladder>,
    bests: Vec<Best>,
}

/// The best order of one zone and side.
#[derive(Clone, Copy, Debug)]
struct Best {
    rank: i64,
    /// The order's id, packed.
    id: u64,
    key: u32,
    head: u32,
}

const NOBODY: Best = Best { rank: FAR, id: u64::MAX, key: NONE, head: NONE };

/// An order in the slab: 40 bytes.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The order's id, packed; [`u64::MAX`] in a free place.
    id: u64,
    /// What has not traded, in Wh.
    remaining: u64,
    /// What has traded, in Wh.
    traded: u64,
    owner: u32,
    next: u32,
    previous: u32,
    /// Side, zone and key.
    place: u32,
}

impl Book {
    /// Returns an empty book.
    pub(crate) fn new(config: &MarketConfig) -> Book {
        let zones = config.zones.len();
        let levels = (config.price_cap.0 - config.price_floor.0) / config.tick.0 + 1;
        let half = |side, first_rank| Half {
            side,
            first_rank,
            tick: config.tick.0,
            levels: u32::try_from(levels).expect("the market's prices are checked to fit a ladder"),
            ladders: alloc::vec![Ladder::default(); zones],
            bests: alloc::vec![NOBODY; zones],
        };
        Book {
            bids: half(Side::Bid, -config.price_cap.0),
            offers: half(Side::Offer, config.price_floor.0),
            entries: Vec::new(),
            free: NONE,
            open: 0,
        }
    }

    /// Returns whether `id` is the order that stands at `handle`.
    #[inline]
    pub(crate) fn holds(&self, handle: Handle, id: OrderId) -> bool {
        self.entries.get(handle.0 as usize).is_some_and(|entry| entry.id == pack(id))
    }

    /// Returns the open order that stands at `handle`.
    #[inline]
    pub(crate) fn at(&self, handle: Handle) -> OpenOrder {
        self.open_order(&self.entries[handle.0 as usize])
    }

    /// Returns the open orders in order of arrival.
    pub(crate) fn orders(&self) -> Vec<OpenOrder> {
        let mut orders: Vec<OpenOrder> = self.numbered().map(|(_, order)| order).collect();
        orders.sort_unstable_by_key(|order| order.id);
        orders
    }

    /// Returns the open orders with their handles, in no order that means anything.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (Handle, OpenOrder)> {
        let numbered = (0..).map(Handle).zip(&self.entries);
        numbered
            .filter(|(_, entry)| entry.id != u64::MAX)
            .map(|(handle, entry)| (handle, self.open_order(entry)))
    }

    /// Returns a zone's levels of one side, best limit first.
    pub(crate) fn levels(&self, zone: ZoneId, side: Side) -> impl Iterator<Item = Level> {
        let half = self.half(side);
        let ladder = &half.ladders[usize::from(zone.0)];
        let keys = core::iter::successors(ladder.next_from(0), |key| ladder.next_from(key + 1));
        keys.map(|key| Level {
            limit: half.limit(key),
            energy: Energy(ladder.level(key).map_or(0, |level| level.energy)),
        })
    }

    /// Returns the open orders at one level, in order of arrival.
    pub(crate) fn queue(&self, zone: ZoneId, side: Side, limit: Price) -> impl Iterator<Item = OpenOrder> {
        let half = self.half(side);
        let level = half.ladders[usize::from(zone.0)].level(half.key(limit));
        self.linked(level.map_or(NONE, |level| level.head)).map(|(_, entry)| self.open_order(entry))
    }

    /// Returns every order that the best of the other side would suit, wherever that stands, in order of
    /// arrival: among them are all that could trade if the grid and their owners let them.
    pub(crate) fn crossing(&self, grid: &Grid) -> Vec<(OrderId, Handle)> {
        let mut crossing = Vec::new();
        for half in [&self.bids, &self.offers] {
            let others = &self.half(half.side.opposite()).bests;
            for (zone, ladder) in (0..).map(ZoneId).zip(&half.ladders) {
                let ways = grid.ways(half.side, zone);
                let effective = others.iter().zip(ways).map(|(best, way)| best.rank + way.0);
                let worst = effective.min().map_or(-FAR, |effective| -effective);
                let keys = core::iter::successors(ladder.next_from(0), |key| ladder.next_from(key + 1));
                for key in keys.take_while(|key| half.rank_of(*key) <= worst) {
                    let queue = self.linked(ladder.level(key).map_or(NONE, |level| level.head));
                    crossing.extend(queue.map(|(handle, entry)| (unpack(entry.id), handle)));
                }
            }
        }
        crossing.sort_unstable_by_key(|(id, _)| *id);
        crossing
    }

    /// Adds an order, behind those of its price.
    ///
    /// # Panics
    /// If it is empty, or its limit is none that the market allows.
    #[inline]
    pub(crate) fn insert(&mut self, order: &OpenOrder) -> Handle {
        assert!(!order.remaining.is_zero(), "an empty order never rests");
        let (zone, id) = (usize::from(order.zone.0), pack(order.id));
        let half = match order.side {
            Side::Bid => &mut self.bids,
            Side::Offer => &mut self.offers,
        };
        let key = half.key(order.limit);
        let level = half.ladders[zone].occupy(key, half.levels);
        let entry = Entry {
            id,
            remaining: order.remaining.0,
            traded: order.traded.0,
            owner: order.owner.0,
            next: NONE,
            previous: level.tail,
            place: place(order.side, order.zone, key),
        };
        let handle = if self.free == NONE {
            self.entries.push(entry);
            u32::try_from(self.entries.len() - 1).expect("a slot has less than 2^32 open orders")
        } else {
            let handle = self.free;
            let freed = &mut self.entries[handle as usize];
            self.free = freed.next;
            *freed = entry;
            handle
        };
        level.energy += entry.remaining;
        level.tail = handle;
        if entry.previous == NONE {
            level.head = handle;
            let best = &mut half.bests[zone];
            if key < best.key {
                *best = Best { rank: half.first_rank + i64::from(key) * half.tick, id, key, head: handle };
            }
        } else {
            self.entries[entry.previous as usize].next = handle;
        }
        self.open += 1;
        Handle(handle)
    }

    /// Takes `energy` that has traded out of an open order; without a rest it leaves the book.
    ///
    /// # Panics
    /// If so much is not left of it.
    #[inline]
    pub(crate) fn fill(&mut self, handle: Handle, energy: Energy) {
        let entry = &mut self.entries[handle.0 as usize];
        if entry.remaining == energy.0 {
            self.remove(handle);
        } else {
            entry.traded += energy.0;
            self.reduce(handle, energy);
        }
    }

    /// Makes an open order smaller, at its place in the queue.
    ///
    /// # Panics
    /// If nothing would be left of it.
    pub(crate) fn reduce(&mut self, handle: Handle, energy: Energy) {
        let entry = &mut self.entries[handle.0 as usize];
        assert!(energy.0 < entry.remaining, "an empty order never rests");
        entry.remaining -= energy.0;
        let (side, zone, key) = unplace(entry.place);
        self.half_mut(side).ladders[zone].level_mut(key).energy -= energy.0;
    }

    /// Removes an open order.
    #[inline]
    pub(crate) fn remove(&mut self, handle: Handle) {
        let entry = self.entries[handle.0 as usize];
        assert!(entry.id != u64::MAX, "only open orders are removed");
        let (side, zone, key) = unplace(entry.place);
        let half = match side {
            Side::Bid => &mut self.bids,
            Side::Offer => &mut self.offers,
        };
        let ladder = &mut half.ladders[zone];
        let level = ladder.level_mut(key);
        level.energy -= entry.remaining;
        if entry.next == NONE {
            level.tail = entry.previous;
        } else {
            self.entries[entry.next as usize].previous = entry.previous;
        }
        if entry.previous != NONE {
            self.entries[entry.previous as usize].next = entry.next;
        } else {
            level.head = entry.next;
            if entry.next == NONE {
                ladder.vacate(key);
            }
            // The first of its price has gone: perhaps it was the best.
            if half.bests[zone].head == handle.0 {
                half.bests[zone] = match ladder.next_from(key) {
                    None => NOBODY,
                    Some(key) => {
                        let head = ladder.level_mut(key).head;
                        let id = self.entries[head as usize].id;
                        Best { rank: half.first_rank + i64::from(key) * half.tick, id, key, head }
                    }
                };
            }
        }
        self.entries[handle.0 as usize].id = u64::MAX;
        self.entries[handle.0 as usize].next = self.free;
        self.free = handle.0;
        self.open -= 1;
    }

    fn half(&self, side: Side) -> &Half {
        match side {
            Side::Bid => &self.bids,
            Side::Offer => &self.offers,
        }
    }

    fn half_mut(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Bid => &mut self.bids,
            Side::Offer => &mut self.offers,
        }
    }

    /// Returns the entries from one on, as they are linked.
    fn linked(&self, first: u32) -> impl Iterator<Item = (Handle, &Entry)> {
        let numbered = |handle: u32| Some((Handle(handle), self.entries.get(handle as usize)?));
        core::iter::successors(numbered(first), move |(_, entry)| numbered(entry.next))
    }

    fn open_order(&self, entry: &Entry) -> OpenOrder {
        let (side, zone, key) = unplace(entry.place);
        OpenOrder {
            id: unpack(entry.id),
            owner: ParticipantId(entry.owner),
            zone: ZoneId(u16::try_from(zone).expect("a zone's number has ten bits")),
            side,
            limit: self.half(side).limit(key),
            remaining: Energy(entry.remaining),
            traded: Energy(entry.traded),
        }
    }
}

impl Half {
    /// Returns the key of a limit: how many ticks it is worse than the best that there can be.
    #[inline]
    fn key(&self, limit: Price) -> u32 {
        let key = (rank(self.side, limit) - self.first_rank) / self.tick;
        u32::try_from(key).ok().filter(|key| *key < self.levels).expect("limits are within floor and cap")
    }

    #[inline]
    fn rank_of(&self, key: u32) -> i64 {
        self.first_rank + i64::from(key) * self.tick
    }

    fn limit(&self, key: u32) -> Price {
        match self.side {
            Side::Bid => Price(-self.rank_of(key)),
            Side::Offer => Price(self.rank_of(key)),
        }
    }
}

/// Books are alike if their queues are, wherever in the slab the orders stand.
impl PartialEq for Book {
    fn eq(&self, other: &Book) -> bool {
        // OK because the orders of a queue stand in order of arrival.
        self.open == other.open && self.orders() == other.orders()
    }
}

impl Eq for Book {}

impl Hash for Book {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.orders().hash(state);
    }
}

/// Returns how good a limit is: the lower the better.
#[inline]
fn rank(side: Side, limit: Price) -> i64 {
    match side {
        Side::Bid => -limit.0,
        Side::Offer => limit.0,
    }
}

/// Returns an order's id in one number, in the same order.
///
/// # Panics
/// From the leaf 2^48 on.
#[inline]
fn pack(id: OrderId) -> u64 {
    assert!(id.index.0 < 1 << 48, "a ledger has less than 2^48 leaves");
    id.index.0 << 16 | u64::from(id.position)
}

fn unpack(id: u64) -> OrderId {
    let position = u16::try_from(id & 0xffff).expect("sixteen bits");
    OrderId { index: LeafIndex(id >> 16), position }
}

#[inline]
fn place(side: Side, zone: ZoneId, key: u32) -> u32 {
    let side = u32::from(side == Side::Offer);
    (side << ZONE_BITS | u32::from(zone.0)) << KEY_BITS | key
}

#[inline]
fn unplace(place: u32) -> (Side, usize, u32) {
    let side = if place >> (KEY_BITS + ZONE_BITS) == 0 { Side::Bid } else { Side::Offer };
    let zone = place >> KEY_BITS & ((1 << ZONE_BITS) - 1);
    (side, zone as usize, place & ((1 << KEY_BITS) - 1))
}
