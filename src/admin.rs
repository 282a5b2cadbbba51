//! The admin port: whether the node lives, whether it takes commands, and what it measures; for operators'
//! tools, over plain HTTP.
//!
//! Knows paths and states; answers nothing about the market. It stays up while the node drains, and says so.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use tokio::net::TcpListener;

use crate::{
    host::{Door, Market},
    markets::Markets,
    metrics::Metrics,
};

/// What the admin port looks at.
pub struct Watched {
    /// The markets.
    pub markets: Arc<Markets>,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// Whether the node was told to stop.
    pub stops: AtomicBool,
}

/// Answers on `listener` for as long as it is polled.
///
/// # Errors
/// If the listener breaks.
pub async fn serve(listener: TcpListener, watched: Arc<Watched>) -> io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(readiness))
        .route("/readyz/{market}", get(readiness_of))
        .route("/metrics", get(metrics))
        .with_state(watched);
    axum::serve(listener, router).await
}

/// Answers 200 as long as the node lives, and its markets' threads.
async fn health(State(watched): State<Arc<Watched>>) -> (StatusCode, String) {
    let has_ended = |market: &&Arc<Market>| matches!(&market.door, Door::Open(queue) if queue.has_ended());
    match watched.markets.iter().find(has_ended) {
        Some(market) if !watched.stops.load(Ordering::Relaxed) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{}: the market's thread has ended\n", market.config.name),
        ),
        _ => (StatusCode::OK, "alive\n".into()),
    }
}

/// Answers 200 as long as the node takes commands for all its markets, and else 503 and why not.
async fn readiness(State(watched): State<Arc<Watched>>) -> (StatusCode, String) {
    ready(&watched, watched.markets.iter())
}

/// The same of one market.
async fn readiness_of(State(watched): State<Arc<Watched>>, Path(name): Path<String>) -> (StatusCode, String) {
    match watched.markets.named(&name) {
        Ok(market) => ready(&watched, [market]),
        Err(why) => (StatusCode::NOT_FOUND, format!("{why}\n")),
    }
}

fn ready<'a>(watched: &Watched, markets: impl IntoIterator<Item = &'a Arc<Market>>) -> (StatusCode, String) {
    if watched.stops.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "the node is stopping\n".into());
    }
    let refusals = markets.into_iter().filter_map(|market| {
        let name = &market.config.name;
        match &market.door {
            Door::ReadOnly(why) => Some(format!("{name}: the market is read-only: {why}\n")),
            Door::Open(queue) if queue.has_ended() => {
                Some(format!("{name}: the market's thread has ended\n"))
            }
            Door::Open(_) => None,
        }
    });
    let refusals: String = refusals.collect();
    if refusals.is_empty() {
        (StatusCode::OK, "ready\n".into())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, refusals)
    }
}

async fn metrics(State(watched): State<Arc<Watched>>) -> impl IntoResponse {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], watched.metrics.text())
}
