//! Slots as a snapshot has them: open orders instead of books, and nothing that follows from the rest.

use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::held::Held;
use super::{SlotState, Slots};
use crate::book::{Handle, OpenOrder};
use crate::deals::Deal;
use crate::grid::Flows;
use crate::placements::{Placement, Placements};
use crate::{Energy, MarketConfig, OrderId, ParticipantId, Phase, Side, Slot, Tariffs, Timestamp, Trade};

/// What is written of all slots.
#[derive(Serialize, Deserialize)]
pub(crate) struct SlotsForm<'a> {
    /// The held ones, rising.
    held: Vec<SlotForm<'a>>,
    /// Every order of these slots, in order of their ids.
    placed: Vec<PlacedForm>,
    expiries: Cow<'a, BTreeSet<(Timestamp, OrderId)>>,
    settled: Cow<'a, BTreeMap<Slot, Phase>>,
}

/// What is written of a held slot.
#[derive(Serialize, Deserialize)]
struct SlotForm<'a> {
    slot: Slot,
    phase: Phase,
    /// In order of arrival.
    open: Vec<OpenOrder>,
    flows: Cow<'a, Flows>,
    may_be_blocked: bool,
    trades: Vec<Trade>,
}

/// What is written of an order that was placed, open or not.
#[derive(Serialize, Deserialize)]
struct PlacedForm {
    id: OrderId,
    slot: Slot,
    owner: ParticipantId,
    energy: Energy,
}

impl Slots {
    /// Returns what a snapshot has of the slots.
    pub(crate) fn form(&self, tariffs: &Tariffs) -> SlotsForm<'_> {
        let held = self.held.slots().filter_map(|slot| self.held.get(slot));
        let placed = self.placements.all().filter(|(_, it)| self.held.get(it.slot).is_some());
        SlotsForm {
            held: held.map(|state| state.form(tariffs)).collect(),
            placed: placed
                .map(|(id, Placement { slot, owner, energy, .. })| PlacedForm { id, slot, owner, energy })
                .collect(),
            expiries: Cow::Borrowed(&self.expiries),
            settled: Cow::Borrowed(&self.settled),
        }
    }

    /// Returns the slots of a snapshot; nothing if these are none that a market can have.
    pub(crate) fn of_form(form: SlotsForm, config: &MarketConfig, tariffs: &Tariffs) -> Option<Slots> {
        let timeline = &config.timeline;
        let mut handles = BTreeMap::new();
        let (mut held, mut due) = (Held::default(), BTreeSet::new());
        for it in form.held {
            due.insert((timeline.end_of(it.phase, it.slot), it.slot));
            held.insert(it.slot, SlotState::of_form(it, config, tariffs, &mut handles)?);
        }
        due.extend(form.settled.keys().map(|slot| (timeline.final_at(*slot), *slot)));

        let mut placements = Placements::default();
        for PlacedForm { id, slot, owner, energy } in form.placed {
            let handle = handles.get(&id).copied().unwrap_or(Handle::NOWHERE);
            placements.remember(id, Placement { slot, owner, handle, energy });
        }
        let mut slots = Slots {
            held,
            due,
            good_until: form.expiries.iter().map(|(until, order)| (*order, *until)).collect(),
            expiries: form.expiries.into_owned(),
            next_due: None,
            placements,
            settled: form.settled.into_owned(),
        };
        slots.find_next_due();
        Some(slots)
    }
}

impl SlotState {
    fn form(&self, tariffs: &Tariffs) -> SlotForm<'_> {
        SlotForm {
            slot: self.slot,
            phase: self.phase,
            open: self.book.orders(),
            flows: Cow::Borrowed(&self.flows),
            may_be_blocked: self.may_be_blocked,
            trades: self.trades(tariffs).collect(),
        }
    }

    /// Returns a slot of a snapshot, and writes down where its orders stand; nothing if one has a limit that the
    /// market does not allow.
    fn of_form(
        form: SlotForm,
        config: &MarketConfig,
        tariffs: &Tariffs,
        handles: &mut BTreeMap<OrderId, Handle>,
    ) -> Option<SlotState> {
        let mut state = SlotState::new(form.slot, form.phase, config, tariffs);
        for order in &form.open {
            handles.insert(order.id, state.book.insert(&state.book.incoming(order)?, order.remaining));
            state.standings.get_mut(order.owner).open(order.side, order.remaining);
        }
        if form.phase < Phase::Closed {
            for trade in &form.trades {
                state.standings.get_mut(trade.seller).promise(Side::Offer, trade.energy);
            }
        }
        state.flows = form.flows.into_owned();
        state.may_be_blocked = form.may_be_blocked;
        for trade in form.trades {
            state.deals.push(Deal::of(&trade));
        }
        Some(state)
    }
}
