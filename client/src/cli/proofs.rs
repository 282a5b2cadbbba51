//! `certificates statement`, `certificates verify` and `proof`: what of the ledger others can check without it.

use std::fs;
use std::path::{Path, PathBuf};

use parkwatt_client::v1::{Leaf, RetiredSlice, Retirement};
use parkwatt_client::{CheckpointVerifier, ProvedLeaf, StatementFile, conclusion, verify_statement};
use prost::Message;
use serde_json::json;

use super::args::Options;
use super::certificates::CLASS;
use super::desk::Desk;
use super::language::say;
use super::quantity::energy_text;
use super::report::{Failure, Report, certificate_id, shell_word, word};
use super::surroundings;
use super::table::{facts, left, right, table};
use super::time::{moment_rfc3339, moment_text, slot_text, zone_text};
use super::unlock::own_key;

/// Shows a claim, and writes its statement.
pub async fn statement(number: u64, out: Option<&Path>, options: &Options) -> Result<Report, Failure> {
    let key = own_key(options)?;
    let desk = Desk::open(options).await?;
    let answer = desk.connection.retirement(&desk.session(&key), number).await?;
    let claim = answer.retirement.ok_or_else(|| desk.incomplete("the claim"))?;
    let file = StatementFile::new(claim, answer.vkey, answer.proofs);
    let holds = CheckpointVerifier::from_vkey(&file.vkey).map(|verifier| verify_statement(&file, &verifier));
    let Ok(Ok(checkpoint)) = holds else { return Err(desk.incomplete("proofs that hold")) };

    let path = out.map_or_else(|| PathBuf::from(format!("retirement-{number}.json")), Path::to_owned);
    write(&path, &file.to_text())?;
    let shown = shell_word(&path.display().to_string());
    let text = format!(
        "{}\n{} proofs, as of the checkpoint over {} entries, are in {}.\n\nNext: parkwatt certificates verify {shown} \
         --vkey KEY",
        claim_text(&file.statement),
        file.proofs.len(),
        checkpoint.size(),
        path.display(),
    );
    Ok(Report {
        json: json!({
            "statement": file.statement,
            "tree_size": checkpoint.size(),
            "proofs": file.proofs.len(),
            "file": path,
        }),
        text,
        refused: false,
        csv: None,
    })
}

/// Checks a statement's file.
pub fn verify(path: &Path, given: Option<&str>) -> Result<Report, Failure> {
    let trouble = |problem: String| Failure::File {
        path: path.to_owned(),
        problem,
        next: "Ask whoever gave it to you for what parkwatt certificates statement wrote; and check the key."
            .to_owned(),
    };
    let text = fs::read_to_string(path).map_err(|problem| trouble(format!("cannot be read: {problem}")))?;
    let file = StatementFile::parse(&text).map_err(|problem| trouble(problem.to_string()))?;
    let unproved = |problem: String| trouble(format!("is not proved: {problem}"));
    let verifier = match given {
        Some(given) => CheckpointVerifier::from_vkey_or_file(given).map_err(|problem| Failure::Usage {
            field: "--vkey",
            problem: problem.to_string(),
            next: "The node's operator has it in the file vkey beside the ledger.".to_owned(),
        })?,
        None => CheckpointVerifier::from_vkey(&file.vkey)
            .map_err(|problem| unproved(format!("vkey: {problem}")))?,
    };
    let checkpoint = verify_statement(&file, &verifier).map_err(|problem| unproved(problem.to_string()))?;
    let conclusion = conclusion(&file.statement, verifier.origin(), checkpoint.size());
    let key = match given {
        Some(_) => "The proofs were checked with the key that you gave.",
        None => {
            "The proofs were checked with the key in the file itself, which whoever wrote the file could choose; give \
             the key that you know by another way: --vkey KEY."
        }
    };
    Ok(Report {
        json: json!({ "verified": {
            "statement": file.statement,
            "tree_size": checkpoint.size(),
            "proofs": file.proofs.len(),
            "vkey": verifier.vkey(),
            "vkey_given": given.is_some(),
            "conclusion": conclusion,
        } }),
        text: format!("{}\n{conclusion}\n{key}", claim_text(&file.statement)),
        refused: false,
        csv: None,
    })
}

/// Writes an entry with its proof.
pub async fn proof(leaf_index: u64, out: Option<&Path>, options: &Options) -> Result<Report, Failure> {
    let key = own_key(options)?;
    let desk = Desk::open(options).await?;
    let text = desk.connection.proof(&desk.session(&key), &desk.genesis.market, leaf_index).await?;
    let proved = text.parse::<ProvedLeaf>().ok().filter(|proved| proved.index() == leaf_index);
    let leaf = proved.and_then(|proved| Leaf::decode(proved.leaf()).ok());
    let at_micros = leaf.ok_or_else(|| desk.incomplete("the entry with its proof"))?.at_micros;

    let path = out.map_or_else(|| PathBuf::from(format!("leaf-{leaf_index}.tlog-proof")), Path::to_owned);
    write(&path, &text)?;
    let shown = shell_word(&path.display().to_string());
    Ok(Report {
        json: json!({ "proof": {
            "leaf_index": leaf_index,
            "recorded_at": moment_rfc3339(at_micros),
            "file": path,
        } }),
        text: format!(
            "Entry {leaf_index}, recorded {} ({}), is in {} with its proof.\n\nNext: parkwatt-audit check {shown} --vkey KEY",
            moment_text(at_micros, &desk.zone),
            zone_text(&desk.zone),
            path.display(),
        ),
        refused: false,
        csv: None,
    })
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|problem| Failure::File {
        path: path.to_owned(),
        problem: format!("cannot be written: {problem}"),
        next: "Name another file with --out FILE.".to_owned(),
    })
}

/// Returns a claim for people.
fn claim_text(claim: &Retirement) -> String {
    let zone = &surroundings::zone();
    let local = |moment: String| format!("{moment} ({})", zone_text(zone));
    let head = facts(&[
        ("claim", claim.number.to_string()),
        ("market", claim.market.clone()),
        ("holder", format!("{} ({} {})", claim.holder_name, say("participant"), claim.holder)),
        ("beneficiary", quoted(&claim.beneficiary)),
        ("purpose", quoted(&claim.purpose)),
        ("consumed from", local(slot_text(claim.consumption_slot, zone))),
        ("energy", energy_text(claim.energy_wh)),
        ("void of it", energy_text(claim.voided_wh)),
        ("class", say(&word(CLASS, claim.class().as_str_name()).replace('_', "-"))),
        ("claimed at", local(moment_text(claim.at_micros, zone))),
    ]);
    let columns = [left("certificate"), left("producer"), right("energy"), left("state")];
    let row = |slice: &RetiredSlice| {
        vec![
            slice.certificate.as_ref().map(certificate_id).unwrap_or_default(),
            slice.producer_name.clone(),
            energy_text(slice.energy_wh),
            match &slice.withdrawal {
                None => "claimed".to_owned(),
                Some(it) => format!("void since {}: {}", moment_text(it.at_micros, zone), quoted(&it.reason)),
            },
        ]
    };
    head + "\n" + &table(&columns, claim.slices.iter().map(row).collect(), "no parts")
}

/// Returns words that others chose, so that they cannot pass for ours.
fn quoted(words: &str) -> String {
    format!("{words:?}")
}
