//! `orders`, `account`, `book`: where a participant, and the market, stand.

use parkwatt_client::v1::{
    AccountStatement, AuctionCleared, Depth, Level, NewOrder, Order, OrderId, Phase, TimeInForce,
};
use serde_json::{Value, json};

use super::args::Options;
use super::desk::Desk;
use super::quantity::{amount_text, energy_text, nanos, nanos_decimal, nanos_text, price_text};
use super::report::{Failure, Report, order_id, word};
use super::table::{facts, left, right, table};
use super::time::{When, moment_rfc3339, moment_text, slot_rfc3339, slot_text, zone_text};
use super::unlock::own_key;

/// Nanos of a yuan in a fen.
const NANOS_PER_FEN: i128 = 10_000_000;

/// Shows the caller's orders.
pub async fn orders(open_only: bool, count: u32, options: &Options) -> Result<Report, Failure> {
    let key = own_key(options)?;
    let desk = Desk::open(options).await?;
    let orders = desk.connection.orders(&desk.session(&key), open_only, count).await?;
    let orders: Vec<_> = orders
        .iter()
        .map(|order| Some((order, order.id?, order.order?)))
        .collect::<Option<_>>()
        .ok_or_else(|| desk.incomplete("an order"))?;
    Ok(orders_report(&orders, &desk))
}

/// Shows the caller's account.
pub async fn account(options: &Options) -> Result<Report, Failure> {
    let key = own_key(options)?;
    let desk = Desk::open(options).await?;
    let account = desk.connection.account(&desk.session(&key)).await?;
    account_report(&account).ok_or_else(|| desk.incomplete("a balance in decimal yuan"))
}

/// Shows the bids and offers of a slot; while its auction is open, also the result that it would have now.
pub async fn book(at: When, options: &Options) -> Result<Report, Failure> {
    let desk = Desk::open(options).await?;
    let (market, slot) = (&desk.genesis.market, desk.next_slot(at)?);
    let depth = desk.connection.depth(market, slot).await?;
    let indicative = match depth.phase() {
        Phase::Auction => desk.connection.indicative_auction(market, slot).await?.result,
        _ => None,
    };
    Ok(book_report(&depth, indicative.as_ref(), &desk))
}

fn orders_report(orders: &[(&Order, OrderId, NewOrder)], desk: &Desk) -> Report {
    let columns = [
        left("order"),
        left(format!("delivery ({})", zone_text(&desk.zone))),
        left("side"),
        right("energy"),
        right("limit"),
        left("stands"),
        right("traded"),
        left("state"),
    ];
    let row = |(order, id, placed): &(&Order, OrderId, NewOrder)| {
        vec![
            order_id(*id),
            slot_text(placed.slot, &desk.zone),
            word("SIDE_", placed.side().as_str_name()),
            energy_text(placed.energy_wh),
            price_text(placed.limit_price_micros_per_kwh),
            stands_text(placed, desk),
            energy_text(order.traded_wh),
            word("ORDER_STATE_", order.state().as_str_name()),
        ]
    };
    let json = |(order, id, placed): &(&Order, OrderId, NewOrder)| {
        json!({
            "order_id": order_id(*id),
            "slot": placed.slot,
            "delivery_start": slot_rfc3339(placed.slot),
            "side": word("SIDE_", placed.side().as_str_name()),
            "energy_wh": placed.energy_wh,
            "limit_price_micros_per_kwh": placed.limit_price_micros_per_kwh,
            "time_in_force": word("TIME_IN_FORCE_", time_in_force(placed).as_str_name()),
            "good_until": good_until(placed).and_then(moment_rfc3339),
            "post_only": placed.post_only,
            "minimum_fill_wh": placed.minimum_fill_wh,
            "traded_wh": order.traded_wh,
            "state": word("ORDER_STATE_", order.state().as_str_name()),
        })
    };
    Report {
        json: json!({ "orders": orders.iter().map(json).collect::<Vec<_>>() }),
        text: table(&columns, orders.iter().map(row).collect(), "You have no such orders."),
        refused: false,
        csv: None,
    }
}

/// Returns how long an order stands: where the node does not say, until the gate closes.
fn time_in_force(placed: &NewOrder) -> TimeInForce {
    match placed.time_in_force() {
        TimeInForce::Unspecified => TimeInForce::GoodUntilGate,
        said => said,
    }
}

fn good_until(placed: &NewOrder) -> Option<u64> {
    (time_in_force(placed) == TimeInForce::GoodUntil).then_some(placed.good_until_micros)
}

fn stands_text(placed: &NewOrder, desk: &Desk) -> String {
    match time_in_force(placed) {
        TimeInForce::GoodUntil => format!("until {}", moment_text(placed.good_until_micros, &desk.zone)),
        TimeInForce::ImmediateOrCancel => "immediate".to_owned(),
        TimeInForce::FillOrKill => "fill or kill".to_owned(),
        TimeInForce::Unspecified | TimeInForce::GoodUntilGate => "until the gate closes".to_owned(),
    }
}

/// Returns the report on an account; none where its amounts are no decimal yuan.
fn account_report(account: &AccountStatement) -> Option<Report> {
    let balance = nanos(&account.balance_yuan).ok()?;
    let reserved = nanos(&account.reserved_yuan).ok()?;
    let available = balance + i128::from(account.credit_limit_fen) * NANOS_PER_FEN - reserved;
    let text = facts(&[
        ("participant", account.participant.to_string()),
        ("name", account.name.clone()),
        ("zone", account.zone.clone()),
        ("balance", nanos_text(balance)),
        ("credit limit", amount_text(account.credit_limit_fen)),
        ("reserved", nanos_text(reserved)),
        ("free to bid", nanos_text(available)),
        ("delivered to you", energy_text(account.bought_wh)),
        ("delivered by you", energy_text(account.sold_wh)),
        ("certificates held", energy_text(account.certificates_held_wh)),
        ("certificates claimed", energy_text(account.certificates_retired_wh)),
        ("certificates bundled", energy_text(account.certificates_bundled_wh)),
        ("certificates expired", energy_text(account.certificates_expired_wh)),
    ]);
    let json = json!({ "account": {
        "participant": account.participant,
        "name": account.name,
        "zone": account.zone,
        "balance_yuan": nanos_decimal(balance),
        "credit_limit_fen": account.credit_limit_fen,
        "reserved_yuan": nanos_decimal(reserved),
        "available_yuan": nanos_decimal(available),
        "bought_wh": account.bought_wh,
        "sold_wh": account.sold_wh,
        "certificates_held_wh": account.certificates_held_wh,
        "certificates_retired_wh": account.certificates_retired_wh,
        "certificates_bundled_wh": account.certificates_bundled_wh,
        "certificates_expired_wh": account.certificates_expired_wh,
    } });
    Some(Report { json, text, refused: false, csv: None })
}

fn book_report(depth: &Depth, indicative: Option<&AuctionCleared>, desk: &Desk) -> Report {
    let columns = [left("side"), left("zone"), right("limit"), right("energy"), right("orders")];
    let row = |side: &str, level: &Level| {
        vec![
            side.to_owned(),
            level.zone.clone(),
            price_text(level.limit_price_micros_per_kwh),
            energy_text(level.energy_wh),
            level.orders.to_string(),
        ]
    };
    let bids = depth.bids.iter().map(|level| row("bid", level));
    let rows = depth.offers.iter().map(|level| row("offer", level)).chain(bids).collect();
    let phase = word("PHASE_", depth.phase().as_str_name());
    let begin = slot_text(depth.slot, &desk.zone);
    let book = table(&columns, rows, "The book is empty.");
    Report {
        json: json!({
            "slot": depth.slot,
            "delivery_start": slot_rfc3339(depth.slot),
            "phase": phase,
            "bids": depth.bids.iter().map(level_json).collect::<Vec<_>>(),
            "offers": depth.offers.iter().map(level_json).collect::<Vec<_>>(),
            "indicative": indicative.map(|result| indicative_json(result, desk)),
        }),
        text: format!(
            "Delivery from {begin} ({}), phase: {phase}\n{book}\n{}\
             A bid's limit is all-in, with wheeling and fee; an offer's is what the seller is paid.",
            zone_text(&desk.zone),
            indicative.map(|result| indicative_text(result, desk)).unwrap_or_default()
        ),
        refused: false,
        csv: None,
    }
}

/// Returns each zone's name and price; nothing where nothing would trade.
fn prices<'a>(result: &'a AuctionCleared, desk: &'a Desk) -> impl Iterator<Item = (&'a str, i64)> {
    let names = desk.genesis.zones.iter().map(|zone| zone.name.as_str());
    names.zip(result.prices_micros_per_kwh.iter().copied())
}

fn indicative_text(result: &AuctionCleared, desk: &Desk) -> String {
    if result.prices_micros_per_kwh.is_empty() {
        return "If the auction were held now, nothing would trade.\n".to_owned();
    }
    let prices: Vec<_> =
        prices(result, desk).map(|(zone, price)| format!("{zone} {}", price_text(price))).collect();
    let (energy, prices) = (energy_text(result.energy_wh), prices.join(", "));
    format!("If the auction were held now, {energy} would trade; sellers would be paid: {prices}.\n")
}

fn indicative_json(result: &AuctionCleared, desk: &Desk) -> Value {
    let price = |(zone, price): (&str, i64)| json!({ "zone": zone, "price_micros_per_kwh": price });
    json!({
        "energy_wh": result.energy_wh,
        "prices": prices(result, desk).map(price).collect::<Vec<_>>(),
    })
}

fn level_json(level: &Level) -> Value {
    json!({
        "zone": level.zone,
        "limit_price_micros_per_kwh": level.limit_price_micros_per_kwh,
        "energy_wh": level.energy_wh,
        "orders": level.orders,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_says_what_is_free_to_bid() {
        let account = AccountStatement {
            participant: 3,
            name: "mill".to_owned(),
            balance_yuan: "-12.345000000".to_owned(),
            reserved_yuan: "7.655000001".to_owned(),
            credit_limit_fen: 10_000,
            ..AccountStatement::default()
        };
        let report = account_report(&account).unwrap();
        assert_eq!(report.json["account"]["available_yuan"], "79.999999999");
        assert_eq!(report.json["account"]["balance_yuan"], "-12.345000000");
        assert!(report.text.contains("balance               -12.345 yuan"), "{}", report.text);
        assert!(account_report(&AccountStatement { balance_yuan: "x".to_owned(), ..account }).is_none());
    }
}
