//! A node that signs what is not so, and an owner of a disk who loses what was.

use std::fs;

use parkwatt::host::VKEY_FILE;
use parkwatt_engine::Slot;
use parkwatt_ledger::{CheckpointSigner, Origin, SigningKey};
use parkwatt_proto::v1::{self, command::Kind, leaf::Fact, outcome::Kind as Outcome};
use prost::Message;

use crate::{
    check,
    day::{Day, MILL, ROOF_METER, files, sign},
};

#[test]
fn a_trade_that_the_node_has_made_up_passes_every_signature_and_diverges() {
    let mut day = Day::whole();
    let trade = day.find(|fact| matches!(fact, Fact::TradeMade(_)));
    day.change(trade, |fact| {
        let Fact::TradeMade(trade) = fact else { unreachable!("it was looked for") };
        trade.price_micros_per_kwh += 100;
    });
    let dir = day.write_whole();
    check(&["verify"], dir.path(), 0);
    let said = check(&["replay"], dir.path(), 2);
    assert!(said.contains(&format!("found         leaf {trade}: the ledger says ")), "{said}");
    assert!(said.contains("verdict       diverged"), "{said}");
}

#[test]
fn leaves_that_are_left_out_or_added_diverge() {
    let mut day = Day::whole();
    let last = day.groups.last_mut().unwrap();
    let leaf = last.pop().unwrap();
    let size: usize = day.groups.iter().map(Vec::len).sum();
    let said = check(&["replay"], day.write_archive().path(), 2);
    assert!(said.contains(&format!("leaf {size}: is missing; the engine says ")), "{said}");

    day.groups.push(vec![leaf.clone(), leaf]);
    let said = check(&["replay"], day.write_archive().path(), 2);
    assert!(said.contains(&format!("leaf {}: ", size + 1)), "{said}");
}

#[test]
fn a_command_that_nobody_has_signed_is_tampering_by_the_node() {
    let mut day = Day::whole();
    let command = day.find(|fact| matches!(fact, Fact::Command(_))) + 1;
    day.change(command, |fact| {
        let Fact::Command(command) = fact else { unreachable!("the first commands bring no events") };
        command.signed.as_mut().unwrap().signature[10] ^= 1;
    });
    let dir = day.write_whole();
    for depth in ["verify", "replay"] {
        let said = check(&[depth], dir.path(), 1);
        assert!(said.contains(&format!("leaf {command}: a command that nobody has signed")), "{said}");
    }
}

#[test]
fn a_rotation_is_intact_and_one_without_the_new_key_s_word_is_tampering_by_the_node() {
    let mut day = Day::whole();
    day.rotate();
    let dir = day.write_whole();
    for depth in ["verify", "replay"] {
        check(&[depth], dir.path(), 0);
    }
    let is_rotation = |fact: &Fact| match fact {
        Fact::Command(it) => matches!(it.outcome.as_ref().unwrap().kind, Some(Outcome::KeyRotated(_))),
        _ => false,
    };
    let rotation = day.find(is_rotation);
    day.change(rotation, |fact| {
        let Fact::Command(leaf) = fact else { unreachable!("it was looked for") };
        let signed = leaf.signed.as_mut().unwrap();
        let mut command = v1::Command::decode(signed.payload.as_slice()).unwrap();
        let Some(Kind::RotateKey(it)) = &mut command.kind else { unreachable!("it was looked for") };
        it.new_signature[10] ^= 1;
        // The old key signs what it wants; the new one was never asked.
        *signed = sign(MILL, command.encode_to_vec());
    });
    let dir = day.write_whole();
    for depth in ["verify", "replay"] {
        let said = check(&[depth], dir.path(), 1);
        assert!(
            said.contains(&format!("leaf {rotation}: a rotation to which the new key has not")),
            "{said}"
        );
    }
}

#[test]
fn a_leaf_that_breaks_the_engine_off_is_a_verdict_about_that_leaf() {
    let mut day = Day::whole();
    // Before any order: nothing is due.
    day.groups.truncate(4);
    // A node and a meter that plot together record the last quarter hour that has a number.
    let moment = Slot(u32::MAX).end().0;
    let reading = v1::SubmitReading { read_at_micros: moment, counter: 1, ..v1::SubmitReading::default() };
    let reading = v1::SubmitReading { quality: v1::Quality::Measured.into(), ..reading };
    let kind = Some(Kind::SubmitReading(reading));
    let command = v1::Command { market: "park".into(), nonce: moment, expires_at_micros: moment + 1, kind };
    let signed = Some(sign(ROOF_METER, command.encode_to_vec()));
    let fact = Some(Fact::Command(v1::CommandLeaf { signed, ..v1::CommandLeaf::default() }));
    day.groups.push(vec![v1::Leaf { at_micros: moment, fact }.encode_to_vec()]);
    let dir = day.write_archive();
    let leaf = day.groups.iter().map(Vec::len).sum::<usize>() - 1;
    check(&["verify"], dir.path(), 0);
    let said = check(&["replay"], dir.path(), 2);
    assert!(said.contains(&format!("leaf {leaf}: the engine breaks off here: ")), "{said}");
    assert!(said.contains("verdict       diverged"), "{said}");
    let said: serde_json::Value =
        serde_json::from_str(&check(&["replay", "--output", "json"], dir.path(), 2)).unwrap();
    assert_eq!(said["verdict"], "diverged");
    let report = tempfile::tempdir().unwrap();
    check(&["report", "--out", report.path().to_str().unwrap()], dir.path(), 2);
    assert_eq!(fs::read_dir(report.path()).unwrap().count(), 0);
}

#[test]
fn the_key_that_is_known_by_another_way_decides() {
    let dir = Day::whole().write_archive();
    let own = fs::read_to_string(dir.path().join(VKEY_FILE)).unwrap();
    let other = SigningKey::from_bytes(&[101; 32]);
    let other = CheckpointSigner::new(Origin::new("parkwatt/park").unwrap(), other).verifier();

    check(&["verify", "--vkey", own.trim()], dir.path(), 0);
    let said = check(&["verify", "--vkey", other.vkey()], dir.path(), 1);
    assert!(said.contains("vkey: is not the line parkwatt/park+"), "{said}");
    assert!(said.contains(".seg: the journal is signed by the key"), "{said}");

    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), other.vkey()).unwrap();
    check(&["verify", "--vkey", file.path().to_str().unwrap()], dir.path(), 1);

    fs::remove_file(dir.path().join(VKEY_FILE)).unwrap();
    check(&["verify", "--vkey", own.trim()], dir.path(), 0);
    check(&["verify"], dir.path(), 3);
}

#[test]
fn a_write_that_a_crash_interrupted_is_named_and_nothing_else() {
    let dir = Day::whole().write_archive();
    let mut segments = files(&dir.path().join("journal")).into_iter();
    let last = segments.rfind(|path| path.extension().is_some_and(|extension| extension == "seg")).unwrap();
    let mut bytes = fs::read(&last).unwrap();
    // A group begins with a block, and the last one has the last written sector.
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() / 512 * 512;
    bytes[end..end + 512].fill(0);
    fs::write(&last, &bytes).unwrap();
    let said = check(&["verify"], dir.path(), 0);
    assert!(said.contains("a group begins that was never finished"), "{said}");
    assert!(said.contains(last.file_name().unwrap().to_str().unwrap()), "{said}");
}

#[test]
fn a_store_that_is_behind_is_noted_and_one_that_is_ahead_is_found() {
    let day = Day::whole();
    let groups = day.groups.len();
    let said = check(&["verify"], day.write(groups, groups - 2).path(), 0);
    assert!(said.contains("/sled: the store has the first"), "{said}");
    let said = check(&["verify"], day.write(groups - 2, groups).path(), 1);
    assert!(said.contains("the store has a signed checkpoint over"), "{said}");
}

#[test]
fn what_cannot_be_read_is_not_called_tampered() {
    let empty = tempfile::tempdir().unwrap();
    check(&["verify"], empty.path(), 3);
    check(&["replay"], &empty.path().join("nowhere"), 3);
    fs::create_dir(empty.path().join("journal")).unwrap();
    fs::copy(Day::whole().write_archive().path().join(VKEY_FILE), empty.path().join(VKEY_FILE)).unwrap();
    check(&["verify"], empty.path(), 3);
}

#[test]
fn a_command_line_that_cannot_be_understood_is_no_verdict() {
    for args in [&["proof"][..], &["verify", "--vkey", "a+b"], &["replay", "--output", "xml"]] {
        check(args, "somewhere".as_ref(), 64);
    }
    let help = check(&["--help"], "somewhere".as_ref(), 0);
    assert!(help.contains("Exit codes:"), "{help}");
}
