//! Stretches of time as people write them: from a quarter hour on, and where it is said, until another.

use jiff::tz::TimeZone;

use super::time::{When, time_of_day};

/// One quarter hour, or those from one until another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first one.
    pub from: When,
    /// The first one behind them; none for one quarter hour.
    pub until: Option<When>,
}

impl Span {
    /// Returns what `text` means in the time zone `zone`: what [`When`] reads, or that with `-14:00` behind it.
    ///
    /// # Errors
    /// The broken rule.
    pub fn parse(text: &str, zone: &TimeZone) -> Result<Span, String> {
        if let Some((from, until)) = range(text) {
            let [from, until] = [When::parse(from, zone)?, When::parse(until, zone)?];
            return Ok(Span { from, until: Some(until) });
        }
        When::parse(text, zone).map(|from| Span { from, until: None })
    }
}

/// Returns the two ends of a range; nothing where the text behind the dash is the offset of a whole time.
fn range(text: &str) -> Option<(&str, &str)> {
    let (from, until) = text.rsplit_once('–').or_else(|| text.rsplit_once('-'))?;
    let [from, until] = [from, until].map(str::trim);
    // The end of a day is the beginning of the next one.
    let until = if until == "24:00" { "00:00" } else { until };
    let is_range = time_of_day(until).is_some() && from.contains(':') && !from.contains('T');
    is_range.then_some((from, until))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ends_at_a_time_of_day() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let when = |text| When::parse(text, &zone).unwrap();
        for (text, from, until) in [
            ("12:00", "12:00", None),
            ("12:00-14:00", "12:00", Some("14:00")),
            ("12:00 – 14:00", "12:00", Some("14:00")),
            ("tomorrow 12:00-14:00", "tomorrow 12:00", Some("14:00")),
            ("2026-06-01 12:00-14:00", "2026-06-01 12:00", Some("14:00")),
            ("20:00-24:00", "20:00", Some("00:00")),
            ("2026-06-01 12:00", "2026-06-01 12:00", None),
            ("2026-06-01T12:00:00-08:00", "2026-06-01T12:00:00-08:00", None),
            ("2026-06-01T12:00-08:00", "2026-06-01T12:00-08:00", None),
        ] {
            let span = Span { from: when(from), until: until.map(when) };
            assert_eq!(Span::parse(text, &zone), Ok(span), "{text}");
        }
        for (bad, rule) in
            [("12:00-13:07", "13:00 and 13:15"), ("12:00-", "a time is"), ("noon-14:00", "a time is")]
        {
            assert!(Span::parse(bad, &zone).unwrap_err().contains(rule), "{bad}");
        }
    }
}
