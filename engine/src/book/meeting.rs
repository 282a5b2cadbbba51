//! How an order without conditions trades as it comes: at once, order by order (R5, R7).
//!
//! Does what a [`Plan`] would, without making it first, as long as each order that is met is a stranger's and
//! the path has any room; which is nearly always. From the first one on of which that is not so, a plan is made
//! for the rest. Each trade is told as it is made.

use super::ladder::NONE;
use super::{Book, Fill, Handle, Incoming, Plan, Queues};
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

/// What became of an order that met a book.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meeting {
    /// What has not traded.
    pub(crate) left: Energy,
    /// Whether its trades made room, against them, where there was none.
    pub(crate) makes_room: bool,
    /// Whether an order that the limits allow was left because its path had no room.
    pub(crate) is_blocked: bool,
}

/// Who sees the trades that an order makes.
pub(crate) trait Witness {
    /// Sees one of them.
    fn see(&mut self, fill: &Fill);
}

impl Book {
    /// Lets an order trade as it comes, along the edges whose flows are given, and lets `witness` see each
    /// trade. The memory of `plan` may be used.
    pub(crate) fn meet(
        &mut self,
        grid: &Grid,
        flows: &mut Flows,
        incoming: &Incoming,
        plan: &mut Plan,
        witness: &mut impl Witness,
    ) -> Meeting {
        let (side, own_zone) = (incoming.side, incoming.zone);
        let ways = grid.ways(side, own_zone);
        let mut meeting = Meeting { left: incoming.energy, makes_room: false, is_blocked: false };
        while !meeting.left.is_zero()
            && let Some(next) = self.next_zone(side.opposite(), ways, -incoming.rank)
        {
            let is_own_zone = next.zone == own_zone;
            let room =
                if is_own_zone { meeting.left } else { grid.room_between(flows, side, own_zone, next.zone) };
            let most = meeting.left.min(room);
            let traded = most.minus(self.meet_zone(&next, incoming.owner, most, witness));
            if traded.is_zero() {
                self.meet_rest(grid, flows, incoming, plan, &mut meeting, witness);
                break;
            }
            meeting.left = meeting.left.minus(traded);
            if !is_own_zone {
                meeting.makes_room |= grid.send_between(flows, side, own_zone, next.zone, traded);
            }
        }
        meeting
    }

    /// Returns which zone's best order is met first, unless its effective rank is worse than `worst`; `ways`
    /// are those to each zone.
    #[inline]
    fn next_zone(&self, side: Side, ways: &[Price], worst: i64) -> Option<Next> {
        let (mut first, mut until) = ((worst, u64::MAX), (worst, u64::MAX));
        let mut found = None;
        // OK because ranks and ways are far from the ends of 63 bits.
        let effective = |queues: &Queues, way: &Price| queues.best.rank.wrapping_add(way.0);
        if let ([alone], [way]) = (self.queues(side), ways) {
            let next = Next { zone: alone.zone, number: alone.number, way: way.0, until };
            return (effective(alone, way) <= worst).then_some(next);
        }
        for (queues, way) in self.queues(side).iter().zip(ways) {
            let (effective, id) = (effective(queues, way), queues.best.id);
            if effective > until.0 {
                continue;
            }
            if effective < first.0 || (effective == first.0 && id < first.1) {
                (until, first, found) = (first, (effective, id), Some((queues, way)));
            } else if effective < until.0 || id < until.1 {
                until = (effective, id);
            }
        }
        let (queues, way) = found?;
        Some(Next { zone: queues.zone, number: queues.number, way: way.0, until })
    }

    /// Lets an order trade, up to `most`, with one zone's best orders as long as they come before those of
    /// every other zone and are none of its owner's; returns how much is left of that.
    #[expect(clippy::inline_always, reason = "it is on the path of every trade")]
    #[inline(always)]
    fn meet_zone(
        &mut self,
        zone: &Next,
        owner: ParticipantId,
        most: Energy,
        witness: &mut impl Witness,
    ) -> Energy {
        let mut left = most.0;
        let mut best = self.queues[zone.number].best;
        while left > 0 {
            let effective = best.rank + zone.way;
            if effective > zone.until.0 || (effective == zone.until.0 && best.id > zone.until.1) {
                break;
            }
            let entry = &mut self.entries[best.head as usize];
            if entry.owner == owner.0 {
                break;
            }
            let energy = left.min(entry.remaining);
            let is_whole = energy == entry.remaining;
            witness.see(&Fill {
                id: entry.id,
                energy: Energy(energy),
                effective,
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
                self.queues[zone.number].best = best;
            } else {
                self.leave(place);
                best = self.queues[zone.number].best;
            }
        }
        Energy(left)
    }

    /// Lets what is left of an order trade by a plan.
    #[cold]
    #[inline(never)]
    fn meet_rest(
        &mut self,
        grid: &Grid,
        flows: &mut Flows,
        incoming: &Incoming,
        plan: &mut Plan,
        meeting: &mut Meeting,
        witness: &mut impl Witness,
    ) {
        plan.make(self, grid, flows, &Incoming { energy: meeting.left, ..*incoming });
        meeting.makes_room |= self.execute(grid, flows, incoming, plan.fills());
        meeting.left = meeting.left.minus(plan.filled());
        meeting.is_blocked = plan.is_blocked();
        plan.fills().iter().for_each(|fill| witness.see(fill));
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
