//! The library and the command `parkwatt` against a node that answers what it is told.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod fake;
mod owner;

use std::time::Duration;

use fake::{FakeNode, NOON, NOW_MICROS, Script};
use owner::{Owner, accepted, id, offer, placing, receipt, rejection, script, trade};
use parkwatt_client::v1::{self, command, order_answer, outcome};
use parkwatt_client::{ClientError, Connection, Signer, generate_key};
use serde_json::{Value, json};
use tokio_stream::StreamExt;
use tonic::Status;

const SELL: [&str; 6] = ["sell", "2.5kWh", "--at", "12:00", "--price", "0.42"];

#[test]
fn an_offer_is_for_the_next_noon_and_tells_what_traded() {
    let placed = outcome::Kind::Placed(v1::Placed { orders: vec![accepted(0)] });
    let owner = Owner::new(script(Ok(receipt(placed, vec![trade()]))));
    let document = owner.json(&SELL);
    assert_eq!(owner.asked(), placing(vec![offer(NOON)], false));
    assert_eq!(
        document["orders"],
        json!([{
            "order_id": "40.0", "slot": NOON, "delivery_start": "2026-06-01T04:00:00Z", "side": "offer",
            "energy_wh": 2_500, "limit_price_micros_per_kwh": 420_000, "outcome": "accepted",
            "rejection": null, "traded_wh": 1_500, "lapsed_wh": 0,
        }])
    );
    assert_eq!(
        document["trades"],
        json!([{
            "trade_id": 41, "slot": NOON, "delivery_start": "2026-06-01T04:00:00Z", "bid_order_id": "12.0",
            "offer_order_id": "40.0", "energy_wh": 1_500, "price_micros_per_kwh": 420_000,
            "wheeling_micros_per_kwh": 30_000, "congestion_micros_per_kwh": 5_000, "fee_micros_per_kwh": 1_000,
            "tariff_version": 1,
            "matching": "continuous",
        }])
    );
}

#[test]
fn a_schedule_with_a_refused_order_ends_with_1() {
    let refused =
        v1::OrderAnswer { kind: Some(order_answer::Kind::Rejected(rejection("GATE_MUST_BE_OPEN"))) };
    let placed = outcome::Kind::Placed(v1::Placed { orders: vec![accepted(0), refused] });
    let owner = Owner::new(script(Ok(receipt(placed, vec![]))));
    let output = owner.run(&[&SELL[..], &["--until", "12:30"]].concat());
    let orders = vec![offer(NOON), offer(NOON + 1)];
    assert_eq!(owner.asked(), placing(orders, false));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    for part in
        ["2026-06-01 12:00", "40.0", "waits in the book", "2026-06-01 12:15", "the gate has closed", "R2"]
    {
        assert!(table.contains(part), "{part}: {table}");
    }
    assert!(table.contains("Next: Choose another quarter hour"), "{table}");
}

#[test]
fn executions_are_told_line_by_line() {
    let filled = v1::OrderFilled { trade: Some(trade()), side: v1::Side::Offer.into() };
    let filled = v1::Execution {
        leaf_index: 0,
        at_micros: NOW_MICROS,
        kind: Some(v1::execution::Kind::Filled(filled)),
    };
    // The node's ledger has one entry.
    let later = v1::Execution { leaf_index: 1, ..filled.clone() };
    let owner = Owner::new(Script { executions: vec![filled, later], ..Script::default() });
    let said = "       0  2026-06-01 11:00  sold       1.5 kWh, at 0.42 yuan/kWh, delivery 2026-06-01 12:00, \
                order 40.0, trade 41\n";
    assert_eq!(owner.table(&["executions"]), said);
    assert_eq!(owner.table(&["executions", "--from", "1"]), "");
    let output = owner.run(&["executions", "--output", "json"]);
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        line,
        json!({
            "leaf_index": 0, "at": "2026-06-01T03:00:00Z", "what": "sold", "slot": NOON, "energy_wh": 1_500,
            "price_micros_per_kwh": 420_000, "trade_id": 41, "order_ids": ["40.0"],
        })
    );
}

#[test]
fn a_schedule_beyond_the_market_s_maximum_is_not_sent() {
    let owner = Owner::new(Script::default());
    let (code, error) = owner.failure(&[&SELL[..], &["--until", "2026-06-03 12:00"]].concat());
    assert_eq!((code, &error["field"]), (Some(2), &json!("--until")));
    assert!(error["message"].as_str().unwrap().contains("192 quarter hours"), "{error}");
    assert!(error["next"].as_str().unwrap().contains("2026-06-02 13:00"), "{error}");
    assert!(owner.node.script.lock().unwrap().commands.is_empty());
}

#[test]
fn a_rejected_command_ends_with_1_and_the_rule() {
    let owner =
        Owner::new(script(Ok(receipt(outcome::Kind::Rejected(rejection("ORDER_MUST_BE_OPEN")), vec![]))));
    let (code, error) = owner.failure(&["cancel", "12.3"]);
    assert_eq!(owner.asked(), command::Kind::CancelOrder(v1::CancelOrder { order: Some(id(12, 3)) }));
    assert_eq!(code, Some(1));
    assert_eq!(error["rejection"]["code"], "ORDER_MUST_BE_OPEN");
    assert_eq!(error["next"], "See which orders can be withdrawn: parkwatt orders --open");
}

#[test]
fn a_refused_call_ends_with_4_and_the_reason() {
    let owner = Owner::new(script(Err(Status::unauthenticated("the key is unknown"))));
    let (code, error) = owner.failure(&SELL);
    assert_eq!((code, &error["status"]), (Some(4), &json!("Unauthenticated")));
    assert!(error["message"].as_str().unwrap().contains("the key is unknown"));
    let (code, error) = owner.failure(&["book", "--at", "12:00", "--market", "elsewhere"]);
    assert_eq!((code, &error["status"]), (Some(4), &json!("NotFound")));
}

#[test]
fn where_no_answer_comes_the_same_bytes_are_handed_in_again() {
    let cancelled = outcome::Kind::Cancelled(v1::Cancelled { energy_wh: 1_000 });
    let answers = [Err(Status::unavailable("gone")), Ok(receipt(cancelled, vec![]))].into();
    let owner = Owner::new(Script { answers, ..Script::default() });
    assert_eq!(
        owner.json(&["cancel", "12.0"]),
        json!({ "cancelled": { "order_id": "12.0", "energy_wh": 1_000 } })
    );
    let script = owner.node.script.lock().unwrap();
    assert_eq!(script.commands.len(), 2);
    assert_eq!(script.commands[0].0, script.commands[1].0);
}

#[test]
fn nonces_rise_while_simulated_time_stands_still() {
    let cancelled = || Ok(receipt(outcome::Kind::Cancelled(v1::Cancelled { energy_wh: 1 }), vec![]));
    let owner = Owner::new(Script { answers: [cancelled(), cancelled()].into(), ..Script::default() });
    owner.table(&["cancel", "12.0"]);
    owner.table(&["cancel", "12.1"]);
    let script = owner.node.script.lock().unwrap();
    assert!(script.commands[0].1.nonce < script.commands[1].1.nonce);
}

#[test]
fn the_operator_enrols_and_pays_in() {
    let answers = [
        Ok(receipt(outcome::Kind::EnrolledParticipant(3), vec![])),
        Ok(receipt(outcome::Kind::Deposited(v1::Done {}), vec![])),
    ];
    let owner = Owner::new(Script { answers: answers.into(), ..Script::default() });
    let enrol = ["enrol", "--name", "sunny-roof", "--zone", "garden", "--pv", "8kW", "--credit", "5"];
    let operator = ["--operator-key", "operator.pem"];
    let document = owner.json(&[&enrol[..], &operator].concat());
    assert_eq!(document["enrolled"]["participant"], 3);
    let command::Kind::EnrolParticipant(asked) = owner.asked() else { panic!("an enrolment") };
    assert_eq!((asked.name.as_str(), asked.zone.as_str()), ("sunny-roof", "garden"));
    assert_eq!(
        (asked.pv_capacity_w, asked.connection_capacity_w, asked.credit_limit_fen),
        (8_000, 10_000, 500)
    );
    assert_eq!(asked.roles, [v1::Role::Producer as i32, v1::Role::Consumer as i32]);
    let owner_key = owner.json(&["key", "show"])["key"]["public_key"].clone();
    assert_eq!(document["enrolled"]["public_key"], owner_key);
    let signer = owner.node.script.lock().unwrap().commands[0].0.public_key.clone();
    assert_ne!(signer, asked.public_key);

    let said =
        owner.table(&[&["deposit", "--to", "sunny-roof", "--amount", "99.50"][..], &operator].concat());
    assert!(said.contains("99.50 yuan paid in to sunny-roof"), "{said}");
    let (code, error) = owner.failure(&[&enrol[..3], &["--zone", "gardn"], &operator].concat());
    assert_eq!((code, &error["next"]), (Some(2), &json!("Its zones are: park, garden")));
}

#[test]
fn an_owner_sees_his_orders_and_those_that_can_still_trade() {
    let order = |index, state: v1::OrderState| v1::Order {
        id: Some(id(index, 0)),
        order: Some(offer(NOON)),
        traded_wh: 500,
        state: state.into(),
    };
    let orders = vec![order(9, v1::OrderState::Open), order(8, v1::OrderState::Filled)];
    let owner = Owner::new(Script { orders, ..Script::default() });
    let open = owner.json(&["orders", "--open"]);
    assert_eq!(
        open,
        json!({ "orders": [{
            "order_id": "9.0", "slot": NOON, "delivery_start": "2026-06-01T04:00:00Z", "side": "offer",
            "energy_wh": 2_500, "limit_price_micros_per_kwh": 420_000, "time_in_force": "good_until_gate",
            "good_until": null, "post_only": false, "minimum_fill_wh": 0, "traded_wh": 500, "state": "open",
        }] })
    );
    let table = owner.table(&["orders"]);
    for part in ["Asia/Shanghai", "9.0", "8.0", "filled", "2.5 kWh", "0.42 yuan/kWh", "0.5 kWh"] {
        assert!(table.contains(part), "{part}: {table}");
    }
}

#[test]
fn an_owner_sees_what_his_trades_cost_all_in() {
    let delivery = v1::TradeDelivered {
        trade: 41,
        delivered_wh: 1_400,
        seller_deviation_wh: 100,
        buyer_deviation_wh: 0,
        estimated: true,
        ..v1::TradeDelivered::default()
    };
    let own = |side: v1::Side, delivery| v1::OwnTrade { trade: Some(trade()), side: side.into(), delivery };
    let trades = vec![own(v1::Side::Bid, Some(delivery)), own(v1::Side::Offer, None)];
    let owner = Owner::new(Script { trades, ..Script::default() });
    let document = owner.json(&["trades"]);
    // 1.5 kWh at 0.42 + 0.03 + 0.005 + 0.001 for the buyer, at 0.42 for the seller.
    assert_eq!(document["trades"][0]["amount_yuan"], "0.684000000");
    assert_eq!(document["trades"][0]["order_id"], "12.0");
    assert_eq!(
        document["trades"][0]["delivery"],
        json!({
            "delivered_wh": 1_400, "seller_deviation_wh": 100, "buyer_deviation_wh": 0, "estimated": true,
        })
    );
    assert_eq!(document["trades"][1]["amount_yuan"], "0.630000000");
    assert_eq!(document["trades"][1]["delivery"], Value::Null);
    let table = owner.table(&["trades"]);
    assert!(table.contains("0.456 yuan/kWh") && table.contains("1.4 kWh, estimated"), "{table}");
}

#[test]
fn everybody_sees_the_tape_and_the_book() {
    let level = |zone: &str, micros| v1::Level {
        zone: zone.to_owned(),
        limit_price_micros_per_kwh: micros,
        energy_wh: 40_000,
        orders: 2,
    };
    let depth = v1::Depth {
        phase: v1::Phase::Continuous.into(),
        bids: vec![level("park", 550_000)],
        offers: vec![level("garden", 600_000)],
        ..v1::Depth::default()
    };
    let owner = Owner::new(Script { depth, tape: vec![trade()], ..Script::default() });
    std::fs::remove_file(owner.home.path().join(".parkwatt/key.pem")).unwrap();
    assert_eq!(
        owner.json(&["book", "--at", "12:00"]),
        json!({
            "slot": NOON, "delivery_start": "2026-06-01T04:00:00Z", "phase": "continuous",
            "bids": [
                { "zone": "park", "limit_price_micros_per_kwh": 550_000, "energy_wh": 40_000, "orders": 2 },
            ],
            "offers": [
                { "zone": "garden", "limit_price_micros_per_kwh": 600_000, "energy_wh": 40_000, "orders": 2 },
            ],
            "indicative": null,
        })
    );
    let book = owner.table(&["book", "--at", "12:00"]);
    assert!(book.contains("offer") && book.contains("garden") && book.contains("0.60 yuan/kWh"), "{book}");
    let tape = ["trades", "--tape", "--at"];
    assert_eq!(owner.json(&[&tape[..], &["12:00"]].concat())["trades"][0]["trade_id"], 41);
    assert_eq!(owner.json(&[&tape[..], &["12:15"]].concat()), json!({ "trades": [] }));
}

#[test]
fn an_owner_sees_his_account() {
    let account = v1::AccountStatement {
        name: "mill".to_owned(),
        zone: "park".to_owned(),
        balance_yuan: "100.000000000".to_owned(),
        reserved_yuan: "0.676500000".to_owned(),
        certificates_bundled_wh: 1_000_000,
        certificates_expired_wh: 700,
        ..v1::AccountStatement::default()
    };
    let owner = Owner::new(Script { account, ..Script::default() });
    let account = owner.json(&["account"])["account"].clone();
    assert_eq!(account["available_yuan"], "99.323500000");
    assert_eq!(account["certificates_bundled_wh"], 1_000_000);
    assert_eq!(account["certificates_expired_wh"], 700);
    let said = owner.table(&["account"]);
    assert!(said.contains("certificates bundled  1000 kWh"), "{said}");
}

#[tokio::test]
async fn a_stream_is_answered_in_its_order() {
    let answers = (0..3_u64)
        .map(|index| match index {
            1 => Err(Status::unauthenticated("no")),
            _ => Ok(v1::Receipt { leaf_index: index, ..v1::Receipt::default() }),
        })
        .collect();
    let node = FakeNode::start(Script { answers, ..Script::default() });
    let connection = Connection::open(&node.url).await.unwrap();
    let mut signer = Signer::new(generate_key(), "park");
    let kind = || command::Kind::CancelOrder(v1::CancelOrder { order: Some(id(1, 0)) });
    let commands: Vec<_> = (0..3).map(|_| signer.sign(kind(), NOW_MICROS, Duration::from_mins(1))).collect();
    let answers = connection.submit_stream(tokio_stream::iter(commands)).await.unwrap();
    let answers: Vec<_> = answers.map(|answer| answer.unwrap().kind.unwrap()).collect().await;
    let told: Vec<_> = answers
        .iter()
        .map(|kind| match kind {
            v1::answer::Kind::Receipt(receipt) => Ok(receipt.leaf_index),
            v1::answer::Kind::Refusal(refusal) => Err(refusal.status),
        })
        .collect();
    assert_eq!(told, [Ok(0), Err(16), Ok(2)]);
}

#[tokio::test]
async fn what_a_node_does_not_serve_is_refused() {
    let node = FakeNode::start(Script::default());
    let connection = Connection::open(&node.url).await.unwrap();
    let error = connection.advance_to("", NOW_MICROS).await.unwrap_err();
    let ClientError::Refused { status, .. } = error else { panic!("{error}") };
    assert_eq!(status, tonic::Code::Unimplemented);
}
