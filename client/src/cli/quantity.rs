//! Energies, powers, prices and amounts of money, as people write them and read them.
//!
//! Knows decimal numbers and units; does not know the market's tick, lot and bounds: the node judges those.
//! Keeps: nothing is rounded. What has no exact value in the contract's whole units is refused.

use super::language::say;

/// Energy units, with how many decimals make a whole Wh.
const ENERGY_UNITS: [(&str, u32); 3] = [("kWh", 3), ("MWh", 6), ("Wh", 0)];
/// Power units, with how many decimals make a whole W.
const POWER_UNITS: [(&str, u32); 3] = [("kW", 3), ("MW", 6), ("W", 0)];

/// Returns the energy in Wh that `text` writes, such as `2.5kWh`; more than 0.
pub fn energy(text: &str) -> Result<u64, String> {
    match measure(text, &ENERGY_UNITS, "an energy is a number and a unit, such as 2.5kWh or 2500Wh")? {
        0 => Err("an energy must be more than 0".to_owned()),
        wh => Ok(wh),
    }
}

/// Returns the power in W that `text` writes, such as `8kW`.
pub fn power(text: &str) -> Result<u64, String> {
    measure(text, &POWER_UNITS, "a power is a number and a unit, such as 8kW or 8000W")
}

/// Returns the price in micro-yuan per kWh that `text` writes in yuan per kWh, such as `0.42`.
pub fn price(text: &str) -> Result<i64, String> {
    let micros =
        decimal(text, 6).map_err(|rule| format!("{rule}; a price is in yuan per kWh, such as 0.42"))?;
    i64::try_from(micros).map_err(|_| "no price is that large".to_owned())
}

/// Returns the amount in fen that `text` writes in yuan, such as `100` or `99.50`.
pub fn amount(text: &str) -> Result<u64, String> {
    let fen =
        decimal(text, 2).map_err(|rule| format!("{rule}; an amount is in yuan, such as 100 or 99.50"))?;
    if fen < 0 {
        return Err("an amount must not be below 0".to_owned());
    }
    u64::try_from(fen).map_err(|_| "no amount is that large".to_owned())
}

/// Returns the nanos of a yuan that the contract writes with nine decimals.
pub fn nanos(text: &str) -> Result<i128, String> {
    decimal(text, 9)
}

/// Returns an energy for people: `2.5 kWh`.
pub fn energy_text(wh: u64) -> String {
    format!("{} kWh", decimal_text(wh.into(), 3, 0))
}

/// Returns a power for people: `8.5 kW`.
pub fn power_text(watts: u64) -> String {
    format!("{} kW", decimal_text(watts.into(), 3, 0))
}

/// Returns an amount in fen for people: `99.50 yuan`.
pub fn amount_text(fen: u64) -> String {
    format!("{} {}", decimal_text(fen.into(), 2, 2), say("yuan"))
}

/// Returns a price for people: `0.42 yuan/kWh`.
pub fn price_text(micros_per_kwh: i64) -> String {
    format!("{} {}/kWh", decimal_text(micros_per_kwh.into(), 6, 2), say("yuan"))
}

/// Returns money for people, exactly: `1.05 yuan`.
pub fn nanos_text(nanos: i128) -> String {
    format!("{} {}", decimal_text(nanos, 9, 2), say("yuan"))
}

/// Returns nanos of a yuan for machines: decimal yuan with nine decimals, as the contract writes them.
pub fn nanos_decimal(nanos: i128) -> String {
    decimal_text(nanos, 9, 9)
}

/// Returns what an energy costs at a price, in nanos of a yuan, exactly: Wh x micro-yuan/kWh.
pub fn cost_nanos(wh: u64, micros_per_kwh: i64) -> i128 {
    i128::from(wh) * i128::from(micros_per_kwh)
}

/// Returns the value of a number with one of `units`, in the unit that has no decimals.
fn measure(text: &str, units: &[(&str, u32)], rule: &str) -> Result<u64, String> {
    let (number, decimals) = units
        .iter()
        .find_map(|&(unit, decimals)| Some((text.strip_suffix(unit)?.trim_end(), decimals)))
        .ok_or_else(|| rule.to_owned())?;
    let value = decimal(number, decimals).map_err(|problem| format!("{problem}; {rule}"))?;
    if value < 0 {
        return Err(format!("it must not be below 0; {rule}"));
    }
    u64::try_from(value).map_err(|_| format!("it is too large; {rule}"))
}

/// Returns a decimal number with at most so many decimals, in units of its last possible decimal.
fn decimal(text: &str, decimals_max: u32) -> Result<i128, String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((_, "")) => return Err(format!("{text:?} ends with its point")),
        Some(parts) => parts,
        None => (digits, ""),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return Err(format!("{text:?} is no number of the digits 0 to 9 with at most one point"));
    }
    let missing = decimals_max
        .checked_sub(u32::try_from(fraction.len()).unwrap_or(u32::MAX))
        .ok_or_else(|| format!("{text:?} has more than {decimals_max} decimals"))?;
    format!("{whole}{fraction}")
        .parse::<i128>()
        .ok()
        .and_then(|number| number.checked_mul(10_i128.pow(missing)))
        .map(|number| sign * number)
        .ok_or_else(|| format!("{text:?} is too large"))
}

/// Returns `value` units of 10^-`decimals` as text, without closing zeros beyond `decimals_min` decimals.
pub fn decimal_text(value: i128, decimals: usize, decimals_min: usize) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let kept = fraction.trim_end_matches('0').len().max(decimals_min);
    match &fraction[..kept] {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energies_are_whole_watt_hours() {
        for (text, wh) in [
            ("2.5kWh", 2_500),
            ("2.5 kWh", 2_500),
            ("2500Wh", 2_500),
            ("1MWh", 1_000_000),
            ("0.001kWh", 1),
            ("007Wh", 7),
            ("18446744073709551615Wh", u64::MAX),
        ] {
            assert_eq!(energy(text), Ok(wh), "{text}");
        }
    }

    #[test]
    fn what_is_no_exact_energy_is_refused_with_the_rule() {
        for (text, rule) in [
            ("2.5", "a number and a unit"),
            ("", "a number and a unit"),
            ("2.5kwh", "a number and a unit"),
            ("2,5kWh", "at most one point"),
            ("1e3Wh", "at most one point"),
            ("+1kWh", "at most one point"),
            (".5kWh", "at most one point"),
            ("1.kWh", "ends with its point"),
            ("kWh", "at most one point"),
            ("1.0005kWh", "more than 3 decimals"),
            ("2.5Wh", "more than 0 decimals"),
            ("-1kWh", "must not be below 0"),
            ("0kWh", "more than 0"),
            ("18446744073709551616Wh", "too large"),
            ("99999999999999999999999999999999999999999Wh", "too large"),
        ] {
            let error = energy(text).unwrap_err();
            assert!(error.contains(rule), "{text}: {error}");
        }
    }

    #[test]
    fn powers_may_be_nothing() {
        assert_eq!(power("8kW"), Ok(8_000));
        assert_eq!(power("0W"), Ok(0));
        assert_eq!(power("1.5MW"), Ok(1_500_000));
        assert!(power("8kWh").is_err());
    }

    #[test]
    fn prices_have_six_decimals_at_most_and_may_be_negative() {
        assert_eq!(price("0.42"), Ok(420_000));
        assert_eq!(price("-0.05"), Ok(-50_000));
        assert_eq!(price("1"), Ok(1_000_000));
        assert!(price("0.1234567").unwrap_err().contains("more than 6 decimals"));
        assert!(price("0,42").unwrap_err().contains("yuan per kWh"));
        assert!(price("9999999999999999").unwrap_err().contains("that large"));
    }

    #[test]
    fn amounts_are_whole_fen() {
        assert_eq!(amount("100"), Ok(10_000));
        assert_eq!(amount("99.5"), Ok(9_950));
        assert!(amount("0.005").unwrap_err().contains("more than 2 decimals"));
        assert!(amount("-1").unwrap_err().contains("below 0"));
    }

    #[test]
    fn people_read_as_few_decimals_as_are_exact() {
        assert_eq!(energy_text(0), "0 kWh");
        assert_eq!(energy_text(2_500), "2.5 kWh");
        assert_eq!(energy_text(1), "0.001 kWh");
        assert_eq!(energy_text(10_000), "10 kWh");
        assert_eq!(power_text(8_500), "8.5 kW");
        assert_eq!(amount_text(9_950), "99.50 yuan");
        assert_eq!(price_text(420_000), "0.42 yuan/kWh");
        assert_eq!(price_text(-500), "-0.0005 yuan/kWh");
        assert_eq!(nanos_text(-12_345_000_000), "-12.345 yuan");
        assert_eq!(nanos_decimal(1), "0.000000001");
    }

    #[test]
    fn money_survives_being_written_and_read() {
        for value in [0, 1, -1, 999_999_999, 1_000_000_000, -12_345_000_000, i128::from(i64::MAX)] {
            assert_eq!(nanos(&nanos_decimal(value)), Ok(value));
        }
    }

    #[test]
    fn a_cost_is_exact() {
        // 2.5 kWh at 0.42 yuan/kWh are 1.05 yuan.
        assert_eq!(cost_nanos(2_500, 420_000), 1_050_000_000);
    }
}
