//! A day: what its slots came to together, for everybody to see.
//!
//! Knows the zone in which days begin; adds up what the views have of each slot, and shows of certificates only what
//! is nobody's own.

use std::{collections::BTreeSet, ops::Range};

use jiff::{Timestamp as Moment, civil::Date, tz::TimeZone};
use parkwatt_engine::{Phase, Price, SECONDS_PER_SLOT, Slot, Worth};
use parkwatt_proto::v1;

use super::decimal;
use crate::{
    host::Market,
    refusal::Refused,
    views::{PARTICIPANTS_MIN, SlotSums, SlotView, SumOfSome, Views},
    wire::Malformed,
};

/// How far back a day is looked for in which something was traded, in slots: two years.
const LOOK_BACK_SLOTS: u32 = 2 * 366 * 96;

/// Returns the day that `request` asks for.
pub fn day(market: &Market, zone: &TimeZone, request: &v1::GetDayRequest) -> Result<v1::Day, Refused> {
    let views = market.views();
    let now = market.clock.now();
    let date = if request.date.is_empty() {
        newest(&views, zone, Slot::at(now))?
    } else {
        request.date.parse().map_err(|_| {
            let problem = format!("'{}' is not a date; write it as 2026-06-01", request.date);
            Malformed::new("date", problem)
        })?
    };
    let slots = slots_of(date, zone)?;
    let mut sums = Sums::default();
    for (slot, view) in views.slots.range(slots.clone()) {
        sums.add(view, views.sums(slot));
    }
    let is_over = slots.end.start() <= now;
    let certificates = (is_over && sums.is_settled).then(|| sums.certificates.shown()).flatten();
    let mean = |paid: Worth| mean(paid, sums.traded_wh);
    Ok(v1::Day {
        date: date.to_string(),
        time_zone: zone.iana_name().unwrap_or("UTC").to_owned(),
        first_slot: slots.start.0,
        slots: slots.end.0 - slots.start.0,
        slots_settled: sums.slots_settled,
        trades: sums.trades,
        traded_wh: sums.traded_wh,
        delivered_wh: sums.delivered_wh,
        mean_price_micros_per_kwh: mean(sums.paid),
        mean_all_in_micros_per_kwh: mean(sums.all_in),
        mean_feed_in_micros_per_kwh: mean(sums.feed_in),
        mean_retail_micros_per_kwh: mean(sums.retail),
        sellers_gain_yuan: decimal(sums.sellers_gain)?,
        buyers_gain_yuan: decimal(sums.buyers_gain)?,
        deviation_yuan: decimal(sums.deviation)?,
        certificates,
    })
}

struct Sums {
    slots_settled: u32,
    is_settled: bool,
    trades: u64,
    traded_wh: u64,
    delivered_wh: u64,
    paid: Worth,
    all_in: Worth,
    feed_in: Worth,
    retail: Worth,
    sellers_gain: Worth,
    buyers_gain: Worth,
    deviation: Worth,
    certificates: Certificates,
}

/// What became of the day's certificates, and of whom.
#[derive(Default)]
struct Certificates {
    issued: Of,
    self_consumed: Of,
    retired: Of,
    bundled: Of,
    expired: Of,
    voided: Of,
}

/// A sum, and the participants whose it is, as far as they are known.
#[derive(Default)]
struct Of {
    wh: u64,
    whose: BTreeSet<u32>,
}

impl Default for Sums {
    fn default() -> Sums {
        let [paid, all_in, feed_in, retail, sellers_gain, buyers_gain, deviation] = [Worth::ZERO; 7];
        Sums {
            slots_settled: 0,
            // A slot in which nothing happened has nothing to settle.
            is_settled: true,
            trades: 0,
            traded_wh: 0,
            delivered_wh: 0,
            paid,
            all_in,
            feed_in,
            retail,
            sellers_gain,
            buyers_gain,
            deviation,
            certificates: Certificates::default(),
        }
    }
}

impl Sums {
    fn add(&mut self, view: &SlotView, sums: Option<&SlotSums>) {
        let is_settled = view.phase >= Some(Phase::Settled);
        self.slots_settled += u32::from(is_settled);
        self.is_settled &= is_settled;
        self.traded_wh += view.traded.0;
        self.delivered_wh += view.delivered.0;
        self.paid = self.paid.plus(view.paid);
        let Some(sums) = sums else { return };
        self.trades += sums.trades;
        self.all_in = self.all_in.plus(sums.all_in);
        self.feed_in = self.feed_in.plus(sums.feed_in);
        self.retail = self.retail.plus(sums.retail);
        self.sellers_gain = self.sellers_gain.plus(sums.sellers_gain);
        self.buyers_gain = self.buyers_gain.plus(sums.buyers_gain);
        self.deviation = self.deviation.plus(sums.deviation);
        let (all, its) = (&mut self.certificates, &sums.certificates);
        all.issued.add(&its.issued);
        all.self_consumed.add(&its.self_consumed);
        all.retired.add(&its.retired);
        all.bundled.add(&its.bundled);
        all.expired.add(&its.expired);
        all.voided.add(&its.voided);
    }
}

impl Certificates {
    /// Returns those sums that are of enough participants; nothing where what was issued is not.
    fn shown(&self) -> Option<v1::DayCertificates> {
        Some(v1::DayCertificates {
            issued_wh: self.issued.shown().filter(|_| !self.issued.whose.is_empty())?,
            self_consumed_wh: self.self_consumed.shown(),
            retired_wh: self.retired.shown(),
            bundled_wh: self.bundled.shown(),
            expired_wh: self.expired.shown(),
            voided_wh: self.voided.shown(),
        })
    }
}

impl Of {
    fn add(&mut self, sum: &SumOfSome) {
        self.wh += sum.wh;
        self.whose.extend(sum.whose.iter().map(|id| id.0));
    }

    /// Returns the sum if it is nobody's or that of enough.
    fn shown(&self) -> Option<u64> {
        (self.whose.is_empty() || self.whose.len() >= PARTICIPANTS_MIN).then_some(self.wh)
    }
}

/// Returns today, or, where nothing is traded today, the last day before in which something was.
fn newest(views: &Views, zone: &TimeZone, now: Slot) -> Result<Date, Refused> {
    let today = date_of(now, zone)?;
    let end = slots_of(today, zone)?.end;
    let recent = views.slots.range(Slot(end.0.saturating_sub(LOOK_BACK_SLOTS))..end);
    let traded = recent.filter(|(_, view)| !view.traded.is_zero()).last();
    traded.map_or(Ok(today), |(slot, _)| date_of(slot, zone))
}

fn date_of(slot: Slot, zone: &TimeZone) -> Result<Date, Refused> {
    let seconds = i64::from(slot.0) * SECONDS_PER_SLOT.cast_signed();
    let moment = Moment::from_second(seconds).map_err(|_| beyond("the market's time"))?;
    Ok(moment.to_zoned_datetime(zone.clone()).date())
}

/// Returns the slots that begin on a day.
fn slots_of(date: Date, zone: &TimeZone) -> Result<Range<Slot>, Refused> {
    let first = |date: Date| {
        let begins = date.to_zoned_datetime(zone.clone()).ok()?.timestamp().as_second();
        let slot = u64::try_from(begins).ok()?.div_ceil(SECONDS_PER_SLOT);
        u32::try_from(slot).ok().map(Slot)
    };
    let next = date.tomorrow().ok();
    let range = first(date).zip(next.and_then(first));
    range.map(|(begin, end)| begin..end).ok_or_else(|| beyond(&format!("'{date}'")))
}

fn beyond(what: &str) -> Refused {
    Malformed::new("date", format!("{what} is not between 1970-01-01 and the last slot's day")).into()
}

/// Returns the mean of what was paid for an energy, rounded down; none for nothing.
fn mean(paid: Worth, energy_wh: u64) -> Option<i64> {
    let energy = i128::from(energy_wh);
    let price =
        |paid: i128| Price(i64::try_from(paid.div_euclid(energy)).expect("a mean lies among its prices"));
    (energy != 0).then(|| price(paid.0).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_its_zone_s_midnight_and_is_longer_where_clocks_are_set_back() {
        let slots = |date: &str, zone: &str| {
            let range = slots_of(date.parse().unwrap(), &TimeZone::get(zone).unwrap()).unwrap();
            (u64::from(range.start.0) * SECONDS_PER_SLOT, range.end.0 - range.start.0)
        };
        assert_eq!(slots("1970-01-02", "UTC"), (86_400, 96));
        assert_eq!(slots("2026-06-01", "Asia/Shanghai"), (1_780_243_200, 96));
        assert_eq!(slots("2026-10-25", "Europe/Berlin").1, 100);
        assert_eq!(slots("2026-03-29", "Europe/Berlin").1, 92);
        let refused = slots_of("1969-12-31".parse().unwrap(), &TimeZone::UTC).unwrap_err();
        assert!(refused.to_string().starts_with("date: '1969-12-31' is not between"), "{refused}");
    }

    #[test]
    fn a_mean_is_rounded_down_also_below_zero() {
        assert_eq!(mean(Worth(7), 2), Some(3));
        assert_eq!(mean(Worth(-7), 2), Some(-4));
        assert_eq!(mean(Worth(7), 0), None);
    }
}
