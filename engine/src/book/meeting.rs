//! How an order without conditions trades as it comes: at once, order by order (R5, R7).
//!
//! Does what a [`Plan`] would, without making it first, as long as each order that is met is a stranger's and
//! the path has any room; which is nearly always. From the first one on of which that is not so, a plan is made
//! for the rest. Each trade is told as it is made.

use super::ladder::NONE;
use super::{Best, Book, Fill, Handle, Incoming, Plan};
use crate::grid::{Flows, Grid};
use crate::{Energy, ParticipantId, Price, ZoneId};

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
    /// Lets an order trade as it comes, along the edges whose flows are given, and lets `see` see each trade. If it
    /// is stuck, [`Book::meet_rest`] sees to what is left of it.
    #[expect(clippy::inline_always, reason = "it is on the path of every trade")]
    #[inline(always)]
    pub(crate) fn meet(
        &mut self,
        grid: &Grid,
        flows: &mut Flows,
        incoming: &Incoming,
        mut see: impl FnMut(&Fill),
    ) -> Meeting {
        let &Incoming { side, zone: own_zone, owner, rank, reach, energy: Energy(whole), .. } = incoming;
        let is_alone = self.zones == 1;
        let ways = if is_alone { &[] } else { grid.ways(side, own_zone) };
        let first = self.number(side.opposite(), ZoneId(0));
        let (mut left, mut makes_room, mut is_stuck) = (whole, false, false);
        while left > 0 {
            let (mut zone, mut number) = (own_zone, first);
            let best = if is_alone {
                let best = self.bests[first];
                if best.rank > reach {
                    break;
                }
                best
            } else {
                let Some(place) = first_zone(&self.bests[first..][..ways.len()], ways, -rank) else { break };
                (zone, number) = (ZoneId(place), first + usize::from(place));
                self.bests[number]
            };
            // OK because ranks and ways are far from the ends of 63 bits.
            let way =
                if is_alone { rank.wrapping_add(reach).wrapping_neg() } else { ways[usize::from(zone.0)].0 };
            let entry = &mut self.entries[best.head as usize];
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
            entry.remaining -= energy;
            let (owner, is_whole) = (ParticipantId(entry.owner), entry.remaining == 0);
            if is_whole {
                let next = entry.next;
                entry.id = u64::MAX;
                entry.next = self.free;
                self.free = best.head;
                if let Some(following) = self.entries.get_mut(next as usize) {
                    following.previous = NONE;
                    self.bests[number] = Best { id: following.id, head: next, ..best };
                    self.pages.at(best.level).head = next;
                } else {
                    self.leave_best(number, best.level);
                }
            }
            let (id, effective) = (best.id, best.rank.wrapping_add(way));
            see(&Fill {
                id,
                energy: Energy(energy),
                effective,
                handle: Handle(best.head),
                owner,
                zone,
                is_whole,
            });
        }
        Meeting { left: Energy(left), makes_room, is_stuck }
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

/// Returns in which zone the best order stands for one that may pay as much as `worst`, if there is any; `ways` are
/// those to each zone. Of equal ranks the earlier order is the better.
#[inline(never)]
fn first_zone(bests: &[Best], ways: &[Price], worst: i64) -> Option<u16> {
    let ways = &ways[..bests.len()];
    let (mut rank, mut id, mut found) = (worst, u64::MAX, usize::MAX);
    for place in 0..bests.len() {
        // OK because ranks and ways are far from the ends of 63 bits.
        let effective = bests[place].rank.wrapping_add(ways[place].0);
        if effective > rank {
            continue;
        }
        if effective < rank || bests[place].id < id {
            (rank, id, found) = (effective, bests[place].id, place);
        }
    }
    u16::try_from(found).ok()
}
