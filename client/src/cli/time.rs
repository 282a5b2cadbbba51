//! Times as people write them, and the delivery slots that they mean.
//!
//! Knows quarter hours and the local time zone; does not know when a market's gate closes: it is told.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// The length of a slot.
const SLOT_SECONDS: i64 = 900;
/// How many days are searched for a time of day; more than the days on which clocks are changed.
const DAYS: i32 = 4;

/// The words for days, and how many days they lie after today.
const DAY_WORDS: [(&str, i32); 7] =
    [("today", 0), ("tomorrow", 1), ("yesterday", -1), ("今天", 0), ("明天", 1), ("后天", 2), ("昨天", -1)];

/// A moment that begins a quarter hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// A time of day; the day depends on what is asked.
    TimeOfDay(Time),
    /// A time of the day that lies so many days after today.
    OnDay(i32, Time),
    /// One slot.
    Slot(u32),
}

impl When {
    /// Returns what `text` means in the time zone `zone`: `HH:MM`, `tomorrow HH:MM`,
    /// `YYYY-MM-DD HH:MM`, or a time of RFC 3339.
    ///
    /// # Errors
    /// The broken rule, with the two quarter hours around a time that is on none.
    pub fn parse(text: &str, zone: &TimeZone) -> Result<When, String> {
        if let Some(time) = time_of_day(text) {
            return on_quarter(time).map(When::TimeOfDay);
        }
        if let Some((days, time)) = day_and_time(text) {
            return on_quarter(time).map(|time| When::OnDay(days, time));
        }
        slot_beginning_at(timestamp(text, zone)?, zone).map(When::Slot)
    }

    /// Returns the slot that is meant: of a time of day the first one that begins more than `lead_s` after
    /// `now_micros`.
    pub fn next(self, now_micros: u64, lead_s: u32, zone: &TimeZone) -> Option<u32> {
        let time = match self {
            When::TimeOfDay(time) => time,
            fixed => return fixed.fixed(now_micros, zone),
        };
        let earliest = moment(now_micros)?.checked_add(i64::from(lead_s).seconds()).ok()?;
        (-1..DAYS)
            .find_map(|day| occurrence(time, earliest, day, zone).filter(|begin| *begin > earliest))
            .and_then(slot)
    }

    /// Returns the slot that is meant: of a time of day the last one that has ended by `now_micros`.
    pub fn last(self, now_micros: u64, zone: &TimeZone) -> Option<u32> {
        let time = match self {
            When::TimeOfDay(time) => time,
            fixed => return fixed.fixed(now_micros, zone),
        };
        let latest = moment(now_micros)?.checked_sub(SLOT_SECONDS.seconds()).ok()?;
        last_until(time, latest, zone)
    }

    /// Returns the slot that is meant: of a time of day the last one that has begun by `now_micros`.
    pub fn last_begun(self, now_micros: u64, zone: &TimeZone) -> Option<u32> {
        match self {
            When::TimeOfDay(time) => last_until(time, moment(now_micros)?, zone),
            fixed => fixed.fixed(now_micros, zone),
        }
    }

    /// Returns the slot that is meant: of a time of day the first one after the slot `from`.
    pub fn after(self, from: u32, now_micros: u64, zone: &TimeZone) -> Option<u32> {
        match self {
            When::TimeOfDay(_) => {
                self.next(u64::from(from) * SLOT_SECONDS.unsigned_abs() * 1_000_000, 0, zone)
            }
            fixed => fixed.fixed(now_micros, zone),
        }
    }

    /// Returns the slot that is meant where the day is said; none for a time of day.
    fn fixed(self, now_micros: u64, zone: &TimeZone) -> Option<u32> {
        match self {
            When::TimeOfDay(_) => None,
            When::OnDay(days, time) => slot(occurrence(time, moment(now_micros)?, days, zone)?),
            When::Slot(slot) => Some(slot),
        }
    }
}

/// Any moment, to the minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A time of day: the next one.
    TimeOfDay(Time),
    /// A time of the day that lies so many days after today.
    OnDay(i32, Time),
    /// One moment, in microseconds since 1970.
    At(u64),
}

impl Moment {
    /// Returns what `text` means in the time zone `zone`; it is written as for [`When`].
    ///
    /// # Errors
    /// The broken rule.
    pub fn parse(text: &str, zone: &TimeZone) -> Result<Moment, String> {
        if let Some(time) = time_of_day(text) {
            return Ok(Moment::TimeOfDay(time));
        }
        if let Some((days, time)) = day_and_time(text) {
            return Ok(Moment::OnDay(days, time));
        }
        let micros = u64::try_from(timestamp(text, zone)?.as_microsecond());
        micros.map(Moment::At).map_err(|_| "a time before 1970 is none of a market's".to_owned())
    }

    /// Returns the moment in microseconds since 1970: of a time of day the first one after `now_micros`.
    pub fn next(self, now_micros: u64, zone: &TimeZone) -> Option<u64> {
        let now = moment(now_micros)?;
        let next = match self {
            Moment::At(micros) => return Some(micros),
            Moment::OnDay(days, time) => occurrence(time, now, days, zone)?,
            Moment::TimeOfDay(time) => {
                (-1..DAYS).find_map(|day| occurrence(time, now, day, zone).filter(|at| *at > now))?
            }
        };
        u64::try_from(next.as_microsecond()).ok()
    }
}

/// Returns the slot that holds a moment, given in microseconds since 1970.
pub fn slot_at(micros: u64) -> u32 {
    u32::try_from(micros / 1_000_000 / SLOT_SECONDS.unsigned_abs()).unwrap_or(u32::MAX)
}

/// Returns when a slot begins, for people: local date and time.
pub fn slot_text(slot: u32, zone: &TimeZone) -> String {
    slot_begin(slot).map_or_else(|| format!("slot {slot}"), |begin| timestamp_text(begin, zone))
}

/// Returns on which local day a slot begins; none beyond the year 9999.
pub fn slot_date(slot: u32, zone: &TimeZone) -> Option<Date> {
    slot_begin(slot).map(|begin| zone.to_datetime(begin).date())
}

/// Returns when a slot begins, for machines: RFC 3339 in UTC; none beyond the year 9999.
pub fn slot_rfc3339(slot: u32) -> Option<String> {
    slot_begin(slot).map(|begin| begin.to_string())
}

/// Returns a moment given in microseconds, for people: local date and time, to the minute.
pub fn moment_text(micros: u64, zone: &TimeZone) -> String {
    moment(micros).map_or_else(|| format!("{micros} us"), |at| timestamp_text(at, zone))
}

/// Returns a moment given in microseconds, for machines: RFC 3339 in UTC; none beyond the year 9999.
pub fn moment_rfc3339(micros: u64) -> Option<String> {
    moment(micros).map(|at| at.to_string())
}

/// Returns the time zone's name, for people.
pub fn zone_text(zone: &TimeZone) -> String {
    match zone.iana_name() {
        Some(name) if !zone.is_unknown() => name.to_owned(),
        _ => zone.to_offset(Timestamp::now()).to_string(),
    }
}

/// Returns when a slot begins; none beyond the year 9999.
fn slot_begin(slot: u32) -> Option<Timestamp> {
    Timestamp::from_second(i64::from(slot) * SLOT_SECONDS).ok()
}

/// Returns a moment for people: local date and time, to the minute.
fn timestamp_text(timestamp: Timestamp, zone: &TimeZone) -> String {
    zone.to_datetime(timestamp).strftime("%Y-%m-%d %H:%M").to_string()
}

/// Returns a moment given in microseconds.
fn moment(micros: u64) -> Option<Timestamp> {
    Timestamp::from_microsecond(i64::try_from(micros).ok()?).ok()
}

/// Returns when it is `time` on the day that lies `days` after that of `around`; none where clocks skip it.
fn occurrence(time: Time, around: Timestamp, days: i32, zone: &TimeZone) -> Option<Timestamp> {
    let date = zone.to_datetime(around).date().checked_add(days.days()).ok()?;
    let local = date.to_datetime(time);
    let timestamp = zone.to_ambiguous_timestamp(local).compatible().ok()?;
    (zone.to_datetime(timestamp) == local).then_some(timestamp)
}

/// Returns the last slot that begins at `time` and not after `latest`.
fn last_until(time: Time, latest: Timestamp, zone: &TimeZone) -> Option<u32> {
    (-1..DAYS)
        .find_map(|day| occurrence(time, latest, -day, zone).filter(|begin| *begin <= latest))
        .and_then(slot)
}

/// Returns the slot that begins at `timestamp`, which does begin one.
fn slot(timestamp: Timestamp) -> Option<u32> {
    u32::try_from(timestamp.as_second() / SLOT_SECONDS).ok()
}

/// Returns the slot that begins at `timestamp`, or the rule.
fn slot_beginning_at(timestamp: Timestamp, zone: &TimeZone) -> Result<u32, String> {
    let second = timestamp.as_second();
    if second < 0 {
        return Err("a time before 1970 is none of a market's".to_owned());
    }
    if second % SLOT_SECONDS != 0 || timestamp.subsec_nanosecond() != 0 {
        let before = second - second % SLOT_SECONDS;
        let neighbour =
            |second| Timestamp::from_second(second).map(|at| timestamp_text(at, zone)).unwrap_or_default();
        return Err(off_quarter(&neighbour(before), &neighbour(before + SLOT_SECONDS)));
    }
    slot(timestamp).ok_or_else(|| "a time that far ahead is none of a market's".to_owned())
}

/// Returns `time` if it is on a quarter hour, or the rule.
fn on_quarter(time: Time) -> Result<Time, String> {
    let past = time.minute() % 15;
    if past == 0 {
        return Ok(time);
    }
    let before = time.wrapping_sub(i64::from(past).minutes());
    let after = before.wrapping_add(15.minutes());
    let text = |time: Time| time.strftime("%H:%M").to_string();
    Err(off_quarter(&text(before), &text(after)))
}

/// Returns the rule for a time between two quarter hours.
fn off_quarter(before: &str, after: &str) -> String {
    format!("a delivery begins on a quarter hour; the nearest are {before} and {after}")
}

/// Returns the moment that `text` writes with its date, or the rule.
fn timestamp(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    match date_and_time(text) {
        Some(local) => zone.to_ambiguous_timestamp(local).unambiguous().map_err(|_| {
            format!("the clocks in {} are changed then; write the time with its offset", zone_text(zone))
        }),
        None => text.parse().map_err(|_| {
            "a time is 12:00, \"tomorrow 12:00\", \"2026-06-01 12:00\" (all local), or \
             2026-06-01T12:00:00+08:00"
                .to_owned()
        }),
    }
}

/// Returns how many days after today, and at which time of day, `text` writes as `tomorrow HH:MM`.
fn day_and_time(text: &str) -> Option<(i32, Time)> {
    let (day, time) = DAY_WORDS.iter().find_map(|(word, days)| Some((*days, text.strip_prefix(word)?)))?;
    Some((day, time_of_day(time.trim_start())?))
}

/// Returns the time of day that `text` writes as `HH:MM`.
pub fn time_of_day(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str, len: std::ops::RangeInclusive<usize>| {
        let plain = len.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if plain { digits.parse::<i8>().ok() } else { None }
    };
    Time::new(number(hour, 1..=2)?, number(minute, 2..=2)?, 0, 0).ok()
}

/// Returns the local date and time that `text` writes as `YYYY-MM-DD HH:MM`.
fn date_and_time(text: &str) -> Option<DateTime> {
    ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"].iter().find_map(|format| DateTime::strptime(format, text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noon of 2026-06-01 in UTC.
    const NOON: u32 = 1_978_128;

    fn shanghai() -> TimeZone {
        TimeZone::get("Asia/Shanghai").unwrap()
    }

    fn micros(text: &str) -> u64 {
        text.parse::<Timestamp>().unwrap().as_microsecond().try_into().unwrap()
    }

    fn slot_of(text: &str) -> u32 {
        u32::try_from(micros(text) / 900_000_000).unwrap()
    }

    #[test]
    fn a_slot_is_the_count_of_quarter_hours_since_1970() {
        assert_eq!(slot_of("2026-06-01T12:00:00Z"), NOON);
        assert_eq!(slot_text(NOON, &TimeZone::UTC), "2026-06-01 12:00");
        assert_eq!(slot_text(NOON, &shanghai()), "2026-06-01 20:00");
        assert_eq!(slot_rfc3339(NOON).as_deref(), Some("2026-06-01T12:00:00Z"));
        assert_eq!(slot_text(u32::MAX, &shanghai()), "slot 4294967295");
        assert_eq!(slot_rfc3339(u32::MAX), None);
    }

    #[test]
    fn full_times_are_local_unless_they_say_an_offset() {
        for text in
            ["2026-06-01 20:00", "2026-06-01T20:00", "2026-06-01T12:00:00Z", "2026-06-01T20:00:00+08:00"]
        {
            assert_eq!(When::parse(text, &shanghai()), Ok(When::Slot(NOON)), "{text}");
        }
    }

    #[test]
    fn a_time_off_the_quarter_hour_is_answered_with_its_neighbours() {
        for (text, before, after) in [
            ("12:07", "12:00", "12:15"),
            ("23:50", "23:45", "00:00"),
            ("2026-06-01 23:59", "2026-06-01 23:45", "2026-06-02 00:00"),
            ("2026-06-01T12:00:00.5Z", "2026-06-01 20:00", "2026-06-01 20:15"),
        ] {
            let error = When::parse(text, &shanghai()).unwrap_err();
            assert!(error.contains(&format!("{before} and {after}")), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_no_time_is_answered_with_the_three_forms() {
        for text in
            ["", "noon", "12", "12:0", "25:00", "12:60", "-1:00", "+1:15", "2026-06-01", "2026-13-01 12:00"]
        {
            assert!(When::parse(text, &TimeZone::UTC).unwrap_err().contains("a time is"), "{text}");
        }
        assert!(When::parse("1960-01-01 12:00", &TimeZone::UTC).unwrap_err().contains("before 1970"));
    }

    #[test]
    fn a_time_of_day_is_the_next_whose_gate_is_open() {
        let noon = When::parse("12:00", &TimeZone::UTC).unwrap();
        let today = slot_of("2026-06-01T12:00:00Z");
        for (now, slot) in [
            ("2026-06-01T00:00:00Z", today),
            ("2026-06-01T11:44:59Z", today),
            ("2026-06-01T11:45:00Z", today + 96),
            ("2026-06-01T23:55:00Z", today + 96),
        ] {
            assert_eq!(noon.next(micros(now), 900, &TimeZone::UTC), Some(slot), "{now}");
        }
    }

    #[test]
    fn a_day_has_a_word_and_is_the_local_one() {
        // Seven o'clock in Shanghai, where it is the second of June already.
        let now = micros("2026-06-01T23:00:00Z");
        for (text, slot) in [
            ("today 12:00", slot_of("2026-06-02T04:00:00Z")),
            ("tomorrow 12:00", slot_of("2026-06-03T04:00:00Z")),
            ("明天12:00", slot_of("2026-06-03T04:00:00Z")),
            ("yesterday 12:00", slot_of("2026-06-01T04:00:00Z")),
        ] {
            let when = When::parse(text, &shanghai()).unwrap();
            let [next, last, begun] = [
                when.next(now, 900, &shanghai()),
                when.last(now, &shanghai()),
                when.last_begun(now, &shanghai()),
            ];
            assert_eq!([next, last, begun], [Some(slot); 3], "{text}");
        }
        let moment = Moment::parse("tomorrow 10:37", &shanghai()).unwrap();
        assert_eq!(moment.next(now, &shanghai()), Some(micros("2026-06-03T02:37:00Z")));
        assert!(When::parse("tomorrow 12:07", &shanghai()).unwrap_err().contains("12:00 and 12:15"));
        assert!(When::parse("tomorrow", &shanghai()).unwrap_err().contains("a time is"));
    }

    #[test]
    fn a_moment_lies_on_any_minute_and_of_a_time_of_day_it_is_the_next() {
        let half_past = Moment::parse("10:37", &shanghai()).unwrap();
        for (now, next) in [
            ("2026-06-01T02:36:59Z", "2026-06-01T02:37:00Z"),
            ("2026-06-01T02:37:00Z", "2026-06-02T02:37:00Z"),
        ] {
            assert_eq!(half_past.next(micros(now), &shanghai()), Some(micros(next)), "{now}");
        }
        for text in ["2026-06-01 10:37", "2026-06-01T10:37", "2026-06-01T02:37:00Z"] {
            let moment = Moment::parse(text, &shanghai());
            assert_eq!(moment, Ok(Moment::At(micros("2026-06-01T02:37:00Z"))), "{text}");
        }
        assert_eq!(moment_text(micros("2026-06-01T02:37:00Z"), &shanghai()), "2026-06-01 10:37");
        assert!(Moment::parse("half past ten", &TimeZone::UTC).unwrap_err().contains("a time is"));
        assert!(Moment::parse("1960-01-01 12:00", &TimeZone::UTC).unwrap_err().contains("before 1970"));
    }

    #[test]
    fn a_time_of_day_in_the_past_is_the_last_that_has_ended() {
        let noon = When::parse("12:00", &TimeZone::UTC).unwrap();
        let today = slot_of("2026-06-01T12:00:00Z");
        for (now, slot) in [
            ("2026-06-01T12:14:59Z", today - 96),
            ("2026-06-01T12:15:00Z", today),
            ("2026-06-02T00:05:00Z", today),
        ] {
            assert_eq!(noon.last(micros(now), &TimeZone::UTC), Some(slot), "{now}");
        }
    }

    #[test]
    fn what_has_begun_need_not_have_ended() {
        let noon = When::parse("12:00", &TimeZone::UTC).unwrap();
        let today = slot_of("2026-06-01T12:00:00Z");
        for (now, slot) in [
            ("2026-06-01T11:59:59Z", today - 96),
            ("2026-06-01T12:00:00Z", today),
            ("2026-06-01T12:14:59Z", today),
        ] {
            assert_eq!(noon.last_begun(micros(now), &TimeZone::UTC), Some(slot), "{now}");
        }
        assert_eq!(slot_at(micros("2026-06-01T12:14:59Z")), today);
        assert_eq!(slot_at(u64::MAX), u32::MAX);
    }

    #[test]
    fn the_end_of_a_schedule_lies_after_its_beginning() {
        let from = slot_of("2026-06-01T22:00:00Z");
        let until = |text| {
            let until = When::parse(text, &TimeZone::UTC).unwrap();
            until.after(from, micros("2026-06-01T10:00:00Z"), &TimeZone::UTC)
        };
        assert_eq!(until("23:00"), Some(from + 4));
        assert_eq!(until("00:00"), Some(from + 8));
        assert_eq!(until("22:00"), Some(from + 96));
        assert_eq!(until("tomorrow 01:00"), Some(from + 12));
    }

    #[test]
    fn clocks_that_are_changed_skip_a_day_or_ask_for_the_offset() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let half_past_two = When::parse("02:30", &berlin).unwrap();
        let next = half_past_two.next(micros("2026-03-28T12:00:00Z"), 0, &berlin).unwrap();
        assert_eq!(slot_text(next, &berlin), "2026-03-30 02:30");
        for text in ["2026-03-29 02:30", "2026-10-25 02:30"] {
            assert!(When::parse(text, &berlin).unwrap_err().contains("offset"), "{text}");
        }
    }
}
