//! A live node, read over the network as any regulator can.
//!
//! Knows the calls, sessions and refusals of `Ledger`; believes nothing of what it reads: who asks checks it.
//! Keeps: nothing is asked for that a regulator's or an operator's session does not allow.

use std::{
    error::Error as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use ed25519_dalek::{Signer as _, SigningKey};
use parkwatt_ledger::Hash;
use parkwatt_proto::{
    SESSION_METADATA, SESSION_TYPE, pre_authentication_encoding,
    v1::{self, ledger_client::LedgerClient, market_data_client::MarketDataClient},
};
use prost::Message;
use tokio::runtime::Runtime;
use tonic::{
    Code, Request, Response, Status,
    metadata::MetadataValue,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use super::verdict::Finding;
use crate::keys::read_key;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a call may take.
const CALL_TIMEOUT: Duration = Duration::from_mins(1);
/// The largest answer that is read: some MiB of entries, of which the last may be long.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// How long a session is asked for; less than every node allows by default.
const SESSION: Duration = Duration::from_mins(10);
/// After how long a new one is signed.
const SESSION_RENEWED_AFTER: Duration = Duration::from_mins(5);
/// How many entries are asked for at once.
const ENTRIES_MAX: u32 = 1_000;

/// A node to be read, and who reads.
#[derive(Clone, Copy, Debug)]
pub struct NodeAddress<'a> {
    /// Where it is: `http://HOST:PORT`, or `https://HOST:PORT`.
    pub url: &'a str,
    /// What a connection over TLS rests on.
    pub trust: Trust<'a>,
    /// The file with the key of a regulator or an operator of its market.
    pub key: Option<&'a Path>,
    /// The market's name; empty where the node has only one.
    pub market: &'a str,
}

/// Files of TLS, as PEM.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trust<'a> {
    /// The roots of the node's certificate; those of the system where none are given.
    pub roots: Option<&'a Path>,
    /// The certificate that is shown to the node, and its private key, where the node asks for one.
    pub identity: Option<[&'a Path; 2]>,
}

/// A connection to a node, in somebody's name.
pub(super) struct Remote {
    url: String,
    runtime: Runtime,
    channel: Channel,
    key: Option<(PathBuf, SigningKey)>,
    market: String,
    session: Option<(Vec<u8>, Instant)>,
}

impl Remote {
    /// Connects to a node.
    pub(super) fn open(node: &NodeAddress<'_>) -> Result<Remote, Finding> {
        let key = node.key.map(|path| read_key(path).map(|key| (path.to_owned(), key))).transpose();
        let key = key.map_err(|problem| Finding::unreadable(problem.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|problem| {
            Finding::unreadable(format!("what reads from the network cannot be started: {problem}"))
        })?;
        let channel = runtime.block_on(connect(node))?;
        let mut remote =
            Remote { url: node.url.to_owned(), runtime, channel, key, market: String::new(), session: None };
        remote.market = remote.genesis(node.market)?.0;
        Ok(remote)
    }

    /// Returns the first checkpoint over at least so many leaves; for 0, the newest.
    pub(super) fn checkpoint(&mut self, tree_size_min: u64) -> Result<v1::Checkpoint, Finding> {
        let request = v1::GetCheckpointRequest { market: self.market.clone(), tree_size_min };
        let mut ledger = self.ledger();
        let answer = self.runtime.block_on(ledger.get_checkpoint(call(request)));
        self.answer(answer)
    }

    /// Returns some entries from `from` on and before `until`, at least one; none if the node has no entry `from`.
    pub(super) fn entries(&mut self, from: u64, until: u64) -> Result<Vec<Vec<u8>>, Finding> {
        let count = u32::try_from(until - from).map_or(ENTRIES_MAX, |count| count.min(ENTRIES_MAX));
        let request =
            v1::ListEntriesRequest { market: self.market.clone(), from_index: from, count, about: None };
        let answer =
            self.as_regulator(request, async |mut ledger, request| ledger.list_entries(request).await)?;
        let is_in_order = (from..).zip(&answer.leaf_indices).all(|(expected, index)| expected == *index);
        if !is_in_order
            || answer.entries.len() != answer.leaf_indices.len()
            || answer.entries.len() > count as usize
        {
            return Err(Finding::tampered(format!(
                "{}: asked for the entries from {from} on, the node answers with \
                 others",
                self.url
            )));
        }
        Ok(answer.entries)
    }

    /// Returns the proof that the tree of `new_size` leaves begins with that of `old_size`, as the node says.
    pub(super) fn consistency(&mut self, old_size: u64, new_size: u64) -> Result<Vec<Hash>, Finding> {
        let request = v1::GetConsistencyProofRequest { market: self.market.clone(), old_size, new_size };
        let proof = self
            .as_regulator(request, async |mut ledger, request| ledger.get_consistency_proof(request).await)?;
        // OK because: a hash of another length is no hash, and a proof without it does not hold.
        Ok(proof.hashes.into_iter().filter_map(|hash| Some(Hash(hash.try_into().ok()?))).collect())
    }

    /// Returns an entry with its proof against the newest checkpoint, as a text.
    pub(super) fn proof(&mut self, leaf_index: u64) -> Result<String, Finding> {
        let request = v1::GetProofRequest { market: self.market.clone(), leaf_index };
        let proved =
            self.as_regulator(request, async |mut ledger, request| ledger.get_proof(request).await)?;
        Ok(proved.tlog_proof)
    }

    /// Hands in a note that a witness has signed.
    pub(super) fn add_cosignature(&mut self, note: &str) -> Result<(), Finding> {
        let request = v1::AddCosignatureRequest { market: self.market.clone(), note: note.to_owned() };
        let mut ledger = self.ledger();
        let answer = self.runtime.block_on(ledger.add_cosignature(call(request)));
        self.answer(answer).map(drop)
    }

    /// Returns the market's name and its time, in microseconds since 1970.
    fn genesis(&self, market: &str) -> Result<(String, u64), Finding> {
        let request = v1::GetMarketRequest { market: market.to_owned() };
        let mut market_data = MarketDataClient::new(self.channel.clone());
        let market = self.answer(self.runtime.block_on(market_data.get_market(call(request))))?;
        Ok((market.genesis.unwrap_or_default().market, market.now_micros))
    }

    /// Calls with a session, and once more with a new one if that has expired, as it does when simulated time
    /// is moved.
    fn as_regulator<Q: Clone, A>(
        &mut self,
        request: Q,
        ask: impl AsyncFn(LedgerClient<Channel>, Request<Q>) -> Result<Response<A>, Status>,
    ) -> Result<A, Finding> {
        let is_old = |at: &Instant| at.elapsed() > SESSION_RENEWED_AFTER;
        let has_old = self.session.as_ref().is_some_and(|(_, at)| is_old(at));
        let mut is_fresh = has_old || self.session.is_none();
        loop {
            if is_fresh {
                self.session = Some((self.sign_session()?, Instant::now()));
            }
            let (session, _) = self.session.as_ref().expect("a session was signed");
            let mut asked = call(request.clone());
            asked.metadata_mut().insert_bin(SESSION_METADATA, MetadataValue::from_bytes(session));
            match self.runtime.block_on(ask(self.ledger(), asked)) {
                Err(refused) if refused.code() == Code::Unauthenticated && !is_fresh => is_fresh = true,
                answer => return self.answer(answer),
            }
        }
    }

    fn sign_session(&self) -> Result<Vec<u8>, Finding> {
        let Some((_, key)) = &self.key else {
            return Err(Finding::unreadable(
                "a node shows its entries to regulators and operators only; give the file of such a key (--key)",
            ));
        };
        let (_, now) = self.genesis(&self.market)?;
        let lifetime = u64::try_from(SESSION.as_micros()).expect("minutes are few microseconds");
        let session =
            v1::Session { market: self.market.clone(), expires_at_micros: now.saturating_add(lifetime) };
        let payload = session.encode_to_vec();
        let signature = key.sign(&pre_authentication_encoding(SESSION_TYPE, &payload)).to_vec();
        let public_key = key.verifying_key().to_bytes().to_vec();
        Ok(v1::SignedSession { payload, public_key, signature }.encode_to_vec())
    }

    fn ledger(&self) -> LedgerClient<Channel> {
        LedgerClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// Returns a call's answer, or what its failure means and what to do.
    fn answer<A>(&self, answer: Result<Response<A>, Status>) -> Result<A, Finding> {
        answer.map(Response::into_inner).map_err(|status| {
            let (url, said) = (&self.url, status.message());
            let key = self.key.as_ref().map(|(path, _)| path.display().to_string()).unwrap_or_default();
            Finding::unreadable(match status.code() {
                Code::Unauthenticated | Code::PermissionDenied => format!(
                    "{url}: the node does not show its entries to the key in {key}: {said}; give the key of a \
                     regulator or an operator of this market (--key)"
                ),
                Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown => {
                    let cause = status.source().map_or_else(|| said.to_owned(), innermost);
                    if cause.contains("ertificate") {
                        return Finding::unreadable(format!("{url}: {}", about_certificate(&cause)));
                    }
                    let hint = other_scheme(url);
                    format!("{url}: the node does not answer: {cause}; try again, {hint}, or ask its operator")
                }
                Code::Unimplemented => {
                    format!("{url}: the node is older than this program and lacks a call: {said}")
                }
                _ if said.starts_with("market:") => {
                    format!("{url}: the node refuses: {said}; name the market with --market NAME")
                }
                _ => format!("{url}: the node refuses: {said}"),
            })
        })
    }
}

async fn connect(node: &NodeAddress<'_>) -> Result<Channel, Finding> {
    let url = node.url;
    let malformed =
        || Finding::unreadable(format!("{url}: an address is http://HOST:PORT or https://HOST:PORT"));
    let mut endpoint = Endpoint::from_shared(url.to_owned()).map_err(|_| malformed())?;
    match (endpoint.uri().scheme_str(), endpoint.uri().authority()) {
        (Some("http"), Some(_)) => {}
        (Some("https"), Some(_)) => {
            let tls = endpoint.tls_config(tls(&node.trust)?);
            endpoint =
                tls.map_err(|problem| Finding::unreadable(format!("{url}: {}", innermost(&problem))))?;
        }
        _ => return Err(malformed()),
    }
    endpoint.connect_timeout(CONNECT_TIMEOUT).tcp_nodelay(true).connect().await.map_err(|problem| {
        let cause = innermost(&problem);
        Finding::unreadable(if cause.contains("ertificate") {
            format!("{url}: no connection is made: {}", about_certificate(&cause))
        } else {
            let hint = other_scheme(url);
            format!("{url}: nobody answers there: {cause}; is the node running? If so, {hint}")
        })
    })
}

fn tls(trust: &Trust<'_>) -> Result<ClientTlsConfig, Finding> {
    let read = |path: &Path| {
        std::fs::read(path).map_err(|problem| {
            let file = path.display();
            Finding::unreadable(format!(
                "the file {file} cannot be read: {problem}; check the name after --tls-..."
            ))
        })
    };
    let mut tls = match trust.roots {
        None => ClientTlsConfig::new().with_native_roots(),
        Some(roots) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(roots)?)),
    };
    if let Some([certificate, key]) = trust.identity {
        tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
    }
    Ok(tls)
}

/// Returns what is wrong with a certificate, and what to do, where a handshake failed for that.
fn about_certificate(cause: &str) -> String {
    let words = if cause.contains("CaUsedAsEndEntity") {
        "the node shows the certificate of an authority; its operator has to show one that is none \
         (basicConstraints=critical,CA:FALSE)"
    } else if cause.contains("UnknownIssuer") {
        "no root that is trusted here has signed the node's certificate; name its roots with --tls-roots, its operator \
         has them"
    } else if cause.contains("NotValidForName") || cause.contains("not valid for name") {
        "the node's certificate is for other names; use one of them in the address"
    } else if cause.contains("xpired") {
        "the node's certificate has expired; tell its operator, and look at this machine's clock"
    } else if cause.contains("CertificateRequired") {
        "the node answers only who shows a certificate; give yours with --tls-certificate and --tls-key"
    } else {
        return format!("{cause}; name the roots of its certificate with --tls-roots");
    };
    words.to_owned()
}

/// Returns what to try where a node seems to speak TLS to who does not, or the other way round.
fn other_scheme(url: &str) -> &'static str {
    if url.starts_with("https:") { "try http://" } else { "try https://" }
}

/// Returns the first cause, which says most: the outer ones only say that the transport failed.
fn innermost(mut problem: &dyn std::error::Error) -> String {
    while let Some(cause) = problem.source() {
        problem = cause;
    }
    problem.to_string()
}

/// Returns a request with the usual deadline.
fn call<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL_TIMEOUT);
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_certificate_is_said_in_words() {
        for (cause, words) in [
            ("Other(OtherError(CaUsedAsEndEntity))", "of an authority; its operator has to"),
            ("UnknownIssuer", "name its roots with --tls-roots"),
            ("NotValidForName", "use one of them in the address"),
            ("certificate not valid for name \"localhost\"", "use one of them in the address"),
            ("Expired", "look at this machine's clock"),
            ("received fatal alert: CertificateRequired", "give yours with --tls-certificate"),
        ] {
            let said = about_certificate(&format!("invalid peer certificate: {cause}"));
            assert!(said.contains(words) && !said.contains(cause), "{said}");
        }
        let other = "invalid peer certificate: BadSignature";
        assert_eq!(
            about_certificate(other),
            format!("{other}; name the roots of its certificate with --tls-roots")
        );
    }
}
