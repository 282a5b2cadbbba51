//! What the entries of a claim come to, and every way in which they can fail to.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use parkwatt_proto::v1::{self, CertificateClass, CertificateId, command::Kind, leaf::Fact, outcome};
use parkwatt_proto::{FormError, StatementError, StatementFile, conclusion, retirement};
use prost::Message;

/// The claim's number.
const CLAIM: u64 = 40;
const SLOT: u32 = 7;

/// Entries, each with its index.
type Entries = Vec<(u64, Fact)>;

fn id(producer: u32) -> CertificateId {
    CertificateId { slot: SLOT, producer, issue: 1 }
}

fn command(asked: v1::RetireCertificates) -> v1::CommandLeaf {
    let kind = Some(Kind::RetireCertificates(asked));
    let payload = v1::Command { market: "park".into(), kind, ..v1::Command::default() }.encode_to_vec();
    v1::CommandLeaf {
        signed: Some(v1::SignedCommand { payload, ..v1::SignedCommand::default() }),
        outcome: Some(v1::Outcome { kind: Some(outcome::Kind::Retirement(CLAIM)) }),
        events: 2,
        participant: Some(3),
    }
}

fn asked() -> v1::RetireCertificates {
    v1::RetireCertificates {
        slot: SLOT,
        energy_wh: 1_500,
        consumption_slot: SLOT,
        beneficiary: "hall 3".into(),
        purpose: "report".into(),
        class: CertificateClass::Unspecified.into(),
    }
}

fn issued(producer: u32, energy_wh: u64) -> v1::CertificateIssued {
    let (certificate, class) = (Some(id(producer)), CertificateClass::Exported.into());
    v1::CertificateIssued { certificate, energy_wh, class, producer_name: format!("roof-{producer}") }
}

fn retired(producer: u32, energy_wh: u64) -> v1::CertificateRetired {
    v1::CertificateRetired {
        certificate: Some(id(producer)),
        holder: 3,
        energy_wh,
        consumption_slot: SLOT,
        beneficiary: "hall 3".into(),
        purpose: "report".into(),
        retirement: CLAIM,
        holder_name: "mill".into(),
    }
}

fn withdrawn(producer: u32) -> Fact {
    let (certificate, reason) = (Some(id(producer)), "corrected".to_owned());
    Fact::CertificateWithdrawn(v1::CertificateWithdrawn { certificate, energy_wh: 1_000, reason })
}

/// The entries of a claim of 1.5 kWh over two certificates.
fn whole() -> Entries {
    vec![
        (CLAIM, Fact::Command(command(asked()))),
        (41, Fact::CertificateRetired(retired(1, 1_000))),
        (42, Fact::CertificateRetired(retired(2, 500))),
        (20, Fact::CertificateIssued(issued(1, 1_000))),
        (21, Fact::CertificateIssued(issued(2, 900))),
    ]
}

fn stated(entries: &Entries) -> Result<v1::Retirement, StatementError> {
    let encoded = |(index, fact): &(u64, Fact)| {
        (*index, v1::Leaf { at_micros: 1_000 + index, fact: Some(fact.clone()) }.encode_to_vec())
    };
    let entries: Vec<(u64, Vec<u8>)> = entries.iter().map(encoded).collect();
    retirement(entries.iter().map(|(index, bytes)| (*index, bytes.as_slice()))).map(|(stated, _)| stated)
}

/// Checks that a claim's entries, after a change, come to nothing, and why.
#[track_caller]
fn refused(change: impl FnOnce(&mut Entries), why: StatementError) {
    let mut entries = whole();
    change(&mut entries);
    assert_eq!(stated(&entries), Err(why));
}

#[test]
fn a_claim_is_what_its_entries_say_in_any_order() {
    let slice = |producer: u32, energy_wh| v1::RetiredSlice {
        certificate: Some(id(producer)),
        producer_name: format!("roof-{producer}"),
        energy_wh,
        withdrawal: None,
    };
    let mut expected = v1::Retirement {
        market: "park".into(),
        number: CLAIM,
        holder: 3,
        holder_name: "mill".into(),
        beneficiary: "hall 3".into(),
        purpose: "report".into(),
        consumption_slot: SLOT,
        energy_wh: 1_500,
        at_micros: 1_040,
        class: CertificateClass::Exported.into(),
        slices: vec![slice(1, 1_000), slice(2, 500)],
        voided_wh: 0,
    };
    let mut entries = whole();
    assert_eq!(stated(&entries), Ok(expected.clone()));
    entries.reverse();
    assert_eq!(stated(&entries), Ok(expected.clone()));

    entries.push((50, withdrawn(2)));
    expected.slices[1].withdrawal = Some(v1::Withdrawal { at_micros: 1_050, reason: "corrected".into() });
    expected.voided_wh = 500;
    assert_eq!(stated(&entries), Ok(expected.clone()));
    let said = conclusion(&expected, "parkwatt/park", 60);
    for words in
        ["over 60 entries", "claim 40 of 1500 Wh by mill", "500 Wh are void", "that nothing else of it"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    let misleading = v1::Retirement { beneficiary: "me.\nProved: all".into(), ..expected };
    assert!(!conclusion(&misleading, "parkwatt/park", 60).contains('\n'));
}

#[test]
fn entries_that_are_no_whole_claim_come_to_nothing() {
    refused(Vec::clear, StatementError::NoCommand);
    refused(|it| drop(it.remove(0)), StatementError::NoCommand);
    let (claimed, proved) = (1_500, 1_000);
    refused(|it| drop(it.remove(2)), StatementError::PartMissing { claimed, proved });
    refused(|it| drop(it.remove(3)), StatementError::NoIssue("7.1.1".into()));
    refused(|it| it.push(it[1].clone()), StatementError::Twice(41));
    refused(|it| it.push((43, it[1].1.clone())), StatementError::NoIssue("7.1.1".into()));
    refused(|it| it.push((22, Fact::CertificateIssued(issued(5, 1)))), StatementError::Alien(22));
    refused(|it| it.push((23, it[3].1.clone())), StatementError::Alien(23));
    refused(|it| it.push((50, withdrawn(5))), StatementError::Alien(50));
    refused(|it| it.push((30, withdrawn(2))), StatementError::Contradiction(30));
    refused(|it| it[3].0 = 45, StatementError::Contradiction(45));
    refused(|it| it.push((9, Fact::Tick(v1::Tick { events: 1 }))), StatementError::Alien(9));
    refused(|it| it.push((39, it[0].1.clone())), StatementError::Alien(39));
    let no_entry = retirement([(5, &b"\xff"[..])]);
    assert_eq!(no_entry.map(|(stated, _)| stated), Err(StatementError::NotAnEntry(5)));
}

#[test]
fn a_command_that_was_refused_or_asked_something_else_is_no_claim() {
    let with = |change: &dyn Fn(&mut v1::CommandLeaf)| {
        let mut leaf = command(asked());
        change(&mut leaf);
        refused(|it| it[0].1 = Fact::Command(leaf), StatementError::Alien(CLAIM));
    };
    let came_to = |kind| Some(v1::Outcome { kind: Some(kind) });
    with(&|leaf| leaf.outcome = came_to(outcome::Kind::Retirement(39)));
    with(&|leaf| leaf.outcome = came_to(outcome::Kind::Rejected(v1::Rejection::default())));
    with(&|leaf| leaf.outcome = None);
    with(&|leaf| leaf.participant = None);
    with(&|leaf| leaf.signed = None);
    with(&|leaf| leaf.signed.as_mut().unwrap().payload.clear());
}

#[test]
fn a_part_that_does_not_follow_from_the_command_is_named() {
    let part = |change: &dyn Fn(&mut v1::CertificateRetired), why| {
        let mut part = retired(2, 500);
        change(&mut part);
        refused(|it| it[2].1 = Fact::CertificateRetired(part), why);
    };
    let contradicts = || StatementError::Contradiction(42);
    part(&|it| it.retirement = 39, StatementError::Alien(42));
    part(&|it| it.holder = 4, contradicts());
    part(&|it| it.beneficiary = "hall 4".into(), contradicts());
    part(&|it| it.purpose = String::new(), contradicts());
    part(&|it| it.consumption_slot = 8, contradicts());
    part(&|it| it.energy_wh = 901, contradicts());
    let class = CertificateClass::SelfConsumed.into();
    let own = Fact::CertificateIssued(v1::CertificateIssued { class, ..issued(2, 900) });
    refused(|it| it[4].1 = own, contradicts());
    for other in [v1::RetireCertificates { class, ..asked() }, v1::RetireCertificates { slot: 8, ..asked() }]
    {
        refused(|it| it[0].1 = Fact::Command(command(other)), StatementError::Contradiction(41));
    }
}

#[test]
fn a_file_is_read_as_it_was_written_and_nothing_else_is_a_file() {
    let statement = stated(&whole()).unwrap();
    let file = StatementFile::new(statement.clone(), "key".into(), vec!["proof".into()]);
    let text = file.to_text();
    assert!(text.contains("\"class\": \"exported\"") && text.ends_with("}\n"), "{text}");
    assert_eq!(StatementFile::parse(&text), Ok(file.clone()));
    assert_eq!(file.check(&statement, "parkwatt/park"), Ok(()));
    let elsewhere = file.check(&statement, "parkwatt/yard").unwrap_err().to_string();
    assert_eq!(elsewhere, "market says park, and the proofs are of the log parkwatt/yard");
    let other = v1::Retirement { energy_wh: 9, ..statement };
    let differs = file.check(&other, "parkwatt/park").unwrap_err().to_string();
    assert_eq!(differs, "statement.energy_wh says 1500, and the proved entries say 9");

    for text in ["", "{", "[]", "{}", &text.replace("-v1", "-v2")] {
        assert!(matches!(StatementFile::parse(text), Err(FormError::SomethingElse(_))), "{text}");
    }
    for (from, to, named) in [
        ("\"number\"", "\"more\": 1, \"number\"", "unknown field `more`"),
        ("\"number\"", "\"energy_wh\": 1, \"number\"", "duplicate field `energy_wh`"),
        ("\"number\": 40,", "", "missing field `number`"),
        ("\"exported\"", "\"both\"", "\"both\" is no class"),
        ("\"exported\"", "1", "invalid type: integer `1`"),
        ("\"vkey\"", "\"key\"", "unknown field `key`"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        let problem = StatementFile::parse(&changed).unwrap_err();
        assert!(matches!(&problem, FormError::Malformed(said) if said.contains(named)), "{named}: {problem}");
    }
}
