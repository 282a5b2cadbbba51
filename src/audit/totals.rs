//! Totals: what was traded, paid and certified, summed over a market's whole life.
//!
//! Knows events and what the engine holds at the end; does not know leaves. Decides nothing:
//! [`Totals::contradictions`] says which sums do not agree.

use std::collections::BTreeMap;

use parkwatt_engine::{self as engine, CertificateUse, Event, Phase, Purpose, Slot, TradeId};
use serde::{Serialize, Serializer};

/// What a national certificate holds.
const GEC_WH: u128 = 1_000_000;

/// What happened in a market.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Participants who were enrolled.
    pub participants: u64,
    /// Trades.
    pub trades: u64,
    /// Energy traded, in Wh.
    pub traded_wh: u128,
    /// Energy of these trades that was delivered, in Wh, as the last settlement of each computed it.
    pub delivered_wh: u128,
    /// Moves of money.
    pub postings: u64,
    /// Money that was paid in, as a decimal number.
    #[serde(serialize_with = "decimal")]
    pub deposited: engine::Worth,
    /// Money that was paid out, as a decimal number.
    #[serde(serialize_with = "decimal")]
    pub paid_out: engine::Worth,
    /// What emptied accounts had beside whole fen, as a decimal number; negative where they were given it.
    #[serde(serialize_with = "decimal")]
    pub rounded: engine::Worth,
    /// Money that was moved by settlements and resettlements, whichever way, as a decimal number.
    #[serde(serialize_with = "decimal")]
    pub settled: engine::Worth,
    /// Money that was paid for room on full edges, as a decimal number.
    #[serde(serialize_with = "decimal")]
    pub congestion: engine::Worth,
    /// What the congestion account holds at the end, as a decimal number; it must be what was paid.
    #[serde(serialize_with = "decimal")]
    pub congestion_account: engine::Worth,
    /// The sum over all accounts, as a decimal number; it must be zero.
    #[serde(serialize_with = "decimal")]
    pub accounts_sum: engine::Worth,
    /// Certificates that were issued.
    pub certificates: u64,
    /// Their energy, in Wh.
    pub issued_wh: u128,
    /// What of it is held at the end, in Wh.
    pub held_wh: u128,
    /// What of it was retired, in Wh.
    pub retired_wh: u128,
    /// What of it is in national certificates, in Wh.
    pub bundled_wh: u128,
    /// What of it expired, in Wh.
    pub expired_wh: u128,
    /// What of it is void, because its certificate was withdrawn, in Wh.
    pub voided_wh: u128,
    /// The energy of the certificates that were withdrawn, in Wh; it must be what is void.
    pub withdrawn_wh: u128,
    /// National certificates that are not void.
    pub gecs: u64,
    /// What was delivered last of trades whose settlement is not final.
    #[serde(skip)]
    deliveries: Deliveries,
}

/// What was delivered last of each trade whose settlement is not final, in Wh.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Deliveries {
    by_trade: BTreeMap<TradeId, u64>,
    trades_in: BTreeMap<Slot, Vec<TradeId>>,
}

impl Totals {
    /// Adds an event.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::TradeMade(trade) => {
                self.trades += 1;
                self.traded_wh += u128::from(trade.energy.0);
                self.deliveries.by_trade.insert(trade.id, 0);
                self.deliveries.trades_in.entry(trade.slot).or_default().push(trade.id);
            }
            Event::TradeDelivered { trade, delivered, .. } => {
                let before = self.deliveries.by_trade.insert(*trade, delivered.0).unwrap_or_default();
                self.delivered_wh = self.delivered_wh - u128::from(before) + u128::from(delivered.0);
            }
            Event::PhaseBegan { slot, phase: Phase::Final } => {
                for trade in self.deliveries.trades_in.remove(slot).unwrap_or_default() {
                    self.deliveries.by_trade.remove(&trade);
                }
            }
            Event::Posted(posting) => self.observe_posting(posting),
            Event::PhaseBegan { .. }
            | Event::AuctionCleared(_)
            | Event::OrderLapsed { .. }
            | Event::Metered { .. } => {}
            Event::CertificateIssued { .. }
            | Event::CertificateSliced { .. }
            | Event::CertificateRetired { .. }
            | Event::CertificateTransferred { .. }
            | Event::GecIssued { .. }
            | Event::CertificateBundled { .. }
            | Event::CertificateExpired { .. }
            | Event::CertificateWithdrawn { .. }
            | Event::CertificateVoided { .. }
            | Event::GecVoided { .. }
            | Event::CertificateReleased { .. } => self.observe_certificate(event),
        }
    }

    fn observe_posting(&mut self, posting: &engine::Posting) {
        self.postings += 1;
        let amount = posting.amount;
        match posting.purpose {
            Purpose::Deposit => self.deposited = self.deposited.plus(amount),
            Purpose::Payout => self.paid_out = self.paid_out.plus(amount),
            Purpose::Rounding => self.rounded = self.rounded.plus(amount),
            _ => self.settled = self.settled.plus(engine::Worth(amount.0.abs())),
        }
        if let Purpose::Congestion(_) = posting.purpose {
            self.congestion = self.congestion.plus(amount);
        }
    }

    fn observe_certificate(&mut self, event: &Event) {
        match event {
            Event::CertificateIssued { energy, .. } => {
                self.certificates += 1;
                self.issued_wh += u128::from(energy.0);
            }
            Event::CertificateRetired { energy, .. } => self.retired_wh += u128::from(energy.0),
            Event::GecIssued { .. } => self.gecs += 1,
            Event::GecVoided { .. } => self.gecs -= 1,
            Event::CertificateBundled { energy, .. } => self.bundled_wh += u128::from(energy.0),
            Event::CertificateReleased { energy, .. } => self.bundled_wh -= u128::from(energy.0),
            Event::CertificateExpired { energy, .. } => self.expired_wh += u128::from(energy.0),
            Event::CertificateWithdrawn { energy, .. } => self.withdrawn_wh += u128::from(energy.0),
            Event::CertificateVoided { energy, was, .. } => {
                let energy_wh = u128::from(energy.0);
                self.voided_wh += energy_wh;
                match was {
                    // What is held is counted at the end.
                    CertificateUse::Held => {}
                    CertificateUse::Retired(_) => self.retired_wh -= energy_wh,
                    CertificateUse::Bundled(_) => self.bundled_wh -= energy_wh,
                    CertificateUse::Expired => self.expired_wh -= energy_wh,
                }
            }
            _ => {}
        }
    }

    /// Adds what the market holds at the end.
    pub fn close(&mut self, market: &engine::Market) {
        let balances = market.accounts().balances();
        self.congestion_account = market.accounts().balance(engine::Account::Congestion).worth();
        self.accounts_sum = balances.fold(engine::Worth::ZERO, |sum, (_, balance)| sum.plus(balance.worth()));
        for id in market.participants().ids() {
            self.participants += 1;
            self.held_wh +=
                market.certificates().held_by(id).map(|(_, energy)| u128::from(energy.0)).sum::<u128>();
        }
    }

    /// Returns which sums do not agree, each as a sentence.
    pub fn contradictions(&self) -> Vec<String> {
        let Totals { traded_wh, delivered_wh, issued_wh, held_wh, retired_wh, .. } = self;
        let Totals { bundled_wh, expired_wh, voided_wh, withdrawn_wh, gecs, .. } = self;
        let (congestion, its_account) = (self.congestion, self.congestion_account);
        let mut found = Vec::new();
        if self.accounts_sum != engine::Worth::ZERO {
            found.push(format!("all accounts together hold {}, not zero", Decimal(self.accounts_sum)));
        }
        if congestion != its_account {
            let (paid, held) = (Decimal(congestion), Decimal(its_account));
            found.push(format!("{paid} were paid for full edges, but the congestion account holds {held}"));
        }
        if delivered_wh > traded_wh {
            found.push(format!("{delivered_wh} Wh were delivered, but only {traded_wh} Wh traded"));
        }
        if *issued_wh != held_wh + retired_wh + bundled_wh + expired_wh + voided_wh {
            found.push(format!(
                "certificates of {issued_wh} Wh were issued, but {held_wh} Wh are held, {retired_wh} Wh retired, \
                 {bundled_wh} Wh bundled, {expired_wh} Wh expired and {voided_wh} Wh void"
            ));
        }
        if withdrawn_wh != voided_wh {
            found.push(format!(
                "certificates of {withdrawn_wh} Wh were withdrawn, but {voided_wh} Wh are void"
            ));
        }
        if *bundled_wh != u128::from(*gecs) * GEC_WH {
            found.push(format!("{gecs} national certificates of 1 MWh hold {bundled_wh} Wh"));
        }
        found
    }
}

/// An amount of money, printed with nine decimals.
#[derive(Clone, Copy)]
pub(super) struct Decimal(pub(super) engine::Worth);

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0.0 < 0 { "-" } else { "" };
        let nanos = self.0.0.unsigned_abs();
        write!(f, "{sign}{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn decimal<S: Serializer>(worth: &engine::Worth, serializer: S) -> Result<S::Ok, S::Error> {
    Decimal(*worth).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::Worth;

    #[test]
    fn money_is_printed_with_its_sign_and_every_decimal() {
        for (nanos, text) in [(0, "0.000000000"), (-1, "-0.000000001"), (12_340_000_000, "12.340000000")] {
            assert_eq!(Decimal(Worth(nanos)).to_string(), text);
        }
    }

    #[test]
    fn what_holds_at_the_end_is_counted_once() {
        let certificate =
            engine::CertificateId { slot: Slot(7), producer: engine::ParticipantId(0), issue: 1 };
        let holder = engine::ParticipantId(1);
        let energy = engine::Energy;
        let index = engine::LeafIndex;
        let gec = engine::GecId { index: index(5), position: 0 };
        let delivered = |wh| Event::TradeDelivered {
            trade: TradeId(index(1)),
            slot: Slot(7),
            buyer: holder,
            seller: engine::ParticipantId(0),
            delivered: energy(wh),
            seller_deviation: energy(0),
            buyer_deviation: energy(0),
            estimated: false,
        };
        let posted = |purpose, nanos| {
            Event::Posted(engine::Posting {
                from: engine::Account::Participant(holder),
                to: engine::Account::Bank,
                amount: Worth(nanos),
                purpose,
            })
        };
        let class = engine::CertificateClass::Exported;
        let voided = |wh, was| Event::CertificateVoided { certificate, holder, energy: energy(wh), was };
        let mut totals = Totals::default();
        for event in [
            delivered(8),
            delivered(5),
            posted(Purpose::Payout, 30),
            posted(Purpose::Rounding, -4),
            posted(Purpose::Energy(TradeId(index(1))), -7),
            Event::CertificateIssued { certificate, energy: energy(100), class },
            Event::GecIssued { gec, holder },
            Event::CertificateBundled { certificate, holder, energy: energy(40), gec },
            Event::CertificateExpired { certificate, holder, energy: energy(30) },
        ] {
            totals.observe(&event);
        }
        assert_eq!(totals.delivered_wh, 5);
        assert_eq!((totals.paid_out, totals.rounded, totals.settled), (Worth(30), Worth(-4), Worth(7)));
        assert_eq!((totals.gecs, totals.bundled_wh, totals.expired_wh, totals.voided_wh), (1, 40, 30, 0));
        for event in [
            Event::CertificateWithdrawn { certificate, energy: energy(100), reason: String::new() },
            voided(30, CertificateUse::Held),
            voided(25, CertificateUse::Bundled(gec)),
            Event::GecVoided { gec, holder },
            Event::CertificateReleased { certificate, holder, energy: energy(15), gec },
            voided(30, CertificateUse::Expired),
        ] {
            totals.observe(&event);
        }
        assert_eq!((totals.gecs, totals.bundled_wh, totals.expired_wh, totals.voided_wh), (0, 0, 0, 85));
        assert_eq!(totals.withdrawn_wh, 100);
    }

    #[test]
    fn sums_that_do_not_agree_are_named() {
        let right = Totals {
            traded_wh: 5,
            delivered_wh: 5,
            issued_wh: 1_000_019,
            held_wh: 3,
            retired_wh: 4,
            bundled_wh: 1_000_000,
            expired_wh: 5,
            voided_wh: 7,
            withdrawn_wh: 7,
            gecs: 1,
            ..Totals::default()
        };
        assert_eq!(right.contradictions(), Vec::<String>::new());
        for (wrong, named) in [
            (Totals { accounts_sum: Worth(1), ..right.clone() }, "accounts"),
            (Totals { congestion: Worth(2), ..right.clone() }, "congestion"),
            (Totals { delivered_wh: 6, ..right.clone() }, "delivered"),
            (Totals { held_wh: 4, ..right.clone() }, "held"),
            (Totals { expired_wh: 6, ..right.clone() }, "expired"),
            (Totals { withdrawn_wh: 6, ..right.clone() }, "withdrawn"),
            (Totals { gecs: 2, ..right.clone() }, "national"),
        ] {
            let found = wrong.contradictions();
            assert!(found.len() == 1 && found[0].contains(named), "{found:?}");
        }
    }
}
