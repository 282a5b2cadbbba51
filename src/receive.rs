//! Step 1, receive: envelopes of opaque bytes, within their size limit, go on to steps 2 and 3 and into the
//! queue.
//!
//! Steps 1 to 3 share nothing, so they run on all cores; the commands of one stream keep their order all the
//! same.

use std::{pin::Pin, sync::Arc};

use parkwatt_proto::{
    COMMAND_TYPE,
    v1::{self, answer, exchange_server::Exchange},
};
use tokio::sync::oneshot;
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    authenticate::authenticate,
    host::Market,
    refusal::Refused,
    sequence::{PendingCommand, ReceiptSender},
    wire,
};

/// The service to which commands are handed in.
pub struct Receive {
    market: Arc<Market>,
    limits: ReceiveLimits,
}

/// What one caller may hand in.
#[derive(Clone, Copy, Debug)]
pub struct ReceiveLimits {
    /// The longest payload, in bytes.
    pub payload_bytes_max: usize,
    /// How many commands of one stream are under way at once.
    pub stream_in_flight_max: usize,
}

type Answers = Pin<Box<dyn Stream<Item = Result<v1::Answer, Status>> + Send>>;

impl Receive {
    /// Returns the service for one market.
    pub fn new(market: Arc<Market>, limits: ReceiveLimits) -> Receive {
        Receive { market, limits }
    }
}

/// Takes an envelope through steps 1 to 3.
fn admit(
    market: &Market,
    limits: ReceiveLimits,
    signed: v1::SignedCommand,
    receipt: ReceiptSender,
) -> Result<PendingCommand, (Refused, ReceiptSender)> {
    let admitted = || {
        let (len, max) = (signed.payload.len(), limits.payload_bytes_max);
        if len > max {
            return Err(Refused::TooLarge { len, max });
        }
        let key = authenticate(COMMAND_TYPE, &signed.payload, &signed.public_key, &signed.signature)?;
        let request = wire::parse(&market.config, &signed.payload, key)?;
        let views = market.views();
        // A retired key may ask again what it asked while it spoke; the sequencer looks it up.
        if views.holder_of(&key).is_none() && !views.has_retired(&key) {
            return Err(Refused::UnknownKey { key, market: market.config.name.clone() });
        }
        Ok(request)
    };
    match admitted() {
        Ok(request) => Ok(PendingCommand { signed, request, receipt, new_as_of: None }),
        Err(why) => Err((why, receipt)),
    }
}

/// Hands in what was admitted; the receiver hears what becomes of it.
fn hand_in(market: &Market, admitted: Result<PendingCommand, (Refused, ReceiptSender)>) {
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

#[tonic::async_trait]
impl Exchange for Receive {
    async fn submit(&self, request: Request<v1::SignedCommand>) -> Result<Response<v1::Receipt>, Status> {
        let (receipt, waiting) = oneshot::channel();
        hand_in(&self.market, admit(&self.market, self.limits, request.into_inner(), receipt));
        Ok(Response::new(waiting.await.unwrap_or(Err(Refused::Stopped))?))
    }

    type SubmitStreamStream = Answers;

    async fn submit_stream(
        &self,
        request: Request<Streaming<v1::SignedCommand>>,
    ) -> Result<Response<Answers>, Status> {
        let (market, limits) = (self.market.clone(), self.limits);
        let mut envelopes = request.into_inner();
        let (admissions, admitted) = tokio::sync::mpsc::channel(limits.stream_in_flight_max);
        let (answers, waiting) = tokio::sync::mpsc::channel(limits.stream_in_flight_max);

        let admitting = market.clone();
        tokio::spawn(async move {
            while let Some(envelope) = envelopes.next().await {
                let admission = envelope.map(|signed| {
                    let market = admitting.clone();
                    let (receipt, waiting) = oneshot::channel();
                    (tokio::spawn(async move { admit(&market, limits, signed, receipt) }), waiting)
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
                        hand_in(&market, admission);
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
