//! `key new`, `key show`: the key that signs for a participant.

use std::path::Path;

use parkwatt_client::{create_key, public_key_text, read_key};
use serde_json::json;

use super::args::{Key, Options};
use super::desk::key_file;
use super::report::{Failure, Report, facts, next_command};

/// Makes or shows a key.
pub fn key(action: Key, options: &Options) -> Result<Report, Failure> {
    let file = key_file(options)?;
    match action {
        Key::New => {
            let public_key = public_key_text(&create_key(&file)?.verifying_key());
            let next = next_command("parkwatt enrol --name NAME --pv 8kW", options);
            let next = format!(
                "\nKeep the file: who has it acts in your name, and nobody can replace it.\nNext: {next}"
            );
            Ok(report(&file, &public_key, &next))
        }
        Key::Show => {
            let public_key = public_key_text(&read_key(&file)?.verifying_key());
            Ok(report(&file, &public_key, ""))
        }
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
