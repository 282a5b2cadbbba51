//! `watch`: a slot's depth, the day's prices, own orders and trades, as they come.
//!
//! Knows the terminal and the node; how a picture looks is `picture`'s, and when to look again `news`'s.

mod news;
mod picture;

use std::io::{self, IsTerminal};
use std::ops::Range;
use std::thread;

use ed25519_dalek::SigningKey;
use parkwatt_client::v1::{Depth, Order, OwnTrade, SlotSummary};
use parkwatt_client::{ClientError, Connection};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use serde_json::json;
use tokio::sync::mpsc::{self, Receiver};

use super::args::{Options, Watch};
use super::desk::{Desk, key_file};
use super::period;
use super::report::{Failure, Report};
use super::time::{moment_rfc3339, slot_date, slot_rfc3339};
use super::unlock::own_key;
use news::News;

/// How many of the own trades and orders are read.
const NEWEST: u32 = 50;
/// How many slots a day has at most: one on which clocks are set back.
const SLOTS_PER_DAY: u32 = 100;
const MICROS_PER_SLOT: u64 = 900_000_000;

/// What was seen at a moment.
#[derive(Debug)]
pub struct Seen {
    /// The market, and its time.
    desk: Desk,
    depth: Depth,
    /// The slots of the local day.
    slots: Range<u32>,
    /// Those of them in which something happened.
    day: Vec<SlotSummary>,
    /// The own open orders and newest trades; nothing for who has no key.
    own: Option<(Vec<Order>, Vec<OwnTrade>)>,
}

/// Shows the market until it is asked to end, or once.
pub async fn watch(asked: &Watch, options: &Options) -> Result<Report, Failure> {
    // Who has no key sees what everybody sees.
    let key = if key_file(options)?.exists() { Some(own_key(options)?) } else { None };
    let desk = Desk::open(options).await?;
    let first = if let Some(at) = asked.at {
        desk.next_slot(at)?
    } else {
        let gate = desk.now_micros + u64::from(desk.genesis.gate_before_s) * 1_000_000;
        u32::try_from(gate / MICROS_PER_SLOT).unwrap_or(u32::MAX - 1) + 1
    };
    if asked.once {
        return Ok(once(asked, &see(desk.connection, first, key.as_ref(), options).await?));
    }
    if !io::stdout().is_terminal() {
        return Err(Failure::Usage {
            field: "watch",
            problem: "there is no terminal to draw on".to_owned(),
            next: "Use --once for one picture as text.".to_owned(),
        });
    }
    let mut terminal = ratatui::try_init().map_err(|problem| no_terminal(&problem))?;
    let ended = live(&mut terminal, desk.connection, first, asked, key.as_ref(), options).await;
    ratatui::restore();
    ended.map(|()| Report { text: "The view is closed.".to_owned(), ..Report::default() })
}

/// Reads what is shown.
async fn see(
    connection: Connection,
    slot: u32,
    key: Option<&SigningKey>,
    options: &Options,
) -> Result<Seen, Failure> {
    let desk = Desk::over(connection, options).await?;
    let market = &desk.genesis.market;
    let depth = desk.connection.depth(market, slot).await?;
    let midnight = slot_date(slot, &desk.zone).and_then(|date| period::midnight(date, &desk.zone));
    let first = midnight.and_then(|micros| u32::try_from(micros / MICROS_PER_SLOT).ok()).unwrap_or(slot);
    let same_day = |other: u32| slot_date(other, &desk.zone) == slot_date(slot, &desk.zone);
    let after = (first..first.saturating_add(SLOTS_PER_DAY)).find(|slot| !same_day(*slot));
    let slots = first..after.unwrap_or(first.saturating_add(SLOTS_PER_DAY));
    let count = u32::try_from(slots.len()).unwrap_or(SLOTS_PER_DAY);
    let day = desk.connection.slots(market, first, count).await?;
    let own = match key {
        None => None,
        Some(key) => {
            let session = desk.session(key);
            let orders = desk.connection.orders(&session, true, NEWEST).await?;
            Some((orders, desk.connection.trades(&session, NEWEST).await?))
        }
    };
    Ok(Seen { desk, depth, slots, day, own })
}

/// Draws one picture as text.
fn once(asked: &Watch, seen: &Seen) -> Report {
    let backend = TestBackend::new(asked.columns, asked.rows);
    let mut terminal = Terminal::new(backend).expect("a picture in memory takes every size");
    let drawn = terminal.draw(|frame| picture::draw(frame, seen, None));
    drawn.expect("a picture in memory is drawn");
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for row in 0..asked.rows {
        let mut column = 0;
        let mut line = String::new();
        while column < asked.columns {
            let symbol = buffer[(column, row)].symbol();
            line += symbol;
            // What stands behind a letter of two columns is its second half.
            column += u16::try_from(ratatui::text::Span::raw(symbol).width().max(1)).unwrap_or(1);
        }
        text += line.trim_end();
        text.push('\n');
    }
    let (bids, offers) = (seen.depth.bids.len(), seen.depth.offers.len());
    Report {
        json: json!({
            "market_time": moment_rfc3339(seen.desk.now_micros),
            "slot": seen.depth.slot,
            "delivery_start": slot_rfc3339(seen.depth.slot),
            "bid_levels": bids,
            "offer_levels": offers,
            "picture": text,
        }),
        text,
        ..Report::default()
    }
}

/// Draws whenever there is news, until somebody presses q.
async fn live(
    terminal: &mut ratatui::DefaultTerminal,
    connection: Connection,
    mut slot: u32,
    asked: &Watch,
    key: Option<&SigningKey>,
    options: &Options,
) -> Result<(), Failure> {
    let mut keys = keys();
    let mut seen = see(connection.clone(), slot, key, options).await?;
    let mut news = News::of(&seen, key).await;
    let mut trouble = None;
    loop {
        let drawn = terminal.draw(|frame| picture::draw(frame, &seen, trouble.as_deref()));
        drawn.map_err(|problem| no_terminal(&problem))?;
        let pressed = tokio::select! {
            pressed = keys.recv() => Some(pressed.unwrap_or(Err(io::ErrorKind::UnexpectedEof.into()))),
            () = news.come() => None,
            () = tokio::time::sleep(asked.every) => None,
        };
        match pressed.transpose().map_err(|problem| no_terminal(&problem))? {
            Some(KeyCode::Char('q') | KeyCode::Esc) => return Ok(()),
            Some(KeyCode::Left) => slot = slot.saturating_sub(1),
            Some(KeyCode::Right) => slot = slot.saturating_add(1),
            _ => {}
        }
        trouble = match see(connection.clone(), slot, key, options).await {
            Ok(now) => {
                if news.has_ended() || now.slots != seen.slots {
                    news = News::of(&now, key).await;
                }
                seen = now;
                None
            }
            Err(Failure::Client(error @ (ClientError::Unreachable { .. } | ClientError::Refused { .. }))) => {
                Some(error.to_string())
            }
            Err(failure) => return Err(failure),
        };
    }
}

/// Returns the keys that are pressed, and the terminal's new size as none of them; or why there are no more.
fn keys() -> Receiver<io::Result<KeyCode>> {
    let (pressed, keys) = mpsc::channel(16);
    // It waits for a key until the program ends.
    thread::spawn(move || {
        loop {
            let key = match event::read() {
                Ok(Event::Key(key)) if key.kind == KeyEventKind::Press => Ok(code(key)),
                Ok(Event::Resize(..)) => Ok(KeyCode::Null),
                Ok(_) => continue,
                Err(problem) => Err(problem),
            };
            let is_last = key.is_err();
            if pressed.blocking_send(key).is_err() || is_last {
                return;
            }
        }
    });
    keys
}

/// Returns which key is meant: Ctrl-C is Esc.
fn code(key: KeyEvent) -> KeyCode {
    let is_break = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    if is_break { KeyCode::Esc } else { key.code }
}

fn no_terminal(problem: &io::Error) -> Failure {
    Failure::Usage {
        field: "watch",
        problem: format!("the terminal cannot be drawn on: {problem}"),
        next: "Use --once for one picture as text.".to_owned(),
    }
}
