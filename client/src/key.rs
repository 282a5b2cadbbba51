//! Ed25519 keys in files: PKCS#8 PEM of version 1, readable by its owner alone, never overwritten.
//!
//! Knows files and encodings; does not know what a key is used for.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use ed25519_dalek::{SigningKey, VerifyingKey};

use crate::ClientError;
use crate::sealed::has_seal;

/// Returns a new key from the system's randomness.
///
/// # Panics
/// If the system has no randomness to give.
pub fn generate_key() -> SigningKey {
    let mut seed = [0; 32];
    getrandom::getrandom(&mut seed).expect("the system gives randomness");
    SigningKey::from_bytes(&seed)
}

/// Makes a new key and writes it to `path`; see [`write_key`].
///
/// # Errors
/// Those of [`write_key`].
pub fn create_key(path: &Path) -> Result<SigningKey, ClientError> {
    let key = generate_key();
    write_key(path, &key)?;
    Ok(key)
}

/// Writes `key` to the new file `path`, and makes its folder where it is missing. Only the owner may read
/// either.
///
/// The format is PKCS#8 version 1, without the public key: OpenSSL 3.0 cannot read version 2.
///
/// # Errors
/// [`ClientError::KeyExists`] if there is a file; [`ClientError::KeyFile`] if the system refuses.
pub fn write_key(path: &Path, key: &SigningKey) -> Result<(), ClientError> {
    let bytes = KeypairBytes { secret_key: key.to_bytes(), public_key: None };
    write_pem(path, &bytes.to_pkcs8_pem(LineEnding::LF).expect("every secret key has an encoding"))
}

/// Writes a key's PEM to the new file `path`.
pub(crate) fn write_pem(path: &Path, pem: &str) -> Result<(), ClientError> {
    write_new(path, pem.as_bytes()).map_err(|cause| match cause.kind() {
        ErrorKind::AlreadyExists => ClientError::KeyExists { path: path.to_owned() },
        _ => ClientError::KeyFile { path: path.to_owned(), cause },
    })
}

/// Returns the key in the file `path`.
///
/// # Errors
/// [`ClientError::KeyMissing`], [`ClientError::KeyFile`] or [`ClientError::KeyMalformed`];
/// [`ClientError::KeySealed`] if it is under a passphrase.
pub fn read_key(path: &Path) -> Result<SigningKey, ClientError> {
    parse_key(path, &read_pem(path)?)
}

/// Returns the key that the PEM of the file `path` has without a passphrase.
pub(crate) fn parse_key(path: &Path, pem: &str) -> Result<SigningKey, ClientError> {
    if has_seal(pem) {
        return Err(ClientError::KeySealed { path: path.to_owned() });
    }
    SigningKey::from_pkcs8_pem(pem)
        .map_err(|cause| ClientError::KeyMalformed { path: path.to_owned(), cause: cause.to_string() })
}

/// Returns the text of a key file.
pub(crate) fn read_pem(path: &Path) -> Result<String, ClientError> {
    std::fs::read_to_string(path).map_err(|cause| match cause.kind() {
        ErrorKind::NotFound => ClientError::KeyMissing { path: path.to_owned() },
        ErrorKind::InvalidData => {
            ClientError::KeyMalformed { path: path.to_owned(), cause: "it is not text".to_owned() }
        }
        _ => ClientError::KeyFile { path: path.to_owned(), cause },
    })
}

/// Puts the key file `new` in the place of the one at `path`, and returns the file in which the old one is
/// kept as it was: `path` with `.old` behind it, or with `.old-2` and so on where that is taken.
///
/// At every moment there is a key in `path`, and the old one is in some file.
///
/// # Errors
/// [`ClientError::KeyFile`] if the system refuses; another try goes on where this one stopped.
pub fn replace_key(path: &Path, new: &Path) -> Result<PathBuf, ClientError> {
    let kept = keep_key(path)?;
    put_in_place(new, path)?;
    Ok(kept)
}

/// Renames the key file `new` to `path`, durably.
pub(crate) fn put_in_place(new: &Path, path: &Path) -> Result<(), ClientError> {
    let renamed = std::fs::rename(new, path).and_then(|()| sync_folder_of(path));
    renamed.map_err(|cause| ClientError::KeyFile { path: path.to_owned(), cause })
}

/// Returns `path` with `.ending` behind its name.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// Copies the key file `path` to the first file beside it that is free, or that is its copy already.
fn keep_key(path: &Path) -> Result<PathBuf, ClientError> {
    let pem = read_pem(path)?;
    let mut number = 1;
    loop {
        let kept = beside(path, &if number == 1 { "old".to_owned() } else { format!("old-{number}") });
        match write_pem(&kept, &pem) {
            Err(ClientError::KeyExists { .. }) if read_pem(&kept).is_ok_and(|it| it == pem) => {
                return Ok(kept);
            }
            Err(ClientError::KeyExists { .. }) => number += 1,
            written => return written.map(|()| kept),
        }
    }
}

/// Returns a public key as people write it: 64 hex digits.
pub fn public_key_text(key: &VerifyingKey) -> String {
    hex::encode(key.as_bytes())
}

/// Returns the public key that `text` writes in 64 hex digits.
///
/// # Errors
/// [`ClientError::PublicKeyMalformed`] if it is anything else, or a key that would accept forged signatures.
pub fn parse_public_key(text: &str) -> Result<VerifyingKey, ClientError> {
    let malformed = |cause| ClientError::PublicKeyMalformed { text: text.to_owned(), cause };
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| malformed("a public key is 64 hex digits"))?;
    let key = VerifyingKey::from_bytes(&bytes)
        .map_err(|_| malformed("these 64 hex digits are no point of Ed25519's curve"))?;
    if key.is_weak() {
        return Err(malformed("it is a weak key, under which signatures can be forged"));
    }
    Ok(key)
}

/// Writes a file that must be new, and leaves none behind where it fails.
fn write_new(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        private_folder().create(folder)?;
    }
    let mut file = private_file().open(path)?;
    file.write_all(content).and_then(|()| file.sync_all()).inspect_err(|_| {
        // OK because the file is ours and useless: what failed is reported by the error.
        let _ = std::fs::remove_file(path);
    })
}

/// Makes a renaming durable.
fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { std::fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Returns how to make folders that only the owner may enter.
fn private_folder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Returns how to make a new file that only the owner may read.
fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_written_key_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/key.pem");
        let key = create_key(&path).unwrap();
        assert_eq!(read_key(&path).unwrap().to_bytes(), key.to_bytes());
    }

    #[test]
    fn a_key_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let first = create_key(&path).unwrap();
        assert!(matches!(create_key(&path), Err(ClientError::KeyExists { .. })));
        assert_eq!(read_key(&path).unwrap().to_bytes(), first.to_bytes());
    }

    #[test]
    fn a_replaced_key_is_kept_and_a_second_try_keeps_it_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let new = beside(&path, "new");
        let first = create_key(&path).unwrap();
        // An earlier try has kept it, and got no further.
        write_key(&beside(&path, "old"), &first).unwrap();
        let second = create_key(&new).unwrap();
        assert_eq!(replace_key(&path, &new).unwrap(), beside(&path, "old"));
        assert_eq!(read_key(&path).unwrap(), second);
        assert!(!new.exists());

        let third = create_key(&new).unwrap();
        assert_eq!(replace_key(&path, &new).unwrap(), beside(&path, "old-2"));
        let kept =
            ["", ".old", ".old-2"].map(|it| read_key(&folder.path().join(format!("key.pem{it}"))).unwrap());
        assert_eq!(kept, [third, first, second]);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_a_key() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inner/key.pem");
        create_key(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let inner = path.parent().unwrap();
        assert_eq!(std::fs::metadata(inner).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn the_encoding_is_pkcs8_of_version_1() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let bytes = KeypairBytes { secret_key: key.to_bytes(), public_key: None };
        let der = bytes.to_pkcs8_der().unwrap();
        // RFC 8410: a sequence of version 0, the algorithm 1.3.101.112, and the seed in two octet strings.
        let head = "302e020100300506032b657004220420";
        assert_eq!(hex::encode(der.as_bytes()), format!("{head}{}", hex::encode([7; 32])));
    }

    #[test]
    fn openssl_reads_the_same_public_key_where_it_is_installed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let key = create_key(&path).unwrap();
        let command =
            Command::new("openssl").args(["pkey", "-pubout", "-outform", "DER", "-in"]).arg(&path).output();
        let Ok(output) = command else { return };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.ends_with(key.verifying_key().as_bytes()));
    }

    #[test]
    fn each_trouble_with_a_file_has_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        assert!(matches!(read_key(&path), Err(ClientError::KeyMissing { .. })));
        assert!(matches!(read_key(folder.path()), Err(ClientError::KeyFile { .. })));
        for content in [
            &b""[..],
            b"no key",
            b"\xff\xfe",
            b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n",
        ] {
            std::fs::write(&path, content).unwrap();
            assert!(matches!(read_key(&path), Err(ClientError::KeyMalformed { .. })));
        }
    }

    #[test]
    fn a_public_key_is_64_hex_digits_of_a_sound_key() {
        let text = public_key_text(&SigningKey::from_bytes(&[7; 32]).verifying_key());
        assert_eq!(public_key_text(&parse_public_key(&text).unwrap()), text);
        assert!(parse_public_key(&text.to_uppercase()).is_ok());
        let zero = "0".repeat(64);
        let no_point = format!("02{}", "0".repeat(62));
        for bad in ["", "12", &text[1..], &format!("{text}00"), &"g".repeat(64), &zero, &no_point] {
            assert!(matches!(parse_public_key(bad), Err(ClientError::PublicKeyMalformed { .. })), "{bad}");
        }
    }
}
