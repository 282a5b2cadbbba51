//! Key files that may be under a passphrase, and where the passphrase comes from: a file, or the terminal.
//!
//! Keeps: a passphrase is never on a command line, where every other user of the machine could read it, and
//! never shown.

use std::io::IsTerminal;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use parkwatt_client::{ClientError, read_key, read_sealed_key};

use super::args::Options;
use super::desk::key_file;
use super::language::say;
use super::report::{Failure, shell_word};

/// How often a passphrase is asked for on the terminal.
const TRIES: usize = 3;
/// How many letters a new passphrase has at least; documented in `parkwatt key encrypt --help`.
const LETTERS_MIN: usize = 8;

/// The bits of a file's mode by which others than its owner may do something with it.
const OTHERS: u32 = 0o077;

/// Returns the caller's key.
pub fn own_key(options: &Options) -> Result<SigningKey, Failure> {
    signing_key(&key_file(options)?, options)
}

/// Returns the key in a file; where it is under a passphrase, that is asked for.
pub fn signing_key(path: &Path, options: &Options) -> Result<SigningKey, Failure> {
    Ok(opened(path, options)?.0)
}

/// Returns the key in a file, and the passphrase that it is under.
pub fn opened(path: &Path, options: &Options) -> Result<(SigningKey, Option<String>), Failure> {
    match read_key(path) {
        Err(ClientError::KeySealed { .. }) => {}
        read => return Ok((read?, None)),
    }
    if let Some(file) = options.passphrase_file() {
        let passphrase = passphrase_in(file, "--passphrase-file")?;
        return Ok((read_sealed_key(path, &passphrase)?, Some(passphrase)));
    }
    let mut tries = 1;
    loop {
        let again = if tries == 1 { "" } else { "That does not open it. " };
        let passphrase = asked(&format!("{again}Passphrase of {}:", path.display()), path)?;
        match read_sealed_key(path, &passphrase) {
            Err(ClientError::PassphraseWrong { .. }) if tries < TRIES => tries += 1,
            read => return Ok((read?, Some(passphrase))),
        }
    }
}

/// Returns a new passphrase: the one in `file`, or what is typed twice alike.
pub fn new_passphrase(file: Option<&PathBuf>, path: &Path) -> Result<String, Failure> {
    let passphrase = if let Some(file) = file {
        passphrase_in(file, "--new-passphrase-file")?
    } else {
        let first = asked("New passphrase:", path)?;
        if asked("The same once more:", path)? != first {
            return Err(Failure::Usage {
                field: "passphrase",
                problem: "the two are not the same".to_owned(),
                next: "Nothing was changed; run the command again.".to_owned(),
            });
        }
        first
    };
    if passphrase.chars().count() < LETTERS_MIN {
        return Err(Failure::Usage {
            field: "passphrase",
            problem: format!("a passphrase has at least {LETTERS_MIN} letters"),
            next: "Choose a few words that you will remember; nothing was changed.".to_owned(),
        });
    }
    Ok(passphrase)
}

/// Returns the first line of a passphrase's file.
fn passphrase_in(file: &Path, field: &'static str) -> Result<String, Failure> {
    let failure = |problem| Failure::File {
        path: file.to_owned(),
        problem,
        next: format!("Name a file whose first line is the passphrase with {field}."),
    };
    if let Ok(found) = std::fs::metadata(file)
        && found.is_file()
        && found.permissions().mode() & OTHERS != 0
    {
        return Err(Failure::File {
            path: file.to_owned(),
            problem: "can be read by others, and a passphrase is only its owner's".to_owned(),
            next: format!("Take that from them: chmod 600 {}", shell_word(&file.display().to_string())),
        });
    }
    let text =
        std::fs::read_to_string(file).map_err(|problem| failure(format!("cannot be read: {problem}")))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(failure("has no passphrase in its first line".to_owned())),
    }
}

/// Asks on the terminal, without showing what is typed.
fn asked(prompt: &str, path: &Path) -> Result<String, Failure> {
    let nobody = || Failure::Usage {
        field: "passphrase",
        problem: format!("{} needs a passphrase, and there is no terminal to ask on", path.display()),
        next: "Write it into a file that only you may read, and name that with --passphrase-file or in \
               PARKWATT_PASSPHRASE_FILE; a new one with --new-passphrase-file."
            .to_owned(),
    };
    if !std::io::stdin().is_terminal() {
        return Err(nobody());
    }
    rpassword::prompt_password(say(prompt) + " ").map_err(|_| nobody())
}
