//! How an order without conditions trades as it comes: at once, order by order (R5, R7).
//!
//! Does what a [`Plan`] would, without making it first, as long as each order that is met is a stranger's and
//! the path has any room; which is nearly always. From the first one on of which that is not so, a plan is made
//! for the rest. Each trade is told as it is made.

use super::ladder::NONE;
use super::{Best, Book, Fill, Handle, Incoming, Plan, number_of, zone_of};
use crate::grid::{Flows, Grid};
use crate::{Energy, ParticipantId, Price, Side, ZoneId};

/// No zone: there are at most 1,024.
const NOWHERE: u16 = u16::MAX;

/// What became of an order that met a book.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meeting {
    /// What has not traded.
    pub(crate) left: Energy,
    /// Whether its trades made room, against them, where there was none.
    pub(crate) makes_room: bool,
    /// Whether it met its owner's order or a path without room, so that the rest needs a plan.
    pub(crate) is_stuck: bool,
}

impl Book {
    /// Returns whether there is one zone, and so one way, that has room for everything.
    #[inline]
    pub(crate) fn is_of_one_zone(&self) -> bool {
        self.zones == 1
    }

    /// Lets an order trade as it comes, in a book of one zone, and lets `see` see each trade. If it is stuck,
    /// [`Book::meet_rest`] sees to what is left of it.
    #[expect(clippy::inline_always, reason = "it is on the path of every trade")]
    #[inline(always)]
    pub(crate) fn meet_at_home(&mut self, incoming: &Incoming, mut see: impl FnMut(&Fill)) -> Meeting {
        let &Incoming { owner, rank, reach, energy: Energy(mut left), .. } = incoming;
        let (side, zone) = (incoming.side(), incoming.zone());
        let other = number_of(side.opposite(), zone);
        // OK because ranks and ways are far from the ends of 63 bits.
        let way = rank.wrapping_add(reach).wrapping_neg();
        let mut is_stuck = false;
        while left > 0 {
            let best = self.fronts[other].best;
            if best.rank > reach {
                break;
            }
            let entry = &self.entries[best.head as usize];
            if entry.owner == owner.0 {
                is_stuck = true;
                break;
            }
            let energy = left.min(entry.remaining);
            left -= energy;
            let fill = self.fill_best(other, best, energy);
            // OK because ranks and ways are far from the ends of 63 bits.
            see(&Fill { effective: best.rank.wrapping_add(way), way, ..fill });
        }
        Meeting { left: Energy(left), makes_room: false, is_stuck }
    }

    /// Does the same in a book of many zones, along the edges whose flows are given; `ways` are the order's.
    #[expect(clippy::inline_always, reason = "it is on the path of every trade")]
    #[inline(always)]
    pub(crate) fn meet(
        &mut self,
        (grid, ways, flows): (&Grid, &[Price], &mut Flows),
        incoming: &Incoming,
        mut see: impl FnMut(&Fill),
    ) -> Meeting {
        let &Incoming { owner, rank, energy: Energy(mut left), .. } = incoming;
        let (side, own_zone) = (incoming.side(), incoming.zone());
        let (other, worst) = (side.opposite(), rank.wrapping_neg());
        let (mut makes_room, mut is_stuck) = (false, false);
        while left > 0 {
            let Some((zone, effective)) = self.first_zone(other, ways, worst) else { break };
            let number = number_of(other, zone);
            let best = self.fronts[number].best;
            let entry = &self.entries[best.head as usize];
            if entry.owner == owner.0 {
                is_stuck = true;
                break;
            }
            let mut energy = left.min(entry.remaining);
            if zone != own_zone {
                let sent = grid.send_what_fits(flows, side, own_zone, zone, Energy(energy));
                if sent.energy.is_zero() {
                    is_stuck = true;
                    break;
                }
                makes_room |= sent.makes_room;
                energy = sent.energy.0;
            }
            left -= energy;
            let fill = self.fill_best(number, best, energy);
            // OK because ranks and ways are far from the ends of 63 bits.
            see(&Fill { effective, way: effective.wrapping_sub(best.rank), ..fill });
        }
        Meeting { left: Energy(left), makes_room, is_stuck }
    }

    /// Returns in which zone the best order of a side stands for one that may pay as much as `worst`, and what that
    /// would pay, if there is any; `ways` are those to each zone. Of equal ranks the earlier order is the better.
    #[expect(clippy::inline_always, reason = "it is on the path of every trade")]
    #[inline(always)]
    fn first_zone(&self, side: Side, ways: &[Price], worst: i64) -> Option<(ZoneId, i64)> {
        // OK because ranks and ways are far from the ends of 63 bits, and zones are at most 1,024.
        let (mut rank, mut id, mut found) = (worst, u64::MAX, NOWHERE);
        let mut zone = 0_u16;
        for (best, way) in self.bests(side).zip(ways) {
            let effective = best.rank.wrapping_add(way.0);
            if effective <= rank && (effective < rank || best.id < id) {
                (rank, id, found) = (effective, best.id, zone);
            }
            zone = zone.wrapping_add(1);
        }
        (found != NOWHERE).then_some((ZoneId(found), rank))
    }

    /// Lets the best order of a ladder trade so much, and returns the trade, by no way.
    #[expect(clippy::inline_always, reason = "it is on the path of every trade")]
    #[inline(always)]
    fn fill_best(&mut self, number: usize, best: Best, energy: u64) -> Fill {
        let entries = &mut self.entries[..];
        let entry = &mut entries[best.head as usize];
        entry.remaining -= energy;
        let (owner, is_whole) = (ParticipantId(entry.owner), entry.remaining == 0);
        if is_whole {
            let next = entry.next;
            entry.id = u64::MAX;
            entry.next = self.free;
            self.free = best.head;
            if let Some(following) = entries.get_mut(next as usize) {
                following.previous = NONE;
                let best_now = &mut self.fronts[number].best;
                (best_now.id, best_now.head) = (following.id, next);
                self.pages.at(best.level).head = next;
            } else {
                self.leave_best(number, best.level);
            }
        }
        let (id, handle, energy) = (best.id, Handle(best.head), Energy(energy));
        Fill { id, energy, effective: best.rank, way: 0, handle, owner, zone: zone_of(number), is_whole }
    }

    /// Lets what is left of an order that is stuck trade by a plan, whose fills say with whom. Returns whether its
    /// trades made room, against them, where there was none.
    #[cold]
    #[inline(never)]
    pub(crate) fn meet_rest(
        &mut self,
        grid: &Grid,
        flows: &mut Flows,
        rest: &Incoming,
        plan: &mut Plan,
    ) -> bool {
        plan.make(self, grid, flows, rest);
        self.execute(grid, flows, rest, plan.fills())
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
            let (side, zone) = (incoming.side(), incoming.zone());
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
