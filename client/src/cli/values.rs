//! Single words of the command line that are no quantities: times and names.
//!
//! Knows how they are written; what is wrong with one is said as a rule.

use std::time::Duration;

use jiff::SignedDuration;
use parkwatt_client::v1;

use super::period;
use super::span::Span;
use super::surroundings;
use super::time::{Moment, When};

/// Returns the moment that begins a quarter hour.
pub fn when(text: &str) -> Result<When, String> {
    When::parse(text, &surroundings::zone())
}

/// Returns one quarter hour, or those from one until another.
pub fn span(text: &str) -> Result<Span, String> {
    Span::parse(text, &surroundings::zone())
}

/// Returns any moment, on a quarter hour or not.
pub fn moment(text: &str) -> Result<Moment, String> {
    Moment::parse(text, &surroundings::zone())
}

/// Returns any moment that says its date, in microseconds since 1970.
pub fn dated_moment(text: &str) -> Result<u64, String> {
    period::moment(text, &surroundings::zone())
}

/// Returns a length of time, more than none.
pub fn duration(text: &str) -> Result<Duration, String> {
    let length = text.parse::<SignedDuration>().ok().and_then(|length| Duration::try_from(length).ok());
    match length {
        Some(length) if !length.is_zero() => Ok(length),
        _ => Err("a length of time is a number above 0 and a unit, such as 30s, 5m or 6h".to_owned()),
    }
}

/// Returns how a whole number between two is read.
pub fn whole<T: TryFrom<u64>>(
    range: std::ops::RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("it is a whole number from {} to {}", range.start(), range.end()))
    }
}

/// Returns a name tag.
pub fn name(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=32).contains(&text.len()) && text.bytes().all(allowed) {
        return Ok(text.to_owned());
    }
    Err("a name is 1 to 32 of a-z, 0-9 and -".to_owned())
}

/// Returns for whom green quality is claimed.
pub fn beneficiary(text: &str) -> Result<String, String> {
    words(text, 1, "a beneficiary is named")
}

/// Returns what green quality is claimed for.
pub fn purpose(text: &str) -> Result<String, String> {
    words(text, 0, "a purpose is said")
}

/// Returns why a certificate is withdrawn.
pub fn reason(text: &str) -> Result<String, String> {
    words(text, 1, "a reason is said")
}

/// Returns a text of `least` to 128 bytes.
fn words(text: &str, least: usize, what: &str) -> Result<String, String> {
    if (least..=128).contains(&text.len()) {
        return Ok(text.to_owned());
    }
    Err(format!("{what} in {least} to 128 bytes, not in {}", text.len()))
}

/// Returns an order's name.
pub fn order_id(text: &str) -> Result<v1::OrderId, String> {
    text.split_once('.')
        .filter(|(index, position)| are_digits(index) && are_digits(position))
        .and_then(|(index, position)| {
            Some(v1::OrderId { index: index.parse().ok()?, position: position.parse().ok()? })
        })
        .ok_or_else(|| "an order's name is two numbers with a point between, such as 1234.0".to_owned())
}

/// Returns a certificate's name.
pub fn certificate_id(text: &str) -> Result<v1::CertificateId, String> {
    let mut parts = text.split('.').map(|part| are_digits(part).then(|| part.parse().ok()).flatten());
    match [(); 4].map(|()| parts.next()) {
        [Some(Some(slot)), Some(Some(producer)), Some(Some(issue)), None] => {
            Ok(v1::CertificateId { slot, producer, issue })
        }
        _ => Err("a certificate's name is three numbers with points between, such as 1978096.2.1".to_owned()),
    }
}

fn are_digits(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_named_by_two_numbers() {
        assert_eq!(order_id("1234.5"), Ok(v1::OrderId { index: 1234, position: 5 }));
        for bad in ["", "1234", "1234.", ".0", "a.b", "+1.0", "1.0.0", "1.99999999999"] {
            assert!(order_id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_certificate_is_named_by_three_numbers() {
        let id = v1::CertificateId { slot: 1_978_096, producer: 2, issue: 1 };
        assert_eq!(certificate_id("1978096.2.1"), Ok(id));
        for bad in ["", "1", "1.2", "1.2.", "1.2.3.4", "1.2.x", "+1.2.3", "1..3", "1.2.99999999999"] {
            assert!(certificate_id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn free_text_is_bounded_in_bytes() {
        assert!(purpose("").is_ok() && reason("").is_err() && beneficiary("").is_err());
        let longest = "\u{7eff}".repeat(42);
        assert!(purpose(&longest).is_ok() && reason(&longest).is_ok());
        assert!(purpose(&format!("{longest}abc")).unwrap_err().contains("not in 129"));
    }

    #[test]
    fn a_name_is_a_tag() {
        assert!(name("sunny-roof-2").is_ok());
        assert!(name(&"a".repeat(32)).is_ok());
        for bad in ["", "Sunny", "sunny roof", "sunny_roof", &"a".repeat(33)] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}
