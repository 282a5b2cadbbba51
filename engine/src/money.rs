//! Money that can be paid: decimal yuan, exact, with every rounding named.
//!
//! `rust_decimal` panics on overflow in its operators, drops digits at the edge of `checked_add`, and reads
//! `1e3`. [`Money`] closes all three: it always has nine decimals, every operation is checked, and text is
//! read strictly.

use core::fmt;

use rust_decimal::Decimal;

use crate::Worth;

/// The decimals that money carries: price x energy is exact in 1e-9 yuan.
const SCALE: u32 = 9;
/// 1e-9 yuan in one fen, the smallest amount that is paid in or out.
const NANOS_PER_FEN: i128 = 10_000_000;

/// An amount of yuan with nine decimals; it may be negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(Decimal);

/// The result does not fit 96 bits of 1e-9 yuan, which is 7.9e19 yuan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the amount of money exceeds 96 bits of 1e-9 yuan")]
pub struct Overflow;

impl Money {
    /// Returns no money.
    pub fn zero() -> Money {
        Money(Decimal::from_i128_with_scale(0, SCALE))
    }

    /// Returns `fen` hundredths of a yuan.
    pub fn from_fen(fen: i64) -> Money {
        Money(Decimal::from_i128_with_scale(i128::from(fen) * NANOS_PER_FEN, SCALE))
    }

    /// Returns exactly the money that `worth` says.
    ///
    /// # Errors
    /// [`Overflow`] if it needs more than 96 bits.
    pub fn from_worth(worth: Worth) -> Result<Money, Overflow> {
        Decimal::try_from_i128_with_scale(worth.0, SCALE).map(Money).map_err(|_| Overflow)
    }

    /// Returns the amount as whole 1e-9 yuan.
    pub fn worth(self) -> Worth {
        assert_eq!(self.0.scale(), SCALE, "money always carries nine decimals");
        Worth(self.0.mantissa())
    }

    /// Returns the sum.
    ///
    /// # Errors
    /// [`Overflow`] if it needs more than 96 bits.
    pub fn checked_add(self, other: Money) -> Result<Money, Overflow> {
        // A sum that would need more than 96 bits comes back with fewer decimals instead of none.
        match self.0.checked_add(other.0) {
            Some(sum) if sum.scale() == SCALE => Ok(Money(sum)),
            _ => Err(Overflow),
        }
    }

    /// Returns the difference.
    ///
    /// # Errors
    /// [`Overflow`] if it needs more than 96 bits.
    pub fn checked_sub(self, other: Money) -> Result<Money, Overflow> {
        self.checked_add(Money(-other.0))
    }

    /// Returns the amount in whole fen, half to even, as it is paid out.
    pub fn fen_half_even(self) -> i128 {
        divide_half_even(self.worth().0, NANOS_PER_FEN)
    }
}

impl Worth {
    /// Returns `per_mille` thousandths of this worth, half to even: the one rounding of a rate.
    #[must_use]
    pub fn per_mille_half_even(self, per_mille: u32) -> Worth {
        Worth(divide_half_even(self.0 * i128::from(per_mille), 1000))
    }
}

/// Returns `numerator / denominator` rounded to the nearest whole number, and a half to the even one.
///
/// The only rounding of money.
fn divide_half_even(numerator: i128, denominator: i128) -> i128 {
    let (floor, rest) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator));
    let round_up = match (rest * 2).cmp(&denominator) {
        core::cmp::Ordering::Less => false,
        core::cmp::Ordering::Equal => floor % 2 != 0,
        core::cmp::Ordering::Greater => true,
    };
    floor + i128::from(round_up)
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn halves_go_to_the_even_fen() {
        let most = (1 << 96) - 1;
        for (nanos, fen) in [
            (5_000_000, 0),
            (15_000_000, 2),
            (-5_000_000, 0),
            (-15_000_000, -2),
            (25_000_001, 3),
            (most, most / 10_000_000),
        ] {
            assert_eq!(Money::from_worth(Worth(nanos)).unwrap().fen_half_even(), fen, "{nanos}");
        }
    }

    #[test]
    fn a_sum_beyond_96_bits_is_refused_and_loses_no_digit() {
        let most = Money::from_worth(Worth((1 << 96) - 1)).unwrap();
        let least_step = Money::from_worth(Worth(1)).unwrap();
        assert_eq!(most.checked_add(least_step), Err(Overflow));
        assert_eq!(most.checked_sub(least_step).unwrap().worth(), Worth((1 << 96) - 2));
        assert_eq!(Money::from_worth(Worth(1 << 96)), Err(Overflow));
    }

    #[test]
    fn money_prints_nine_decimals() {
        assert_eq!(Money::from_fen(-1234).to_string(), "-12.340000000");
    }
}
