//! Rows: what stands in each file of a report; the fields are the columns.
//!
//! Knows columns and how their values are written; `docs/report-format.md` says what they mean.

use std::fmt;

use parkwatt_engine::{
    Account, CertificateClass, GecId, Market, Matching, ParticipantId, Price, Purpose, Slot, Timestamp, Worth,
};
use serde::{Serialize, Serializer};

use super::{
    figures::Amount,
    laws::{Relation, Unit},
};
use crate::audit::totals::Decimal;

/// Declares a file's rows with the names of its columns.
macro_rules! rows {
    ($($(#[$doc:meta])* $row:ident { $($column:ident: $of:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Serialize)]
        pub(super) struct $row<'a> { $(pub(super) $column: $of,)* }

        impl $row<'_> {
            pub(super) const COLUMNS: &'static [&'static str] = &[$(stringify!($column)),*];
        }
    )*};
}

rows! {
    /// A trade, and what became of it.
    TradeRow {
        trade: u64,
        traded_at: Moment,
        slot: u32,
        slot_begins_at: Moment,
        phase: String,
        matching: &'static str,
        buyer: &'a str,
        buyer_zone: &'a str,
        bid: String,
        seller: &'a str,
        seller_zone: &'a str,
        offer: String,
        energy_wh: u64,
        price_yuan_per_kwh: Decimal,
        wheeling_yuan_per_kwh: Decimal,
        congestion_yuan_per_kwh: Decimal,
        fee_yuan_per_kwh: Decimal,
        tariff_version: u32,
        delivered_wh: Option<u64>,
        seller_deviation_wh: Option<u64>,
        buyer_deviation_wh: Option<u64>,
        estimated: Option<bool>,
    }

    /// A move of money.
    PostingRow {
        posting: u64,
        posted_at: Moment,
        from_account: &'static str,
        from_participant: &'a str,
        to_account: &'static str,
        to_participant: &'a str,
        amount_yuan: Decimal,
        purpose: &'static str,
        trade: Option<u64>,
        slot: Option<u32>,
        slot_begins_at: Option<Moment>,
    }

    /// What the delivered energy of a slot sends over an edge.
    FlowRow {
        slot: u32,
        slot_begins_at: Moment,
        zone: &'a str,
        parent: &'a str,
        flow_up_wh: i128,
        capacity_up_wh: Option<u64>,
        capacity_down_wh: Option<u64>,
    }

    /// A certificate, and what of it is in which state.
    CertificateRow {
        slot: u32,
        slot_begins_at: Moment,
        producer: &'a str,
        issue: u16,
        class: &'static str,
        energy_wh: u64,
        held_wh: u64,
        retired_wh: u64,
        bundled_wh: u64,
        expired_wh: u64,
        withdrawn_wh: u64,
        holders: usize,
    }

    /// A step of a certificate.
    StepRow {
        step: u64,
        at: Moment,
        kind: &'static str,
        slot: u32,
        slot_begins_at: Moment,
        producer: &'a str,
        issue: u16,
        energy_wh: u64,
        from: &'a str,
        to: &'a str,
        trade: Option<u64>,
        retirement: Option<u64>,
        consumption_slot: Option<u32>,
        beneficiary: &'a str,
        purpose: &'a str,
        gec: Option<String>,
        was: &'static str,
        reason: &'a str,
    }

    /// A national certificate.
    NationalRow {
        gec: String,
        made_at: Moment,
        holder: &'a str,
        energy_wh: u64,
        parts: usize,
        first_slot: Option<u32>,
        last_slot: Option<u32>,
        voided_at: Option<Moment>,
    }

    /// A law, or a place where it does not hold.
    CheckRow {
        check: &'a str,
        slot: Option<u32>,
        slot_begins_at: Option<Moment>,
        of: &'a str,
        unit: Unit,
        left_is: &'a str,
        left: Amount,
        relation: Relation,
        right_is: &'a str,
        right: Amount,
        difference: Amount,
        differing: u64,
        open: u64,
        open_until: Option<&'a str>,
    }
}

/// A moment, written as RFC 3339 in UTC.
#[derive(Clone, Copy)]
pub(super) struct Moment(pub(super) Timestamp);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = i64::try_from(self.0.0).ok();
        match micros.and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok()) {
            Some(moment) => moment.fmt(f),
            // OK because behind the year 9999 there is no such form.
            None => self.0.fmt(f),
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Returns the moment at which a slot begins.
pub(super) fn begin(slot: Slot) -> Moment {
    Moment(slot.start())
}

/// Returns a participant's name tag.
pub(super) fn name(market: &Market, id: ParticipantId) -> &str {
    &market.participants().get(id).new.name
}

/// Returns the name of a participant's zone.
pub(super) fn zone(market: &Market, id: ParticipantId) -> &str {
    let zone = market.participants().get(id).new.zone;
    &market.config().zones[usize::from(zone.0)].name
}

/// Returns what an account is, and whose, if it is a participant's.
pub(super) fn account(market: &Market, account: Account) -> (&'static str, &str) {
    match account {
        Account::Participant(id) => ("participant", name(market, id)),
        Account::Supplier => ("supplier", ""),
        Account::Network => ("network", ""),
        Account::Congestion => ("congestion", ""),
        Account::Market => ("market", ""),
        Account::Bank => ("bank", ""),
        Account::Rounding => ("rounding", ""),
    }
}

pub(super) fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Deposit => "deposit",
        Purpose::Payout => "payout",
        Purpose::Rounding => "rounding",
        Purpose::Energy(_) => "energy",
        Purpose::Wheeling(_) => "wheeling",
        Purpose::Congestion(_) => "congestion",
        Purpose::Fee(_) => "fee",
        Purpose::Deviation(_) => "deviation",
        Purpose::Retail(_) => "retail",
        Purpose::FeedIn(_) => "feed-in",
    }
}

pub(super) fn matching(matching: Matching) -> &'static str {
    match matching {
        Matching::Auction => "auction",
        Matching::Continuous => "continuous",
    }
}

pub(super) fn class(class: CertificateClass) -> &'static str {
    match class {
        CertificateClass::Exported => "exported",
        CertificateClass::SelfConsumed => "self-consumed",
    }
}

pub(super) fn gec(id: GecId) -> String {
    format!("{}.{}", id.index.0, id.position)
}

/// Returns a price in yuan per kWh.
pub(super) fn per_kwh(price: Price) -> Decimal {
    Decimal(Worth(i128::from(price.0) * 1000))
}
