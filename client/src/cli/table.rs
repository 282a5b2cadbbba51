//! Tables and lists of facts, for people.
//!
//! Knows how they look, and which columns have words of ours; does not know what they are about.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle, Width};

use super::language::say;

/// How tables look: one line, under the headings.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A column of a table: its heading, and how it is aligned.
#[derive(Clone, Debug)]
pub enum Column {
    /// Words.
    Left(String),
    /// Numbers.
    Right(String),
}

/// Returns a column of words.
pub fn left(heading: impl Into<String>) -> Column {
    Column::Left(heading.into())
}

/// Returns a column of numbers.
pub fn right(heading: impl Into<String>) -> Column {
    Column::Right(heading.into())
}

/// Returns a table for people, or `none` where it has no rows.
pub fn table(columns: &[Column], rows: Vec<Vec<String>>, none: &str) -> String {
    if rows.is_empty() {
        return format!("{}\n", say(none));
    }
    let heading = |column: &Column| match column {
        Column::Left(heading) | Column::Right(heading) => say(heading),
    };
    let headings: Vec<String> = columns.iter().map(heading).collect();
    let rows: Vec<Vec<String>> = rows.into_iter().map(|row| said(columns, row)).collect();
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(&headings).add_rows(&rows);
    let longest = |text: &str| text.split_whitespace().map(width).max().unwrap_or_default();
    for (index, column) in table.column_iter_mut().enumerate() {
        // No word is broken: a table that is too wide stays so.
        let cells =
            std::iter::once(headings[index].as_str()).chain(rows.iter().map(|row| row[index].as_str()));
        let least = cells.map(longest).max().unwrap_or_default() + 2;
        let least = u16::try_from(least).unwrap_or(u16::MAX);
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
    }
    for (index, column) in columns.iter().enumerate() {
        if let (Column::Right(_), Some(column)) = (column, table.column_mut(index)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{table}\n")
}

/// The columns whose cells are words of ours; what stands in others is a name or a number.
const WORDS: [&str; 10] = [
    "side",
    "takes orders",
    "state",
    "result",
    "stands",
    "matching",
    "delivered",
    "class",
    "in use",
    "doing",
];

/// Returns a row with its words in the caller's language.
fn said(columns: &[Column], row: Vec<String>) -> Vec<String> {
    let is_words = |column: &Column| match column {
        Column::Left(heading) | Column::Right(heading) => WORDS.contains(&heading.as_str()),
    };
    let cell = |(place, cell): (usize, String)| {
        if columns.get(place).is_some_and(is_words) { say(&cell) } else { cell }
    };
    row.into_iter().enumerate().map(cell).collect()
}

/// Returns how many columns of a terminal a text takes: a Chinese letter takes two.
fn width(text: &str) -> usize {
    text.chars().map(|letter| if letter.is_ascii() { 1 } else { 2 }).sum()
}

/// Returns a list of facts for people, one a line.
pub fn facts(facts: &[(&str, String)]) -> String {
    let names: Vec<_> = facts.iter().map(|(name, _)| say(name)).collect();
    let width = names.iter().map(|name| width(name)).max().unwrap_or_default();
    let line = |(name, (_, value)): (&String, &(&str, String))| {
        format!("{name}{}  {value}", " ".repeat(width - self::width(name)))
    };
    names.iter().zip(facts).map(line).collect::<Vec<_>>().join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_shows_its_headings_or_says_that_it_is_empty() {
        let columns = [left("order"), right("energy")];
        let text = table(&columns, vec![vec!["1.0".to_owned(), "2.5 kWh".to_owned()]], "none");
        assert!(text.contains("order") && text.contains("2.5 kWh"), "{text}");
        assert_eq!(table(&columns, vec![], "no orders"), "no orders\n");
    }
}
