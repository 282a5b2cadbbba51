//! Figures: what a report sums for each slot, and over all of them.
//!
//! Knows names and units; does not know where a figure comes from.

use std::fmt;

use parkwatt_engine::Worth;
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::audit::totals::Decimal;

/// Declares the figures with the columns that they are in, so that neither is without the other.
macro_rules! figures {
    ($($(#[$doc:meta])* $figure:ident: $column:literal,)*) => {
        /// A figure of a slot.
        #[derive(Clone, Copy, Debug)]
        pub(super) enum Figure { $($(#[$doc])* $figure,)* }

        /// The columns of the figures, in their order, each with its unit last.
        pub(super) const COLUMNS: &[&str] = &[$($column),*];
    };
}

figures! {
    /// Trades.
    Trades: "trades",
    /// Trades that were settled without a reading of both sides.
    TradesEstimated: "trades_estimated",
    /// Energy traded.
    Traded: "traded_wh",
    /// What of it was delivered.
    Delivered: "delivered_wh",
    /// What of it the sellers did not feed in.
    SellerDeviation: "seller_deviation_wh",
    /// What of it the buyers did not draw.
    BuyerDeviation: "buyer_deviation_wh",
    /// What of the delivered counts as fed in, because its seller was not read.
    DeliveredUnread: "delivered_without_export_reading_wh",
    /// What of the delivered counts as drawn, because its buyer was not read.
    DrawnUnread: "delivered_without_import_reading_wh",
    /// Energy generated, where that is metered.
    Generated: "generated_wh",
    /// What of it was not exported.
    SelfConsumed: "self_consumed_wh",
    /// Energy exported.
    Exported: "exported_wh",
    /// What of it was not delivered to a buyer.
    FedIn: "fed_in_wh",
    /// Energy imported.
    Imported: "imported_wh",
    /// What of it no seller delivered.
    ResidualImport: "residual_import_wh",
    /// Meters that measured the slot.
    MetersRead: "meters_read",
    /// Those among them of whose readings one is not measured.
    MetersEstimated: "meters_estimated",
    /// Meters that were there when the slot began, and did not measure it.
    MetersMissing: "meters_missing",
    /// Readings that came after the final settlement, and are in no other figure.
    ReadLate: "readings_after_final",
    /// Certificates issued for export.
    CertifiedExport: "certified_export_wh",
    /// Certificates issued for the producers' own consumption.
    CertifiedOwn: "certified_self_consumption_wh",
    /// What of all certificates is held.
    Held: "certificates_held_wh",
    /// What of them is claimed.
    Retired: "certificates_retired_wh",
    /// What of them is in national certificates.
    Bundled: "certificates_bundled_wh",
    /// What of them expired.
    Expired: "certificates_expired_wh",
    /// What of them is void, because they were withdrawn.
    Voided: "certificates_withdrawn_wh",
    /// Paid for delivered energy.
    EnergyPaid: "energy_yuan",
    /// Paid for wheeling.
    WheelingPaid: "wheeling_yuan",
    /// Paid for room on full edges.
    CongestionPaid: "congestion_yuan",
    /// Paid to the market.
    FeePaid: "fee_yuan",
    /// Paid for deviations.
    DeviationPaid: "deviation_yuan",
    /// Paid for import at the retail tariff.
    RetailPaid: "retail_yuan",
    /// Paid for export at the feed-in tariff.
    FeedInPaid: "feed_in_yuan",
}

/// The figures of one slot, or of many together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures([i128; COLUMNS.len()]);

/// An amount with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Whole Wh, or a count.
    Whole(i128),
    /// Money.
    Yuan(Worth),
}

impl Default for Figures {
    fn default() -> Figures {
        Figures([0; COLUMNS.len()])
    }
}

impl Figures {
    pub(super) fn add(&mut self, figure: Figure, more: impl Into<i128>) {
        self.0[figure as usize] += more.into();
    }

    pub(super) fn add_all(&mut self, other: &Figures) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
    }

    pub(super) fn get(&self, figure: Figure) -> i128 {
        self.0[figure as usize]
    }

    /// Returns every figure with its column, in the columns' order.
    pub(super) fn columns(&self) -> impl Iterator<Item = (&'static str, Amount)> {
        COLUMNS.iter().zip(self.0).map(|(&column, value)| {
            let is_money = column.ends_with("_yuan");
            (column, if is_money { Amount::Yuan(Worth(value)) } else { Amount::Whole(value) })
        })
    }
}

impl Serialize for Figures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(COLUMNS.len()))?;
        for (column, amount) in self.columns() {
            map.serialize_entry(column, &amount)?;
        }
        map.end()
    }
}

/// Money is text, so that no reader makes a float of it.
impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Amount::Whole(number) => serializer.serialize_i128(*number),
            Amount::Yuan(worth) => serializer.collect_str(&Decimal(*worth)),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Amount::Whole(number) => number.fmt(f),
            Amount::Yuan(worth) => Decimal(*worth).fmt(f),
        }
    }
}
