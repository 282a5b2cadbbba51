//! Step 1, receive: envelopes of opaque bytes, within their size limit, go on to steps 2 and 3 and into the
//! queue.
//!
//! Steps 1 to 3 share nothing, so they run on all cores; the commands of one stream keep their order all the
//! same. What of a stream is there at once goes through them together, since a task for each command would be woken,
//! and waited for, by itself.

use std::{
    collections::HashMap,
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Instant,
};

use ed25519_dalek::VerifyingKey;

use parkwatt_engine::{PublicKey, Request};
use parkwatt_proto::{
    COMMAND_TYPE,
    v1::{self, answer, exchange_server::Exchange},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};
use tonic::{Response, Status, Streaming};

use crate::{
    allowance::{Allowances, Rate},
    authenticate::{authenticate_by, verifying_key},
    host::Market,
    refusal::Refused,
    sequence::{PendingCommand, ReceiptSender},
    wire,
};

/// How many commands of one stream one task takes through steps 1 to 3, at most.
const TOGETHER_MAX: usize = 8;

/// The service to which commands are handed in.
#[derive(Clone)]
pub struct Receive {
    market: Arc<Market>,
    limits: ReceiveLimits,
    /// What each enrolled key may hand in.
    by_key: Arc<Allowances<PublicKey>>,
    /// What each connection may hand in that is nobody's word: verifying it costs as much as an honest command.
    unauthentic_by_peer: Arc<Allowances<Peer>>,
    /// The points of the curve of keys that speak here, or did.
    points: Arc<RwLock<HashMap<PublicKey, VerifyingKey>>>,
}

/// What one caller may hand in.
#[derive(Clone, Copy, Debug)]
pub struct ReceiveLimits {
    /// The longest payload, in bytes.
    pub payload_bytes_max: usize,
    /// How many commands of one stream are under way at once.
    pub stream_in_flight_max: usize,
    /// How many commands of one key.
    pub commands: Rate,
    /// How many commands of one connection whose signature is nobody's.
    pub unauthentic: Rate,
}

/// A connection, by where it comes from.
type Peer = Option<SocketAddr>;

/// A command that has come through steps 1 to 3, or why not, and who waits.
type Admitted = Result<PendingCommand, (Refused, ReceiptSender)>;

type Answers = Pin<Box<dyn Stream<Item = Result<v1::Answer, Status>> + Send>>;

impl Receive {
    /// Returns the service for one market.
    pub fn new(market: Arc<Market>, limits: ReceiveLimits) -> Receive {
        Receive {
            market,
            limits,
            by_key: Arc::new(Allowances::new(limits.commands)),
            unauthentic_by_peer: Arc::new(Allowances::new(limits.unauthentic)),
            points: Arc::default(),
        }
    }

    /// Takes an envelope from `peer` through steps 1 to 3.
    fn admit(&self, peer: Peer, signed: v1::SignedCommand, receipt: ReceiptSender) -> Admitted {
        match self.check(peer, &signed) {
            Ok(request) => Ok(PendingCommand { signed, request, receipt, new_as_of: None }),
            Err(why) => Err((why, receipt)),
        }
    }

    fn check(&self, peer: Peer, signed: &v1::SignedCommand) -> Result<Request, Refused> {
        let (len, max) = (signed.payload.len(), self.limits.payload_bytes_max);
        if len > max {
            return Err(Refused::TooLarge { len, max });
        }
        let too_often = |what| move |retry_after| Refused::TooOften { what, retry_after };
        let now = Instant::now();
        self.unauthentic_by_peer
            .look(&peer, now)
            .map_err(too_often("too many commands of this connection had a signature that is nobody's"))?;
        let key = self.whose(signed).inspect_err(|_| {
            // Whether that was the last one, the next one hears.
            let _ = self.unauthentic_by_peer.take(peer, now);
        })?;
        self.by_key.take(key, now).map_err(too_often("this key has handed in too many commands"))?;
        Ok(wire::parse(&self.market.config, &signed.payload, key)?)
    }

    /// Returns the key that has signed, if it speaks here for anybody, or did.
    fn whose(&self, signed: &v1::SignedCommand) -> Result<PublicKey, Refused> {
        let known = self.point_of(&signed.public_key);
        let point = known.map_or_else(|| verifying_key(&signed.public_key), Ok)?;
        authenticate_by(&point, COMMAND_TYPE, &signed.payload, &signed.signature)?;
        let key = point.to_bytes();
        let views = self.market.views();
        // A retired key may ask again what it asked while it spoke; the sequencer looks it up.
        if views.holder_of(&key).is_none() && !views.has_retired(&key) {
            return Err(Refused::UnknownKey { key, market: self.market.config.name.clone() });
        }
        drop(views);
        if known.is_none() {
            self.points.write().unwrap_or_else(PoisonError::into_inner).insert(key, point);
        }
        Ok(key)
    }

    fn point_of(&self, public_key: &[u8]) -> Option<VerifyingKey> {
        self.points.read().unwrap_or_else(PoisonError::into_inner).get(public_key).copied()
    }
}

/// Hands in what was admitted; the receiver hears what becomes of it.
fn hand_in(market: &Market, admitted: Admitted) {
    match admitted {
        Ok(command) => match market.door.queue() {
            Ok(queue) => queue.hand_in(command),
            Err(why) => command.answer(Err(why)),
        },
        Err((why, receipt)) => {
            let _ = receipt.send(Err(why));
        }
    }
}

/// What waits for an answer in a stream, in order: a command's, or the stream's end.
type Waiting = Result<oneshot::Receiver<Result<v1::Receipt, Refused>>, Status>;

/// A stream of commands on its way into the queue.
struct Incoming {
    receive: Receive,
    peer: Peer,
    envelopes: Streaming<v1::SignedCommand>,
    answers: mpsc::Sender<Waiting>,
    /// Groups of commands that other tasks admit, in order.
    elsewhere: mpsc::UnboundedSender<JoinHandle<Vec<Admitted>>>,
    /// How many of them are not handed in yet.
    elsewhere_len: Arc<AtomicUsize>,
}

impl Incoming {
    /// Takes the stream in until it ends or breaks, or nobody hears its answers.
    async fn run(mut self) {
        // No more than may be under way, since all of them have their place before the first is admitted.
        let together_max = TOGETHER_MAX.min(self.receive.limits.stream_in_flight_max);
        loop {
            let envelopes = self.together(together_max).await;
            let (is_full, mut is_over) = (envelopes.len() == together_max, envelopes.is_empty());
            let mut commands = Vec::with_capacity(envelopes.len());
            for envelope in envelopes {
                let waiting = match envelope {
                    Ok(signed) => {
                        let (receipt, waiting) = oneshot::channel();
                        commands.push((signed, receipt));
                        Ok(waiting)
                    }
                    Err(broken) => {
                        is_over = true;
                        Err(broken)
                    }
                };
                if self.answers.send(waiting).await.is_err() {
                    return;
                }
            }
            self.admit(commands, is_full);
            if is_over {
                return;
            }
        }
    }

    /// Returns what is there, at least one and at most so many; nothing at the stream's end.
    async fn together(&mut self, max: usize) -> Vec<Result<v1::SignedCommand, Status>> {
        let mut envelopes = Vec::new();
        poll_fn(|context| {
            loop {
                match Pin::new(&mut self.envelopes).poll_next(context) {
                    Poll::Ready(Some(envelope)) => {
                        let is_broken = envelope.is_err();
                        envelopes.push(envelope);
                        if envelopes.len() == max || is_broken {
                            return Poll::Ready(());
                        }
                    }
                    Poll::Pending if envelopes.is_empty() => return Poll::Pending,
                    Poll::Ready(None) | Poll::Pending => return Poll::Ready(()),
                }
            }
        })
        .await;
        envelopes
    }

    /// Admits commands and hands them in: here, if they are the only ones, and else elsewhere, so that all cores admit
    /// those of a stream of which more is there.
    fn admit(&self, commands: Vec<(v1::SignedCommand, ReceiptSender)>, more_may_be_there: bool) {
        if !more_may_be_there && self.elsewhere_len.load(Ordering::Acquire) == 0 {
            for (signed, receipt) in commands {
                hand_in(&self.receive.market, self.receive.admit(self.peer, signed, receipt));
            }
            return;
        }
        let (receive, peer) = (self.receive.clone(), self.peer);
        let admit = move |(signed, receipt)| receive.admit(peer, signed, receipt);
        self.elsewhere_len.fetch_add(1, Ordering::AcqRel);
        // Its other end is there as long as this one.
        let _ = self.elsewhere.send(tokio::spawn(async move { commands.into_iter().map(admit).collect() }));
    }
}

#[tonic::async_trait]
impl Exchange for Receive {
    async fn submit(
        &self,
        request: tonic::Request<v1::SignedCommand>,
    ) -> Result<Response<v1::Receipt>, Status> {
        let (receipt, waiting) = oneshot::channel();
        let peer = request.remote_addr();
        hand_in(&self.market, self.admit(peer, request.into_inner(), receipt));
        Ok(Response::new(waiting.await.unwrap_or(Err(Refused::Stopped))?))
    }

    type SubmitStreamStream = Answers;

    async fn submit_stream(
        &self,
        request: tonic::Request<Streaming<v1::SignedCommand>>,
    ) -> Result<Response<Answers>, Status> {
        let peer = request.remote_addr();
        let (answers, waiting) = mpsc::channel(self.limits.stream_in_flight_max);
        let (elsewhere, mut admitted) = mpsc::unbounded_channel::<JoinHandle<Vec<Admitted>>>();
        let elsewhere_len = Arc::new(AtomicUsize::new(0));
        let (market, handed_in) = (self.market.clone(), elsewhere_len.clone());
        let envelopes = request.into_inner();
        let incoming = Incoming { receive: self.clone(), peer, envelopes, answers, elsewhere, elsewhere_len };
        tokio::spawn(incoming.run());
        tokio::spawn(async move {
            // In order of arrival, whichever were admitted first.
            while let Some(admission) = admitted.recv().await {
                let Ok(admitted) = admission.await else { break };
                for admitted in admitted {
                    hand_in(&market, admitted);
                }
                handed_in.fetch_sub(1, Ordering::AcqRel);
            }
        });
        let answers = ReceiverStream::new(waiting).then(|waiting| async {
            // Who sends what cannot be read hears of it behind the answers to what could.
            let kind = match waiting?.await.unwrap_or(Err(Refused::Stopped)) {
                Ok(receipt) => answer::Kind::Receipt(receipt),
                Err(why) => answer::Kind::Refusal(why.into()),
            };
            Ok(v1::Answer { kind: Some(kind) })
        });
        Ok(Response::new(Box::pin(answers)))
    }
}
