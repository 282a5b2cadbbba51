//! A key takes another's place: what each of them may say and read from then on, and what an auditor says of
//! it.

use parkwatt_client::{ClientError, Signer};
use parkwatt_engine::Slot;
use parkwatt_proto::v1::{
    CancelOrder, EnrolParticipant, GetAccountRequest, ListEntriesRequest, OrderId, Quality, Receipt, Role,
    Side, SignedCommand, SubmitReading, account_client::AccountClient, answer, command::Kind,
    list_entries_request::About, outcome::Kind as Outcome,
};
use prost::Message;
use tokio_stream::StreamExt;
use tonic::{Code, Request, metadata::MetadataValue};

use super::{
    market::{Market, Person, SLOT, check_refusal, order, outcome, place},
    node,
};

/// Returns the command by which `new` takes the place of `old`.
fn rotation(old: &Person, new: &Person) -> Kind {
    Signer::new(old.key.clone(), "park").rotation(&new.key)
}

async fn submit(market: &Market, signed: SignedCommand) -> Receipt {
    market.connection.submit(signed).await.unwrap()
}

#[track_caller]
fn code(receipt: Receipt) -> String {
    match outcome(receipt) {
        Outcome::Rejected(why) => why.code,
        other => panic!("{other:?}"),
    }
}

/// Checks that nothing that this key says anew is taken, or comes into the ledger.
async fn check_silent(market: &Market, old: &mut Person) {
    let size = market.size().await;
    let mut exchange = market.exchange().await;
    let new = old.sign(place(&[order(Side::Offer)]));
    // Twice: the second is not taken for a copy of one that is on its way.
    for _ in 0..2 {
        let status = exchange.submit(new.clone()).await.unwrap_err();
        check_refusal(&status, Code::Unauthenticated, "KEY_MUST_BE_ENROLLED", "", &["not enrolled"]);
    }
    let answers = market.connection.submit_stream(tokio_stream::iter([new])).await.unwrap();
    let answers: Vec<_> = answers.collect().await;
    let Some(answer::Kind::Refusal(refusal)) = &answers[0].as_ref().unwrap().kind else {
        panic!("{answers:?}")
    };
    assert_eq!(refusal.reason, "KEY_MUST_BE_ENROLLED");
    let mut account = AccountClient::new(market.channel().await);
    let mut request = Request::new(GetAccountRequest {});
    let session = MetadataValue::from_bytes(&old.session("park", 600).encode_to_vec());
    request.metadata_mut().insert_bin("parkwatt-session-bin", session);
    let status = account.get_account(request).await.unwrap_err();
    check_refusal(&status, Code::Unauthenticated, "KEY_MUST_BE_ENROLLED", "", &["not enrolled"]);
    assert_eq!(market.size().await, size);
}

#[tokio::test]
async fn the_new_key_speaks_for_the_same_owner_and_the_old_one_never_again() {
    let mut market = Market::found().await;
    let (mut ann, mut next) = (market.enrol_trader("ann").await, Person::new("next"));
    let eve = market.enrol_trader("eve").await;
    let offer = ann.sign(place(&[order(Side::Offer)]));
    let placed = submit(&market, offer.clone()).await;
    let taken = ann.sign(rotation(&ann, &eve));
    assert_eq!(code(submit(&market, taken).await), "KEY_MUST_BE_FREE");

    let rotate = ann.sign(rotation(&ann, &next));
    let rotated = submit(&market, rotate.clone()).await;
    assert!(matches!(outcome(rotated.clone()), Outcome::KeyRotated(_)), "{rotated:?}");
    // Who has not heard the answer asks again, with the key that speaks no more.
    let repeats = [(&rotate, &rotated), (&offer, &placed)];
    for (signed, first) in repeats {
        let again = Receipt { repeated_command: true, ..first.clone() };
        assert_eq!(submit(&market, signed.clone()).await, again);
    }
    check_silent(&market, &mut ann).await;

    let account = market.connection.account(&next.session("park", 600)).await.unwrap();
    assert_eq!((account.participant, &*account.name, &*account.balance_yuan), (0, "ann", "1000.000000000"));
    let cancel = CancelOrder { order: Some(OrderId { index: placed.leaf_index, position: 0 }) };
    // A nonce that the old key had used: the new one's begin anew.
    let cancelled = outcome(submit(&market, next.sign(Kind::CancelOrder(cancel))).await);
    assert!(matches!(cancelled, Outcome::Cancelled(_)), "{cancelled:?}");
    let request = ListEntriesRequest {
        about: Some(About::Participant(0)),
        count: 1_000,
        ..ListEntriesRequest::default()
    };
    let entries = market.connection.entries(&next.session("park", 600), request).await.unwrap();
    assert!(entries.leaf_indices.contains(&rotated.leaf_index), "{:?}", entries.leaf_indices);

    let bob = |key: &Person| {
        Kind::EnrolParticipant(EnrolParticipant {
            name: "bob".into(),
            public_key: key.public_key(),
            zone: "park".into(),
            roles: vec![Role::Consumer.into()],
            ..EnrolParticipant::default()
        })
    };
    for key in [&ann, &next] {
        let enrol = market.operator.sign(bob(key));
        assert_eq!(code(submit(&market, enrol).await), "KEY_MUST_BE_FREE");
    }

    market.kill_and_start_again().await;
    for (signed, first) in repeats {
        let again = Receipt { repeated_command: true, ..first.clone() };
        assert_eq!(submit(&market, signed.clone()).await, again);
    }
    check_silent(&market, &mut ann).await;
    let account = market.connection.account(&next.session("park", 600)).await.unwrap();
    assert_eq!(account.participant, 0);

    assert_eq!(market.node.stop().code(), Some(0));
    for depth in ["verify", "replay"] {
        let audited = node::audit(depth, &market.place.data().join("park"));
        assert_eq!(audited.status.code(), Some(0), "{}", String::from_utf8_lossy(&audited.stdout));
    }
}

#[tokio::test]
async fn a_meter_and_the_founding_operator_rotate_their_keys_too() {
    let mut market = Market::found().await;
    let ann = market.enrol_trader("ann").await;
    let (mut meter, mut next_meter) = (ann.meter(), Person::new("next-meter"));
    let reading = |counter, slot| {
        let (read_at_micros, quality) = (Slot(slot).end().0, Quality::Measured.into());
        Kind::SubmitReading(SubmitReading { read_at_micros, counter, quality, ..SubmitReading::default() })
    };
    let past = SLOT.0 - 100;
    let taken = |receipt| matches!(outcome(receipt), Outcome::ReadingTaken(_));
    assert!(taken(submit(&market, meter.sign(reading(1, past))).await));
    let rotate = meter.sign(rotation(&meter, &next_meter));
    assert!(matches!(outcome(submit(&market, rotate).await), Outcome::KeyRotated(_)));
    assert!(taken(submit(&market, next_meter.sign(reading(2, past + 1))).await));
    let status = market.exchange().await.submit(meter.sign(reading(3, past + 2))).await.unwrap_err();
    check_refusal(&status, Code::Unauthenticated, "KEY_MUST_BE_ENROLLED", "", &["not enrolled"]);
    let refused = market.connection.account(&next_meter.session("park", 600)).await.unwrap_err();
    assert!(refused.to_string().contains("a meter's key reads nothing"), "{refused}");

    let next = Person::new("next-operator");
    let rotate = rotation(&market.operator, &next);
    let rotate = market.operator.sign(rotate);
    assert!(matches!(outcome(submit(&market, rotate).await), Outcome::KeyRotated(_)));
    let mut old = std::mem::replace(&mut market.operator, next);
    check_silent(&market, &mut old).await;
    market.kill_and_start_again().await;
    let mut bob = market.enrol_trader("bob").await;
    submit(&market, bob.sign(place(&[order(Side::Offer)]))).await;
    let entries = ListEntriesRequest::default();
    let entries = market.connection.entries(&market.operator.session("park", 600), entries).await.unwrap();
    assert!(!entries.entries.is_empty());
}

#[tokio::test]
async fn a_command_that_is_on_its_way_while_its_key_is_rotated_is_judged_before_or_refused() {
    let mut market = Market::found().await;
    let (mut ann, next) = (market.enrol_trader("ann").await, Person::new("next"));
    let mut commands: Vec<_> = (0..40).map(|_| ann.sign(place(&[order(Side::Offer)]))).collect();
    commands.insert(20, ann.sign(rotation(&ann, &next)));
    let size = market.size().await;
    let answers = market.connection.submit_stream(tokio_stream::iter(commands)).await.unwrap();
    let answers: Vec<_> = answers.map(|answer| answer.unwrap().kind.unwrap()).collect().await;
    for (number, answer) in answers.iter().enumerate() {
        match answer {
            answer::Kind::Receipt(receipt) if number <= 20 => {
                assert_eq!(receipt.leaf_index, size + number as u64);
            }
            answer::Kind::Refusal(refusal) if number > 20 => {
                assert_eq!(refusal.reason, "KEY_MUST_BE_ENROLLED");
            }
            other => panic!("command {number}: {other:?}"),
        }
    }
    assert_eq!((answers.len() as u64, market.size().await), (41, size + 21));
}

#[tokio::test]
async fn a_rotation_without_the_new_key_s_word_is_refused_by_its_field() {
    let mut market = Market::found().await;
    let (mut ann, next) = (market.enrol_trader("ann").await, Person::new("next"));
    let Kind::RotateKey(mut unsigned) = rotation(&ann, &next) else { panic!("a rotation") };
    unsigned.new_signature[5] ^= 1;
    let size = market.size().await;
    let signed = ann.sign(Kind::RotateKey(unsigned));
    let status = market.exchange().await.submit(signed.clone()).await.unwrap_err();
    let words = ["new_signature: does not verify", &hex::encode(next.public_key())];
    check_refusal(&status, Code::InvalidArgument, "MALFORMED", "new_signature", &words);
    let refused = market.connection.submit(signed).await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused { status: Code::InvalidArgument, .. }), "{refused}");
    assert_eq!(market.size().await, size);
    assert!(market.connection.account(&ann.session("park", 600)).await.is_ok());
}
