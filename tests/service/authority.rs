//! An authority for certificates, and the files of a node that shows one.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// An authority, and the files of TLS in a folder.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// Returns another one each time.
    pub fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Returns its own certificate.
    pub fn roots(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    /// Returns a certificate for `name`, and its key.
    pub fn vouch_for(&self, name: &str) -> [Vec<u8>; 2] {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        [certificate.pem().into_bytes(), key.serialize_pem().into_bytes()]
    }

    /// Writes the files of a node.
    pub fn write(&self, dir: &Path) {
        let [certificate, key] = self.vouch_for("127.0.0.1");
        fs::write(dir.join("node.pem"), certificate).unwrap();
        fs::write(dir.join("node-key.pem"), key).unwrap();
    }
}

/// Returns the settings of a node whose files these are.
pub fn settings(dir: &Path, more: &str) -> String {
    format!("tls = {{ certificate = '{0}/node.pem', key = '{0}/node-key.pem'{more} }}", dir.display())
}
