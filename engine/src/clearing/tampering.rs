//! What the proof's check refuses: every number of a result that is changed, each by its name.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::sample::{Case, orders, zones};
use super::{ClearingError, check_clearing};
use crate::{
    Clearing, Energy, LeafIndex, MarketConfig, OpenOrder, Pair, ParticipantId, Price, Slot, Trade, TradeId,
    ZoneId,
};

/// A result, and what it is checked against.
#[derive(Clone)]
struct Told {
    config: MarketConfig,
    orders: Vec<OpenOrder>,
    clearing: Clearing,
    trades: Vec<Trade>,
}

impl Told {
    fn by(case: &Case) -> Told {
        let cleared = case.clear();
        let trades = case.trades(&cleared);
        Told { config: case.config.clone(), orders: case.orders.clone(), clearing: cleared.clearing, trades }
    }

    fn check(&self) -> Result<(), ClearingError> {
        check_clearing(&self.config, &self.orders, &self.clearing, &self.trades)
    }

    /// Returns every number of the result, with what it is of. Not among them are the trades' ids, which
    /// follow from the ledger, and the orders', which `swap` changes.
    fn numbers(&mut self) -> Vec<(Of, Number<'_>)> {
        let Clearing { slot, energy, prices, exports_wh, rents, passed_over, proof_halves } =
            &mut self.clearing;
        let mut numbers =
            alloc::vec![(Of::Other, Number::U32(&mut slot.0)), (Of::Other, Number::U64(&mut energy.0)),];
        numbers.extend(prices.iter_mut().map(|it| (Of::Price, Number::I64(&mut it.0))));
        numbers.extend(proof_halves.iter_mut().map(|it| (Of::Proof, Number::I64(it))));
        numbers.extend(rents.iter_mut().map(|it| (Of::Other, Number::I64(&mut it.0))));
        numbers.extend(exports_wh.iter_mut().map(|it| (Of::Other, Number::I64(it))));
        numbers.extend(passed_over.iter_mut().map(|it| (Of::Other, Number::U64(&mut it.energy.0))));
        for it in &mut self.trades {
            numbers.push((Of::Other, Number::U64(&mut it.energy.0)));
            let owners = [&mut it.buyer.0, &mut it.seller.0, &mut it.slot.0, &mut it.tariff_version];
            numbers.extend(owners.map(|it| (Of::Other, Number::U32(it))));
            let prices = [&mut it.price, &mut it.wheeling, &mut it.congestion, &mut it.fee];
            numbers.extend(prices.map(|it| (Of::Other, Number::I64(&mut it.0))));
        }
        numbers
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Price,
    Proof,
    Other,
}

enum Number<'a> {
    U32(&'a mut u32),
    U64(&'a mut u64),
    I64(&'a mut i64),
}

impl Number<'_> {
    fn add(self, by: i64) {
        match self {
            Number::U32(it) => *it = it.wrapping_add_signed(i32::try_from(by % 1000).unwrap()),
            Number::U64(it) => *it = it.wrapping_add_signed(by),
            Number::I64(it) => *it = it.wrapping_add(by),
        }
    }
}

/// Draws what is added to a number: mostly little, sometimes anything.
fn change() -> impl Strategy<Value = i64> {
    let little = prop_oneof![-12..=-1_i64, 1..=12_i64];
    let ticks = prop_oneof![-12..=-1_i64, 1..=12_i64].prop_map(|ticks| 10 * ticks);
    let any = any::<i64>().prop_filter("a change", |by| by % 1000 != 0);
    prop_oneof![4 => little, 3 => ticks, 1 => any]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_result_with_one_number_changed_is_refused_or_has_other_prices_that_prove_it(
        zones in zones(4, 6), orders in orders(12, 2, 5), which in any::<prop::sample::Index>(), by in change(),
    ) {
        let case = Case::new(&zones, &orders, 1, 500);
        let mut told = Told::by(&case);
        let mut numbers = told.numbers();
        let (of, number) = numbers.swap_remove(which.index(numbers.len()));
        number.add(by);
        if told.check().is_ok() {
            // What it proves is still so; only a price where nothing trades, or a proof, can be another.
            let executed = case.executed(&case.clear());
            let prices: Vec<i64> = told.clearing.prices.iter().map(|price| price.0).collect();
            match of {
                Of::Price => case.check_support(&executed, &prices, [1, 0]),
                Of::Proof => case.check_support(&executed, &told.clearing.proof_halves, [2, 1]),
                Of::Other => prop_assert!(false, "a changed number was not seen"),
            }
        }
    }

    #[test]
    fn an_order_takes_anothers_place_only_if_they_are_alike_but_for_their_time(
        zones in zones(3, 6), orders in orders(12, 2, 3),
        which in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(), is_bid in any::<bool>(),
    ) {
        let case = Case::new(&zones, &orders, 1, 500);
        let mut told = Told::by(&case);
        prop_assume!(!told.trades.is_empty());
        let which = which.index(told.trades.len());
        let trade = &mut told.trades[which];
        let place = if is_bid { &mut trade.bid } else { &mut trade.offer };
        let instead = &case.orders[other.index(case.orders.len())];
        let before = case.order(core::mem::replace(place, instead.id));
        if told.check().is_ok() {
            let alike = |order: &OpenOrder| (order.owner, order.zone, order.side, order.limit);
            prop_assert_eq!(alike(before), alike(instead));
        }
    }

    #[test]
    fn a_consistent_result_with_less_traded_is_refused(
        zones in zones(4, 6), orders in orders(12, 2, 5), which in any::<prop::sample::Index>(),
    ) {
        let case = Case::new(&zones, &orders, 1, 500);
        let mut told = Told::by(&case);
        prop_assume!(told.trades.len() > 1);
        let trade = told.trades.remove(which.index(told.trades.len()));
        let mut executed = case.executed(&case.clear());
        for id in [trade.bid, trade.offer] {
            executed[usize::from(id.position)] -= trade.energy.0;
        }
        told.clearing.exports_wh = case.exports(&executed);
        told.clearing.energy = told.clearing.energy.minus(trade.energy);
        prop_assert!(told.check().is_err());
    }
}

/// A farm whose edge to the park is full, and a yard in which Pat meets nobody but himself.
///
/// The farm's first offer sells 40 to the park, an offer in the park 10. Prices in ticks: park 6, farm 2 (of
/// 2 to 3), yard 5 (of 4 to 7).
fn farm() -> Told {
    let zones =
        [(0, [0, 0, 0], [None, None]), (0, [0, 1, 1], [Some(40), Some(40)]), (0, [1, 2, 2], [None, None])];
    let orders = [
        (1, 0, false, 2, 40),
        (1, 1, false, 3, 60),
        (0, 0, true, 8, 50),
        (0, 1, false, 6, 30),
        (2, 0, true, 9, 5),
        (2, 0, false, 4, 5),
    ];
    Told::by(&Case::new(&zones, &orders, 1, 500))
}

#[test]
fn the_farms_result_is_what_it_must_be() {
    let Told { clearing, trades, .. } = farm();
    assert_eq!(clearing.prices, [60, 20, 50].map(Price));
    assert_eq!(clearing.rents, [0, 30, 0].map(Price));
    assert_eq!(clearing.exports_wh, [0, 40, 0]);
    assert_eq!(clearing.energy, Energy(50));
    let [bid, offer] = [4, 5].map(|place| farm().orders[place].id);
    assert_eq!(clearing.passed_over, [Pair { bid, offer, energy: Energy(5) }]);
    // From the farm its own charge and the edge's rent; in the park neither.
    let mut parts = trades.iter().map(|it| (it.energy.0, it.price.0, it.wheeling.0, it.congestion.0));
    assert_eq!(parts.next(), Some((10, 60, 0, 0)));
    assert_eq!(parts.next(), Some((40, 20, 10, 30)));
    assert_eq!(farm().check(), Ok(()));
}
