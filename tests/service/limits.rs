//! How often: commands of one key, and words that are nobody's, without harm to others.

use parkwatt_proto::v1::{Side, SignedCommand};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::market::{Market, order, place};

/// Checks that somebody is told to come again later, and when.
fn check_too_often(status: &Status, words: &str) {
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(status.message().contains(words), "{status}");
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "TOO_OFTEN");
    assert!(details.retry_info().unwrap().retry_delay.is_some_and(|delay| !delay.is_zero()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_asks_too_often_waits_and_others_do_not() {
    // The operator, who enrols, hands in four commands; one comes back in an hour.
    let settings = "key_commands_burst = 4\nkey_commands_per_s = 1\n";
    let mut market = Market::found_with(settings).await;
    let mut ann = market.enrol_trader("ann").await;
    let mut bob = market.enrol_trader("bob").await;
    let mut exchange = market.exchange().await;
    let mut answers = Vec::new();
    for _ in 0..50 {
        answers.push(exchange.submit(ann.sign(place(&[order(Side::Offer)]))).await);
    }
    assert!(answers[..4].iter().all(Result::is_ok));
    let refused: Vec<&Status> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert!(!refused.is_empty());
    for status in refused {
        check_too_often(status, "this key has handed in too many commands");
    }
    assert!(exchange.submit(bob.sign(place(&[order(Side::Offer)]))).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_of_bad_signatures_is_not_listened_to_and_others_are() {
    let settings = "connection_unauthentic_burst = 5\nconnection_unauthentic_per_s = 1\n";
    let mut market = Market::found_with(settings).await;
    let mut ann = market.enrol_trader("ann").await;
    let good = ann.sign(place(&[order(Side::Offer)]));
    let mut bad: SignedCommand = good.clone();
    bad.signature[0] ^= 1;
    let mut hostile = market.exchange().await;
    let mut refused = Vec::new();
    for _ in 0..50 {
        refused.push(hostile.submit(bad.clone()).await.unwrap_err());
    }
    assert!(refused[..5].iter().all(|status| status.code() == Code::Unauthenticated));
    let too_often: Vec<&Status> =
        refused.iter().filter(|status| status.code() != Code::Unauthenticated).collect();
    assert!(!too_often.is_empty());
    for status in too_often {
        check_too_often(status, "too many commands of this connection had a signature that is nobody's");
    }
    assert!(market.exchange().await.submit(good).await.is_ok());
}
