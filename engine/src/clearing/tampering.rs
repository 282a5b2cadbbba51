//! What the proof's check refuses: every number of a result that is changed, each by its name.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::sample::{Case, orders, zones};
use super::{ClearingError, check_clearing};
use crate::{
    Clearing, Energy, LeafIndex, MarketConfig, Matching, OpenOrder, OrderId, Pair, ParticipantId, Price,
    Side, Slot, Trade, TradeId, ZoneId,
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
    /// follow from the ledger, the orders', which another test swaps, and the slot where no trade repeats it.
    fn numbers(&mut self) -> Vec<(Of, Number<'_>)> {
        let Clearing { slot, energy, prices, exports_wh, rents, passed_over, proof_halves } =
            &mut self.clearing;
        let mut numbers = alloc::vec![(Of::Other, Number::U64(&mut energy.0))];
        if !self.trades.is_empty() {
            numbers.push((Of::Other, Number::U32(&mut slot.0)));
        }
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
    #![proptest_config(ProptestConfig {
        cases: 20_000, max_global_rejects: 100_000, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn a_result_with_one_number_changed_is_refused_or_has_other_prices_that_prove_it(
        zones in zones(4, 6), orders in orders(12, 2, 5),
        which in any::<prop::sample::Index>(), by in change(),
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
            let is_proved = match of {
                Of::Price => case.is_supported(&executed, &prices, [1, 0]),
                Of::Proof => case.is_supported(&executed, &told.clearing.proof_halves, [2, 1]),
                Of::Other => false,
            };
            prop_assert!(is_proved, "a changed number was not seen");
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

/// Checks what is said of the farm's result after a change to it.
fn check(expected: ClearingError, change: fn(&mut Told)) {
    let mut told = farm();
    change(&mut told);
    assert_eq!(told.check(), Err(expected));
}

fn order(position: u16) -> OrderId {
    OrderId { index: LeafIndex(0), position }
}

#[test]
fn the_farms_result_is_what_it_must_be() {
    let told = farm();
    assert_eq!(told.clearing.prices, [60, 20, 50].map(Price));
    assert_eq!(told.clearing.rents, [0, 30, 0].map(Price));
    assert_eq!(told.clearing.exports_wh, [0, 40, 0]);
    assert_eq!(told.clearing.energy, Energy(50));
    let own = Pair { bid: order(4), offer: order(5), energy: Energy(5) };
    assert_eq!(told.clearing.passed_over, [own]);
    // From the park itself at its price; from the farm at its own, with the edge's charge and rent.
    let mut parts = told.trades.iter().map(|it| (it.energy.0, it.price.0, it.wheeling.0, it.congestion.0));
    assert_eq!(parts.next(), Some((10, 60, 0, 0)));
    assert_eq!(parts.next(), Some((40, 20, 10, 30)));
    assert_eq!(told.check(), Ok(()));
}

#[test]
fn who_meets_whom_is_refused_by_its_name() {
    let (trade, park, buyer) = (TradeId(LeafIndex(2)), ZoneId(0), farm().orders[2].owner);
    let list = ClearingError::ListMustFitTheZones { list: "rents", len: 2, zones: 3 };
    check(list, |it| it.clearing.rents.truncate(2));
    let foreign = ClearingError::OrderMustBeOfThisMarket { order: order(1) };
    check(foreign, |it| it.orders[1].zone = ZoneId(3));
    check(foreign, |it| it.orders[1].limit = Price(120));
    check(foreign, |it| it.orders[1].remaining = Energy(1_000_001));
    check(foreign, |it| it.orders.push(it.orders[1]));
    check(ClearingError::TradeMustBeOfThisAuction { trade }, |it| it.trades[1].slot = Slot(8));
    check(ClearingError::TradeMustBeOfThisAuction { trade }, |it| {
        it.trades[1].matching = Matching::Continuous;
    });
    let no_pair = ClearingError::PairMustBeOfOpenOrders { bid: order(2), offer: order(0) };
    check(no_pair, |it| it.trades[1].energy = Energy(0));
    check(no_pair, |it| it.orders[0].side = Side::Bid);
    check(ClearingError::TradeMustNameTheOwners { trade }, |it| it.trades[1].buyer = ParticipantId(7));
    check(ClearingError::OwnOrdersMustNotTrade { trade, owner: buyer }, |it| {
        it.orders[0].owner = it.trades[1].buyer;
        it.trades[1].seller = it.trades[1].buyer;
    });
    let strangers = ClearingError::OnlyOwnOrdersMustBePassedOver { bid: order(4), offer: order(5) };
    check(strangers, |it| it.orders[5].owner = ParticipantId(7));
    let open = Energy(40);
    check(ClearingError::ExecutedMustBeOpen { order: order(0), executed: 41, open }, |it| {
        it.trades[1].energy = Energy(41);
        it.clearing.energy = Energy(51);
    });
    let energy = ClearingError::EnergyMustBeTheTrades { energy: Energy(51), traded: 50 };
    check(energy, |it| it.clearing.energy = Energy(51));
    check(ClearingError::ExecutedMustHavePrices, |it| {
        it.clearing.prices.clear();
        it.clearing.rents.clear();
    });
    check(ClearingError::PriceMustBeWithinBounds { zone: park }, |it| it.clearing.prices[0] = Price(61));
    check(ClearingError::PriceMustBeWithinBounds { zone: park }, |it| it.clearing.prices[0] = Price(120));
    check(ClearingError::PriceMustBeWithinBounds { zone: park }, |it| it.clearing.proof_halves[0] = -61);
}

#[test]
fn what_a_trade_pays_is_refused_by_its_name() {
    let trade = TradeId(LeafIndex(2));
    let (price, of_zone) = (Price(21), Price(20));
    check(ClearingError::PriceMustBeTheZones { trade, price, of_zone }, |it| it.trades[1].price = Price(21));
    let error = ClearingError::WheelingMustBeThePaths { trade, wheeling: Price(11), of_path: 10 };
    check(error, |it| it.trades[1].wheeling = Price(11));
    let error = ClearingError::CongestionMustBeThePaths { trade, congestion: Price(29), of_path: 30 };
    check(error, |it| it.trades[1].congestion = Price(29));
    let error = ClearingError::FeeMustBeTheMarkets { trade, fee: Price(9), of_market: Price(10) };
    check(error, |it| it.trades[1].fee = Price(9));
    let error = ClearingError::LimitMustHold { order: order(0), limit: Price(30), price: 20 };
    check(error, |it| it.orders[0].limit = Price(30));
    let error = ClearingError::LimitMustHold { order: order(2), limit: Price(60), price: 70 };
    check(error, |it| it.orders[2].limit = Price(60));
}

#[test]
fn flows_and_optimality_are_refused_by_their_name() {
    let farm = ZoneId(1);
    let error = ClearingError::FlowMustFollowFromTheTrades { zone: farm, flow_wh: 39, executed_wh: 40 };
    check(error, |it| it.clearing.exports_wh[1] = 39);
    let error = ClearingError::FlowMustBeWithinCapacity { zone: farm, flow_wh: 40, capacity_wh: 39 };
    check(error, |it| it.config.zones[1].capacity_up_w = Some(159));
    let error = ClearingError::RentMustBeThePriceDifference { zone: farm, rent: Price(31), of_prices: 30 };
    check(error, |it| it.clearing.rents[1] = Price(31));
    let error = ClearingError::EdgeWithoutCapacityMustEarnNothing { zone: farm };
    check(error, |it| it.config.zones[1].capacity_up_w = None);
    // 40 Wh gain 70 less 20 and the charge of 10, 10 Wh gain 70 less 60, and Pat's 5 Wh 70 less 40; an offer
    // of 60 Wh at 10 would gain 10 at the farm's price.
    let error = ClearingError::WelfareMustReachTheBound { welfare: 1850, bound: 2450 };
    check(error, |it| it.orders[1].limit = Price(10));
    // Twice that and 55 Wh; a price one half lower gives the farm's sellers no less, and its edge's 40 Wh
    // more.
    let error = ClearingError::VolumeMustReachTheBound { value: 3755, bound: 3795 };
    check(error, |it| it.clearing.proof_halves[1] -= 1);
}

#[test]
fn own_orders_are_not_passed_over_where_others_are_left() {
    let orders = [(0, 0, true, 8, 10), (0, 0, false, 2, 10), (0, 1, true, 8, 10), (0, 1, false, 2, 10)];
    let mut told = Told::by(&Case::new(&[(0, [0, 0, 0], [None, None])], &orders, 1, 500));
    assert_eq!(told.check(), Ok(()));
    told.trades.clear();
    told.clearing.energy = Energy::ZERO;
    let own = |bid| Pair { bid: order(bid), offer: order(bid + 1), energy: Energy(10) };
    told.clearing.passed_over = alloc::vec![own(0), own(2)];
    let owner = told.orders[0].owner;
    let error = ClearingError::PassedOverMustBeUnavoidable { owner, passed_over: 10, unavoidable: 0 };
    assert_eq!(told.check(), Err(error));
}

#[test]
fn no_trade_goes_against_a_flow_even_where_it_costs_nothing() {
    let zones = [(0, [0, 0, 0], [None, None]), (0, [0, 0, 0], [None, None])];
    let orders = [(0, 0, true, 8, 10), (0, 1, false, 2, 10), (1, 0, true, 8, 10), (1, 1, false, 2, 10)];
    let mut told = Told::by(&Case::new(&zones, &orders, 1, 500));
    assert_eq!(told.check(), Ok(()));
    let [first, second] = &mut told.trades[..] else { panic!("each zone has its own trade") };
    core::mem::swap(&mut first.offer, &mut second.offer);
    core::mem::swap(&mut first.seller, &mut second.seller);
    let error = ClearingError::PathsMustGoAlongTheFlow { zone: ZoneId(1), up_wh: 10, down_wh: 10 };
    assert_eq!(told.check(), Err(error));
}
