//! Connections: who may come in, and how long he may take to shake hands, and to say that he speaks HTTP/2.
//!
//! Knows sockets, TLS and limits; does not know calls or markets. Keeps: a connection reaches the server only
//! when its handshake is over, and of HTTP/2 its preface has come, so that nobody holds anything by silence; there are
//! never more of them than the limits say; running out of descriptors slows accepting down, and does not spin.

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::{Connected, TcpConnectInfo};
use tracing::{debug, warn};

use crate::{
    metrics::{ConnectionMetrics, Reason},
    tls::Tls,
};

/// What every HTTP/2 connection begins with (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long accepting rests after the system refused a descriptor.
const REST: Duration = Duration::from_millis(100);
/// How many connections may wait for the server to take them.
const WAITING_LEN_MAX: usize = 64;

/// How many there may be, and how slow.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// All together.
    pub connections_max: usize,
    /// Of one address.
    pub per_address_max: usize,
    /// How long a handshake, and then the preface, may take.
    pub handshake: Duration,
}

/// What a connection must speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, as browsers do to the web page.
    Http1,
    /// HTTP/2 from its first byte on, as gRPC does.
    Http2,
}

/// Accepts connections until the receiving end is dropped, and hands those on that are ready.
pub fn accept(
    listener: TcpListener,
    protocol: Protocol,
    limits: ConnectionLimits,
    tls: Option<Arc<Tls>>,
    metrics: ConnectionMetrics,
) -> ReceiverStream<io::Result<Connection>> {
    let (ready, connections) = mpsc::channel(WAITING_LEN_MAX);
    let places = Places { limits, taken: Arc::default(), metrics };
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = ready.closed() => return,
            };
            match accepted {
                Ok((stream, peer)) => match places.take(peer.ip()) {
                    Ok(place) => {
                        let (ready, tls) = (ready.clone(), tls.clone());
                        tokio::spawn(make_ready(stream, protocol, place, limits.handshake, tls, ready));
                    }
                    // OK because closing at once tells a caller more than a connection that nobody answers.
                    Err(reason) => {
                        debug!(%peer, reason, "a connection was closed");
                        places.metrics.refused.get_or_create(&Reason { reason }).inc();
                    }
                },
                Err(problem) => {
                    warn!(%problem, "no connection can be accepted; trying again");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    });
    ReceiverStream::new(connections)
}

/// Lets a connection shake hands, and say its preface if it has one, and hands it on if it does so in time.
async fn make_ready(
    stream: TcpStream,
    protocol: Protocol,
    place: Place,
    within: Duration,
    tls: Option<Arc<Tls>>,
    ready: mpsc::Sender<io::Result<Connection>>,
) {
    let peer = stream.peer_addr().ok();
    let shaken = async {
        stream.set_nodelay(true)?;
        let mut stream = match tls {
            None => Stream::Plain(stream),
            Some(tls) => Stream::Tls(Box::new(tls.accept(stream, protocol).await?)),
        };
        if protocol == Protocol::Http1 {
            return Ok((stream, &[][..]));
        }
        let mut preface = [0; PREFACE.len()];
        stream.read_exact(&mut preface).await?;
        if preface != *PREFACE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it does not begin as HTTP/2 does"));
        }
        Ok((stream, &PREFACE[..]))
    };
    match tokio::time::timeout(within, shaken).await {
        Ok(Ok((stream, unread))) => {
            let _ = ready.send(Ok(Connection { stream, unread, _place: place })).await;
        }
        Ok(Err(problem)) => {
            debug!(?peer, %problem, "a connection was closed");
            place.metrics.refused.get_or_create(&Reason { reason: "handshake" }).inc();
        }
        Err(_) => {
            debug!(?peer, ?within, "a connection was closed: its handshake took too long");
            place.metrics.refused.get_or_create(&Reason { reason: "handshake_ms" }).inc();
        }
    }
}

/// Where connections stand, and how many of them.
struct Places {
    limits: ConnectionLimits,
    taken: Arc<Mutex<Taken>>,
    metrics: ConnectionMetrics,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A connection's place, free again when it is dropped.
struct Place {
    address: IpAddr,
    taken: Arc<Mutex<Taken>>,
    metrics: ConnectionMetrics,
}

impl Places {
    fn take(&self, address: IpAddr) -> Result<Place, &'static str> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.limits.connections_max {
            return Err("connections_max");
        }
        let of_address = taken.by_address.entry(address).or_default();
        if *of_address >= self.limits.per_address_max {
            return Err("connections_per_address_max");
        }
        *of_address += 1;
        taken.all += 1;
        self.metrics.open.inc();
        Ok(Place { address, taken: self.taken.clone(), metrics: self.metrics.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.open.dec();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(of_address) = taken.by_address.get_mut(&self.address) {
            *of_address -= 1;
            if *of_address == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

/// A connection that is ready for the server.
pub struct Connection {
    stream: Stream,
    /// What was read of it already.
    unread: &'static [u8],
    _place: Place,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        match &self.stream {
            Stream::Plain(stream) => stream.connect_info(),
            Stream::Tls(stream) => stream.get_ref().0.connect_info(),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let (now, later) = self.unread.split_at(self.unread.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.unread = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(context, bytes),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
