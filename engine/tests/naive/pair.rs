//! The engine and its twin, asked the same, until their first difference.

use parkwatt_engine::*;

use crate::coverage::Coverage;
use crate::histories::history::Subject;
use crate::histories::steps::{FIRST, PEOPLE, SLOTS};
use crate::twin::Twin;
use crate::twin::machine::Machine;

pub struct Pair {
    engine: Market,
    twin: Twin,
    pub coverage: Coverage,
}

impl Pair {
    pub fn found(config: &MarketConfig) -> Pair {
        let (engine, twin) = (Market::found(config.clone()), Twin::found(config.clone()));
        Pair { engine, twin, coverage: Coverage::default() }
    }

    /// Compares all that can be asked of both.
    ///
    /// # Panics
    /// At the first difference, or if something is still due.
    pub fn compare_ends(&self) {
        assert_eq!(Machine::next_due(&self.engine), None, "everything ends");
        for name in ["p0", "late", "later"] {
            let id = Machine::by_name(&self.engine, name);
            assert_eq!(id, self.twin.by_name(name), "who {name} is");
            assert!(id.is_none_or(|id| Machine::name_of(&self.engine, id) == self.twin.person(id).name));
        }
        for account in [
            Account::Supplier,
            Account::Network,
            Account::Congestion,
            Account::Market,
            Account::Bank,
            Account::Rounding,
        ] {
            assert_eq!(Machine::balance(&self.engine, account), self.twin.balance(account), "{account:?}");
        }
    }

    /// Compares how both stand.
    fn compare(&self) {
        assert_eq!(Machine::next_due(&self.engine), self.twin.next_due(), "the next moment");
        for slot in slots() {
            let open = Machine::open_orders(&self.engine, slot);
            assert_eq!(open, Machine::open_orders(&self.twin, slot), "open orders");
            assert_eq!(Machine::phase(&self.engine, slot), self.twin.phase(slot), "phase");
            assert_eq!(Machine::parts(&self.engine, slot), self.twin.parts(slot), "certificates");
        }
        for id in people().filter(|id| Machine::by_name(&self.twin, &format!("p{}", id.0)).is_some()) {
            assert_eq!(Machine::reserved(&self.engine, id), self.twin.reserved(id), "reservations");
            let account = Account::Participant(id);
            assert_eq!(Machine::balance(&self.engine, account), self.twin.balance(account), "balances");
            assert_eq!(Machine::held(&self.engine, id, FIRST), self.twin.held(id, FIRST), "held");
        }
    }
}

impl Subject for Pair {
    fn ask(&mut self, stamp: Stamp, request: &Request) -> (Outcome, usize) {
        let (outcome, events) = Machine::apply(&mut self.engine, stamp, request);
        let (expected, followed) = self.twin.apply(stamp, request);
        assert_eq!(outcome, expected, "engine and twin answer {request:?}");
        assert_eq!(events, followed, "engine and twin say what follows from {request:?}");
        self.coverage.note_command(stamp, request, &outcome, &events);
        self.compare();
        (outcome, events.len())
    }

    fn tick(&mut self, stamp: Stamp) -> usize {
        if self.twin.next_due().is_none_or(|due| due > stamp.at) {
            return 0;
        }
        for slot in slots() {
            let indicative = Machine::indicative(&self.engine, slot);
            assert_eq!(indicative, self.twin.indicative(slot), "the auction so far");
        }
        let (events, followed) = (Machine::tick(&mut self.engine, stamp), self.twin.tick(stamp));
        assert_eq!(events, followed, "engine and twin say what follows from time");
        self.coverage.note_tick(&events);
        self.compare();
        events.len()
    }
}

fn slots() -> impl Iterator<Item = Slot> {
    (FIRST.0..=FIRST.0 + SLOTS).map(Slot)
}

fn people() -> impl Iterator<Item = ParticipantId> {
    (0..u32::from(PEOPLE)).map(ParticipantId)
}
