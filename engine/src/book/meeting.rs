//! How an order without conditions trades as it comes: at once, order by order (R5, R7).
//!
//! Does what a [`Plan`] would, without making it first, as long as each order that is met is a stranger's and
//! the path has any room; which is nearly always. From the first one on of which that is not so, a plan is made
//! for the rest. Each trade is told as it is made.

use super::ladder::NONE;
use super::{Book, Fill, Handle, Incoming, Plan};
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
        let bests = self.bests(side);
        let ways = &ways[..bests.len()];
        // OK because ranks and ways are far from the ends of 63 bits.
        let effective = |place: usize| bests[place].rank.wrapping_add(ways[place].0);
        let (mut first, mut until, mut found) = ((worst, u64::MAX), (worst, u64::MAX), None);
        if bests.len() == 1 {
            found = (effective(0) <= worst).then_some(0);
        } else {
            for place in 0..bests.len() {
                let (effective, id) = (effective(place), bests[place].id);
                if effective > until.0 {
                    continue;
                }
                if (effective, id) < first {
                    (until, first, found) = (first, (effective, id), Some(place));
                } else if (effective, id) < until {
                    until = (effective, id);
                }
            }
        }
        let place = found?;
        let zone = ZoneId(u16::try_from(place).expect("zones are at most 1,024"));
        Some(Next { zone, number: self.number(side, zone), way: ways[place].0, until })
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
        let mut best = self.bests[zone.number];
        while left > 0 {
            // OK because ranks and ways are far from the ends of 63 bits.
            let effective = best.rank.wrapping_add(zone.way);
            if effective > zone.until.0 || (effective == zone.until.0 && best.id > zone.until.1) {
                break;
            }
            let entry = &mut self.entries[best.head as usize];
            if entry.owner == owner.0 {
                break;
            }
            let energy = left.min(entry.remaining);
            // OK because neither is less than their minimum.
            left = left.wrapping_sub(energy);
            entry.remaining = entry.remaining.wrapping_sub(energy);
            let is_whole = entry.remaining == 0;
            witness.see(&Fill {
                id: best.id,
                energy: Energy(energy),
                effective,
                handle: Handle(best.head),
                owner: ParticipantId(entry.owner),
                zone: zone.zone,
                is_whole,
            });
            if !is_whole {
                break;
            }
            let next = entry.next;
            entry.id = u64::MAX;
            entry.next = self.free;
            self.free = best.head;
            if let Some(following) = self.entries.get_mut(next as usize) {
                following.previous = NONE;
                (best.head, best.id) = (next, following.id);
                self.pages.at(best.level).head = next;
                self.bests[zone.number] = best;
            } else {
                best = self.leave_best(zone.number, best.level);
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
