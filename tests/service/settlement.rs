//! What follows a delivery, as those whom it concerns see it: settlement, a correction and its resettlement,
//! certificates until they are withdrawn, tariffs and payouts.

use parkwatt_engine::Slot;
use parkwatt_proto::v1::{
    self, BundleCertificates, CertificateClass, CertificateId, Command, PayOut, Phase, PublishTariffs,
    Quality, Receipt, RetireCertificates, Side, SignedSession, SlotSummary, SubmitReading, TariffBand,
    TransferCertificates, WithdrawCertificate, ZoneCharges, command::Kind, outcome::Kind as Outcome,
    pay_out::Amount,
};
use prost::Message;

use super::{
    market::{LIMIT, Market, NOW_MICROS, Person, SLOT, order, outcome, place},
    node,
};

const DAY: u64 = 86_400_000_000;

/// Hands in a command that does not expire, and returns what became of it.
pub async fn ask(market: &Market, who: &mut Person, kind: Kind) -> Outcome {
    outcome(submit(market, who, kind).await)
}

pub async fn submit(market: &Market, who: &mut Person, kind: Kind) -> Receipt {
    let command = Command { expires_at_micros: u64::MAX, ..who.command(kind) };
    market.connection.submit(who.seal(command.encode_to_vec())).await.unwrap()
}

/// Returns a session that is valid for ten minutes from the market's time on.
pub async fn session(market: &Market, who: &Person) -> SignedSession {
    let now = market.connection.market("").await.unwrap().now_micros;
    who.session("park", i64::try_from((now - NOW_MICROS) / 1_000_000).unwrap() + 600)
}

async fn balance(market: &Market, who: &Person) -> String {
    market.connection.account(&session(market, who).await).await.unwrap().balance_yuan
}

async fn slot(market: &Market) -> SlotSummary {
    market.connection.slots("", SLOT.0, 1).await.unwrap().remove(0)
}

/// Returns what was delivered of the caller's only trade, and both sides' deviations.
async fn delivery(market: &Market, who: &Person) -> [u64; 3] {
    let trades = market.connection.trades(&session(market, who).await, 10).await.unwrap();
    let it = trades[0].delivery.unwrap();
    [it.delivered_wh, it.seller_deviation_wh, it.buyer_deviation_wh]
}

/// Returns the caller's certificates by their issues, the last one first: what is held, claimed and void, and
/// whether it was self-consumed.
async fn certificates(market: &Market, who: &Person) -> Vec<(u32, [u64; 3], bool)> {
    let listed = market.connection.certificates(&session(market, who).await, 10).await.unwrap();
    let row = |it: &v1::CertificateHolding| {
        let uses = [it.held_wh, it.retired_wh, it.voided_wh];
        (it.certificate.unwrap().issue, uses, it.class() == CertificateClass::SelfConsumed)
    };
    listed.holdings.iter().map(row).collect()
}

/// Hands in a measured reading: of import, export and generation.
pub async fn read(market: &Market, meter: &mut Person, slot: Slot, counter: u64, registers: [u64; 3]) {
    let [import_register_wh, export_register_wh, generation_register_wh] = registers;
    let reading = SubmitReading {
        read_at_micros: slot.end().0,
        import_register_wh,
        export_register_wh,
        generation_register_wh,
        counter,
        quality: Quality::Measured.into(),
    };
    let taken = ask(market, meter, Kind::SubmitReading(reading)).await;
    assert!(matches!(taken, Outcome::ReadingTaken(_)), "{taken:?}");
}

/// Returns a market in which Eve sold Ann 1 kWh and delivered it, 0.2 kWh more, and used 0.3 kWh herself.
pub async fn delivered() -> (Market, Person, Person) {
    let mut market = Market::found().await;
    let (mut eve, mut ann) = (market.enrol_trader("eve").await, market.enrol_trader("ann").await);
    for (who, order) in [
        (&mut eve, order(Side::Offer)),
        (&mut ann, v1::NewOrder { limit_price_micros_per_kwh: 2 * LIMIT, ..order(Side::Bid) }),
    ] {
        let placed = ask(&market, who, place(&[order])).await;
        assert!(matches!(placed, Outcome::Placed(_)), "{placed:?}");
    }
    market.connection.advance_to("", SLOT.end().0 + 60_000_000).await.unwrap();
    for (meter, registers) in [(&mut eve.meter(), [0, 1_200, 1_500]), (&mut ann.meter(), [1_000, 0, 0])] {
        read(&market, meter, Slot(SLOT.0 - 1), 1, [0; 3]).await;
        read(&market, meter, SLOT, 2, registers).await;
    }
    (market, eve, ann)
}

/// Hands in the correction that Eve fed in only 0.7 kWh.
pub async fn correct(market: &Market, eve: &Person) {
    let mut meter = eve.meter();
    // Two nonces are used.
    meter.command(Kind::SubmitReading(SubmitReading::default()));
    meter.command(Kind::SubmitReading(SubmitReading::default()));
    read(market, &mut meter, SLOT, 3, [0, 700, 1_500]).await;
}

#[tokio::test]
async fn a_correction_settles_again_and_every_view_follows() {
    let (mut market, eve, ann) = delivered().await;
    let settled = slot(&market).await;
    assert_eq!((settled.phase(), settled.delivered_wh), (Phase::Settled, 1_000));
    assert_eq!(delivery(&market, &ann).await, [1_000, 0, 0]);
    // Eve: 1 kWh at 0.50, 0.2 kWh at the feed-in tariff of 0.391. Ann: 0.05 for wheeling and 0.002 on top.
    assert_eq!(balance(&market, &eve).await, "1000.578200000");
    assert_eq!(balance(&market, &ann).await, "999.448000000");

    correct(&market, &eve).await;
    for again in [false, true] {
        let resettled = slot(&market).await;
        assert_eq!((resettled.phase(), resettled.delivered_wh), (Phase::Resettled, 700));
        assert_eq!(delivery(&market, &ann).await, [700, 300, 0]);
        // Eve: 0.7 kWh, and a tenth of the price for the 0.3 kWh that she lacks. Ann has 0.3 kWh at retail.
        assert_eq!(balance(&market, &eve).await, "1000.335000000");
        assert_eq!(balance(&market, &ann).await, "999.487600000");
        if !again {
            market.kill_and_start_again().await;
        }
    }
    market.connection.advance_to("", SLOT.end().0 + 30 * DAY).await.unwrap();
    assert_eq!(slot(&market).await.phase(), Phase::Final);
    market.node.kill();
    let audited = node::audit("replay", &market.place.data().join("park"));
    assert_eq!(audited.status.code(), Some(0), "{}", String::from_utf8_lossy(&audited.stdout));
}

#[tokio::test]
async fn a_certificate_is_passed_on_claimed_and_void_once_it_is_withdrawn() {
    let (mut market, eve, mut ann) = delivered().await;
    assert_eq!(certificates(&market, &eve).await, [(2, [300, 0, 0], true), (1, [200, 0, 0], false)]);
    assert_eq!(certificates(&market, &ann).await, [(1, [1_000, 0, 0], false)]);

    let transfer = TransferCertificates { slot: SLOT.0, energy_wh: 100, to: "eve".into() };
    let passed_on = ask(&market, &mut ann, Kind::TransferCertificates(transfer)).await;
    assert!(matches!(passed_on, Outcome::Transferred(_)), "{passed_on:?}");
    let claim = RetireCertificates {
        slot: SLOT.0,
        energy_wh: 600,
        consumption_slot: SLOT.0,
        beneficiary: "hall 3".into(),
        ..RetireCertificates::default()
    };
    let receipt = submit(&market, &mut ann, Kind::RetireCertificates(claim)).await;
    assert_eq!(outcome(receipt.clone()), Outcome::Retirement(receipt.leaf_index));
    assert_eq!(certificates(&market, &eve).await, [(2, [300, 0, 0], true), (1, [300, 0, 0], false)]);
    assert_eq!(certificates(&market, &ann).await, [(1, [300, 600, 0], false)]);
    let bundle = Kind::BundleCertificates(BundleCertificates { until_slot: SLOT.0 });
    let Outcome::Rejected(why) = ask(&market, &mut ann, bundle).await else { panic!("0.3 kWh") };
    assert_eq!(why.code, "BUNDLE_MUST_REACH_ONE_MWH");

    let certificate = Some(CertificateId { slot: SLOT.0, producer: 0, issue: 1 });
    let withdrawal = WithdrawCertificate { certificate, reason: "reading corrected".into() };
    let withdraw = Kind::WithdrawCertificate(withdrawal);
    let Outcome::Rejected(why) = ask_operator(&mut market, withdraw.clone()).await else {
        panic!("nothing contradicts it")
    };
    assert_eq!(why.code, "CORRECTION_MUST_CONTRADICT_THE_CERTIFICATE");
    correct(&market, &eve).await;
    let withdrawn = ask_operator(&mut market, withdraw).await;
    assert!(matches!(withdrawn, Outcome::CertificateWithdrawn(_)), "{withdrawn:?}");
    // What Ann had passed on to Eve stays so.
    let issues = [(4, [100, 0, 0], false), (3, [500, 0, 0], true), (2, [300, 0, 0], true)];
    let void = [(1, [0, 0, 300], false)];
    assert_eq!(certificates(&market, &eve).await, [&issues[..], &void].concat());
    assert_eq!(certificates(&market, &ann).await, [(4, [600, 0, 0], false), (1, [0, 0, 900], false)]);
    let account = market.connection.account(&session(&market, &ann).await).await.unwrap();
    assert_eq!((account.certificates_held_wh, account.certificates_retired_wh), (600, 0));
}

#[tokio::test]
async fn a_moment_that_ends_no_slot_is_refused_by_the_rule_however_far_it_lies() {
    let mut market = Market::found().await;
    let mut meter = market.enrol_trader("eve").await.meter();
    for read_at_micros in [0, SLOT.end().0 + 1, u64::MAX] {
        let reading =
            SubmitReading { read_at_micros, quality: Quality::Measured.into(), ..SubmitReading::default() };
        let said = ask(&market, &mut meter, Kind::SubmitReading(reading)).await;
        let Outcome::Rejected(why) = said else { panic!("{said:?}") };
        let refused = (why.code.as_str(), why.field.as_str());
        assert_eq!(refused, ("READING_MUST_BE_AT_A_SLOTS_END", "read_at_micros"));
    }
}

#[tokio::test]
async fn an_emptied_account_holds_nothing() {
    let (mut market, eve, ann) = delivered().await;
    correct(&market, &eve).await;
    let pay_out = |amount| Kind::PayOut(PayOut { participant: "ann".into(), amount: Some(amount) });
    let said = ask_operator(&mut market, pay_out(Amount::AmountFen(99_949))).await;
    let Outcome::Rejected(why) = said else { panic!("{said:?}") };
    assert_eq!((why.code.as_str(), why.field.as_str()), ("PAYOUT_MUST_BE_COVERED", "amount_fen"));
    // 999.4876 yuan: 999.49 are paid out, and 0.0024 of them come from the rounding account.
    assert_eq!(ask_operator(&mut market, pay_out(Amount::All(true))).await, Outcome::PaidOutFen(99_949));
    assert_eq!(balance(&market, &ann).await, "0.000000000");
}

#[tokio::test]
async fn published_tariffs_are_shown_and_what_is_traded_from_then_on_is_under_them() {
    let mut market = Market::found().await;
    let (mut eve, mut ann) = (market.enrol_trader("eve").await, market.enrol_trader("ann").await);
    let later = Slot(SLOT.0 + 300);
    let charges =
        ZoneCharges { zone: "park".into(), base_wheeling_micros_per_kwh: 100_000, ..ZoneCharges::default() };
    let band =
        TariffBand { from_quarter: 0, retail_micros_per_kwh: 900_000, feed_in_micros_per_kwh: 300_000 };
    let tariffs = PublishTariffs {
        version: 2,
        effective_from_slot: later.0,
        zones: vec![charges],
        market_fee_micros_per_kwh: 10_000,
        tariffs: vec![band],
    };
    let early = PublishTariffs { effective_from_slot: SLOT.0, ..tariffs.clone() };
    let said = ask_operator(&mut market, Kind::PublishTariffs(early)).await;
    let Outcome::Rejected(why) = said else { panic!("{said:?}") };
    let refused = (why.code.as_str(), why.field.as_str());
    assert_eq!(refused, ("TARIFFS_MUST_BEGIN_BEFORE_TRADING", "effective_from_slot"));
    assert_eq!(market.connection.market("").await.unwrap().tariffs, []);
    let published = ask_operator(&mut market, Kind::PublishTariffs(tariffs.clone())).await;
    assert!(matches!(published, Outcome::TariffsPublished(_)), "{published:?}");
    market.kill_and_start_again().await;
    assert_eq!(market.connection.market("").await.unwrap().tariffs, [tariffs]);

    market.connection.advance_to("", later.start().0 - 47 * 3_600_000_000).await.unwrap();
    let in_auction = |side, limit_price_micros_per_kwh| {
        place(&[v1::NewOrder { slot: later.0, limit_price_micros_per_kwh, ..order(side) }])
    };
    ask(&market, &mut eve, in_auction(Side::Offer, LIMIT)).await;
    ask(&market, &mut ann, in_auction(Side::Bid, 2 * LIMIT)).await;
    // Between 0.50 and 1.00 less 0.10 for wheeling and 0.01 for the market: the middle is 0.695.
    let indicative = market.connection.indicative_auction("", later.0).await.unwrap().result.unwrap();
    assert_eq!(indicative.prices_micros_per_kwh, [695_000]);
    market.connection.advance_to("", later.start().0 - 23 * 3_600_000_000).await.unwrap();
    let trade = market.connection.tape("", Some(later.0), 1).await.unwrap().remove(0);
    assert_eq!((trade.price_micros_per_kwh, trade.wheeling_micros_per_kwh), (695_000, 100_000));
    assert_eq!((trade.fee_micros_per_kwh, trade.tariff_version), (10_000, 2));
}

pub async fn ask_operator(market: &mut Market, kind: Kind) -> Outcome {
    let command = Command { expires_at_micros: u64::MAX, ..market.operator.command(kind) };
    let signed = market.operator.seal(command.encode_to_vec());
    outcome(market.connection.submit(signed).await.unwrap())
}
