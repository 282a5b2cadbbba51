//! The calendar: when what was generated in a month expires (R14).
//!
//! Knows slots and the months of the proleptic Gregorian calendar in UTC, in whole numbers; does not know what
//! expires.

use crate::{SECONDS_PER_SLOT, Slot, Timestamp};

/// How long a certificate lives behind the end of its month.
const YEARS: u64 = 2;
const SECONDS_PER_DAY: u64 = 86_400;
/// The days of 400 years, after which the calendar repeats itself.
const DAYS_PER_ERA: u64 = 146_097;
/// The days from 0000-03-01, where the first era begins, to 1970-01-01.
const DAYS_TO_1970: u64 = 719_468;

/// Returns when certificates of `slot` expire: two years after the end of its month.
pub(super) fn expires_at(slot: Slot) -> Timestamp {
    let (year, month) = year_and_month(u64::from(slot.0) * SECONDS_PER_SLOT / SECONDS_PER_DAY);
    let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    Timestamp::from_seconds(first_day(year + YEARS, month) * SECONDS_PER_DAY)
}

/// Returns the year and the month, 1 to 12, of a day counted from 1970-01-01.
///
/// Years are counted from March here, so that the odd day of a leap year is a year's last one.
fn year_and_month(day: u64) -> (u64, u64) {
    let day = day + DAYS_TO_1970;
    let (era, day_of_era) = (day / DAYS_PER_ERA, day % DAYS_PER_ERA);
    let leap_days = day_of_era / 1_460 + day_of_era / 146_096 - day_of_era / 36_524;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_since_march = (5 * day_of_year + 2) / 153;
    let year = era * 400 + year_of_era;
    if months_since_march < 10 { (year, months_since_march + 3) } else { (year + 1, months_since_march - 9) }
}

/// Returns the first day of a month, counted from 1970-01-01.
fn first_day(year: u64, month: u64) -> u64 {
    let (year, months_since_march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * months_since_march + 2) / 5;
    let day_of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days_in(year: u64, month: u64) -> u64 {
        let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        match month {
            2 => 28 + u64::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    #[test]
    fn months_are_those_that_a_wall_calendar_shows() {
        let mut day = 0;
        for (year, month) in (1970..2500).flat_map(|year| (1..=12).map(move |month| (year, month))) {
            assert_eq!(first_day(year, month), day);
            for day in [day, day + 1, day + days_in(year, month) - 1] {
                assert_eq!(year_and_month(day), (year, month), "day {day}");
            }
            day += days_in(year, month);
        }
    }

    #[test]
    fn a_month_expires_as_a_whole_two_years_after_its_end() {
        let quarter = |seconds: u64| Slot(u32::try_from(seconds / SECONDS_PER_SLOT).unwrap());
        for (generated, expires) in [
            (1_769_903_999, 1_832_976_000), // 2026-01-31T23:59:59Z, 2028-02-01
            (1_769_904_000, 1_835_481_600), // 2026-02-01, 2028-03-01: a leap year's
            (1_798_761_599, 1_861_920_000), // 2026-12-31T23:59:59Z, 2029-01-01
            (1_709_164_800, 1_772_323_200), // 2024-02-29, 2026-03-01
            (0, 65_750_400),                // 1970-01-01, 1972-02-01
        ] {
            assert_eq!(expires_at(quarter(generated)), Timestamp::from_seconds(expires), "{generated}");
        }
    }

    #[test]
    fn the_last_slot_of_all_expires_too() {
        assert!(expires_at(Slot(u32::MAX)) > Slot(u32::MAX).end());
    }
}
