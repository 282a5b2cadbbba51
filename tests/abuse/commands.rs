//! Commands that are nobody's, that come again, and whose clock is wrong.

use parkwatt_proto::v1::{
    Command, Receipt, Side, SignedCommand, answer, exchange_client::ExchangeClient, outcome::Kind as Outcome,
};
use prost::Message;
use tokio_stream::StreamExt;
use tonic::{Code, transport::Channel};

use super::{
    Honest, Over, Site, conclude,
    market::{NOW_MICROS, order, outcome, place},
};

const HOSTILE: usize = 10;
const BAD: usize = 10_000;
const HOUR: u64 = 3_600_000_000;

/// Hands in commands in one stream, and returns the answers.
async fn stream(mut exchange: ExchangeClient<Channel>, commands: Vec<SignedCommand>) -> Vec<answer::Kind> {
    let answers = exchange.submit_stream(tokio_stream::iter(commands)).await.unwrap().into_inner();
    answers.map(|answer| answer.unwrap().kind.unwrap()).collect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_bad_signatures_hold_no_honest_order_up() {
    hand_in_bad_signatures(Over::Tcp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_bad_signatures_over_tls_hold_no_honest_order_up() {
    hand_in_bad_signatures(Over::Tls).await;
}

async fn hand_in_bad_signatures(over: Over) {
    let mut site = Site::found(over, "").await;
    let market = &mut site.market;
    let mut honest = Honest::enrol(market).await;
    let before = honest.trade_some().await;
    let leaves = market.size().await;
    let good = honest.who.clone().sign(place(&[order(Side::Offer)]));
    let mut hostile = Vec::new();
    for number in 0..HOSTILE {
        let forged = |at: usize| {
            let mut forged = good.clone();
            forged.signature[(number + at) % 64] ^= 1 + u8::try_from(at % 7).unwrap();
            forged
        };
        hostile.push((market.exchange().await, (0..BAD / HOSTILE).map(forged).collect::<Vec<_>>()));
    }
    let attack = async move {
        let attacks = hostile.into_iter().map(|(exchange, bad)| tokio::spawn(stream(exchange, bad)));
        let mut counts = [0; 2];
        for attack in attacks.collect::<Vec<_>>() {
            for answer in attack.await.unwrap() {
                let answer::Kind::Refusal(refusal) = answer else { panic!("{answer:?}") };
                match Code::from(i32::try_from(refusal.status).unwrap()) {
                    Code::Unauthenticated => counts[0] += 1,
                    Code::ResourceExhausted => counts[1] += 1,
                    _ => panic!("{refusal:?}"),
                }
            }
        }
        counts
    };
    let (counts, during) = honest.trade_beside(attack).await;
    let [verified, unheard] = counts;
    println!("{BAD} bad signatures: {verified} were verified and refused, {unheard} were not listened to");
    assert_eq!(verified + unheard, BAD);
    let taken = honest.acknowledged.len() - super::ORDERS;
    assert_eq!(market.size().await, leaves + taken as u64, "nothing of it came into the ledger");
    conclude("bad signatures", &mut site, honest, &before, &during).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_handed_in_before_has_its_first_receipt_however_often_it_comes() {
    let mut site = Site::found(Over::Tcp, "").await;
    let market = &mut site.market;
    let mut honest = Honest::enrol(market).await;
    let before = honest.trade_some().await;
    let taped = honest.acknowledged.clone();
    let replayed: Vec<SignedCommand> =
        taped.iter().cycle().take(20 * taped.len()).map(|(signed, _)| signed.clone()).collect();
    let exchange = market.exchange().await;
    let (answers, during) = honest.trade_beside(stream(exchange, replayed)).await;
    assert_eq!(answers.len(), 20 * taped.len());
    for (answer, (_, first)) in answers.iter().zip(taped.iter().cycle()) {
        let again = Receipt { repeated_command: true, ..first.clone() };
        assert_eq!(answer, &answer::Kind::Receipt(again));
    }
    println!("{} commands were replayed 20 times each", taped.len());
    conclude("replays", &mut site, honest, &before, &during).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_costs_its_owner_a_rejection_and_nobody_else_anything() {
    let mut site = Site::found(Over::Tcp, "").await;
    let market = &mut site.market;
    let mut honest = Honest::enrol(market).await;
    let mut late = market.enrol_trader("late").await;
    let before = honest.trade_some().await;
    let mut skewed = Vec::new();
    for expires_at_micros in [0, 1, NOW_MICROS - HOUR, NOW_MICROS, NOW_MICROS + HOUR, u64::MAX] {
        for _ in 0..50 {
            let command = Command { expires_at_micros, ..late.command(place(&[order(Side::Bid)])) };
            skewed.push(late.seal(command.encode_to_vec()));
        }
    }
    // A nonce from a clock that goes wrong uses up those below it, of this key alone.
    let far = Command { nonce: u64::MAX, ..late.command(place(&[order(Side::Bid)])) };
    skewed.push(late.seal(far.encode_to_vec()));
    skewed.push(late.sign(place(&[order(Side::Bid)])));
    let exchange = market.exchange().await;
    let (answers, during) = honest.trade_beside(stream(exchange, skewed)).await;
    let codes: Vec<String> = answers
        .into_iter()
        .map(|answer| {
            let answer::Kind::Receipt(receipt) = answer else { panic!("{answer:?}") };
            match outcome(receipt) {
                Outcome::Rejected(why) => why.code,
                Outcome::Placed(_) => "PLACED".into(),
                other => panic!("{other:?}"),
            }
        })
        .collect();
    let count = |code: &str| codes.iter().filter(|it| *it == code).count();
    assert_eq!(codes[..200].iter().filter(|code| *code == "COMMAND_MUST_NOT_HAVE_EXPIRED").count(), 200);
    assert_eq!((count("PLACED"), codes.last().unwrap().as_str()), (101, "NONCE_MUST_RISE"));
    println!(
        "{} commands of a wrong clock: {} had expired",
        codes.len(),
        count("COMMAND_MUST_NOT_HAVE_EXPIRED")
    );
    conclude("wrong clocks", &mut site, honest, &before, &during).await;
}
