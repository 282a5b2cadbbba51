//! Statements: a participant's period, read from the node part by part, and added up again.
//!
//! Knows which columns sum to what; does not know tariffs or readings.
//! Keeps: a statement that does not add up is none.

use parkwatt_proto::v1::{
    PaymentKind, SlotStatement, StatementFigures, StatementPart, StatementPayment, StatementTotals,
    statement_part::Kind,
};

/// The decimals of an amount.
const DECIMALS: usize = 9;

/// A participant's statement of a period.
///
/// Amounts are changes of the account in 1e-9 yuan, negative where it pays. What was stated again in the
/// period counts as a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// His number.
    pub participant: u32,
    /// His name tag.
    pub name: String,
    /// The period's first moment, in microseconds since 1970.
    pub from_micros: u64,
    /// The first moment behind it.
    pub until_micros: u64,
    /// How many leaves the ledger had for it.
    pub tree_size: u64,
    /// The balance at the period's beginning, in 1e-9 yuan.
    pub opening_nanos: i128,
    /// The balance at its end, or at the ledger's, in 1e-9 yuan.
    pub closing_nanos: i128,
    /// The slots about which something was recorded, in order.
    pub slots: Vec<(u32, Figures)>,
    /// The payments, in order.
    pub payments: Vec<Payment>,
    /// The sums of the slots' figures.
    pub figures: Figures,
}

/// Money paid in or out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The index of its leaf.
    pub leaf_index: u64,
    /// When it was recorded, in microseconds since 1970.
    pub at_micros: u64,
    /// Why.
    pub kind: PaymentKind,
    /// The change of the account, in 1e-9 yuan.
    pub nanos: i128,
}

/// A column of a statement; [`Column::name`] says what it is and its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the contract explains each under its name")]
pub enum Column {
    Bought,
    Sold,
    DeliveredAsBuyer,
    DeliveredAsSeller,
    Deviation,
    Import,
    Export,
    Generation,
    Energy,
    Wheeling,
    Congestion,
    Fee,
    DeviationCharge,
    Retail,
    FeedIn,
    Amount,
    WithoutMarket,
    Gain,
    Issued,
    Received,
    PassedOn,
    Retired,
    Bundled,
    Expired,
    Voided,
}

impl Column {
    /// Every column, in the contract's order.
    pub const ALL: [Column; 25] = [
        Column::Bought,
        Column::Sold,
        Column::DeliveredAsBuyer,
        Column::DeliveredAsSeller,
        Column::Deviation,
        Column::Import,
        Column::Export,
        Column::Generation,
        Column::Energy,
        Column::Wheeling,
        Column::Congestion,
        Column::Fee,
        Column::DeviationCharge,
        Column::Retail,
        Column::FeedIn,
        Column::Amount,
        Column::WithoutMarket,
        Column::Gain,
        Column::Issued,
        Column::Received,
        Column::PassedOn,
        Column::Retired,
        Column::Bundled,
        Column::Expired,
        Column::Voided,
    ];

    /// The columns that sum to [`Column::Amount`].
    const AMOUNTS: [Column; 7] = [
        Column::Energy,
        Column::Wheeling,
        Column::Congestion,
        Column::Fee,
        Column::DeviationCharge,
        Column::Retail,
        Column::FeedIn,
    ];

    /// Returns its name in the contract, with its unit last.
    pub fn name(self) -> &'static str {
        match self {
            Column::Bought => "bought_wh",
            Column::Sold => "sold_wh",
            Column::DeliveredAsBuyer => "delivered_as_buyer_wh",
            Column::DeliveredAsSeller => "delivered_as_seller_wh",
            Column::Deviation => "deviation_wh",
            Column::Import => "import_wh",
            Column::Export => "export_wh",
            Column::Generation => "generation_wh",
            Column::Energy => "energy_yuan",
            Column::Wheeling => "wheeling_yuan",
            Column::Congestion => "congestion_yuan",
            Column::Fee => "fee_yuan",
            Column::DeviationCharge => "deviation_yuan",
            Column::Retail => "retail_yuan",
            Column::FeedIn => "feed_in_yuan",
            Column::Amount => "amount_yuan",
            Column::WithoutMarket => "without_market_yuan",
            Column::Gain => "gain_yuan",
            Column::Issued => "certificates_issued_wh",
            Column::Received => "certificates_received_wh",
            Column::PassedOn => "certificates_passed_on_wh",
            Column::Retired => "certificates_retired_wh",
            Column::Bundled => "certificates_bundled_wh",
            Column::Expired => "certificates_expired_wh",
            Column::Voided => "certificates_voided_wh",
        }
    }

    /// Returns whether it counts 1e-9 yuan; else it counts Wh.
    pub fn is_money(self) -> bool {
        self.name().ends_with("_yuan")
    }
}

/// A row's figures: Wh, and 1e-9 yuan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures([i128; Column::ALL.len()]);

impl Figures {
    /// Returns one figure.
    pub fn get(&self, column: Column) -> i128 {
        self.0[column as usize]
    }

    /// Returns the sums.
    #[must_use]
    pub fn plus(&self, other: &Figures) -> Figures {
        let mut sums = *self;
        for (sum, figure) in sums.0.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(figure);
        }
        sums
    }

    /// Returns what was drawn from the grid beyond what trades delivered, in Wh.
    pub fn grid_import(&self) -> i128 {
        self.get(Column::Import) - self.get(Column::DeliveredAsBuyer)
    }

    /// Returns what was fed in beyond what trades delivered, in Wh.
    pub fn grid_export(&self) -> i128 {
        self.get(Column::Export) - self.get(Column::DeliveredAsSeller)
    }

    /// Returns by how much the certificates that are held changed, in Wh.
    pub fn held(&self) -> i128 {
        let gone = [Column::PassedOn, Column::Retired, Column::Bundled, Column::Expired, Column::Voided];
        let gone: i128 = gone.into_iter().map(|column| self.get(column)).sum();
        self.get(Column::Issued) + self.get(Column::Received) - gone
    }

    /// Returns the figures of a message; none where an amount is no decimal yuan.
    fn read(it: &StatementFigures) -> Option<Figures> {
        Some(Figures([
            it.bought_wh.into(),
            it.sold_wh.into(),
            it.delivered_as_buyer_wh.into(),
            it.delivered_as_seller_wh.into(),
            it.deviation_wh.into(),
            it.import_wh.into(),
            it.export_wh.into(),
            it.generation_wh.into(),
            nanos(&it.energy_yuan)?,
            nanos(&it.wheeling_yuan)?,
            nanos(&it.congestion_yuan)?,
            nanos(&it.fee_yuan)?,
            nanos(&it.deviation_yuan)?,
            nanos(&it.retail_yuan)?,
            nanos(&it.feed_in_yuan)?,
            nanos(&it.amount_yuan)?,
            nanos(&it.without_market_yuan)?,
            nanos(&it.gain_yuan)?,
            it.certificates_issued_wh.into(),
            it.certificates_received_wh.into(),
            it.certificates_passed_on_wh.into(),
            it.certificates_retired_wh.into(),
            it.certificates_bundled_wh.into(),
            it.certificates_expired_wh.into(),
            it.certificates_voided_wh.into(),
        ]))
    }

    /// Checks that a row adds up, or says what does not.
    fn check(&self, whose: &str) -> Result<(), String> {
        let amounts = Column::AMOUNTS.into_iter().map(|column| self.get(column)).sum();
        must_be(&format!("the amounts of {whose}"), amounts, "amount_yuan", self.get(Column::Amount))?;
        let gain = self.get(Column::Amount) - self.get(Column::WithoutMarket);
        must_be(&format!("the comparison of {whose}"), gain, "gain_yuan", self.get(Column::Gain))
    }
}

/// What is wrong with a node's statement.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Something is missing, or cannot be read.
    Lacks(&'static str),
    /// It does not add up.
    Contradicts(String),
}

/// A statement of which parts have come.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    slots: Vec<(u32, Figures)>,
    payments: Vec<Payment>,
    totals: Option<StatementTotals>,
}

impl Parts {
    /// Takes the next part.
    pub(crate) fn take(&mut self, part: StatementPart) -> Result<(), Flaw> {
        match part.kind {
            _ if self.totals.is_some() => {
                return Err(Flaw::Contradicts("something stands behind its totals".to_owned()));
            }
            Some(Kind::Slot(SlotStatement { slot, figures: Some(figures) })) => {
                let figures = Figures::read(&figures).ok_or(UNREADABLE)?;
                figures.check(&format!("slot {slot}")).map_err(Flaw::Contradicts)?;
                self.slots.push((slot, figures));
            }
            Some(Kind::Payment(it)) => self.payments.push(Payment::read(&it).ok_or(UNREADABLE)?),
            Some(Kind::Totals(totals)) => self.totals = Some(totals),
            Some(Kind::Slot(_)) | None => return Err(Flaw::Lacks("a slot's figures")),
        }
        Ok(())
    }

    /// Returns the statement, if it is whole and adds up.
    pub(crate) fn finish(self) -> Result<Statement, Flaw> {
        let Parts { slots, payments, totals } = self;
        let totals = totals.ok_or(Flaw::Lacks("a statement's totals"))?;
        let figures = totals.figures.as_ref().and_then(Figures::read).ok_or(UNREADABLE)?;
        let opening = nanos(&totals.opening_balance_yuan).ok_or(UNREADABLE)?;
        let closing = nanos(&totals.closing_balance_yuan).ok_or(UNREADABLE)?;
        let paid = nanos(&totals.payments_yuan).ok_or(UNREADABLE)?;
        check_totals(&slots, &payments, &figures, [opening, closing, paid]).map_err(Flaw::Contradicts)?;
        Ok(Statement {
            participant: totals.participant,
            name: totals.name,
            from_micros: totals.from_micros,
            until_micros: totals.until_micros,
            tree_size: totals.tree_size,
            opening_nanos: opening,
            closing_nanos: closing,
            slots,
            payments,
            figures,
        })
    }
}

const UNREADABLE: Flaw = Flaw::Lacks("an amount in decimal yuan");

impl Payment {
    fn read(it: &StatementPayment) -> Option<Payment> {
        let nanos = nanos(&it.amount_yuan)?;
        Some(Payment { leaf_index: it.leaf_index, at_micros: it.at_micros, kind: it.kind(), nanos })
    }
}

/// Checks that rows sum to totals, and that the balances differ by what the rows and the payments move.
fn check_totals(
    slots: &[(u32, Figures)],
    payments: &[Payment],
    totals: &Figures,
    [opening, closing, paid]: [i128; 3],
) -> Result<(), String> {
    let sums = slots.iter().fold(Figures::default(), |sums, (_, figures)| sums.plus(figures));
    for column in Column::ALL {
        let what = format!("{} of all slots", column.name());
        must_be(&what, sums.get(column), "the total", totals.get(column))?;
    }
    let payments = payments.iter().fold(0_i128, |sum, payment| sum.saturating_add(payment.nanos));
    must_be("the payments", payments, "payments_yuan", paid)?;
    let end = opening.saturating_add(sums.get(Column::Amount)).saturating_add(payments);
    must_be("the opening balance with all rows", end, "the closing balance", closing)
}

/// Checks that a sum is what a statement says; amounts are told in 1e-9 yuan, and energies in Wh.
fn must_be(what: &str, sum: i128, name: &str, said: i128) -> Result<(), String> {
    if sum == said {
        return Ok(());
    }
    Err(format!("{what} sum to {sum}, and {name} says {said} (1e-9 yuan, or Wh)"))
}

/// Returns the 1e-9 yuan that the contract writes as decimal yuan with nine decimals.
fn nanos(text: &str) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.')?;
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if fraction.len() != DECIMALS || !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    format!("{whole}{fraction}").parse::<i128>().ok().map(|nanos| sign * nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zero() -> StatementFigures {
        let nothing = || "0.000000000".to_owned();
        StatementFigures {
            energy_yuan: nothing(),
            wheeling_yuan: nothing(),
            congestion_yuan: nothing(),
            fee_yuan: nothing(),
            deviation_yuan: nothing(),
            retail_yuan: nothing(),
            feed_in_yuan: nothing(),
            amount_yuan: nothing(),
            without_market_yuan: nothing(),
            gain_yuan: nothing(),
            ..StatementFigures::default()
        }
    }

    /// Returns figures of 1 kWh that was bought and cost 0.5 yuan, where retail costs 0.8.
    fn bought() -> StatementFigures {
        StatementFigures {
            bought_wh: 1_000,
            delivered_as_buyer_wh: 1_000,
            import_wh: 1_500,
            energy_yuan: "-0.500000001".to_owned(),
            amount_yuan: "-0.500000001".to_owned(),
            without_market_yuan: "-0.800000000".to_owned(),
            gain_yuan: "0.299999999".to_owned(),
            ..zero()
        }
    }

    fn slot(figures: StatementFigures) -> Kind {
        Kind::Slot(SlotStatement { slot: 7, figures: Some(figures) })
    }

    fn paid(amount: &str) -> Kind {
        let amount_yuan = amount.to_owned();
        let kind = PaymentKind::Deposit.into();
        Kind::Payment(StatementPayment { leaf_index: 3, at_micros: 4, kind, amount_yuan })
    }

    fn totals(figures: StatementFigures, balances: [&str; 3]) -> Kind {
        let [opening_balance_yuan, closing_balance_yuan, payments_yuan] = balances.map(str::to_owned);
        Kind::Totals(StatementTotals {
            opening_balance_yuan,
            closing_balance_yuan,
            payments_yuan,
            figures: Some(figures),
            ..StatementTotals::default()
        })
    }

    fn read(kinds: Vec<Kind>) -> Result<Statement, Flaw> {
        let mut parts = Parts::default();
        for kind in kinds {
            parts.take(StatementPart { kind: Some(kind) })?;
        }
        parts.finish()
    }

    const BALANCES: [&str; 3] = ["1.000000000", "2.499999999", "2.000000000"];

    #[test]
    fn a_statement_that_adds_up_is_one() {
        let kinds = vec![slot(bought()), paid("2.000000000"), totals(bought(), BALANCES)];
        let statement = read(kinds).unwrap();
        assert_eq!((statement.opening_nanos, statement.closing_nanos), (1_000_000_000, 2_499_999_999));
        let figures = statement.slots[0].1;
        assert_eq!((figures.get(Column::Gain), figures.grid_import()), (299_999_999, 500));
        assert_eq!(statement.figures, figures);
        assert_eq!(statement.payments[0].nanos, 2_000_000_000);
    }

    #[test]
    fn what_does_not_add_up_is_told() {
        let off = |change: fn(&mut StatementFigures)| {
            let mut figures = bought();
            change(&mut figures);
            figures
        };
        let fee = off(|it| it.fee_yuan = "0.000000001".to_owned());
        let gain = off(|it| it.gain_yuan = "0.300000000".to_owned());
        let import = off(|it| it.import_wh = 1_499);
        let ends = |figures, balances| vec![slot(bought()), paid("2.000000000"), totals(figures, balances)];
        for (kinds, words) in [
            (vec![slot(fee)], "the amounts of slot 7 sum to -500000000, and amount_yuan says -500000001"),
            (vec![slot(gain)], "the comparison of slot 7"),
            (ends(import, BALANCES), "import_wh of all slots sum to 1500, and the total says 1499"),
            (ends(bought(), [BALANCES[0], BALANCES[1], "2.000000001"]), "the payments"),
            (
                ends(bought(), [BALANCES[0], "2.500000000", BALANCES[2]]),
                "the closing balance says 2500000000",
            ),
            (vec![totals(zero(), BALANCES), slot(bought())], "behind its totals"),
        ] {
            let flaw = read(kinds).unwrap_err();
            assert!(matches!(&flaw, Flaw::Contradicts(said) if said.contains(words)), "{words}: {flaw:?}");
        }
    }

    #[test]
    fn what_is_cut_off_or_no_amount_is_no_statement() {
        let lacks = |kinds| match read(kinds).unwrap_err() {
            Flaw::Lacks(what) => what,
            flaw @ Flaw::Contradicts(_) => panic!("{flaw:?}"),
        };
        assert_eq!(lacks(vec![slot(bought())]), "a statement's totals");
        assert_eq!(lacks(vec![Kind::Slot(SlotStatement { slot: 7, figures: None })]), "a slot's figures");
        for amount in ["", "1", "1.0", "1.0000000000", "+1.000000000", "1.00000000x", ".000000000", "1e3"] {
            assert_eq!(lacks(vec![paid(amount)]), "an amount in decimal yuan", "{amount}");
        }
    }
}
