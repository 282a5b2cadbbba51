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
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use tokio::net::TcpListener;

use crate::{
    host::{Door, Market},
    metrics::Metrics,
};

/// What the admin port looks at.
pub struct Watched {
    /// The market.
    pub market: Arc<Market>,
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
        .route("/metrics", get(metrics))
        .with_state(watched);
    axum::serve(listener, router).await
}

/// Answers 200 as long as the node lives, and its market's thread.
async fn health(State(watched): State<Arc<Watched>>) -> (StatusCode, String) {
    match (&watched.market.door, watched.stops.load(Ordering::Relaxed)) {
        (Door::Open(queue), false) if queue.has_ended() => {
            (StatusCode::SERVICE_UNAVAILABLE, "the market's thread has ended\n".into())
        }
        _ => (StatusCode::OK, "alive\n".into()),
    }
}

/// Answers 200 as long as the node takes commands, and else 503 and why not.
async fn readiness(State(watched): State<Arc<Watched>>) -> (StatusCode, String) {
    let not_ready = |why: String| (StatusCode::SERVICE_UNAVAILABLE, why);
    match &watched.market.door {
        _ if watched.stops.load(Ordering::Relaxed) => not_ready("the node is stopping\n".into()),
        Door::ReadOnly(why) => not_ready(format!("the market is read-only: {why}\n")),
        Door::Open(queue) if queue.has_ended() => not_ready("the market's thread has ended\n".into()),
        Door::Open(_) => (StatusCode::OK, "ready\n".into()),
    }
}

async fn metrics(State(watched): State<Arc<Watched>>) -> impl IntoResponse {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], watched.metrics.text())
}
