//! Accounts: who has how much, and how much of it is reserved (R8, R12).
//!
//! Knows money and reservations; does not know why money moves, nor orders or trades.
//! Keeps: all balances together are zero; a participant's reservation is never negative.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::{Account, Event, Money, ParticipantId, Posting, Worth};

/// 1e-9 yuan in one fen.
const NANOS_PER_FEN: i128 = 10_000_000;

/// Every account's balance, and every participant's reservation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Accounts {
    balances: BTreeMap<Account, Money>,
    reserved: BTreeMap<ParticipantId, Worth>,
}

impl Accounts {
    /// Returns an account's balance; zero where nothing ever moved.
    pub fn balance(&self, account: Account) -> Money {
        self.balances.get(&account).copied().unwrap_or_else(Money::zero)
    }

    /// Returns every account on which money ever moved, with its balance, in the accounts' order.
    pub fn balances(&self) -> impl Iterator<Item = (Account, Money)> {
        self.balances.iter().map(|(account, balance)| (*account, *balance))
    }

    /// Returns what a participant's open bids and unsettled purchases need.
    pub fn reserved(&self, participant: ParticipantId) -> Worth {
        self.reserved.get(&participant).copied().unwrap_or(Worth::ZERO)
    }

    /// Returns what a participant may still spend: balance and credit, less what is reserved.
    ///
    /// Negative where deliveries that did not come, or tariffs, cost more than there was.
    pub fn available(&self, participant: ParticipantId, credit_limit_fen: u64) -> Worth {
        let credit = Worth(i128::from(credit_limit_fen) * NANOS_PER_FEN);
        self.balance(Account::Participant(participant)).worth().plus(credit).minus(self.reserved(participant))
    }

    /// Moves money between two accounts, and says so in `events`; an amount of zero moves nothing and says
    /// nothing.
    ///
    /// # Panics
    /// If a balance leaves the 7.9e19 yuan that [`Money`] holds: the bounds on deposits, prices and energies
    /// keep every account far below.
    pub(crate) fn post(&mut self, posting: Posting, events: &mut Vec<Event>) {
        if posting.amount == Worth::ZERO {
            return;
        }
        self.add(posting.from, Worth(-posting.amount.0));
        self.add(posting.to, posting.amount);
        events.push(Event::Posted(posting));
    }

    /// Reserves `need`; a negative one, at a negative price, reserves nothing.
    pub(crate) fn reserve(&mut self, participant: ParticipantId, need: Worth) {
        let reserved = self.reserved(participant).plus(need.max(Worth::ZERO));
        self.reserved.insert(participant, reserved);
    }

    /// Releases exactly what [`Accounts::reserve`] reserved for `need`.
    pub(crate) fn release(&mut self, participant: ParticipantId, need: Worth) {
        let reserved = self.reserved(participant).minus(need.max(Worth::ZERO));
        assert!(reserved >= Worth::ZERO, "only what was reserved is released");
        self.reserved.insert(participant, reserved);
    }

    fn add(&mut self, account: Account, amount: Worth) {
        let amount =
            Money::from_worth(amount).expect("bounds on prices and energies keep an amount within Money");
        let sum = self.balance(account).checked_add(amount);
        self.balances
            .insert(account, sum.expect("bounds on deposits and trades keep a balance within Money"));
    }
}
