//! The node's own keys: made when it first starts, kept in PEM files that OpenSSL reads.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use ed25519_dalek::{
    SigningKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes, spki::der::pem::LineEnding},
};

/// What a node signs with.
pub struct NodeKeys {
    /// Signs checkpoints.
    pub node: SigningKey,
    /// Enrols the first participants; its public half stands in the market's constitution.
    pub operator: SigningKey,
    /// Where the operator's key is.
    pub operator_file: PathBuf,
}

/// Why a key file is no use.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file system.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What.
        source: std::io::Error,
    },
    /// What the file holds.
    #[error("{}: is no Ed25519 private key in PKCS#8 PEM: {problem}", path.display())]
    NotAKey {
        /// Where.
        path: PathBuf,
        /// What.
        problem: String,
    },
}

impl NodeKeys {
    /// Reads the keys under `data`, or makes them where there are none.
    ///
    /// # Errors
    /// [`KeyError`] if a file cannot be read or written, or is no key.
    pub fn open(data: &Path) -> Result<NodeKeys, KeyError> {
        std::fs::create_dir_all(data).map_err(at(data))?;
        let operator_file = data.join("operator.pem");
        Ok(NodeKeys {
            node: read_or_make(&data.join("node.pem"))?,
            operator: read_or_make(&operator_file)?,
            operator_file,
        })
    }
}

fn read_or_make(path: &Path) -> Result<SigningKey, KeyError> {
    if !path.exists() {
        make_key(path)?;
    }
    read_key(path)
}

/// Makes a key in a new file.
///
/// # Errors
/// [`KeyError::Io`] if the file exists or cannot be written.
pub fn make_key(path: &Path) -> Result<(), KeyError> {
    let mut seed = [0; 32];
    getrandom::getrandom(&mut seed)
        .map_err(|problem| at(path)(std::io::Error::other(problem.to_string())))?;
    write_key(path, &SigningKey::from_bytes(&seed))
}

/// Reads a key.
///
/// # Errors
/// [`KeyError`] if the file cannot be read, or is no key.
pub fn read_key(path: &Path) -> Result<SigningKey, KeyError> {
    let pem = std::fs::read_to_string(path).map_err(at(path))?;
    SigningKey::from_pkcs8_pem(&pem)
        .map_err(|problem| KeyError::NotAKey { path: path.to_owned(), problem: problem.to_string() })
}

/// Writes a key to a new file that only its owner may read.
///
/// # Errors
/// [`KeyError::Io`] if the file exists or cannot be written.
pub fn write_key(path: &Path, key: &SigningKey) -> Result<(), KeyError> {
    // OK because: PKCS#8 version 1, without the public key; OpenSSL 3.0 cannot read version 2.
    let version_1 = KeypairBytes { secret_key: key.to_bytes(), public_key: None };
    let pem = version_1.to_pkcs8_pem(LineEnding::LF).expect("32 bytes are encoded without fail");
    // A crash or a full disk leaves a whole file or none: half a key would stop every later start.
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(at(path))?;
    file.write_all(pem.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(at(path))?;
    file.persist_noclobber(path).map(drop).map_err(|problem| at(path)(problem.error))
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> KeyError {
    move |source| KeyError::Io { path: path.to_owned(), source }
}
