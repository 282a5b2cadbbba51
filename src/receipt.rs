//! Step 7, receipt: what the caller is told, once it is durable.
//!
//! A receipt is made from what was applied, or from the leaves that recorded it; both say the same. What a
//! command's orders did is the caller's to know; a trade that others made because of it is not.

use parkwatt_engine::Event;
use parkwatt_proto::v1::{self, leaf::Fact};
use prost::Message;

use crate::{
    apply::{Applied, Cause},
    wire,
};

/// Returns the receipt of a command that was applied; none for the passing of time.
pub fn receipt(applied: &Applied) -> Option<v1::Receipt> {
    let Cause::Command { outcome, .. } = &applied.cause else { return None };
    let mut receipt = v1::Receipt {
        leaf_index: applied.index,
        at_micros: applied.at.0,
        outcome: Some(wire::outcome(outcome)),
        ..v1::Receipt::default()
    };
    let is_about_orders = |event: &&Event| matches!(event, Event::TradeMade(_) | Event::OrderLapsed { .. });
    for event in applied.events.iter().filter(is_about_orders) {
        tell(&mut receipt, &wire::event_fact(event));
    }
    Some(receipt)
}

/// Returns the receipt that the leaves from `index` on gave; `leaf` reads one.
///
/// # Errors
/// A sentence if there is no command at `index`, or a leaf is missing.
pub fn receipt_again(
    index: u64,
    leaf: impl Fn(u64) -> Result<Option<Vec<u8>>, String>,
) -> Result<v1::Receipt, String> {
    let read = |at: u64| {
        let bytes = leaf(at)?.ok_or_else(|| format!("leaf {at} is missing"))?;
        v1::Leaf::decode(bytes.as_slice()).map_err(|problem| format!("leaf {at} is no leaf: {problem}"))
    };
    let first = read(index)?;
    let Some(Fact::Command(command)) = first.fact else { return Err(format!("leaf {index} is no command")) };
    let mut receipt = v1::Receipt {
        leaf_index: index,
        at_micros: first.at_micros,
        outcome: command.outcome,
        repeated_command: true,
        ..v1::Receipt::default()
    };
    for at in index + 1..=index + u64::from(command.events) {
        if let Some(fact) = read(at)?.fact {
            tell(&mut receipt, &fact);
        }
    }
    Ok(receipt)
}

/// Tells what became of the command's own orders: those that are named after its leaf.
fn tell(receipt: &mut v1::Receipt, fact: &Fact) {
    let index = receipt.leaf_index;
    let is_own = |id: Option<v1::OrderId>| id.is_some_and(|id| id.index == index);
    match fact {
        Fact::TradeMade(trade) if is_own(trade.bid) || is_own(trade.offer) => receipt.trades.push(*trade),
        Fact::OrderLapsed(lapsed) if is_own(lapsed.order) => receipt.lapsed.push(*lapsed),
        _ => {}
    }
}
