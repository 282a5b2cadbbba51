//! Energy, price, time: whole numbers with their unit in the type.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Micro-yuan in one yuan, as prices count them.
pub const MICROS_PER_YUAN: i64 = 1_000_000;
/// Seconds in one delivery slot.
pub const SECONDS_PER_SLOT: u64 = 900;
/// Microseconds in one second, as timestamps count them.
pub const MICROS_PER_SECOND: u64 = 1_000_000;

/// An amount of energy in whole Wh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Energy(pub u64);

impl Energy {
    /// No energy.
    pub const ZERO: Energy = Energy(0);

    /// Returns whether this is no energy at all.
    #[inline]
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Returns the sum.
    ///
    /// # Panics
    /// If it exceeds 2^64 Wh: the configured limits on one order keep every sum far below.
    #[must_use]
    #[inline]
    pub fn plus(self, other: Energy) -> Energy {
        Energy(self.0.checked_add(other.0).expect("limits on orders keep energy sums below 2^64 Wh"))
    }

    /// Returns the difference.
    ///
    /// # Panics
    /// If `other` is more than this: a broken invariant of the caller.
    #[must_use]
    #[inline]
    pub fn minus(self, other: Energy) -> Energy {
        Energy(self.0.checked_sub(other.0).expect("only energy that is there is taken away"))
    }

    /// Returns the difference, or nothing where `other` is more.
    #[must_use]
    pub fn saturating_minus(self, other: Energy) -> Energy {
        Energy(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Energy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Wh", self.0)
    }
}

/// A price, or a charge, in whole micro-yuan per kWh; it may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Price(pub i64);

impl Price {
    /// No price.
    pub const ZERO: Price = Price(0);

    /// Returns the sum.
    ///
    /// # Panics
    /// If it exceeds 63 bits: the market's price bounds keep every sum far below.
    #[must_use]
    #[inline]
    pub fn plus(self, other: Price) -> Price {
        Price(self.0.checked_add(other.0).expect("the price bounds keep sums of prices below 2^63"))
    }

    /// Returns the difference.
    ///
    /// # Panics
    /// If it exceeds 63 bits: the market's price bounds keep every difference far below.
    #[must_use]
    #[inline]
    pub fn minus(self, other: Price) -> Price {
        Price(self.0.checked_sub(other.0).expect("the price bounds keep differences of prices below 2^63"))
    }

    /// Returns what `energy` costs at this price.
    ///
    /// Units: Wh x micro-yuan/kWh, exact in 1e-9 yuan.
    #[inline]
    pub fn times(self, energy: Energy) -> Worth {
        // OK because 63 bits times 64 bits are 127 bits.
        Worth(i128::from(self.0).wrapping_mul(i128::from(energy.0)))
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} yuan/kWh", SixDecimals(self.0))
    }
}

/// What an energy is worth at a price: whole 1e-9 yuan, exact. Reserved, compared, never paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Worth(pub i128);

impl Worth {
    /// Nothing.
    pub const ZERO: Worth = Worth(0);

    /// Returns the sum; 127 bits hold more than every order of a market together.
    #[must_use]
    #[inline]
    pub fn plus(self, other: Worth) -> Worth {
        Worth(self.0 + other.0)
    }

    /// Returns the difference.
    #[must_use]
    #[inline]
    pub fn minus(self, other: Worth) -> Worth {
        Worth(self.0 - other.0)
    }

    /// Returns the worth in whole micro-yuan, rounded towards more, within 63 bits: for messages only.
    pub fn micros_rounded_up(self) -> MicroYuan {
        let micros = self.0.div_euclid(1000) + i128::from(self.0.rem_euclid(1000) != 0);
        within_63_bits(micros)
    }

    /// Returns the worth in whole micro-yuan, rounded towards less, within 63 bits: for messages only.
    pub fn micros_rounded_down(self) -> MicroYuan {
        within_63_bits(self.0.div_euclid(1000))
    }
}

fn within_63_bits(micros: i128) -> MicroYuan {
    MicroYuan(i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX }))
}

/// A worth in whole micro-yuan, as messages say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MicroYuan(pub i64);

impl fmt::Display for MicroYuan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} yuan", SixDecimals(self.0))
    }
}

/// A number of millionths, written as a decimal.
struct SixDecimals(i64);

impl fmt::Display for SixDecimals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, micros) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        write!(f, "{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}

/// A moment: microseconds since 1970-01-01T00:00:00Z, stamped once by the sequencer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Returns the moment `seconds` after 1970-01-01T00:00:00Z.
    pub fn from_seconds(seconds: u64) -> Timestamp {
        Timestamp(seconds * MICROS_PER_SECOND)
    }
}

/// A delivery slot: a quarter hour, half open, UTC, numbered by unix seconds / 900.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot(pub u32);

impl Slot {
    /// Returns the slot that holds the moment `at`.
    ///
    /// # Panics
    /// After the year 124000, where slots leave 32 bits.
    pub fn at(at: Timestamp) -> Slot {
        let number = at.0 / MICROS_PER_SECOND / SECONDS_PER_SLOT;
        Slot(u32::try_from(number).expect("slots fit 32 bits until the year 124000"))
    }

    /// Returns the slot's first moment.
    pub fn start(self) -> Timestamp {
        Timestamp::from_seconds(u64::from(self.0) * SECONDS_PER_SLOT)
    }

    /// Returns the first moment after the slot.
    pub fn end(self) -> Timestamp {
        Timestamp::from_seconds((u64::from(self.0) + 1) * SECONDS_PER_SLOT)
    }

    /// Returns which quarter hour of its UTC day the slot is, 0 to 95.
    pub fn quarter_of_day(self) -> u8 {
        u8::try_from(self.0 % 96).expect("a remainder of 96 fits a byte")
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} us", self.0)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The place of an entry in the ledger, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LeafIndex(pub u64);

/// A participant's number, in order of enrolment, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ParticipantId(pub u32);

/// A zone's number: its place in the market's configuration, from 0. Zone 0 is the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ZoneId(pub u16);

/// An order's name: the ledger index of the command that placed it, and its place in that schedule.
/// Their order is the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrderId {
    /// The ledger index of the command.
    pub index: LeafIndex,
    /// The place in the command's list of orders, from 0.
    pub position: u16,
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index.0, self.position)
    }
}

/// A trade's name: the ledger index of its own leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TradeId(pub LeafIndex);

/// A certificate's name, so made that a second one for the same Wh cannot exist (R14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CertificateId {
    /// The slot of generation.
    pub slot: Slot,
    /// Whose meter measured the export.
    pub producer: ParticipantId,
    /// Which issue for that meter and slot, from 1.
    pub issue: u16,
}

/// What a certificate certifies (R14).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CertificateClass {
    /// Energy that was fed in: it can be transferred, claimed and bundled.
    #[default]
    Exported,
    /// Energy that its producer consumed himself: it can only be claimed, by him.
    SelfConsumed,
}

/// A retirement's number: the ledger index of its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RetirementId(pub LeafIndex);

/// A national certificate's name, of 1 MWh: the ledger index of the command that bundled it, and its place
/// among those of that command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GecId {
    /// The ledger index of the command.
    pub index: LeafIndex,
    /// The place among the command's national certificates, from 0.
    pub position: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_price_prints_its_sign_and_all_six_digits() {
        assert_eq!(Price(-391_000).to_string(), "-0.391000 yuan/kWh");
        assert_eq!(Price(1_000_001).to_string(), "1.000001 yuan/kWh");
    }

    #[test]
    fn a_kilowatt_hour_at_one_yuan_is_worth_one_yuan() {
        assert_eq!(Price(MICROS_PER_YUAN).times(Energy(1000)), Worth(1_000_000_000));
    }

    #[test]
    fn slots_are_half_open() {
        let slot = Slot(1_628_736);
        assert_eq!(Slot::at(slot.start()), slot);
        assert_eq!(Slot::at(slot.end()), Slot(slot.0 + 1));
        assert_eq!(slot.start(), Timestamp::from_seconds(1_465_862_400));
    }
}
