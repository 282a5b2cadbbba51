//! Orders by their names, those of one command side by side; and lists of names, which rise.
//!
//! Knows that names rise as orders come, so that what comes goes to the end; does not know what becomes of an order.
//! Keeps: written out, it is a map from names to orders, in their order.

use std::collections::BTreeMap;

use parkwatt_engine::{LeafIndex, OrderId, ParticipantId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::OrderView;

/// Orders by their names.
#[derive(Default)]
pub(super) struct Placed(BTreeMap<LeafIndex, Vec<OrderView>>);

impl Placed {
    /// Adds an order, whose command is the last one or whose position is behind all others of its command.
    pub(super) fn insert(&mut self, view: OrderView) {
        self.0.entry(view.id.index).or_default().push(view);
    }

    pub(super) fn get(&self, id: OrderId) -> Option<&OrderView> {
        let together = self.0.get(&id.index)?;
        together.get(place_of(together, id)?)
    }

    pub(super) fn get_mut(&mut self, id: OrderId) -> Option<&mut OrderView> {
        let together = self.0.get_mut(&id.index)?;
        let place = place_of(together, id)?;
        together.get_mut(place)
    }

    pub(super) fn remove(&mut self, id: OrderId) -> Option<OrderView> {
        let together = self.0.get_mut(&id.index)?;
        let view = together.remove(place_of(together, id)?);
        if together.is_empty() {
            self.0.remove(&id.index);
        }
        Some(view)
    }
}

/// Returns where an order stands among those of its command: mostly where its position says, unless some of them were
/// refused or are gone.
fn place_of(together: &[OrderView], id: OrderId) -> Option<usize> {
    let position = usize::from(id.position);
    if together.get(position).is_some_and(|view| view.id == id) {
        return Some(position);
    }
    together.binary_search_by_key(&id.position, |view| view.id.position).ok()
}

impl Serialize for Placed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let all: BTreeMap<OrderId, &OrderView> =
            self.0.values().flatten().map(|view| (view.id, view)).collect();
        all.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Placed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Placed, D::Error> {
        let mut placed = Placed::default();
        for view in BTreeMap::<OrderId, OrderView>::deserialize(deserializer)?.into_values() {
            placed.insert(view);
        }
        Ok(placed)
    }
}

/// Names by whose they are, each list in their order.
pub(super) type Lists<T> = BTreeMap<ParticipantId, Vec<T>>;

/// Adds a name that is behind all others.
pub(super) fn add<T>(lists: &mut Lists<T>, whose: ParticipantId, id: T) {
    lists.entry(whose).or_default().push(id);
}

/// Strikes out names that are in the lists, each participant's in their order, and him with his last.
pub(super) fn forget<T: Copy + Ord>(lists: &mut Lists<T>, gone: &Lists<T>) {
    for (whose, gone) in gone {
        let Some(list) = lists.get_mut(whose) else { continue };
        let mut next = gone.iter().copied().peekable();
        list.retain(|id| next.next_if_eq(id).is_none());
        if list.is_empty() {
            lists.remove(whose);
        }
    }
}

#[cfg(test)]
mod tests {
    use parkwatt_engine::{Energy, NewOrder, Price, Side, Slot};

    use super::*;
    use crate::views::OrderState;

    fn id(index: u64, position: u16) -> OrderId {
        OrderId { index: LeafIndex(index), position }
    }

    fn view(id: OrderId) -> OrderView {
        let order = NewOrder::resting(Side::Bid, Slot(1), Price(1), Energy(id.index.0));
        OrderView { id, owner: ParticipantId(0), order, traded: Energy::ZERO, state: OrderState::Open }
    }

    #[test]
    fn orders_are_found_by_their_names_whichever_of_their_command_were_refused_or_are_gone() {
        let mut placed = Placed::default();
        let mut map = BTreeMap::new();
        for id in [id(3, 0), id(3, 1), id(3, 5), id(3, 9), id(7, 2), id(9, 0)] {
            placed.insert(view(id));
            map.insert(id, view(id));
        }
        for gone in [id(3, 0), id(3, 5), id(7, 2), id(7, 2)] {
            assert_eq!(placed.remove(gone).map(|view| view.id), map.remove(&gone).map(|view| view.id));
            for index in 0..11 {
                for position in 0..11 {
                    let id = id(index, position);
                    let found = placed.get(id).map(|view| view.id);
                    assert_eq!(found, map.get(&id).map(|view| view.id));
                    assert_eq!(placed.get_mut(id).map(|view| view.id), found);
                }
            }
            let bytes = postcard::to_allocvec(&placed).unwrap();
            assert_eq!(bytes, postcard::to_allocvec(&map).unwrap());
            let again: Placed = postcard::from_bytes(&bytes).unwrap();
            assert_eq!(postcard::to_allocvec(&again).unwrap(), bytes);
        }
    }

    #[test]
    fn names_are_struck_out_and_who_has_none_left() {
        let [ann, bob, eve] = [0, 1, 2].map(ParticipantId);
        let mut lists = Lists::from([(ann, vec![1, 2, 3, 4]), (bob, vec![5, 6]), (eve, vec![7])]);
        add(&mut lists, eve, 8);
        forget(&mut lists, &Lists::from([(ann, vec![1, 4]), (bob, vec![5, 6])]));
        assert_eq!(lists, Lists::from([(ann, vec![2, 3]), (eve, vec![7, 8])]));
    }
}
