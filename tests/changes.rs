//! Owners change their minds, and their keys: the real command `parkwatt` against a real node.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod machine;
mod node;

use std::{fs, path::PathBuf, time::Duration};

use machine::Machine;
use node::{Node, Place};
use parkwatt_client::{Connection, Signer, beside, create_key, read_key};
use serde_json::{Value, json};

/// The market's time: eleven o'clock in Shanghai.
const NOW: &str = "2026-06-01T03:00:00Z";
/// The same in microseconds.
const NOW_MICROS: u64 = 1_780_282_800_000_000;

/// Returns a machine whose owner is enrolled with a PV of 40 kW and a credit of 1,000 yuan.
fn enrolled(place: &Place, node: &Node, name: &str) -> Machine {
    let machine = Machine::new(node);
    machine.says(&["key", "new"]);
    let operator_key = place.operator_key().display().to_string();
    let enrol =
        ["enrol", "--name", name, "--pv", "40kW", "--credit", "1000", "--operator-key", &operator_key];
    machine.says(&enrol);
    machine
}

fn key_file(machine: &Machine) -> PathBuf {
    machine.home.path().join(".parkwatt/key.pem")
}

/// Returns the states of the caller's orders, newest first.
fn states(machine: &Machine) -> Vec<String> {
    let orders = machine.json(&["orders"])["orders"].clone();
    orders.as_array().unwrap().iter().map(|order| order["state"].as_str().unwrap().to_owned()).collect()
}

/// Returns the words that place an order for the next noon.
fn at_noon<'a>(verb: &'a str, energy: &'a str, price: &'a str, options: &[&'a str]) -> Vec<&'a str> {
    [&[verb, energy, "--at", "12:00", "--price", price], options].concat()
}

#[test]
fn an_owner_places_orders_with_conditions_and_changes_them() {
    let place = Place::new(&["--simulated-from", NOW]);
    let node = place.start();
    let (roof, mill) = (enrolled(&place, &node, "roof"), enrolled(&place, &node, "mill"));
    let sell = |energy, price, options| at_noon("sell", energy, price, options);
    let buy = |energy, price, options| at_noon("buy", energy, price, options);

    let offered = roof.json(&sell("2kWh", "0.45", &["--post-only", "--good-until", "11:30"]));
    let order = offered["orders"][0]["order_id"].as_str().unwrap().to_owned();
    let shown = roof.json(&["orders"])["orders"][0].clone();
    assert_eq!(shown["good_until"], "2026-06-01T03:30:00Z");
    assert_eq!((&shown["time_in_force"], &shown["post_only"]), (&json!("good_until"), &json!(true)));

    let said = mill.fails(&buy("3kWh", "0.60", &["--fill-or-kill"]), 1);
    assert!(said.contains("3 kWh must trade at once, and 2 kWh can"), "{said}");
    assert!(said.contains("Next: Choose less energy"), "{said}");
    let said = mill.fails(&buy("3kWh", "0.60", &["--at-least", "2.5kWh"]), 1);
    assert!(said.contains("rule R3"), "{said}");
    let said = mill.fails(&buy("1kWh", "0.60", &["--post-only"]), 1);
    assert!(said.contains(&order) && said.contains("leave out --post-only"), "{said}");
    let bought = mill.json(&buy("1.5kWh", "0.60", &["--immediate"]));
    assert_eq!(bought["orders"][0]["traded_wh"], 1_500);
    let said = mill.says(&buy("1kWh", "0.60", &["--immediate"]));
    assert!(said.contains("accepted, 0.5 kWh traded, 0.5 kWh lapsed"), "{said}");
    assert_eq!(states(&mill)[..2], ["lapsed", "filled"]);

    let order = roof.json(&sell("2kWh", "0.45", &[]))["orders"][0]["order_id"].as_str().unwrap().to_owned();
    let said = roof.says(&["replace", &order, "--energy", "1.8kWh"]);
    assert!(said.contains(&format!("Order {order} keeps its place: 1.8 kWh altogether")), "{said}");
    let replaced = roof.json(&["replace", &order, "--price", "0.40"])["replaced"].clone();
    assert_eq!((&replaced["kept_place"], &replaced["energy_wh"]), (&json!(false), &json!(1_800)));
    let new = replaced["new_order_id"].as_str().unwrap();
    let said = roof.fails(&["replace", &order, "--price", "0.41"], 1);
    assert!(said.contains("not in the book any more") && said.contains("parkwatt orders --open"), "{said}");
    assert_eq!(states(&roof)[..2], ["open", "replaced"]);
    assert_eq!(roof.json(&["orders", "--open"])["orders"][0]["order_id"], new);
}

#[test]
fn a_schedule_is_placed_whole_and_withdrawn_at_once() {
    let place = Place::new(&["--simulated-from", NOW]);
    let node = place.start();
    let roof = enrolled(&place, &node, "roof");
    roof.says(&["sell", "5kWh", "--at", "12:15", "--price", "0.45"]);
    let noon_to_one = ["--at", "12:00", "--until", "13:00", "--price", "0.45", "--all-or-none"];
    // The plant delivers 10 kWh a quarter hour, and offers 5 of them from 12:15 on already.
    let said = roof.fails(&[&["sell", "6kWh"][..], &noon_to_one].concat(), 1);
    assert!(
        said.contains("its order at position 1, counted from 0, was refused")
            && said.contains("Next: Offer less"),
        "{said}"
    );
    assert_eq!(states(&roof), ["open"]);
    roof.says(&[&["sell", "3kWh"][..], &noon_to_one].concat());
    roof.says(&["buy", "1kWh", "--at", "13:00", "--price", "0.10"]);

    let cancelled = |args: &[&str]| {
        let said = roof.json(&[&["cancel", "--all"][..], args].concat())["cancelled_all"].clone();
        (said["orders"].as_u64().unwrap(), said["energy_wh"].as_u64().unwrap())
    };
    assert_eq!(cancelled(&["--at", "12:15"]), (2, 8_000));
    assert_eq!(cancelled(&["--side", "bid"]), (1, 1_000));
    let operator_key = place.operator_key().display().to_string();
    let named = ["--participant", "roof", "--operator-key", &operator_key];
    assert_eq!(cancelled(&[&["--at", "12:30"][..], &named].concat()), (1, 3_000));
    assert_eq!(cancelled(&[]), (2, 6_000));
    assert_eq!(cancelled(&[]), (0, 0));
    assert_eq!(states(&roof), ["cancelled"; 6]);
    let said = roof.fails(
        &[&["cancel", "--all"][..], &["--participant", "nobody", "--operator-key", &operator_key]].concat(),
        1,
    );
    assert!(said.contains("no participant has this name"), "{said}");
}

#[test]
fn the_book_says_what_an_open_auction_would_be() {
    let place = Place::new(&["--simulated-from", NOW]);
    let node = place.start();
    let (roof, mill) = (enrolled(&place, &node, "roof"), enrolled(&place, &node, "mill"));
    let at = ["--at", "2026-06-03 10:00", "--price"];
    roof.says(&[&["sell", "5kWh"], &at[..], &["0.40"]].concat());
    let book = ["book", "--at", "2026-06-03 10:00"];
    assert_eq!(roof.json(&book)["indicative"], json!({ "energy_wh": 0, "prices": [] }));
    mill.says(&[&["buy", "2kWh"], &at[..], &["0.652"]].concat());
    // 0.652 less 0.05 for wheeling and 0.002 for the market are 0.60; but the offer that is left bounds the
    // price at 0.40.
    assert_eq!(
        roof.json(&book)["indicative"],
        json!({ "energy_wh": 2_000, "prices": [{ "zone": "park", "price_micros_per_kwh": 400_000 }] })
    );
    let said = roof.says(&book);
    assert!(said.contains("2 kWh would trade; sellers would be paid: park 0.40 yuan/kWh"), "{said}");
}

#[test]
fn a_rotated_key_trades_on_and_what_was_the_key_does_not() {
    let place = Place::new(&["--simulated-from", NOW]);
    let node = place.start();
    let roof = enrolled(&place, &node, "roof");
    roof.says(&["sell", "1kWh", "--at", "12:00", "--price", "0.45"]);
    let before = roof.json(&["key", "show"])["key"]["public_key"].clone();
    let rotated = roof.json(&["key", "rotate"])["rotated"].clone();
    assert_eq!(rotated["old_public_key"], before);
    assert_eq!(roof.json(&["key", "show"])["key"]["public_key"], rotated["public_key"]);
    assert!(rotated["leaf_index"].is_u64(), "{rotated}");
    let old = rotated["old_file"].as_str().unwrap();
    assert_eq!(old, beside(&key_file(&roof), "old").display().to_string());
    assert!(!beside(&key_file(&roof), "new").exists());

    assert_eq!(roof.json(&["cancel", "--all"])["cancelled_all"]["orders"], 1);
    roof.says(&["sell", "1kWh", "--at", "12:00", "--price", "0.45"]);
    for args in [&["account", "--key", old][..], &["cancel", "--all", "--key", old]] {
        let said = roof.fails(args, 4);
        assert!(
            said.contains("not enrolled") && said.contains("parkwatt key rotate was interrupted"),
            "{said}"
        );
    }
    let said = roof.says(&["key", "rotate"]);
    assert!(said.contains("key.pem.old-2") && said.contains("the old one never again"), "{said}");
    assert_eq!(roof.json(&["account"])["account"]["name"], "roof");
    let operator_key = place.operator_key().display().to_string();
    roof.says(&["key", "rotate", "--key", &operator_key]);
    roof.says(&["deposit", "--to", "roof", "--amount", "1", "--operator-key", &operator_key]);
}

/// A rotation can be interrupted before the market hears of it, after, and after it was kept: each time the
/// command goes on.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_rotation_is_finished_by_the_same_command() {
    let place = Place::new(&["--simulated-from", NOW]);
    let node = place.start();
    let connection = Connection::open(&node.url()).await.unwrap();
    for (name, has_been_sent, has_been_kept) in
        [("one", false, false), ("two", true, false), ("three", true, true)]
    {
        let owner = enrolled(&place, &node, name);
        let file = key_file(&owner);
        let old_key = read_key(&file).unwrap();
        let new_key = create_key(&beside(&file, "new")).unwrap();
        if has_been_sent {
            let mut pen = Signer::new(old_key.clone(), "park");
            let rotate = pen.sign(pen.rotation(&new_key), NOW_MICROS, Duration::from_mins(1));
            connection.submit(rotate).await.unwrap();
        }
        if has_been_kept {
            fs::copy(&file, beside(&file, "old")).unwrap();
        }
        let rotated = owner.json(&["key", "rotate"])["rotated"].clone();
        assert_eq!(rotated["leaf_index"] == Value::Null, has_been_sent, "{name}");
        assert_eq!(read_key(&file).unwrap(), new_key, "{name}");
        assert_eq!(read_key(&beside(&file, "old")).unwrap(), old_key, "{name}");
        assert!(!beside(&file, "new").exists() && !beside(&file, "old-2").exists(), "{name}");
        assert_eq!(owner.json(&["account"])["account"]["name"], name);
    }

    // The operator, who has no account, and a file that the interruption left unfinished.
    let file = place.operator_key();
    let operator = Machine::new(&node);
    let rotate = ["key", "rotate", "--key", file.to_str().unwrap()];
    fs::write(beside(&file, "new"), "-----BEGIN PRIV").unwrap();
    let said = operator.fails(&rotate, 2);
    assert!(said.contains("operator.pem.new is there already and holds no key"), "{said}");
    assert!(said.contains("nothing was sent. Remove the file"), "{said}");
    fs::remove_file(beside(&file, "new")).unwrap();
    let new_key = create_key(&beside(&file, "new")).unwrap();
    let mut pen = Signer::new(read_key(&file).unwrap(), "park").after(NOW_MICROS + 1_000);
    let sent = pen.sign(pen.rotation(&new_key), NOW_MICROS, Duration::from_mins(1));
    connection.submit(sent).await.unwrap();
    assert!(operator.says(&rotate).contains("A rotation that was interrupted is finished"));
    assert_eq!(read_key(&file).unwrap(), new_key);
}

#[test]
fn a_rotation_that_no_node_answers_says_how_to_go_on() {
    let place = Place::new(&["--simulated-from", NOW]);
    let mut node = place.start();
    let roof = enrolled(&place, &node, "roof");
    node.kill();
    let before = fs::read(key_file(&roof)).unwrap();
    let said = roof.fails(&["key", "rotate"], 3);
    assert!(said.contains("gave no answer"), "{said}");
    assert_eq!(fs::read(key_file(&roof)).unwrap(), before);
    assert!(!beside(&key_file(&roof), "new").exists(), "nothing is made before a node is there");
}
