//! How the live view looks: four frames and a line, on any size of terminal.
//!
//! Knows words and places; asks nobody anything.

use parkwatt_client::v1::{Level, Order, OwnTrade, SlotSummary};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table, Wrap};

use super::super::language::say;
use super::super::quantity::{energy_text, price_text};
use super::super::report::word;
use super::super::time::{moment_text, slot_text, zone_text};
use super::Seen;

/// The letters of the longest bar of the day's prices.
const BAR: usize = 12;

/// Draws what was seen, and in the last line what is wrong now.
pub fn draw(frame: &mut Frame, seen: &Seen, trouble: Option<&str>) {
    let [head, upper, lower, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Percentage(55),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let halves = Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]);
    let [left, right] = halves.areas(upper);
    let [below_left, below_right] = halves.areas(lower);
    frame.render_widget(Line::from(head_text(seen)).bold(), head);
    depth(frame, seen, left);
    prices(frame, seen, right);
    orders(frame, seen, below_left);
    trades(frame, seen, below_right);
    let foot_line = match trouble {
        Some(trouble) => Line::from(say(trouble)).fg(Color::Red),
        None => Line::from(say("← → another quarter hour   q ends")).dim(),
    };
    frame.render_widget(foot_line, foot);
}

fn head_text(seen: &Seen) -> String {
    let zone = &seen.desk.zone;
    let phase = say(&word("PHASE_", seen.depth.phase().as_str_name()));
    let begin = slot_text(seen.depth.slot, zone);
    let now = moment_text(seen.desk.now_micros, zone);
    let (begin, now) = (say(&format!("delivery {begin}")), say(&format!("now {now}")));
    format!("{}  {begin}  {phase}    {now} ({})", seen.desk.genesis.market, zone_text(zone))
}

/// Returns a price without its unit, which the heading has.
fn price(micros_per_kwh: i64) -> String {
    price_text(micros_per_kwh).split(' ').next().unwrap_or_default().to_owned()
}

/// Returns when a delivery begins: its time, and of another day than the one that is watched also its date.
fn delivery(slot: u32, seen: &Seen) -> String {
    let text = slot_text(slot, &seen.desk.zone);
    // 2026-06-01 12:00
    text.get(if seen.slots.contains(&slot) { 11.. } else { 5.. }).unwrap_or(&text).to_owned()
}

/// The offers, the best one lowest, and below them the bids, the best one highest.
fn depth(frame: &mut Frame, seen: &Seen, area: Rect) {
    let row = |side: &str, color: Color, level: &Level| {
        let cells = [
            say(side),
            level.zone.clone(),
            price(level.limit_price_micros_per_kwh),
            energy_text(level.energy_wh),
        ];
        Row::new(cells.map(Cell::from)).style(Style::new().fg(color))
    };
    let by_price = |levels: &[Level]| {
        let mut levels = levels.to_vec();
        levels.sort_by_key(|level| -level.limit_price_micros_per_kwh);
        levels
    };
    // As many of either side as there is room for, the best ones first.
    let room = usize::from(area.height.saturating_sub(3)) / 2;
    let (offers, bids) = (by_price(&seen.depth.offers), by_price(&seen.depth.bids));
    let mut rows: Vec<Row> = Vec::new();
    rows.extend(offers[offers.len().saturating_sub(room)..].iter().map(|it| row("offer", Color::Red, it)));
    rows.extend(bids.iter().take(room).map(|it| row("bid", Color::Green, it)));
    let heading = ["side", "zone", "yuan/kWh", "energy"];
    show(frame, area, "Book", heading, rows, "The book is empty.", [5, 12, 8, 9]);
}

fn prices(frame: &mut Frame, seen: &Seen, area: Rect) {
    let traded: Vec<&SlotSummary> =
        seen.day.iter().filter(|it| it.mean_price_micros_per_kwh.is_some()).collect();
    let most = traded.iter().map(|it| it.traded_wh).max().unwrap_or_default().max(1);
    let row = |it: &&SlotSummary| {
        let share = u128::from(it.traded_wh) * BAR as u128 / u128::from(most);
        let bar = "█".repeat(usize::try_from(share).unwrap_or(BAR));
        let begin = slot_text(it.slot, &seen.desk.zone);
        let time = begin.split_once(' ').map_or(begin.as_str(), |(_, time)| time).to_owned();
        let price = price(it.mean_price_micros_per_kwh.unwrap_or_default());
        let row = Row::new([time, price, energy_text(it.traded_wh), bar].map(Cell::from));
        if it.slot == seen.depth.slot { row.bold() } else { row }
    };
    // The newest that there is room for.
    let room = usize::from(area.height.saturating_sub(3));
    let rows = traded[traded.len().saturating_sub(room)..].iter().map(row).collect();
    let heading = ["time", "yuan/kWh", "traded", ""];
    show(frame, area, "The day's prices", heading, rows, "Nothing has traded on this day.", [5, 8, 9, 12]);
}

fn orders(frame: &mut Frame, seen: &Seen, area: Rect) {
    let Some((orders, _)) = &seen.own else { return without_key(frame, area, "Your open orders") };
    let row = |order: &Order| {
        let placed = order.order?;
        let open = placed.energy_wh.saturating_sub(order.traded_wh);
        let cells = [
            delivery(placed.slot, seen),
            say(&word("SIDE_", placed.side().as_str_name())),
            price(placed.limit_price_micros_per_kwh),
            energy_text(open),
        ];
        Some(Row::new(cells.map(Cell::from)))
    };
    let rows = orders.iter().filter_map(row).collect();
    let heading = ["delivery", "side", "yuan/kWh", "energy"];
    show(frame, area, "Your open orders", heading, rows, "You have no such orders.", [11, 5, 8, 9]);
}

fn trades(frame: &mut Frame, seen: &Seen, area: Rect) {
    let Some((_, trades)) = &seen.own else { return without_key(frame, area, "Your trades") };
    let row = |own: &OwnTrade| {
        let trade = own.trade.as_ref()?;
        let cells = [
            delivery(trade.slot, seen),
            say(&word("SIDE_", own.side().as_str_name())),
            price(trade.price_micros_per_kwh),
            energy_text(trade.energy_wh),
        ];
        Some(Row::new(cells.map(Cell::from)))
    };
    let rows = trades.iter().filter_map(row).collect();
    let heading = ["delivery", "side", "yuan/kWh", "energy"];
    show(frame, area, "Your trades", heading, rows, "You have no trades.", [11, 5, 8, 9]);
}

fn without_key(frame: &mut Frame, area: Rect, title: &str) {
    let text = Paragraph::new(say("Without a key only what everybody sees is shown."));
    let text = text.wrap(Wrap { trim: true });
    frame.render_widget(text.block(Block::bordered().title(say(title))), area);
}

/// Draws a table in its frame, or the words for an empty one.
fn show(
    frame: &mut Frame,
    area: Rect,
    title: &str,
    heading: [&str; 4],
    rows: Vec<Row>,
    none: &str,
    widths: [u16; 4],
) {
    let hidden = rows.len().saturating_sub(usize::from(area.height.saturating_sub(3)));
    let title = if hidden == 0 { say(title) } else { say(&format!("{} and {hidden} more", say(title))) };
    let block = Block::bordered().title(title);
    if rows.is_empty() {
        frame.render_widget(Paragraph::new(say(none)).wrap(Wrap { trim: true }).block(block), area);
        return;
    }
    let heading = Row::new(heading.map(|word| Cell::from(say(word)))).dim();
    let table = Table::new(rows, widths.map(Constraint::Length)).header(heading).block(block);
    frame.render_widget(table, area);
}
