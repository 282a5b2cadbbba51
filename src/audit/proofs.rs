//! Proofs in files: a retirement statement, a bundle, or one leaf, checked without the ledger.
//!
//! Knows their forms; does not know folders or nodes. What a statement's entries come to, the contract says.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use parkwatt_ledger::{CheckpointVerifier, ProvedLeaf, Quorum, SignedCheckpoint, verify_together};
use parkwatt_proto::{COMMAND_TYPE, FormError, StatementFile, conclusion, retirement, v1};
use prost::Message;
use serde::{Serialize, de::IgnoredAny};

use super::{
    KeySource, Seen, Verdict,
    bundle::Bundle,
    outside::check_seen,
    saying::says,
    summary::{key_source_text, row},
    verdict::Finding,
};
use crate::authenticate::authenticate;

/// How the file of a single leaf begins.
pub(super) const PROOF_HEADING: &str = "c2sp.org/tlog-proof@";

/// What is said of any other file.
const SOMETHING_ELSE: &str = "it is none of the files that are checked: a retirement statement (parkwatt certificates \
                              statement), one entry with its proof (parkwatt proof), or what parkwatt-audit prove has \
                              written";

/// What a file of proofs has come to.
#[derive(Debug, Default, Serialize)]
pub struct FileCheck {
    /// What it comes to: intact, tampered or unreadable.
    pub verdict: Verdict,
    /// What is wrong.
    pub finding: Option<String>,
    /// The file.
    pub file: PathBuf,
    /// The verifier key, beginning with the log's origin; empty if there is none.
    pub key: String,
    /// Where the key comes from.
    pub key_source: Option<KeySource>,
    /// Over how many leaves the checkpoint is.
    pub tree_size: Option<u64>,
    /// Which witnesses have cosigned that checkpoint, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// The claim that is stated; none if it is not proved, or the file is about one leaf.
    pub statement: Option<v1::Retirement>,
    /// What is proved, and what is not.
    pub conclusion: Option<String>,
}

/// Checks the file of a retirement statement, or of one leaf with its proof; by the key `given`, or by the one
/// in a statement.
///
/// With a quorum, enough witnesses must have cosigned the checkpoint that the proofs are against.
pub fn check_file(file: &Path, given: Option<&str>, quorum: Option<&Quorum>) -> FileCheck {
    let mut checked = FileCheck { file: file.to_owned(), ..FileCheck::default() };
    let examined = examine(file, given, &mut checked).and_then(|checkpoint| match quorum {
        None => Ok(()),
        Some(quorum) => check_seen(&checkpoint, quorum).map(|seen| checked.seen = Some(seen)),
    });
    if let Err(Finding { verdict, what }) = examined {
        checked.verdict = verdict;
        checked.finding = Some(what);
    }
    checked
}

fn examine(file: &Path, given: Option<&str>, checked: &mut FileCheck) -> Result<SignedCheckpoint, Finding> {
    let bytes = fs::read(file).map_err(Finding::at(file))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Finding::unreadable(format!("{}: is no text", file.display())))?;
    if text.starts_with(PROOF_HEADING) {
        examine_leaf(&text, given, checked)
    } else if let Some(bundle) = Bundle::parse(&text) {
        examine_bundle(&bundle, given, checked)
    } else {
        examine_statement(&text, given, checked)
    }
}

fn examine_leaf(
    text: &str,
    given: Option<&str>,
    checked: &mut FileCheck,
) -> Result<SignedCheckpoint, Finding> {
    let given = given
        .ok_or_else(|| Finding::unreadable("there is no key in a proof; give the one you know (--vkey)"))?;
    let verifier = verifier(given, KeySource::Given, checked)?;
    let proved: ProvedLeaf = text.parse().map_err(tampered)?;
    let checkpoint = proved.verify(&verifier).map_err(tampered)?;
    let leaf = v1::Leaf::decode(proved.leaf());
    let index = proved.index();
    let v1::Leaf { at_micros, .. } = leaf.map_err(|_| tampered(format!("leaf {index} is no market's")))?;
    took(
        checked,
        &checkpoint,
        format!(
            "Proved: the log {}, as of its checkpoint over {} entries, says at {index}, recorded at {at_micros} us: {}. \
         Not proved: what it says elsewhere.",
            verifier.origin(),
            checkpoint.size(),
            says(proved.leaf()),
        ),
    );
    Ok(checkpoint)
}

fn examine_bundle(
    bundle: &Bundle,
    given: Option<&str>,
    checked: &mut FileCheck,
) -> Result<SignedCheckpoint, Finding> {
    let verifier = match given {
        Some(given) => verifier(given, KeySource::Given, checked)?,
        None => verifier(&bundle.vkey, KeySource::InTheFile, checked)?,
    };
    let (checkpoint, leaves) = verify_together(&bundle.proofs, &verifier).map_err(tampered)?;
    let said = bundle.check(&leaves)?;
    check_vkey(&bundle.vkey, &verifier)?;
    took(
        checked,
        &checkpoint,
        format!(
            "Proved: the log {}, as of its checkpoint over {} entries, says of {}: {said}. Not proved: that it says \
             nothing more of it, here or later; only the ledger can say that.",
            verifier.origin(),
            checkpoint.size(),
            bundle.about,
        ),
    );
    Ok(checkpoint)
}

fn examine_statement(
    text: &str,
    given: Option<&str>,
    checked: &mut FileCheck,
) -> Result<SignedCheckpoint, Finding> {
    let file = StatementFile::parse(text).map_err(|problem| match problem {
        // Of what is no JSON at all there is nothing more to say.
        FormError::SomethingElse(why) if serde_json::from_str::<IgnoredAny>(text).is_ok() => {
            Finding::unreadable(format!("{SOMETHING_ELSE}; {why}"))
        }
        FormError::SomethingElse(_) => Finding::unreadable(SOMETHING_ELSE),
        FormError::Malformed(_) => tampered(format!("it {problem}")),
    })?;
    let verifier = match given {
        Some(given) => verifier(given, KeySource::Given, checked)?,
        None => verifier(&file.vkey, KeySource::InTheFile, checked)?,
    };
    let (checkpoint, leaves) = verify_together(&file.proofs, &verifier).map_err(tampered)?;
    let (proved, signed) =
        retirement(leaves.iter().map(|leaf| (leaf.index(), leaf.leaf()))).map_err(tampered)?;
    authenticate(COMMAND_TYPE, &signed.payload, &signed.public_key, &signed.signature).map_err(tampered)?;
    file.check(&proved, verifier.origin()).map_err(tampered)?;
    check_vkey(&file.vkey, &verifier)?;
    took(checked, &checkpoint, conclusion(&proved, verifier.origin(), checkpoint.size()));
    checked.statement = Some(proved);
    Ok(checkpoint)
}

fn verifier(text: &str, source: KeySource, checked: &mut FileCheck) -> Result<CheckpointVerifier, Finding> {
    let verifier = CheckpointVerifier::from_vkey(text.trim()).map_err(|problem| match source {
        KeySource::Given => Finding::unreadable(format!("the key that was given: {problem}")),
        KeySource::InTheFile | KeySource::BesideTheJournal | KeySource::FromTheNode => {
            tampered(format!("vkey: {problem}"))
        }
    })?;
    verifier.vkey().clone_into(&mut checked.key);
    checked.key_source = Some(source);
    Ok(verifier)
}

fn check_vkey(said: &str, verifier: &CheckpointVerifier) -> Result<(), Finding> {
    let holds = said == verifier.vkey();
    let problem = || tampered(format!("vkey says {said}, and the proofs hold for {}", verifier.vkey()));
    holds.then_some(()).ok_or_else(problem)
}

fn took(checked: &mut FileCheck, checkpoint: &SignedCheckpoint, conclusion: String) {
    checked.tree_size = Some(checkpoint.size());
    checked.conclusion = Some(conclusion);
}

fn tampered(problem: impl fmt::Display) -> Finding {
    Finding::tampered(problem.to_string())
}

impl fmt::Display for FileCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        row(f, "file", &self.file.display())?;
        if let Some(source) = self.key_source {
            row(f, "key", &self.key)?;
            row(f, "", &key_source_text(source))?;
        }
        if let Some(seen) = &self.seen {
            row(f, "witnesses", seen)?;
        }
        if let Some(conclusion) = &self.conclusion {
            row(f, "conclusion", conclusion)?;
        }
        write!(f, "{}", Judgement(self))
    }
}

/// What was found in a file of proofs, and the verdict.
pub struct Judgement<'a>(pub &'a FileCheck);

impl fmt::Display for Judgement<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(finding) = &self.0.finding {
            row(f, "found", finding)?;
        }
        let meaning = match self.0.verdict {
            Verdict::Intact => "every proof holds, and what is stated follows from them",
            Verdict::Unreadable => "it cannot be said whether this is proved",
            Verdict::Unwitnessed => "the log has signed it, but too few witnesses have seen that",
            Verdict::Diverged | Verdict::Tampered | Verdict::Forked | Verdict::Differing => {
                "this is not what the log holds"
            }
        };
        row(f, "verdict", &format_args!("{}: {meaning}", self.0.verdict))
    }
}
