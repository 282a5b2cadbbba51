//! Accounts: who has how much, and how much of it is reserved (R8, R12).
//!
//! Knows money and reservations; does not know why money moves, nor orders or trades.
//! Keeps: all balances together are zero; a participant's reservation is never negative.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::{Account, Energy, Event, Money, ParticipantId, Posting, Price, Side, Worth};

/// 1e-9 yuan in one fen.
const NANOS_PER_FEN: i128 = 10_000_000;

/// Every account's balance, and every participant's reservation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Accounts {
    /// The participants', by their numbers.
    purses: Vec<Purse>,
    /// The market's own.
    others: BTreeMap<Account, Money>,
}

/// What a participant has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Purse {
    /// None as long as nothing ever moved.
    balance: Option<Money>,
    /// The balance, to compare with.
    worth: Worth,
    reserved: Worth,
}

impl Accounts {
    /// Returns an account's balance; zero where nothing ever moved.
    pub fn balance(&self, account: Account) -> Money {
        let balance = match account {
            Account::Participant(id) => self.purse(id).balance,
            other => self.others.get(&other).copied(),
        };
        balance.unwrap_or_else(Money::zero)
    }

    /// Returns every account on which money ever moved, with its balance, in the accounts' order.
    pub fn balances(&self) -> impl Iterator<Item = (Account, Money)> {
        let ids = (0..).map(|number| Account::Participant(ParticipantId(number)));
        let purses = ids.zip(&self.purses).filter_map(|(id, purse)| Some((id, purse.balance?)));
        purses.chain(self.others.iter().map(|(account, balance)| (*account, *balance)))
    }

    /// Returns what a participant's open orders and unsettled trades need.
    pub fn reserved(&self, participant: ParticipantId) -> Worth {
        self.purse(participant).reserved
    }

    /// Returns what a participant may still spend: balance and credit, less what is reserved.
    ///
    /// Negative where deliveries that did not come, or tariffs, cost more than there was.
    #[inline]
    pub fn available(&self, participant: ParticipantId, credit_limit_fen: u64) -> Worth {
        // OK because 64 bits times 24 bits are 88 bits.
        let credit = Worth(i128::from(credit_limit_fen).wrapping_mul(NANOS_PER_FEN));
        let Purse { worth, reserved, .. } = self.purse(participant);
        worth.plus(credit).minus(reserved)
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

    /// Reserves `need`, which is not negative.
    #[inline]
    pub(crate) fn reserve(&mut self, participant: ParticipantId, need: Worth) {
        let reserved = &mut self.purse_mut(participant).reserved;
        *reserved = reserved.plus(need);
    }

    /// Releases what was reserved.
    ///
    /// # Panics
    /// If so much was not.
    #[inline]
    pub(crate) fn release(&mut self, participant: ParticipantId, need: Worth) {
        let reserved = &mut self.purse_mut(participant).reserved;
        *reserved = reserved.minus(need);
        assert!(*reserved >= Worth::ZERO, "only what was reserved is released");
    }

    fn add(&mut self, account: Account, amount: Worth) {
        let amount =
            Money::from_worth(amount).expect("bounds on prices and energies keep an amount within Money");
        let sum = self.balance(account).checked_add(amount);
        let sum = sum.expect("bounds on deposits and trades keep a balance within Money");
        match account {
            Account::Participant(id) => {
                let purse = self.purse_mut(id);
                (purse.balance, purse.worth) = (Some(sum), sum.worth());
            }
            other => _ = self.others.insert(other, sum),
        }
    }

    #[inline]
    fn purse(&self, id: ParticipantId) -> Purse {
        self.purses.get(id.0 as usize).copied().unwrap_or_default()
    }

    #[inline]
    fn purse_mut(&mut self, id: ParticipantId) -> &mut Purse {
        let place = id.0 as usize;
        if place >= self.purses.len() {
            self.purses.resize(place + 1, Purse::default());
        }
        &mut self.purses[place]
    }
}

/// Returns what `energy` at `price` costs its buyer, of a bid, or its seller, of an offer: nothing where he is
/// paid (R8). `price` is all-in for a bid, and net for an offer.
#[inline]
pub(crate) fn need(side: Side, price: Price, energy: Energy) -> Worth {
    let pays = match side {
        Side::Bid => price,
        Side::Offer => Price(-price.0),
    };
    if pays.0 > 0 { pays.times(energy) } else { Worth::ZERO }
}
