//! The command `parkwatt` on orders with conditions, their changes, and the auction: against a node that
//! answers what it is told.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[allow(dead_code, reason = "another test uses the rest of it")]
mod fake;
#[allow(dead_code, reason = "another test uses the rest of it")]
mod owner;

use fake::{NOON, Script};
use owner::{Owner, accepted, id, offer, placing, receipt, rejection, script, trade};
use parkwatt_client::v1::{self, command, order_answer, outcome};
use serde_json::{Value, json};

const SELL: [&str; 6] = ["sell", "2.5kWh", "--at", "12:00", "--price", "0.42"];
/// 2026-06-01T02:30:00Z, half past ten in Shanghai: half an hour ago, so that the next one is tomorrow's.
const TOMORROW_HALF_PAST_TEN: u64 = 1_780_367_400_000_000;
/// A quarter of an hour before the gate of noon closes.
const HALF_PAST_ELEVEN: u64 = TOMORROW_HALF_PAST_TEN - 23 * 3_600_000_000;

fn placed(orders: Vec<v1::OrderAnswer>) -> outcome::Kind {
    outcome::Kind::Placed(v1::Placed { orders })
}

#[test]
fn each_condition_is_said_as_the_contract_says_it() {
    let with = |change: fn(&mut v1::NewOrder)| {
        let mut order = offer(NOON);
        change(&mut order);
        order
    };
    let cases: [(&[&str], v1::NewOrder); 6] = [
        (&["--immediate"], with(|it| it.set_time_in_force(v1::TimeInForce::ImmediateOrCancel))),
        (&["--fill-or-kill"], with(|it| it.set_time_in_force(v1::TimeInForce::FillOrKill))),
        (
            &["--good-until", "11:30"],
            with(|it| {
                it.set_time_in_force(v1::TimeInForce::GoodUntil);
                it.good_until_micros = HALF_PAST_ELEVEN;
            }),
        ),
        (
            &["--good-until", "2026-06-01T03:30:00Z"],
            with(|it| {
                it.set_time_in_force(v1::TimeInForce::GoodUntil);
                it.good_until_micros = HALF_PAST_ELEVEN;
            }),
        ),
        (&["--post-only"], with(|it| it.post_only = true)),
        (&["--at-least", "1kWh"], with(|it| it.minimum_fill_wh = 1_000)),
    ];
    for (options, order) in cases {
        let owner = Owner::new(script(Ok(receipt(placed(vec![accepted(0)]), vec![]))));
        owner.json(&[&SELL[..], options].concat());
        assert_eq!(owner.asked(), placing(vec![order], false), "{options:?}");
    }
}

#[test]
fn two_times_in_force_and_all_or_none_of_one_order_are_wrong_command_lines() {
    let owner = Owner::new(Script::default());
    let cases: [&[&str]; 5] = [
        &["--good-until", "2026-06-01 11:50"],
        &["--immediate", "--fill-or-kill"],
        &["--immediate", "--good-until", "10:30"],
        &["--good-until", "half past ten"],
        &["--all-or-none"],
    ];
    for options in cases {
        let (code, error) = owner.failure(&[&SELL[..], options].concat());
        assert_eq!((code, &error["kind"]), (Some(2), &json!("usage")), "{options:?}");
    }
}

#[test]
fn of_a_schedule_that_is_refused_whole_the_advice_is_about_the_order_that_was() {
    let refused = |code| v1::OrderAnswer { kind: Some(order_answer::Kind::Rejected(rejection(code))) };
    let answers = vec![refused("SCHEDULE_MUST_HOLD_WHOLE"), refused("OFFER_MUST_BE_DELIVERABLE")];
    let owner = Owner::new(script(Ok(receipt(placed(answers), vec![]))));
    let output = owner.run(&[&SELL[..], &["--until", "12:30", "--all-or-none"]].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(owner.asked(), placing(vec![offer(NOON), offer(NOON + 1)], true));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("Next: Offer less"), "{said}");
}

#[test]
fn what_lapsed_of_an_immediate_order_is_told() {
    let lapsed = v1::OrderLapsed {
        order: Some(id(40, 0)),
        owner: 3,
        slot: NOON,
        energy_wh: 1_000,
        cause: v1::LapseCause::Immediate.into(),
    };
    let told = |trades| {
        let receipt = v1::Receipt { lapsed: vec![lapsed], ..receipt(placed(vec![accepted(0)]), trades) };
        Owner::new(Script { answers: [Ok(receipt.clone()), Ok(receipt)].into(), ..Script::default() })
    };
    let sell = [&SELL[..], &["--immediate"]].concat();
    let owner = told(vec![trade()]);
    let order = &owner.json(&sell)["orders"][0];
    assert_eq!((&order["traded_wh"], &order["lapsed_wh"]), (&json!(1_500), &json!(1_000)));
    let said = owner.table(&sell);
    assert!(said.contains("accepted, 1.5 kWh traded, 1 kWh lapsed"), "{said}");
    let said = told(vec![]).table(&sell);
    assert!(said.contains("accepted, nothing traded, 1 kWh lapsed"), "{said}");
}

fn own_order(index: u64) -> v1::Order {
    v1::Order { id: Some(id(index, 0)), order: Some(offer(NOON)), traded_wh: 500, state: 1 }
}

#[test]
fn what_a_replacement_leaves_out_is_taken_from_the_order_as_it_is() {
    let replaced = |new| Ok(receipt(outcome::Kind::Replaced(new), vec![]));
    let asked = |energy_wh, limit_price_micros_per_kwh| {
        let order = Some(id(9, 0));
        command::Kind::ReplaceOrder(v1::ReplaceOrder { order, limit_price_micros_per_kwh, energy_wh })
    };
    let cases: [(&[&str], command::Kind); 3] = [
        (&["--energy", "2kWh"], asked(2_000, 420_000)),
        (&["--price", "0.40"], asked(2_500, 400_000)),
        (&["--energy", "2kWh", "--price", "0.40"], asked(2_000, 400_000)),
    ];
    for (options, command) in cases {
        let answers = [replaced(id(9, 0))].into();
        let owner = Owner::new(Script { answers, orders: vec![own_order(9)], ..Script::default() });
        let document = owner.json(&[&["replace", "9.0"][..], options].concat());
        assert_eq!(owner.asked(), command, "{options:?}");
        assert_eq!(
            (&document["replaced"]["new_order_id"], &document["replaced"]["kept_place"]),
            (&json!("9.0"), &json!(true))
        );
    }

    let answers = [Ok(receipt(outcome::Kind::Replaced(id(40, 0)), vec![trade()]))].into();
    let owner = Owner::new(Script { answers, orders: vec![own_order(9)], ..Script::default() });
    let said = owner.table(&["replace", "9.0", "--price", "0.40"]);
    for part in ["Order 9.0 is replaced by order 40.0", "2.5 kWh altogether", "1.5 kWh traded at once"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_replacement_of_nothing_or_of_an_order_that_is_not_listed_is_not_sent() {
    let owner = Owner::new(Script { orders: vec![own_order(9)], ..Script::default() });
    let (code, error) = owner.failure(&["replace", "9.0"]);
    assert_eq!(code, Some(2));
    assert!(error["message"].as_str().unwrap().contains("--energy"), "{error}");
    let (code, error) = owner.failure(&["replace", "8.0", "--price", "0.40"]);
    assert_eq!((code, &error["field"]), (Some(2), &json!("<ORDER>")));
    assert!(error["next"].as_str().unwrap().contains("Give both --energy and --price"), "{error}");
    assert!(owner.node.script.lock().unwrap().commands.is_empty());
}

#[test]
fn all_orders_that_fit_are_withdrawn_by_one_command() {
    let asked = |participant: &str, slot, side: v1::Side| {
        let participant = participant.to_owned();
        command::Kind::CancelOrders(v1::CancelOrders { participant, slot, side: side.into() })
    };
    let operator = ["--participant", "mill", "--operator-key", "operator.pem"];
    let cases: [(&[&str], command::Kind); 4] = [
        (&[], asked("", None, v1::Side::Unspecified)),
        (&["--at", "12:00"], asked("", Some(NOON), v1::Side::Unspecified)),
        (&["--side", "offer"], asked("", None, v1::Side::Offer)),
        (&operator, asked("mill", None, v1::Side::Unspecified)),
    ];
    for (options, command) in cases {
        let cancelled = outcome::Kind::CancelledAll(v1::CancelledAll { orders: 3, energy_wh: 4_500 });
        let owner = Owner::new(script(Ok(receipt(cancelled, vec![]))));
        assert_eq!(
            owner.json(&[&["cancel", "--all"][..], options].concat()),
            json!({ "cancelled_all": { "orders": 3, "energy_wh": 4_500, "leaf_index": 40 } })
        );
        assert_eq!(owner.asked(), command, "{options:?}");
        let own_key = owner.json(&["key", "show"])["key"]["public_key"].clone();
        let signer = hex::encode(&owner.node.script.lock().unwrap().commands[0].0.public_key);
        assert_eq!(own_key == json!(signer), !options.contains(&"mill"), "{options:?}");
    }
    let none = outcome::Kind::CancelledAll(v1::CancelledAll::default());
    let said = Owner::new(script(Ok(receipt(none, vec![])))).table(&["cancel", "--all"]);
    assert!(said.contains("Nothing is withdrawn"), "{said}");
}

#[test]
fn a_withdrawal_that_contradicts_itself_is_a_wrong_command_line() {
    let owner = Owner::new(Script::default());
    let cases: [&[&str]; 6] = [
        &["cancel"],
        &["cancel", "9.0", "--all"],
        &["cancel", "9.0", "--side", "bid"],
        &["cancel", "--all", "--side", "both"],
        &["cancel", "--all", "--participant", "mill"],
        &["cancel", "--all", "--operator-key", "operator.pem"],
    ];
    for args in cases {
        let (code, error) = owner.failure(args);
        assert_eq!((code, &error["kind"]), (Some(2), &json!("usage")), "{args:?}");
    }
    assert!(owner.node.script.lock().unwrap().commands.is_empty());
}

#[test]
fn an_order_says_how_long_it_stands() {
    let order = |time_in_force: v1::TimeInForce, good_until_micros, state: v1::OrderState| {
        let order = v1::NewOrder { time_in_force: time_in_force.into(), good_until_micros, ..offer(NOON) };
        v1::Order { order: Some(order), state: state.into(), ..own_order(9) }
    };
    let orders = vec![
        order(v1::TimeInForce::GoodUntil, TOMORROW_HALF_PAST_TEN, v1::OrderState::Open),
        order(v1::TimeInForce::ImmediateOrCancel, 0, v1::OrderState::Lapsed),
        order(v1::TimeInForce::Unspecified, 0, v1::OrderState::Replaced),
    ];
    let owner = Owner::new(Script { orders, ..Script::default() });
    let document = owner.json(&["orders"]);
    let said: Vec<[&Value; 3]> = document["orders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|order| [&order["time_in_force"], &order["good_until"], &order["state"]])
        .collect();
    assert_eq!(
        json!(said),
        json!([
            ["good_until", "2026-06-02T02:30:00Z", "open"],
            ["immediate_or_cancel", null, "lapsed"],
            ["good_until_gate", null, "replaced"],
        ])
    );
    let table = owner.table(&["orders"]);
    for part in ["until 2026-06-02 10:30", "immediate", "lapsed", "until the gate closes", "replaced"] {
        assert!(table.contains(part), "{part}: {table}");
    }
}

#[test]
fn while_an_auction_is_open_the_book_says_what_it_would_be() {
    let depth = v1::Depth { phase: v1::Phase::Auction.into(), ..v1::Depth::default() };
    let result = v1::AuctionCleared {
        energy_wh: 25_000,
        prices_micros_per_kwh: vec![500_000, 225_000],
        ..v1::AuctionCleared::default()
    };
    let owner = Owner::new(Script { depth: depth.clone(), indicative: Some(result), ..Script::default() });
    let book = ["book", "--at", "12:00"];
    assert_eq!(
        owner.json(&book)["indicative"],
        json!({
            "energy_wh": 25_000,
            "prices": [
                { "zone": "park", "price_micros_per_kwh": 500_000 },
                { "zone": "garden", "price_micros_per_kwh": 225_000 },
            ],
        })
    );
    let said = owner.table(&book);
    assert!(
        said.contains("25 kWh would trade; sellers would be paid: park 0.50 yuan/kWh, garden 0.225 yuan/kWh"),
        "{said}"
    );

    let nothing = Some(v1::AuctionCleared::default());
    let said = Owner::new(Script { depth, indicative: nothing, ..Script::default() }).table(&book);
    assert!(said.contains("nothing would trade"), "{said}");
}

#[test]
fn a_schedule_written_the_wrong_way_round_is_asked_about_and_a_night_is_not() {
    let owner = Owner::new(Script::default());
    for at in ["14:00-13:00", "13:00-13:00"] {
        let (code, error) = owner.failure(&["sell", "2kWh", "--at", at, "--price", "0.42"]);
        assert_eq!((code, &error["field"]), (Some(2), &json!("--at")), "{at}");
        assert!(error["next"].as_str().unwrap().contains("--until \"2026-06-02 13:00\""), "{error}");
    }
    let night = Owner::new(script(Ok(receipt(placed((0..16).map(accepted).collect()), vec![]))));
    night.json(&["sell", "2kWh", "--at", "22:00-02:00", "--price", "0.42"]);
}
