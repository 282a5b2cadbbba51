//! Money: what moved, and what the accounts say of it.
//!
//! Knows postings, balances and reservations (R8, R12); does not know why anything is to be paid.

use std::{collections::BTreeMap, io};

use parkwatt_engine::{
    Account, Energy, Market, ParticipantId, Posting, Price, Purpose, Side, Timestamp, Worth,
};
use serde::Serialize;

use super::{
    figures::Amount,
    files::Files,
    laws::{Checks, Law},
    period::Period,
    rows::{self, Moment, PostingRow},
    slots::Posted,
};
use crate::audit::totals::Decimal;

/// All that was posted.
#[derive(Default)]
pub(super) struct Money {
    /// What was posted to each account less what was posted from it, in 1e-9 yuan.
    sums: BTreeMap<Account, i128>,
    /// What was deposited less what was paid out, in 1e-9 yuan.
    paid_in: i128,
    pub(super) totals: MoneyTotals,
}

/// What was posted in a report's period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MoneyTotals {
    /// How many postings there were.
    pub postings: u64,
    /// What was paid in.
    pub deposited_yuan: Amount,
    /// What was paid out.
    pub paid_out_yuan: Amount,
    /// What emptied accounts had beside whole fen.
    pub rounded_yuan: Amount,
}

impl Default for MoneyTotals {
    fn default() -> MoneyTotals {
        let nothing = Amount::Yuan(Worth::ZERO);
        MoneyTotals { postings: 0, deposited_yuan: nothing, paid_out_yuan: nothing, rounded_yuan: nothing }
    }
}

impl Money {
    /// Adds a posting, and writes it if it is in the period: by its slot, or, if it is for none, by its moment.
    pub(super) fn observe(
        &mut self,
        (leaf, at): (u64, Timestamp),
        (posting, posted): (&Posting, Posted),
        market: &Market,
        period: &Period,
        checks: &mut Checks,
        files: &mut Files,
    ) -> io::Result<()> {
        let amount = posting.amount.0;
        *self.sums.entry(posting.from).or_default() -= amount;
        *self.sums.entry(posting.to).or_default() += amount;
        match posting.purpose {
            Purpose::Deposit => self.paid_in += amount,
            Purpose::Payout => self.paid_in -= amount,
            _ => {}
        }
        let as_ruled = if posted.sides_hold { amount } else { 0 };
        checks.note(Law::Sides, posted.slot, [amount, as_ruled], || format!("posting {leaf}"));
        if !posted.slot.map_or_else(|| period.has_moment(at), |slot| period.has(slot)) {
            return Ok(());
        }
        self.totals.add(posting);
        let (from_account, from_participant) = rows::account(market, posting.from);
        let (to_account, to_participant) = rows::account(market, posting.to);
        files.postings.write(PostingRow {
            posting: leaf,
            posted_at: Moment(at),
            from_account,
            from_participant,
            to_account,
            to_participant,
            amount_yuan: Decimal(posting.amount),
            purpose: rows::purpose(posting.purpose),
            trade: posted.trade.map(|trade| trade.0.0),
            slot: posted.slot.map(|slot| slot.0),
            slot_begins_at: posted.slot.map(rows::begin),
        })
    }

    /// Compares balances with postings, and reservations with what they are for, at the end of the ledger.
    pub(super) fn check(&mut self, market: &Market, checks: &mut Checks) {
        let mut sums = std::mem::take(&mut self.sums);
        let mut together = 0;
        let of = |account| match rows::account(market, account) {
            ("participant", name) => name.to_owned(),
            (own, _) => own.to_owned(),
        };
        let mut compare = |account, sides| {
            let is_participants = matches!(account, Account::Participant(_));
            let law = if is_participants { Law::Balances } else { Law::OwnBalances };
            checks.note(law, None, sides, || of(account));
        };
        for (account, balance) in market.accounts().balances() {
            together += balance.worth().0;
            compare(account, [balance.worth().0, sums.remove(&account).unwrap_or_default()]);
        }
        for (account, sum) in sums {
            compare(account, [0, sum]);
        }
        checks.note(Law::Accounts, None, [together, 0], || "all accounts".to_owned());
        let bank = market.accounts().balance(Account::Bank).worth().0;
        checks.note(Law::Bank, None, [self.paid_in, -bank], || "bank".to_owned());
        let needs = needs(market);
        for id in market.participants().ids() {
            let need = needs.get(&id).copied().unwrap_or_default();
            let reserved = market.accounts().reserved(id).0;
            checks.note(Law::Reserved, None, [reserved, need], || rows::name(market, id).to_owned());
        }
    }
}

impl MoneyTotals {
    fn add(&mut self, posting: &Posting) {
        self.postings += 1;
        let sum = match posting.purpose {
            Purpose::Deposit => &mut self.deposited_yuan,
            Purpose::Payout => &mut self.paid_out_yuan,
            Purpose::Rounding => &mut self.rounded_yuan,
            _ => return,
        };
        *sum = Amount::Yuan(Worth(sum.value() + posting.amount.0));
    }
}

/// Returns what everybody's open orders and unsettled trades can cost him.
fn needs(market: &Market) -> BTreeMap<ParticipantId, i128> {
    let mut needs: BTreeMap<ParticipantId, i128> = BTreeMap::new();
    let mut add = |id, side, price: Price, energy: Energy| {
        let pays = match side {
            Side::Bid => price.0,
            Side::Offer => -price.0,
        };
        *needs.entry(id).or_default() += i128::from(pays.max(0)) * i128::from(energy.0);
    };
    for slot in market.unsettled_slots() {
        for order in market.open_orders(slot) {
            add(order.owner, order.side, order.limit, order.remaining);
        }
        for trade in market.unsettled_trades(slot) {
            add(trade.buyer, Side::Bid, trade.buyer_price(), trade.energy);
            add(trade.seller, Side::Offer, trade.price, trade.energy);
        }
    }
    needs
}
