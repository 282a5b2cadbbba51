//! Handshakes of TLS that stop, crawl, or are none.

use std::{
    io::{self, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, pki_types::CertificateDer, pki_types::pem::PemObject,
};

use super::{Honest, Over, Site, authority::Authority, conclude};

/// How often each of the attacks is made.
const TIMES: usize = 40;
/// How long a handshake may take here, in milliseconds.
const HANDSHAKE_MS: u64 = 1_500;
/// How long what must happen is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// Returns the settings of a client that trusts this authority.
pub fn trusting(authority: &Authority) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&authority.roots()).unwrap()).unwrap();
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

fn client(config: &Arc<ClientConfig>) -> ClientConnection {
    ClientConnection::new(config.clone(), "127.0.0.1".try_into().unwrap()).unwrap()
}

/// What is written is encrypted.
pub struct Encrypted<'a> {
    client: ClientConnection,
    stream: &'a mut TcpStream,
}

impl Encrypted<'_> {
    pub fn new<'a>(config: &Arc<ClientConfig>, stream: &'a mut TcpStream) -> Encrypted<'a> {
        Encrypted { client: client(config), stream }
    }

    /// Shakes hands, and sends all of it.
    pub fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        while self.client.is_handshaking() {
            self.client.complete_io(self.stream)?;
        }
        self.client.writer().write_all(bytes)?;
        while self.client.wants_write() {
            self.client.write_tls(self.stream)?;
        }
        Ok(())
    }
}

/// What somebody sends who does not shake hands.
fn attacks(config: &Arc<ClientConfig>) -> Vec<(&'static str, Vec<u8>)> {
    let mut hello = Vec::new();
    client(config).write_tls(&mut hello).unwrap();
    vec![
        ("nothing", Vec::new()),
        ("half a hello", hello[..hello.len() / 2].to_vec()),
        ("a hello, and nothing more", hello),
        ("a record that ends in its head", vec![22, 3, 1]),
        ("a record of 16 KiB that does not come", vec![22, 3, 1, 64, 0, 1]),
        ("a record longer than there may be", vec![22, 3, 1, 0xff, 0xff, 1, 2, 3]),
        ("plain HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("noise", (0..4_096_u32).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_stop_or_crawl_or_are_none_hold_no_honest_order_up_and_are_closed() {
    let mut site = Site::found(Over::Tls, &format!("handshake_ms = {HANDSHAKE_MS}\n")).await;
    let mut honest = Honest::enrol(&mut site.market).await;
    let before = honest.trade_some().await;
    let (address, config) = (site.market.node.address, trusting(&site.authority));
    let attack = tokio::task::spawn_blocking(move || {
        let connect = || TcpStream::connect(address).unwrap();
        let mut open = Vec::new();
        for _ in 0..TIMES {
            for (what, bytes) in attacks(&config) {
                let mut stream = connect();
                // The node may close it before all was sent.
                let _ = stream.write_all(&bytes);
                open.push((what, stream));
            }
        }
        // One byte of each in turn, as slowly as all the others let it.
        let (_, hello) = attacks(&config).swap_remove(2);
        let mut crawling: Vec<TcpStream> = (0..TIMES).map(|_| connect()).collect();
        for byte in &hello[..hello.len() - 1] {
            for stream in &mut crawling {
                let _ = stream.write_all(&[*byte]);
            }
        }
        open.extend(crawling.into_iter().map(|stream| ("a hello that crawls", stream)));
        open
    });
    let (open, mut during) = honest.trade_beside(async { attack.await.unwrap() }).await;
    let behind = honest.trade_some().await;
    if behind.p99 > during.p99 {
        during = behind;
    }
    let count = open.len();
    for (what, mut stream) in open {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let ended = io::copy(&mut stream, &mut io::sink());
        let is_late = |problem: &io::Error| problem.kind() == io::ErrorKind::WouldBlock;
        assert!(!ended.is_err_and(|problem| is_late(&problem)), "{what} was not closed");
    }
    println!("{count} connections that did not shake hands were closed");
    conclude("handshakes", &mut site, honest, &before, &during).await;
}
