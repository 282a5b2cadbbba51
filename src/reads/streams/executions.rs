//! The stream of one's own executions: what the ledger records about a participant, told to him alone.
//!
//! It is read from the store's index, so that it can begin anywhere and a slow reader costs no memory. Keeps: nothing
//! is told that is not about the reader, nor behind the end of his session; who stood on the other side is not told.

use std::{net::SocketAddr, sync::Arc};

use parkwatt_engine::ParticipantId;
use parkwatt_proto::v1::{
    self, command, execution::Kind, leaf::Fact, ledger_account, list_entries_request::About, order_answer,
    outcome,
};
use prost::Message;
use tonic::metadata::MetadataMap;

use super::{End, Outbox, Streams, Told};
use crate::{
    host::Market,
    reads::{
        ledger::found_about,
        session::{OpenSession, Reader, session},
    },
    refusal::{Refused, StreamEnd},
    wire::Malformed,
};

/// How many leaves are read at once, at most.
const BATCH: usize = 64;
/// After how many bytes of them a batch ends: a leaf can be a whole schedule, and there are many readers.
const BATCH_BYTES: usize = 32 << 10;
/// A leaf's index, and its bytes.
type Found = (u64, Vec<u8>);

/// The request's field that says from where to go on.
const FIELD: &str = "from_index";

/// Opens a stream of the executions of who has signed the session that `metadata` carries.
pub fn open(
    streams: &Streams,
    market: &Arc<Market>,
    connection: Option<SocketAddr>,
    metadata: &MetadataMap,
    request: &v1::StreamExecutionsRequest,
) -> Result<Told<v1::Execution>, Refused> {
    let session = session(market, metadata)?;
    let Reader::Participant(id) = session.reader else {
        return Err(Refused::NotPermitted("the founding operator's key has no executions"));
    };
    let (from, until) = (request.from_index, request.until_index);
    let newest = market.checkpoint().size();
    if from > newest {
        let problem = format!("{from} lies behind the ledger's next leaf, {newest}");
        return Err(Malformed::new(FIELD, problem).into());
    }
    market.store()?;
    let key = session.key;
    let following = Following { market: market.clone(), session, id, from, until };
    streams.open(connection, Some(key), FIELD, move |outbox| following.run(outbox))
}

struct Following {
    market: Arc<Market>,
    session: OpenSession,
    id: ParticipantId,
    /// The next leaf that may be told.
    from: u64,
    /// The first leaf that is not asked for.
    until: Option<u64>,
}

impl Following {
    async fn run(mut self, mut outbox: Outbox<v1::Execution>) -> Result<(), End> {
        outbox.go_on_from = Some(self.from);
        let _follower = self.market.shared.backlog.follow();
        // From before anything is read, so that nothing is missed.
        let mut concerned = self.market.shared.concerned.listen(self.id.0);
        let mut stored = self.market.shared.stored.clone();
        loop {
            concerned.mark_unchanged();
            let size = *stored.borrow_and_update();
            self.tell_all(&mut outbox).await?;
            if self.until.is_some_and(|until| size >= until) {
                return Ok(());
            }
            let until = self.until.unwrap_or(u64::MAX);
            let more = async {
                tokio::select! {
                    more = concerned.changed() => more.is_ok(),
                    more = stored.wait_for(|size| *size >= until) => more.is_ok(),
                }
            };
            if !outbox.unless_over(more).await? {
                return Err(outbox.ended(StreamEnd::Stopping));
            }
        }
    }

    /// Tells everything about the reader that the store has.
    async fn tell_all(&mut self, outbox: &mut Outbox<v1::Execution>) -> Result<(), End> {
        loop {
            let (batch, is_all) = self.batch()?;
            for (index, leaf) in batch {
                if self.until.is_some_and(|until| index >= until) {
                    return Ok(());
                }
                if !self.session.holds(&self.market) {
                    return Err(outbox.ended(StreamEnd::SessionOver));
                }
                self.from = index + 1;
                if let Some(execution) = execution(index, &leaf, self.id)? {
                    outbox.tell(execution, Some(self.from)).await?;
                }
            }
            if is_all {
                return Ok(());
            }
        }
    }

    /// Returns the next leaves about the reader, and whether the store has no more of them.
    fn batch(&self) -> Result<(Vec<Found>, bool), Refused> {
        let about = About::Participant(self.id.0);
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for found in found_about(self.market.store()?, &about, self.from) {
            let found = found?;
            bytes += found.1.len();
            batch.push(found);
            if batch.len() == BATCH || bytes >= BATCH_BYTES {
                return Ok((batch, false));
            }
        }
        Ok((batch, true))
    }
}

/// Returns what a leaf about a participant tells him; none where it is a question of his that changed nothing.
fn execution(index: u64, leaf: &[u8], reader: ParticipantId) -> Result<Option<v1::Execution>, Refused> {
    let unreadable = |problem| Refused::Unreadable(format!("leaf {index} is no leaf: {problem}"));
    let leaf = v1::Leaf::decode(leaf).map_err(unreadable)?;
    let kind = match leaf.fact {
        Some(Fact::Command(command)) => asked(&command).map_err(unreadable)?,
        Some(fact) => followed(fact, reader.0),
        None => None,
    };
    Ok(kind.map(|kind| v1::Execution { leaf_index: index, at_micros: leaf.at_micros, kind: Some(kind) }))
}

/// What became of a command that changed the reader's orders by itself.
fn asked(leaf: &v1::CommandLeaf) -> Result<Option<Kind>, prost::DecodeError> {
    let payload = leaf.signed.as_ref().map(|signed| signed.payload.as_slice()).unwrap_or_default();
    let asked = v1::Command::decode(payload)?.kind;
    let answer = leaf.outcome.as_ref().and_then(|outcome| outcome.kind.as_ref());
    Ok(match (asked, answer) {
        (Some(command::Kind::PlaceOrders(schedule)), Some(outcome::Kind::Placed(placed))) => {
            let accepted = |(order, answer): (v1::NewOrder, &v1::OrderAnswer)| match answer.kind {
                Some(order_answer::Kind::Accepted(id)) => {
                    Some(v1::OrderAccepted { id: Some(id), order: Some(order) })
                }
                _ => None,
            };
            let orders: Vec<_> =
                schedule.orders.into_iter().zip(&placed.orders).filter_map(accepted).collect();
            (!orders.is_empty()).then_some(Kind::Accepted(v1::OrdersAccepted { orders }))
        }
        (Some(command::Kind::CancelOrder(cancel)), Some(outcome::Kind::Cancelled(cancelled))) => {
            let energy_wh = cancelled.energy_wh;
            Some(Kind::Cancelled(v1::OrderCancelled { order: cancel.order, energy_wh }))
        }
        (Some(command::Kind::ReplaceOrder(it)), Some(outcome::Kind::Replaced(id))) => {
            Some(Kind::Replaced(v1::OrderReplaced {
                order: it.order,
                id: Some(*id),
                limit_price_micros_per_kwh: it.limit_price_micros_per_kwh,
                energy_wh: it.energy_wh,
            }))
        }
        _ => None,
    })
}

/// What followed, as the reader may know it.
fn followed(fact: Fact, reader: u32) -> Option<Kind> {
    Some(match fact {
        Fact::TradeMade(mut trade) => {
            let side = if trade.buyer == Some(reader) {
                (trade.seller, trade.offer) = (None, None);
                v1::Side::Bid
            } else {
                (trade.buyer, trade.bid) = (None, None);
                v1::Side::Offer
            };
            Kind::Filled(v1::OrderFilled { trade: Some(trade), side: side.into() })
        }
        Fact::TradeDelivered(it) => Kind::Delivered(v1::TradeDelivered {
            buyer: it.buyer.filter(|buyer| *buyer == reader),
            seller: it.seller.filter(|seller| *seller == reader),
            ..it
        }),
        Fact::Posted(it) => Kind::Posted(v1::Posting {
            from: it.from.filter(|from| !is_another(*from, reader)),
            to: it.to.filter(|to| !is_another(*to, reader)),
            ..it
        }),
        Fact::OrderLapsed(it) => Kind::Lapsed(it),
        Fact::Metered(it) => Kind::Metered(it),
        Fact::CertificateIssued(it) => Kind::CertificateIssued(it),
        Fact::CertificateSliced(it) => Kind::CertificateSliced(it),
        Fact::CertificateRetired(it) => Kind::CertificateRetired(it),
        Fact::CertificateTransferred(it) => Kind::CertificateTransferred(it),
        Fact::CertificateExpired(it) => Kind::CertificateExpired(it),
        Fact::CertificateWithdrawn(it) => Kind::CertificateWithdrawn(it),
        Fact::CertificateVoided(it) => Kind::CertificateVoided(it),
        Fact::GecIssued(it) => Kind::GecIssued(it),
        Fact::GecVoided(it) => Kind::GecVoided(it),
        Fact::CertificateBundled(it) => Kind::CertificateBundled(it),
        Fact::CertificateReleased(it) => Kind::CertificateReleased(it),
        // These are about nobody.
        Fact::Genesis(_)
        | Fact::Command(_)
        | Fact::Tick(_)
        | Fact::StateRecorded(_)
        | Fact::PhaseBegan(_)
        | Fact::AuctionCleared(_) => {
            return None;
        }
    })
}

fn is_another(account: v1::LedgerAccount, reader: u32) -> bool {
    matches!(account.kind, Some(ledger_account::Kind::Participant(number)) if number != reader)
}
