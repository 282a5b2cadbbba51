//! `key new`, `key show`, `key rotate`: the key that signs for a participant.

use std::path::Path;

use ed25519_dalek::SigningKey;
use parkwatt_client::v1::outcome;
use parkwatt_client::{ClientError, Signer, beside, create_key, public_key_text, read_key, replace_key};
use serde_json::json;
use tonic::Code;

use super::args::{Key, Options};
use super::desk::{Desk, key_file};
use super::report::{Failure, Report, facts, next_command};

/// Makes, shows or rotates a key.
pub async fn key(action: Key, options: &Options) -> Result<Report, Failure> {
    let file = key_file(options)?;
    match action {
        Key::New => {
            let public_key = public_key_text(&create_key(&file)?.verifying_key());
            let next = next_command("parkwatt enrol --name NAME --pv 8kW", options);
            let next = format!(
                "\nKeep the file: who has it acts in your name; without it nobody can, not even to rotate \
                 it.\nNext: {next}"
            );
            Ok(report(&file, &public_key, &next))
        }
        Key::Show => {
            let public_key = public_key_text(&read_key(&file)?.verifying_key());
            Ok(report(&file, &public_key, ""))
        }
        Key::Rotate => rotate(&file, options).await,
    }
}

/// Lets a new key take the place of the one in `file`.
///
/// The new key is on the disk before the market hears of it, and takes the old one's place there only after
/// the market has it: wherever this is interrupted, the key that speaks is in a file, and the command goes on
/// from there.
async fn rotate(file: &Path, options: &Options) -> Result<Report, Failure> {
    let old_key = read_key(file)?;
    let desk = Desk::open(options).await?;
    let new_file = beside(file, "new");
    let (new_key, is_resumed) = match create_key(&new_file) {
        Err(ClientError::KeyExists { .. }) => (left_behind(&new_file)?, true),
        created => (created?, false),
    };
    let leaf_index = if is_resumed && speaks(&desk, &new_file).await? {
        None
    } else {
        let rotation = Signer::new(old_key.clone(), &desk.genesis.market).rotation(&new_key);
        let unfinished = |failure| unfinished(failure, file, &new_file, options);
        let (outcome::Kind::KeyRotated(_), receipt) =
            desk.submit(file, rotation).await.map_err(unfinished)?
        else {
            return Err(desk.incomplete("the rotation"));
        };
        Some(receipt.leaf_index)
    };
    let kept = replace_key(file, &old_key, &new_file)?;
    Ok(rotated(file, [&old_key, &new_key], &kept, leaf_index, is_resumed))
}

/// Returns the key that an interrupted rotation has left.
fn left_behind(new_file: &Path) -> Result<SigningKey, Failure> {
    read_key(new_file).map_err(|error| match error {
        ClientError::KeyMalformed { .. } => Failure::Usage {
            field: "--key",
            problem: format!("{} is there already and holds no key", new_file.display()),
            next: "A rotation that was interrupted while it wrote the file leaves this; nothing was sent. \
                   Remove the file, and run the command again."
                .to_owned(),
        },
        error => error.into(),
    })
}

/// Returns whether the market knows the key in `file`.
async fn speaks(desk: &Desk, file: &Path) -> Result<bool, Failure> {
    match desk.connection.account(&desk.session(file)?).await {
        // Who speaks for no account, as a meter or the founding operator, is refused by what he is.
        Ok(_) | Err(ClientError::Refused { status: Code::PermissionDenied, .. }) => Ok(true),
        Err(ClientError::Refused { status: Code::Unauthenticated, .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Returns the failure with how to go on, where it is not known whether the market has the new key.
fn unfinished(failure: Failure, file: &Path, new_file: &Path, options: &Options) -> Failure {
    match failure {
        Failure::Client(error @ ClientError::Unreachable { .. }) => Failure::Unfinished {
            error,
            next: format!(
                "Keep both {} and {}: one of them speaks for you. When the node answers, run this again, \
                 and it goes on where it stopped: {}",
                file.display(),
                new_file.display(),
                next_command("parkwatt key rotate", options)
            ),
        },
        failure => failure,
    }
}

fn rotated(
    file: &Path,
    [old_key, new_key]: [&SigningKey; 2],
    kept: &Path,
    leaf_index: Option<u64>,
    is_resumed: bool,
) -> Report {
    let [old_key, new_key] = [old_key, new_key].map(|key| public_key_text(&key.verifying_key()));
    let shown = facts(&[
        ("file", file.display().to_string()),
        ("public key", new_key.clone()),
        ("old public key", old_key.clone()),
        ("old key's file", kept.display().to_string()),
    ]);
    let begun = if is_resumed { "\nA rotation that was interrupted is finished." } else { "" };
    Report {
        json: json!({ "rotated": {
            "file": file.display().to_string(),
            "public_key": new_key,
            "old_public_key": old_key,
            "old_file": kept.display().to_string(),
            "leaf_index": leaf_index,
        } }),
        text: format!(
            "{shown}{begun}\nFrom now on the new key speaks, and the old one never again. Keep the new file; \
             what the old key has signed stays in the ledger."
        ),
        refused: false,
    }
}

fn report(file: &Path, public_key: &str, next: &str) -> Report {
    let shown = facts(&[("file", file.display().to_string()), ("public key", public_key.to_owned())]);
    Report {
        json: json!({ "key": { "file": file.display().to_string(), "public_key": public_key } }),
        text: shown + next,
        refused: false,
    }
}
