//! What reaches the market: rules answer, receipts come again, streams keep their order.

use parkwatt_proto::v1::{
    NewOrder, OrderAnswer, Receipt, Rejection, Role, Side, SignedCommand, answer, order_answer,
    outcome::Kind as Outcome,
};
use prost::Message;
use tokio_stream::StreamExt;
use tonic::Code;

use super::market::{LIMIT, Market, Person, SLOT, order, outcome, place};

async fn submit(market: &Market, signed: SignedCommand) -> Receipt {
    market.connection.submit(signed).await.unwrap()
}

/// Returns why a command was rejected.
#[track_caller]
fn rejection(receipt: Receipt) -> Rejection {
    match outcome(receipt) {
        Outcome::Rejected(rejection) => rejection,
        other => panic!("{other:?}"),
    }
}

/// Returns the answer to the only order of a schedule.
#[track_caller]
fn only_answer(receipt: Receipt) -> order_answer::Kind {
    match outcome(receipt) {
        Outcome::Placed(placed) => {
            let [OrderAnswer { kind: Some(kind) }] = &placed.orders[..] else { panic!("{placed:?}") };
            kind.clone()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_rules_rejection_is_an_answer_with_code_rule_field_and_a_sentence_with_the_values() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    let mut meterless = market.enrol("reader", &[Role::Regulator]).await;
    let changed = |change: fn(&mut NewOrder)| {
        let mut it = order(Side::Offer);
        change(&mut it);
        it
    };
    let cases: [(NewOrder, [&str; 3], &[&str]); 8] = [
        (changed(|it| it.slot = 7), ["SLOT_MUST_BE_OPEN", "R2", "slot"], &["slot 7", "not open"]),
        (changed(|it| it.slot += 9_600), ["SLOT_MUST_BE_OPEN", "R2", "slot"], &["phase"]),
        (changed(|it| it.slot -= 4), ["GATE_MUST_BE_OPEN", "R2", "slot"], &["gate"]),
        (changed(|it| it.energy_wh = 0), ["ENERGY_MUST_BE_POSITIVE", "R3", "energy_wh"], &["0 Wh"]),
        (
            changed(|it| it.limit_price_micros_per_kwh = LIMIT + 1),
            ["PRICE_MUST_BE_ON_TICK", "R3", "limit_price_micros_per_kwh"],
            &["tick"],
        ),
        (
            changed(|it| it.limit_price_micros_per_kwh = 5_000_100),
            ["PRICE_MUST_BE_WITHIN_BOUNDS", "R3", "limit_price_micros_per_kwh"],
            &["cap"],
        ),
        (
            changed(|it| it.energy_wh = 10_001),
            ["OFFER_MUST_BE_DELIVERABLE", "R8", "energy_wh"],
            &["10001 Wh"],
        ),
        (
            NewOrder { energy_wh: 100_000_000, ..order(Side::Bid) },
            ["ORDER_MUST_BE_COVERED", "R8", "energy_wh"],
            &["available"],
        ),
    ];
    for (bad, [code, rule, field], words) in cases {
        let size = market.size().await;
        let receipt = submit(&market, ann.sign(place(&[bad]))).await;
        assert_eq!(receipt.leaf_index, size, "a refusal stands in the ledger");
        let order_answer::Kind::Rejected(why) = only_answer(receipt) else { panic!("{bad:?} was accepted") };
        assert_eq!([&*why.code, &*why.rule, &*why.field], [code, rule, field]);
        for word in words {
            assert!(why.sentence.contains(word), "{:?} lacks {word:?}", why.sentence);
        }
    }
    let why = only_answer(submit(&market, meterless.sign(place(&[order(Side::Offer)]))).await);
    assert!(matches!(&why, order_answer::Kind::Rejected(why) if why.code == "ROLE_MUST_PERMIT"), "{why:?}");
}

#[tokio::test]
async fn the_same_bytes_get_the_first_receipt_also_from_a_node_that_was_killed() {
    let mut market = Market::found().await;
    let (mut ann, mut eve) = (market.enrol_trader("ann").await, market.enrol_trader("eve").await);
    let offer = eve.sign(place(&[order(Side::Offer)]));
    let bid = ann.sign(place(&[NewOrder { limit_price_micros_per_kwh: 2 * LIMIT, ..order(Side::Bid) }]));
    submit(&market, offer).await;
    let first = submit(&market, bid.clone()).await;
    assert_eq!((first.trades.len(), first.repeated_command), (1, false));
    let later = ann.sign(place(&[order(Side::Bid)]));
    submit(&market, later).await;

    let size = market.size().await;
    let expected = Receipt { repeated_command: true, ..first };
    assert_eq!(submit(&market, bid.clone()).await, expected);
    market.kill_and_start_again().await;
    assert_eq!(submit(&market, bid.clone()).await, expected);
    assert_eq!(market.size().await, size, "nothing was recorded again");

    // Other bytes of the same command and nonce: Ed25519 signs the same bytes in one way only.
    let mut with_unknown_field = bid.payload.clone();
    with_unknown_field.extend([0xf8, 0x07, 0x01]);
    let why = rejection(submit(&market, ann.seal(with_unknown_field)).await);
    assert_eq!([&*why.code, &*why.rule, &*why.field], ["NONCE_MUST_RISE", "R15", "nonce"]);
    assert_eq!(market.size().await, size + 1, "the refusal was recorded");
}

#[tokio::test]
async fn a_command_that_has_expired_is_rejected_and_uses_its_nonce_up() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    let mut command = ann.command(place(&[order(Side::Offer)]));
    command.expires_at_micros = 1;
    let why = rejection(submit(&market, ann.seal(command.encode_to_vec())).await);
    assert_eq!([&*why.code, &*why.field], ["COMMAND_MUST_NOT_HAVE_EXPIRED", "expires_at_micros"]);
    command.expires_at_micros = u64::MAX;
    let why = rejection(submit(&market, ann.seal(command.encode_to_vec())).await);
    assert_eq!(why.code, "NONCE_MUST_RISE");
}

/// Streams commands, and returns the answers.
async fn stream(market: &Market, commands: Vec<SignedCommand>) -> Vec<answer::Kind> {
    let answers = market.connection.submit_stream(tokio_stream::iter(commands)).await.unwrap();
    let answers: Vec<_> = answers.collect().await;
    answers.into_iter().map(|answer| answer.unwrap().kind.unwrap()).collect()
}

#[tokio::test]
async fn a_stream_is_answered_in_its_order_with_refusals_in_their_places() {
    let mut market = Market::found_with("connection_unauthentic_burst = 600").await;
    let mut ann = market.enrol_trader("ann").await;
    let mut commands = Vec::new();
    for number in 0..600 {
        let mut signed = ann.sign(place(&[NewOrder { energy_wh: 1, ..order(Side::Offer) }]));
        match number % 5 {
            1 => signed.signature[7] ^= 1,
            3 => signed = ann.seal(vec![0; 65_537]),
            _ => {}
        }
        commands.push(signed);
    }
    let size = market.size().await;
    let answers = stream(&market, commands).await;
    assert_eq!(answers.len(), 600);
    let mut next_leaf = size;
    for (number, answer) in answers.into_iter().enumerate() {
        match (number % 5, answer) {
            (1, answer::Kind::Refusal(refusal)) => {
                assert_eq!(refusal.status, Code::Unauthenticated as u32);
                assert_eq!(refusal.reason, "SIGNATURE_MUST_VERIFY");
            }
            (3, answer::Kind::Refusal(refusal)) => {
                assert_eq!(refusal.status, Code::InvalidArgument as u32);
                assert_eq!(refusal.reason, "PAYLOAD_TOO_LARGE");
                assert!(refusal.message.contains("65537"), "{}", refusal.message);
            }
            (0 | 2 | 4, answer::Kind::Receipt(receipt)) => {
                assert_eq!(receipt.leaf_index, next_leaf, "command {number}");
                assert!(matches!(only_answer(receipt), order_answer::Kind::Accepted(_)));
                next_leaf += 1;
            }
            (_, other) => panic!("command {number}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn repeats_and_new_commands_of_one_stream_are_answered_in_its_order() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    let commands: Vec<SignedCommand> =
        (0..50).map(|_| ann.sign(place(&[NewOrder { energy_wh: 1, ..order(Side::Offer) }]))).collect();
    let twice: Vec<SignedCommand> = commands.iter().flat_map(|it| [it.clone(), it.clone()]).collect();
    let answers = stream(&market, twice).await;
    assert_eq!(answers.len(), 100);
    for pair in answers.chunks(2) {
        let [answer::Kind::Receipt(first), answer::Kind::Receipt(again)] = pair else { panic!("{pair:?}") };
        assert_eq!(again, &Receipt { repeated_command: true, ..first.clone() });
    }
}

#[tokio::test]
async fn an_envelope_beyond_what_the_transport_reads_ends_its_stream_with_an_error() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    let commands = vec![ann.sign(place(&[order(Side::Offer)])), ann.seal(vec![0; 5_000_000])];
    let answers = market.connection.submit_stream(tokio_stream::iter(commands)).await.unwrap();
    let mut answers: Vec<_> = answers.collect().await;
    let ended = answers.pop().unwrap().unwrap_err();
    assert!(ended.to_string().contains("4259840"), "{ended}");
    assert!(matches!(answers[..], [Ok(_)]), "{answers:?}");
}

#[tokio::test]
async fn a_trade_is_told_to_him_who_made_it_and_to_nobody_by_name() {
    let mut market = Market::found().await;
    let (mut ann, mut eve) = (market.enrol_trader("ann").await, market.enrol_trader("eve").await);
    submit(&market, eve.sign(place(&[order(Side::Offer)]))).await;
    let bid = NewOrder { limit_price_micros_per_kwh: 2 * LIMIT, energy_wh: 400, ..order(Side::Bid) };
    let receipt = submit(&market, ann.sign(place(&[bid]))).await;
    let [trade] = &receipt.trades[..] else { panic!("{receipt:?}") };
    assert_eq!((trade.energy_wh, trade.price_micros_per_kwh), (400, LIMIT));

    let tape = market.connection.tape("", Some(SLOT.0), 10).await.unwrap();
    let [shown] = &tape[..] else { panic!("{tape:?}") };
    assert_eq!((shown.id, shown.energy_wh), (trade.id, 400));
    assert_eq!((shown.buyer, shown.seller, shown.bid, shown.offer), (None, None, None, None));
    let depth = market.connection.depth("", SLOT.0).await.unwrap();
    let [level] = &depth.offers[..] else { panic!("{depth:?}") };
    assert_eq!((level.energy_wh, level.orders, depth.bids.len()), (600, 1, 0));
    for (person, other_side) in [(&ann, "seller"), (&eve, "buyer")] {
        let trades = market.connection.trades(&session(person), 10).await.unwrap();
        let own = trades[0].trade.as_ref().unwrap();
        assert_eq!(if other_side == "seller" { own.seller } else { own.buyer }, None);
    }
}

fn session(person: &Person) -> parkwatt_proto::v1::SignedSession {
    person.session("park", 600)
}
