//! How an order without conditions trades as it comes: at once, order by order (R5, R7).
//!
//! Does what a [`Plan`] would, without making it first, as long as each order that is met is a stranger's and
//! the path has any room; which is nearly always. From the first one on of which that is not so, a plan is made
//! for the rest.

use super::ladder::NONE;
use super::{Best, Book, Fill, Handle, Incoming, Plan};
use crate::grid::{Flows, Grid};
use crate::{Energy, ParticipantId, Price, Side, ZoneId};

/// The zone whose best order an incoming one meets first.
struct Next {
    zone: ZoneId,
    /// Where the zone's side stands in the book's lists.
    number: usize,
    /// The way to it, on top of its orders' ranks.
    way: i64,
    /// Its orders come first while their effective rank and id lie below these: those of the next zone, or the
    /// limit.
    until: (i64, u64),
}

impl Book {
    /// Lets an order trade as it comes, along the edges whose flows are given, and puts its trades into
    /// `plan`. Returns whether they made room, against them, where there was none.
    pub(crate) fn meet(
        &mut self,
        grid: &Grid,
        flows: &mut Flows,
        incoming: &Incoming,
        plan: &mut Plan,
    ) -> bool {
        plan.clear();
        if self.zones == 1 {
            return self.meet_alone(grid, flows, incoming, plan);
        }
        let (side, own_zone) = (incoming.side, incoming.zone);
        let ways = grid.ways(side, own_zone);
        let (mut left, mut makes_room) = (incoming.energy.0, false);
        while left > 0
            && let Some(next) = self.next_zone(side.opposite(), ways, -incoming.rank)
        {
            let is_own_zone = next.zone == own_zone;
            let room = if is_own_zone { left } else { grid.room_between(flows, side, own_zone, next.zone).0 };
            let most = left.min(room);
            let traded = most - self.meet_zone(&next, incoming.owner, most, plan);
            if traded == 0 {
                return self.meet_rest(grid, flows, incoming, left, plan) | makes_room;
            }
            left -= traded;
            if !is_own_zone {
                makes_room |= grid.send_between(flows, side, own_zone, next.zone, Energy(traded));
            }
        }
        plan.filled = Energy(incoming.energy.0 - left);
        makes_room
    }

    /// Does the same where there is only one zone, and no edge.
    fn meet_alone(&mut self, grid: &Grid, flows: &mut Flows, incoming: &Incoming, plan: &mut Plan) -> bool {
        let (zone, number) = (ZoneId(0), 1 - incoming.number);
        let way = -incoming.rank - incoming.reach;
        let next = Next { zone, number, way, until: (-incoming.rank, u64::MAX) };
        let left = self.meet_zone(&next, incoming.owner, incoming.energy.0, plan);
        if left > 0 && self.may_meet(incoming) {
            return self.meet_rest(grid, flows, incoming, left, plan);
        }
        plan.filled = Energy(incoming.energy.0 - left);
        false
    }

    /// Returns which zone's best order is met first, unless its effective rank is worse than `worst`; `ways`
    /// are those to each zone.
    #[inline]
    fn next_zone(&self, side: Side, ways: &[Price], worst: i64) -> Option<Next> {
        // OK because ranks and ways are far from the ends of 63 bits.
        let effective = |(best, way): (&Best, &Price)| (best.rank.wrapping_add(way.0), best.id);
        let (mut first, mut until) = ((worst, u64::MAX), (worst, u64::MAX));
        let mut first_zone = None;
        for (zone, met) in (0..).map(ZoneId).zip(self.bests(side).iter().zip(ways).map(effective)) {
            if met.0 > until.0 {
                continue;
            }
            if met < first {
                (until, first) = (first, met);
                first_zone = Some(zone);
            } else if met < until {
                until = met;
            }
        }
        let zone = first_zone?;
        Some(Next { zone, number: self.number(side, zone), way: ways[usize::from(zone.0)].0, until })
    }

    /// Lets an order trade, up to `most`, with one zone's best orders as long as they come before those of
    /// every other zone and are none of its owner's; returns how much is left of that.
    #[inline(never)]
    fn meet_zone(&mut self, zone: &Next, owner: ParticipantId, most: u64, plan: &mut Plan) -> u64 {
        let mut left = most;
        let mut best = self.bests[zone.number];
        while left > 0 && (best.rank + zone.way, best.id) < zone.until {
            let entry = &mut self.entries[best.head as usize];
            if entry.owner == owner.0 {
                break;
            }
            let energy = left.min(entry.remaining);
            let is_whole = energy == entry.remaining;
            plan.fills.push(Fill {
                id: entry.id,
                energy: Energy(energy),
                effective: best.rank + zone.way,
                handle: Handle(best.head),
                owner: ParticipantId(entry.owner),
                zone: zone.zone,
                is_whole,
            });
            left -= energy;
            let place = entry.level;
            let level = self.pages.at(place);
            level.energy -= energy;
            if !is_whole {
                entry.remaining -= energy;
                break;
            }
            let next = entry.next;
            entry.id = u64::MAX;
            entry.next = self.free;
            self.free = best.head;
            level.head = next;
            if let Some(following) = self.entries.get_mut(next as usize) {
                following.previous = NONE;
                (best.head, best.id) = (next, following.id);
                self.bests[zone.number] = best;
            } else {
                self.leave(place);
                best = self.bests[zone.number];
            }
        }
        left
    }

    /// Lets what is left of an order trade by a plan.
    #[cold]
    #[inline(never)]
    fn meet_rest(
        &mut self,
        grid: &Grid,
        flows: &mut Flows,
        incoming: &Incoming,
        left: u64,
        plan: &mut Plan,
    ) -> bool {
        let done = plan.fills.len();
        let rest = Incoming { energy: Energy(left), ..*incoming };
        plan.walk(self, grid, flows, &rest);
        plan.filled = incoming.energy.minus(rest.energy).plus(plan.filled);
        self.execute(grid, flows, incoming, &plan.fills[done..])
    }

    /// Makes planned trades of an order. Returns whether they made room, against them, where there was none.
    pub(crate) fn execute(
        &mut self,
        grid: &Grid,
        flows: &mut Flows,
        incoming: &Incoming,
        fills: &[Fill],
    ) -> bool {
        let mut makes_room = false;
        for fill in fills {
            let (side, zone) = (incoming.side, incoming.zone);
            makes_room |= grid.send_between(flows, side, zone, fill.zone, fill.energy);
            if fill.is_whole {
                self.remove(fill.handle);
            } else {
                self.reduce(fill.handle, fill.energy);
            }
        }
        makes_room
    }
}
