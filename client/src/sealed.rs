//! Keys under a passphrase: PBES2 in PKCS#8 PEM, as OpenSSL writes and reads it.
//!
//! Knows the encryption; does not know where a passphrase comes from.
//! Keeps: a key file is replaced in one step, so that at every moment one of both forms is there.

use std::path::Path;

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::{EncodePrivateKey, KeypairBytes};
use pkcs8::der::pem::PemLabel;
use pkcs8::der::zeroize::Zeroizing;
use pkcs8::pkcs5::pbes2;
use pkcs8::pkcs5::scrypt::Params;
use pkcs8::{EncryptedPrivateKeyInfo, LineEnding, PrivateKeyInfo, SecretDocument};

use crate::ClientError;
use crate::key::{beside, parse_key, put_in_place, read_pem, write_pem};

/// The cost of a passphrase's guess: scrypt with N = 2^14, r = 8, p = 5, one of the settings that OWASP's
/// "Password Storage Cheat Sheet" names. It takes 16 MiB, and OpenSSL 3.0 refuses whatever needs more than 32.
const SCRYPT: (u8, u32, u32) = (14, 8, 5);

/// Returns whether the key in the file `path` is under a passphrase.
///
/// # Errors
/// [`ClientError::KeyMissing`], [`ClientError::KeyFile`] or [`ClientError::KeyMalformed`].
pub fn is_sealed(path: &Path) -> Result<bool, ClientError> {
    Ok(has_seal(&read_pem(path)?))
}

/// Returns the key in the file `path`, which may be under this passphrase or under none.
///
/// # Errors
/// Those of [`crate::read_key`]; [`ClientError::PassphraseWrong`] if another one opens it.
pub fn read_sealed_key(path: &Path, passphrase: &str) -> Result<SigningKey, ClientError> {
    let pem = read_pem(path)?;
    if !has_seal(&pem) {
        return parse_key(path, &pem);
    }
    let malformed = |cause: String| ClientError::KeyMalformed { path: path.to_owned(), cause };
    let (label, document) = SecretDocument::from_pem(&pem).map_err(|cause| malformed(cause.to_string()))?;
    EncryptedPrivateKeyInfo::validate_pem_label(label).map_err(|cause| malformed(cause.to_string()))?;
    let sealed = EncryptedPrivateKeyInfo::try_from(document.as_bytes())
        .map_err(|cause| malformed(cause.to_string()))?;
    let opened = sealed.decrypt(passphrase).map_err(|cause| match cause {
        // What a wrong passphrase gives has no padding, for which this crate has two names.
        pkcs8::Error::EncryptedPrivateKey(
            pkcs8::pkcs5::Error::DecryptFailed | pkcs8::pkcs5::Error::EncryptFailed,
        ) => ClientError::PassphraseWrong { path: path.to_owned() },
        cause => malformed(cause.to_string()),
    })?;
    // One in 256 wrong passphrases leaves what looks like padding, and then no key.
    let opened = PrivateKeyInfo::try_from(opened.as_bytes())
        .map_err(|_| ClientError::PassphraseWrong { path: path.to_owned() })?;
    SigningKey::try_from(opened).map_err(|cause| malformed(cause.to_string()))
}

/// Writes `key` under `passphrase` to the new file `path`; see [`crate::write_key`].
///
/// # Errors
/// Those of [`crate::write_key`].
pub fn write_sealed_key(path: &Path, key: &SigningKey, passphrase: &str) -> Result<(), ClientError> {
    write_pem(path, &sealed_pem(key, passphrase))
}

/// Writes `key` anew to the file `path` that has it: under `passphrase`, or under none.
///
/// # Errors
/// [`ClientError::KeyFile`] if the system refuses; the file is as it was then.
pub fn rewrite_key(path: &Path, key: &SigningKey, passphrase: Option<&str>) -> Result<(), ClientError> {
    let written = beside(path, "rewritten");
    // OK because what an interrupted try has left there is of no use, and the key is in its file.
    let _ = std::fs::remove_file(&written);
    match passphrase {
        Some(passphrase) => write_sealed_key(&written, key, passphrase)?,
        None => crate::write_key(&written, key)?,
    }
    put_in_place(&written, path)
}

/// Returns whether a PEM says that it is encrypted.
pub(crate) fn has_seal(pem: &str) -> bool {
    pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
}

fn sealed_pem(key: &SigningKey, passphrase: &str) -> Zeroizing<String> {
    let bytes = KeypairBytes { secret_key: key.to_bytes(), public_key: None };
    let der = bytes.to_pkcs8_der().expect("every secret key has an encoding");
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    for bytes in [&mut salt, &mut iv] {
        getrandom::getrandom(bytes).expect("the system gives randomness");
    }
    let cost = Params::new(SCRYPT.0, SCRYPT.1, SCRYPT.2, 32).expect("the cost is within scrypt's bounds");
    let scheme = pbes2::Parameters::scrypt_aes256cbc(cost, &salt, &iv).expect("the lengths are AES-256's");
    let plain = PrivateKeyInfo::try_from(der.as_bytes()).expect("it was just encoded");
    let sealed = plain.encrypt_with_params(scheme, passphrase).expect("a key is short enough to be sealed");
    sealed.to_pem(EncryptedPrivateKeyInfo::PEM_LABEL, LineEnding::LF).expect("every document has a PEM")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::{create_key, generate_key, read_key};

    const PASSPHRASE: &str = "sunny afternoon";

    #[test]
    fn a_sealed_key_is_read_with_its_passphrase_and_with_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let key = generate_key();
        write_sealed_key(&path, &key, PASSPHRASE).unwrap();
        assert!(is_sealed(&path).unwrap());
        assert_eq!(read_sealed_key(&path, PASSPHRASE).unwrap(), key);
        for wrong in ["", "sunny", "Sunny afternoon", "sunny afternoon "] {
            let opened = read_sealed_key(&path, wrong);
            assert!(matches!(opened, Err(ClientError::PassphraseWrong { .. })), "{wrong}: {opened:?}");
        }
        assert!(matches!(read_key(&path), Err(ClientError::KeySealed { .. })));
        assert!(matches!(write_sealed_key(&path, &key, "x"), Err(ClientError::KeyExists { .. })));
    }

    #[test]
    fn a_key_is_sealed_opened_and_sealed_anew_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let key = create_key(&path).unwrap();
        for passphrase in [Some(PASSPHRASE), Some("another one"), None] {
            rewrite_key(&path, &key, passphrase).unwrap();
            assert_eq!(is_sealed(&path).unwrap(), passphrase.is_some());
            assert_eq!(read_sealed_key(&path, passphrase.unwrap_or_default()).unwrap(), key);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_sealed_file_that_was_damaged_is_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        write_sealed_key(&path, &generate_key(), PASSPHRASE).unwrap();
        let pem = std::fs::read_to_string(&path).unwrap();
        for damaged in [pem.replace("MIG", "AAA"), pem[..pem.len() / 2].to_owned()] {
            std::fs::write(&path, damaged).unwrap();
            let opened = read_sealed_key(&path, PASSPHRASE);
            assert!(matches!(opened, Err(ClientError::KeyMalformed { .. })), "{opened:?}");
        }
    }

    #[test]
    fn openssl_reads_what_is_sealed_here_and_what_it_seals_is_read_where_it_is_installed() {
        let folder = tempfile::tempdir().unwrap();
        let [ours, theirs] = ["ours.pem", "theirs.pem"].map(|name| folder.path().join(name));
        let key = generate_key();
        write_sealed_key(&ours, &key, PASSPHRASE).unwrap();
        let word = format!("pass:{PASSPHRASE}");
        let run = |args: &[&str], file: &Path| {
            Command::new("openssl").arg("pkey").arg("-in").arg(file).args(args).output()
        };
        let Ok(shown) = run(&["-pubout", "-outform", "DER", "-passin", &word], &ours) else { return };
        assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
        assert!(shown.stdout.ends_with(key.verifying_key().as_bytes()));
        let wrong = run(&["-pubout", "-passin", "pass:wrong"], &ours).unwrap();
        assert!(!wrong.status.success());

        let sealed = run(&["-aes256", "-passin", &word, "-passout", "pass:theirs"], &ours).unwrap();
        std::fs::write(&theirs, sealed.stdout).unwrap();
        assert!(is_sealed(&theirs).unwrap());
        assert_eq!(read_sealed_key(&theirs, "theirs").unwrap(), key);
    }
}
