//! Accounts: who has how much, and how much of it is reserved (R8, R12).
//!
//! Knows money and reservations; does not know why money moves, nor orders or trades.
//! Keeps: all balances together are zero; a participant's reservation is never negative.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{Account, Energy, Event, Money, ParticipantId, Posting, Price, Side, Worth};

/// 1e-9 yuan in one fen.
pub(crate) const NANOS_PER_FEN: u64 = 10_000_000;
/// The greatest balance, and the greatest debt, in 1e-9 yuan: what [`Money`] holds.
const BALANCE_MAX: u128 = (1 << 96) - 1;

/// The accounts that are no participant's.
const OTHERS: [Account; 6] = [
    Account::Supplier,
    Account::Network,
    Account::Congestion,
    Account::Market,
    Account::Bank,
    Account::Rounding,
];

/// Every account's balance, and every participant's reservation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    /// The participants', by their numbers.
    purses: Vec<Purse>,
    /// The balances of [`OTHERS`]; none where nothing ever moved.
    others: [Option<Worth>; OTHERS.len()],
}

/// What a participant has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Purse {
    balance: Worth,
    reserved: Worth,
    /// Whether anything ever moved.
    has_moved: bool,
}

impl Accounts {
    /// Returns an account's balance; zero where nothing ever moved.
    pub fn balance(&self, account: Account) -> Money {
        money(match account {
            Account::Participant(id) => self.purse(id).balance,
            other => self.others[place_of(other)].unwrap_or_default(),
        })
    }

    /// Returns every account on which money ever moved, with its balance, in the accounts' order.
    pub fn balances(&self) -> impl Iterator<Item = (Account, Money)> {
        let ids = (0..).map(|number| Account::Participant(ParticipantId(number)));
        let moved = ids.zip(&self.purses).filter(|(_, purse)| purse.has_moved);
        let others = OTHERS.into_iter().zip(&self.others);
        let others = others.filter_map(|(account, balance)| Some((account, money((*balance)?))));
        moved.map(|(id, purse)| (id, money(purse.balance))).chain(others)
    }

    /// Returns what a participant's open orders and unsettled trades need.
    pub fn reserved(&self, participant: ParticipantId) -> Worth {
        self.purse(participant).reserved
    }

    /// Returns what a participant may still spend: balance and credit, less what is reserved.
    ///
    /// Negative where deliveries that did not come, or tariffs, cost more than there was.
    pub fn available(&self, participant: ParticipantId, credit_limit_fen: u64) -> Worth {
        // OK because 64 bits times 24 bits are 88 bits.
        let credit = i128::from(credit_limit_fen).wrapping_mul(i128::from(NANOS_PER_FEN));
        available(&self.purse(participant), credit)
    }

    /// Returns whether a participant may spend `need`; not if he has no purse yet, and it is more than nothing.
    #[inline]
    pub(crate) fn cover(&self, need: Worth, participant: ParticipantId, credit_nanos: u64) -> bool {
        // OK because an order that can cost nothing needs nothing, whatever is available.
        need == Worth::ZERO
            || self
                .purses
                .get(participant.0 as usize)
                .is_some_and(|purse| need <= available(purse, i128::from(credit_nanos)))
    }

    /// Reserves `need` if the participant may spend it, as [`Accounts::cover`] says, and returns whether.
    #[expect(clippy::inline_always, reason = "it is on the path of every order")]
    #[inline(always)]
    pub(crate) fn reserve_covered(
        &mut self,
        need: Worth,
        participant: ParticipantId,
        credit_nanos: u64,
    ) -> bool {
        if need == Worth::ZERO {
            return true;
        }
        let Some(purse) = self.purses.get_mut(participant.0 as usize) else { return false };
        let is_covered = need <= available(purse, i128::from(credit_nanos));
        if is_covered {
            purse.reserved = purse.reserved.plus(need);
        }
        is_covered
    }

    /// Moves money between two accounts, and says so in `events`; an amount of zero moves nothing and says
    /// nothing.
    ///
    /// # Panics
    /// If a balance leaves the 7.9e19 yuan that [`Money`] holds: the bounds on deposits, prices and energies
    /// keep every account far below.
    #[inline]
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
        // OK because nearly every offer needs nothing.
        if need != Worth::ZERO {
            let Some(purse) = self.purses.get_mut(participant.0 as usize) else {
                return self.reserve_first(participant, need);
            };
            purse.reserved = purse.reserved.plus(need);
        }
    }

    #[cold]
    fn reserve_first(&mut self, participant: ParticipantId, need: Worth) {
        self.purse_mut(participant).reserved = need;
    }

    /// Releases what was reserved.
    ///
    /// # Panics
    /// If so much was not.
    #[inline]
    pub(crate) fn release(&mut self, participant: ParticipantId, need: Worth) {
        if need != Worth::ZERO {
            let purse = &mut self.purses[participant.0 as usize];
            purse.reserved = purse.reserved.minus(need);
            assert!(purse.reserved >= Worth::ZERO, "only what was reserved is released");
        }
    }

    #[inline]
    fn add(&mut self, account: Account, amount: Worth) {
        let balance = match account {
            Account::Participant(id) => {
                let purse = self.purse_mut(id);
                purse.has_moved = true;
                &mut purse.balance
            }
            other => self.others[place_of(other)].get_or_insert_default(),
        };
        *balance = balance.plus(amount);
        assert!(
            balance.0.unsigned_abs() <= BALANCE_MAX,
            "bounds on deposits and trades keep a balance within Money"
        );
    }

    #[inline]
    fn purse(&self, id: ParticipantId) -> Purse {
        self.purses.get(id.0 as usize).copied().unwrap_or_default()
    }

    #[inline]
    fn purse_mut(&mut self, id: ParticipantId) -> &mut Purse {
        let place = id.0 as usize;
        if place >= self.purses.len() {
            self.add_purses(place);
        }
        &mut self.purses[place]
    }

    #[cold]
    fn add_purses(&mut self, last: usize) {
        self.purses.resize(last + 1, Purse::default());
    }
}

#[inline]
fn available(purse: &Purse, credit_nanos: i128) -> Worth {
    purse.balance.plus(Worth(credit_nanos)).minus(purse.reserved)
}

/// Returns where an account stands among those that are no participant's.
fn place_of(account: Account) -> usize {
    match account {
        Account::Participant(_) => unreachable!("participants have purses"),
        Account::Supplier => 0,
        Account::Network => 1,
        Account::Congestion => 2,
        Account::Market => 3,
        Account::Bank => 4,
        Account::Rounding => 5,
    }
}

fn money(balance: Worth) -> Money {
    Money::from_worth(balance).expect("every balance is within Money")
}

/// Returns what `energy` at `price` costs its buyer, of a bid, or its seller, of an offer: nothing where he is
/// paid (R8). `price` is all-in for a bid, and net for an offer.
#[inline]
pub(crate) fn need(side: Side, price: Price, energy: Energy) -> Worth {
    let pays = match side {
        Side::Bid => price,
        // OK because a price that has passed the checks is far from the ends of 63 bits.
        Side::Offer => Price(price.0.wrapping_neg()),
    };
    if pays.0 > 0 { pays.times(energy) } else { Worth::ZERO }
}
