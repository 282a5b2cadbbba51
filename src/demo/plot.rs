//! Plots in a terminal: a column of characters for each half hour of a day.

use std::fmt::Write;

/// Columns of a plot.
pub const COLUMNS: usize = 48;
/// What a cell is filled to, in eighths.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Returns bars, `height` rows high, the largest value as high as the plot; the axis shows it in `unit`.
pub fn bars(values: &[u64], height: usize, unit: &str) -> String {
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let mut text = String::new();
    for row in (0..height).rev() {
        let axis = match row {
            _ if row == height - 1 => format!("{most} {unit}"),
            0 => format!("0 {unit}"),
            _ => String::new(),
        };
        write!(text, "{axis:>12} │").expect("text takes text");
        for value in values {
            let eighths = (u128::from(*value) * height as u128 * 8).div_ceil(u128::from(most));
            let here = usize::try_from(eighths)
                .expect("a bar is not higher than the plot")
                .saturating_sub(row * 8)
                .min(8);
            text.push(EIGHTHS[here]);
        }
        text.push('\n');
    }
    text
}

/// One line of a line plot: its mark, and a value in micro-yuan per kWh where there is one.
pub type Line = (char, Vec<Option<i64>>);

/// Returns lines on one scale, `height` rows high; a later line covers an earlier one.
pub fn lines(lines: &[Line], height: usize) -> String {
    let values = || lines.iter().flat_map(|(_, values)| values.iter().flatten().copied());
    let (low, high) = (values().min().unwrap_or(0), values().max().unwrap_or(1));
    let span = (high - low).max(1);
    let steps = i64::try_from(height).expect("a plot is a few rows high") - 1;
    let row_of = |value: i64| ((value - low) * steps * 2 / span + 1) / 2;
    let mut text = String::new();
    for row in (0..=steps).rev() {
        let at = low + span * row / steps.max(1);
        write!(text, "{:>12} │", format!("{}.{:02} yuan", at / 1_000_000, at % 1_000_000 / 10_000))
            .expect("text takes text");
        for column in 0..COLUMNS {
            let here = |(_, values): &&Line| {
                values.get(column).copied().flatten().is_some_and(|value| row_of(value) == row)
            };
            text.push(lines.iter().rev().find(here).map_or(' ', |(mark, _)| *mark));
        }
        text.push('\n');
    }
    text
}

/// Returns the axis of a day's hours.
pub fn hours() -> String {
    let mut text = format!("{:>12} └{}\n{:>13}", "", "─".repeat(COLUMNS), "");
    for hour in (0..24).step_by(3) {
        write!(text, "{:<6}", format!("{hour:02}:00")).expect("text takes text");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_bar_is_as_high_as_the_plot_and_nothing_is_no_bar() {
        let plot = bars(&[0, 4, 8], 2, "kWh");
        assert_eq!(plot, "       8 kWh │  █\n       0 kWh │ ██\n");
    }

    #[test]
    fn lines_lie_at_their_heights_and_the_later_covers() {
        let plot = lines(&[('-', vec![Some(0), Some(0)]), ('o', vec![Some(1_000_000), Some(0)])], 3);
        let rows: Vec<&str> = plot.lines().map(|row| row.split('│').nth(1).unwrap().trim_end()).collect();
        assert_eq!(rows, ["o", "", "-o"]);
    }
}
