//! Settlements to the last micro-yuan, and resettlements beside a settlement from the beginning.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::{LeafIndex, Matching, OrderId, Quality, Reading, Timeline, Timestamp, TradeId};

const SLOT: Slot = Slot(96);
const EVE: ParticipantId = ParticipantId(0);
const ANN: ParticipantId = ParticipantId(1);
const BOB: ParticipantId = ParticipantId(2);
/// Late enough for every reading, and before every final settlement.
const NOW: Timestamp = Timestamp(1_000_000_000_000);
const TIMELINE: Timeline = Timeline {
    opens_before_s: 3600,
    uncross_before_s: 1800,
    gate_before_s: 900,
    settle_after_s: 900,
    final_after_s: u32::MAX,
};

/// A trade of `energy` at `price`, with 0.02 wheeling, 0.01 congestion and a fee of 0.01.
fn trade(id: u64, seller: ParticipantId, buyer: ParticipantId, energy: u64, price: i64) -> Trade {
    let order = OrderId { index: LeafIndex(0), position: 0 };
    Trade {
        id: TradeId(LeafIndex(id)),
        slot: SLOT,
        bid: order,
        offer: order,
        buyer,
        seller,
        energy: Energy(energy),
        price: Price(price),
        wheeling: Price(20_000),
        congestion: Price(10_000),
        fee: Price(10_000),
        tariff_version: 1,
        matching: Matching::Auction,
    }
}

/// A slot with a deviation charge of 10 %, retail at 0.80 and feed-in at 0.30 yuan/kWh, and what it moved.
#[derive(Default)]
struct Market {
    meters: Meters,
    accounts: Accounts,
    events: Vec<Event>,
    deliveries: Deliveries,
    counters: BTreeMap<ParticipantId, u64>,
}

impl Market {
    fn reserve(&mut self, trades: &[Trade]) {
        for trade in trades {
            self.accounts.reserve(trade.buyer, need(Side::Bid, trade.buyer_price(), trade.energy));
            self.accounts.reserve(trade.seller, need(Side::Offer, trade.price, trade.energy));
        }
    }

    fn settlement(&mut self) -> Settlement<'_> {
        Settlement {
            slot: SLOT,
            tariff: TariffBand { from_quarter: 0, retail: Price(800_000), feed_in: Price(300_000) },
            deviation_per_mille: 100,
            meters: &self.meters,
            accounts: &mut self.accounts,
            events: &mut self.events,
        }
    }

    /// Lets a meter state or correct what it measured in the slot, and returns what that changed.
    fn read(&mut self, who: ParticipantId, import: u64, export: u64) -> Change {
        let counter = self.counters.entry(who).or_default();
        let before = self.meters.metered(SLOT, who);
        let first = if before.is_none() { SLOT.0 - 1 } else { SLOT.0 };
        for slot in first..=SLOT.0 {
            *counter += 1;
            let [import, export] = [import, export].map(|it| Energy(if slot == SLOT.0 { it } else { 0 }));
            let reading = Reading {
                read_at: Slot(slot).end(),
                import_register: import,
                export_register: export,
                generation_register: export,
                counter: *counter,
                quality: Quality::Measured,
            };
            let taken = self.meters.check_and_take(who, reading, NOW, &TIMELINE, 10, &mut Vec::new());
            assert!(taken.is_ok());
        }
        Change { slot: SLOT, before, after: self.meters.metered(SLOT, who) }
    }

    fn settle(&mut self, trades: &[Trade]) {
        self.deliveries = self.settlement().settle(trades);
        self.check();
    }

    fn resettle(&mut self, who: ParticipantId, change: &Change) -> Vec<ParticipantId> {
        let mut deliveries = core::mem::take(&mut self.deliveries);
        let producers = self.settlement().resettle(who, change, &mut deliveries);
        self.deliveries = deliveries;
        self.check();
        producers
    }

    fn check(&self) {
        assert_eq!(self.accounts.balances().map(|(_, balance)| balance.worth().0).sum::<i128>(), 0);
        assert!((0..6).all(|id| self.accounts.reserved(ParticipantId(id)) == Worth::ZERO));
    }

    /// Returns a balance in 1e-6 yuan.
    fn micros(&self, account: Account) -> i128 {
        self.accounts.balance(account).worth().0 / 1000
    }
}

/// Settles trades whose reservations stand, with meters that measured `(who, import, export)`.
fn settle_with(trades: &[Trade], metered: &[(ParticipantId, u64, u64)]) -> Market {
    let mut market = Market::default();
    market.reserve(trades);
    for &(who, import, export) in metered {
        market.read(who, import, export);
    }
    market.settle(trades);
    market
}

#[test]
fn delivery_deviation_and_rest_are_paid_to_the_last_micro_yuan() {
    // Sold 10 kWh at 6.00; the seller feeds in 8 kWh, and the buyer draws 15 kWh.
    let trades = [trade(5, EVE, ANN, 10_000, 6_000_000)];
    let settled = settle_with(&trades, &[(EVE, 0, 8_000), (ANN, 15_000, 0)]);
    let (energy, wheeling, congestion, fee) = (48_000_000, 160_000, 80_000, 80_000);
    let (deviation, retail) = (1_200_000, 5_600_000);
    assert_eq!(settled.micros(Account::Participant(EVE)), energy - deviation);
    assert_eq!(settled.micros(Account::Participant(ANN)), -energy - wheeling - congestion - fee - retail);
    assert_eq!(settled.micros(Account::Network), wheeling);
    assert_eq!(settled.micros(Account::Congestion), congestion);
    assert_eq!(settled.micros(Account::Market), fee);
    assert_eq!(settled.micros(Account::Supplier), deviation + retail);
}

#[test]
fn a_missing_reading_counts_as_traded() {
    let trades = [trade(5, EVE, ANN, 10_000, 500_000)];
    let settled = settle_with(&trades, &[(ANN, 10_000, 0)]);
    assert_eq!(settled.micros(Account::Participant(EVE)), 5_000_000);
    assert!(matches!(settled.events[0], Event::TradeDelivered { estimated: true, .. }));
}

#[test]
fn a_deviation_at_a_negative_price_costs_the_liable_side_too() {
    let trades = [trade(5, EVE, ANN, 1_000, -400_000)];
    let settled = settle_with(&trades, &[(EVE, 0, 0)]);
    assert_eq!(settled.micros(Account::Participant(EVE)), -40_000);
    assert_eq!(settled.micros(Account::Participant(ANN)), 0);
}

#[test]
fn nothing_traded_and_nothing_metered_is_settled_without_a_word() {
    assert_eq!(settle_with(&[], &[]).events, []);
    assert_eq!(settle_with(&[], &[(EVE, 0, 0)]).events, []);
}

#[test]
fn a_late_reading_that_bears_out_an_estimate_takes_its_mark_and_moves_no_money() {
    let trades = [trade(5, EVE, ANN, 10_000, 500_000), trade(6, EVE, BOB, 10_000, 500_000)];
    let mut market = settle_with(&trades, &[(ANN, 10_000, 0)]);
    market.events.clear();
    let change = market.read(EVE, 0, 20_000);
    assert_eq!(market.resettle(EVE, &change), [EVE]);
    let [Event::TradeDelivered { trade, buyer: ANN, seller: EVE, estimated: false, .. }] = market.events[..]
    else {
        panic!("{:?}", market.events);
    };
    assert_eq!(trade, trades[0].id, "the other one's buyer is still to be read");
}

#[test]
fn a_buyers_reading_touches_his_sellers_also_where_no_delivery_changes() {
    let trades = [trade(5, EVE, ANN, 10_000, 500_000), trade(6, BOB, ANN, 10_000, 500_000)];
    let mut market = settle_with(&trades, &[(EVE, 0, 10_000), (BOB, 0, 10_000)]);
    let change = market.read(ANN, 20_000, 0);
    assert_eq!(market.resettle(ANN, &change), [EVE, ANN, BOB]);
}

#[test]
fn a_correction_touches_those_with_whom_it_traded() {
    let trades = [trade(5, EVE, ANN, 10_000, 500_000), trade(6, BOB, ANN, 10_000, 500_000)];
    let mut market = settle_with(&trades, &[(EVE, 0, 10_000), (BOB, 0, 10_000), (ANN, 15_000, 0)]);
    market.events.clear();
    // Ann's import is shared out anew, so that more of Bob's is delivered.
    let change = market.read(EVE, 0, 5_000);
    assert_eq!(market.resettle(EVE, &change), [EVE, BOB]);
    let energy = |posting: &Posting| match posting.purpose {
        Purpose::Energy(trade) => Some((trade, posting.amount.0)),
        _ => None,
    };
    let moved: Vec<_> = market
        .events
        .iter()
        .filter_map(|event| if let Event::Posted(posting) = event { energy(posting) } else { None })
        .collect();
    assert_eq!(moved, [(trades[0].id, -1_250_000_000), (trades[1].id, 1_250_000_000)]);
}

/// Sums what was posted, by purpose and the two accounts.
fn posted(events: &[Event]) -> BTreeMap<(Account, Account, Purpose), i128> {
    let mut sums = BTreeMap::new();
    for event in events {
        if let Event::Posted(Posting { from, to, amount, purpose }) = *event {
            *sums.entry((from, to, purpose)).or_default() += amount.0;
        }
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}

/// Returns the last delivery of each trade.
fn delivered(events: &[Event]) -> BTreeMap<TradeId, Event> {
    let of = |event: &Event| match event {
        Event::TradeDelivered { trade, .. } => Some((*trade, event.clone())),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

proptest! {
    #[test]
    fn differences_lead_where_a_settlement_from_the_beginning_would(
        trades in prop::collection::vec((0_u32..6, 1_u32..6, 1_u64..100, -9_i64..30), 0..20),
        first in prop::collection::vec((0_u32..6, 0_u64..200, 0_u64..200), 0..8),
        later in prop::collection::vec((0_u32..6, 0_u64..200, 0_u64..200), 1..8),
    ) {
        let id = |number: u32| ParticipantId(number % 6);
        let trades: Vec<Trade> = (1..)
            .zip(trades)
            .map(|(number, (seller, on, energy, price))| {
                trade(number, id(seller), id(seller + on), energy, price * 12_345)
            })
            .collect();
        let first: Vec<_> = first.iter().map(|&(who, import, export)| (id(who), import, export)).collect();
        let mut market = settle_with(&trades, &first);
        let mut readings: BTreeMap<_, _> = first.iter().map(|&(who, i, e)| (who, (i, e))).collect();
        for (who, import, export) in later {
            readings.insert(id(who), (import, export));
            let change = market.read(id(who), import, export);
            if change.before != change.after {
                market.resettle(id(who), &change);
            }
            let metered: Vec<_> = readings.iter().map(|(who, (i, e))| (*who, *i, *e)).collect();
            let naive = settle_with(&trades, &metered);
            prop_assert_eq!(&market.deliveries, &naive.deliveries);
            prop_assert_eq!(posted(&market.events), posted(&naive.events));
            prop_assert_eq!(delivered(&market.events), delivered(&naive.events));
        }
    }
}
