//! `trades`: a participant's own trades, and everybody's without names.

use parkwatt_client::v1::{OwnTrade, Side, Trade, TradeDelivered};
use serde_json::{Value, json};

use super::args::Options;
use super::csv;
use super::desk::Desk;
use super::language::say;
use super::quantity::{cost_nanos, energy_text, nanos_decimal, nanos_text, price_text};
use super::report::{Failure, Report, order_id, word};
use super::table::{left, right, table};
use super::time::{When, slot_rfc3339, slot_text, zone_text};
use super::unlock::own_key;

/// Shows the caller's trades; of one delivery, where it is said which.
pub async fn own(at: Option<When>, count: u32, options: &Options) -> Result<Report, Failure> {
    let key = own_key(options)?;
    let desk = Desk::open(options).await?;
    let slot = at.map(|at| desk.next_slot(at)).transpose()?;
    let mut trades = desk.connection.trades(&desk.session(&key), count).await?;
    trades.retain(|own| slot.is_none_or(|slot| own.trade.as_ref().is_some_and(|it| it.slot == slot)));
    let trades: Vec<_> = trades
        .iter()
        .map(|own| own.trade.as_ref().map(|trade| (own, trade)))
        .collect::<Option<_>>()
        .ok_or_else(|| desk.incomplete("a trade"))?;
    Ok(own_report(&trades, &desk))
}

/// Shows everybody's trades, without names.
pub async fn tape(at: Option<When>, count: u32, options: &Options) -> Result<Report, Failure> {
    let desk = Desk::open(options).await?;
    let slot = at.map(|at| desk.next_slot(at)).transpose()?;
    let trades = desk.connection.tape(&desk.genesis.market, slot, count).await?;
    Ok(Report {
        json: json!({ "trades": trades.iter().map(json).collect::<Vec<_>>() }),
        text: made(&trades, &desk),
        refused: false,
        csv: None,
    })
}

/// Returns trades for people.
pub fn made(trades: &[Trade], desk: &Desk) -> String {
    let columns = [
        left("trade"),
        left(format!("delivery ({})", zone_text(&desk.zone))),
        right("energy"),
        right("seller is paid"),
        right("charges"),
        right("buyer pays"),
        left("matching"),
    ];
    let row = |trade: &Trade| {
        vec![
            trade.id.to_string(),
            slot_text(trade.slot, &desk.zone),
            energy_text(trade.energy_wh),
            price_text(trade.price_micros_per_kwh),
            price_text(all_in(trade).saturating_sub(trade.price_micros_per_kwh)),
            price_text(all_in(trade)),
            word("MATCHING_", trade.matching().as_str_name()),
        ]
    };
    let table = table(&columns, trades.iter().map(row).collect(), "no trades");
    if trades.is_empty() { table } else { format!("{table}{}\n", say(CHARGES)) }
}

/// What stands under a table of trades.
const CHARGES: &str = "Charges are wheeling, congestion and fee, per kWh.";

/// Returns a trade for machines, without names.
pub fn json(trade: &Trade) -> Value {
    json!({
        "trade_id": trade.id,
        "slot": trade.slot,
        "delivery_start": slot_rfc3339(trade.slot),
        "bid_order_id": trade.bid.map(order_id),
        "offer_order_id": trade.offer.map(order_id),
        "energy_wh": trade.energy_wh,
        "price_micros_per_kwh": trade.price_micros_per_kwh,
        "wheeling_micros_per_kwh": trade.wheeling_micros_per_kwh,
        "congestion_micros_per_kwh": trade.congestion_micros_per_kwh,
        "fee_micros_per_kwh": trade.fee_micros_per_kwh,
        "tariff_version": trade.tariff_version,
        "matching": word("MATCHING_", trade.matching().as_str_name()),
    })
}

/// Returns the report on the caller's trades.
fn own_report(trades: &[(&OwnTrade, &Trade)], desk: &Desk) -> Report {
    let columns = [
        left("trade"),
        left("order"),
        left(format!("delivery ({})", zone_text(&desk.zone))),
        left("side"),
        right("energy"),
        right("your price"),
        right("amount"),
        right("delivered"),
    ];
    let rows = trades.iter().map(|(own, trade)| own_row(own, trade, desk)).collect();
    let note = "\nA bid's price is all-in: energy, wheeling, congestion and fee. Amounts are for the whole \
                energy; settlement pays what is delivered, and charges the side that fell short.";
    let text = table(&columns, rows, "You have no trades.");
    let listed = |delivery: fn(&OwnTrade) -> Value| -> Value {
        let trades = trades.iter().map(|(own, trade)| own_json(own, trade, delivery(own)));
        json!({ "trades": trades.collect::<Vec<_>>() })
    };
    Report {
        json: listed(|own| own.delivery.as_ref().map_or(Value::Null, |it| delivery_json(Some(it)))),
        text: if trades.is_empty() { text } else { text + note },
        refused: false,
        // The same columns, whether anything is settled or not.
        csv: Some(csv::rows(&listed(|own| delivery_json(own.delivery.as_ref())))),
    }
}

fn own_row(own: &OwnTrade, trade: &Trade, desk: &Desk) -> Vec<String> {
    let delivered = match &own.delivery {
        None => "not settled".to_owned(),
        Some(delivery) if delivery.estimated => format!("{}, estimated", energy_text(delivery.delivered_wh)),
        Some(delivery) => energy_text(delivery.delivered_wh),
    };
    vec![
        trade.id.to_string(),
        own_order(own, trade).unwrap_or_else(|| "-".to_owned()),
        slot_text(trade.slot, &desk.zone),
        word("SIDE_", own.side().as_str_name()),
        energy_text(trade.energy_wh),
        price_text(own_price(own, trade)),
        nanos_text(cost_nanos(trade.energy_wh, own_price(own, trade))),
        delivered,
    ]
}

fn own_json(own: &OwnTrade, trade: &Trade, delivery: Value) -> Value {
    let mut value = json(trade);
    value["side"] = json!(word("SIDE_", own.side().as_str_name()));
    value["order_id"] = json!(own_order(own, trade));
    value["delivery"] = delivery;
    value["amount_yuan"] = json!(nanos_decimal(cost_nanos(trade.energy_wh, own_price(own, trade))));
    value
}

fn delivery_json(delivery: Option<&TradeDelivered>) -> Value {
    json!({
        "delivered_wh": delivery.map(|it| it.delivered_wh),
        "seller_deviation_wh": delivery.map(|it| it.seller_deviation_wh),
        "buyer_deviation_wh": delivery.map(|it| it.buyer_deviation_wh),
        "estimated": delivery.map(|it| it.estimated),
    })
}

/// Returns the name of the caller's order in a trade.
fn own_order(own: &OwnTrade, trade: &Trade) -> Option<String> {
    let id = if own.side() == Side::Bid { trade.bid } else { trade.offer };
    id.map(order_id)
}

/// Returns what the caller pays or is paid, in micro-yuan per kWh.
fn own_price(own: &OwnTrade, trade: &Trade) -> i64 {
    if own.side() == Side::Bid { all_in(trade) } else { trade.price_micros_per_kwh }
}

/// Returns what the buyer pays, in micro-yuan per kWh.
fn all_in(trade: &Trade) -> i64 {
    trade
        .price_micros_per_kwh
        .saturating_add(trade.wheeling_micros_per_kwh)
        .saturating_add(trade.congestion_micros_per_kwh)
        .saturating_add(trade.fee_micros_per_kwh)
}
