//! Step 1, receive: envelopes of opaque bytes, within their size limit, go on to steps 2 and 3 and into the
//! queue.
//!
//! Steps 1 to 3 share nothing, so they run on all cores; the commands of one stream keep their order all the
//! same.

use std::{net::SocketAddr, pin::Pin, sync::Arc, time::Instant};

use parkwatt_engine::{PublicKey, Request};
use parkwatt_proto::{
    COMMAND_TYPE,
    v1::{self, answer, exchange_server::Exchange},
};
use tokio::sync::oneshot;
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};
use tonic::{Response, Status, Streaming};

use crate::{
    allowance::{Allowances, Rate},
    authenticate::authenticate,
    host::Market,
    markets::Markets,
    refusal::Refused,
    sequence::{PendingCommand, ReceiptSender},
    wire,
};

/// The service to which commands are handed in.
#[derive(Clone)]
pub struct Receive {
    markets: Arc<Markets>,
    limits: ReceiveLimits,
    /// What each enrolled key may hand in.
    by_key: Arc<Allowances<PublicKey>>,
    /// What each connection may hand in that is nobody's word: verifying it costs as much as an honest command.
    unauthentic_by_peer: Arc<Allowances<Peer>>,
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

/// A command and the market that it goes to, or why it goes nowhere.
type Admission = Result<(Arc<Market>, PendingCommand), (Refused, ReceiptSender)>;

type Answers = Pin<Box<dyn Stream<Item = Result<v1::Answer, Status>> + Send>>;

impl Receive {
    /// Returns the service for a node's markets.
    pub fn new(markets: Arc<Markets>, limits: ReceiveLimits) -> Receive {
        Receive {
            markets,
            limits,
            by_key: Arc::new(Allowances::new(limits.commands)),
            unauthentic_by_peer: Arc::new(Allowances::new(limits.unauthentic)),
        }
    }

    /// Takes an envelope from `peer` through steps 1 to 3.
    fn admit(&self, peer: Peer, signed: v1::SignedCommand, receipt: ReceiptSender) -> Admission {
        match self.check(peer, &signed) {
            Ok((market, request)) => {
                Ok((market.clone(), PendingCommand { signed, request, receipt, new_as_of: None }))
            }
            Err(why) => Err((why, receipt)),
        }
    }

    fn check(&self, peer: Peer, signed: &v1::SignedCommand) -> Result<(&Arc<Market>, Request), Refused> {
        let (len, max) = (signed.payload.len(), self.limits.payload_bytes_max);
        if len > max {
            return Err(Refused::TooLarge { len, max });
        }
        let too_often = |what| move |retry_after| Refused::TooOften { what, retry_after };
        let now = Instant::now();
        self.unauthentic_by_peer
            .look(&peer, now)
            .map_err(too_often("too many commands of this connection had a signature that is nobody's"))?;
        let (market, key) = self.whose(signed).inspect_err(|_| {
            // Whether that was the last one, the next one hears.
            let _ = self.unauthentic_by_peer.take(peer, now);
        })?;
        self.by_key.take(key, now).map_err(too_often("this key has handed in too many commands"))?;
        Ok((market, wire::parse(&market.config, &signed.payload, key)?))
    }

    /// Returns the key that has signed, if it speaks for anybody in the market that the command is for, or did.
    fn whose(&self, signed: &v1::SignedCommand) -> Result<(&Arc<Market>, PublicKey), Refused> {
        let key = authenticate(COMMAND_TYPE, &signed.payload, &signed.public_key, &signed.signature)?;
        let market = self.markets.addressed_by(&signed.payload)?;
        let views = market.views();
        // A retired key may ask again what it asked while it spoke; the sequencer looks it up.
        if views.holder_of(&key).is_none() && !views.has_retired(&key) {
            return Err(Refused::UnknownKey { key, market: market.config.name.clone() });
        }
        Ok((market, key))
    }
}

/// Hands in what was admitted; the receiver hears what becomes of it.
fn hand_in(admitted: Admission) {
    match admitted {
        Ok((market, command)) => match market.door.queue() {
            Ok(queue) => queue.hand_in(command),
            Err(why) => command.answer(Err(why)),
        },
        Err((why, receipt)) => {
            let _ = receipt.send(Err(why));
        }
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
        hand_in(self.admit(peer, request.into_inner(), receipt));
        Ok(Response::new(waiting.await.unwrap_or(Err(Refused::Stopped))?))
    }

    type SubmitStreamStream = Answers;

    async fn submit_stream(
        &self,
        request: tonic::Request<Streaming<v1::SignedCommand>>,
    ) -> Result<Response<Answers>, Status> {
        let limits = self.limits;
        let peer = request.remote_addr();
        let mut envelopes = request.into_inner();
        let (admissions, admitted) = tokio::sync::mpsc::channel(limits.stream_in_flight_max);
        let (answers, waiting) = tokio::sync::mpsc::channel(limits.stream_in_flight_max);

        let admitting = self.clone();
        tokio::spawn(async move {
            while let Some(envelope) = envelopes.next().await {
                let admission = envelope.map(|signed| {
                    let admitting = admitting.clone();
                    let (receipt, waiting) = oneshot::channel();
                    (tokio::spawn(async move { admitting.admit(peer, signed, receipt) }), waiting)
                });
                let is_broken = admission.is_err();
                if admissions.send(admission).await.is_err() || is_broken {
                    break;
                }
            }
        });
        tokio::spawn(async move {
            let mut admitted = ReceiverStream::new(admitted);
            while let Some(admitted) = admitted.next().await {
                let answer = match admitted {
                    Ok((admission, waiting)) => {
                        // In order of arrival, whichever was verified first.
                        let Ok(admission) = admission.await else { break };
                        hand_in(admission);
                        Ok(waiting)
                    }
                    Err(broken) => Err(broken),
                };
                if answers.send(answer).await.is_err() {
                    break;
                }
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
