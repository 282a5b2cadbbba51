//! Shares: an energy that does not suffice, divided in proportion to what is wanted (R11).
//!
//! Knows numbers only. Keeps: shares sum to what is there, and none exceeds what is wanted.

use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::Energy;

/// Cuts what each wants, in order of trades, to its share in what was metered: all that is wanted if there is
/// enough, else in proportion, in whole Wh; the Wh that rounding leaves over go to the largest remainders, of
/// equal ones to the earlier.
pub(crate) fn share_out(metered: Energy, wants: &mut [Energy]) {
    let total = wants.iter().fold(Energy::ZERO, |sum, want| sum.plus(*want));
    if metered >= total {
        return;
    }
    let mut left = metered;
    let mut remainders: Vec<(Reverse<u64>, usize)> = Vec::with_capacity(wants.len());
    for (place, want) in wants.iter_mut().enumerate() {
        let (share, remainder) = divide(*want, metered, total);
        left = left.minus(share);
        remainders.push((Reverse(remainder), place));
        *want = share;
    }
    remainders.sort_unstable();
    // The remainders sum to a multiple of the total, and each lies below it: so fewer are left over than are
    // not zero.
    let fewer = usize::try_from(left.0).expect("fewer are left over than there are trades");
    for (_, place) in remainders.into_iter().take(fewer) {
        wants[place].0 += 1;
    }
}

/// Returns what is wanted times what is metered by the total, and the remainder.
fn divide(want: Energy, metered: Energy, total: Energy) -> (Energy, u64) {
    if let Some(product) = want.0.checked_mul(metered.0) {
        return (Energy(product / total.0), product % total.0);
    }
    let (product, total) = (u128::from(want.0) * u128::from(metered.0), u128::from(total.0));
    let whole = |quotient| u64::try_from(quotient).expect("a share is at most what is wanted");
    (Energy(whole(product / total)), whole(product % total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_greatest_energies_are_shared_exactly() {
        let most = Energy(u64::MAX / 2);
        let mut wants = [most; 2];
        share_out(most, &mut wants);
        assert_eq!(wants, [Energy(most.0 / 2 + 1), Energy(most.0 / 2)]);
    }

    #[test]
    fn nothing_is_shared_out_among_many() {
        let mut wants = [Energy(3), Energy::ZERO, Energy(1)];
        share_out(Energy::ZERO, &mut wants);
        assert_eq!(wants, [Energy::ZERO; 3]);
    }

    proptest! {
        #[test]
        fn shares_sum_to_what_is_there_and_each_is_within_one_wh_of_its_proportion(
            wants in prop_oneof![
                prop::collection::vec(0_u64..1_000_000, 1..20),
                prop::collection::vec(0_u64..u64::MAX / 20, 1..20),
            ],
            per_mille in 0_u64..1100,
        ) {
            let total: u64 = wants.iter().sum();
            let metered = u64::try_from(u128::from(total) * u128::from(per_mille) / 1000).unwrap_or(u64::MAX);
            let mut shares: Vec<Energy> = wants.iter().copied().map(Energy).collect();
            share_out(Energy(metered), &mut shares);
            prop_assert_eq!(shares.iter().map(|share| share.0).sum::<u64>(), metered.min(total));
            for (share, want) in shares.iter().zip(&wants) {
                prop_assert!(share.0 <= *want);
                let product = u128::from(*want) * u128::from(metered.min(total));
                let floor = product / u128::from(total.max(1));
                prop_assert!([floor, floor + 1].contains(&u128::from(share.0)));
            }
        }
    }
}
