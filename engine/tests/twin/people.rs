//! R1 and R15: who is enrolled, which key speaks for whom, and how far its nonces are.

use parkwatt_engine::*;

use super::Twin;

const WATTS_MAX: u64 = 1_000_000_000_000;
const FEN_MAX: u64 = 1_000_000_000_000;
const NANOS_PER_FEN: i128 = 10_000_000;

/// For whom a key speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    Founder,
    Owner(ParticipantId),
    Meter(ParticipantId),
}

/// A key that speaks, or spoke, for somebody.
pub struct Key {
    bytes: PublicKey,
    speaker: Speaker,
    last_nonce: u64,
    was_rotated: bool,
}

impl Key {
    pub fn new(bytes: PublicKey, speaker: Speaker) -> Key {
        Key { bytes, speaker, last_nonce: 0, was_rotated: false }
    }
}

impl Twin {
    /// Checks what is checked of every command, uses up its nonce, and returns for whom its key speaks.
    pub(super) fn check_key(&mut self, request: &Request) -> Result<Speaker, Rejection> {
        let Request { nonce, expires_at, .. } = *request;
        let speaking = self.keys.iter_mut().find(|it| it.bytes == request.key && !it.was_rotated);
        let key = speaking.ok_or(Rejection::KeyMustBeEnrolled)?;
        if nonce <= key.last_nonce {
            return Err(Rejection::NonceMustRise { nonce, last: key.last_nonce });
        }
        key.last_nonce = nonce;
        if expires_at <= self.stamp.at {
            return Err(Rejection::CommandMustNotHaveExpired { expires_at, now: self.stamp.at });
        }
        Ok(key.speaker)
    }

    pub(super) fn is_operator(&self, speaker: Speaker) -> bool {
        match speaker {
            Speaker::Founder => true,
            Speaker::Owner(id) => self.person(id).roles.operator,
            Speaker::Meter(_) => false,
        }
    }

    pub(super) fn enrol(&mut self, new: &NewParticipant) -> Result<Outcome, Rejection> {
        let is_tag_char = |c: char| "abcdefghijklmnopqrstuvwxyz0123456789-".contains(c);
        if new.name.is_empty() || new.name.len() > 32 || !new.name.chars().all(is_tag_char) {
            return Err(Rejection::NameMustBeATag);
        }
        if self.by_name(&new.name).is_some() {
            return Err(Rejection::NameMustBeFree);
        }
        let keys_are_free = !self.is_known(new.key)
            && new.meter_key.is_none_or(|meter| !self.is_known(meter) && meter != new.key);
        if !keys_are_free {
            return Err(Rejection::KeyMustBeFree);
        }
        if usize::from(new.zone.0) >= self.config.zones.len() {
            return Err(Rejection::ZoneMustExist { zone: u64::from(new.zone.0) });
        }
        for watts in [new.pv_capacity_w, new.connection_capacity_w] {
            if watts > WATTS_MAX {
                return Err(Rejection::CapacityMustBeWithinBounds { watts, max: WATTS_MAX });
            }
        }
        let fen = new.credit_limit_fen;
        if fen > FEN_MAX {
            return Err(Rejection::CreditLimitMustBeWithinBounds { fen, max: FEN_MAX });
        }
        let id = ParticipantId(u32::try_from(self.people.len()).unwrap());
        if id.0 >= self.config.participants_max {
            let max = self.config.participants_max;
            return Err(Rejection::ParticipantsMustNotExceedTheMaximum { max });
        }

        self.people.push(new.clone());
        self.keys.push(Key::new(new.key, Speaker::Owner(id)));
        self.keys.extend(new.meter_key.map(|meter| Key::new(meter, Speaker::Meter(id))));
        Ok(Outcome::Enrolled(id))
    }

    pub(super) fn rotate(&mut self, old: PublicKey, new: PublicKey) -> Result<Outcome, Rejection> {
        if self.is_known(new) {
            return Err(Rejection::KeyMustBeFree);
        }
        let rotated = self.keys.iter_mut().find(|it| it.bytes == old).unwrap();
        rotated.was_rotated = true;
        let speaker = rotated.speaker;
        self.keys.push(Key::new(new, speaker));
        Ok(Outcome::KeyRotated)
    }

    pub(super) fn deposit(&mut self, deposit: &Deposit) -> Result<Outcome, Rejection> {
        let to = self.by_name(&deposit.participant).ok_or(Rejection::ParticipantMustExist)?;
        let fen = deposit.amount_fen;
        if fen == 0 || fen > FEN_MAX {
            return Err(Rejection::AmountMustBeWithinBounds { fen, max: FEN_MAX });
        }
        let amount = Worth(i128::from(fen) * NANOS_PER_FEN);
        self.pay(Account::Bank, Account::Participant(to), amount, Purpose::Deposit);
        Ok(Outcome::Deposited)
    }

    pub(super) fn pay_out(&mut self, payout: &Payout) -> Result<Outcome, Rejection> {
        let who = self.by_name(&payout.participant).ok_or(Rejection::ParticipantMustExist)?;
        let from = Account::Participant(who);
        let (balance, reserved) = (self.balance(from), self.reserved(who));
        let must_be_covered = |need: Worth, available: Worth| Rejection::PayoutMustBeCovered {
            need: need.micros_rounded_up(),
            available: available.micros_rounded_down(),
        };
        match payout.amount {
            PayoutAmount::Fen(fen) => {
                if fen == 0 || fen > FEN_MAX {
                    return Err(Rejection::AmountMustBeWithinBounds { fen, max: FEN_MAX });
                }
                let (amount, available) = (Worth(i128::from(fen) * NANOS_PER_FEN), balance.minus(reserved));
                if amount > available {
                    return Err(must_be_covered(amount, available));
                }
                self.pay(from, Account::Bank, amount, Purpose::Payout);
                Ok(Outcome::PaidOut(fen))
            }
            PayoutAmount::All => {
                let (whole, rest) = (balance.0 / NANOS_PER_FEN, balance.0 % NANOS_PER_FEN);
                // Half a fen goes to the even one.
                let is_up = rest * 2 > NANOS_PER_FEN || rest * 2 == NANOS_PER_FEN && whole % 2 == 1;
                let fen = whole + i128::from(is_up);
                if fen > i128::from(FEN_MAX) {
                    let fen = u64::try_from(fen).unwrap_or(u64::MAX);
                    return Err(Rejection::AmountMustBeWithinBounds { fen, max: FEN_MAX });
                }
                if balance < Worth::ZERO {
                    return Err(must_be_covered(Worth::ZERO, balance));
                }
                if reserved != Worth::ZERO {
                    return Err(Rejection::AccountMustBeAtRest { reserved: reserved.micros_rounded_up() });
                }
                self.pay(from, Account::Bank, Worth(fen * NANOS_PER_FEN), Purpose::Payout);
                self.pay(from, Account::Rounding, self.balance(from), Purpose::Rounding);
                Ok(Outcome::PaidOut(u64::try_from(fen).unwrap()))
            }
        }
    }

    pub fn by_name(&self, name: &str) -> Option<ParticipantId> {
        let place = self.people.iter().position(|person| person.name == name)?;
        Some(ParticipantId(u32::try_from(place).unwrap()))
    }

    pub fn person(&self, id: ParticipantId) -> &NewParticipant {
        &self.people[usize::try_from(id.0).unwrap()]
    }

    /// Returns everyone's number.
    pub(super) fn ids(&self) -> impl Iterator<Item = ParticipantId> + use<> {
        (0..u32::try_from(self.people.len()).unwrap()).map(ParticipantId)
    }

    fn is_known(&self, key: PublicKey) -> bool {
        self.keys.iter().any(|known| known.bytes == key)
    }
}
