//! TLS: the certificate a node shows, and whose certificates it wants to see; read again when the files change.
//!
//! Knows PEM files and handshakes; does not know who is enrolled: a certificate opens a connection, and
//! commands and sessions are signed all the same.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::WebPkiClientVerifier,
    },
    server::TlsStream,
};
use tracing::{info, warn};

use crate::connections::Protocol;

/// What HTTP/2 is called in a handshake.
const H2: &[u8] = b"h2";
/// What HTTP/1.1 is called in a handshake.
const HTTP_1_1: &[u8] = b"http/1.1";
/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The files of TLS, all PEM.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The node's certificate, and those that lead from it to a root.
    pub certificate: PathBuf,
    /// Its private key: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
    /// The roots of clients' certificates; where it is given, a client without one is not let in.
    pub client_roots: Option<PathBuf>,
}

/// Why a connection cannot be made safe.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is something else.
    #[error("tls.{field}: {}: {problem}", path.display())]
    File {
        /// Which.
        field: &'static str,
        /// Where.
        path: PathBuf,
        /// What.
        problem: String,
    },
    /// The files do not belong together.
    #[error("tls: {0}")]
    Together(#[from] rustls::Error),
}

/// What handshakes are made with now.
pub struct Tls {
    files: TlsFiles,
    current: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub fn read(files: TlsFiles) -> Result<Tls, TlsError> {
        let current = RwLock::new(Arc::new(server_config(&files)?));
        Ok(Tls { files, current })
    }

    /// Shakes hands.
    ///
    /// # Errors
    /// What the handshake failed with.
    pub async fn accept(&self, stream: TcpStream, protocol: Protocol) -> io::Result<TlsStream<TcpStream>> {
        let mut config = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        if protocol == Protocol::Http1 {
            Arc::make_mut(&mut config).alpn_protocols = vec![HTTP_1_1.to_vec()];
        }
        TlsAcceptor::from(config).accept(stream).await
    }

    /// Reads the files again whenever one has changed, until the task is dropped. Files that do not fit leave
    /// everything as it was, and are told of.
    pub async fn follow_files(self: Arc<Tls>) {
        let mut seen = self.changed_at();
        loop {
            tokio::time::sleep(LOOK).await;
            let now = self.changed_at();
            if now == seen {
                continue;
            }
            seen = now;
            match server_config(&self.files) {
                Ok(config) => {
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                    info!("the certificate was read again; new connections use it");
                }
                Err(problem) => {
                    warn!(%problem, "the changed certificate is not used; the one before still is");
                }
            }
        }
    }

    fn changed_at(&self) -> Vec<Option<SystemTime>> {
        let TlsFiles { certificate, key, client_roots } = &self.files;
        let files = [Some(certificate), Some(key), client_roots.as_ref()];
        let changed_at = |path: &PathBuf| std::fs::metadata(path).and_then(|file| file.modified()).ok();
        files.into_iter().flatten().map(changed_at).collect()
    }
}

fn server_config(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let chain = certificates("certificate", &files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(at("key", &files.key))?;
    let provider = Arc::new(ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let builder = match &files.client_roots {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for root in certificates("client_roots", path)? {
                roots.add(root)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(at("client_roots", path))?)
        }
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![H2.to_vec()];
    Ok(config)
}

fn certificates(field: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read.map_err(at(field, path))? {
        none if none.is_empty() => {
            Err(TlsError::File { field, path: path.to_owned(), problem: "has no certificate in it".into() })
        }
        found => Ok(found),
    }
}

fn at<E: ToString>(field: &'static str, path: &Path) -> impl FnOnce(E) -> TlsError {
    move |problem| TlsError::File { field, path: path.to_owned(), problem: problem.to_string() }
}
