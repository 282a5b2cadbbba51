//! Delivery: from what was traded and what was metered to what each trade delivered.
//!
//! Knows trades and metered energies; does not know prices, money or certificates, and keeps no state.
//! Keeps: nobody is allotted more than his meter measured; the parts of a trade sum to its energy. Rule R11.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::{Energy, ParticipantId, Trade, TradeId};

/// What became of one trade. The three parts sum to the trade's energy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// What was delivered.
    pub(crate) delivered: Energy,
    /// What the seller did not feed in.
    pub(crate) seller_deviation: Energy,
    /// What the seller fed in and the buyer did not draw.
    pub(crate) buyer_deviation: Energy,
    /// A reading was missing on one side at least, which therefore counted as traded.
    pub(crate) estimated: bool,
}

/// Returns what each of a slot's trades delivered, in the order of `trades`.
///
/// First the sellers' metered exports are allotted to their sales, then the buyers' metered imports to what
/// came of that. Where a reading is missing, everything counts as fed in, or drawn.
pub(crate) fn allot(
    trades: &[Trade],
    export_of: impl Fn(ParticipantId) -> Option<Energy>,
    import_of: impl Fn(ParticipantId) -> Option<Energy>,
) -> Vec<Delivery> {
    let wanted: Vec<Energy> = trades.iter().map(|trade| trade.energy).collect();
    let fed_in = allot_side(trades, |trade| trade.seller, &wanted, &export_of);
    let drawn = allot_side(trades, |trade| trade.buyer, &fed_in, &import_of);
    let parts = trades.iter().zip(&fed_in).zip(&drawn);
    parts
        .map(|((trade, &fed_in), &drawn)| Delivery {
            delivered: drawn,
            seller_deviation: trade.energy.minus(fed_in),
            buyer_deviation: fed_in.minus(drawn),
            estimated: export_of(trade.seller).is_none() || import_of(trade.buyer).is_none(),
        })
        .collect()
}

/// Returns what of each trade's `wanted` is covered by the metered energy of its owner on one side.
fn allot_side(
    trades: &[Trade],
    owner: impl Fn(&Trade) -> ParticipantId,
    wanted: &[Energy],
    metered_of: impl Fn(ParticipantId) -> Option<Energy>,
) -> Vec<Energy> {
    let mut by_owner: BTreeMap<ParticipantId, Vec<usize>> = BTreeMap::new();
    for (place, trade) in trades.iter().enumerate() {
        by_owner.entry(owner(trade)).or_default().push(place);
    }
    let mut allotted = wanted.to_vec();
    for (owner, places) in by_owner {
        let Some(metered) = metered_of(owner) else { continue };
        let wants: Vec<(TradeId, Energy)> =
            places.iter().map(|&place| (trades[place].id, wanted[place])).collect();
        for (place, share) in places.into_iter().zip(shares(metered, &wants)) {
            allotted[place] = share;
        }
    }
    allotted
}

/// Returns the share of each of `wants` in `metered`: all that is wanted if there is enough, else in
/// proportion, in whole Wh; the Wh that rounding leaves over go to the largest remainders, of equal ones to
/// the earlier trades.
fn shares(metered: Energy, wants: &[(TradeId, Energy)]) -> Vec<Energy> {
    let total: u128 = wants.iter().map(|&(_, want)| u128::from(want.0)).sum();
    if u128::from(metered.0) >= total {
        return wants.iter().map(|&(_, want)| want).collect();
    }
    let products = wants.iter().map(|&(_, want)| u128::from(want.0) * u128::from(metered.0));
    let (mut shares, remainders): (Vec<u128>, Vec<u128>) = products.map(|p| (p / total, p % total)).unzip();

    let mut by_remainder: Vec<usize> = (0..wants.len()).collect();
    by_remainder.sort_by_key(|&place| (Reverse(remainders[place]), wants[place].0));
    // The remainders sum to a multiple of the total, and each lies below it: so fewer are left over than are
    // not zero.
    let left_over = remainders.iter().sum::<u128>() / total;
    for place in
        by_remainder.into_iter().take(usize::try_from(left_over).expect("fewer than there are trades"))
    {
        shares[place] += 1;
    }
    let whole = |share| Energy(u64::try_from(share).expect("a share is at most what is wanted"));
    shares.into_iter().map(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LeafIndex, Matching, OrderId, Price, Slot};
    use alloc::vec;
    use proptest::prelude::*;

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

    /// Allots with one seller's metered export and one buyer's metered import, both for every participant.
    fn check(trades: &[Trade], export: Option<u64>, import: Option<u64>) -> Vec<(u64, u64, u64)> {
        let delivered = allot(trades, |_| export.map(Energy), |_| import.map(Energy));
        delivered.into_iter().map(|d| (d.delivered.0, d.seller_deviation.0, d.buyer_deviation.0)).collect()
    }

    #[test]
    fn what_was_not_fed_in_is_the_sellers_deviation_and_what_was_not_drawn_the_buyers() {
        let one = [trade(1, 0, 1, 10_000)];
        assert_eq!(check(&one, Some(8_000), Some(15_000)), [(8_000, 2_000, 0)]);
        assert_eq!(check(&one, Some(15_000), Some(8_000)), [(8_000, 0, 2_000)]);
        assert_eq!(check(&one, Some(8_000), Some(3_000)), [(3_000, 2_000, 5_000)]);
        assert_eq!(check(&one, Some(0), Some(0)), [(0, 10_000, 0)]);
    }

    #[test]
    fn equal_trades_share_equally() {
        let two = [trade(1, 0, 1, 10_000), trade(2, 0, 2, 10_000)];
        assert_eq!(check(&two, Some(15_000), Some(10_000)), [(7_500, 2_500, 0), (7_500, 2_500, 0)]);
    }

    #[test]
    fn the_wh_left_over_go_to_the_largest_remainders_and_of_equal_ones_to_the_earlier_trade() {
        // The shares are 5 x 1/6, 2/6, 3/6 = 5/6, 1 4/6, 2 3/6.
        let unequal = [trade(1, 0, 1, 1), trade(2, 0, 2, 2), trade(3, 0, 3, 3)];
        assert_eq!(check(&unequal, Some(5), None), [(1, 0, 0), (2, 0, 0), (2, 1, 0)]);
        let equal = [trade(3, 0, 1, 1), trade(2, 0, 2, 1), trade(1, 0, 3, 1)];
        assert_eq!(check(&equal, Some(2), None), [(0, 1, 0), (1, 0, 0), (1, 0, 0)]);
    }

    #[test]
    fn a_missing_reading_counts_as_traded() {
        let one = [trade(1, 0, 1, 10)];
        assert_eq!(check(&one, None, None), [(10, 0, 0)]);
        assert_eq!(check(&one, None, Some(4)), [(4, 0, 6)]);
        assert_eq!(check(&one, Some(4), None), [(4, 6, 0)]);
    }

    #[test]
    fn the_greatest_energies_are_shared_exactly() {
        let most = u64::MAX / 2;
        let two = [trade(1, 0, 1, most), trade(2, 0, 2, most)];
        assert_eq!(check(&two, Some(most), None), [(most / 2 + 1, most / 2, 0), (most / 2, most / 2 + 1, 0)]);
    }

    proptest! {
        #[test]
        fn shares_sum_to_what_is_there_and_each_is_within_one_wh_of_its_proportion(
            wants in proptest::collection::vec(0_u64..1_000_000, 1..20),
            metered in 0_u64..10_000_000,
        ) {
            let total: u64 = wants.iter().sum();
            let wants: Vec<_> = (0..).map(|id| TradeId(LeafIndex(id))).zip(wants.into_iter().map(Energy)).collect();
            let shares = shares(Energy(metered), &wants);
            prop_assert_eq!(shares.iter().map(|share| share.0).sum::<u64>(), metered.min(total));
            for (share, (_, want)) in shares.iter().zip(&wants) {
                prop_assert!(share <= want);
                let floor = want.0 * metered.min(total) / total.max(1);
                prop_assert!(share.0 == floor || share.0 == floor + 1);
            }
        }

        #[test]
        fn the_parts_sum_to_the_trade_and_nobody_is_allotted_more_than_metered(
            trades in proptest::collection::vec((0_u32..3, 3_u32..6, 1_u64..100), 0..12),
            metered in proptest::collection::vec(proptest::option::of(0_u64..200), 6),
        ) {
            let trades: Vec<_> = (0..).zip(trades).map(|(id, (seller, buyer, e))| trade(id, seller, buyer, e)).collect();
            let metered_of = |p: ParticipantId| metered[p.0 as usize].map(Energy);
            let delivered = allot(&trades, metered_of, metered_of);
            let mut sums = vec![0; 6];
            for (trade, d) in trades.iter().zip(&delivered) {
                prop_assert_eq!(d.delivered.plus(d.seller_deviation).plus(d.buyer_deviation), trade.energy);
                sums[trade.seller.0 as usize] += d.delivered.0;
                sums[trade.buyer.0 as usize] += d.delivered.0;
            }
            for (sum, metered) in sums.into_iter().zip(metered) {
                prop_assert!(metered.is_none_or(|metered| sum <= metered));
            }
        }
    }
}
