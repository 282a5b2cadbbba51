//! Step 7, receipt: what the caller is told, once it is durable.
//!
//! A receipt is made from what was applied, or from the leaves that recorded it; both say the same.

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
    let trades = applied.events.iter().filter_map(|event| match event {
        Event::TradeMade(trade) => Some(wire::trade(trade)),
        _ => None,
    });
    Some(v1::Receipt {
        leaf_index: applied.index,
        at_micros: applied.at.0,
        outcome: Some(wire::outcome(outcome)),
        trades: trades.collect(),
        repeated_command: false,
    })
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
    let mut trades = Vec::new();
    for at in index + 1..=index + u64::from(command.events) {
        if let Some(Fact::TradeMade(trade)) = read(at)?.fact {
            trades.push(trade);
        }
    }
    Ok(v1::Receipt {
        leaf_index: index,
        at_micros: first.at_micros,
        outcome: command.outcome,
        trades,
        repeated_command: true,
    })
}
