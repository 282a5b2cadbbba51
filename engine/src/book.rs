//! One slot's book: the open orders, by price and then by time, in every zone (R5).
//!
//! Knows orders and prices; does not know charges, balances, phases or why an order came.
//! Keeps: an order is in exactly one queue, and none is empty; the best of each zone and side is at hand.
//!
//! Orders stand in a slab, linked to queues, first in first out; a freed place is used again. Prices are
//! compared as ranks, of which on both sides the lowest is the best, so that one path serves both.

mod crossing;
mod keys;
mod ladder;
mod leaving;
mod meeting;
mod plan;
mod standalone;
mod totals;

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::grid::Grid;
use crate::{Energy, MarketConfig, OrderId, ParticipantId, Price, Side, ZoneId};
pub(crate) use crossing::Crossing;
pub(crate) use keys::{LEAVES_MAX, pack, unpack};
use keys::{Scale, limit, packed, rank};
pub(crate) use ladder::Place;
use ladder::{Ladder, NONE, Pages};
pub(crate) use leaving::Left;
pub(crate) use meeting::Meeting;
pub(crate) use plan::{Fill, Incoming, Plan};
pub use standalone::{Met, Placed, Prepared, StandaloneBook, indicative};

/// The rank of nobody: worse than any, with room for charges on top.
const FAR: i64 = i64::MAX / 4;

/// Why a limit has a key.
pub(crate) const ALLOWED: &str = "limits are on tick and within floor and cap";

/// An order that stands in a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
}

/// Where an order stands in its book's slab; used again once the order has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Handle(pub(crate) u32);

impl Handle {
    /// Where an order stands that never rested.
    pub(crate) const NOWHERE: Handle = Handle(NONE);
}

/// The open orders of one slot.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    scale: Scale,
    zones: usize,
    /// The least rank of all bids, and of all offers.
    least: [i64; 2],
    /// Of the first zone's bids, of its offers, of the second zone's bids and so on.
    fronts: Vec<Front>,
    pages: Pages,
    entries: Vec<Entry>,
    /// The first free place in `entries`; each names the next one.
    free: u32,
}

/// What is found at once of one zone's orders of one side.
#[derive(Clone, Debug)]
struct Front {
    best: Best,
    /// The least that is paid for the way between them and any that they can trade with.
    least_way: i64,
    ladder: Ladder,
}

/// The best order of one zone and side.
#[derive(Clone, Copy, Debug)]
struct Best {
    rank: i64,
    /// The order's id, packed.
    id: u64,
    head: u32,
    level: Place,
}

const NOBODY: Best = Best { rank: FAR, id: u64::MAX, head: NONE, level: Place::NOWHERE };

/// An order in the slab: 32 bytes.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The order's id, packed; [`u64::MAX`] in a free place.
    id: u64,
    /// What has not traded, in Wh.
    remaining: u64,
    owner: u32,
    next: u32,
    previous: u32,
    level: Place,
}

impl Book {
    /// Returns an empty book of a market, for slots in which the grid has these charges.
    pub(crate) fn new(config: &MarketConfig, grid: &Grid) -> Book {
        let zones = config.zones.len();
        let front =
            |least_way: Price| Front { best: NOBODY, least_way: least_way.0, ladder: Ladder::default() };
        let of_zone = |zone| [Side::Bid, Side::Offer].map(|side| front(grid.least_way(side, zone)));
        let scale = Scale::new(config);
        Book {
            scale,
            zones,
            least: [FAR; 2],
            fronts: (0..).map(ZoneId).take(zones).flat_map(of_zone).collect(),
            pages: Pages::new(scale.levels),
            entries: Vec::new(),
            free: NONE,
        }
    }

    /// Returns an order as it meets this book; nothing if its limit is none that the market allows. Its id must be
    /// one that [`pack`] packs.
    #[expect(clippy::inline_always, reason = "it is on the path of every order")]
    #[inline(always)]
    pub(crate) fn incoming(&self, order: &OpenOrder) -> Option<Incoming> {
        let OpenOrder { id, owner, zone, side, limit, remaining } = *order;
        let rank = rank(side, limit);
        let key = self.scale.key(side, rank)?;
        let number = number_of(side, zone);
        // OK because ranks and ways are far from the ends of 63 bits.
        let reach = rank.wrapping_neg().wrapping_sub(self.fronts[number].least_way);
        Some(Incoming { rank, reach, energy: remaining, id: packed(id), number, owner, key })
    }

    /// Returns whether an order suits any that rests, as far as can be said without looking at each zone.
    #[inline]
    pub(crate) fn may_meet(&self, incoming: &Incoming) -> bool {
        self.least[incoming.side().opposite() as usize] <= incoming.reach
    }

    /// Returns whether an order stands at `handle`.
    pub(crate) fn is_open(&self, handle: Handle, id: OrderId) -> bool {
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

    /// Returns the open orders at one level, in order of arrival.
    pub(crate) fn queue(&self, zone: ZoneId, side: Side, limit: Price) -> impl Iterator<Item = OpenOrder> {
        let key = self.scale.key(side, rank(side, limit)).expect(ALLOWED);
        self.linked(number_of(side, zone), key).map(|(_, entry)| self.open_order(entry))
    }

    /// Adds an order that lets itself not trade as it comes.
    pub(crate) fn gather(&mut self, order: &OpenOrder) -> Handle {
        let incoming = self.incoming(order).expect(ALLOWED);
        self.insert(&incoming, order.remaining)
    }

    /// Adds what is left of an order, behind those of its price.
    ///
    /// # Panics
    /// If that is nothing.
    #[expect(clippy::inline_always, reason = "a sixth of its instructions are the call's")]
    #[inline(always)]
    pub(crate) fn insert(&mut self, order: &Incoming, remaining: Energy) -> Handle {
        assert!(!remaining.is_zero(), "an empty order never rests");
        let Book { fronts, pages, entries, .. } = self;
        let (Front { best, ladder, .. }, entries) = (&mut fronts[order.number], &mut entries[..]);
        let place = ladder.place_or_nowhere(order.key);
        let handle = self.free;
        let Some(level) = pages.get(place) else { return self.insert_in_new_page(*order, remaining) };
        let Some(entry) = entries.get_mut(handle as usize) else {
            return self.insert_in_new_entry(*order, remaining);
        };
        self.free = entry.next;
        let previous = level.tail;
        let ParticipantId(owner) = order.owner;
        *entry = Entry { id: order.id, remaining: remaining.0, owner, next: NONE, previous, level: place };
        level.tail = handle;
        if let Some(previous) = entries.get_mut(previous as usize) {
            previous.next = handle;
        } else {
            level.head = handle;
            if pages.occupy(place) {
                ladder.mark(order.key);
            }
            if order.rank < best.rank {
                *best = Best { rank: order.rank, id: order.id, head: handle, level: place };
                let least = &mut self.least[order.side() as usize];
                *least = order.rank.min(*least);
            }
        }
        Handle(handle)
    }

    /// Adds what is left of an order whose level has no page yet.
    // It takes a copy, so that any other order can stay in the registers.
    #[cold]
    #[inline(never)]
    fn insert_in_new_page(&mut self, order: Incoming, remaining: Energy) -> Handle {
        self.fronts[order.number].ladder.add_page(&mut self.pages, order.number, order.key);
        self.insert(&order, remaining)
    }

    /// Adds what is left of an order for which no place is free.
    #[cold]
    #[inline(never)]
    fn insert_in_new_entry(&mut self, order: Incoming, remaining: Energy) -> Handle {
        let (next, previous, level) = (NONE, NONE, Place::NOWHERE);
        let entry = Entry { id: u64::MAX, remaining: 0, owner: NONE, next, previous, level };
        self.free = push_sparingly(&mut self.entries, entry);
        self.insert(&order, remaining)
    }

    /// Makes an open order smaller, at its place in the queue.
    ///
    /// # Panics
    /// If nothing would be left of it.
    #[inline]
    pub(crate) fn reduce(&mut self, handle: Handle, energy: Energy) {
        let entry = &mut self.entries[handle.0 as usize];
        assert!(energy.0 < entry.remaining, "an empty order never rests");
        entry.remaining -= energy.0;
    }

    /// Removes all orders, into no order that means anything, and lets go of their memory.
    pub(crate) fn close(&mut self) -> Vec<OpenOrder> {
        let orders = self.numbered().map(|(_, order)| order).collect();
        self.least = [FAR; 2];
        for front in &mut self.fronts {
            (front.best, front.ladder) = (NOBODY, Ladder::default());
        }
        (self.pages, self.entries, self.free) = (Pages::new(self.scale.levels), Vec::new(), NONE);
        orders
    }

    /// Returns the best orders of one side, in the zones' order.
    #[inline]
    fn bests(&self, side: Side) -> impl Iterator<Item = &Best> {
        let (zones, _) = self.fronts.as_chunks::<2>();
        zones.iter().map(move |sides| &sides[side as usize].best)
    }

    /// Returns a level's entries, as they are linked.
    fn linked(&self, number: usize, key: u32) -> impl Iterator<Item = (Handle, &Entry)> {
        let numbered = |handle: u32| Some((Handle(handle), self.entries.get(handle as usize)?));
        let first = self.fronts[number].ladder.level(&self.pages, key).map_or(NONE, |level| level.head);
        core::iter::successors(numbered(first), move |(_, entry)| numbered(entry.next))
    }

    #[expect(clippy::inline_always, reason = "it is on the path of every cancellation")]
    #[inline(always)]
    fn open_order(&self, entry: &Entry) -> OpenOrder {
        let (number, key) = self.pages.whose(entry.level);
        let (side, zone) = (side_of(number), zone_of(number));
        OpenOrder {
            id: unpack(entry.id),
            owner: ParticipantId(entry.owner),
            zone,
            side,
            limit: limit(side, self.scale.rank(side, key)),
            remaining: Energy(entry.remaining),
        }
    }
}

/// Returns where one side of a zone stands in a book's lists.
#[inline]
fn number_of(side: Side, zone: ZoneId) -> usize {
    usize::from(zone.0) << 1 | side as usize
}

/// Returns of which side the orders of a number are.
#[inline]
fn side_of(number: usize) -> Side {
    if number & 1 == Side::Bid as usize { Side::Bid } else { Side::Offer }
}

/// Returns of which zone the orders of a number are.
#[expect(clippy::cast_possible_truncation, reason = "zones are at most 1,024")]
#[inline]
fn zone_of(number: usize) -> ZoneId {
    ZoneId((number >> 1) as u16)
}

/// Books are alike if their queues are, wherever in the slab the orders stand.
impl PartialEq for Book {
    fn eq(&self, other: &Book) -> bool {
        // OK because the orders of a queue stand in order of arrival.
        self.orders() == other.orders()
    }
}

impl Eq for Book {}

/// Appends to a list that grows by a sixteenth, and returns where.
#[cold]
#[inline(never)]
fn push_sparingly<T>(list: &mut Vec<T>, item: T) -> u32 {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 16 + 8);
    }
    list.push(item);
    u32::try_from(list.len() - 1).expect("a slot has less than 2^32 open orders")
}
