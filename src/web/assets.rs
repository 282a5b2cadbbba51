//! The page's files, built into the program.
//!
//! Knows bytes and their kinds. Keeps: a browser asks whether a file has changed, and gets it again only then.

use std::sync::LazyLock;

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use crate::wire::json;

/// A file of the page.
struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    etag: String,
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

macro_rules! assets {
    ($($name:literal $kind:expr),+ $(,)?) => {
        [$(($name, $kind, include_bytes!(concat!("page/", $name)) as &'static [u8])),+]
    };
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let files = assets![
        "index.html" HTML,
        "icon.svg" "image/svg+xml",
        "page.css" STYLE,
        "parts.css" STYLE,
        "uPlot.css" STYLE,
        "api.js" SCRIPT,
        "app.js" SCRIPT,
        "auction.js" SCRIPT,
        "book.js" SCRIPT,
        "chinese.js" SCRIPT,
        "day.js" SCRIPT,
        "dom.js" SCRIPT,
        "explorer.js" SCRIPT,
        "grid.js" SCRIPT,
        "markets.js" SCRIPT,
        "money.js" SCRIPT,
        "note.js" SCRIPT,
        "owner.js" SCRIPT,
        "plots.js" SCRIPT,
        "proof.js" SCRIPT,
        "session.js" SCRIPT,
        "settings.js" SCRIPT,
        "tape.js" SCRIPT,
        "tariff.js" SCRIPT,
        "time.js" SCRIPT,
        "wire.js" SCRIPT,
        "words.js" SCRIPT,
        "uPlot.js" SCRIPT,
    ];
    let contract: &'static [u8] = Vec::leak(json::contract().to_string().into_bytes());
    let files = files.into_iter().chain([("contract.json", "application/json", contract)]);
    files
        .map(|(name, kind, bytes)| {
            let digest = Sha256::digest(bytes);
            Asset { name, kind, bytes, etag: format!("\"{}\"", hex::encode(&digest[..16])) }
        })
        .collect()
});

/// Returns a file of the page, or that the browser has it already.
pub fn asset(name: &str, headers: &HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return (StatusCode::NOT_FOUND, "the page has no such file\n").into_response();
    };
    let about = [
        (header::ETAG, asset.etag.as_str()),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_TYPE, asset.kind),
    ];
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    if known.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == asset.etag)) {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    (StatusCode::OK, about, asset.bytes).into_response()
}
