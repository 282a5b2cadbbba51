//! Step 5, apply: a command or the passing of time becomes leaves, by the engine alone.
//!
//! Knows the engine and the form of leaves; does not know clocks, queues, disks or networks. The live node,
//! its recovery and the auditor all run this code, so that what one of them says the others say.

use parkwatt_engine as engine;
use parkwatt_proto::v1::{self, leaf::Fact};
use prost::Message;
use sha2::{Digest, Sha256};

use crate::wire;

/// A market's state, and the index of the next leaf.
pub struct Replica {
    market: engine::Market,
    next_index: u64,
    last_at: engine::Timestamp,
    /// The index behind the last leaf that records a state; 0 where there is none.
    recorded: u64,
}

/// What happened, and the leaves that say so.
pub struct Applied {
    /// The first leaf's index.
    pub index: u64,
    /// When it happened.
    pub at: engine::Timestamp,
    /// What made it happen.
    pub cause: Cause,
    /// What followed.
    pub events: Vec<engine::Event>,
    /// The leaves: the cause's first, then one for each event.
    pub leaves: Vec<Vec<u8>>,
}

/// What makes something happen.
#[expect(clippy::large_enum_variant, reason = "ticks are rare, and a box for every command is no saving")]
pub enum Cause {
    /// A command, and what became of it.
    Command {
        /// What was asked.
        request: engine::Request,
        /// The answer.
        outcome: engine::Outcome,
    },
    /// Time.
    Tick,
    /// The state was recorded: nothing has happened.
    Record,
}

impl Applied {
    /// Returns whether this is no command that was rejected.
    pub fn is_accepted(&self) -> bool {
        !matches!(self.cause, Cause::Command { outcome: engine::Outcome::Rejected(_), .. })
    }
}

impl Replica {
    /// Founds a market, and returns it with the ledger's first leaf.
    ///
    /// # Errors
    /// If the configuration is no market's.
    pub fn found(
        config: engine::MarketConfig,
        at: engine::Timestamp,
    ) -> Result<(Replica, Vec<u8>), engine::ConfigError> {
        let genesis = leaf(at, Fact::Genesis(wire::genesis(&config)));
        let market = engine::Market::new(config)?;
        Ok((Replica { market, next_index: 1, last_at: at, recorded: 0 }, genesis))
    }

    /// Returns a market as it was behind `next_index` leaves, the last of them of `last_at`.
    pub fn resume(market: engine::Market, next_index: u64, last_at: engine::Timestamp) -> Replica {
        Replica { market, next_index, last_at, recorded: 0 }
    }

    /// Returns the market's state.
    pub fn market(&self) -> &engine::Market {
        &self.market
    }

    /// Returns the moment of the last leaf.
    pub fn last_at(&self) -> engine::Timestamp {
        self.last_at
    }

    /// Returns the index of the next leaf: the size of the tree.
    pub fn next_index(&self) -> u64 {
        self.next_index
    }

    /// Returns how many leaves there are behind the last one that records a state.
    pub fn unrecorded(&self) -> u64 {
        self.next_index - self.recorded
    }

    /// Returns whether something is due at or before `at`, so that time must pass before a command does.
    pub fn time_is_due(&self, at: engine::Timestamp) -> bool {
        self.market.next_due().is_some_and(|due| due <= at)
    }

    /// Applies a command at `at`.
    ///
    /// # Panics
    /// If `at` is not after the last leaf's moment, or time is due before it.
    pub fn command(
        &mut self,
        at: engine::Timestamp,
        signed: v1::SignedCommand,
        request: engine::Request,
    ) -> Applied {
        let mut events = Vec::new();
        // Before the command is applied: it may be the last one of its key.
        let participant = match self.market.participants().holder_of(&request.key) {
            Some(engine::KeyHolder::Owner(id) | engine::KeyHolder::Meter(id)) => Some(id.0),
            Some(engine::KeyHolder::FoundingOperator | engine::KeyHolder::Retired) | None => None,
        };
        let outcome = self.market.apply(self.stamp(at), &request, &mut events);
        let fact = Fact::Command(v1::CommandLeaf {
            signed: Some(signed),
            outcome: Some(wire::outcome(&outcome)),
            events: count(&events),
            participant,
        });
        self.applied(at, Cause::Command { request, outcome }, fact, events)
    }

    /// Lets time pass until `at`.
    ///
    /// # Panics
    /// If `at` is not after the last leaf's moment.
    pub fn tick(&mut self, at: engine::Timestamp) -> Applied {
        let mut events = Vec::new();
        self.market.tick(self.stamp(at), &mut events);
        let fact = Fact::Tick(v1::Tick { events: count(&events) });
        self.applied(at, Cause::Tick, fact, events)
    }

    /// Records the state as it is, and returns it as [`engine::Market::snapshot`] writes it.
    ///
    /// It takes the least time there is, so that nothing is due meanwhile that was not before.
    pub fn record_state(&mut self) -> (Applied, Vec<u8>) {
        let state = self.market.snapshot();
        let sha256 = Sha256::digest(&state).to_vec();
        (self.record(v1::StateRecorded { format: engine::SNAPSHOT_FORMAT, sha256 }), state)
    }

    /// Records what is said to be the state: in a form that this engine does not write, it cannot be computed.
    pub fn record(&mut self, said: v1::StateRecorded) -> Applied {
        let at = engine::Timestamp(self.last_at.0 + 1);
        let applied = self.applied(at, Cause::Record, Fact::StateRecorded(said), Vec::new());
        self.recorded = self.next_index;
        applied
    }

    /// Returns the fact that a leaf records of an event, with the name tags that the event does not know.
    fn fact(&self, event: &engine::Event) -> Fact {
        let name = |id| self.market.participants().get(id).new.name.clone();
        let mut fact = wire::event_fact(event);
        match (event, &mut fact) {
            (engine::Event::CertificateIssued { certificate, .. }, Fact::CertificateIssued(it)) => {
                it.producer_name = name(certificate.producer);
            }
            (engine::Event::CertificateRetired { holder, .. }, Fact::CertificateRetired(it)) => {
                it.holder_name = name(*holder);
            }
            _ => {}
        }
        fact
    }

    fn stamp(&self, at: engine::Timestamp) -> engine::Stamp {
        assert!(at > self.last_at, "the sequencer's time rises strictly");
        engine::Stamp { at, index: engine::LeafIndex(self.next_index) }
    }

    fn applied(
        &mut self,
        at: engine::Timestamp,
        cause: Cause,
        fact: Fact,
        events: Vec<engine::Event>,
    ) -> Applied {
        let facts = std::iter::once(fact).chain(events.iter().map(|event| self.fact(event)));
        let leaves: Vec<Vec<u8>> = facts.map(|fact| leaf(at, fact)).collect();
        let index = self.next_index;
        self.next_index += leaves.len() as u64;
        self.last_at = at;
        Applied { index, at, cause, events, leaves }
    }
}

fn leaf(at: engine::Timestamp, fact: Fact) -> Vec<u8> {
    v1::Leaf { at_micros: at.0, fact: Some(fact) }.encode_to_vec()
}

fn count(events: &[engine::Event]) -> u32 {
    u32::try_from(events.len()).expect("one command or tick has fewer than 2^32 events")
}
