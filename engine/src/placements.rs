//! Placements: which slot an order was placed for, by whom, and where in the book it stands (R9).
//!
//! Knows ids and places; does not know whether an order is still open: the book says that. Keeps: an order is
//! remembered until its slot is settled. An id is found by its ledger index, without searching.

use alloc::vec::Vec;

use crate::book::{Handle, LEAVES_MAX};
use crate::chunks::Chunks;
use crate::{Energy, LeafIndex, OrderId, ParticipantId, Slot};

/// No placement.
const NONE: u32 = u32::MAX;
/// In a row's slot: the command placed more than its first order, and each has a part.
const MANY: u32 = u32::MAX - 1;

/// Leaves of the ledger in a block.
const LEAVES: usize = 64;
const WIDTH: u64 = LEAVES as u64;
/// Among a block's rows: the leaf is of no command that placed orders.
const NO_ROW: u8 = u8::MAX;

/// Every order of the slots that are not settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placements {
    /// The number of the first block, and the one behind that of the last; of none both are the same.
    first_block: u64,
    next_block: u64,
    /// One for every 64 leaves of the ledger, but for the last ones.
    blocks: Vec<Block>,
    /// The last one, to which commands are added.
    last: Block,
    /// One for each command that placed orders, in order of their leaves.
    rows: Chunks<Row>,
    /// The number of the first of `rows`.
    first_row: Number,
    /// In order of the ids; a command's stand together, also those of orders that were refused.
    parts: Chunks<Part>,
    /// The number of the first of `parts`.
    first_part: Number,
}

/// Which of 64 leaves are of commands that placed orders: 72 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    /// The number of the first one's row.
    first: Number,
    /// How many there are.
    len: u8,
    /// For each leaf, how far its row is behind the first, or [`NO_ROW`]: counted ahead, so that nothing is counted
    /// to find one.
    rows: [u8; LEAVES],
}

/// What a command placed: 24 bytes.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// What the order is for altogether, in Wh; of [`MANY`], how many parts there are.
    energy: u64,
    slot: u32,
    /// Of [`MANY`], the number of the first part.
    handle: u32,
    owner: u32,
}

/// An order of a command that placed many: 16 bytes.
#[derive(Clone, Copy, Debug)]
struct Part {
    energy: u64,
    /// [`NONE`] for an order that was refused.
    slot: u32,
    handle: u32,
}

/// What rows and parts are counted by: it begins anew behind the last of 32 bits.
#[derive(Clone, Copy, Debug, Default)]
struct Number(u32);

const NO_PART: Part = Part { energy: 0, slot: NONE, handle: NONE };

/// Where an order was placed, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) slot: Slot,
    pub(crate) owner: ParticipantId,
    /// Where it stood in the slot's book, if it ever rested.
    pub(crate) handle: Handle,
    /// What it is for altogether, what has traded of it included.
    pub(crate) energy: Energy,
}

impl Placements {
    /// Remembers an order, whose id is greater than those of all before.
    #[expect(clippy::inline_always, reason = "it is on the path of every order")]
    #[inline(always)]
    pub(crate) fn remember(&mut self, id: OrderId, placement: Placement) {
        let Placement { slot: Slot(slot), owner: ParticipantId(owner), handle: Handle(handle), energy } =
            placement;
        if id.position == 0 {
            self.push(id.index.0, Row { energy: energy.0, slot, handle, owner });
        } else {
            self.remember_part(id, owner, Part { energy: energy.0, slot, handle });
        }
    }

    /// Adds a command's row.
    #[expect(clippy::inline_always, reason = "it is on the path of every order")]
    #[inline(always)]
    fn push(&mut self, index: u64, row: Row) {
        if index / WIDTH >= self.next_block {
            self.add_blocks(index / WIDTH);
        }
        let block = &mut self.last;
        block.rows[(index % WIDTH) as usize] = block.len;
        // OK because a leaf is of one command, so that there are at most 64.
        block.len = block.len.wrapping_add(1);
        self.rows.push(row);
    }

    /// Adds blocks up to this one: the leaves of those before it are of other commands, and of events.
    #[cold]
    #[inline(never)]
    fn add_blocks(&mut self, block: u64) {
        assert!(block < LEAVES_MAX / WIDTH, "a ledger has less than 2^48 leaves");
        if self.rows.is_empty() {
            (self.first_block, self.next_block) = (block, block);
        }
        let first = self.first_row.plus(self.rows.len());
        while self.next_block <= block {
            let before = core::mem::replace(&mut self.last, Block { first, ..Block::default() });
            if self.next_block > self.first_block {
                self.blocks.push(before);
            }
            self.next_block += 1;
        }
    }

    /// Returns the ledger index of the last command that placed orders.
    fn last_index(&self) -> Option<u64> {
        let last = self.last.placed().next_back()?;
        Some((self.next_block - 1) * WIDTH + last)
    }

    /// Remembers an order that is not its command's first, and fills in parts for those before that were refused.
    #[inline(never)]
    fn remember_part(&mut self, id: OrderId, owner: u32, part: Part) {
        if self.last_index() != Some(id.index.0) {
            self.push(id.index.0, Row { energy: 0, slot: NONE, handle: NONE, owner });
        }
        let row = self.rows.last_mut().expect("its command has a row");
        if row.slot != MANY {
            let Number(number) = self.first_part.plus(self.parts.len());
            let Row { energy, slot, handle, .. } = *row;
            self.parts.push(Part { energy, slot, handle });
            *row = Row { energy: 1, slot: MANY, handle: number, owner };
        }
        while row.energy < u64::from(id.position) {
            self.parts.push(NO_PART);
            row.energy += 1;
        }
        self.parts.push(part);
        row.energy += 1;
    }

    /// Returns where an order was placed; nothing for one that never was, or whose slot is settled.
    #[expect(clippy::inline_always, reason = "it is on the path of every cancellation")]
    #[inline(always)]
    pub(crate) fn get(&self, id: OrderId) -> Option<Placement> {
        let row = *self.rows.get(self.place_of(id.index.0)?)?;
        if row.slot < MANY {
            return (id.position == 0).then_some(placement(row.owner, row.energy, row.slot, row.handle));
        }
        let Part { energy, slot, handle } = *self.parts.get(self.place_of_part(id, row)?)?;
        (slot != NONE).then_some(placement(row.owner, energy, slot, handle))
    }

    /// Returns every order that is remembered, in order of their ids.
    pub(crate) fn all(&self) -> impl Iterator<Item = (OrderId, Placement)> {
        let blocks = (self.first_block..self.next_block).zip(self.blocks.iter().chain([&self.last]));
        let indices =
            blocks.flat_map(|(block, it)| it.placed().map(move |leaf| LeafIndex(block * WIDTH + leaf)));
        let ids = indices.zip(self.rows.iter()).flat_map(|(index, row)| {
            let orders = if row.slot == MANY { row.energy } else { 1 };
            (0..=u16::MAX).zip(0..orders).map(move |(position, _)| OrderId { index, position })
        });
        ids.filter_map(|id| Some((id, self.get(id)?)))
    }

    /// Changes what an order is for altogether.
    pub(crate) fn set_energy(&mut self, id: OrderId, energy: Energy) {
        let place = self.place_of(id.index.0).expect("an order that is changed was placed");
        let row = *self.rows.get(place).expect("an order that is changed was placed");
        if row.slot < MANY {
            self.rows.get_mut(place).expect("it is there").energy = energy.0;
        } else {
            let part = self.place_of_part(id, row).and_then(|place| self.parts.get_mut(place));
            part.expect("an order that is changed was placed").energy = energy.0;
        }
    }

    /// Returns where the row is of the command at a ledger index.
    #[inline]
    fn place_of(&self, index: u64) -> Option<usize> {
        let number = index / WIDTH;
        let block = if number.wrapping_add(1) == self.next_block {
            &self.last
        } else {
            self.blocks.get(usize::try_from(number.checked_sub(self.first_block)?).ok()?)?
        };
        let Block { first, ref rows, .. } = *block;
        let row = rows[(index % WIDTH) as usize];
        (row != NO_ROW).then(|| first.minus(self.first_row).wrapping_add(usize::from(row)))
    }

    /// Returns where the part of an order is, whose command has a row that says so.
    #[inline(never)]
    fn place_of_part(&self, id: OrderId, row: Row) -> Option<usize> {
        let is_there = row.slot == MANY && u64::from(id.position) < row.energy;
        is_there.then(|| self.first_part_of(row) + usize::from(id.position))
    }

    fn first_part_of(&self, row: Row) -> usize {
        Number(row.handle).minus(self.first_part)
    }

    /// Forgets the oldest commands as long as the slots of all their orders are settled, as `is_over` says.
    pub(crate) fn forget(&mut self, is_over: impl Fn(Slot) -> bool) {
        let is_over = |slot: u32| slot == NONE || is_over(Slot(slot));
        let (mut rows, mut parts) = (0, 0);
        for row in self.rows.iter() {
            let own = if row.slot == MANY { row.energy } else { 0 };
            let own = usize::try_from(own).expect("orders fit the memory");
            let are_over = match row.slot {
                MANY => {
                    self.parts.iter_from(self.first_part_of(*row)).take(own).all(|part| is_over(part.slot))
                }
                slot => is_over(slot),
            };
            if !are_over {
                break;
            }
            (rows, parts) = (rows + 1, parts + own);
        }
        self.rows.forget(rows);
        self.parts.forget(parts);
        self.first_row = self.first_row.plus(rows);
        self.first_part = self.first_part.plus(parts);
        self.forget_blocks();
    }

    /// Forgets the leaves of commands whose rows are forgotten.
    fn forget_blocks(&mut self) {
        if self.rows.is_empty() {
            (self.first_block, self.next_block) = (0, 0);
            (self.blocks, self.last) = (Vec::new(), Block::default());
            return;
        }
        // The first row's leaf lies in the last block that does not begin with a row behind it.
        let begins = |block: &&Block| !self.first_row.is_before(block.first);
        let whole = self.blocks.iter().chain([&self.last]).take_while(begins).count() - 1;
        self.blocks.drain(..whole);
        self.first_block += whole as u64;
        let block = self.blocks.first_mut().unwrap_or(&mut self.last);
        let gone = u8::try_from(self.first_row.minus(block.first)).expect("fewer than the block's leaves");
        block.first = self.first_row;
        block.len -= gone;
        for row in block.rows.iter_mut().filter(|row| **row != NO_ROW) {
            *row = row.checked_sub(gone).unwrap_or(NO_ROW);
        }
    }
}

impl Default for Block {
    fn default() -> Block {
        Block { first: Number::default(), len: 0, rows: [NO_ROW; LEAVES] }
    }
}

impl Block {
    /// Returns which of the leaves are of commands that placed orders, rising.
    fn placed(&self) -> impl DoubleEndedIterator<Item = u64> + use<> {
        let rows = self.rows;
        (0..WIDTH).filter(move |leaf| rows[(leaf % WIDTH) as usize] != NO_ROW)
    }
}

impl Number {
    #[inline]
    fn plus(self, count: usize) -> Number {
        let count = u32::try_from(count).expect("less than 2^31 orders wait for settlement");
        Number(self.0.wrapping_add(count))
    }

    /// Returns how far it is behind another one; very far if it is before.
    #[inline]
    fn minus(self, other: Number) -> usize {
        self.0.wrapping_sub(other.0) as usize
    }

    /// Returns whether it is before another one, from which it is less than half of all numbers away.
    fn is_before(self, other: Number) -> bool {
        self.minus(other) > (u32::MAX / 2) as usize
    }
}

#[inline]
fn placement(owner: u32, energy: u64, slot: u32, handle: u32) -> Placement {
    Placement {
        slot: Slot(slot),
        owner: ParticipantId(owner),
        handle: Handle(handle),
        energy: Energy(energy),
    }
}

/// Where in a book's slab its order stands, or in which place its parts are, makes no row differ.
impl PartialEq for Row {
    fn eq(&self, other: &Row) -> bool {
        (self.energy, self.slot, self.owner) == (other.energy, other.slot, other.owner)
    }
}

impl Eq for Row {}

/// Where in a book's slab its order stands makes no part differ.
impl PartialEq for Part {
    fn eq(&self, other: &Part) -> bool {
        (self.energy, self.slot) == (other.energy, other.slot)
    }
}

impl Eq for Part {}

/// How many rows and parts there have been makes nothing differ.
impl PartialEq for Number {
    fn eq(&self, _: &Number) -> bool {
        true
    }
}

impl Eq for Number {}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(index: u64, position: u16) -> OrderId {
        OrderId { index: LeafIndex(index), position }
    }

    fn placement(slot: u32, handle: u32) -> Placement {
        Placement { slot: Slot(slot), owner: ParticipantId(7), handle: Handle(handle), energy: Energy(5) }
    }

    /// Remembers an order in slot 1, and a schedule of which the second order was refused, in slots 1 and 2.
    fn three_placed(first_number: u32) -> Placements {
        let (first_row, first_part) = (Number(first_number), Number(first_number));
        let mut placements = Placements { first_row, first_part, ..Placements::default() };
        placements.remember(id(10, 0), placement(1, 0));
        placements.remember(id(15, 0), placement(1, 1));
        placements.remember(id(15, 2), placement(2, 2));
        placements
    }

    #[test]
    fn every_id_that_was_placed_is_found_and_no_other() {
        for first_number in [0, NONE - 1, NONE] {
            let placements = three_placed(first_number);
            for (id, found) in [
                (id(10, 0), Some(placement(1, 0))),
                (id(15, 0), Some(placement(1, 1))),
                (id(15, 2), Some(placement(2, 2))),
                (id(9, 0), None),
                (id(10, 1), None),
                (id(11, 0), None),
                (id(15, 1), None),
                (id(15, 3), None),
                (id(16, 0), None),
                (id(u64::MAX, 9), None),
            ] {
                assert_eq!(placements.get(id), found, "{id}");
            }
        }
    }

    #[test]
    fn a_command_is_forgotten_when_all_its_slots_are_over() {
        let mut placements = three_placed(NONE);
        placements.forget(|slot| slot == Slot(1));
        assert_eq!(placements.get(id(10, 0)), None);
        assert_eq!(placements.get(id(15, 0)), Some(placement(1, 1)));
        placements.forget(|_| true);
        assert_eq!((placements.rows.len(), placements.parts.len()), (0, 0));
        placements.remember(id(40, 1), placement(3, 3));
        assert_eq!(placements.get(id(40, 1)), Some(placement(3, 3)));
        assert_eq!(placements.get(id(40, 0)), None);
    }

    #[test]
    fn commands_are_found_and_forgotten_however_far_apart_they_stand() {
        let indices = [3, 10, 63, 64, 65, 127, 200, 10_000, 10_001];
        for first_number in [0, NONE - 3] {
            let first_row = Number(first_number);
            for over in 0..=indices.len() {
                let mut placements = Placements { first_row, ..Placements::default() };
                for (slot, index) in (0..).zip(indices) {
                    placements.remember(id(index, 0), placement(slot, 7));
                }
                let is_over = |slot: Slot| (slot.0 as usize) < over;
                placements.forget(is_over);
                // What is left is as if it had been all there ever was.
                let mut anew = Placements::default();
                for (slot, index) in (0..).zip(indices).filter(|(slot, _)| !is_over(Slot(*slot))) {
                    assert_eq!(placements.get(id(index, 0)), Some(placement(slot, 7)));
                    anew.remember(id(index, 0), placement(slot, 7));
                }
                assert!(placements == anew, "{over} are over");
                let found = (0..10_100).filter(|index| placements.get(id(*index, 0)).is_some());
                assert!(found.eq(indices[over..].iter().copied()));
                placements.remember(id(20_000, 1), placement(99, 8));
                assert_eq!(placements.get(id(20_000, 1)), Some(placement(99, 8)));
            }
        }
    }
}
