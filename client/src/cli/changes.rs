//! `replace`, `cancel`: orders that are changed, and taken out.

use parkwatt_client::v1::command::Kind;
use parkwatt_client::v1::{
    self, CancelOrder, CancelOrders, Cancelled, CancelledAll, OrderId, Receipt, ReplaceOrder, outcome,
};
use serde_json::json;

use super::args::{Cancel, Options, Replace, Side};
use super::desk::Desk;
use super::quantity::{energy_text, price_text};
use super::report::{Failure, Report, next_command, order_id};
use super::trades;
use super::unlock::{own_key, signing_key};

/// Among how many of the caller's orders one is looked for.
const ORDERS_MAX: u32 = 1_000;

/// Changes an order's energy, its limit, or both.
pub async fn replace(replace: Replace, options: &Options) -> Result<Report, Failure> {
    let key = own_key(options)?;
    let desk = Desk::open(options).await?;
    let (energy_wh, limit_price_micros_per_kwh) = match (replace.energy, replace.price) {
        (Some(energy), Some(price)) => (energy, price),
        (energy, price) => {
            let orders = desk.connection.orders(&desk.session(&key), false, ORDERS_MAX).await?;
            let present = present(&orders, replace.order)?;
            (energy.unwrap_or(present.energy_wh), price.unwrap_or(present.limit_price_micros_per_kwh))
        }
    };
    let asked = ReplaceOrder { order: Some(replace.order), limit_price_micros_per_kwh, energy_wh };
    let (outcome::Kind::Replaced(new), receipt) = desk.submit(&key, Kind::ReplaceOrder(asked)).await? else {
        return Err(desk.incomplete("the replacement"));
    };
    let next = next_command("parkwatt orders --open", options);
    Ok(replaced_report(replace.order, new, &asked, &receipt, &next, &desk))
}

/// Withdraws an order, or all that fit.
pub async fn cancel(cancel: &Cancel, options: &Options) -> Result<Report, Failure> {
    let key = match &cancel.operator_key {
        Some(operator_key) => signing_key(operator_key, options)?,
        None => own_key(options)?,
    };
    let desk = Desk::open(options).await?;
    if let Some(order) = cancel.order {
        let command = Kind::CancelOrder(CancelOrder { order: Some(order) });
        let (outcome::Kind::Cancelled(Cancelled { energy_wh }), _) = desk.submit(&key, command).await? else {
            return Err(desk.incomplete("what was withdrawn"));
        };
        return Ok(cancelled_report(order, energy_wh));
    }
    let side = match cancel.side {
        None => v1::Side::Unspecified,
        Some(Side::Bid) => v1::Side::Bid,
        Some(Side::Offer) => v1::Side::Offer,
    };
    let command = Kind::CancelOrders(CancelOrders {
        participant: cancel.participant.clone().unwrap_or_default(),
        slot: cancel.at.map(|at| desk.next_slot(at)).transpose()?,
        side: side.into(),
    });
    let (outcome::Kind::CancelledAll(cancelled), receipt) = desk.submit(&key, command).await? else {
        return Err(desk.incomplete("what was withdrawn"));
    };
    Ok(cancelled_all_report(cancelled, &receipt))
}

/// Returns an order as the node lists it.
fn present(orders: &[v1::Order], id: OrderId) -> Result<v1::NewOrder, Failure> {
    let found = orders.iter().find(|order| order.id == Some(id)).and_then(|order| order.order);
    found.ok_or_else(|| Failure::Usage {
        field: "<ORDER>",
        problem: format!("{} is none of your {ORDERS_MAX} newest orders", order_id(id)),
        next: "Give both --energy and --price, or see your orders: parkwatt orders --open".to_owned(),
    })
}

fn replaced_report(
    old: OrderId,
    new: OrderId,
    asked: &ReplaceOrder,
    receipt: &Receipt,
    next: &str,
    desk: &Desk,
) -> Report {
    let (energy, limit) = (energy_text(asked.energy_wh), price_text(asked.limit_price_micros_per_kwh));
    let traded_wh: u64 = receipt.trades.iter().map(|trade| trade.energy_wh).sum();
    let changed = if new == old {
        format!("Order {} keeps its place: {energy} altogether, at {limit}.", order_id(old))
    } else {
        let (old, new) = (order_id(old), order_id(new));
        format!("Order {old} is replaced by order {new}: {energy} altogether, at {limit}.")
    };
    let at_once = match traded_wh {
        0 => "\n".to_owned(),
        traded => {
            format!(" {} traded at once:\n\n{}\n", energy_text(traded), trades::made(&receipt.trades, desk))
        }
    };
    Report {
        json: json!({
            "leaf_index": receipt.leaf_index,
            "replaced": {
                "order_id": order_id(old),
                "new_order_id": order_id(new),
                "kept_place": new == old,
                "energy_wh": asked.energy_wh,
                "limit_price_micros_per_kwh": asked.limit_price_micros_per_kwh,
                "traded_wh": traded_wh,
            },
            "trades": receipt.trades.iter().map(trades::json).collect::<Vec<_>>(),
        }),
        text: format!("{changed}{at_once}Next: {next}"),
        refused: false,
        csv: None,
    }
}

fn cancelled_report(order: OrderId, energy_wh: u64) -> Report {
    Report {
        json: json!({ "cancelled": { "order_id": order_id(order), "energy_wh": energy_wh } }),
        text: format!("Order {} is withdrawn: {} had not traded.", order_id(order), energy_text(energy_wh)),
        refused: false,
        csv: None,
    }
}

fn cancelled_all_report(CancelledAll { orders, energy_wh }: CancelledAll, receipt: &Receipt) -> Report {
    let energy = energy_text(energy_wh);
    Report {
        json: json!({ "cancelled_all": {
            "orders": orders,
            "energy_wh": energy_wh,
            "leaf_index": receipt.leaf_index,
        } }),
        text: match orders {
            0 => "Nothing is withdrawn: no open order fits.".to_owned(),
            1 => format!("1 order is withdrawn: {energy} of it had not traded."),
            _ => format!("{orders} orders are withdrawn: {energy} of them had not traded."),
        },
        refused: false,
        csv: None,
    }
}
