//! `sell`, `buy`: orders on their way in.

use parkwatt_client::v1::command::Kind;
use parkwatt_client::v1::{
    NewOrder, OrderAnswer, PlaceOrders, Receipt, Side, TimeInForce, order_answer, outcome,
};
use serde_json::{Value, json};

use super::advice;
use super::args::{Conditions, Options, Order};
use super::desk::Desk;
use super::language::say;
use super::quantity::{energy_text, price_text};
use super::report::{Failure, Report, next_command, order_id, rejection_json, rejection_text, word};
use super::table::{left, right, table};
use super::time::{moment_text, slot_date, slot_rfc3339, slot_text, zone_text};
use super::trades;
use super::unlock::own_key;

/// Places the same order in one quarter hour, or in many.
pub async fn place(side: Side, order: Order, options: &Options) -> Result<Report, Failure> {
    let key = own_key(options)?;
    let desk = Desk::open(options).await?;
    let (time_in_force, good_until_micros) = time_in_force(order.conditions, &desk)?;
    let slots = slots(order, &desk)?;
    let last_gate_s = u64::from(slots.end - 1) * SECONDS_PER_SLOT;
    let last_gate_s = last_gate_s.saturating_sub(u64::from(desk.genesis.gate_before_s));
    if good_until_micros > last_gate_s * 1_000_000 {
        return Err(Failure::Usage {
            field: "--good-until",
            problem: format!(
                "{} is later than {}, when the last gate closes",
                moment_text(good_until_micros, &desk.zone),
                moment_text(last_gate_s * 1_000_000, &desk.zone)
            ),
            next: "Choose an earlier time, with its date if it is another day's; or leave it out.".to_owned(),
        });
    }
    let orders: Vec<_> = slots
        .map(|slot| NewOrder {
            side: side.into(),
            slot,
            limit_price_micros_per_kwh: order.price,
            energy_wh: order.energy,
            time_in_force: time_in_force.into(),
            good_until_micros,
            post_only: order.conditions.post_only,
            minimum_fill_wh: order.conditions.at_least.unwrap_or_default(),
        })
        .collect();
    let command = Kind::PlaceOrders(PlaceOrders { orders: orders.clone(), all_or_none: order.all_or_none });
    let (outcome::Kind::Placed(placed), receipt) = desk.submit(&key, command).await? else {
        return Err(desk.incomplete("the answers to the orders"));
    };
    if placed.orders.len() != orders.len() {
        return Err(desk.incomplete("an answer to each order"));
    }
    let next = next_command("parkwatt orders --open", options);
    Ok(placed_report(&orders, &placed.orders, &receipt, &next, &desk))
}

const SECONDS_PER_SLOT: u64 = 900;
/// How many slots a schedule over midnight has at most that is written as two times of day: half a day. A longer one
/// was probably written the wrong way round.
const OVERNIGHT_MAX: u32 = 48;

/// Returns how long orders stand, with the moment where there is one.
fn time_in_force(conditions: Conditions, desk: &Desk) -> Result<(TimeInForce, u64), Failure> {
    match conditions {
        Conditions { immediate: true, .. } => Ok((TimeInForce::ImmediateOrCancel, 0)),
        Conditions { fill_or_kill: true, .. } => Ok((TimeInForce::FillOrKill, 0)),
        Conditions { good_until: Some(until), .. } => Ok((TimeInForce::GoodUntil, desk.next_moment(until)?)),
        _ => Ok((TimeInForce::GoodUntilGate, 0)),
    }
}

/// Returns the slots of a schedule, of which there is at least one.
fn slots(order: Order, desk: &Desk) -> Result<std::ops::Range<u32>, Failure> {
    let from = desk.next_slot(order.at.from)?;
    let until = match (order.at.until, order.until) {
        (None, None) if order.all_or_none => {
            return Err(Failure::Usage {
                field: "--all-or-none",
                problem: "one order alone is placed or refused whole in any case".to_owned(),
                next: "Leave it out, or say until when: --at 12:00-14:00.".to_owned(),
            });
        }
        (None, None) => return Ok(from..from + 1),
        (Some(until), None) | (None, Some(until)) => until,
        (Some(_), Some(_)) => {
            return Err(Failure::Usage {
                field: "--until",
                problem: "--at says the end of the schedule already".to_owned(),
                next: "Leave out --until.".to_owned(),
            });
        }
    };
    let end = until.after(from, desk.now_micros, &desk.zone).filter(|end| *end > from).ok_or_else(|| {
        Failure::Usage {
            field: "--until",
            problem: format!(
                "the end of the schedule is not after its beginning, {}",
                slot_text(from, &desk.zone)
            ),
            next: "Choose a later --until, or leave it out for one quarter hour.".to_owned(),
        }
    })?;
    let is_overnight = slot_date(from, &desk.zone) != slot_date(end - 1, &desk.zone);
    if order.at.until.is_some() && is_overnight && end - from > OVERNIGHT_MAX {
        return Err(Failure::Usage {
            field: "--at",
            problem: format!("it would last until {}, on another day", slot_text(end, &desk.zone)),
            next: format!(
                "If you mean it, say so: --at \"{}\" --until \"{}\".",
                slot_text(from, &desk.zone),
                slot_text(end, &desk.zone)
            ),
        });
    }
    let max = desk.genesis.schedule_len_max;
    if end - from > max {
        return Err(Failure::Usage {
            field: "--until",
            problem: format!(
                "{} quarter hours are more than the {max} that one command may hold",
                end - from
            ),
            next: format!(
                "Choose --until \"{}\" or earlier, and then go on from there.",
                slot_text(from + max, &desk.zone)
            ),
        });
    }
    Ok(from..end)
}

/// Returns the report on a schedule and its answers, of which there are as many.
///
/// `next` is what to do after orders of which none was refused.
fn placed_report(
    orders: &[NewOrder],
    answers: &[OrderAnswer],
    receipt: &Receipt,
    next: &str,
    desk: &Desk,
) -> Report {
    let columns = [
        left("order"),
        left(format!("delivery ({})", zone_text(&desk.zone))),
        left("side"),
        right("energy"),
        right("limit"),
        left("result"),
    ];
    let placed: Vec<_> =
        orders.iter().zip(answers).map(|(order, answer)| Placed::new(order, answer, receipt)).collect();
    let rows = placed.iter().map(|placed| placed.row(desk)).collect();
    // Of an all-or-none schedule one order says why, and the others only that it was refused.
    let refusals = || placed.iter().filter_map(Placed::rejection);
    let refusal = refusals().find(|it| it.code != "SCHEDULE_MUST_HOLD_WHOLE").or_else(|| refusals().next());
    let next = refusal.map_or(next, |rejection| advice::after_rejection(&rejection.code));
    let made = match &receipt.trades[..] {
        [] => String::new(),
        made => format!("\n{}", trades::made(made, desk)),
    };
    let text = format!(
        "{}{}{made}
Next: {next}",
        table(&columns, rows, "no orders"),
        reasons(&placed, desk)
    );
    Report {
        json: json!({
            "leaf_index": receipt.leaf_index,
            "at_micros": receipt.at_micros,
            "orders": placed.iter().map(Placed::json).collect::<Vec<_>>(),
            "trades": receipt.trades.iter().map(trades::json).collect::<Vec<_>>(),
        }),
        text,
        refused: refusal.is_some(),
        csv: None,
    }
}

/// Returns why orders were refused: each reason once, with the first order that it concerns and how many more.
fn reasons(placed: &[Placed], desk: &Desk) -> String {
    let mut reasons: Vec<(String, u32, usize)> = Vec::new();
    for (rejection, order) in placed.iter().filter_map(|it| Some((it.rejection()?, it.order))) {
        let reason = rejection_text(rejection);
        match reasons.iter_mut().find(|(known, ..)| *known == reason) {
            Some((.., more)) => *more += 1,
            None => reasons.push((reason, order.slot, 0)),
        }
    }
    let line = |(reason, slot, more): &(String, u32, usize)| {
        let first = slot_text(*slot, &desk.zone);
        let first = if *more == 0 { first } else { say(&format!("{first} and {more} more")) };
        format!("{first}: {reason}\n")
    };
    let lines: String = reasons.iter().map(line).collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

/// An order, its answer, and what traded of it at once.
struct Placed<'a> {
    order: &'a NewOrder,
    answer: Option<&'a order_answer::Kind>,
    traded_wh: u64,
    lapsed_wh: u64,
}

impl<'a> Placed<'a> {
    fn new(order: &'a NewOrder, answer: &'a OrderAnswer, receipt: &Receipt) -> Self {
        let answer = answer.kind.as_ref();
        let id = match answer {
            Some(order_answer::Kind::Accepted(id)) => Some(*id),
            _ => None,
        };
        let own =
            receipt.trades.iter().filter(|trade| id.is_some() && (trade.bid == id || trade.offer == id));
        let lapsed = receipt.lapsed.iter().filter(|lapsed| id.is_some() && lapsed.order == id);
        Placed {
            order,
            answer,
            traded_wh: own.map(|trade| trade.energy_wh).sum(),
            lapsed_wh: lapsed.map(|lapsed| lapsed.energy_wh).sum(),
        }
    }

    fn id(&self) -> Option<String> {
        match self.answer {
            Some(order_answer::Kind::Accepted(id)) => Some(order_id(*id)),
            _ => None,
        }
    }

    fn rejection(&self) -> Option<&'a parkwatt_client::v1::Rejection> {
        match self.answer {
            Some(order_answer::Kind::Rejected(rejection)) => Some(rejection),
            _ => None,
        }
    }

    fn row(&self, desk: &Desk) -> Vec<String> {
        let result = match (self.rejection(), self.traded_wh, self.lapsed_wh) {
            (Some(_), ..) => "refused".to_owned(),
            (None, 0, 0) => "accepted, waits in the book".to_owned(),
            (None, 0, lapsed) => format!("accepted, nothing traded, {} lapsed", energy_text(lapsed)),
            (None, traded, 0) if traded == self.order.energy_wh => "accepted, traded whole".to_owned(),
            (None, traded, 0) => {
                format!("accepted, {} traded, the rest waits in the book", energy_text(traded))
            }
            (None, traded, lapsed) => {
                format!("accepted, {} traded, {} lapsed", energy_text(traded), energy_text(lapsed))
            }
        };
        vec![
            self.id().unwrap_or_else(|| "-".to_owned()),
            slot_text(self.order.slot, &desk.zone),
            word("SIDE_", self.order.side().as_str_name()),
            energy_text(self.order.energy_wh),
            price_text(self.order.limit_price_micros_per_kwh),
            result,
        ]
    }

    fn json(&self) -> Value {
        json!({
            "order_id": self.id(),
            "slot": self.order.slot,
            "delivery_start": slot_rfc3339(self.order.slot),
            "side": word("SIDE_", self.order.side().as_str_name()),
            "energy_wh": self.order.energy_wh,
            "limit_price_micros_per_kwh": self.order.limit_price_micros_per_kwh,
            "outcome": if self.rejection().is_some() { "rejected" } else { "accepted" },
            "rejection": self.rejection().map(rejection_json),
            "traded_wh": self.traded_wh,
            "lapsed_wh": self.lapsed_wh,
        })
    }
}
