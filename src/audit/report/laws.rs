//! Laws: sums that must agree, each computed in two ways.
//!
//! Knows what each law says, and adds its two sides up; does not know how they are computed.
//! Keeps: what differs in one place is never made good by what differs in another.

use std::fmt;

use parkwatt_engine::{Slot, Timestamp, Worth};
use serde::Serialize;

use super::{figures::Amount, rows::Moment};

/// How many places are named in which a law does not hold.
const NAMED_MAX: usize = 20;
/// How many of them a sentence names.
const SAID_MAX: usize = 3;

/// How the two sides of a law must stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Relation {
    /// The left side is the right one.
    #[serde(rename = "=")]
    Equal,
    /// The left side is at most the right one.
    #[serde(rename = "<=")]
    AtMost,
}

/// The unit of both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Unit {
    /// Energy.
    Wh,
    /// Money.
    #[serde(rename = "yuan")]
    Yuan,
}

/// What a law says.
struct Words {
    name: &'static str,
    unit: Unit,
    left: &'static str,
    relation: Relation,
    right: &'static str,
}

/// Declares the laws with what they say.
macro_rules! laws {
    ($($law:ident: $name:literal $unit:ident, $left:literal $relation:ident $right:literal;)*) => {
        /// A law; what it says is in `LAWS`.
        #[derive(Clone, Copy, Debug)]
        pub(super) enum Law { $($law,)* }

        /// What each law says, in their order.
        const LAWS: &[Words] = &[$(Words {
            name: $name,
            unit: Unit::$unit,
            left: $left,
            relation: Relation::$relation,
            right: $right,
        }),*];
    };
}

laws! {
    Bought: "bought" Wh, "traded" Equal "bought";
    Sold: "sold" Wh, "traded" Equal "sold";
    Cleared: "cleared" Wh, "traded in auctions" Equal "cleared by their results";
    Settled: "settled" Wh, "traded in settled slots" Equal "delivered, and both sides' deviations";
    Exported: "exported" Wh, "exported" Equal "delivered by who was read, and fed in";
    Imported: "imported" Wh, "imported" Equal "delivered to who was read, and residual";
    ExportRegisters: "export registers" Wh, "exported, slot by slot" Equal "last register less first";
    ImportRegisters: "import registers" Wh, "imported, slot by slot" Equal "last register less first";
    GenerationRegisters: "generation registers" Wh, "generated, slot by slot" Equal "last register less first";
    ImportKept: "import kept" Wh, "imported, as was said" Equal "imported, as the market knows";
    CertifiedExport: "certified export" Wh, "valid certificates of export" AtMost "measured export";
    CertifiedOwn: "certified own consumption" Wh,
        "valid certificates of own consumption" AtMost "measured generation less export";
    Issued: "issued" Wh, "certificates issued" Equal "held, claimed, bundled, expired and withdrawn";
    Held: "held" Wh, "held, by certificates" Equal "held, by holders";
    Retired: "claimed" Wh, "claims less voided ones" Equal "claimed, as the market knows";
    Bundled: "bundled" Wh, "bundled less released and voided" Equal "bundled, as the market knows";
    Expired: "expired" Wh, "expired less voided" Equal "expired, as the market knows";
    Voided: "voided" Wh, "voided parts" Equal "withdrawn certificates, as the market knows";
    Nationals: "national certificates" Wh, "1 MWh each" Equal "what they are made of";
    Claimed: "claims" Wh, "claimed for import" AtMost "metered import";
    Sides: "two sides" Yuan, "posted" Equal "posted from and to whom the rules say";
    Accounts: "all accounts" Yuan, "all accounts together" Equal "nothing";
    Balances: "participants' accounts" Yuan, "participants' balances" Equal "postings to less postings from";
    OwnBalances: "market's own accounts" Yuan, "the market's own balances" Equal "postings to less postings from";
    EnergyPaid: "energy paid" Yuan, "posted" Equal "delivered, at the trades' prices";
    WheelingPaid: "wheeling paid" Yuan, "posted" Equal "delivered, at the paths' charges";
    CongestionPaid: "congestion paid" Yuan, "posted" Equal "delivered, at the trades' rents";
    FeePaid: "fees paid" Yuan, "posted" Equal "delivered, at the market's fee";
    DeviationPaid: "deviations paid" Yuan, "posted" Equal "not delivered, at its share of the prices";
    RetailPaid: "retail paid" Yuan, "posted" Equal "residual import, at the retail tariff";
    FeedInPaid: "feed-in paid" Yuan, "posted" Equal "fed in, at the feed-in tariff";
    Reserved: "reserved" Yuan, "reserved" Equal "what open orders and trades need";
    Bank: "bank" Yuan, "deposits less payouts" Equal "paid in by the bank";
}

/// A law, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name.
    pub check: &'static str,
    /// The unit of its sides.
    pub unit: Unit,
    /// What its left side is.
    pub left_is: &'static str,
    /// Its left side.
    pub left: Amount,
    /// How the sides must stand to each other.
    pub relation: Relation,
    /// What its right side is.
    pub right_is: &'static str,
    /// Its right side.
    pub right: Amount,
    /// The left side less the right one, or, where it may be less, what it is too much; summed over all places.
    pub difference: Amount,
    /// In how many places, such as slots, trades or accounts, there is a difference.
    pub differing: u64,
    /// In how many places it does not hold yet, and a correction or a withdrawal may still settle it: no differences.
    pub open: u64,
    /// The first of both.
    pub first: Vec<Place>,
}

/// A place where a law does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The slot, where it is in one.
    pub slot: Option<u32>,
    /// Of what or whom in it; empty if it is the slot as a whole.
    pub of: String,
    /// The left side.
    pub left: Amount,
    /// The right side.
    pub right: Amount,
    /// The difference; of what is open, what it will be if nobody settles it.
    pub difference: Amount,
    /// Until when it is open, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_until: Option<String>,
}

/// All laws, and how they stand so far.
pub(super) struct Checks(Vec<Check>);

impl Unit {
    fn amount(self, value: i128) -> Amount {
        match self {
            Unit::Wh => Amount::Whole(value),
            Unit::Yuan => Amount::Yuan(Worth(value)),
        }
    }
}

impl Amount {
    pub(super) fn value(self) -> i128 {
        match self {
            Amount::Whole(value) | Amount::Yuan(Worth(value)) => value,
        }
    }
}

impl Default for Checks {
    fn default() -> Checks {
        let check = |words: &Words| {
            let nothing = words.unit.amount(0);
            Check {
                check: words.name,
                unit: words.unit,
                left_is: words.left,
                left: nothing,
                relation: words.relation,
                right_is: words.right,
                right: nothing,
                difference: nothing,
                differing: 0,
                open: 0,
                first: Vec::new(),
            }
        };
        Checks(LAWS.iter().map(check).collect())
    }
}

impl Checks {
    /// Adds the two sides of a law in one place, and notes whether they agree there. `of` says what the place
    /// is, if it must be named.
    pub(super) fn note(
        &mut self,
        law: Law,
        slot: Option<Slot>,
        sides: [i128; 2],
        of: impl FnOnce() -> String,
    ) {
        self.note_until(law, (slot, None), sides, of);
    }

    /// Does the same for a place in which the sides may differ until a moment, if one is given.
    pub(super) fn note_until(
        &mut self,
        law: Law,
        (slot, open_until): (Option<Slot>, Option<Timestamp>),
        [left, right]: [i128; 2],
        of: impl FnOnce() -> String,
    ) {
        let check = &mut self.0[law as usize];
        let amount = |value| check.unit.amount(value);
        let difference = match check.relation {
            Relation::Equal => left - right,
            Relation::AtMost => (left - right).max(0),
        };
        check.left = amount(check.left.value() + left);
        check.right = amount(check.right.value() + right);
        if difference == 0 {
            return;
        }
        if open_until.is_some() {
            check.open += 1;
        } else {
            check.differing += 1;
            check.difference = amount(check.difference.value() + difference);
        }
        if check.first.len() < NAMED_MAX {
            let (slot, of) = (slot.map(|slot| slot.0), of());
            let [left, right, difference] = [left, right, difference].map(amount);
            let open_until = open_until.map(|until| Moment(until).to_string());
            check.first.push(Place { slot, of, left, right, difference, open_until });
        }
    }

    pub(super) fn all(&self) -> &[Check] {
        &self.0
    }

    pub(super) fn into_all(self) -> Vec<Check> {
        self.0
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unit::Wh => "Wh",
            Unit::Yuan => "yuan",
        })
    }
}

/// What the law says.
impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Relation::Equal => "=",
            Relation::AtMost => "<=",
        })
    }
}

/// What does not agree, and where first.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Check { check, unit, left_is, left, right_is, right, difference, differing, first, .. } = self;
        write!(f, "{check}: {left} {unit} {left_is}, {right} {unit} {right_is}; ")?;
        let named = first.iter().filter(|place| place.open_until.is_none()).take(SAID_MAX);
        let named: Vec<String> = named.map(Place::to_string).collect();
        write!(f, "{difference} {unit} of difference: {}", named.join(", "))?;
        match differing - named.len() as u64 {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl Check {
    /// Says what is open, if anything is.
    pub(super) fn what_is_open(&self) -> Option<String> {
        let Check { check, unit, left_is, right_is, open, first, .. } = self;
        let said = |place: &Place| {
            let until = place.open_until.as_ref()?;
            let Place { left, right, .. } = place;
            Some(format!("{place}: {left} {unit} {left_is}, {right} {unit} {right_is}, open until {until}"))
        };
        let said: Vec<String> = first.iter().filter_map(said).take(SAID_MAX).collect();
        let more = match open - said.len() as u64 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let said = said.join("; ");
        (*open > 0).then(|| {
            format!(
                "{check}: {said}{more}. This is no difference yet: a corrected reading, the operator's withdrawal of the \
                 certificate, or the final settlement settles it"
            )
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.slot, self.of.as_str()) {
            (Some(slot), "") => write!(f, "slot {slot}"),
            (Some(slot), of) => write!(f, "slot {slot} ({of})"),
            (None, of) => f.write_str(of),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_in_two_places_do_not_make_each_other_good() {
        let mut checks = Checks::default();
        checks.note(Law::Bought, Some(Slot(7)), [5, 3], String::new);
        checks.note(Law::Bought, Some(Slot(8)), [3, 5], || "ann".into());
        let check = &checks.all()[Law::Bought as usize];
        assert_eq!((check.left, check.right, check.difference), {
            let [left, right, difference] = [8, 8, 0].map(Amount::Whole);
            (left, right, difference)
        });
        assert_eq!(check.differing, 2);
        assert!(check.to_string().ends_with(" 0 Wh of difference: slot 7, slot 8 (ann)"), "{check}");
    }

    #[test]
    fn what_may_be_less_is_too_much_where_it_is_more() {
        let mut checks = Checks::default();
        checks.note(Law::Claimed, None, [3, 5], String::new);
        checks.note(Law::Claimed, None, [9, 5], String::new);
        let check = &checks.all()[Law::Claimed as usize];
        assert_eq!((check.difference, check.differing), (Amount::Whole(4), 1));
    }

    #[test]
    fn what_may_still_be_settled_is_told_apart_from_a_difference() {
        let mut checks = Checks::default();
        let until = Some(Timestamp::from_seconds(86_400));
        checks.note_until(Law::CertifiedExport, (Some(Slot(7)), until), [9, 5], || "roof".into());
        let check = &checks.all()[Law::CertifiedExport as usize];
        assert_eq!((check.difference, check.differing, check.open), (Amount::Whole(0), 0, 1));
        let said = check.what_is_open().unwrap();
        assert!(
            said.contains("slot 7 (roof): 9 Wh") && said.contains("until 1970-01-02T00:00:00Z"),
            "{said}"
        );
        checks.note(Law::CertifiedExport, Some(Slot(8)), [9, 5], String::new);
        let check = &checks.all()[Law::CertifiedExport as usize];
        assert_eq!((check.differing, check.open), (1, 1));
        assert!(check.to_string().ends_with("4 Wh of difference: slot 8"), "{check}");
    }
}
