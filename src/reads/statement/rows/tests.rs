//! Facts of Ann, who buys in slot 7 and sells in slot 8, and the rows that they give.

use parkwatt_engine::Price;

use super::*;

const ANN: u32 = 1;
const EVE: u32 = 2;
const BOB: u32 = 3;
const TARIFF: TariffBand = TariffBand { from_quarter: 0, retail: Price(800_000), feed_in: Price(400_000) };

fn owner(number: u32) -> v1::LedgerAccount {
    v1::LedgerAccount { kind: Some(ledger_account::Kind::Participant(number)) }
}

fn supplier() -> v1::LedgerAccount {
    let kind = ledger_account::Kind::System(v1::SystemAccount::Supplier.into());
    v1::LedgerAccount { kind: Some(kind) }
}

/// Returns a posting of whole and broken yuan; a negative amount is written as the ledger writes it.
fn posted(parties: [v1::LedgerAccount; 2], nanos: i64, purpose: fn(u64) -> Purpose, of: u64) -> Fact {
    let (amount_yuan, amount_nanos) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    let [from, to] = parties.map(Some);
    let amount_nanos = u32::try_from(amount_nanos).unwrap();
    Fact::Posted(v1::Posting { from, to, amount_yuan, amount_nanos, purpose: Some(purpose(of)) })
}

fn made(trade: u64, slot: u32, [buyer, seller]: [u32; 2], energy_wh: u64) -> Fact {
    let (buyer, seller) = (Some(buyer), Some(seller));
    Fact::TradeMade(v1::Trade { id: trade, slot, buyer, seller, energy_wh, ..v1::Trade::default() })
}

/// Returns a delivery of which the seller and the buyer owe so much.
fn delivered(trade: u64, slot: u32, [buyer, seller]: [u32; 2], wh: [u64; 3]) -> Fact {
    let [delivered_wh, seller_deviation_wh, buyer_deviation_wh] = wh;
    let (buyer, seller) = (Some(buyer), Some(seller));
    Fact::TradeDelivered(v1::TradeDelivered {
        trade,
        slot,
        buyer,
        seller,
        delivered_wh,
        seller_deviation_wh,
        buyer_deviation_wh,
        estimated: false,
    })
}

fn metered(slot: u32, [import_wh, export_wh, generation_wh]: [u64; 3]) -> Fact {
    let (participant, quality) = (ANN, 0);
    Fact::Metered(v1::Metered { participant, slot, import_wh, export_wh, generation_wh, quality })
}

fn certificate(slot: u32) -> v1::CertificateId {
    v1::CertificateId { slot, producer: ANN, issue: 1 }
}

fn voided(was: Was, energy_wh: u64) -> Fact {
    let certificate = Some(certificate(8));
    Fact::CertificateVoided(v1::CertificateVoided { certificate, holder: ANN, energy_wh, was: Some(was) })
}

fn energy_of(trade: u64) -> Purpose {
    Purpose::EnergyOfTrade(trade)
}

fn deviation_of(trade: u64) -> Purpose {
    Purpose::DeviationOfTrade(trade)
}

fn retail_in(slot: u64) -> Purpose {
    Purpose::RetailInSlot(u32::try_from(slot).unwrap())
}

fn feed_in_in(slot: u64) -> Purpose {
    Purpose::FeedInInSlot(u32::try_from(slot).unwrap())
}

/// Returns what is recorded about Ann, each fact with when: she draws 12 kWh in slot 7, of which she bought
/// 10, and feeds in 5 of 6 kWh that she sold in slot 8; then slot 7 is corrected to 9 kWh.
fn history() -> Vec<(Timestamp, Fact)> {
    let [buys, sells] = [[ANN, EVE], [BOB, ANN]];
    let [behind_7, behind_8] = [7, 8].map(|slot| Slot(slot).end().0 + 60_000_000);
    let at = |at: u64, facts: Vec<Fact>| facts.into_iter().map(move |fact| (Timestamp(at), fact));
    at(1, vec![posted([supplier(), owner(ANN)], 100_000_000_000, |_| Purpose::Deposit(v1::Done {}), 0)])
        .chain(at(2, vec![made(70, 7, buys, 10_000), made(80, 8, sells, 6_000)]))
        .chain(at(
            behind_7,
            vec![
                metered(7, [12_000, 0, 0]),
                delivered(70, 7, buys, [10_000, 0, 0]),
                posted([owner(ANN), owner(EVE)], 5_000_000_000, energy_of, 70),
                posted([owner(ANN), supplier()], 1_600_000_000, retail_in, 7),
            ],
        ))
        .chain(at(
            behind_8,
            vec![
                metered(8, [0, 5_000, 5_500]),
                delivered(80, 8, sells, [5_000, 1_000, 0]),
                posted([owner(BOB), owner(ANN)], 2_500_000_000, energy_of, 80),
                posted([owner(ANN), supplier()], 50_000_001, deviation_of, 80),
            ],
        ))
        .chain(at(
            behind_8 + 1,
            vec![
                metered(7, [9_000, 0, 0]),
                delivered(70, 7, buys, [9_000, 0, 1_000]),
                posted([owner(ANN), owner(EVE)], -500_000_000, energy_of, 70),
                posted([owner(ANN), supplier()], 50_000_000, deviation_of, 70),
                posted([owner(ANN), supplier()], -1_600_000_000, retail_in, 7),
            ],
        ))
        .chain(at(behind_8 + 2, vec![metered(8, [0, 5_000, 6_000])]))
        .collect()
}

/// Returns the rows of what is recorded from `from` on and before `until`, each earlier statement looked up
/// in the history.
fn rows(history: &[(Timestamp, Fact)], from: Timestamp, until: Timestamp) -> Finished {
    let mut rows = Rows::new(ANN, from);
    for (index, (at, fact)) in (0..).zip(history) {
        if (from..until).contains(at) {
            rows.take((index, at.0), fact, |subject| Ok(stated_before(history, from, subject))).unwrap();
        }
    }
    rows.finish(|_| TARIFF)
}

fn stated_before(history: &[(Timestamp, Fact)], from: Timestamp, subject: Subject) -> Option<Fact> {
    let is_it = |fact: &Fact| match (fact, subject) {
        (Fact::TradeDelivered(it), Subject::Delivery { trade }) => it.trade == trade,
        (Fact::Metered(it), Subject::Metered { slot }) => it.slot == slot,
        _ => false,
    };
    history.iter().rfind(|(at, fact)| *at < from && is_it(fact)).map(|(_, fact)| fact.clone())
}

fn whole(history: &[(Timestamp, Fact)]) -> Finished {
    rows(history, Timestamp(0), Timestamp(u64::MAX))
}

#[track_caller]
fn check(figures: &Figures, expected: &[(Column, i128)]) {
    let mut all = Figures::default();
    for (column, figure) in expected {
        all.add(*column, *figure);
    }
    assert_eq!(*figures, all);
}

#[test]
fn a_row_says_what_a_slot_was_and_what_it_would_have_been() {
    use Column::*;

    let finished = whole(&history());
    check(
        &finished.slots[&7],
        &[
            (Bought, 10_000),
            (DeliveredAsBuyer, 9_000),
            (Deviation, 1_000),
            (Import, 9_000),
            (Energy, -4_500_000_000),
            (DeviationCharge, -50_000_000),
            // 9 kWh at retail.
            (WithoutMarket, -7_200_000_000),
        ],
    );
    check(
        &finished.slots[&8],
        &[
            (Sold, 6_000),
            (DeliveredAsSeller, 5_000),
            (Deviation, 1_000),
            (Export, 5_000),
            (Generation, 6_000),
            (Energy, 2_500_000_000),
            (DeviationCharge, -50_000_001),
            // 5 kWh at the feed-in tariff.
            (WithoutMarket, 2_000_000_000),
        ],
    );
    let message = finished.slots[&8].message().unwrap();
    assert_eq!((message.amount_yuan.as_str(), message.gain_yuan.as_str()), ("2.449999999", "0.449999999"));
    assert_eq!((finished.paid, finished.payments.len()), (100_000_000_000, 1));
    let payment = &finished.payments[0];
    assert_eq!((payment.kind(), payment.amount_yuan.as_str()), (PaymentKind::Deposit, "100.000000000"));
}

#[test]
fn before_settlement_nothing_is_compared() {
    let history = history();
    let metered_only: Vec<_> =
        history.into_iter().filter(|(_, fact)| matches!(fact, Fact::Metered(_))).collect();
    let row = whole(&metered_only).slots[&7];
    check(&row, &[(Column::Import, 9_000)]);
}

#[test]
fn where_a_reading_is_missing_what_was_delivered_counts_as_metered() {
    let estimated = [
        delivered(70, 7, [ANN, EVE], [10_000, 0, 0]),
        posted([owner(ANN), owner(EVE)], 5_000_000_000, energy_of, 70),
    ];
    let mut history: Vec<_> = estimated.into_iter().map(|fact| (Timestamp(1), fact)).collect();
    // 10 kWh at retail.
    assert_eq!(whole(&history).slots[&7].get(Column::WithoutMarket), -8_000_000_000);
    // The reading comes late, with 12 kWh.
    history.push((Timestamp(2), metered(7, [12_000, 0, 0])));
    history.push((Timestamp(2), posted([owner(ANN), supplier()], 1_600_000_000, retail_in, 7)));
    assert_eq!(whole(&history).slots[&7].get(Column::WithoutMarket), -9_600_000_000);
}

#[test]
fn periods_that_follow_each_other_sum_to_the_whole() {
    let history = history();
    let whole = whole(&history);
    for (cut, _) in &history {
        let parts = [rows(&history, Timestamp(0), *cut), rows(&history, *cut, Timestamp(u64::MAX))];
        let mut sums: BTreeMap<u32, Figures> = BTreeMap::new();
        for (slot, figures) in parts.iter().flat_map(|part| &part.slots) {
            let sum = sums.entry(*slot).or_default();
            *sum = sum.plus(figures);
        }
        assert_eq!(sums, whole.slots, "cut at {cut}");
        assert_eq!(parts[0].paid + parts[1].paid, whole.paid);
    }
}

#[test]
fn a_correction_after_the_period_is_a_difference_of_the_next_one() {
    use Column::*;

    let history = history();
    let corrected_at = history[11].0;
    let finished = rows(&history, corrected_at, Timestamp(corrected_at.0 + 1));
    assert_eq!(finished.slots.keys().collect::<Vec<_>>(), [&7]);
    check(
        &finished.slots[&7],
        &[
            (DeliveredAsBuyer, -1_000),
            (Deviation, 1_000),
            (Import, -3_000),
            (Energy, 500_000_000),
            (DeviationCharge, -50_000_000),
            (Retail, 1_600_000_000),
            // 3 kWh less at retail.
            (WithoutMarket, 2_400_000_000),
        ],
    );
}

#[test]
fn what_is_held_is_what_came_less_what_became_of_it() {
    use Column::*;

    let holder = ANN;
    let certificate = Some(certificate(8));
    let gec = Some(v1::GecId { index: 40, position: 0 });
    let facts = [
        Fact::CertificateIssued(v1::CertificateIssued {
            certificate,
            energy_wh: 100,
            ..v1::CertificateIssued::default()
        }),
        Fact::CertificateSliced(v1::CertificateSliced {
            certificate,
            from: ANN,
            to: BOB,
            energy_wh: 30,
            trade: 80,
        }),
        Fact::CertificateTransferred(v1::CertificateTransferred {
            certificate,
            from: BOB,
            to: ANN,
            energy_wh: 4,
        }),
        Fact::CertificateRetired(v1::CertificateRetired {
            certificate,
            holder,
            energy_wh: 20,
            ..v1::CertificateRetired::default()
        }),
        Fact::CertificateBundled(v1::CertificateBundled { certificate, holder, energy_wh: 15, gec }),
        Fact::CertificateReleased(v1::CertificateReleased { certificate, holder, energy_wh: 3, gec }),
        Fact::CertificateExpired(v1::CertificateExpired { certificate, holder, energy_wh: 7 }),
        voided(Was::Held(v1::Done {}), 1),
        voided(Was::Retirement(9), 5),
        voided(Was::Gec(v1::GecId::default()), 2),
        voided(Was::Expired(v1::Done {}), 6),
        // Not hers: the index shows her nothing of it, and she would count nothing.
        Fact::CertificateExpired(v1::CertificateExpired { certificate, holder: BOB, energy_wh: 9 }),
    ];
    let history: Vec<_> = facts.into_iter().map(|fact| (Timestamp(1), fact)).collect();
    check(
        &whole(&history).slots[&8],
        &[
            (Issued, 100),
            (Received, 4),
            (PassedOn, 30),
            (Retired, 15),
            (Bundled, 10),
            (Expired, 1),
            (Voided, 14),
        ],
    );
}

#[test]
fn what_is_paid_for_a_trade_of_which_nothing_is_known_is_no_row() {
    let orphan = posted([owner(ANN), owner(EVE)], 1, energy_of, 70);
    let refused = Rows::new(ANN, Timestamp(0)).take((9, 1), &orphan, |_| Ok(None)).unwrap_err();
    assert!(refused.to_string().contains("leaf 9 pays for trade 70"), "{refused}");
}

#[test]
fn feed_in_is_paid_to_the_participant() {
    let history = [(Timestamp(1), posted([supplier(), owner(ANN)], 800_000_000, feed_in_in, 8))];
    let row = whole(&history).slots[&8];
    check(&row, &[(Column::FeedIn, 800_000_000), (Column::WithoutMarket, 800_000_000)]);
}
