//! The scenarios' words: amounts read and written as people say them.

use parkwatt_engine::{Energy, Price, Worth};

/// The words of one line, taken from the left.
pub struct Words<'a> {
    line: &'a str,
    rest: Vec<&'a str>,
}

impl<'a> Words<'a> {
    pub fn new(line: &'a str) -> Words<'a> {
        Words { line, rest: line.split_whitespace().rev().collect() }
    }

    /// Takes the next word, which must be there.
    pub fn next(&mut self) -> &'a str {
        self.rest.pop().unwrap_or_else(|| panic!("`{}` ends too early", self.line))
    }

    /// Takes the next word if it is `word`.
    pub fn skip(&mut self, word: &str) -> bool {
        let is_next = self.is_next(word);
        if is_next {
            self.rest.pop();
        }
        is_next
    }

    pub fn is_next(&self, word: &str) -> bool {
        self.rest.last() == Some(&word)
    }

    /// Takes `word` and the one behind it, if `word` is next.
    pub fn after(&mut self, word: &str) -> Option<&'a str> {
        self.skip(word).then(|| self.next())
    }

    /// Takes the next word, which must be `word`.
    pub fn must(&mut self, word: &str) {
        assert!(self.skip(word), "`{}` must go on with `{word}`", self.line);
    }

    pub fn are_over(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn end(self) {
        assert!(self.are_over(), "`{}` has words too many: {:?}", self.line, self.rest);
    }

    pub fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(&mut self) -> T {
        self.next().parse().unwrap_or_else(|_| panic!("`{}` needs a number", self.line))
    }

    /// Takes `3.00`: yuan per kWh.
    pub fn price(&mut self) -> Price {
        Price(millionths(self.next()))
    }

    /// Takes `20 kWh` or `500 Wh`.
    pub fn energy(&mut self) -> Energy {
        let number: u64 = self.number();
        match self.next() {
            "Wh" => Energy(number),
            "kWh" => Energy(number * 1000),
            other => panic!("{other} is no unit of energy"),
        }
    }

    /// Takes `160`: kW.
    pub fn watts(&mut self) -> u64 {
        self.number::<u64>() * 1000
    }

    /// Takes `-24:00` or `+0:15`: hours and minutes, as seconds.
    pub fn seconds(&mut self) -> i64 {
        let word = self.next();
        let (sign, digits) = match word.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, word.trim_start_matches('+')),
        };
        let (hours, minutes) = digits.split_once(':').unwrap_or_else(|| panic!("{word} is no time"));
        let number = |text: &str| text.parse::<i64>().unwrap_or_else(|_| panic!("{word} is no time"));
        sign * (number(hours) * 3600 + number(minutes) * 60)
    }
}

fn millionths(word: &str) -> i64 {
    let (sign, digits) = word.strip_prefix('-').map_or(("", word), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let padded = format!("{sign}{whole}{fraction:0<6}");
    padded.parse().unwrap_or_else(|_| panic!("{word} is no price"))
}

/// Writes `2.00`, with further digits only where there are any.
pub fn price(price: Price) -> String {
    decimal(i128::from(price.0), 6)
}

/// Writes `2.00, 2.05`.
pub fn prices(prices: &[Price]) -> String {
    prices.iter().map(|it| price(*it)).collect::<Vec<_>>().join(", ")
}

/// Writes `60.00` yuan.
pub fn worth(worth: Worth) -> String {
    decimal(worth.0, 9)
}

/// Writes `20 kWh`, or `500 Wh` below and between.
pub fn energy(energy: Energy) -> String {
    if energy.0.is_multiple_of(1000) {
        format!("{} kWh", energy.0 / 1000)
    } else {
        format!("{} Wh", energy.0)
    }
}

fn decimal(value: i128, digits: usize) -> String {
    let unit = 10_u128.pow(u32::try_from(digits).expect("a few digits"));
    let (whole, fraction) = (value.unsigned_abs() / unit, value.unsigned_abs() % unit);
    let fraction = format!("{fraction:0digits$}");
    let (shown, further) = fraction.split_at(2);
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{whole}.{shown}{}", further.trim_end_matches('0'))
}
