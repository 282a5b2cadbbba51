//! What every bench says: how much it measures, and a table of figures beside their budgets.
//!
//! Knows words and columns; does not know what is measured, and judges nothing: a budget that is not met is
//! printed so.

use std::time::{Duration, Instant};

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// `cargo bench`.
    Full,
    /// `cargo bench -- --quick`, and every run that is no bench: only whether all of it works.
    Quick,
}

impl Effort {
    /// Returns what the command line asks for.
    pub fn from_args() -> Effort {
        let has = |flag: &str| std::env::args().any(|arg| arg == flag);
        if has("--bench") && !has("--quick") { Effort::Full } else { Effort::Quick }
    }

    /// Returns one of two.
    pub fn pick<T>(self, full: T, quick: T) -> T {
        match self {
            Effort::Full => full,
            Effort::Quick => quick,
        }
    }
}

/// A table that is printed when it is whole.
pub struct Table {
    title: &'static str,
    rows: Vec<[String; 5]>,
}

/// What a figure should be.
pub struct Budget {
    /// The limit, in words.
    pub said: String,
    /// Whether the figure keeps it.
    pub is_met: bool,
}

impl Table {
    /// Returns a table with the names of its columns.
    pub fn new(title: &'static str, figure: &str, beside: &str) -> Table {
        Table { title, rows: vec![["what", figure, beside, "budget", "met"].map(String::from)] }
    }

    /// Adds a row: what, its figure, and what stands beside it.
    pub fn row(&mut self, what: &str, figure: String, beside: String, budget: Option<Budget>) {
        let (said, met) = match budget {
            None => (String::new(), ""),
            Some(budget) => (budget.said, if budget.is_met { "yes" } else { "not yet" }),
        };
        self.rows.push([what.into(), figure, beside, said, met.into()]);
    }

    /// Prints it.
    pub fn print(&self) {
        let width =
            |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let widths: Vec<usize> = (0..5).map(width).collect();
        println!("\n{}\n", self.title);
        for [what, figure, beside, budget, met] in &self.rows {
            println!(
                "  {what:<0$}  {figure:>1$}  {beside:>2$}  {budget:<3$}  {met}",
                widths[0], widths[1], widths[2], widths[3]
            );
        }
        println!();
    }
}

/// Returns how long `run` takes, and what it returns.
pub fn timed<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let begin = Instant::now();
    let result = run();
    (begin.elapsed(), result)
}

/// Returns nanoseconds for each of `count`.
pub fn nanos_each(took: Duration, count: u32) -> f64 {
    took.as_secs_f64() * 1e9 / f64::from(count)
}
