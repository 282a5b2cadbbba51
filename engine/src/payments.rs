//! Payments: money that comes from the bank and goes back to it (R8, R12).
//!
//! Knows whole fen, balances and reservations; does not know trades. Keeps: nobody is paid out what is
//! reserved, or credit; an account that is emptied is at zero, to the 1e-9 yuan.

use alloc::vec::Vec;

use crate::{
    Account, Deposit, Event, Market, MicroYuan, Money, Outcome, ParticipantId, Payout, PayoutAmount, Posting,
    Purpose, Rejection, Worth,
};

/// The most that one deposit pays in, or one payout out, in fen: 10^10 yuan, of which an account holds 7.9
/// thousand million.
const AMOUNT_FEN_MAX: u64 = 1_000_000_000_000;

impl Market {
    /// Pays money in.
    pub(crate) fn deposit(
        &mut self,
        deposit: &Deposit,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let to = self.participants.by_name(&deposit.participant).ok_or(Rejection::ParticipantMustExist)?;
        let amount = check_amount(deposit.amount_fen)?;

        // Every check is above; from here the deposit is accepted.
        let (from, to) = (Account::Bank, Account::Participant(to));
        self.accounts.post(Posting { from, to, amount, purpose: Purpose::Deposit }, events);
        Ok(Outcome::Deposited)
    }

    /// Pays money out: an amount, or the whole balance.
    pub(crate) fn pay_out(&mut self, payout: &Payout, events: &mut Vec<Event>) -> Result<Outcome, Rejection> {
        let from = self.participants.by_name(&payout.participant).ok_or(Rejection::ParticipantMustExist)?;
        let balance = self.accounts.balance(Account::Participant(from));
        let reserved = self.accounts.reserved(from);
        match payout.amount {
            PayoutAmount::Fen(fen) => {
                let (amount, available) = (check_amount(fen)?, balance.worth().minus(reserved));
                if amount > available {
                    return Err(must_be_covered(amount, available));
                }

                // Every check is above; from here the payout is accepted.
                self.pay_from(from, Account::Bank, amount, Purpose::Payout, events);
                Ok(Outcome::PaidOut(fen))
            }
            PayoutAmount::All => {
                let fen = u64::try_from(balance.fen_half_even().max(0)).unwrap_or(u64::MAX);
                if fen > AMOUNT_FEN_MAX {
                    return Err(Rejection::AmountMustBeWithinBounds { fen, max: AMOUNT_FEN_MAX });
                }
                if balance < Money::zero() {
                    return Err(must_be_covered(Worth::ZERO, balance.worth()));
                }
                if reserved > Worth::ZERO {
                    return Err(Rejection::AccountMustBeAtRest { reserved: reserved.micros_rounded_up() });
                }

                // Every check is above; from here the payout is accepted.
                let amount = worth_of(fen);
                self.pay_from(from, Account::Bank, amount, Purpose::Payout, events);
                let rest = balance.worth().minus(amount);
                self.pay_from(from, Account::Rounding, rest, Purpose::Rounding, events);
                Ok(Outcome::PaidOut(fen))
            }
        }
    }

    fn pay_from(
        &mut self,
        from: ParticipantId,
        to: Account,
        amount: Worth,
        purpose: Purpose,
        events: &mut Vec<Event>,
    ) {
        self.accounts.post(Posting { from: Account::Participant(from), to, amount, purpose }, events);
    }
}

/// Returns what an amount of fen is worth, if one payment may be of it.
fn check_amount(fen: u64) -> Result<Worth, Rejection> {
    let max = AMOUNT_FEN_MAX;
    if fen == 0 || fen > max {
        return Err(Rejection::AmountMustBeWithinBounds { fen, max });
    }
    Ok(worth_of(fen))
}

/// Returns what so many fen are worth, at most those of one payment.
fn worth_of(fen: u64) -> Worth {
    Money::from_fen(i64::try_from(fen).expect("the most that is paid fits 63 bits")).worth()
}

fn must_be_covered(need: Worth, available: Worth) -> Rejection {
    let [need, available]: [MicroYuan; 2] = [need.micros_rounded_up(), available.micros_rounded_down()];
    Rejection::PayoutMustBeCovered { need, available }
}
