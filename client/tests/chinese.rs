//! What an owner sees of each answer, told in Chinese: no sentence of it is left in English.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[allow(dead_code, reason = "another test uses the rest of it")]
mod fake;
#[allow(dead_code, reason = "another test uses the rest of it")]
mod owner;

use fake::{NOON, Script};
use owner::*;
use parkwatt_client::v1::{self, outcome};

/// Returns the lines in which three words of English follow each other.
fn english(text: &str) -> Vec<&str> {
    let is_word = |word: &str| {
        word.len() > 1
            && word.chars().all(|letter| letter.is_ascii_lowercase())
            && !word.starts_with("parkwatt")
    };
    let has_sentence = |line: &&str| {
        let words: Vec<_> = line.split_whitespace().map(is_word).collect();
        words.windows(3).any(|three| three == [true; 3])
    };
    text.lines().filter(has_sentence).collect()
}

#[test]
fn no_answer_has_an_english_sentence() {
    let order = v1::Order {
        id: Some(id(7, 0)),
        order: Some(offer(NOON)),
        traded_wh: 500,
        state: v1::OrderState::Open.into(),
    };
    let own = v1::OwnTrade { trade: Some(trade()), side: v1::Side::Offer.into(), delivery: None };
    let account = v1::AccountStatement {
        name: "mill".to_owned(),
        balance_yuan: "1.000000000".to_owned(),
        reserved_yuan: "0.000000000".to_owned(),
        ..v1::AccountStatement::default()
    };
    let depth = v1::Depth { phase: v1::Phase::Continuous.into(), slot: NOON, ..v1::Depth::default() };
    let placed = outcome::Kind::Placed(v1::Placed { orders: vec![accepted(0)] });
    let refused = outcome::Kind::Rejected(v1::Rejection {
        sentence: format!("the gate of slot {NOON} has closed"),
        ..rejection("GATE_MUST_BE_OPEN")
    });
    let answers =
        [placed, outcome::Kind::CancelledAll(v1::CancelledAll { orders: 2, energy_wh: 500 }), refused];
    let owner = Owner::new(Script {
        answers: answers.map(|kind| Ok(receipt(kind, vec![]))).into(),
        orders: vec![order],
        trades: vec![own],
        account,
        depth,
        ..Script::default()
    });
    for (args, exit, words) in [
        (&["sell", "2.5kWh", "--at", "12:00", "--price", "0.42"][..], 0, "已接受, 挂单等待"),
        (&["cancel", "--all"], 0, "已撤销 2 个委托"),
        (&["cancel", "--all"], 1, "的交易已截止"),
        (&["orders"], 0, "挂单中"),
        (&["trades"], 0, "您的价格"),
        (&["account"], 0, "余额"),
        (&["book", "--at", "12:00"], 0, "订单簿为空"),
        (&["certificates"], 0, "您没有绿证"),
    ] {
        let output = owner.run(&[args, &["--lang", "zh"]].concat());
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(exit), "{args:?}: {text}");
        assert!(text.contains(words), "{args:?}: {text}");
        assert!(english(&text).is_empty(), "{args:?}: {:#?}", english(&text));
    }
}

#[test]
fn an_english_sentence_would_be_found() {
    assert_eq!(english("  买 0.42\nthe gate has closed\n"), ["the gate has closed"]);
    assert!(english("下一步: parkwatt orders --open").is_empty());
}
