//! Printing: a result for people or for machines, a bar while it is not there, and the exit code.

use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use parkwatt::audit::{Progress, Verdict};
use serde::Serialize;

use crate::args::{Output, Printing};

/// The exit code of a command line that cannot be understood.
pub const EXIT_USAGE: u8 = 64;
/// The exit code of a report, a file or a result that could not be written.
pub const EXIT_OUTPUT: u8 = 74;

/// Prints a result, or where little is wanted only its conclusion, and returns the exit code.
pub fn finish(
    result: &(impl Serialize + Display),
    conclusion: &impl Display,
    printing: &Printing,
    verdict: Verdict,
) -> ExitCode {
    match print(result, conclusion, printing) {
        Ok(()) => ExitCode::from(verdict.exit_code()),
        // Who reads the result has closed it; the verdict stands.
        Err(problem) if problem.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(verdict.exit_code()),
        Err(problem) => not_written(&format_args!("the result cannot be written: {problem}")),
    }
}

/// Says on the error output what cannot be written, and returns the exit code.
pub fn not_written(what: &dyn Display) -> ExitCode {
    eprintln!("parkwatt-audit: {what}");
    ExitCode::from(EXIT_OUTPUT)
}

/// Says what is wrong with the command line, and returns the exit code.
pub fn misused(problem: &dyn Display) -> ExitCode {
    eprintln!("error: {problem}\n\nFor more information, try '--help'.");
    ExitCode::from(EXIT_USAGE)
}

/// Returns a bar that shows how far it is, how fast, and how long it still takes.
pub fn bar(printing: &Printing) -> ProgressBar {
    let bar = if printing.quiet { ProgressBar::hidden() } else { ProgressBar::no_length() };
    let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}, {eta} left");
    bar.with_style(style.expect("the template is well-formed"))
}

/// Moves the bar.
pub fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.bytes_total);
    bar.set_position(progress.bytes);
    let leaves = progress.leaves;
    let rate = u128::from(leaves) * 1000 / bar.elapsed().as_millis().max(1);
    let rate = HumanCount(u64::try_from(rate).unwrap_or(u64::MAX));
    bar.set_message(format!("{} leaves, {rate}/s", HumanCount(leaves)));
}

fn print(
    result: &(impl Serialize + Display),
    conclusion: &impl Display,
    printing: &Printing,
) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match printing.output {
        Output::Json => {
            serde_json::to_writer_pretty(&mut out, result)?;
            writeln!(out)
        }
        Output::Text if printing.quiet => write!(out, "{conclusion}"),
        Output::Text => write!(out, "{result}"),
    }
}
