//! The period: which slots a report is about.
//!
//! Knows slots, days and moments in UTC.

use parkwatt_engine::{SECONDS_PER_SLOT, Slot, Timestamp};

/// The slots in one UTC day.
const SLOTS_PER_DAY: u32 = 96;

/// A stretch of slots, both ends included; open where an end is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// The first slot.
    pub from: Option<Slot>,
    /// The last slot.
    pub until: Option<Slot>,
}

impl Period {
    /// Reads the beginning of a period: a slot's number, the moment at which one begins, or a day (UTC).
    ///
    /// # Errors
    /// A sentence if it is none of these.
    pub fn first_slot(text: &str) -> Result<Slot, String> {
        read(text).map(|(first, _)| first)
    }

    /// Reads the end of a period: its last slot, by its number or the moment at which it begins, or its last
    /// day (UTC).
    ///
    /// # Errors
    /// A sentence if it is none of these.
    pub fn last_slot(text: &str) -> Result<Slot, String> {
        read(text).map(|(_, last)| last)
    }

    /// Returns whether a slot is in the period.
    pub(super) fn has(&self, slot: Slot) -> bool {
        self.from.is_none_or(|from| from <= slot) && self.until.is_none_or(|until| slot <= until)
    }

    /// Returns whether a moment is in the period.
    pub(super) fn has_moment(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from.start() <= at) && self.until.is_none_or(|until| at < until.end())
    }
}

/// Returns the first and the last slot of what is named.
fn read(text: &str) -> Result<(Slot, Slot), String> {
    if let Ok(number) = text.parse() {
        return Ok((Slot(number), Slot(number)));
    }
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        let seconds = u64::try_from(moment.as_second()).unwrap_or_default();
        let begins = seconds.is_multiple_of(SECONDS_PER_SLOT) && moment.subsec_nanosecond() == 0;
        let slot = begins.then(|| u32::try_from(seconds / SECONDS_PER_SLOT).ok()).flatten().map(Slot);
        let slot = slot.ok_or_else(|| format!("'{text}': no slot begins then, only at quarter hours"))?;
        return Ok((slot, slot));
    }
    let day = text.parse::<jiff::civil::Date>().ok().filter(|_| !text.contains(['T', ' ']));
    let begin = day.and_then(|day| jiff::tz::TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok());
    let seconds = begin.and_then(|begin| u64::try_from(begin.as_second()).ok());
    let first = seconds.and_then(|seconds| u32::try_from(seconds / SECONDS_PER_SLOT).ok());
    match first {
        Some(first) => Ok((Slot(first), Slot(first + SLOTS_PER_DAY - 1))),
        None => Err(format!(
            "'{text}' is no slot (1978000), no beginning of one (2026-05-31T04:00:00Z) and no day (2026-05-31)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_said_by_slots_moments_or_days() {
        let both = |text| (Period::first_slot(text).map(|it| it.0), Period::last_slot(text).map(|it| it.0));
        assert_eq!(both("1978000"), (Ok(1_978_000), Ok(1_978_000)));
        assert_eq!(both("1970-01-02T00:15:00Z"), (Ok(97), Ok(97)));
        assert_eq!(both("1970-01-02T08:15+08:00"), (Ok(97), Ok(97)));
        assert_eq!(both("1970-01-02"), (Ok(96), Ok(191)));
        for wrong in ["1970-01-02T00:16:00Z", "1970-01-02T00:15:00", "1969-12-31", "yesterday", "-1", ""] {
            assert!(Period::first_slot(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn both_ends_belong_to_it() {
        let period = Period { from: Some(Slot(5)), until: Some(Slot(6)) };
        assert_eq!([4, 5, 6, 7].map(|slot| period.has(Slot(slot))), [false, true, true, false]);
        let moments = [Timestamp(Slot(5).start().0 - 1), Slot(5).start(), Timestamp(Slot(6).end().0 - 1)];
        assert_eq!(moments.map(|at| period.has_moment(at)), [false, true, true]);
        assert!(!period.has_moment(Slot(6).end()));
        assert!(Period::default().has(Slot(u32::MAX)) && Period::default().has_moment(Timestamp(u64::MAX)));
    }
}
