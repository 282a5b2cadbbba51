//! Deliveries by hand, and what a reading changes beside a computation from the beginning.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::{LeafIndex, Matching, OrderId, Quality, Slot};

/// A trade of `energy` between a seller and a buyer, whose id is `id`.
fn trade(id: u64, seller: u32, buyer: u32, energy: u64) -> Trade {
    let order = OrderId { index: LeafIndex(0), position: 0 };
    Trade {
        id: TradeId(LeafIndex(id)),
        slot: Slot(0),
        bid: order,
        offer: order,
        buyer: ParticipantId(buyer),
        seller: ParticipantId(seller),
        energy: Energy(energy),
        price: Price::ZERO,
        wheeling: Price::ZERO,
        congestion: Price::ZERO,
        fee: Price::ZERO,
        tariff_version: 1,
        matching: Matching::Continuous,
    }
}

fn metered(import: u64, export: u64) -> Metered {
    let (import, export, generation) = (Energy(import), Energy(export), Energy(export));
    Metered { import, export, generation, quality: Quality::Measured }
}

/// Returns what is delivered, and what sellers and buyers lack, where sellers are 0 to 9 and metered this
/// export, and all others this import.
fn check(trades: &[Trade], export: Option<u64>, import: Option<u64>) -> Vec<(u64, u64, u64)> {
    let of = |id: ParticipantId| Some(if id.0 < 10 { metered(0, export?) } else { metered(import?, 0) });
    let deliveries = Deliveries::of(trades, of);
    let parts = |(sale, it): (&Sale, Delivery)| {
        let (by_seller, by_buyer) = (sale.energy.minus(it.fed_in), it.fed_in.minus(it.delivered));
        (it.delivered.0, by_seller.0, by_buyer.0)
    };
    deliveries.iter().map(parts).collect()
}

#[test]
fn what_was_not_fed_in_is_the_sellers_deviation_and_what_was_not_drawn_the_buyers() {
    let one = [trade(1, 0, 10, 10_000)];
    assert_eq!(check(&one, Some(8_000), Some(15_000)), [(8_000, 2_000, 0)]);
    assert_eq!(check(&one, Some(15_000), Some(8_000)), [(8_000, 0, 2_000)]);
    assert_eq!(check(&one, Some(8_000), Some(3_000)), [(3_000, 2_000, 5_000)]);
    assert_eq!(check(&one, Some(0), Some(0)), [(0, 10_000, 0)]);
}

#[test]
fn equal_trades_share_equally() {
    let two = [trade(1, 0, 11, 10_000), trade(2, 0, 12, 10_000)];
    assert_eq!(check(&two, Some(15_000), Some(10_000)), [(7_500, 2_500, 0), (7_500, 2_500, 0)]);
}

#[test]
fn the_wh_left_over_go_to_the_largest_remainders_and_of_equal_ones_to_the_earlier_trade() {
    // The shares are 5 x 1/6, 2/6, 3/6 = 5/6, 1 4/6, 2 3/6.
    let unequal = [trade(1, 0, 11, 1), trade(2, 0, 12, 2), trade(3, 0, 13, 3)];
    assert_eq!(check(&unequal, Some(5), None), [(1, 0, 0), (2, 0, 0), (2, 1, 0)]);
    let equal = [trade(1, 0, 11, 1), trade(2, 0, 12, 1), trade(3, 0, 13, 1)];
    assert_eq!(check(&equal, Some(2), None), [(1, 0, 0), (1, 0, 0), (0, 1, 0)]);
}

#[test]
fn a_missing_reading_counts_as_traded() {
    let one = [trade(1, 0, 10, 10)];
    assert_eq!(check(&one, None, None), [(10, 0, 0)]);
    assert_eq!(check(&one, None, Some(4)), [(4, 0, 6)]);
    assert_eq!(check(&one, Some(4), None), [(4, 6, 0)]);
}

#[test]
fn the_trades_of_one_side_are_found_in_order_of_their_ids() {
    let trades = [trade(1, 4, 2, 1), trade(2, 0, 7, 1), trade(3, 4, 2, 1), trade(4, 4, 7, 1)];
    let deliveries = Deliveries::of(&trades, |_| None);
    assert_eq!(
        [0, 3, 4, 9].map(|id| deliveries.sales_of(ParticipantId(id))),
        [&[1][..], &[], &[0, 2, 3], &[]]
    );
    assert_eq!([2, 7, 8].map(|id| deliveries.purchases_of(ParticipantId(id))), [&[0, 2][..], &[1, 3], &[]]);
}

type Drawn = (Vec<(u32, u32, u64)>, Vec<Option<(u64, u64)>>, Vec<(u32, u64, u64)>);

fn drawn() -> impl Strategy<Value = Drawn> {
    let pair = (0_u32..6, 1_u32..6).prop_map(|(seller, further)| (seller, (seller + further) % 6));
    let trades = prop::collection::vec((pair, 1_u64..100), 0..20);
    let trades =
        trades.prop_map(|it| it.into_iter().map(|((seller, buyer), e)| (seller, buyer, e)).collect());
    let metered = prop::collection::vec(prop::option::of((0_u64..200, 0_u64..200)), 6);
    (trades, metered, prop::collection::vec((0_u32..6, 0_u64..200, 0_u64..200), 0..8))
}

proptest! {
    #[test]
    fn the_parts_fit_and_what_a_reading_changes_is_as_if_computed_from_the_beginning(
        (trades, readings, changes) in drawn(),
    ) {
        let trades: Vec<Trade> =
            (0..).zip(trades).map(|(id, (seller, buyer, e))| trade(id, seller, buyer, e)).collect();
        let mut readings: Vec<Option<Metered>> =
            readings.into_iter().map(|it| it.map(|(import, export)| metered(import, export))).collect();
        let mut deliveries = Deliveries::of(&trades, |id| readings[id.0 as usize]);
        for (who, import, export) in changes {
            check_bounds(&deliveries, &readings);
            let before = deliveries.clone();
            readings[who as usize] = Some(metered(import, export));
            let touched = deliveries.change(ParticipantId(who), |id| readings[id.0 as usize]);
            prop_assert!(touched.is_sorted_by(|a, b| a.0 < b.0));
            for (place, (delivery, old)) in deliveries.list.iter().zip(&before.list).enumerate() {
                let was_touched = touched.iter().find(|(touched, _)| *touched == place);
                prop_assert!(was_touched.map_or(delivery == old, |(_, before)| before == old));
            }
            prop_assert_eq!(&deliveries, &Deliveries::of(&trades, |id| readings[id.0 as usize]));
        }
    }
}

fn check_bounds(deliveries: &Deliveries, readings: &[Option<Metered>]) {
    let mut sums = [[0; 6]; 2];
    for (sale, it) in deliveries.iter() {
        assert!(it.delivered <= it.fed_in && it.fed_in <= sale.energy);
        sums[0][sale.buyer.0 as usize] += it.delivered.0;
        sums[1][sale.seller.0 as usize] += it.delivered.0;
    }
    for (place, metered) in readings.iter().enumerate() {
        assert!(metered.is_none_or(|it| sums[0][place] <= it.import.0 && sums[1][place] <= it.export.0));
    }
}
