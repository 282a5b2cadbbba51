//! The command `parkwatt statement` before a node that answers what it is told: its three forms, the periods
//! that are asked for, and what becomes of a statement that does not add up.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[allow(dead_code, reason = "another test uses the rest of it")]
mod fake;
#[allow(dead_code, reason = "another test uses the rest of it")]
mod owner;

use fake::{NOON, NOW_MICROS, Script};
use owner::Owner;
use parkwatt_client::v1::{self, statement_part::Kind};
use serde_json::json;

/// 2026-06-01T00:00:00 in Shanghai.
const JUNE: u64 = 1_780_243_200_000_000;
/// 2026-07-01T00:00:00 in Shanghai.
const JULY: u64 = 1_782_835_200_000_000;

fn zero() -> v1::StatementFigures {
    let nothing = || "0.000000000".to_owned();
    v1::StatementFigures {
        energy_yuan: nothing(),
        wheeling_yuan: nothing(),
        congestion_yuan: nothing(),
        fee_yuan: nothing(),
        deviation_yuan: nothing(),
        retail_yuan: nothing(),
        feed_in_yuan: nothing(),
        amount_yuan: nothing(),
        without_market_yuan: nothing(),
        gain_yuan: nothing(),
        ..v1::StatementFigures::default()
    }
}

/// Returns the figures of 2 kWh that were bought, of 2.5 that were drawn.
fn bought() -> v1::StatementFigures {
    v1::StatementFigures {
        bought_wh: 2_000,
        delivered_as_buyer_wh: 2_000,
        import_wh: 2_500,
        energy_yuan: "-0.900000000".to_owned(),
        wheeling_yuan: "-0.100000000".to_owned(),
        fee_yuan: "-0.004000001".to_owned(),
        retail_yuan: "-0.400000000".to_owned(),
        amount_yuan: "-1.404000001".to_owned(),
        without_market_yuan: "-2.000000000".to_owned(),
        gain_yuan: "0.595999999".to_owned(),
        certificates_received_wh: 2_000,
        certificates_retired_wh: 1_500,
        ..zero()
    }
}

/// Returns the differences of a correction: half a kWh less was delivered.
fn corrected() -> v1::StatementFigures {
    v1::StatementFigures {
        delivered_as_buyer_wh: -500,
        deviation_wh: 500,
        import_wh: -500,
        energy_yuan: "0.225000000".to_owned(),
        deviation_yuan: "-0.022500000".to_owned(),
        amount_yuan: "0.202500000".to_owned(),
        without_market_yuan: "0.400000000".to_owned(),
        gain_yuan: "-0.197500000".to_owned(),
        ..zero()
    }
}

/// Returns the sums of two of the first and one of the second.
fn sums() -> v1::StatementFigures {
    v1::StatementFigures {
        bought_wh: 4_000,
        delivered_as_buyer_wh: 3_500,
        deviation_wh: 500,
        import_wh: 4_500,
        energy_yuan: "-1.575000000".to_owned(),
        wheeling_yuan: "-0.200000000".to_owned(),
        fee_yuan: "-0.008000002".to_owned(),
        deviation_yuan: "-0.022500000".to_owned(),
        retail_yuan: "-0.800000000".to_owned(),
        amount_yuan: "-2.605500002".to_owned(),
        without_market_yuan: "-3.600000000".to_owned(),
        gain_yuan: "0.994499998".to_owned(),
        certificates_received_wh: 4_000,
        certificates_retired_wh: 3_000,
        ..zero()
    }
}

fn statement(closing: &str) -> Vec<v1::StatementPart> {
    let slot = |slot, figures| Kind::Slot(v1::SlotStatement { slot, figures: Some(figures) });
    let kinds = [
        slot(NOON - 96, corrected()),
        slot(NOON, bought()),
        slot(NOON + 1, bought()),
        Kind::Payment(v1::StatementPayment {
            leaf_index: 9,
            at_micros: NOW_MICROS,
            kind: v1::PaymentKind::Deposit.into(),
            amount_yuan: "100.000000000".to_owned(),
        }),
        Kind::Totals(v1::StatementTotals {
            participant: 3,
            name: "mill".to_owned(),
            from_micros: JUNE,
            until_micros: JULY,
            tree_size: 77,
            opening_balance_yuan: "-1.500000000".to_owned(),
            closing_balance_yuan: closing.to_owned(),
            payments_yuan: "100.000000000".to_owned(),
            figures: Some(sums()),
        }),
    ];
    kinds.into_iter().map(|kind| v1::StatementPart { kind: Some(kind) }).collect()
}

const CLOSING: &str = "95.894499998";

fn mill() -> Owner {
    Owner::new(Script { statement: statement(CLOSING), ..Script::default() })
}

#[test]
fn a_table_has_a_row_a_day_or_a_slot_and_says_what_the_market_gained() {
    let mill = mill();
    let said = mill.table(&["statement"]);
    for words in [
        "account          mill (participant 3)",
        "period           from 2026-06-01 00:00 until 2026-07-01 00:00 (Asia/Shanghai)",
        "opening balance  -1.50 yuan",
        "closing balance  95.894499998 yuan",
        "Certificates: 0 kWh issued, 4 kWh received, 0 kWh passed on, 3 kWh claimed, 0 kWh bundled, 0 kWh \
         expired, 0 kWh void; so 1 kWh are held more.",
        "The retail and feed-in tariffs alone would have cost you 3.60 yuan; with the market it cost you \
         2.605500002 yuan. The market gained you 0.994499998 yuan.",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let cells = |said: &str, name: &str| -> Vec<String> {
        let line = said.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        line.split_whitespace().map(str::to_owned).collect()
    };
    // Nothing was sold, and nothing went to the grid: these columns are left out.
    let day = ["2026-06-01", "4", "4", "0", "1", "-1.80", "-0.20", "-0.008000002", "-0.80"];
    assert_eq!(cells(&said, "2026-06-01")[..9], day);
    assert_eq!(cells(&said, "2026-06-01")[9..], ["-2.808000002", "-4.00", "1"]);
    let yesterday = ["2026-05-31", "0", "-0.5", "0.5", "0", "0.225", "0.00", "-0.0225", "0.00"];
    assert_eq!(cells(&said, "2026-05-31")[..9], yesterday);
    assert!(!said.contains("sold") && !said.contains("to grid"), "{said}");
    assert_eq!(cells(&said, "deposit"), ["deposit", "2026-06-01", "11:00", "100.00"]);
    // The slots' amounts and the deposit.
    assert_eq!(cells(&said, "total")[9], "97.394499998");
    assert!(!said.contains("2026-06-01 12:00"), "{said}");

    let said = mill.table(&["statement", "--slots"]);
    for slot in ["2026-05-31 12:00", "2026-06-01 12:00", "2026-06-01 12:15", "total"] {
        assert!(said.contains(slot), "{slot}: {said}");
    }
    let none = vec![statement(CLOSING).pop().unwrap()].into_iter().map(|mut part| {
        if let Some(Kind::Totals(totals)) = &mut part.kind {
            totals.figures = Some(zero());
            totals.payments_yuan = "0.000000000".to_owned();
            totals.closing_balance_yuan.clone_from(&totals.opening_balance_yuan);
        }
        part
    });
    let said = Owner::new(Script { statement: none.collect(), ..Script::default() }).table(&["statement"]);
    assert!(said.contains("Nothing was recorded in this period."), "{said}");
}

#[test]
fn csv_has_a_row_for_each_slot_and_payment_and_nothing_else() {
    let output = mill().run(&["statement", "--output", "csv"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(
        lines[0],
        "slot,delivery_start,payment,recorded_at,bought_wh,sold_wh,delivered_as_buyer_wh,\
         delivered_as_seller_wh,deviation_wh,import_wh,export_wh,generation_wh,energy_yuan,wheeling_yuan,congestion_yuan,fee_yuan,\
         deviation_yuan,retail_yuan,feed_in_yuan,amount_yuan,without_market_yuan,gain_yuan,\
         certificates_issued_wh,certificates_received_wh,certificates_passed_on_wh,certificates_retired_wh,\
         certificates_bundled_wh,certificates_expired_wh,certificates_voided_wh,grid_import_wh,grid_export_wh"
    );
    assert_eq!(
        lines[2],
        format!(
            "{NOON},2026-06-01T04:00:00Z,,,2000,0,2000,0,0,2500,0,0,-0.900000000,-0.100000000,0.000000000,\
             -0.004000001,0.000000000,-0.400000000,0.000000000,-1.404000001,-2.000000000,0.595999999,\
             0,2000,0,1500,0,0,0,500,0"
        )
    );
    let amount_at = lines[0].split(',').position(|name| name == "amount_yuan").unwrap();
    let deposit: Vec<_> = lines[4].split(',').collect();
    assert_eq!(deposit[..4], ["", "", "deposit", "2026-06-01T03:00:00Z"]);
    assert_eq!(deposit[amount_at], "100.000000000");
    assert!(deposit[4..].iter().filter(|cell| !cell.is_empty()).count() == 1, "{deposit:?}");
    assert_eq!(lines.len(), 5);
    assert!(lines.iter().all(|line| line.split(',').count() == deposit.len()), "{said}");
}

#[test]
fn json_says_all_of_it() {
    let said = mill().json(&["statement"])["statement"].clone();
    assert_eq!(said["closing_balance_yuan"], CLOSING);
    assert_eq!(
        (&said["from"], &said["until"]),
        (&json!("2026-05-31T16:00:00Z"), &json!("2026-06-30T16:00:00Z"))
    );
    assert_eq!((&said["name"], &said["tree_size"]), (&json!("mill"), &json!(77)));
    assert_eq!(said["total"]["gain_yuan"], "0.994499998");
    assert_eq!(said["total"]["grid_import_wh"], 1_000);
    assert_eq!(said["slots"].as_array().unwrap().len(), 3);
    let slot = &said["slots"][0];
    assert_eq!((&slot["slot"], &slot["delivered_as_buyer_wh"]), (&json!(NOON - 96), &json!(-500)));
    assert_eq!(slot["delivery_start"], "2026-05-31T04:00:00Z");
    assert_eq!(
        said["payments"],
        json!([{
            "leaf_index": 9, "recorded_at": "2026-06-01T03:00:00Z", "payment": "deposit",
            "amount_yuan": "100.000000000",
        }])
    );
}

#[test]
fn a_period_is_a_month_or_from_one_moment_until_another() {
    let noon = u64::from(NOON) * 900_000_000;
    for (args, from_micros, until_micros) in [
        (&[][..], JUNE, JULY),
        (&["--month", "2026-06"], JUNE, JULY),
        (&["--from", "2026-06-01", "--until", "2026-06-01 12:00"], JUNE, noon),
        (&["--from", "2026-06-01"], JUNE, NOW_MICROS + 1),
    ] {
        let mill = mill();
        mill.json(&[&["statement"], args].concat());
        let asked = v1::GetStatementRequest { from_micros, until_micros };
        assert_eq!(mill.node.script.lock().unwrap().periods, [asked], "{args:?}");
    }
    for args in [
        &["--month", "2026-13"][..],
        &["--month", "2026-06", "--from", "2026-06-01"],
        &["--until", "2026-06-01"],
        &["--from", "2026-06-02", "--until", "2026-06-02"],
        &["--from", "noon"],
    ] {
        let (code, error) = mill().failure(&[&["statement"], args].concat());
        assert_eq!((code, &error["kind"]), (Some(2), &json!("usage")), "{args:?}");
    }
}

#[test]
fn a_statement_that_does_not_add_up_is_not_shown() {
    let off = Script { statement: statement("95.894499999"), ..Script::default() };
    let (code, error) = Owner::new(off).failure(&["statement"]);
    assert_eq!((code, &error["kind"]), (Some(6), &json!("contradictory")));
    let said = error["message"].as_str().unwrap();
    assert!(said.contains("sum to 95894499998, and the closing balance says 95894499999"), "{said}");
    let mut cut = statement(CLOSING);
    cut.pop();
    let (code, error) = Owner::new(Script { statement: cut, ..Script::default() }).failure(&["statement"]);
    assert_eq!(code, Some(4));
    assert!(error["message"].as_str().unwrap().contains("lacks a statement's totals"), "{error}");
}
