//! A claim of certificates as a file that proves itself: what a node states, who may ask it, and every way to
//! change the file.

use std::{fs, path::PathBuf, process::Command};

use parkwatt::{
    audit::{Verdict, check_file},
    host::VKEY_FILE,
};
use parkwatt_client::{CheckpointVerifier, StatementFile, UnprovedStatement, verify_statement};
use parkwatt_engine::Slot;
use parkwatt_ledger::{ProvedLeaf, TogetherError};
use parkwatt_proto::v1::{
    CertificateClass, CertificateId, GetProofRequest, GetRetirementRequest, Leaf, NewOrder,
    RetireCertificates, RetiredSlice, Retirement, RetirementStatement, Role, Side, WithdrawCertificate,
    Withdrawal, account_client::AccountClient, command::Kind, leaf::Fact, ledger_client::LedgerClient,
    outcome::Kind as Outcome,
};
use prost::Message;
use serde_json::{Value, json};
use tonic::{Code, Request, Status, metadata::MetadataValue};

use super::{
    market::{LIMIT, Market, Person, SLOT, check_refusal, order, place},
    settlement::{ask, ask_operator, read, session, submit},
};

/// A market in which three roofs sold and delivered 1 kWh each to a mill, which claimed 2.5 of the 3 kWh.
struct Claimed {
    market: Market,
    roofs: Vec<Person>,
    mill: Person,
    regulator: Person,
    number: u64,
}

impl Claimed {
    async fn new() -> Claimed {
        let mut market = Market::found().await;
        let mut roofs = Vec::new();
        for name in ["amy", "bea", "cat"] {
            let mut roof = market.enrol_trader(name).await;
            ask(&market, &mut roof, place(&[order(Side::Offer)])).await;
            roofs.push(roof);
        }
        let mut mill = market.enrol_trader("mill").await;
        let regulator = market.enrol("rita", &[Role::Regulator]).await;
        let limit_price_micros_per_kwh = 2 * LIMIT;
        let bid = NewOrder { energy_wh: 3_000, limit_price_micros_per_kwh, ..order(Side::Bid) };
        ask(&market, &mut mill, place(&[bid])).await;
        market.connection.advance_to("", SLOT.end().0 + 60_000_000).await.unwrap();
        let roof_registers = roofs.iter().map(|roof| (roof, [0, 1_000, 0]));
        for (person, registers) in roof_registers.chain([(&mill, [3_000, 0, 0]), (&regulator, [0; 3])]) {
            let mut meter = person.meter();
            read(&market, &mut meter, Slot(SLOT.0 - 1), 1, [0; 3]).await;
            read(&market, &mut meter, SLOT, 2, registers).await;
        }
        let claim = RetireCertificates {
            slot: SLOT.0,
            energy_wh: 2_500,
            consumption_slot: SLOT.0,
            beneficiary: "hall \"3\"".into(),
            purpose: "绿色 report".into(),
            ..RetireCertificates::default()
        };
        let number = submit(&market, &mut mill, Kind::RetireCertificates(claim)).await.leaf_index;
        Claimed { market, roofs, mill, regulator, number }
    }

    /// Corrects the first roof's reading to 0.7 kWh, and withdraws its certificate.
    async fn withdraw_first(&mut self) {
        let mut meter = self.roofs[0].meter();
        // Two nonces are used.
        meter.command(Kind::RetireCertificates(RetireCertificates::default()));
        meter.command(Kind::RetireCertificates(RetireCertificates::default()));
        read(&self.market, &mut meter, SLOT, 3, [0, 700, 0]).await;
        let withdrawal =
            WithdrawCertificate { certificate: Some(certificate(0)), reason: "reading corrected".into() };
        let withdrawn = ask_operator(&mut self.market, Kind::WithdrawCertificate(withdrawal)).await;
        assert!(matches!(withdrawn, Outcome::CertificateWithdrawn(_)), "{withdrawn:?}");
    }

    async fn statement(&self, who: &Person, number: u64) -> Result<RetirementStatement, Status> {
        let mut account = AccountClient::new(self.market.channel().await);
        let asked = self.in_the_name_of(who, GetRetirementRequest { retirement: number }).await;
        account.get_retirement(asked).await.map(tonic::Response::into_inner)
    }

    /// Returns the mill's statement as a file.
    async fn file(&self) -> StatementFile {
        let RetirementStatement { retirement, proofs, vkey } =
            self.statement(&self.mill, self.number).await.unwrap();
        StatementFile::new(retirement.unwrap(), vkey, proofs)
    }

    async fn proof(&self, who: &Person, leaf_index: u64) -> Result<String, Status> {
        let mut ledger = LedgerClient::new(self.market.channel().await);
        let asked = self.in_the_name_of(who, GetProofRequest { market: String::new(), leaf_index }).await;
        Ok(ledger.get_proof(asked).await?.into_inner().tlog_proof)
    }

    async fn in_the_name_of<T>(&self, who: &Person, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let session = MetadataValue::from_bytes(&session(&self.market, who).await.encode_to_vec());
        request.metadata_mut().insert_bin("parkwatt-session-bin", session);
        request
    }

    fn vkey_file(&self) -> PathBuf {
        self.market.place.data().join("park").join(VKEY_FILE)
    }

    /// Returns who checks the ledger's checkpoints, by the key beside it.
    fn verifier(&self) -> CheckpointVerifier {
        CheckpointVerifier::from_vkey_or_file(self.vkey_file().to_str().unwrap()).unwrap()
    }
}

fn certificate(producer: u32) -> CertificateId {
    CertificateId { slot: SLOT.0, producer, issue: 1 }
}

fn slice(producer: u32, name: &str, energy_wh: u64) -> RetiredSlice {
    let (certificate, producer_name) = (Some(certificate(producer)), name.to_owned());
    RetiredSlice { certificate, producer_name, energy_wh, withdrawal: None }
}

/// Returns the leaf that a proof proves.
fn leaf(text: &str, verifier: &CheckpointVerifier) -> (u64, Leaf) {
    let proved: ProvedLeaf = text.parse().unwrap();
    proved.verify(verifier).unwrap();
    (proved.index(), Leaf::decode(proved.leaf()).unwrap())
}

#[tokio::test]
async fn a_claim_over_several_certificates_is_stated_and_proved_to_whom_it_concerns() {
    let claimed = Claimed::new().await;
    let file = claimed.file().await;
    let verifier = claimed.verifier();
    let checkpoint = verify_statement(&file, &verifier).unwrap();
    assert_eq!(checkpoint.size(), claimed.market.size().await);
    let (_, Leaf { at_micros, .. }) = leaf(&file.proofs[0], &verifier);
    let expected = Retirement {
        market: "park".into(),
        number: claimed.number,
        holder: 3,
        holder_name: "mill".into(),
        beneficiary: "hall \"3\"".into(),
        purpose: "绿色 report".into(),
        consumption_slot: SLOT.0,
        energy_wh: 2_500,
        at_micros,
        class: CertificateClass::Exported.into(),
        slices: vec![slice(0, "amy", 1_000), slice(1, "bea", 1_000), slice(2, "cat", 500)],
        voided_wh: 0,
    };
    assert_eq!((&file.statement, file.proofs.len()), (&expected, 7));
    assert_eq!(StatementFile::parse(&file.to_text()), Ok(file));

    for who in [&claimed.market.operator, &claimed.regulator] {
        let statement = claimed.statement(who, claimed.number).await.unwrap();
        assert_eq!(statement.retirement.as_ref(), Some(&expected));
    }
    let last = claimed.market.size().await - 1;
    for (who, number) in [
        (&claimed.roofs[0], claimed.number),
        (&claimed.mill, claimed.number - 1),
        (&claimed.mill, claimed.number + 1),
        (&claimed.market.operator, last),
        (&claimed.market.operator, u64::MAX),
    ] {
        let refused = claimed.statement(who, number).await.unwrap_err();
        let words = ["no claim of certificates", &number.to_string()];
        check_refusal(&refused, Code::NotFound, "NOT_FOUND", "", &words);
    }
    let bare = AccountClient::new(claimed.market.channel().await)
        .get_retirement(GetRetirementRequest { retirement: claimed.number })
        .await
        .unwrap_err();
    assert_eq!(bare.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_withdrawal_is_stated_with_its_proof_and_cannot_be_hidden_from_the_ledger() {
    let mut claimed = Claimed::new().await;
    let before = claimed.file().await;
    claimed.withdraw_first().await;
    let (file, verifier) = (claimed.file().await, claimed.verifier());
    let later = verify_statement(&file, &verifier).unwrap();
    assert_eq!((file.statement.voided_wh, file.proofs.len()), (1_000, 8));
    let [first, others @ ..] = &file.statement.slices[..] else { panic!("no parts") };
    let Withdrawal { reason, at_micros } = first.withdrawal.clone().unwrap();
    assert_eq!(reason, "reading corrected");
    assert!(at_micros > file.statement.at_micros);
    assert_eq!(others, [slice(1, "bea", 1_000), slice(2, "cat", 500)]);

    // The earlier file still proves what it says, of an earlier checkpoint.
    assert!(verify_statement(&before, &verifier).unwrap().size() < later.size());
    // Without its proof a withdrawal cannot be stated.
    let mut hiding = file.clone();
    hiding.proofs.retain(|text| !matches!(leaf(text, &verifier).1.fact, Some(Fact::CertificateWithdrawn(_))));
    assert_eq!(hiding.proofs.len(), 7);
    let problem = verify_statement(&hiding, &verifier).unwrap_err().to_string();
    assert!(problem.starts_with("statement.slices[0].withdrawal says {"), "{problem}");
    // And with it, it must be.
    let mut silent = file.clone();
    silent.statement.slices[0].withdrawal = None;
    let problem = verify_statement(&silent, &verifier).unwrap_err().to_string();
    assert!(problem.starts_with("statement.slices[0].withdrawal says null"), "{problem}");
    // Two checkpoints do not mix.
    let mut mixed = file.clone();
    mixed.proofs[3].clone_from(&before.proofs[3]);
    let problem = verify_statement(&mixed, &verifier).unwrap_err();
    assert_eq!(problem, UnprovedStatement::Proofs(TogetherError::OtherCheckpoint { place: 4 }));
}

#[tokio::test]
async fn an_entry_is_proved_alone_to_those_who_may_see_it() {
    let claimed = Claimed::new().await;
    let trade = claimed.market.connection.tape("", None, 1).await.unwrap().remove(0).id;
    let verifier = claimed.verifier();
    let seller = &claimed.roofs[2];
    for who in [&claimed.mill, seller, &claimed.market.operator] {
        let (index, leaf) = leaf(&claimed.proof(who, trade).await.unwrap(), &verifier);
        let Some(Fact::TradeMade(made)) = leaf.fact else { panic!("{leaf:?}") };
        assert_eq!((index, made.id, made.seller), (trade, trade, Some(2)));
    }
    let refused = claimed.proof(&claimed.roofs[0], trade).await.unwrap_err();
    check_refusal(&refused, Code::PermissionDenied, "NOT_PERMITTED", "", &["that are about him"]);
    let refused = claimed.proof(&claimed.market.operator, 1 << 40).await.unwrap_err();
    check_refusal(&refused, Code::InvalidArgument, "MALFORMED", "leaf_index", &["1099511627776"]);
}

/// Checks a file, and returns the verdict and what is wrong.
fn judged(dir: &tempfile::TempDir, text: &str, vkey: Option<&str>) -> (Verdict, String) {
    let path = dir.path().join("claim.json");
    fs::write(&path, text).unwrap();
    let checked = check_file(&path, vkey, None);
    assert_eq!(checked.verdict == Verdict::Intact, checked.conclusion.is_some());
    (checked.verdict, checked.finding.unwrap_or_default())
}

/// Returns every leaf value of a document, as the path to it.
fn places(document: &Value, path: &str, found: &mut Vec<String>) {
    match document {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| places(value, &format!("{path}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| places(value, &format!("{path}/{at}"), found));
        }
        _ => found.push(path.to_owned()),
    }
}

#[tokio::test]
async fn a_file_that_was_changed_anywhere_is_refused_by_name() {
    let mut claimed = Claimed::new().await;
    claimed.withdraw_first().await;
    let (file, verifier) = (claimed.file().await, claimed.verifier());
    let (dir, vkey) = (tempfile::tempdir().unwrap(), Some(verifier.vkey()));
    let neighbour = claimed.proof(&claimed.market.operator, claimed.number - 1).await.unwrap();
    claimed.market.node.kill();
    assert_eq!(judged(&dir, &file.to_text(), vkey), (Verdict::Intact, String::new()));
    assert_eq!(judged(&dir, &file.to_text(), None), (Verdict::Intact, String::new()));

    let document: Value = serde_json::from_str(&file.to_text()).unwrap();
    let mut fields = Vec::new();
    places(&document["statement"], "", &mut fields);
    assert_eq!(fields.len(), 11 + 3 * 5 + 2 + 2, "{fields:?}");
    for field in &fields {
        let mut changed = document["statement"].clone();
        let value = changed.pointer_mut(field).unwrap();
        *value = match value {
            Value::Number(number) => json!(number.as_u64().unwrap() + 1),
            Value::Null => json!({ "at_micros": 1, "reason": "made up" }),
            _ if field == "/class" => json!("self_consumed"),
            _ => json!("somebody"),
        };
        let changed =
            json!({ "format": file.format, "statement": changed, "vkey": file.vkey, "proofs": file.proofs });
        let named = field.split('/').skip(1).map(|part| match part.parse::<u32>() {
            Ok(at) => format!("[{at}]"),
            Err(_) => format!(".{part}"),
        });
        let named = format!("statement{} says ", named.collect::<String>());
        let (verdict, finding) = judged(&dir, &changed.to_string(), vkey);
        assert_eq!(verdict, Verdict::Tampered);
        assert!(finding.starts_with(&named), "{named}: {finding}");
    }

    let mut left_out = Vec::new();
    for at in 0..file.proofs.len() {
        let mut fewer = file.clone();
        fewer.proofs.remove(at);
        let (verdict, finding) = judged(&dir, &fewer.to_text(), vkey);
        assert_eq!(verdict, Verdict::Tampered);
        left_out.push(finding);
    }
    let part = "a part is missing";
    let words = ["the command of the claim", part, part, part, "the issue of certificate"];
    for (finding, word) in left_out.iter().zip(words) {
        assert!(finding.contains(word), "{word}: {finding}");
    }
    assert!(left_out.iter().any(|finding| finding.contains("slices[0].withdrawal")), "{left_out:?}");
    let mut twice = file.clone();
    twice.proofs.push(file.proofs[1].clone());
    assert!(judged(&dir, &twice.to_text(), vkey).1.ends_with("is proved twice"));
    let mut more = file.clone();
    more.proofs.push(neighbour);
    assert!(judged(&dir, &more.to_text(), vkey).1.ends_with("has no part in this claim"));
}

#[tokio::test]
async fn no_byte_of_a_proof_can_be_changed() {
    let claimed = Claimed::new().await;
    let (file, verifier) = (claimed.file().await, claimed.verifier());
    let mut changed = 0;
    for (place, text) in (1..).zip(&file.proofs) {
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(other) = String::from_utf8(bytes) else { continue };
            let mut forged = file.clone();
            forged.proofs[place - 1] = other;
            let problem = verify_statement(&forged, &verifier).unwrap_err().to_string();
            assert!(problem.starts_with(&format!("proof {place}")), "byte {at}: {problem}");
            changed += 1;
        }
    }
    assert!(changed > 7 * 500, "{changed}");
}

#[tokio::test]
async fn the_auditor_judges_files_by_the_key_that_it_is_given() {
    let claimed = Claimed::new().await;
    let (file, verifier) = (claimed.file().await, claimed.verifier());
    let (dir, vkey_file) = (tempfile::tempdir().unwrap(), claimed.vkey_file().display().to_string());
    let written = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let other = Market::found().await;
    let other_vkey = fs::read_to_string(other.place.data().join("park").join(VKEY_FILE)).unwrap();
    let mut of_another = file.clone();
    other_vkey.trim().clone_into(&mut of_another.vkey);
    let more = file.to_text().replacen("\"number\"", "\"verified\": true, \"number\"", 1);
    let twice = file.to_text().replacen("\"number\"", "\"energy_wh\": 9, \"number\"", 1);

    let claim = written("claim.json", &file.to_text());
    let proof = written("one.tlog-proof", &file.proofs[1]);
    let forged = written("forged.tlog-proof", &file.proofs[1].replacen("extra C", "extra D", 1));
    let given = ["--vkey", verifier.vkey()];
    let believed = "taken from the file itself";
    let cases: [(PathBuf, &[&str], i32, &str); 13] = [
        (claim.clone(), &given, 0, "verdict       intact"),
        (claim.clone(), &["--vkey", &vkey_file], 0, "2500 Wh by mill (participant 3), signed with his key"),
        (claim.clone(), &given, 0, "Not proved: that nothing of it was withdrawn"),
        (claim.clone(), &[], 0, believed),
        (claim.clone(), &["--vkey", other_vkey.trim()], 1, "not signed by the key parkwatt/park"),
        (claim, &["--vkey", "nonsense"], 64, "is not a verifier key"),
        (written("of-another.json", &of_another.to_text()), &given, 1, "vkey says parkwatt/park"),
        (written("more.json", &more), &given, 1, "unknown field `verified`"),
        (written("twice.json", &twice), &given, 1, "duplicate field `energy_wh`"),
        (written("other.json", "{\"format\": 1}"), &given, 3, "its format is 1"),
        (proof.clone(), &given, 0, "\"mill\" claimed 1000 Wh of certificate"),
        (proof, &[], 3, "--vkey"),
        (forged, &given, 1, "is not in the tree of the checkpoint"),
    ];
    for (path, args, exit_code, words) in cases {
        let mut auditor = Command::new(env!("CARGO_BIN_EXE_parkwatt-audit"));
        let output = auditor.arg("check").arg(&path).args(args).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(exit_code), "{}: {said}", path.display());
        assert!(said.contains(words), "{}: {words}: {said}", path.display());
        assert_eq!(args.is_empty() && exit_code == 0, said.contains(believed), "{said}");
    }
}
