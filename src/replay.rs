//! Replay: the recorded commands run through the engine again, and every leaf must come out as it is
//! recorded.
//!
//! Knows leaves and [`crate::apply`]; does not know where leaves come from. Recovery and the auditor call it.

use std::collections::VecDeque;

use parkwatt_engine as engine;
use parkwatt_proto::v1::{self, leaf::Fact};
use prost::Message;

use crate::{
    apply::{Applied, Replica},
    wire,
};

/// Replays a ledger, leaf by leaf.
#[derive(Default)]
pub struct Replay {
    replica: Option<Replica>,
    /// What the last cause must be followed by.
    expected: VecDeque<Vec<u8>>,
    next_index: u64,
    /// How many recorded states are in a form that this engine does not write.
    foreign: u64,
}

/// The first place where a ledger and the engine differ.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("leaf {index}: {what}")]
pub struct Divergence {
    /// The leaf.
    pub index: u64,
    /// How.
    pub what: String,
}

impl Replay {
    /// Begins behind the leaves that a market comes from.
    pub fn resume(replica: Replica) -> Replay {
        Replay {
            next_index: replica.next_index(),
            replica: Some(replica),
            expected: VecDeque::new(),
            foreign: 0,
        }
    }

    /// Takes the next recorded leaf, and returns what it made happen if it is a command or the passing of
    /// time.
    ///
    /// # Errors
    /// [`Divergence`] if the engine says something else; the replay cannot go on then.
    pub fn take(&mut self, recorded: &[u8]) -> Result<Option<Applied>, Divergence> {
        let index = self.next_index;
        self.next_index += 1;
        let diverges = |what: String| Divergence { index, what };
        if let Some(expected) = self.expected.pop_front() {
            if expected != recorded {
                return Err(diverges(difference(recorded, &expected)));
            }
            return Ok(None);
        }
        let leaf =
            v1::Leaf::decode(recorded).map_err(|problem| diverges(format!("is no leaf: {problem}")))?;
        let at = engine::Timestamp(leaf.at_micros);
        let Some(replica) = &mut self.replica else {
            let Some(Fact::Genesis(genesis)) = leaf.fact else {
                return Err(diverges("the first leaf must found the market".into()));
            };
            let config = wire::config_of(&genesis).map_err(|problem| diverges(problem.to_string()))?;
            let (replica, expected) =
                Replica::found(config, at).map_err(|problem| diverges(problem.to_string()))?;
            if expected != recorded {
                return Err(diverges(difference(recorded, &expected)));
            }
            self.replica = Some(replica);
            return Ok(None);
        };
        if at <= replica.last_at() {
            return Err(diverges(format!("its time {at} is not after {}", replica.last_at())));
        }
        let applied = match leaf.fact {
            Some(Fact::Command(command)) => {
                if replica.time_is_due(at) {
                    return Err(diverges(format!("a command at {at} stands before the tick that was due")));
                }
                let signed = command.signed.unwrap_or_default();
                let key = signed.public_key.as_slice().try_into();
                let key = key.map_err(|_| diverges("its public_key has not 32 bytes".into()))?;
                let request = wire::parse(replica.market().config(), &signed.payload, key)
                    .map_err(|problem| diverges(format!("its command is malformed: {problem}")))?;
                replica.command(at, signed, request)
            }
            Some(Fact::Tick(_)) if !replica.time_is_due(at) => {
                return Err(diverges(format!("nothing was due at {at}, and time is said to have passed")));
            }
            Some(Fact::Tick(_)) => replica.tick(at),
            Some(Fact::StateRecorded(said)) if said.format != engine::SNAPSHOT_FORMAT => {
                self.foreign += 1;
                replica.record(said)
            }
            Some(Fact::StateRecorded(_)) => replica.record_state().0,
            Some(fact) => return Err(diverges(format!("follows from nothing: {fact:?}"))),
            None => return Err(diverges("states no fact".into())),
        };
        if applied.leaves[0] != recorded {
            return Err(diverges(difference(recorded, &applied.leaves[0])));
        }
        self.expected.extend(applied.leaves[1..].iter().cloned());
        Ok(Some(applied))
    }

    /// Returns the market as it is so far; none before the first leaf.
    pub fn replica(&self) -> Option<&Replica> {
        self.replica.as_ref()
    }

    /// Returns how many recorded states are in another version's form, so that nothing can be said of them.
    pub fn foreign_states(&self) -> u64 {
        self.foreign
    }

    /// Ends the replay, and returns the market as it is then; none if there was no leaf.
    ///
    /// # Errors
    /// [`Divergence`] if the last command's events are missing.
    pub fn finish(self) -> Result<Option<Replica>, Divergence> {
        match self.expected.front() {
            None => Ok(self.replica),
            Some(leaf) => {
                let what = format!("is missing; the engine says {}", describe(leaf));
                Err(Divergence { index: self.next_index, what })
            }
        }
    }
}

fn difference(recorded: &[u8], expected: &[u8]) -> String {
    format!("the ledger says {}, the engine says {}", describe(recorded), describe(expected))
}

fn describe(leaf: &[u8]) -> String {
    match v1::Leaf::decode(leaf) {
        Ok(v1::Leaf { fact: Some(Fact::Command(command)), at_micros }) => {
            format!("command at {at_micros} us, {} events, outcome {:?}", command.events, command.outcome)
        }
        Ok(leaf) => format!("{leaf:?}"),
        Err(_) => format!("{} bytes that are no leaf", leaf.len()),
    }
}
