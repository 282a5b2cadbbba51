//! Participants: who is enrolled, and which key speaks for whom (R1, R15).
//!
//! Knows names, keys and nonces; does not know money, orders or meters' registers.
//! Keeps: a name and a key belong to one participant; a key's nonce only rises.

mod keys;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::{CAPACITY_W_MAX, CREDIT_LIMIT_FEN_MAX};
use crate::{MarketConfig, NewParticipant, ParticipantId, PublicKey, Rejection, is_name};
use keys::Keys;

/// An enrolled participant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// What he was enrolled with.
    pub new: NewParticipant,
}

/// For whom a key speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyHolder {
    /// For the operator whom the market was founded with; he is no participant.
    FoundingOperator,
    /// For a participant.
    Owner(ParticipantId),
    /// For the meter at a participant's connection point.
    Meter(ParticipantId),
    /// For nobody any more: another key has taken its place.
    Retired,
}

/// A key's holder, and the last nonce the key used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EnrolledKey {
    pub(crate) holder: KeyHolder,
    pub(crate) last_nonce: u64,
}

/// Everyone who is enrolled, in order of enrolment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participants {
    list: Vec<Participant>,
    names: BTreeMap<String, ParticipantId>,
    keys: Keys,
    meters: usize,
}

/// The names follow from the list, and the keys are written in their own order.
impl Serialize for Participants {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.list, self.keys.sorted()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Participants {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Participants, D::Error> {
        let (list, keys): (Vec<Participant>, Vec<(PublicKey, EnrolledKey)>) =
            Deserialize::deserialize(deserializer)?;
        let numbered = (0..).map(ParticipantId).zip(&list);
        let mut enrolled = Keys::new();
        for (key, it) in keys {
            enrolled.insert(key, it);
        }
        Ok(Participants {
            names: numbered.map(|(id, participant)| (participant.new.name.clone(), id)).collect(),
            keys: enrolled,
            meters: list.iter().filter(|participant| participant.new.meter_key.is_some()).count(),
            list,
        })
    }
}

impl Participants {
    /// Returns a market's participants at its founding: nobody, and one operator's key.
    pub(crate) fn new(operator_key: PublicKey) -> Participants {
        let mut keys = Keys::new();
        keys.insert(operator_key, EnrolledKey { holder: KeyHolder::FoundingOperator, last_nonce: 0 });
        Participants { list: Vec::new(), names: BTreeMap::new(), keys, meters: 0 }
    }

    /// Returns every participant's number, rising.
    pub fn ids(&self) -> impl Iterator<Item = ParticipantId> + use<> {
        (0..number_of(self.list.len())).map(ParticipantId)
    }

    /// Returns a participant.
    ///
    /// # Panics
    /// If nobody has this number: ids come only from enrolment.
    pub fn get(&self, id: ParticipantId) -> &Participant {
        &self.list[usize::try_from(id.0).expect("32 bits fit a usize")]
    }

    fn get_mut(&mut self, id: ParticipantId) -> &mut Participant {
        &mut self.list[id.0 as usize]
    }

    /// Returns whose name tag this is.
    pub fn by_name(&self, name: &str) -> Option<ParticipantId> {
        self.names.get(name).copied()
    }

    /// Returns for whom a key speaks; nobody for one that is unknown, or that another has taken the place of.
    pub fn holder_of(&self, key: &PublicKey) -> Option<KeyHolder> {
        self.keys.get(key).map(|enrolled| enrolled.holder).filter(|holder| *holder != KeyHolder::Retired)
    }

    /// Returns the last nonce that a key used; 0 before its first, and for unknown keys.
    pub fn last_nonce(&self, key: &PublicKey) -> u64 {
        self.keys.get(key).map_or(0, |enrolled| enrolled.last_nonce)
    }

    /// Returns how many participants have a meter.
    pub(crate) fn with_meter(&self) -> usize {
        self.meters
    }

    /// Returns an enrolled key that speaks for somebody, to use up its nonces (R15).
    #[inline]
    pub(crate) fn key_mut(&mut self, key: &PublicKey) -> Option<&mut EnrolledKey> {
        self.keys.get_mut(key).filter(|enrolled| enrolled.holder != KeyHolder::Retired)
    }

    /// Lets a new key take the place of one that speaks for somebody (R1).
    pub(crate) fn rotate_key(&mut self, key: &PublicKey, new_key: PublicKey) -> Result<(), Rejection> {
        if self.keys.contains(&new_key) {
            return Err(Rejection::KeyMustBeFree);
        }

        // Every check is above; from here the rotation is accepted.
        let old = self.key_mut(key).expect("only enrolled keys' commands are judged");
        let holder = core::mem::replace(&mut old.holder, KeyHolder::Retired);
        self.keys.insert(new_key, EnrolledKey { holder, last_nonce: 0 });
        match holder {
            KeyHolder::Owner(id) => self.get_mut(id).new.key = new_key,
            KeyHolder::Meter(id) => self.get_mut(id).new.meter_key = Some(new_key),
            KeyHolder::FoundingOperator | KeyHolder::Retired => {}
        }
        Ok(())
    }

    /// Enrols a participant (R1).
    pub(crate) fn enrol(
        &mut self,
        config: &MarketConfig,
        new: &NewParticipant,
    ) -> Result<ParticipantId, Rejection> {
        if !is_name(&new.name) {
            return Err(Rejection::NameMustBeATag);
        }
        if self.names.contains_key(&new.name) {
            return Err(Rejection::NameMustBeFree);
        }
        let meter_key_is_taken = new.meter_key.is_some_and(|key| key == new.key || self.keys.contains(&key));
        if self.keys.contains(&new.key) || meter_key_is_taken {
            return Err(Rejection::KeyMustBeFree);
        }
        if usize::from(new.zone.0) >= config.zones.len() {
            return Err(Rejection::ZoneMustExist { zone: u64::from(new.zone.0) });
        }
        if let Some(&watts) =
            [new.pv_capacity_w, new.connection_capacity_w].iter().find(|&&it| it > CAPACITY_W_MAX)
        {
            return Err(Rejection::CapacityMustBeWithinBounds { watts, max: CAPACITY_W_MAX });
        }
        if new.credit_limit_fen > CREDIT_LIMIT_FEN_MAX {
            let (fen, max) = (new.credit_limit_fen, CREDIT_LIMIT_FEN_MAX);
            return Err(Rejection::CreditLimitMustBeWithinBounds { fen, max });
        }
        let number = number_of(self.list.len());
        if number >= config.participants_max {
            return Err(Rejection::ParticipantsMustNotExceedTheMaximum { max: config.participants_max });
        }

        // Every check is above; from here the enrolment is accepted.
        let id = ParticipantId(number);
        self.names.insert(new.name.clone(), id);
        self.keys.insert(new.key, EnrolledKey { holder: KeyHolder::Owner(id), last_nonce: 0 });
        if let Some(key) = new.meter_key {
            self.keys.insert(key, EnrolledKey { holder: KeyHolder::Meter(id), last_nonce: 0 });
            self.meters += 1;
        }
        self.list.push(Participant { new: new.clone() });
        Ok(id)
    }
}

/// Returns a count of participants as a participant's number counts them.
fn number_of(len: usize) -> u32 {
    u32::try_from(len).expect("the configured maximum of participants fits 32 bits")
}
