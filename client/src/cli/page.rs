//! `page`: a link to the market's web page that shows the caller his own day.
//!
//! The link carries a session, signed here, in the part of an address that a browser sends to nobody; the key never
//! comes near the browser.

use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use parkwatt_client::Signer;
use prost::Message;
use serde_json::json;

use super::args::Options;
use super::desk::Desk;
use super::report::{Failure, Report};
use super::time::{moment_rfc3339, moment_text, zone_text};
use super::unlock::own_key;

/// How long the page shows what only the caller may see: as long as nodes allow.
const SESSION_LIFETIME: Duration = Duration::from_mins(15);
/// The page's port on a node that was not told another one.
const PORT: u16 = 7480;
/// What opens an address: on Linux, and on a Mac.
const OPENERS: [&str; 2] = ["xdg-open", "open"];

/// Which page.
#[derive(Args, Clone, Debug)]
pub struct Page {
    /// The page's address [default: port 7480 of the node's machine]
    #[arg(long, value_name = "URL", env = "PARKWATT_PAGE")]
    pub url: Option<String>,
    /// Open it in the browser
    #[arg(long)]
    pub open: bool,
}

/// Signs a session, and writes the link that carries it.
pub async fn page(asked: &Page, options: &Options) -> Result<Report, Failure> {
    let key = own_key(options)?;
    let desk = Desk::open(options).await?;
    let market = &desk.genesis.market;
    let page = address(asked.url.as_deref(), options.node(), market)?;
    let session = Signer::new(key, market).session(desk.now_micros, SESSION_LIFETIME);
    let link = format!("{page}#session={}", URL_SAFE_NO_PAD.encode(session.encode_to_vec()));
    let lifetime = u64::try_from(SESSION_LIFETIME.as_micros()).unwrap_or(u64::MAX);
    let expires_at_micros = desk.now_micros.saturating_add(lifetime);
    let is_open = asked.open && OPENERS.iter().any(|opener| opens(opener, &link));
    let until = moment_text(expires_at_micros, &desk.zone);
    let mut text = format!(
        "{link}\n\nIt shows your own day until {until} ({}). Whoever has it sees the same: give it to nobody.",
        zone_text(&desk.zone)
    );
    if asked.open && !is_open {
        text.push('\n');
        text += "No browser could be opened here: copy the line into one.";
    }
    if asked.url.is_none() {
        text.push('\n');
        text += "If no page is there, name its address with --url: the node says it when it starts.";
    }
    let json = json!({ "url": link, "expires_at": moment_rfc3339(expires_at_micros), "opened": is_open });
    Ok(Report { json, text, ..Report::default() })
}

/// Returns the page's address: the one that is named, or of the node's machine; with the market's part behind it.
fn address(named: Option<&str>, node: &str, market: &str) -> Result<String, Failure> {
    let base = match named {
        Some(url) if url.starts_with("http://") || url.starts_with("https://") => url.to_owned(),
        Some(url) => {
            return Err(Failure::Usage {
                field: "--url",
                problem: format!("'{url}' is not the address of a page"),
                next: "Write it as http://HOST:PORT, as the node says when it starts.".to_owned(),
            });
        }
        None => {
            let (scheme, rest) = node.split_once("://").unwrap_or(("http", node));
            let authority = rest.split('/').next().unwrap_or(rest);
            let host = match authority.rsplit_once(':') {
                Some((host, port)) if port.bytes().all(|it| it.is_ascii_digit()) => host,
                _ => authority,
            };
            format!("{scheme}://{host}:{PORT}")
        }
    };
    // Whatever page of the node is named, this market's is meant.
    let base = base.split(['#', '?']).next().unwrap_or_default();
    let base = base.split_once("/markets/").map_or(base, |(base, _)| base).trim_end_matches('/');
    Ok(format!("{base}/markets/{market}/"))
}

/// Whether this program has taken the link.
fn opens(opener: &str, link: &str) -> bool {
    let mut command = Command::new(opener);
    command.arg(link).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_on_the_node_s_machine_or_where_it_is_said_to_be() {
        for (named, node, expected) in [
            (None, "http://127.0.0.1:7400", "http://127.0.0.1:7480/markets/park/"),
            (None, "https://park.example", "https://park.example:7480/markets/park/"),
            (None, "http://[::1]:7400", "http://[::1]:7480/markets/park/"),
            (Some("http://a:1"), "http://b:2", "http://a:1/markets/park/"),
            (Some("http://a:1/markets/park/"), "http://b:2", "http://a:1/markets/park/"),
            (Some("https://a/x/#old"), "http://b:2", "https://a/x/markets/park/"),
            (Some("http://a:1/markets/yard/?a=b#x"), "http://b:2", "http://a:1/markets/park/"),
        ] {
            assert_eq!(address(named, node, "park").unwrap(), expected);
        }
        assert!(matches!(address(Some("a:1"), "", "park"), Err(Failure::Usage { field: "--url", .. })));
    }
}
