//! `statement`: what a period changed for a participant, slot by slot, and what the market gained him.
//!
//! Knows how a statement is told; that it adds up was checked when it was read.

use jiff::civil::Date;
use parkwatt_client::v1::PaymentKind;
use parkwatt_client::{Column, Figures, Payment, Statement};
use serde_json::{Map, Value, json};

use super::args::{Options, Statement as Asked};
use super::desk::Desk;
use super::language::say;
use super::period::Month;
use super::quantity::{decimal_text, nanos_decimal, nanos_text};
use super::report::{Failure, Report, word};
use super::table::{facts, left, right, table};
use super::time::{moment_rfc3339, moment_text, slot_date, slot_rfc3339, slot_text, zone_text};
use super::unlock::own_key;

/// What machines are told beside the columns: what was drawn and fed in beyond the trades.
const GRID: [&str; 2] = ["grid_import_wh", "grid_export_wh"];

/// Shows the caller's statement.
pub async fn statement(asked: &Asked, options: &Options) -> Result<Report, Failure> {
    let key = own_key(options)?;
    let desk = Desk::open(options).await?;
    let [from, until] = period(asked, &desk)?;
    let statement = desk.connection.statement(&desk.session(&key), from, until).await?;
    Ok(Report {
        json: json!({ "statement": document(&statement) }),
        text: text(&statement, asked.slots, &desk),
        refused: false,
        csv: Some(csv(&statement)),
    })
}

/// Returns the period that is asked for, in microseconds since 1970.
fn period(asked: &Asked, desk: &Desk) -> Result<[u64; 2], Failure> {
    let usage = |field, problem: &str| Failure::Usage {
        field,
        problem: problem.to_owned(),
        next: "See parkwatt statement --help.".to_owned(),
    };
    if let Some(from) = asked.from {
        // What is recorded at this very moment belongs to it.
        let until = asked.until.unwrap_or(desk.now_micros + 1);
        if until <= from {
            return Err(usage("--until", "the period must end after it begins"));
        }
        return Ok([from, until]);
    }
    let month = asked.month.or_else(|| Month::at(desk.now_micros, &desk.zone));
    let bounds = month.and_then(|month| month.bounds(&desk.zone));
    bounds.ok_or_else(|| usage("--month", "that month is none of a market's"))
}

/// Returns the statement as CSV: a row for each slot, then one for each payment.
fn csv(statement: &Statement) -> String {
    let names = Column::ALL.map(Column::name).into_iter().chain(GRID);
    let heading = ["slot", "delivery_start", "payment", "recorded_at"].into_iter().chain(names);
    let mut lines = vec![heading.collect::<Vec<_>>().join(",")];
    for (slot, figures) in &statement.slots {
        let place = [slot.to_string(), slot_rfc3339(*slot).unwrap_or_default(), String::new(), String::new()];
        let columns = Column::ALL.map(|column| machine_text(column, figures.get(column)));
        let grid = grid(figures).map(|wh| wh.to_string());
        lines.push(place.into_iter().chain(columns).chain(grid).collect::<Vec<_>>().join(","));
    }
    for payment in &statement.payments {
        let recorded_at = moment_rfc3339(payment.at_micros).unwrap_or_default();
        let place = [String::new(), String::new(), payment_word(payment), recorded_at];
        let columns = Column::ALL.map(|column| match column {
            Column::Amount => nanos_decimal(payment.nanos),
            _ => String::new(),
        });
        let grid = GRID.map(|_| String::new());
        lines.push(place.into_iter().chain(columns).chain(grid).collect::<Vec<_>>().join(","));
    }
    lines.join("\n")
}

fn document(statement: &Statement) -> Value {
    let slot = |(slot, its): &(u32, Figures)| {
        let mut row = figures_json(its);
        row.insert("slot".to_owned(), json!(slot));
        row.insert("delivery_start".to_owned(), json!(slot_rfc3339(*slot)));
        Value::Object(row)
    };
    let payment = |it: &Payment| {
        json!({
            "leaf_index": it.leaf_index,
            "recorded_at": moment_rfc3339(it.at_micros),
            "payment": payment_word(it),
            "amount_yuan": nanos_decimal(it.nanos),
        })
    };
    json!({
        "participant": statement.participant,
        "name": statement.name,
        "from": moment_rfc3339(statement.from_micros),
        "until": moment_rfc3339(statement.until_micros),
        "tree_size": statement.tree_size,
        "opening_balance_yuan": nanos_decimal(statement.opening_nanos),
        "closing_balance_yuan": nanos_decimal(statement.closing_nanos),
        "payments_yuan": nanos_decimal(statement.payments.iter().map(|payment| payment.nanos).sum()),
        "total": figures_json(&statement.figures),
        "slots": statement.slots.iter().map(slot).collect::<Vec<_>>(),
        "payments": statement.payments.iter().map(payment).collect::<Vec<_>>(),
    })
}

fn figures_json(figures: &Figures) -> Map<String, Value> {
    let column = |column: Column| {
        let figure = figures.get(column);
        let value = if column.is_money() { json!(nanos_decimal(figure)) } else { wh_json(figure) };
        (column.name().to_owned(), value)
    };
    let grid = GRID.map(str::to_owned).into_iter().zip(grid(figures).map(wh_json));
    Column::ALL.map(column).into_iter().chain(grid).collect()
}

/// Returns the statement for people.
fn text(statement: &Statement, slots: bool, desk: &Desk) -> String {
    let zone = zone_text(&desk.zone);
    let moment = |micros| moment_text(micros, &desk.zone);
    let head = facts(&[
        ("account", format!("{} ({} {})", statement.name, say("participant"), statement.participant)),
        (
            "period",
            say(&format!(
                "from {} until {} ({zone})",
                moment(statement.from_micros),
                moment(statement.until_micros)
            )),
        ),
        ("opening balance", nanos_text(statement.opening_nanos)),
        ("closing balance", nanos_text(statement.closing_nanos)),
    ]);
    let mut columns = vec![left(format!("delivery ({zone})"))];
    columns.extend(HEADINGS.map(right));
    let mut rows: Vec<Vec<String>> = if slots {
        let slots = statement.slots.iter();
        slots.map(|(slot, figures)| row(slot_text(*slot, &desk.zone), figures)).collect()
    } else {
        days(statement, desk).into_iter().map(|(day, figures)| row(day, &figures)).collect()
    };
    rows.extend(statement.payments.iter().map(|payment| payment_row(payment, desk)));
    if !rows.is_empty() {
        let paid: i128 = statement.payments.iter().map(|payment| payment.nanos).sum();
        let amount = statement.figures.get(Column::Amount) + paid;
        let mut total = row(say("total"), &statement.figures);
        total[AMOUNT_AT] = yuan(amount);
        rows.push(total);
    }
    let (columns, rows) = without_idle(columns, rows);
    let table = table(&columns, rows, "Nothing was recorded in this period.");
    let is_estimated = statement.slots.iter().any(|(_, figures)| grid(figures).iter().any(|wh| *wh < 0));
    let note = if is_estimated { format!("\n{}\n", say(ESTIMATED)) } else { String::new() };
    let (certificates, gain) = (certificates_text(&statement.figures), gain_text(&statement.figures));
    format!("{head}\n{table}{note}\n{certificates}\n\n{gain}")
}

/// What stands under figures below zero from or to the grid.
const ESTIMATED: &str = "Less than nothing from or to the grid: a meter has not been read, and what was traded counts as delivered.";

/// What stands above the columns of a table, behind the first one.
const HEADINGS: [&str; 13] = [
    "bought\nkWh",
    "sold\nkWh",
    "delivered\nkWh",
    "deviation\nkWh",
    "from grid\nkWh",
    "to grid\nkWh",
    "energy\nyuan",
    "wheeling\nyuan",
    "other\nyuan",
    "grid\nyuan",
    "amount\nyuan",
    "no market\nyuan",
    "held\nkWh",
];
/// The place of the amount in a row.
const AMOUNT_AT: usize = 11;

/// Leaves out the columns in which nothing but zeros stands, so that a table is as narrow as it can be.
fn without_idle<C>(columns: Vec<C>, rows: Vec<Vec<String>>) -> (Vec<C>, Vec<Vec<String>>) {
    let says = |cell: &String| cell.chars().any(|letter| !"0.".contains(letter));
    let is_kept = |place: usize| [0, AMOUNT_AT].contains(&place) || rows.iter().any(|row| says(&row[place]));
    let kept: Vec<usize> = (0..columns.len()).filter(|place| is_kept(*place)).collect();
    let pick = |row: Vec<String>| kept.iter().map(|place| row[*place].clone()).collect();
    let rows = rows.into_iter().map(pick).collect();
    let columns = columns.into_iter().enumerate().filter(|(place, _)| kept.contains(place));
    (columns.map(|(_, column)| column).collect(), rows)
}

fn row(of: String, figures: &Figures) -> Vec<String> {
    let sum = |columns: &[Column]| columns.iter().map(|column| figures.get(*column)).sum();
    let energies = [
        figures.get(Column::Bought),
        figures.get(Column::Sold),
        sum(&[Column::DeliveredAsBuyer, Column::DeliveredAsSeller]),
        figures.get(Column::Deviation),
        figures.grid_import(),
        figures.grid_export(),
    ];
    let amounts = [
        figures.get(Column::Energy),
        figures.get(Column::Wheeling),
        sum(&[Column::Congestion, Column::Fee, Column::DeviationCharge]),
        sum(&[Column::Retail, Column::FeedIn]),
        figures.get(Column::Amount),
        figures.get(Column::WithoutMarket),
    ];
    let cells = energies.map(kwh).into_iter().chain(amounts.map(yuan)).chain([kwh(figures.held())]);
    [of].into_iter().chain(cells).collect()
}

fn payment_row(payment: &Payment, desk: &Desk) -> Vec<String> {
    let of = format!("{} {}", say(&payment_word(payment)), moment_text(payment.at_micros, &desk.zone));
    let mut cells = vec![String::new(); HEADINGS.len() + 1];
    cells[0] = of;
    cells[AMOUNT_AT] = yuan(payment.nanos);
    cells
}

/// Returns the sums of each day in which a delivery begins, in order.
fn days(statement: &Statement, desk: &Desk) -> Vec<(String, Figures)> {
    let mut days: Vec<(Option<Date>, Figures)> = Vec::new();
    for (slot, figures) in &statement.slots {
        let date = slot_date(*slot, &desk.zone);
        match days.last_mut() {
            Some((day, sums)) if *day == date => *sums = sums.plus(figures),
            _ => days.push((date, *figures)),
        }
    }
    let name = |date: Option<Date>| date.map_or_else(|| "later".to_owned(), |date| date.to_string());
    days.into_iter().map(|(date, sums)| (name(date), sums)).collect()
}

fn certificates_text(figures: &Figures) -> String {
    let words = [
        (Column::Issued, "issued"),
        (Column::Received, "received"),
        (Column::PassedOn, "passed on"),
        (Column::Retired, "claimed"),
        (Column::Bundled, "bundled"),
        (Column::Expired, "expired"),
        (Column::Voided, "void"),
    ];
    let parts = words.map(|(column, word)| format!("{} kWh {word}", kwh(figures.get(column))));
    format!("Certificates: {}; so {} kWh are held more.", parts.join(", "), kwh(figures.held()))
}

/// Returns in a sentence what the market gained, or lost.
fn gain_text(figures: &Figures) -> String {
    let [alone, market, gain] =
        [Column::WithoutMarket, Column::Amount, Column::Gain].map(|it| figures.get(it));
    let cost_or_paid = |nanos: i128| if nanos > 0 { "paid" } else { "cost" };
    let (alone_verb, market_verb) = (cost_or_paid(alone), cost_or_paid(market));
    let result = if gain < 0 { "lost" } else { "gained" };
    format!(
        "The retail and feed-in tariffs alone would have {alone_verb} you {}; with the market it \
         {market_verb} you {}. The market {result} you {}.",
        nanos_text(alone.abs()),
        nanos_text(market.abs()),
        nanos_text(gain.abs())
    )
}

fn payment_word(payment: &Payment) -> String {
    match payment.kind {
        PaymentKind::Unspecified => "payment".to_owned(),
        kind => word("PAYMENT_KIND_", kind.as_str_name()),
    }
}

/// Returns a figure for machines: whole Wh, or decimal yuan with nine decimals.
fn machine_text(column: Column, figure: i128) -> String {
    if column.is_money() { nanos_decimal(figure) } else { figure.to_string() }
}

fn grid(figures: &Figures) -> [i128; 2] {
    [figures.grid_import(), figures.grid_export()]
}

fn wh_json(wh: i128) -> Value {
    json!(i64::try_from(wh).ok())
}

/// Returns an energy for a column that names its unit.
fn kwh(wh: i128) -> String {
    decimal_text(wh, 3, 0)
}

/// Returns an amount for a column that names its unit.
fn yuan(nanos: i128) -> String {
    decimal_text(nanos, 9, 2)
}
