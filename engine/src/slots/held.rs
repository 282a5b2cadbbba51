//! The held slots, found by their number without searching.
//!
//! Knows numbers; does not know what stands in a slot. Slots are held from the first order on until their
//! settlement, so that those that are held at one time lie close together: a window over them is short.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::SlotState;
use crate::Slot;

/// The held slots, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// The number of the first slot of the window.
    first: u32,
    /// Every slot from the first held one to the last, nothing where one is not held.
    window: Vec<Option<Box<SlotState>>>,
}

impl Held {
    /// Returns what stands in a slot, if it is held.
    #[inline]
    pub(super) fn get(&self, slot: Slot) -> Option<&SlotState> {
        self.window.get(slot.0.wrapping_sub(self.first) as usize)?.as_deref()
    }

    /// Returns what stands in a slot, if it is held, to change it.
    #[inline]
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut SlotState> {
        self.window.get_mut(slot.0.wrapping_sub(self.first) as usize)?.as_deref_mut()
    }

    /// Holds a slot from now on.
    pub(super) fn insert(&mut self, slot: Slot, state: SlotState) {
        if self.window.is_empty() {
            self.first = slot.0;
        }
        if slot.0 < self.first {
            let before = (self.first - slot.0) as usize;
            self.window.splice(..0, core::iter::repeat_with(|| None).take(before));
            self.first = slot.0;
        }
        let place = (slot.0 - self.first) as usize;
        if place >= self.window.len() {
            self.window.resize_with(place + 1, || None);
        }
        self.window[place] = Some(Box::new(state));
    }

    /// Lets go of a slot, and returns what stood in it, if it was held.
    pub(super) fn remove(&mut self, slot: Slot) -> Option<SlotState> {
        let state = self.window.get_mut(slot.0.wrapping_sub(self.first) as usize)?.take()?;
        let over = self.window.iter().take_while(|state| state.is_none()).count();
        self.window.drain(..over);
        self.first += u32::try_from(over).expect("slots are numbered within 32 bits");
        Some(*state)
    }

    /// Returns the held slots, rising.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        let numbered = (self.first..).zip(&self.window);
        numbered.filter(|(_, state)| state.is_some()).map(|(slot, _)| Slot(slot))
    }
}
