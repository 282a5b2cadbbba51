//! The web page: what the market shows, to people with a browser; served by the node itself, from files that are built
//! in.
//!
//! Every read is a method of the contract, called by the code that gRPC calls: nothing is read in a second way. Nothing
//! can be ordered or changed here, and no key comes near it: who sees his own things has signed a session elsewhere.

mod api;
mod assets;
mod limits;
mod listen;
mod live;
mod stalling;

use std::{convert::Infallible, iter, net::IpAddr, sync::Arc};

use axum::{
    Router,
    extract::{Path, Request},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, uri::Authority},
    middleware::{self, Next},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use jiff::tz::TimeZone;
use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tonic::transport::server::Connected;
use tower::ServiceExt;
use tracing::debug;

pub use limits::WebLimits;
pub use listen::WebListen;

use crate::{
    connections::{self, Connection, Protocol},
    host::Market,
    markets::Markets,
    metrics::ConnectionMetrics,
    reads::{AccountReads, LedgerReads, MarketDataReads, Streams},
    tls::Tls,
};

/// What every answer says to a browser: nothing but what the node itself serves, nothing inline, nowhere framed.
const HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What a market's page reads from.
struct Page {
    market_data: MarketDataReads,
    account: AccountReads,
    ledger: LedgerReads,
}

/// Returns the page of a market, all below `/markets/NAME/`.
pub fn router(market: &Arc<Market>, streams: &Arc<Streams>, zone: &TimeZone) -> Router {
    // Under its own name there is no other.
    let markets: Arc<Markets> = Arc::new(iter::once(market.clone()).collect());
    let page = Page {
        market_data: MarketDataReads {
            markets: markets.clone(),
            streams: streams.clone(),
            zone: zone.clone(),
        },
        account: AccountReads { markets: markets.clone(), streams: streams.clone() },
        ledger: LedgerReads(markets),
    };
    let base = base(&market.config.name);
    let home = format!("{base}/");
    api::router(&format!("{base}/v1"))
        .route(&base, get(move || async move { Redirect::permanent(&home) }))
        .route(
            &format!("{base}/"),
            get(|headers: HeaderMap| async move { assets::asset("index.html", &headers) }),
        )
        .route(
            &format!("{base}/assets/{{name}}"),
            get(|Path(name): Path<String>, headers: HeaderMap| async move { assets::asset(&name, &headers) }),
        )
        .with_state(Arc::new(page))
}

/// Returns the pages of these markets together, with what leads to them at `/`.
pub fn site(markets: impl IntoIterator<Item = (String, Router)>) -> Router {
    let mut names = Vec::new();
    let mut site = Router::new();
    for (name, page) in markets {
        names.push(name);
        site = site.merge(page);
    }
    let site = if let [only] = names.as_slice() {
        let home = format!("{}/", base(only));
        site.route("/", get(move || async move { Redirect::temporary(&home) }))
    } else {
        let list = list(&names);
        site.route("/", get(move || async move { Html(list) }))
    };
    site.fallback(nothing_here).layer(middleware::map_response(secured))
}

/// Returns the site for a listener on the machine itself, which nobody elsewhere can ask: also no page of somebody else's
/// whose name suddenly means this machine. Asked for is an address, `localhost`, or one of `names`.
pub fn for_this_machine(site: Router, names: &[String]) -> Router {
    let names: Arc<[String]> = names.into();
    site.layer(middleware::from_fn(move |request: Request, next: Next| {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let is_meant = host.is_some_and(|host| means_here(host, &names));
        async move {
            if is_meant {
                return next.run(request).await;
            }
            let why =
                "this page is for the node's own machine; behind a proxy, put its name into web_names\n";
            (StatusCode::MISDIRECTED_REQUEST, why).into_response()
        }
    }))
}

fn means_here(host: &str, names: &[String]) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let is_named =
        name.eq_ignore_ascii_case("localhost") || names.iter().any(|it| it.eq_ignore_ascii_case(name));
    is_named || address.parse::<IpAddr>().is_ok()
}

/// Answers on `listener` for as long as it is polled.
pub async fn serve(
    listener: TcpListener,
    limits: WebLimits,
    tls: Option<Arc<Tls>>,
    metrics: ConnectionMetrics,
    site: Router,
) {
    let mut connections = connections::accept(listener, Protocol::Http1, limits.connections(), tls, metrics);
    while let Some(accepted) = connections.next().await {
        if let Ok(connection) = accepted {
            tokio::spawn(converse(connection, limits, site.clone()));
        }
    }
}

/// Answers one connection's requests, one after another.
async fn converse(connection: Connection, limits: WebLimits, site: Router) {
    let from = connection.connect_info();
    let site = site.map_request(move |mut request: Request| {
        request.extensions_mut().insert(from.clone());
        request
    });
    let site =
        site.map_request(|request: hyper::Request<hyper::body::Incoming>| request.map(axum::body::Body::new));
    let connection = stalling::Stalling::new(connection, limits.stall());
    let conversing = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header())
        .max_buf_size(limits.header_bytes_max)
        .serve_connection(TokioIo::new(connection), TowerToHyperService::new(site));
    if let Err(problem) = conversing.await {
        debug!(%problem, "a page's connection ended");
    }
}

async fn secured(mut response: Response) -> Result<Response, Infallible> {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

async fn nothing_here() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, "there is nothing here; / leads to the market's page\n")
}

fn base(market: &str) -> String {
    format!("/markets/{market}")
}

/// Returns the page that leads to several markets, in the looks of the first one's. Their names are words of small
/// letters, digits and hyphens.
fn list(names: &[String]) -> String {
    let assets = names.first().map(|name| format!("{}/assets", base(name))).unwrap_or_default();
    let item = |name: &String| format!("<li><a href=\"{}/\">{name}</a></li>", base(name));
    let items: String = names.iter().map(item).collect();
    format!(
        "<!doctype html><html lang=\"en\" data-theme=\"auto\"><head><meta charset=\"utf-8\"><title>Parkwatt</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <link rel=\"icon\" href=\"{assets}/icon.svg\" type=\"image/svg+xml\">\
         <link rel=\"stylesheet\" href=\"{assets}/page.css\">\
         <script type=\"module\" src=\"{assets}/markets.js\"></script></head><body>\
         <header class=\"top\"><span class=\"brand\">\
         <img src=\"{assets}/icon.svg\" alt=\"\" width=\"28\" height=\"28\"> Parkwatt</span>\
         <nav class=\"tools\" id=\"tools\" aria-label=\"Settings\" data-t-label=\"Settings\"></nav></header>\
         <main><h1 data-t=\"Markets of this node\">Markets of this node</h1>\
         <ul class=\"markets\">{items}</ul></main></body></html>"
    )
}
