//! What the autopilot says: its steps, and where it stands, in plain words and for machines.

use std::collections::BTreeMap;
use std::time::Duration;

use parkwatt_client::v1::Rejection;
use serde_json::{Value, json};

use super::super::desk::Desk;
use super::super::quantity::{energy_text, price_text};
use super::super::report::{Failure, Report, order_id, rejection_text};
use super::super::table::{left, right, table};
use super::super::time::{moment_rfc3339, moment_text, slot_rfc3339, slot_text, zone_text};
use super::Pilot;
use super::plan::{Book, Step};

/// What became of a step.
#[derive(Debug)]
pub struct Done {
    /// The step.
    pub step: Step,
    /// Why it was refused, where it was.
    pub refusal: Option<Rejection>,
}

/// What to do after offers of more than the roof can deliver.
const TOO_MUCH: &str = "The forecast is more than what you are enrolled for: PV and connection deliver no more. Lower --peak, \
                        or correct the forecast; what fits is offered at the next look.";

/// Returns what a look came to: its steps, and what is for sale, waits and is sold of the forecast.
pub fn report(
    pilot: &Pilot,
    done: &[Done],
    forecast: &BTreeMap<u32, u64>,
    book: &Book,
    desk: &Desk,
) -> Report {
    let columns = [
        left(format!("delivery ({})", zone_text(&desk.zone))),
        left("doing"),
        left("order"),
        right("energy"),
        right("limit"),
    ];
    let rows = done.iter().map(|done| done.row(desk)).collect();
    let sums = |of: &dyn Fn(u32) -> u64| forecast.keys().map(|slot| of(*slot)).sum::<u64>();
    let lot = desk.genesis.lot_wh;
    let for_sale = sums(&|slot| pilot.strategy.for_sale_wh(forecast[&slot], lot));
    let [open, sold] = [sums(&|slot| book.open_wh(slot)), sums(&|slot| book.sold_wh(slot))];
    let at = moment_text(desk.now_micros, &desk.zone);
    let steps = match (done.is_empty(), pilot.dry_run) {
        (true, _) => "Nothing is to be done.\n".to_owned(),
        (false, true) => "This would be done; nothing was.\n".to_owned() + &table(&columns, rows, ""),
        (false, false) => table(&columns, rows, ""),
    };
    let sums = format!(
        "{at}: of {} for sale in {} quarter hours, {} wait in the book and {} are sold.",
        energy_text(for_sale),
        forecast.len(),
        energy_text(open),
        energy_text(sold)
    );
    let named =
        if forecast.is_empty() { "\nThe forecast names no quarter hour that can be traded now." } else { "" };
    let refusals: Vec<_> = done.iter().filter_map(|done| done.refusal.as_ref()).collect();
    let mut why = String::new();
    for refusal in &refusals {
        let line = format!("{}\n", rejection_text(refusal));
        if !why.contains(&line) {
            why += &line;
        }
    }
    if refusals.iter().any(|it| it.code == "OFFER_MUST_BE_DELIVERABLE") {
        why = format!("{why}{TOO_MUCH}\n");
    }
    Report {
        json: json!({
            "market_time": moment_rfc3339(desk.now_micros),
            "dry_run": pilot.dry_run,
            "for_sale_wh": for_sale,
            "open_wh": open,
            "sold_wh": sold,
            "steps": done.iter().map(Done::json).collect::<Vec<_>>(),
        }),
        text: steps + &why + &sums + named,
        refused: !refusals.is_empty(),
        csv: None,
    }
}

/// Returns that a look has failed and what it waits for.
pub fn waiting(failure: &Failure, every: Duration) -> Report {
    Report {
        json: json!({ "waiting": { "message": failure.to_string(), "seconds": every.as_secs() } }),
        text: format!(
            "{}\nWhat stands stays as it is; the next look is in {} s.",
            failure.text(),
            every.as_secs()
        ),
        ..Report::default()
    }
}

impl Done {
    fn row(&self, desk: &Desk) -> Vec<String> {
        let (slot, doing, order, energy, price) = self.parts();
        let doing = match &self.refusal {
            None => doing.to_owned(),
            Some(_) => "refused".to_owned(),
        };
        vec![
            slot_text(slot, &desk.zone),
            doing,
            order.unwrap_or_default(),
            energy_text(energy),
            price_text(price),
        ]
    }

    fn json(&self) -> Value {
        let (slot, doing, order, energy, price) = self.parts();
        json!({
            "slot": slot,
            "delivery_start": slot_rfc3339(slot),
            "doing": doing,
            "order_id": order,
            "energy_wh": energy,
            "limit_price_micros_per_kwh": price,
            "refusal": self.refusal.as_ref().map(|it| &it.sentence),
        })
    }

    /// Returns slot, word, order, what waits then and its limit.
    fn parts(&self) -> (u32, &'static str, Option<String>, u64, i64) {
        match self.step {
            Step::Offer { slot, energy_wh, price } => (slot, "offer", None, energy_wh, price),
            Step::Withdraw { slot, standing } => {
                (slot, "withdraw", Some(order_id(standing.order)), standing.open_wh(), standing.limit)
            }
            Step::Change { slot, standing, energy_wh, price } => {
                let doing = match price.cmp(&standing.limit) {
                    _ if energy_wh < standing.energy_wh => "offer less",
                    std::cmp::Ordering::Less => "lower the price",
                    _ => "raise the price",
                };
                let open = energy_wh.saturating_sub(standing.traded_wh);
                (slot, doing, Some(order_id(standing.order)), open, price)
            }
        }
    }
}
