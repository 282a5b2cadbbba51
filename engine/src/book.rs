//! One slot's book: the open orders, and which of them an incoming order meets first (R5).
//!
//! Knows orders, prices and the grid's charges; does not know balances, phases or why an order came.
//! Keeps: every order in a queue is in `orders` and the reverse; none is empty.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::grid::Grid;
use crate::{Energy, LeafIndex, OrderId, ParticipantId, Price, Side, ZoneId};

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
}

/// What stands at one limit of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    /// The limit.
    pub(crate) limit: Price,
    /// What the orders there have together.
    pub(crate) energy: Energy,
}

/// The open orders of one slot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Book {
    orders: BTreeMap<OrderId, OpenOrder>,
    zones: Vec<ZoneQueues>,
}

/// One zone's queues, best first, by price and then by time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct ZoneQueues {
    bids: BTreeSet<(Reverse<Price>, OrderId)>,
    offers: BTreeSet<(Price, OrderId)>,
}

impl Book {
    /// Returns an empty book over `zone_count` zones.
    pub(crate) fn new(zone_count: usize) -> Book {
        Book { orders: BTreeMap::new(), zones: alloc::vec![ZoneQueues::default(); zone_count] }
    }

    /// Returns an open order.
    pub(crate) fn get(&self, id: OrderId) -> Option<&OpenOrder> {
        self.orders.get(&id)
    }

    /// Returns the open orders in order of arrival.
    pub(crate) fn orders(&self) -> impl Iterator<Item = &OpenOrder> {
        self.orders.values()
    }

    /// Returns a zone's levels of one side, best limit first.
    pub(crate) fn levels(&self, zone: ZoneId, side: Side) -> impl Iterator<Item = Level> {
        let mut levels: Vec<Level> = Vec::new();
        for id in self.queued(zone, side) {
            let OpenOrder { limit, remaining, .. } = self.orders[&id];
            match levels.last_mut().filter(|level| level.limit == limit) {
                Some(level) => level.energy = level.energy.plus(remaining),
                None => levels.push(Level { limit, energy: remaining }),
            }
        }
        levels.into_iter()
    }

    /// Returns the open orders at one level, in order of arrival.
    pub(crate) fn queue(&self, zone: ZoneId, side: Side, limit: Price) -> impl Iterator<Item = OpenOrder> {
        let first = OrderId { index: LeafIndex(0), position: 0 };
        let last = OrderId { index: LeafIndex(u64::MAX), position: u16::MAX };
        let queues = &self.zones[usize::from(zone.0)];
        let ids: Vec<OrderId> = match side {
            Side::Bid => queues
                .bids
                .range((Reverse(limit), first)..=(Reverse(limit), last))
                .map(|(_, id)| *id)
                .collect(),
            Side::Offer => queues.offers.range((limit, first)..=(limit, last)).map(|(_, id)| *id).collect(),
        };
        ids.into_iter().map(|id| self.orders[&id])
    }

    fn queued(&self, zone: ZoneId, side: Side) -> Vec<OrderId> {
        let queues = &self.zones[usize::from(zone.0)];
        match side {
            Side::Bid => queues.bids.iter().map(|(_, id)| *id).collect(),
            Side::Offer => queues.offers.iter().map(|(_, id)| *id).collect(),
        }
    }

    /// Adds an order, behind those of its price.
    pub(crate) fn insert(&mut self, order: OpenOrder) {
        assert!(!order.remaining.is_zero(), "an empty order never rests");
        let queues = &mut self.zones[usize::from(order.zone.0)];
        match order.side {
            Side::Bid => queues.bids.insert((Reverse(order.limit), order.id)),
            Side::Offer => queues.offers.insert((order.limit, order.id)),
        };
        self.orders.insert(order.id, order);
    }

    /// Takes `energy` out of an open order; an order without a rest leaves the book.
    pub(crate) fn take(&mut self, id: OrderId, energy: Energy) {
        let order = self.orders.get_mut(&id).expect("only open orders trade");
        order.remaining = order.remaining.minus(energy);
        if order.remaining.is_zero() {
            self.remove(id);
        }
    }

    /// Removes an open order, and returns it.
    pub(crate) fn remove(&mut self, id: OrderId) -> Option<OpenOrder> {
        let order = self.orders.remove(&id)?;
        let queues = &mut self.zones[usize::from(order.zone.0)];
        match order.side {
            Side::Bid => queues.bids.remove(&(Reverse(order.limit), id)),
            Side::Offer => queues.offers.remove(&(order.limit, id)),
        };
        Some(order)
    }

    /// Returns the order that an order of `side` from `zone` meets first, with the price that the order then
    /// effectively has for it: an offer's limit with the wheeling to `zone` on top, a bid's with the wheeling
    /// off.
    pub(crate) fn best_against(&self, side: Side, zone: ZoneId, grid: &Grid) -> Option<(OpenOrder, Price)> {
        let (effective, id) = match side {
            Side::Bid => self.best_offer_for(zone, grid)?,
            Side::Offer => self.best_bid_for(zone, grid)?,
        };
        Some((self.orders[&id], effective))
    }

    fn best_offer_for(&self, buyer: ZoneId, grid: &Grid) -> Option<(Price, OrderId)> {
        let effective = |(zone, queues): (ZoneId, &ZoneQueues)| {
            let (limit, id) = queues.offers.first()?;
            Some((limit.plus(grid.wheeling(zone, buyer)), *id))
        };
        self.numbered().filter_map(effective).min()
    }

    fn best_bid_for(&self, seller: ZoneId, grid: &Grid) -> Option<(Price, OrderId)> {
        let effective = |(zone, queues): (ZoneId, &ZoneQueues)| {
            let (Reverse(limit), id) = queues.bids.first()?;
            Some((Reverse(limit.minus(grid.wheeling(seller, zone))), *id))
        };
        self.numbered().filter_map(effective).min().map(|(Reverse(price), id)| (price, id))
    }

    fn numbered(&self) -> impl Iterator<Item = (ZoneId, &ZoneQueues)> {
        (0..).map(ZoneId).zip(&self.zones)
    }
}
