//! TLS: whose certificate opens a connection, in both directions, and certificates that change while a node runs.

use std::{
    fs,
    io::Read,
    net::TcpStream,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    authority::{Authority, settings},
    node::{Place, auditor},
};
use parkwatt_client::{ClientError, Connection, Trust};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, pem::PemObject},
    },
};

/// How long anything may take that must happen.
const PATIENCE: Duration = Duration::from_mins(1);

async fn asked(url: &str, trust: &Trust) -> Result<String, ClientError> {
    let connection = Connection::open_with(url, trust).await?;
    Ok(connection.market("").await?.genesis.unwrap().market)
}

fn trusting(authority: &Authority) -> Trust {
    Trust { roots: Some(authority.roots()), identity: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_shows_its_certificate_and_only_who_trusts_it_speaks_with_it() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority.write(dir.path());
    let node = Place::with_config(&settings(dir.path(), ""), &[]).start();
    assert!(node.url().starts_with("https://"), "{}", node.url());
    assert_eq!(asked(&node.url(), &trusting(&authority)).await.unwrap(), "park");
    let plain = node.url().replace("https", "http");
    for (url, trust) in
        [(node.url(), trusting(&Authority::new())), (node.url(), Trust::default()), (plain, Trust::default())]
    {
        let refused = asked(&url, &trust).await.unwrap_err();
        assert!(matches!(refused, ClientError::Unreachable { .. }), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_node_with_tls_is_shown_over_tls_alone() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority.write(dir.path());
    let config = format!("web_listen = '127.0.0.1:0'\n{}", settings(dir.path(), ""));
    let mut node = Place::with_config(&config, &[]).start();
    let said = node.says();
    let (_, page) = said.split_once("A page for a browser is https://").unwrap();
    let page = page.split_once('/').unwrap().0.to_owned();
    let asked = b"GET /markets/park/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&authority.roots()).unwrap()).unwrap();
    let trusting = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let stranger =
        ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let knock = async |config: ClientConfig| {
        let stream = tokio::net::TcpStream::connect(&page).await.unwrap();
        TlsConnector::from(Arc::new(config)).connect("127.0.0.1".try_into().unwrap(), stream).await
    };
    assert!(knock(stranger).await.is_err());
    let mut stream = knock(trusting).await.unwrap();
    stream.write_all(asked).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("<title>Parkwatt</title>"), "{answer}");

    let mut plain = tokio::net::TcpStream::connect(&page).await.unwrap();
    plain.write_all(asked).await.unwrap();
    let mut answer = Vec::new();
    // OK because: whether the connection ends or is reset, nothing of the page may have come.
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_asks_for_certificates_lets_nobody_in_without_one() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority.write(dir.path());
    fs::write(dir.path().join("clients.pem"), authority.roots()).unwrap();
    let more = format!(", client_roots = '{}/clients.pem'", dir.path().display());
    let node = Place::with_config(&settings(dir.path(), &more), &[]).start();
    let known = Trust { identity: Some(authority.vouch_for("factory")), ..trusting(&authority) };
    assert_eq!(asked(&node.url(), &known).await.unwrap(), "park");
    let stranger = Trust { identity: Some(Authority::new().vouch_for("factory")), ..trusting(&authority) };
    for trust in [trusting(&authority), stranger] {
        let refused = asked(&node.url(), &trust).await.unwrap_err();
        assert!(matches!(refused, ClientError::Unreachable { .. }), "{refused}");
    }
}

#[test]
fn an_auditor_reads_a_node_over_tls_and_shows_his_certificate() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority.write(dir.path());
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("roots.pem"), authority.roots()).unwrap();
    let [certificate, key] = authority.vouch_for("bureau");
    fs::write(path("bureau.pem"), certificate).unwrap();
    fs::write(path("bureau-key.pem"), key).unwrap();
    let more = format!(", client_roots = '{}'", path("roots.pem"));
    let place = Place::with_config(&settings(dir.path(), &more), &[]);
    let node = place.start();

    let operator = place.operator_key();
    let verify = ["verify", &node.url(), "--key", operator.to_str().unwrap()].map(str::to_owned);
    let roots = ["--tls-roots".to_owned(), path("roots.pem")];
    let identity =
        ["--tls-certificate".into(), path("bureau.pem"), "--tls-key".into(), path("bureau-key.pem")];
    let run = |args: &[&[String]]| {
        let args: Vec<&str> = args.iter().copied().flatten().map(String::as_str).collect();
        let output = auditor(&args);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = run(&[&verify, &roots, &identity]);
    assert_eq!(code, Some(0), "{said}");
    for (args, word) in [
        // The node ends the connection, as early or late as the handshake lets it.
        (&[&verify[..], &roots][..], "answer"),
        (
            &[&verify, &identity],
            "no root that is trusted here has signed the node's certificate; name its roots",
        ),
        (&[&verify, &["--tls-roots".into(), path("absent.pem")]], "absent.pem cannot be read: "),
    ] {
        let (code, said) = run(args);
        assert_ne!(code, Some(0));
        assert!(said.contains(word), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_replaced_is_shown_from_then_on_and_one_that_is_none_is_not() {
    let (dir, before, after) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
    before.write(dir.path());
    let place = Place::with_config(&settings(dir.path(), ""), &[]);
    let node = place.start();
    assert!(asked(&node.url(), &trusting(&before)).await.is_ok());

    let begun = Instant::now();
    fs::write(dir.path().join("node.pem"), "no certificate").unwrap();
    while !place.log().contains("tls.certificate") {
        assert!(begun.elapsed() < PATIENCE, "{}", place.log());
        std::thread::yield_now();
    }
    assert!(asked(&node.url(), &trusting(&before)).await.is_ok(), "the one before is still shown");

    let begun = Instant::now();
    after.write(dir.path());
    while asked(&node.url(), &trusting(&after)).await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "{}", place.log());
    }
    assert!(asked(&node.url(), &trusting(&before)).await.is_err());
}

#[test]
fn a_handshake_that_goes_no_further_is_closed_at_its_deadline() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority.write(dir.path());
    let settings = format!("handshake_ms = 150\n{}", settings(dir.path(), ""));
    let node = Place::with_config(&settings, &[]).start();
    let mut silent = TcpStream::connect(node.address).unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_file_of_tls_that_is_not_what_it_should_be_is_named_before_anything_starts() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority.write(dir.path());
    let [_, another_key] = authority.vouch_for("127.0.0.1");
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    let path = |name: &str| -> PathBuf { dir.path().join(name) };
    write("empty.pem", b"");
    write("another-key.pem", &another_key);
    for (certificate, key, word) in [
        ("absent.pem", "node-key.pem", "tls.certificate: "),
        ("empty.pem", "node-key.pem", "has no certificate in it"),
        ("node.pem", "empty.pem", "tls.key: "),
        ("node.pem", "another-key.pem", "tls: "),
    ] {
        let toml = format!(
            "tls = {{ certificate = '{}', key = '{}' }}",
            path(certificate).display(),
            path(key).display()
        );
        let place = Place::with_config(&toml, &[]);
        let mut node = place.spawn_at(([127, 0, 0, 1], 0).into());
        assert_ne!(node.wait().unwrap().code(), Some(0));
        assert!(place.log().contains(word), "{word}: {}", place.log());
    }
}
