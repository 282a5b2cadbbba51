//! How an order without conditions trades as it comes: at once, order by order (R5, R7).
//!
//! Does what a [`Plan`] would, without making it first, as long as each order that is met is a stranger's and
//! the path has room for all that both have; which is nearly always. From the first one on that is not so, a plan
//! is made of the rest.

use super::ladder::NONE;
use super::{Book, Fill, Handle, Incoming, Plan};
use crate::grid::{Flows, Grid};
use crate::{Energy, ParticipantId, ZoneId};

impl Book {
    /// Lets an order trade as it comes, along the edges whose flows are given, and puts its trades into `plan`.
    /// Returns whether they made room, against them, where there was none.
    #[inline]
    pub(crate) fn meet(
        &mut self,
        grid: &Grid,
        flows: &mut Flows,
        incoming: &Incoming,
        plan: &mut Plan,
    ) -> bool {
        plan.clear();
        let best = self.half(incoming.side.opposite()).least;
        if best + grid.least_way(incoming.side, incoming.zone).0 > -incoming.rank {
            return false;
        }
        self.meet_some(grid, flows, incoming, plan)
    }

    fn meet_some(
        &mut self,
        grid: &Grid,
        flows: &mut Flows,
        incoming: &Incoming,
        plan: &mut Plan,
    ) -> bool {
        let side = incoming.side.opposite();
        let own_zone = usize::from(incoming.zone.0);
        let ways = grid.ways(incoming.side, incoming.zone);
        let (mut left, mut makes_room) = (incoming.energy.0, false);
        while left > 0 {
            let half = &mut self.halves[side as usize];
            let Some((zone, effective)) = half.first(ways, -incoming.rank) else { break };
            let head = half.bests[zone].head;
            let entry = &mut self.entries[head as usize];
            let energy = left.min(entry.remaining);
            if entry.owner == incoming.owner.0 {
                return self.meet_rest(grid, flows, incoming, left, plan) | makes_room;
            }
            if zone != own_zone {
                let other = ZoneId(zone as u16);
                if grid.room_between(flows, incoming.side, incoming.zone, other) < Energy(energy) {
                    return self.meet_rest(grid, flows, incoming, left, plan) | makes_room;
                }
                makes_room |=
                    grid.send_between(flows, incoming.side, incoming.zone, other, Energy(energy));
            }
            left -= energy;
            let is_whole = energy == entry.remaining;
            plan.fills.push(Fill {
                id: entry.id,
                energy: Energy(energy),
                effective,
                handle: Handle(head),
                owner: ParticipantId(entry.owner),
                zone: ZoneId(zone as u16),
                is_whole,
            });
            entry.remaining -= energy;
            let place = entry.level;
            let level = self.pages.at(place);
            level.energy -= energy;
            if is_whole {
                let next = entry.next;
                entry.id = u64::MAX;
                entry.next = self.free;
                self.free = head;
                level.head = next;
                if let Some(following) = self.entries.get_mut(next as usize) {
                    following.previous = NONE;
                    let best = &mut half.bests[zone];
                    (best.head, best.id) = (next, following.id);
                } else {
                    self.leave(place);
                }
            }
        }
        plan.filled = Energy(incoming.energy.0 - left);
        makes_room
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
