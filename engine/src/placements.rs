//! Placements: which slot an order was placed for, by whom, and where in the book it stands (R9).
//!
//! Knows ids and places; does not know whether an order is still open: the book says that. Keeps: an order is
//! remembered until its slot is settled. An id is found by its ledger index, without searching.

use alloc::vec::Vec;

use crate::book::Handle;
use crate::{Energy, LeafIndex, OrderId, ParticipantId, Slot};

/// No placement.
const NONE: u32 = u32::MAX;
/// Numbers of placements are counted within 31 bits, and begin anew behind the last.
const NUMBERS: u32 = u32::MAX >> 1;

/// Every order of the slots that are not settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placements {
    /// The ledger index of the first element of `firsts`.
    first_index: u64,
    /// The ledger index behind that of the last.
    next_index: u64,
    /// For each ledger index the number of its command's first placement.
    firsts: Vec<u32>,
    /// The number of the first element of `list`, and the one behind that of the last.
    first_number: u32,
    next_number: u32,
    /// In order of the ids; a command's stand together, also those of orders that were refused.
    list: Vec<Row>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    /// [`NONE`] for an order that was refused.
    slot: u32,
    owner: u32,
    handle: u32,
    position: u16,
    /// What it is for altogether, in Wh.
    energy: u64,
}

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

impl Row {
    /// Returns what is remembered of an order; nothing of one that was refused.
    #[expect(clippy::inline_always, reason = "it is on the path of every cancellation")]
    #[inline(always)]
    fn placement(&self) -> Option<Placement> {
        (self.slot != NONE).then_some(Placement {
            slot: Slot(self.slot),
            owner: ParticipantId(self.owner),
            handle: Handle(self.handle),
            energy: Energy(self.energy),
        })
    }
}

impl Placements {
    /// Remembers an order, whose id is greater than those of all before.
    #[expect(clippy::inline_always, reason = "it is on the path of every order")]
    #[inline(always)]
    pub(crate) fn remember(&mut self, id: OrderId, placement: Placement) {
        if id.position == 0 {
            self.begin(id.index.0);
        } else {
            self.begin_behind_refused(id);
        }
        let Placement { slot: Slot(slot), owner: ParticipantId(owner), handle: Handle(handle), energy } =
            placement;
        self.push(Row { slot, owner, handle, position: id.position, energy: energy.0 });
    }

    #[expect(clippy::inline_always, reason = "it is on the path of every order")]
    #[inline(always)]
    fn push(&mut self, row: Row) {
        self.list.push(row);
        self.next_number = (self.next_number + 1) & NUMBERS;
    }

    /// Begins a command's placements.
    #[expect(clippy::inline_always, reason = "it is on the path of every order")]
    #[inline(always)]
    fn begin(&mut self, index: u64) {
        if self.firsts.is_empty() {
            (self.first_index, self.next_index) = (index, index);
        }
        // What stands in the ledger between two commands that place orders has no placements.
        for _ in self.next_index..index {
            self.firsts.push(NONE);
        }
        self.firsts.push(self.next_number);
        self.next_index = index + 1;
    }

    /// Begins a command's placements, if they are not begun, and fills in rows for the orders before this one
    /// that were refused.
    #[inline(never)]
    fn begin_behind_refused(&mut self, id: OrderId) {
        let next = self.next_number;
        if self.firsts.is_empty() || self.next_index <= id.index.0 {
            self.begin(id.index.0);
        }
        let first = self.firsts.last().copied().unwrap_or(next);
        for position in minus(next, first)..u32::from(id.position) {
            let position = u16::try_from(position).expect("it lies below a position");
            self.push(Row { slot: NONE, owner: NONE, handle: NONE, position, energy: 0 });
        }
    }

    /// Returns every order that is remembered, in order of their ids.
    pub(crate) fn all(&self) -> impl Iterator<Item = (OrderId, Placement)> {
        let begun = self.firsts.iter().zip(self.first_index..).filter(|(first, _)| **first != NONE);
        let begun = begun.map(|(first, index)| (minus(*first, self.first_number) as usize, LeafIndex(index)));
        let ends = begun.clone().skip(1).map(|(place, _)| place).chain([self.list.len()]);
        let rows = begun.zip(ends).flat_map(|((place, index), end)| {
            self.list[place..end].iter().map(move |row| (OrderId { index, position: row.position }, row))
        });
        rows.filter_map(|(id, row)| Some((id, row.placement()?)))
    }

    /// Returns where an order was placed; nothing for one that never was, or whose slot is settled.
    #[expect(clippy::inline_always, reason = "it is on the path of every cancellation")]
    #[inline(always)]
    pub(crate) fn get(&self, id: OrderId) -> Option<Placement> {
        let row = self.list.get(self.row_of(id)?)?;
        // OK because a row of another command that stands so far behind has a lower position.
        row.placement().filter(|_| row.position == id.position)
    }

    /// Changes what an order is for altogether.
    pub(crate) fn set_energy(&mut self, id: OrderId, energy: Energy) {
        let row = self.row_of(id).and_then(|row| self.list.get_mut(row));
        row.expect("an order that is changed was placed").energy = energy.0;
    }

    fn row_of(&self, id: OrderId) -> Option<usize> {
        let first = *self.firsts.get(self.place_of(id)?).filter(|first| **first != NONE)?;
        Some(minus(first, self.first_number) as usize + usize::from(id.position))
    }

    /// Forgets the oldest commands as long as the slots of all their orders are settled, as `is_over` says.
    pub(crate) fn forget(&mut self, is_over: impl Fn(Slot) -> bool) {
        let (mut over, mut len) = (0, 0);
        for (place, row) in self.list.iter().enumerate() {
            if row.position == 0 {
                // A command begins, and those before it are over.
                over = place;
            }
            if row.slot != NONE && !is_over(Slot(row.slot)) {
                break;
            }
            len = place + 1;
        }
        let over = if len == self.list.len() { len } else { over };
        let gone = u32::try_from(over).expect("less than 2^31 orders wait for settlement");
        let first_number = self.first_number.wrapping_add(gone) & NUMBERS;
        let is_gone = |first: &u32| *first == NONE || minus(*first, self.first_number) < gone;
        let indices = self.firsts.iter().take_while(|first| is_gone(first)).count();
        self.first_number = first_number;
        self.first_index += indices as u64;
        self.list.drain(..over);
        self.firsts.drain(..indices);
    }

    fn place_of(&self, id: OrderId) -> Option<usize> {
        usize::try_from(id.index.0.checked_sub(self.first_index)?).ok()
    }
}

/// Returns how far one number is behind another.
fn minus(number: u32, other: u32) -> u32 {
    number.wrapping_sub(other) & NUMBERS
}

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
        let mut placements = Placements { first_number, next_number: first_number, ..Placements::default() };
        placements.remember(id(10, 0), placement(1, 0));
        placements.remember(id(15, 0), placement(1, 1));
        placements.remember(id(15, 2), placement(2, 2));
        placements
    }

    #[test]
    fn every_id_that_was_placed_is_found_and_no_other() {
        for first_number in [0, NUMBERS - 1, NUMBERS] {
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
        let mut placements = three_placed(NUMBERS);
        placements.forget(|slot| slot == Slot(1));
        assert_eq!(placements.get(id(10, 0)), None);
        assert_eq!(placements.get(id(15, 0)), Some(placement(1, 1)));
        placements.forget(|_| true);
        assert_eq!((placements.list.len(), placements.firsts.len()), (0, 0));
        placements.remember(id(40, 1), placement(3, 3));
        assert_eq!(placements.get(id(40, 1)), Some(placement(3, 3)));
        assert_eq!(placements.get(id(40, 0)), None);
    }
}
