//! `key`: the key that signs for a participant is made, shown, put under a passphrase, rotated.

use std::path::Path;

use ed25519_dalek::{SigningKey, VerifyingKey};
use parkwatt_client::v1::outcome;
use parkwatt_client::{
    ClientError, Signer, beside, generate_key, is_sealed, public_key_text, read_sealed_key, replace_key,
    rewrite_key, write_key, write_sealed_key,
};
use serde_json::json;
use tonic::Code;

use super::args::{Key, NewPassphrase, Options};
use super::desk::{Desk, key_file};
use super::language::say;
use super::report::{Failure, Report, next_command};
use super::table::facts;
use super::unlock::{new_passphrase, opened, signing_key};

/// Does what is asked with a key.
pub async fn key(action: &Key, options: &Options) -> Result<Report, Failure> {
    let file = key_file(options)?;
    match action {
        Key::New { encrypt, passphrase } => {
            new(&file, *encrypt || passphrase.file.is_some(), passphrase, options)
        }
        Key::Show => {
            let (public_key, is_sealed) = (signing_key(&file, options)?.verifying_key(), is_sealed(&file)?);
            Ok(report(&file, &public_key, is_sealed, ""))
        }
        Key::Rotate => rotate(&file, options).await,
        Key::Encrypt { passphrase } => {
            let key = signing_key(&file, options)?;
            let passphrase = new_passphrase(passphrase.file.as_ref(), &file)?;
            rewrite_key(&file, &key, Some(&passphrase))?;
            let next = "\nFrom now on the passphrase is asked for. Keep it: nobody can restore it.";
            Ok(report(&file, &key.verifying_key(), true, next))
        }
        Key::Decrypt => {
            let key = signing_key(&file, options)?;
            rewrite_key(&file, &key, None)?;
            let next = "\nFrom now on the file alone is enough: who has it acts in your name.";
            Ok(report(&file, &key.verifying_key(), false, next))
        }
    }
}

/// Makes a key.
fn new(file: &Path, encrypt: bool, passphrase: &NewPassphrase, options: &Options) -> Result<Report, Failure> {
    let key = generate_key();
    if encrypt {
        if file.exists() {
            return Err(ClientError::KeyExists { path: file.to_owned() }.into());
        }
        write_sealed_key(file, &key, &new_passphrase(passphrase.file.as_ref(), file)?)?;
    } else {
        write_key(file, &key)?;
    }
    let enrol = next_command("parkwatt enrol --name NAME --pv 8kW", options);
    let protect = next_command("parkwatt key encrypt", options);
    let warning = if encrypt {
        "Keep the file and the passphrase: without both nobody can act in your name, not even to rotate the key."
            .to_owned()
    } else {
        format!(
            "Keep the file: who has it acts in your name; without it nobody can, not even to rotate it.\n\
             To put it under a passphrase: {protect}"
        )
    };
    Ok(report(file, &key.verifying_key(), encrypt, &format!("\n{warning}\nNext: {enrol}")))
}

/// Lets a new key take the place of the one in `file`.
///
/// The new key is on the disk before the market hears of it, and takes the old one's place there only after
/// the market has it: wherever this is interrupted, the key that speaks is in a file, and the command goes on
/// from there.
async fn rotate(file: &Path, options: &Options) -> Result<Report, Failure> {
    let (old_key, passphrase) = opened(file, options)?;
    let desk = Desk::open(options).await?;
    let new_file = beside(file, "new");
    let made = generate_key();
    let written = match &passphrase {
        Some(passphrase) => write_sealed_key(&new_file, &made, passphrase),
        None => write_key(&new_file, &made),
    };
    let (new_key, is_resumed) = match written {
        Err(ClientError::KeyExists { .. }) => (left_behind(&new_file, passphrase.as_deref())?, true),
        written => written.map(|()| (made, false))?,
    };
    let leaf_index = if is_resumed && speaks(&desk, &new_key).await? {
        None
    } else {
        let rotation = Signer::new(old_key.clone(), &desk.genesis.market).rotation(&new_key);
        let unfinished = |failure| unfinished(failure, file, &new_file, options);
        let (outcome::Kind::KeyRotated(_), receipt) =
            desk.submit(&old_key, rotation).await.map_err(unfinished)?
        else {
            return Err(desk.incomplete("the rotation"));
        };
        Some(receipt.leaf_index)
    };
    let kept = replace_key(file, &new_file)?;
    Ok(rotated(file, [&old_key, &new_key], &kept, leaf_index, is_resumed))
}

/// Returns the key that an interrupted rotation has left.
///
/// It is under the old one's passphrase, or under none, as the old one was.
fn left_behind(new_file: &Path, passphrase: Option<&str>) -> Result<SigningKey, Failure> {
    read_sealed_key(new_file, passphrase.unwrap_or_default()).map_err(|error| match error {
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

/// Returns whether the market knows a key.
async fn speaks(desk: &Desk, key: &SigningKey) -> Result<bool, Failure> {
    match desk.connection.account(&desk.session(key)).await {
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
        csv: None,
    }
}

fn report(file: &Path, public_key: &VerifyingKey, is_sealed: bool, next: &str) -> Report {
    let public_key = public_key_text(public_key);
    let passphrase = if is_sealed { "yes" } else { "no" };
    let shown = facts(&[
        ("file", file.display().to_string()),
        ("public key", public_key.clone()),
        ("passphrase", say(passphrase)),
    ]);
    Report {
        json: json!({ "key": {
            "file": file.display().to_string(),
            "public_key": public_key,
            "encrypted": is_sealed,
        } }),
        text: shown + next,
        refused: false,
        csv: None,
    }
}
