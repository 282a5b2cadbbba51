//! Reports: what is in them is what the leaves say, and what does not agree is named.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use parkwatt_proto::v1::{self, command::Kind, leaf::Fact};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    check,
    day::{Day, OPERATOR, ROOF_METER, SLOT, files},
    run,
    sums::{Leaves, Sums},
};

/// The files of a report with their columns.
const FILES: [(&str, &str); 8] = [
    (
        "certificate_steps.csv",
        "step,at,kind,slot,slot_begins_at,producer,issue,energy_wh,from,to,trade,retirement,consumption_slot,\
         beneficiary,purpose,gec,was,reason",
    ),
    (
        "certificates.csv",
        "slot,slot_begins_at,producer,issue,class,energy_wh,held_wh,retired_wh,bundled_wh,expired_wh,\
         withdrawn_wh,holders",
    ),
    ("flows.csv", "slot,slot_begins_at,zone,parent,flow_up_wh,capacity_up_wh,capacity_down_wh"),
    ("nationals.csv", "gec,made_at,holder,energy_wh,parts,first_slot,last_slot,voided_at"),
    (
        "postings.csv",
        "posting,posted_at,from_account,from_participant,to_account,to_participant,amount_yuan,purpose,trade,\
         slot,slot_begins_at",
    ),
    (
        "reconciliation.csv",
        "check,slot,slot_begins_at,of,unit,left_is,left,relation,right_is,right,difference,differing,open,open_until",
    ),
    (
        "slots.csv",
        "slot,slot_begins_at,phase,tariff_version,trades,trades_estimated,traded_wh,delivered_wh,\
         seller_deviation_wh,buyer_deviation_wh,delivered_without_export_reading_wh,\
         delivered_without_import_reading_wh,generated_wh,self_consumed_wh,exported_wh,fed_in_wh,imported_wh,\
         residual_import_wh,meters_read,meters_estimated,meters_missing,readings_after_final,\
         certified_export_wh,certified_self_consumption_wh,certificates_held_wh,certificates_retired_wh,\
         certificates_bundled_wh,certificates_expired_wh,certificates_withdrawn_wh,energy_yuan,wheeling_yuan,\
         congestion_yuan,fee_yuan,deviation_yuan,retail_yuan,feed_in_yuan",
    ),
    (
        "trades.csv",
        "trade,traded_at,slot,slot_begins_at,phase,matching,buyer,buyer_zone,bid,seller,seller_zone,offer,\
         energy_wh,price_yuan_per_kwh,wheeling_yuan_per_kwh,congestion_yuan_per_kwh,fee_yuan_per_kwh,\
         tariff_version,delivered_wh,seller_deviation_wh,buyer_deviation_wh,estimated",
    ),
];

/// A report, in a folder of its own.
struct Report {
    folder: tempfile::TempDir,
    /// What was printed.
    said: Value,
}

impl Report {
    /// Writes a report, and expects this exit code.
    #[track_caller]
    fn of(ledger: &Path, exit_code: i32, args: &[&str]) -> Report {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("report");
        let all = [&["report", "--output", "json", "--out", out.to_str().unwrap()], args].concat();
        let said = serde_json::from_str(&check(&all, ledger, exit_code)).unwrap();
        Report { folder, said }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("report")
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path().join("report.json")).unwrap()).unwrap()
    }

    /// Returns a file's rows, by the names of the columns.
    fn rows(&self, file: &str) -> Vec<BTreeMap<String, String>> {
        let mut reader = csv::Reader::from_path(self.path().join(file)).unwrap();
        reader.deserialize().map(Result::unwrap).collect()
    }

    /// Returns the sum of a column.
    fn sum(&self, file: &str, column: &str) -> i128 {
        self.rows(file).iter().map(|row| number(&row[column])).sum()
    }

    /// Returns the checks that do not hold.
    fn differing(&self) -> Vec<Value> {
        let checks = self.json()["checks"].as_array().unwrap().clone();
        checks.into_iter().filter(|check| check["differing"] != 0).collect()
    }
}

/// Reads a number, or money in 1e-9 yuan; nothing is 0.
fn number(text: &str) -> i128 {
    let digits = text.replace('.', "");
    if digits.is_empty() { 0 } else { digits.parse().unwrap() }
}

/// Compares every file of a report with what the leaves say.
fn agrees(report: &Report, leaves: &Leaves) {
    let columns: Vec<&str> = FILES[6].1.split(',').skip(4).collect();
    let expected = leaves.balance();
    let summed: Sums = columns.iter().map(|column| (*column, report.sum("slots.csv", column))).collect();
    for (column, sum) in &summed {
        assert_eq!(*sum, expected.get(column).copied().unwrap_or_default(), "{column}");
    }
    assert!(expected.keys().all(|column| summed.contains_key(column)), "{expected:?}");

    assert_eq!(report.rows("trades.csv").len(), leaves.trades.len());
    for column in ["delivered_wh", "seller_deviation_wh", "buyer_deviation_wh"] {
        assert_eq!(report.sum("trades.csv", column), summed[column], "{column}");
    }
    assert_eq!(report.sum("trades.csv", "energy_wh"), summed["traded_wh"]);
    for row in report.rows("trades.csv") {
        let trade = &leaves.trades[&row["trade"].parse().unwrap()];
        let (buyer, seller) = (trade.buyer.unwrap() as usize, trade.seller.unwrap() as usize);
        assert_eq!((&row["buyer"], &row["seller"]), (&leaves.people[buyer].0, &leaves.people[seller].0));
        assert_eq!(number(&row["price_yuan_per_kwh"]), i128::from(trade.price_micros_per_kwh) * 1000);
    }

    let postings = report.rows("postings.csv");
    assert_eq!(postings.len(), leaves.postings);
    let mut posted: BTreeMap<&str, i128> = BTreeMap::new();
    for row in &postings {
        *posted.entry(&row["purpose"]).or_default() += number(&row["amount_yuan"]);
    }
    for (purpose, nanos) in posted {
        let column = match purpose {
            "deposit" | "payout" | "rounding" => format!("bank: {purpose}"),
            other => format!("{}_yuan", other.replace('-', "_")),
        };
        assert_eq!(leaves.posted.get(column.as_str()), Some(&nanos), "{purpose}");
    }

    for state in ["held", "retired", "bundled", "expired", "withdrawn"] {
        let column = format!("certificates_{state}_wh");
        let sum = report.sum("certificates.csv", &format!("{state}_wh"));
        assert_eq!(sum, summed[column.as_str()], "{column}");
    }
    let issued = summed["certified_export_wh"] + summed["certified_self_consumption_wh"];
    assert_eq!(report.sum("certificates.csv", "energy_wh"), issued);
    assert_eq!(report.rows("certificate_steps.csv").len(), leaves.steps);

    let flow = |row: &BTreeMap<String, String>| {
        ((row["slot"].parse().unwrap(), row["zone"].clone()), number(&row["flow_up_wh"]))
    };
    let flows: BTreeMap<(u32, String), i128> = report.rows("flows.csv").iter().map(flow).collect();
    assert_eq!(flows, leaves.flows());
}

#[test]
fn a_day_is_reported_as_its_leaves_say_and_the_columns_stay() {
    let dir = Day::whole().write_whole();
    let report = Report::of(dir.path(), 0, &[]);
    assert_eq!((report.differing(), &report.said["verdict"]), (vec![], &json!("intact")));
    agrees(&report, &Leaves::read(dir.path()));
    for (file, columns) in FILES {
        let text = fs::read_to_string(report.path().join(file)).unwrap();
        assert_eq!(text.split("\r\n").next(), Some(columns), "{file}");
        assert!(text.ends_with("\r\n"), "{file}");
    }
    let slots = report.rows("slots.csv");
    assert_eq!(slots.len(), 1);
    for (column, value) in [
        ("slot", "1978000"),
        ("slot_begins_at", "2026-05-31T04:00:00Z"),
        ("phase", "settled"),
        ("traded_wh", "1500"),
        ("fed_in_wh", "300"),
        ("meters_missing", "0"),
        ("fee_yuan", "0.003000000"),
    ] {
        assert_eq!(slots[0][column], value, "{column}");
    }
    let claims: Vec<_> =
        report.rows("certificate_steps.csv").into_iter().filter(|row| row["kind"] == "retired").collect();
    assert_eq!((claims.len(), claims[0]["beneficiary"].as_str()), (1, "hall 3"));
}

#[test]
fn the_demos_day_is_reported_as_its_leaves_say() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Command::new(env!("CARGO_BIN_EXE_parkwattd")).args(["demo", "--out"]).arg(dir.path()).output();
    assert!(demo.unwrap().status.success());
    let ledger = dir.path().join("park");
    let report = Report::of(&ledger, 0, &[]);
    assert_eq!(report.differing(), Vec::<Value>::new());
    let leaves = Leaves::read(&ledger);
    assert!(leaves.trades.len() > 1000 && !leaves.flows().is_empty());
    agrees(&report, &leaves);
}

#[test]
fn the_document_names_the_ledger_and_every_file_by_its_digest() {
    let day = Day::whole();
    let (first, again) = (day.write_archive(), day.write_archive());
    let (report, same) = (Report::of(first.path(), 0, &[]), Report::of(again.path(), 0, &[]));
    let said = report.json();
    let (checkpoint, leaves) =
        (&report.said["figures"]["tree_root"], day.groups.iter().map(Vec::len).sum::<usize>());
    assert_eq!((&said["ledger"]["tree_root"], &said["ledger"]["tree_size"]), (checkpoint, &json!(leaves)));
    assert_eq!(said["sums"]["energy_yuan"], "0.600000000");
    let named = said["files"].as_array().unwrap();
    assert_eq!(named.len() + 1, files(&report.path()).len());
    for file in named {
        let bytes = fs::read(report.path().join(file["name"].as_str().unwrap())).unwrap();
        assert_eq!(file["sha256"], hex::encode(Sha256::digest(&bytes)), "{file}");
        assert_eq!(file["bytes"], bytes.len(), "{file}");
    }
    // Equal ledgers, equal reports.
    for path in files(&report.path()) {
        let other = same.path().join(path.file_name().unwrap());
        assert!(fs::read(&path).unwrap() == fs::read(other).unwrap(), "{}", path.display());
    }
}

#[test]
fn a_correction_that_nobody_has_drawn_the_consequence_of_is_open_until_it_is_final() {
    let mut day = Day::whole();
    day.read(ROOF_METER, SLOT, 3, 0, 1700);
    let dir = day.write_archive();
    let report = Report::of(dir.path(), 0, &[]);
    assert_eq!(report.differing(), Vec::<Value>::new());
    let note = report.said["notes"].as_array().unwrap().last().unwrap().as_str().unwrap();
    let until = "2026-06-30T04:15:00Z";
    assert!(note.starts_with("certified export: slot 1978000 (roof): 1800 Wh valid certificates"), "{note}");
    assert!(
        note.contains(&format!("1700 Wh measured export, open until {until}. This is no difference")),
        "{note}"
    );
    let rows = report.rows("reconciliation.csv");
    let open: Vec<_> = rows.iter().filter(|row| row["open"] == "1").collect();
    assert_eq!([&open[0]["difference"], &open[1]["difference"]], ["0", "100"]);
    assert_eq!([&open[0]["open_until"], &open[1]["open_until"]], ["", until]);
    agrees(&report, &Leaves::read(dir.path()));

    // Nobody settles it: then the final settlement does (R14), and nothing is open behind it.
    let mut late = Day::whole();
    late.read(ROOF_METER, SLOT, 3, 0, 1700);
    late.wait(31);
    late.ask(OPERATOR, Kind::Deposit(v1::Deposit { participant: "mill".into(), amount_fen: 1 }));
    let dir = late.write_archive();
    let report = Report::of(dir.path(), 0, &[]);
    assert_eq!(report.differing(), Vec::<Value>::new());
    assert!(report.rows("reconciliation.csv").iter().all(|row| row["open"] == "0"));
    assert_eq!(report.sum("certificates.csv", "withdrawn_wh"), 1800);
    agrees(&report, &Leaves::read(dir.path()));

    day.withdraw();
    let dir = day.write_archive();
    let report = Report::of(dir.path(), 0, &[]);
    assert_eq!(report.differing(), Vec::<Value>::new());
    let rows = report.rows("reconciliation.csv");
    assert!(rows.iter().all(|row| row["open"] == "0"));
    agrees(&report, &Leaves::read(dir.path()));
    assert_eq!(report.sum("certificates.csv", "withdrawn_wh"), 1800);
}

#[test]
fn what_is_final_claimed_late_and_expired_agrees_too() {
    let mut day = Day::whole();
    day.wait(31);
    day.retire(500);
    let report = Report::of(day.write_archive().path(), 0, &[]);
    assert_eq!(report.rows("slots.csv")[0]["phase"], "final");
    day.wait(3 * 366);
    day.ask(OPERATOR, Kind::Deposit(v1::Deposit { participant: "mill".into(), amount_fen: 1 }));
    let dir = day.write_archive();
    let report = Report::of(dir.path(), 0, &[]);
    assert_eq!(report.differing(), Vec::<Value>::new());
    agrees(&report, &Leaves::read(dir.path()));
    let row = &report.rows("slots.csv")[0];
    assert_eq!(
        (row["certificates_retired_wh"].as_str(), row["certificates_expired_wh"].as_str()),
        ("1500", "300")
    );
}

#[test]
fn a_period_has_its_slots_and_what_was_paid_in_and_out_in_it() {
    let day = Day::whole();
    let dir = day.write_archive();
    let (slot, next) = (SLOT.to_string(), (SLOT + 1).to_string());
    let rows = |args: &[&str]| {
        let report = Report::of(dir.path(), 0, args);
        ["trades.csv", "slots.csv", "postings.csv", "certificates.csv", "certificate_steps.csv"]
            .map(|file| report.rows(file).len())
    };
    let all = rows(&[]);
    let [trades, slots, postings, certificates, steps] = all;
    // The deposit was made hours before the slot.
    let of_the_slot = [trades, slots, postings - 1, certificates, steps];
    assert_eq!(rows(&["--from", &slot, "--until", &slot]), of_the_slot);
    assert_eq!(rows(&["--from", "2026-05-31T04:00:00Z", "--until", "2026-05-31"]), of_the_slot);
    assert_eq!(rows(&["--until", "2026-05-31"]), all);
    assert_eq!(rows(&["--from", &next]), [0; 5]);
    check(&["report", "--out", "nowhere", "--from", &next, "--until", &slot], dir.path(), 64);
    check(&["report", "--out", "nowhere", "--from", "noon"], dir.path(), 64);
}

#[test]
fn of_a_ledger_that_is_not_intact_there_is_only_the_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report");
    let refused = |day: &Day, flip: bool, exit_code: i32| {
        let dir = day.write_archive();
        if flip {
            let segment = files(&dir.path().join("journal")).remove(0);
            let mut bytes = fs::read(&segment).unwrap();
            bytes[5000] ^= 1;
            fs::remove_file(&segment).unwrap();
            fs::write(segment, bytes).unwrap();
        }
        check(&["report", "--out", out.to_str().unwrap()], dir.path(), exit_code);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    };
    refused(&Day::whole(), true, 1);
    let mut forged = Day::whole();
    let trade = forged.find(|fact| matches!(fact, Fact::TradeMade(_)));
    forged.change(trade, |fact| {
        let Fact::TradeMade(trade) = fact else { unreachable!("it was looked for") };
        trade.price_micros_per_kwh += 100;
    });
    refused(&forged, false, 2);
}

#[test]
fn a_report_is_written_into_a_new_folder_and_not_into_the_ledger() {
    let dir = Day::whole().write_archive();
    let refused = |out: &Path| {
        let output = run(&["report", "--out", out.to_str().unwrap()], dir.path());
        assert_eq!(output.status.code(), Some(74));
        String::from_utf8(output.stderr).unwrap()
    };
    let full = tempfile::tempdir().unwrap();
    fs::write(full.path().join("letter.txt"), "dear all").unwrap();
    assert!(refused(full.path()).contains("is not empty"));
    assert_eq!(files(full.path()).len(), 1);
    for within in [dir.path().join("report"), dir.path().join("journal/report")] {
        assert!(refused(&within).contains("would lie in the ledger"));
    }
    assert!(refused(&full.path().join("letter.txt/report")).contains("letter.txt"));
    check(&["verify"], dir.path(), 0);

    let empty = tempfile::tempdir().unwrap();
    check(&["report", "--out", empty.path().to_str().unwrap()], dir.path(), 0);
    assert_eq!(files(empty.path()).len(), FILES.len() + 1);
}

#[test]
fn people_read_what_must_agree_last() {
    let dir = Day::whole().write_archive();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report");
    let said = check(&["report", "--out", out.to_str().unwrap()], dir.path(), 0);
    let (table, verdict) = said.rsplit_once("\n\n").unwrap();
    assert!(verdict.starts_with("verdict       intact"), "{verdict}");
    let line = table.lines().find(|line| line.contains("traded = bought")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words, ["traded", "=", "bought", "1,500", "1,500", "0", "Wh"]);
}
