//! What changes while somebody looks: the market's stream, as server-sent events.
//!
//! The stream is `MarketData.StreamMarket`'s, with its limits: a reader who is too slow is ended, and his browser comes
//! back with the number from which he goes on. Knows events' form; does not know what they tell.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::HeaderMap,
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use parkwatt_proto::v1::{self, market_data_server::MarketData, market_update::Kind};
use tokio_stream::StreamExt;
use tonic::Status;

use super::{
    Page,
    api::{Caller, refused},
};
use crate::wire::json;

/// How often a word comes where nothing happens, so that proxies do not take the stream for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The number from which a browser goes on that has lost its stream.
const LAST_EVENT_ID: &str = "last-event-id";

/// Follows slots.
pub async fn follow(State(page): State<Arc<Page>>, headers: HeaderMap, mut caller: Caller) -> Response {
    let form = json::method("MarketData", "StreamMarket");
    if let Some(last) = headers.get(LAST_EVENT_ID).and_then(|last| last.to_str().ok()) {
        caller.set("after_tree_size", last);
    }
    let request = match caller.request(&form) {
        Ok(request) => request,
        Err(status) => return refused(&status),
    };
    let told = match page.market_data.stream_market(request).await {
        Ok(told) => told.into_inner(),
        Err(status) => return refused(&status),
    };
    let events = told.map(move |update| Ok::<_, Infallible>(event(&update, &form)));
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

fn event(update: &Result<v1::MarketUpdate, Status>, form: &prost_reflect::MethodDescriptor) -> Event {
    let (update, kind) = match update {
        Ok(update) => (update, update.kind.as_ref()),
        // The browser comes back by itself, with the last number that it has.
        Err(status) => {
            return Event::default().event("end").data(status.message().replace(['\r', '\n'], " "));
        }
    };
    let event = Event::default().data(json::of(update, form.output()).to_string());
    match kind {
        // With a change everything told before it is one picture, and it can be gone on from.
        Some(Kind::Change(change)) => event.event("change").id(change.tree_size.to_string()),
        _ => event.event("snapshot"),
    }
}
