//! `executions`: what becomes of one's own orders, trades and certificates, line by line, as it happens.
//!
//! Knows how to go on where a stream ended; does not know how a stream is opened.

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use ed25519_dalek::SigningKey;
use jiff::tz::TimeZone;
use parkwatt_client::v1::{
    CertificateId, Execution, OrderId, Side, StreamExecutionsRequest, execution::Kind, posting::Purpose,
};
use parkwatt_client::{ClientError, account_change_nanos};
use serde_json::{Value, json};
use tokio_stream::StreamExt;

use super::args::{Options, Output};
use super::csv;
use super::desk::Desk;
use super::language::say;
use super::quantity::{energy_text, nanos_decimal, nanos_text, price_text};
use super::report::{Failure, Report, certificate_id, order_id};
use super::time::{moment_rfc3339, moment_text, slot_text};
use super::unlock::own_key;

/// The headings of rows, which are the names of a document's fields.
const COLUMNS: [&str; 11] = [
    "leaf_index",
    "at",
    "what",
    "slot",
    "energy_wh",
    "price_micros_per_kwh",
    "amount_yuan",
    "purpose",
    "order_ids",
    "trade_id",
    "certificate",
];

/// After how long a stream that ended is opened again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What is shown.
#[derive(Args, Clone, Copy, Debug)]
pub struct Executions {
    /// Begin with this entry of the ledger: one behind the last that you saw
    #[arg(long, value_name = "LEAF_INDEX", default_value_t = 0)]
    pub from: u64,
    /// Go on with what happens, until Ctrl-C
    #[arg(long)]
    pub follow: bool,
}

/// Shows executions as they come; with `--output json` one document a line.
pub async fn show(asked: Executions, options: &Options) -> Result<Report, Failure> {
    let key = own_key(options)?;
    if options.output == Output::Csv {
        // OK because: what cannot be written is seen at the first line that follows.
        let _ = io::stdout().write_all(csv::line(COLUMNS.map(str::to_owned)).as_bytes());
    }
    let mut from_index = asked.from;
    loop {
        match show_until_end(&mut from_index, asked.follow, &key, options).await {
            Err(Failure::Client(problem)) if asked.follow && may_go_on(&problem) => {
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            Err(problem) => return Err(problem),
            Ok(()) => return Ok(Report::default()),
        }
    }
}

/// Whether a stream that ended so can be opened again.
fn may_go_on(problem: &ClientError) -> bool {
    match problem {
        ClientError::Unreachable { .. } => true,
        ClientError::Refused { reason, .. } => reason == "READ_TOO_SLOWLY" || reason == "SESSION_REQUIRED",
        _ => false,
    }
}

async fn show_until_end(
    from_index: &mut u64,
    follow: bool,
    key: &SigningKey,
    options: &Options,
) -> Result<(), Failure> {
    let desk = Desk::open(options).await?;
    let until_index = (!follow).then_some(desk.tree_size);
    let request = StreamExecutionsRequest { from_index: *from_index, until_index };
    let mut executions = desk.connection.stream_executions(&desk.session(key), request).await?;
    while let Some(execution) = executions.next().await {
        let execution = execution?;
        let line = match options.output {
            Output::Json => json(&execution).to_string(),
            Output::Csv => row(&json(&execution)),
            Output::Table => text(&execution, &desk.zone),
        };
        let mut out = io::stdout();
        if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
            // Who closes the pipe has seen enough.
            return Ok(());
        }
        *from_index = execution.leaf_index + 1;
    }
    Ok(())
}

/// What an execution comes to.
#[derive(Default)]
struct Facts {
    what: &'static str,
    slot: Option<u32>,
    energy_wh: Option<u64>,
    price_micros_per_kwh: Option<i64>,
    amount_nanos: Option<i128>,
    purpose: Option<&'static str>,
    orders: Vec<OrderId>,
    trade: Option<u64>,
    certificate: Option<CertificateId>,
}

fn facts(execution: &Execution) -> Facts {
    let none = Facts::default();
    let certificate = |what, certificate: Option<CertificateId>, energy_wh: u64| Facts {
        what,
        slot: certificate.map(|it| it.slot),
        energy_wh: Some(energy_wh),
        certificate,
        ..Facts::default()
    };
    match &execution.kind {
        Some(Kind::Accepted(it)) => Facts {
            what: "accepted",
            slot: it.orders.first().and_then(|it| it.order.as_ref()).map(|order| order.slot),
            energy_wh: Some(it.orders.iter().filter_map(|it| it.order.as_ref()).map(|it| it.energy_wh).sum()),
            orders: it.orders.iter().filter_map(|it| it.id).collect(),
            ..none
        },
        Some(Kind::Cancelled(it)) => Facts {
            what: "cancelled",
            energy_wh: Some(it.energy_wh),
            orders: it.order.into_iter().collect(),
            ..none
        },
        Some(Kind::Replaced(it)) => Facts {
            what: "replaced",
            energy_wh: Some(it.energy_wh),
            price_micros_per_kwh: Some(it.limit_price_micros_per_kwh),
            orders: it.order.into_iter().chain(it.id).collect(),
            ..none
        },
        Some(Kind::Filled(it)) => {
            let trade = it.trade.unwrap_or_default();
            let (what, order) = match it.side() {
                Side::Bid => ("bought", trade.bid),
                _ => ("sold", trade.offer),
            };
            Facts {
                what,
                slot: Some(trade.slot),
                energy_wh: Some(trade.energy_wh),
                price_micros_per_kwh: Some(trade.price_micros_per_kwh),
                orders: order.into_iter().collect(),
                trade: Some(trade.id),
                ..none
            }
        }
        Some(Kind::Lapsed(it)) => Facts {
            what: "lapsed",
            slot: Some(it.slot),
            energy_wh: Some(it.energy_wh),
            orders: it.order.into_iter().collect(),
            ..none
        },
        Some(Kind::Metered(it)) => Facts {
            what: "metered",
            slot: Some(it.slot),
            energy_wh: Some(it.import_wh + it.export_wh),
            ..none
        },
        Some(Kind::Delivered(it)) => Facts {
            what: "delivered",
            slot: Some(it.slot),
            energy_wh: Some(it.delivered_wh),
            trade: Some(it.trade),
            ..none
        },
        Some(Kind::Posted(it)) => {
            let (purpose, trade, slot) = purpose(it.purpose.as_ref());
            let amount_nanos = Some(account_change_nanos(it));
            Facts { what: "posted", amount_nanos, purpose, trade, slot, ..none }
        }
        Some(Kind::CertificateIssued(it)) => certificate("certificate issued", it.certificate, it.energy_wh),
        Some(Kind::CertificateSliced(it)) => {
            Facts { trade: Some(it.trade), ..certificate("certificate sliced", it.certificate, it.energy_wh) }
        }
        Some(Kind::CertificateRetired(it)) => {
            certificate("certificate retired", it.certificate, it.energy_wh)
        }
        Some(Kind::CertificateTransferred(it)) => {
            certificate("certificate transferred", it.certificate, it.energy_wh)
        }
        Some(Kind::CertificateExpired(it)) => {
            certificate("certificate expired", it.certificate, it.energy_wh)
        }
        Some(Kind::CertificateWithdrawn(it)) => {
            certificate("certificate withdrawn", it.certificate, it.energy_wh)
        }
        Some(Kind::CertificateVoided(it)) => certificate("certificate voided", it.certificate, it.energy_wh),
        Some(Kind::CertificateBundled(it)) => {
            certificate("certificate bundled", it.certificate, it.energy_wh)
        }
        Some(Kind::CertificateReleased(it)) => {
            certificate("certificate released", it.certificate, it.energy_wh)
        }
        Some(Kind::GecIssued(_)) => Facts { what: "national certificate issued", ..none },
        Some(Kind::GecVoided(_)) => Facts { what: "national certificate void", ..none },
        None => Facts { what: "unknown to this version", ..none },
    }
}

/// Returns what money moved for, with the trade or the slot.
fn purpose(purpose: Option<&Purpose>) -> (Option<&'static str>, Option<u64>, Option<u32>) {
    match purpose {
        None => (None, None, None),
        Some(Purpose::Deposit(_)) => (Some("deposit"), None, None),
        Some(Purpose::Payout(_)) => (Some("payout"), None, None),
        Some(Purpose::Rounding(_)) => (Some("rounding"), None, None),
        Some(Purpose::EnergyOfTrade(trade)) => (Some("energy"), Some(*trade), None),
        Some(Purpose::WheelingOfTrade(trade)) => (Some("wheeling"), Some(*trade), None),
        Some(Purpose::CongestionOfTrade(trade)) => (Some("congestion"), Some(*trade), None),
        Some(Purpose::FeeOfTrade(trade)) => (Some("fee"), Some(*trade), None),
        Some(Purpose::DeviationOfTrade(trade)) => (Some("deviation"), Some(*trade), None),
        Some(Purpose::RetailInSlot(slot)) => (Some("retail"), None, Some(*slot)),
        Some(Purpose::FeedInInSlot(slot)) => (Some("feed-in"), None, Some(*slot)),
    }
}

fn text(execution: &Execution, zone: &TimeZone) -> String {
    let facts = facts(execution);
    let orders = match facts.orders.as_slice() {
        [] => None,
        [one] => Some(say(&format!("order {}", order_id(*one)))),
        [old, new] if facts.what == "replaced" => {
            Some(say(&format!("order {}, now {}", order_id(*old), order_id(*new))))
        }
        [first, .., last] => Some(say(&format!("orders {} to {}", order_id(*first), order_id(*last)))),
    };
    let parts = [
        facts.energy_wh.map(energy_text),
        facts.price_micros_per_kwh.map(|price| say(&format!("at {}", price_text(price)))),
        facts.amount_nanos.map(nanos_text),
        facts.purpose.map(|purpose| say(&format!("for {}", say(purpose)))),
        facts.slot.map(|slot| say(&format!("delivery {}", slot_text(slot, zone)))),
        orders,
        facts.trade.map(|trade| say(&format!("trade {trade}"))),
        facts.certificate.map(|id| say(&format!("certificate {}", certificate_id(&id)))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let (index, at) = (execution.leaf_index, moment_text(execution.at_micros, zone));
    format!("{index:>8}  {at}  {:<9}  {}", say(facts.what), parts.join(", "))
}

/// Returns a document as a row of a table.
fn row(document: &Value) -> String {
    let cell = |name| match document.get(name) {
        Some(Value::Array(items)) => items.iter().map(csv::document_text).collect::<Vec<_>>().join(" "),
        Some(value) => csv::document_text(value),
        None => String::new(),
    };
    csv::line(COLUMNS.map(cell)).trim_end().to_owned()
}

fn json(execution: &Execution) -> Value {
    let facts = facts(execution);
    let mut document = json!({
        "leaf_index": execution.leaf_index,
        "at": moment_rfc3339(execution.at_micros),
        "what": facts.what,
    });
    let optional = [
        ("slot", facts.slot.map(|it| json!(it))),
        ("energy_wh", facts.energy_wh.map(|it| json!(it))),
        ("price_micros_per_kwh", facts.price_micros_per_kwh.map(|it| json!(it))),
        ("purpose", facts.purpose.map(|it| json!(it))),
        ("amount_yuan", facts.amount_nanos.map(|it| json!(nanos_decimal(it)))),
        ("trade_id", facts.trade.map(|it| json!(it))),
        ("certificate", facts.certificate.map(|it| json!(certificate_id(&it)))),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            document[name] = value;
        }
    }
    if !facts.orders.is_empty() {
        document["order_ids"] = facts.orders.iter().map(|id| json!(order_id(*id))).collect();
    }
    document
}
