//! `markets`: which markets the node has.

use parkwatt_client::v1::MarketListing;
use serde_json::json;

use super::args::Options;
use super::desk::connect;
use super::report::{Failure, Report};
use super::table::{left, right, table};

/// Shows the node's markets.
pub async fn list(options: &Options) -> Result<Report, Failure> {
    Ok(report(&connect(options).await?.markets().await?))
}

fn report(markets: &[MarketListing]) -> Report {
    let columns = [left("market"), right("participants"), right("ledger entries"), left("takes orders")];
    let row = |it: &MarketListing| {
        vec![
            it.market.clone(),
            it.participants.to_string(),
            it.tree_size.to_string(),
            if it.is_open { "yes" } else { "no, it can only be read" }.to_owned(),
        ]
    };
    let json = |it: &MarketListing| {
        json!({
            "market": it.market,
            "participants": it.participants,
            "tree_size": it.tree_size,
            "is_open": it.is_open,
        })
    };
    Report {
        json: json!({ "markets": markets.iter().map(json).collect::<Vec<_>>() }),
        text: table(&columns, markets.iter().map(row).collect(), "The node has no markets."),
        refused: false,
        csv: None,
    }
}
