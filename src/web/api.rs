//! The page's reads: methods of the contract, called as gRPC calls them, with the query as the request and JSON as the
//! answer.
//!
//! Knows paths and headers; what is read, and who may, `reads` says, by the same code for both.

use std::{future::Future, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{FromRequestParts, Query, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::get,
};
use parkwatt_proto::{
    SESSION_METADATA,
    v1::{account_server::Account, ledger_server::Ledger, market_data_server::MarketData},
};
use prost::Message;
use prost_reflect::MethodDescriptor;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_stream::StreamExt;
use tonic::{
    Code, Request, Status,
    metadata::{AsciiMetadataValue, MetadataMap},
    transport::server::TcpConnectInfo,
};
use tonic_types::StatusExt;

use super::{Page, live};
use crate::{
    refusal::Refused,
    wire::{Malformed, json},
};

/// The header that carries a session: a `SignedSession` in base64.
pub const SESSION_HEADER: &str = "parkwatt-session";

/// Returns the reads below `base`, each at `SERVICE/METHOD`.
pub fn router(base: &str) -> Router<Arc<Page>> {
    macro_rules! unary {
        ($router:expr, $service:literal, $part:ident, $($name:literal $call:ident),+) => {
            $router$(.route(&format!("{base}/{}/{}", $service, $name), get({
                let form = json::method($service, $name);
                move |State(page): State<Arc<Page>>, caller: Caller| {
                    let form = form.clone();
                    async move {
                        let request = match caller.request(&form) {
                            Ok(request) => request,
                            Err(status) => return refused(&status),
                        };
                        answer(page.$part.$call(request), &form).await
                    }
                }
            })))+
        };
    }
    let router = Router::new();
    let router = unary!(router, "MarketData", market_data,
        "GetMarket" get_market, "ListSlots" list_slots, "GetDepth" get_depth, "GetDay" get_day,
        "GetIndicativeAuction" get_indicative_auction, "GetAuction" get_auction, "GetFlows" get_flows,
        "ListTape" list_tape);
    let router = unary!(router, "Account", account,
        "GetAccount" get_account, "ListOrders" list_orders, "ListTrades" list_trades,
        "ListCertificates" list_certificates);
    let router = unary!(router, "Ledger", ledger,
        "GetCheckpoint" get_checkpoint, "ListEntries" list_entries, "GetProof" get_proof,
        "GetConsistencyProof" get_consistency_proof);
    router
        .route(&format!("{base}/Account/GetStatement"), get(statement))
        .route(&format!("{base}/MarketData/StreamMarket"), get(live::follow))
}

/// Who asks, and what.
pub struct Caller {
    fields: Vec<(String, String)>,
    session: Option<HeaderValue>,
    connection: Option<TcpConnectInfo>,
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Caller, Response> {
        let fields = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(fields) = fields.map_err(|problem| {
            let problem = format!("{problem}; write it as name=value&name=value");
            refused(&Refused::from(Malformed::new("query", problem)).into())
        })?;
        let session = parts.headers.get(SESSION_HEADER).cloned();
        Ok(Caller { fields, session, connection: parts.extensions.get().cloned() })
    }
}

impl Caller {
    /// Returns the call as gRPC would bring it.
    pub fn request<M: Message + Default>(self, form: &MethodDescriptor) -> Result<Request<M>, Status> {
        let message =
            json::request(&self.fields, &form.input()).map_err(|it| Status::from(Refused::from(it)))?;
        let mut request = Request::new(message);
        if let Some(session) = self.session {
            carry(request.metadata_mut(), &session)?;
        }
        if let Some(connection) = self.connection {
            request.extensions_mut().insert(connection);
        }
        Ok(request)
    }

    /// Sets a field that another header says.
    pub fn set(&mut self, name: &str, value: &str) {
        self.fields.retain(|(field, _)| field != name);
        self.fields.push((name.to_owned(), value.to_owned()));
    }
}

/// Puts a session where gRPC carries it, whose binary metadata is base64 too.
fn carry(metadata: &mut MetadataMap, session: &HeaderValue) -> Result<(), Status> {
    let malformed = || {
        let problem = "is no base64 of a SignedSession; open the page anew with `parkwatt page`";
        Status::from(Refused::from(Malformed::new(SESSION_HEADER, problem.to_owned())))
    };
    let text = session.to_str().map_err(|_| malformed())?;
    let value = AsciiMetadataValue::try_from(text.trim_end_matches('=')).map_err(|_| malformed())?;
    let mut headers = std::mem::take(metadata).into_headers();
    headers.insert(SESSION_METADATA, HeaderValue::from_bytes(value.as_bytes()).map_err(|_| malformed())?);
    *metadata = MetadataMap::from_headers(headers);
    Ok(())
}

/// Returns what a call came to.
async fn answer<M: Message>(
    call: impl Future<Output = Result<tonic::Response<M>, Status>>,
    form: &MethodDescriptor,
) -> Response {
    match call.await {
        Ok(message) => page_of(&json::of(message.get_ref(), form.output())),
        Err(status) => refused(&status),
    }
}

/// Returns a statement, whose parts are a stream in gRPC, as one list.
async fn statement(State(page): State<Arc<Page>>, caller: Caller) -> Response {
    // As one document it takes far more memory than as a stream.
    static AT_ONCE: Semaphore = Semaphore::const_new(2);
    let form = json::method("Account", "GetStatement");
    let parts = async {
        let _turn = AT_ONCE.acquire().await;
        let parts = page.account.get_statement(caller.request(&form)?).await?;
        parts.into_inner().map(|part| Ok(json::of(&part?, form.output()))).collect().await
    };
    let parts: Result<Vec<_>, Status> = parts.await;
    match parts {
        Ok(parts) => page_of(&json!({ "parts": parts })),
        Err(status) => refused(&status),
    }
}

fn page_of(value: &serde_json::Value) -> Response {
    with(StatusCode::OK, value)
}

/// Returns a refusal with its reason for machines, and its sentence for people.
pub fn refused(status: &Status) -> Response {
    let code = match status.code() {
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable | Code::Aborted => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    // Here a session is in another header than in gRPC.
    let message = status.message().replace(SESSION_METADATA, SESSION_HEADER);
    with(code, &json!({ "reason": reason, "message": message }))
}

fn with(code: StatusCode, value: &serde_json::Value) -> Response {
    let kind = (header::CONTENT_TYPE, "application/json");
    let fresh = (header::CACHE_CONTROL, "no-store");
    (code, [kind, fresh], Body::from(value.to_string())).into_response()
}
