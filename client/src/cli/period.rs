//! Periods of a market's time, as people name them: a month, or from one moment until another.
//!
//! Knows calendars and the local time zone; does not know what is asked about a period.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::time::Moment;

/// A month of some year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Month(Date);

impl Month {
    /// Returns the month that `text` writes as `YYYY-MM`.
    ///
    /// # Errors
    /// The rule.
    pub fn parse(text: &str) -> Result<Month, String> {
        let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        text.split_once('-')
            .filter(|(year, month)| {
                year.len() == 4 && month.len() == 2 && are_digits(year) && are_digits(month)
            })
            .and_then(|(year, month)| Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok())
            .filter(|first| first.year() >= 1970)
            .map(Month)
            .ok_or_else(|| "a month is its year and its number, such as 2026-11".to_owned())
    }

    /// Returns the month in `zone` that holds a moment, given in microseconds since 1970; none beyond the
    /// year 9999.
    pub fn at(micros: u64, zone: &TimeZone) -> Option<Month> {
        let moment = Timestamp::from_microsecond(i64::try_from(micros).ok()?).ok()?;
        Some(Month(zone.to_datetime(moment).date().first_of_month()))
    }

    /// Returns the month's first moment in `zone`, and the next one's, in microseconds since 1970; none
    /// beyond the year 9999.
    pub fn bounds(self, zone: &TimeZone) -> Option<[u64; 2]> {
        let next = self.0.checked_add(1.month()).ok()?;
        Some([midnight(self.0, zone)?, midnight(next, zone)?])
    }
}

/// Returns the moment that `text` writes with its date, in microseconds since 1970: `YYYY-MM-DD` is the day's
/// first one in `zone`, and what else [`Moment`] reads.
///
/// # Errors
/// The broken rule.
pub fn moment(text: &str, zone: &TimeZone) -> Result<u64, String> {
    let rule = || "a moment is 2026-11-05, \"2026-11-05 12:00\" (both local), or 2026-11-05T12:00:00+08:00";
    if let Ok(date) = Date::strptime("%Y-%m-%d", text) {
        return midnight(date, zone).ok_or_else(|| "that day is none of a market's".to_owned());
    }
    match Moment::parse(text, zone) {
        Ok(Moment::At(micros)) => Ok(micros),
        Ok(Moment::TimeOfDay(_) | Moment::OnDay(..)) => Err(format!("the date is missing; {}", rule())),
        Err(problem) if problem.starts_with("a time is") => Err(rule().to_owned()),
        Err(problem) => Err(problem),
    }
}

/// Returns a day's first moment, in microseconds since 1970; on a day on which clocks are changed at midnight
/// it is the first one that there is.
pub fn midnight(date: Date, zone: &TimeZone) -> Option<u64> {
    let begin = zone.to_ambiguous_timestamp(date.to_datetime(Time::midnight())).compatible().ok()?;
    u64::try_from(begin.as_microsecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn micros(text: &str) -> u64 {
        text.parse::<Timestamp>().unwrap().as_microsecond().try_into().unwrap()
    }

    #[test]
    fn a_month_begins_and_ends_at_local_midnights() {
        for (text, name, from, until) in [
            ("2026-11", "Asia/Shanghai", "2026-10-31T16:00:00Z", "2026-11-30T16:00:00Z"),
            ("2026-12", "UTC", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            // Clocks are changed in it.
            ("2026-03", "Europe/Berlin", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"),
        ] {
            let bounds = Month::parse(text).unwrap().bounds(&zone(name));
            assert_eq!(bounds, Some([micros(from), micros(until)]), "{text}");
        }
        for bad in ["", "2026", "2026-13", "2026-00", "26-11", "2026-1", "2026-11-01", "+026-11", "1969-12"] {
            assert!(Month::parse(bad).unwrap_err().contains("such as 2026-11"), "{bad}");
        }
    }

    #[test]
    fn the_month_of_a_moment_is_the_local_one() {
        let month = |text, name| Month::at(micros(text), &zone(name)).unwrap();
        assert_eq!(month("2026-10-31T16:00:00Z", "Asia/Shanghai"), Month::parse("2026-11").unwrap());
        assert_eq!(month("2026-10-31T16:00:00Z", "UTC"), Month::parse("2026-10").unwrap());
        assert_eq!(Month::at(u64::MAX, &TimeZone::UTC), None);
    }

    #[test]
    fn a_day_is_its_first_moment_and_a_time_needs_its_day() {
        let shanghai = zone("Asia/Shanghai");
        assert_eq!(moment("2026-11-05", &shanghai), Ok(micros("2026-11-04T16:00:00Z")));
        assert_eq!(moment("2026-11-05 10:37", &shanghai), Ok(micros("2026-11-05T02:37:00Z")));
        assert_eq!(moment("2026-11-05T02:37:00Z", &shanghai), Ok(micros("2026-11-05T02:37:00Z")));
        assert!(moment("10:37", &shanghai).unwrap_err().contains("the date is missing"));
        assert!(moment("soon", &shanghai).unwrap_err().starts_with("a moment is"));
        assert!(moment("1960-01-01", &shanghai).unwrap_err().contains("none of a market's"));
    }
}
