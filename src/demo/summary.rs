//! The summary: what the day was, for a person who reads it in a minute.
//!
//! Reads the node's views; decides nothing.

use std::{collections::BTreeMap, fmt::Write};

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, presets};
use parkwatt_engine::{Account, CertificateClass, Energy, ParticipantId, Phase, Slot, Trade, Worth};

use super::{
    grid,
    park::{Kind, Park, Point},
    plot,
};
use crate::views::Views;

/// 1e-9 yuan in one fen.
const NANOS_PER_FEN: i128 = 10_000_000;

/// What was traded, paid and saved.
pub struct Summary<'a> {
    park: &'a Park,
    views: &'a Views,
    slots: Vec<Slot>,
}

/// What a group of points had.
#[derive(Clone, Copy, Default)]
struct Group {
    points: u64,
    bought_wh: u64,
    sold_wh: u64,
    without: Worth,
    with: Worth,
}

impl Group {
    fn add(&mut self, other: Group) {
        self.points += other.points;
        self.bought_wh += other.bought_wh;
        self.sold_wh += other.sold_wh;
        self.without = self.without.plus(other.without);
        self.with = self.with.plus(other.with);
    }
}

impl<'a> Summary<'a> {
    /// Draws the summary of the first `days` of `park`, as a node's `views` show them.
    pub fn new(park: &'a Park, views: &'a Views, days: u32) -> Summary<'a> {
        let slots = (0..days * 96).map(|quarter| Slot(park.first_slot.0 + quarter)).collect();
        Summary { park, views, slots }
    }

    /// Returns the whole summary.
    pub fn text(&self) -> String {
        format!(
            "\nEnergy and prices\n{}\nWhat each group saved (yuan)\n{}{}\nThe grid\n{}\n\
             Certificates\n{}\n{}\n",
            self.energy_and_prices(),
            self.savings(),
            self.charges(),
            grid::text(self.views),
            self.certificates(),
            self.plots(),
        )
    }

    /// Returns energy and prices as lines of text.
    fn energy_and_prices(&self) -> String {
        let config = &self.views.config;
        let (mut exported, mut imported) = (0, 0);
        for [generation, load] in self.park.points.iter().flat_map(|point| &point.profile[..self.slots.len()])
        {
            exported += generation.saturating_sub(*load);
            imported += load.saturating_sub(*generation);
        }
        let (mut traded, mut delivered) = (0, 0);
        let [mut paid, mut all_in, mut feed_in, mut retail] = [Worth::ZERO; 4];
        for view in self.views.orders.trades() {
            let (trade, tariff) = (&view.trade, config.tariff(view.trade.slot));
            traded += trade.energy.0;
            delivered += view.delivered().0;
            paid = paid.plus(trade.price.times(trade.energy));
            all_in = all_in.plus(trade.buyer_price().times(trade.energy));
            feed_in = feed_in.plus(tariff.feed_in.times(trade.energy));
            retail = retail.plus(tariff.retail.times(trade.energy));
        }
        let mean = |worth: Worth| mean_price(worth, traded);
        let mut text = String::new();
        let mut line =
            |name: &str, value: String| writeln!(text, "  {name:<34} {value}").expect("text takes text");
        let is_settled = |slot: &&Slot| {
            self.views.slots.get(**slot).is_some_and(|view| view.phase >= Some(Phase::Settled))
        };
        let settled = self.slots.iter().filter(is_settled).count();
        line("Quarter hours settled", format!("{settled} of {}", self.slots.len()));
        line(
            "Metered at the connection points",
            format!("{} fed in, {} drawn", kwh(exported), kwh(imported)),
        );
        line(
            "Traded over the wall",
            format!("{} in {} trades", kwh(traded), self.views.orders.trades().count()),
        );
        line("Delivered of it", format!("{} ({})", kwh(delivered), percent(delivered, traded)));
        line("Share of the fed-in energy sold", percent(delivered, exported));
        line("Sellers were paid", format!("{}, feed-in alone pays {}", mean(paid), mean(feed_in)));
        line("Buyers paid, all-in", format!("{}, retail alone costs {}", mean(all_in), mean(retail)));
        text
    }

    /// Returns what each group of points saved, and all together, as a table.
    fn savings(&self) -> String {
        let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
        let mut all = Group::default();
        for (number, point) in (0..).zip(&self.park.points) {
            let its = self.of_point(ParticipantId(number), point);
            groups.entry(group_of(point)).or_default().add(its);
            all.add(its);
        }
        let mut table = table(&["group", "points", "bought", "sold", "cost without", "cost with", "saved"]);
        for (name, group) in groups.into_iter().chain([("all", all)]) {
            table.add_row([
                name.to_string(),
                group.points.to_string(),
                kwh(group.bought_wh),
                kwh(group.sold_wh),
                yuan(group.without),
                yuan(group.with),
                yuan(group.without.minus(group.with)),
            ]);
        }
        format!("{table}\n")
    }

    /// Returns what buyers paid on top of the energy, as lines of text.
    fn charges(&self) -> String {
        let mut text = String::new();
        for (name, account) in [
            ("Paid to the network, for wheeling", Account::Network),
            ("Paid for room on full transformers", Account::Congestion),
            ("Paid to the market, its fee", Account::Market),
        ] {
            let balance = self.views.balance(account);
            let is_free = account == Account::Congestion && balance == Worth::ZERO;
            let why = is_free.then(|| grid::why_free(self.views)).flatten();
            let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
            writeln!(text, "  {name:<34} {} yuan{why}", yuan(balance)).expect("text takes text");
        }
        text
    }

    fn of_point(&self, id: ParticipantId, point: &Point) -> Group {
        let delivered = |is_his: fn(&Trade, ParticipantId) -> bool| {
            let his = self.views.orders.trades_of(id).filter(|view| is_his(&view.trade, id));
            his.map(|view| view.delivered().0).sum()
        };
        Group {
            points: 1,
            bought_wh: delivered(|trade, id| trade.buyer == id),
            sold_wh: delivered(|trade, id| trade.seller == id),
            without: self.cost_without_market(point),
            with: self.cost_with_market(id, point),
        }
    }

    /// Returns certificates as lines of text.
    fn certificates(&self) -> String {
        let is_exported = |id| self.views.certificates.class(id) == CertificateClass::Exported;
        let all = || self.views.certificates.all().filter(|(_, id, _)| is_exported(*id));
        let own = self.views.certificates.all().filter(|(_, id, _)| !is_exported(*id));
        let retired: u64 = all().map(|(.., it)| it.retired).sum();
        let held: u64 = all().map(|(.., it)| it.held).sum();
        let with_buyers: u64 =
            all().filter(|(holder, id, _)| *holder != id.producer).map(|(.., it)| it.held).sum();
        let mut text = String::new();
        for (name, value) in [
            ("Certificates issued", held + retired),
            ("Claimed by businesses", retired),
            ("Held by other buyers", with_buyers),
            ("Left with their producers", held - with_buyers),
            ("Certified as self-consumed", own.map(|(.., it)| it.held).sum()),
        ] {
            writeln!(text, "  {name:<34} {}", kwh(value)).expect("text takes text");
        }
        text
    }

    /// Returns the day's volume and prices as plots.
    fn plots(&self) -> String {
        let config = &self.views.config;
        let mut columns = vec![Column::default(); plot::COLUMNS];
        let per_column = self.slots.len() / self.days() / plot::COLUMNS;
        for slot in &self.slots {
            let column = &mut columns[usize::from(slot.quarter_of_day()) / per_column];
            column.retail = Some(config.tariff(*slot).retail.0);
            column.feed_in = Some(config.tariff(*slot).feed_in.0);
        }
        for view in self.views.orders.trades() {
            let trade = &view.trade;
            let column = &mut columns[usize::from(trade.slot.quarter_of_day()) / per_column];
            column.traded_wh += trade.energy.0;
            column.paid = column.paid.plus(trade.price.times(trade.energy));
            column.all_in = column.all_in.plus(trade.buyer_price().times(trade.energy));
        }
        let volume: Vec<u64> = columns.iter().map(|column| column.traded_wh / 1000).collect();
        let mean = |worth: fn(&Column) -> Worth| {
            columns.iter().map(|column| mean_micros(worth(column), column.traded_wh)).collect()
        };
        let lines = [
            ('─', columns.iter().map(|column| column.retail).collect()),
            ('┄', columns.iter().map(|column| column.feed_in).collect()),
            ('○', mean(|column| column.all_in)),
            ('●', mean(|column| column.paid)),
        ];
        format!(
            "Traded by half hour (UTC)\n{}{}\nPrices: ─ retail, ┄ feed-in, ○ buyers all-in, ● sellers\n{}{}",
            plot::bars(&volume, 6, "kWh"),
            plot::hours(),
            plot::lines(&lines, 12),
            plot::hours(),
        )
    }

    fn days(&self) -> usize {
        self.slots.len() / 96
    }

    fn cost_without_market(&self, point: &Point) -> Worth {
        let mut cost = Worth::ZERO;
        for (slot, [generation, load]) in self.slots.iter().zip(&point.profile) {
            let tariff = self.views.config.tariff(*slot);
            cost = cost.plus(tariff.retail.times(Energy(load.saturating_sub(*generation))));
            cost = cost.minus(tariff.feed_in.times(Energy(generation.saturating_sub(*load))));
        }
        cost
    }

    /// What was paid in, less what is left.
    fn cost_with_market(&self, id: ParticipantId, point: &Point) -> Worth {
        let deposit = Worth(i128::from(super::deposit_fen(point)) * NANOS_PER_FEN);
        deposit.minus(self.views.balance(Account::Participant(id)))
    }
}

/// A half hour of the plots.
#[derive(Clone, Default)]
struct Column {
    traded_wh: u64,
    paid: Worth,
    all_in: Worth,
    retail: Option<i64>,
    feed_in: Option<i64>,
}

fn group_of(point: &Point) -> &'static str {
    match (point.kind, point.pv_capacity_w > 0) {
        (Kind::PvPlant, _) => "PV plants",
        (Kind::Business, true) => "businesses with PV",
        (Kind::Business, false) => "businesses",
        (Kind::Household, true) => "households with PV",
        (Kind::Household, false) => "households",
    }
}

/// Returns a table with right-aligned numbers behind its first column.
fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    let style = presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none());
    table.load_style(style).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Returns an energy in kWh with one decimal, half up.
pub fn kwh(wh: u64) -> String {
    let tenths = (wh + 50) / 100;
    format!("{}.{} kWh", thousands(tenths / 10), tenths % 10)
}

/// Returns a number with commas between its thousands.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn yuan(worth: Worth) -> String {
    let fen = (worth.0 + NANOS_PER_FEN / 2).div_euclid(NANOS_PER_FEN);
    let sign = if fen < 0 { "-" } else { "" };
    let whole = u64::try_from(fen.unsigned_abs() / 100).unwrap_or(u64::MAX);
    format!("{sign}{}.{:02}", thousands(whole), fen.unsigned_abs() % 100)
}

/// Returns a share in per cent with one decimal, half up.
fn percent(part: u64, whole: u64) -> String {
    let tenths =
        (u128::from(part) * 2000 + u128::from(whole)).checked_div(u128::from(whole) * 2).unwrap_or(0);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

fn mean_micros(worth: Worth, energy_wh: u64) -> Option<i64> {
    let mean = worth.0.checked_div(i128::from(energy_wh))?;
    i64::try_from(mean).ok()
}

fn mean_price(worth: Worth, energy_wh: u64) -> String {
    mean_micros(worth, energy_wh).map_or_else(
        || "-".into(),
        |micros| {
            let tenths_of_fen = (micros + 500) / 1000;
            format!("{}.{:03} yuan/kWh", tenths_of_fen / 1000, tenths_of_fen % 1000)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(kwh(1_234_567), "1,234.6 kWh");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(yuan(Worth(-1_234_567_000_000_000)), "-1,234,567.00");
        assert_eq!(percent(1, 3), "33.3 %");
        assert_eq!(percent(2, 3), "66.7 %");
        assert_eq!(percent(1, 1), "100.0 %");
        assert_eq!(percent(1, 0), "0.0 %");
    }
}
