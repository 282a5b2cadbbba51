//! What never reaches the market: envelopes that are too large, malformed, or nobody's word.

use parkwatt_proto::v1::{
    CancelOrder, CancelOrders, Command, EnrolParticipant, NewOrder, OrderId, ReplaceOrder,
    RetireCertificates, Role, Side, SignedCommand, SubmitReading, TimeInForce, command::Kind,
};
use prost::Message;
use tonic::Code;

use super::market::{Market, Person, check_refusal, order, place};

/// A refusal as it is expected: status, reason, field, and words of the sentence.
type Refusal<'a> = (Code, &'a str, &'a str, &'a [&'a str]);

fn malformed<'a>(field: &'a str, words: &'a [&'a str]) -> Refusal<'a> {
    (Code::InvalidArgument, "MALFORMED", field, words)
}

/// Hands in each envelope, checks how it is refused, and that nothing of it came into the ledger.
async fn check(market: &Market, cases: Vec<(SignedCommand, Refusal<'_>)>) {
    let size = market.size().await;
    let mut exchange = market.exchange().await;
    for (signed, (code, reason, field, words)) in cases {
        let status = exchange.submit(signed).await.unwrap_err();
        check_refusal(&status, code, reason, field, words);
    }
    assert_eq!(market.size().await, size);
}

#[tokio::test]
async fn an_envelope_that_is_nobodys_word_is_refused_by_what_is_wrong_with_it() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    let mut stranger = Person::new("stranger");
    let good = ann.sign(place(&[order(Side::Offer)]));
    let changed = |change: fn(&mut SignedCommand)| {
        let mut signed = good.clone();
        change(&mut signed);
        signed
    };
    let unauthenticated = Code::Unauthenticated;
    let hex = |person: &Person| hex::encode(person.public_key());
    let (his, anns) = (hex(&stranger), hex(&ann));
    let unverified = ["signature does not verify", "exactly these bytes", &anns];
    let unknown = ["public_key", &his, "'park'", "operator"];
    let cases: Vec<(SignedCommand, Refusal<'_>)> = vec![
        (
            changed(|it| it.public_key.truncate(31)),
            (
                Code::InvalidArgument,
                "KEY_MUST_HAVE_32_BYTES",
                "public_key",
                &["public_key has 31 bytes", "32"],
            ),
        ),
        (
            changed(|it| it.signature.truncate(10)),
            (
                Code::InvalidArgument,
                "SIGNATURE_MUST_HAVE_64_BYTES",
                "signature",
                &["signature has 10 bytes", "64"],
            ),
        ),
        (
            // Two is the y of no point of the curve.
            changed(|it| it.public_key = [&[2][..], &[0; 31]].concat()),
            (unauthenticated, "KEY_MUST_BE_A_POINT", "", &["public_key 0200", "not an Ed25519 public key"]),
        ),
        (changed(|it| it.signature[0] ^= 1), (unauthenticated, "SIGNATURE_MUST_VERIFY", "", &unverified)),
        (changed(|it| it.payload.push(0)), (unauthenticated, "SIGNATURE_MUST_VERIFY", "", &unverified)),
        (
            stranger.sign(place(&[order(Side::Offer)])),
            (unauthenticated, "KEY_MUST_BE_ENROLLED", "", &unknown),
        ),
        (
            SignedCommand::default(),
            (Code::InvalidArgument, "KEY_MUST_HAVE_32_BYTES", "public_key", &["public_key has 0 bytes"]),
        ),
    ];
    check(&market, cases).await;
}

#[tokio::test]
async fn a_payload_that_is_no_command_of_the_market_is_refused_with_field_value_and_rule() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    let bare = |market: &str, kind| Command { market: market.into(), nonce: 9, expires_at_micros: 9, kind };
    let cases: Vec<(SignedCommand, Refusal<'_>)> = vec![
        (
            ann.seal(vec![0; 65_537]),
            (Code::InvalidArgument, "PAYLOAD_TOO_LARGE", "payload", &["payload", "65537 bytes", "65536"]),
        ),
        (ann.seal(vec![0xff; 3]), malformed("payload", &["payload: is not a serialised Command"])),
        (
            ann.seal(bare("plaza", Some(place(&[]))).encode_to_vec()),
            malformed("market", &["market: 'plaza'", "'park'"]),
        ),
        (ann.seal(bare("park", None).encode_to_vec()), malformed("kind", &["kind: no command"])),
    ];
    check(&market, cases).await;

    let no_side = NewOrder { side: 0, ..order(Side::Bid) };
    let until = TimeInForce::GoodUntil.into();
    let no_moment = NewOrder { time_in_force: until, ..order(Side::Bid) };
    let no_force = NewOrder { good_until_micros: 77, ..order(Side::Bid) };
    let immediate_until = NewOrder { time_in_force: TimeInForce::ImmediateOrCancel.into(), ..no_force };
    let unknown_force = NewOrder { time_in_force: 9, ..order(Side::Bid) };
    let both = CancelOrders { side: 3, ..CancelOrders::default() };
    let reading = SubmitReading { counter: 1, quality: 7, ..SubmitReading::default() };
    let retirement = RetireCertificates { beneficiary: "x".repeat(129), ..RetireCertificates::default() };
    let far = OrderId { index: 5, position: 70_000 };
    let kinds: Vec<(Kind, &str, &[&str])> = vec![
        (place(&[]), "orders", &["orders: the schedule is empty", "at least one"]),
        (
            place(&[order(Side::Bid), no_side]),
            "orders[1].side",
            &["orders[1].side: 0 is no side", "1 is a bid, 2 an offer"],
        ),
        (
            place(&[order(Side::Bid), no_moment]),
            "orders[1].good_until_micros",
            &["orders[1].good_until_micros: is not given; TIME_IN_FORCE_GOOD_UNTIL needs the moment"],
        ),
        (
            place(&[no_force]),
            "orders[0].good_until_micros",
            &["77 is given with TIME_IN_FORCE_UNSPECIFIED; only TIME_IN_FORCE_GOOD_UNTIL has it"],
        ),
        (
            place(&[immediate_until]),
            "orders[0].good_until_micros",
            &["77 is given with TIME_IN_FORCE_IMMEDIATE_OR_CANCEL"],
        ),
        (place(&[unknown_force]), "orders[0].time_in_force", &["9 is no time in force; 0 to 4 are"]),
        (Kind::ReplaceOrder(ReplaceOrder::default()), "order", &["order: no order is named"]),
        (Kind::CancelOrders(both), "side", &["side: 3 is no side; 1 are the bids, 2 the offers, 0 are both"]),
        (Kind::CancelOrder(CancelOrder { order: None }), "order", &["order: no order is named"]),
        (Kind::CancelOrder(CancelOrder { order: Some(far) }), "order.position", &["70000"]),
        (Kind::SubmitReading(reading), "quality", &["quality: 7 is no quality"]),
        (Kind::RetireCertificates(retirement), "beneficiary", &["129 bytes", "128"]),
    ];
    let cases = kinds.into_iter().map(|(kind, field, words)| (ann.sign(kind), malformed(field, words)));
    check(&market, cases.collect()).await;
}

#[tokio::test]
async fn an_enrolment_that_cannot_be_is_refused_with_field_value_and_rule() {
    let mut market = Market::found().await;
    let bob = Person::new("bob");
    let good = EnrolParticipant {
        name: "bob".into(),
        public_key: bob.public_key(),
        zone: "park".into(),
        roles: vec![Role::Producer.into()],
        ..EnrolParticipant::default()
    };
    // The curve's neutral element: under it one signature fits many messages.
    let weak = [&[1][..], &[0; 31]].concat();
    let no_point = [&[2][..], &[0; 31]].concat();
    let of = |change: &dyn Fn(&mut EnrolParticipant)| {
        let mut enrol = good.clone();
        change(&mut enrol);
        Kind::EnrolParticipant(enrol)
    };
    let kinds: Vec<(Kind, &str, &[&str])> = vec![
        (
            of(&|it| it.public_key = weak.clone()),
            "public_key",
            &["public_key: 0100", "weak", "make a new one"],
        ),
        (
            of(&|it| it.meter_public_key = weak.clone()),
            "meter_public_key",
            &["meter_public_key: 0100", "weak"],
        ),
        (of(&|it| it.public_key = no_point.clone()), "public_key", &["0200", "not an Ed25519 public key"]),
        (of(&|it| it.public_key.truncate(5)), "public_key", &["has 5 bytes", "32"]),
        (of(&|it| it.zone = "moon".into()), "zone", &["zone: 'moon'", "this market's zones: park"]),
        (of(&|it| it.roles = vec![9]), "roles", &["roles: 9 is no role"]),
        (of(&|it| it.roles = vec![1, 1]), "roles", &["role 1 is given twice"]),
    ];
    let mut operator = Person::new("operator");
    std::mem::swap(&mut operator, &mut market.operator);
    let cases = kinds.into_iter().map(|(kind, field, words)| (operator.sign(kind), malformed(field, words)));
    check(&market, cases.collect()).await;
}

#[tokio::test]
async fn an_envelope_beyond_what_the_transport_reads_is_refused_with_the_limit() {
    let mut market = Market::found().await;
    let ann = market.enrol_trader("ann").await;
    let size = market.size().await;
    let status = market.exchange().await.submit(ann.seal(vec![0; 5_000_000])).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
    assert!(status.message().contains("4259840"), "{}", status.message());
    assert_eq!(market.size().await, size);
}
