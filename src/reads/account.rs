//! Private reads: a participant's own account, orders, trades and certificates.

use std::sync::Arc;

use parkwatt_engine::{Account as LedgerAccount, ParticipantId, Side, Timestamp};
use parkwatt_proto::v1::{self, account_server::Account};
use tonic::{Request, Response, Status, metadata::MetadataMap};

use super::{
    decimal, retirement, rows,
    session::{Reader, market_of, reader},
    statement::Statement,
    streams::{self, Streams, Told},
};
use crate::{
    host::Market,
    markets::Markets,
    refusal::Refused,
    views::{Holding, OrderState, OrderView, TradeView},
    wire::{self, Malformed},
};

/// The service of what only the participant himself may know.
pub struct AccountReads {
    /// The markets.
    pub markets: Arc<Markets>,
    /// Those who follow them.
    pub streams: Arc<Streams>,
}

impl AccountReads {
    /// Returns the market that the session is for, and whose it is.
    fn participant(&self, metadata: &MetadataMap) -> Result<(&Arc<Market>, ParticipantId), Refused> {
        let market = market_of(&self.markets, metadata)?;
        match reader(market, metadata)? {
            Reader::Participant(id) => Ok((market, id)),
            Reader::Founder => {
                Err(Refused::NotPermitted("the founding operator's key has no account to read"))
            }
        }
    }
}

#[tonic::async_trait]
impl Account for AccountReads {
    async fn get_account(
        &self,
        request: Request<v1::GetAccountRequest>,
    ) -> Result<Response<v1::AccountStatement>, Status> {
        let (market, id) = self.participant(request.metadata())?;
        let views = market.views();
        let participant = &views.participants[id.0 as usize];
        let delivered = views.orders.delivered(id);
        let mut certificates = Holding::default();
        for (_, holding) in views.certificates.of(id) {
            certificates.held += holding.held;
            certificates.retired += holding.retired;
            certificates.bundled += holding.bundled;
            certificates.expired += holding.expired;
        }
        Ok(Response::new(v1::AccountStatement {
            participant: id.0,
            name: participant.name.clone(),
            zone: views.config.zones[usize::from(participant.zone.0)].name.clone(),
            balance_yuan: decimal(views.balance(LedgerAccount::Participant(id)))?,
            reserved_yuan: decimal(views.orders.reserved(id))?,
            credit_limit_fen: participant.credit_limit_fen,
            bought_wh: delivered.bought.0,
            sold_wh: delivered.sold.0,
            certificates_held_wh: certificates.held,
            certificates_retired_wh: certificates.retired,
            certificates_bundled_wh: certificates.bundled,
            certificates_expired_wh: certificates.expired,
        }))
    }

    async fn list_orders(
        &self,
        request: Request<v1::ListOrdersRequest>,
    ) -> Result<Response<v1::ListOrdersResponse>, Status> {
        let (market, id) = self.participant(request.metadata())?;
        let request = request.into_inner();
        let count = rows(request.count)?;
        let views = market.views();
        let wanted = |view: &&OrderView| !request.open_only || view.state == OrderState::Open;
        let orders = views.orders.of(id).filter(wanted).take(count).map(order).collect();
        Ok(Response::new(v1::ListOrdersResponse { orders }))
    }

    async fn list_trades(
        &self,
        request: Request<v1::ListTradesRequest>,
    ) -> Result<Response<v1::ListTradesResponse>, Status> {
        let (market, id) = self.participant(request.metadata())?;
        let count = rows(request.into_inner().count)?;
        let views = market.views();
        let trades = views.orders.trades_of(id).take(count).map(|view| own_trade(view, id)).collect();
        Ok(Response::new(v1::ListTradesResponse { trades }))
    }

    async fn list_certificates(
        &self,
        request: Request<v1::ListCertificatesRequest>,
    ) -> Result<Response<v1::ListCertificatesResponse>, Status> {
        let (market, id) = self.participant(request.metadata())?;
        let count = rows(request.into_inner().count)?;
        let views = market.views();
        let holdings = views.certificates.of(id).rev().take(count);
        let holdings = holdings.map(|(certificate, holding)| v1::CertificateHolding {
            certificate: Some(wire::certificate_id(certificate)),
            class: wire::class(views.certificates.class(certificate)).into(),
            held_wh: holding.held,
            retired_wh: holding.retired,
            bundled_wh: holding.bundled,
            expired_wh: holding.expired,
            voided_wh: holding.voided,
        });
        let nationals = views.certificates.nationals_of(id).rev().take(count);
        let nationals = nationals.map(|(gec, national)| v1::NationalCertificate {
            gec: Some(wire::gec_id(gec)),
            first_slot: national.first.0,
            last_slot: national.last.0,
            parts: national.parts,
            voided: national.voided,
        });
        let claims = views.certificates.claims_of(id).rev().take(count);
        let claims = claims.map(|(number, claim)| v1::Claim {
            number: number.0.0,
            slot: claim.slot.0,
            class: wire::class(claim.class).into(),
            energy_wh: claim.energy,
            voided_wh: claim.voided,
            beneficiary: claim.beneficiary.clone(),
            purpose: claim.purpose.clone(),
        });
        Ok(Response::new(v1::ListCertificatesResponse {
            holdings: holdings.collect(),
            nationals: nationals.collect(),
            claims: claims.collect(),
        }))
    }

    async fn get_retirement(
        &self,
        request: Request<v1::GetRetirementRequest>,
    ) -> Result<Response<v1::RetirementStatement>, Status> {
        let market = market_of(&self.markets, request.metadata())?;
        let who = reader(market, request.metadata())?;
        let number = request.into_inner().retirement;
        let checkpoint = market.checkpoint();
        market.store_with(checkpoint.size()).await?;
        // A certificate can have a long history, and this thread shall answer others meanwhile.
        let market = market.clone();
        let drawn =
            tokio::task::spawn_blocking(move || retirement::statement(&market, &checkpoint, who, number));
        Ok(Response::new(drawn.await.map_err(|_| Refused::Stopped)??))
    }

    type GetStatementStream = tokio_stream::Iter<std::vec::IntoIter<Result<v1::StatementPart, Status>>>;

    async fn get_statement(
        &self,
        request: Request<v1::GetStatementRequest>,
    ) -> Result<Response<Self::GetStatementStream>, Status> {
        let (market, id) = self.participant(request.metadata())?;
        let v1::GetStatementRequest { from_micros, until_micros } = request.into_inner();
        if until_micros <= from_micros {
            let problem = format!("{until_micros} does not lie behind from_micros, {from_micros}");
            return Err(Refused::from(Malformed::new("until_micros", problem)).into());
        }
        let statement = Statement::new(market, id, Timestamp(from_micros)..Timestamp(until_micros));
        market.store_with(statement.tree_size()).await?;
        // Of a factory's month this takes seconds, in which this thread shall answer others.
        let market = market.clone();
        let drawn = tokio::task::spawn_blocking(move || statement.parts(&market));
        let parts: Vec<_> = drawn.await.map_err(|_| Refused::Stopped)??.into_iter().map(Ok).collect();
        Ok(Response::new(tokio_stream::iter(parts)))
    }

    type StreamExecutionsStream = Told<v1::Execution>;

    async fn stream_executions(
        &self,
        request: Request<v1::StreamExecutionsRequest>,
    ) -> Result<Response<Self::StreamExecutionsStream>, Status> {
        let (connection, metadata) = (request.remote_addr(), request.metadata().clone());
        let (streams, market) = (&self.streams, market_of(&self.markets, &metadata)?);
        let told = streams::executions::open(streams, market, connection, &metadata, request.get_ref())?;
        Ok(Response::new(told))
    }
}

fn order(view: &OrderView) -> v1::Order {
    let state = match view.state {
        OrderState::Open => v1::OrderState::Open,
        OrderState::Filled => v1::OrderState::Filled,
        OrderState::Cancelled => v1::OrderState::Cancelled,
        OrderState::Expired => v1::OrderState::Expired,
        OrderState::Lapsed => v1::OrderState::Lapsed,
        OrderState::Replaced => v1::OrderState::Replaced,
    };
    v1::Order {
        id: Some(wire::order_id(view.id)),
        order: Some(wire::new_order(view.order)),
        traded_wh: view.traded.0,
        state: state.into(),
    }
}

/// The other side's number, and his order's name, are not the reader's to know.
fn own_trade(view: &TradeView, reader: ParticipantId) -> v1::OwnTrade {
    let mut trade = wire::trade(&view.trade);
    let own_side = if view.trade.buyer == reader { Side::Bid } else { Side::Offer };
    match own_side {
        Side::Bid => (trade.seller, trade.offer) = (None, None),
        Side::Offer => (trade.buyer, trade.bid) = (None, None),
    }
    let delivery = view.delivery.map(|it| v1::TradeDelivered {
        trade: trade.id,
        slot: trade.slot,
        buyer: trade.buyer,
        seller: trade.seller,
        delivered_wh: it.delivered.0,
        seller_deviation_wh: it.seller_deviation.0,
        buyer_deviation_wh: it.buyer_deviation.0,
        estimated: it.estimated,
    });
    v1::OwnTrade { trade: Some(trade), side: wire::side(own_side).into(), delivery }
}
