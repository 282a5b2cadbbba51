//! `parkwatt-audit`: the regulator's tool. It proves from a ledger's files alone that nothing was changed,
//! and that everything follows from signed commands; it reports what the market did, and checks what others prove
//! from the ledger.

use std::{
    fmt::Display,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum, error::ErrorKind};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use parkwatt::audit::{
    self, Audit, Conclusion, Depth, Judgement, Period, Progress, ReportOrder, Task, Verdict,
};
use parkwatt_engine::Slot;
use parkwatt_ledger::CheckpointVerifier;
use serde::Serialize;

/// The exit code of a command line that cannot be understood.
const EXIT_USAGE: u8 = 64;
/// The exit code of a report that could not be written.
const EXIT_OUTPUT: u8 = 74;

/// Prove from a market's files alone, without trusting who wrote them, what the market did.
///
/// Nothing in the folder is changed, and no network is used. The node must be stopped, or the folder be a
/// copy.
#[derive(Parser)]
#[command(version, propagate_version = true, after_help = HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check every frame, hash, checkpoint and signature, and that the store is the journal's.
    #[command(after_help = HELP)]
    Verify(Options),
    /// Do all that `verify` does, run the engine over the signed commands, and compare every leaf.
    #[command(after_help = HELP)]
    Replay(Options),
    /// Do all that `replay` does, and write what the market did to a new folder: trades, postings, mass balance,
    /// certificates, and whether all sums agree.
    #[command(after_help = HELP)]
    Report(ReportOptions),
    /// Check a file that proves a part of a ledger, without the ledger: a retirement statement
    /// (parkwatt certificates statement) or one entry (parkwatt proof).
    #[command(after_help = CHECK_HELP)]
    Check {
        /// The file.
        file: PathBuf,
        /// The ledger's verifier key, or a file with it; without it the key in a statement is believed.
        #[arg(long, value_name = "KEY", value_parser = vkey)]
        vkey: Option<String>,
        /// How the result is printed.
        #[command(flatten)]
        printing: Printing,
    },
    /// Compare a ledger's store with its journal; this program runs itself so, since a damaged store can
    /// crash it.
    #[command(hide = true)]
    CheckStore {
        /// The market's folder.
        dir: PathBuf,
    },
}

const HELP: &str = "\
Examples:
  parkwatt-audit verify parkwatt-demo               the one market in this folder
  parkwatt-audit replay parkwatt-data/park          this market, and whether the engine agrees
  parkwatt-audit replay park --vkey park.vkey       with the key you were given, not the one in the folder
  parkwatt-audit replay park --output json | jq .verdict
  parkwatt-audit report park --out report-2026-05 --from 2026-05-01 --until 2026-05-31

Exit codes:
  0   intact      everything that was checked holds
  1   tampered    something is not as it was signed; the file and byte, or the leaf, is named
  2   diverged    signed by the node, but it does not follow from the commands; the first leaf is named
  3   unreadable  missing, not permitted, not a ledger, or a node is writing to it
  4   differing   the ledger is intact and the report is written, but sums in it differ that must agree
  64  the command line cannot be understood
  74  the result or the report cannot be written";

const CHECK_HELP: &str = "\
Examples:
  parkwatt-audit check retirement-1234.json --vkey park.vkey
  parkwatt-audit check leaf-1234.tlog-proof --vkey park.vkey

Exit codes:
  0   intact      every proof holds, and what is stated follows from them
  1   tampered    a proof does not hold, or more, less or something else is stated; what, is named
  3   unreadable  missing, not permitted, neither of the two, or without a key
  64  the command line cannot be understood";

#[derive(Args)]
struct Options {
    /// The market's folder, such as parkwatt-data/park, or the folder above it if that has only one market.
    dir: PathBuf,
    /// The ledger's verifier key, or a file with it; without it the file 'vkey' beside the journal is
    /// believed.
    #[arg(long, value_name = "KEY", value_parser = vkey)]
    vkey: Option<String>,
    /// How the result is printed.
    #[command(flatten)]
    printing: Printing,
}

#[derive(Args)]
struct Printing {
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Show no progress, and print only what is wrong and the verdict.
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Args)]
struct ReportOptions {
    #[command(flatten)]
    options: Options,
    /// Where the report is written: a new folder, or an empty one.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// The first slot of delivery that it is about: its number, the moment at which it begins, or a day (UTC).
    #[arg(long, value_name = "SLOT", value_parser = Period::first_slot)]
    from: Option<Slot>,
    /// The last slot, or the last day (UTC).
    #[arg(long, value_name = "SLOT", value_parser = Period::last_slot)]
    until: Option<Slot>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(problem) => {
            // Nothing is left to say if even this cannot be printed.
            let _ = problem.print();
            return if problem.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match cli.command {
        Command::Verify(options) => prove(&options, Depth::Verify),
        Command::Replay(options) => prove(&options, Depth::Replay),
        Command::Report(options) => report(&options),
        Command::Check { file, vkey, printing } => {
            let checked = audit::check_file(&file, vkey.as_deref());
            finish(print(&checked, &Judgement(&checked), &printing), checked.verdict)
        }
        Command::CheckStore { dir } => audit::check_store(&dir),
    }
}

fn prove(options: &Options, depth: Depth) -> ExitCode {
    run(options, |task, bar| Ok(audit::audit(&Task { depth, ..*task }, |progress| show(bar, progress))))
}

fn report(options: &ReportOptions) -> ExitCode {
    let ReportOptions { options, out, from, until } = options;
    let period = Period { from: *from, until: *until };
    if let (Some(from), Some(until)) = (from, until)
        && from > until
    {
        let problem = "--from lies behind --until\n";
        // Nothing is left to say if even this cannot be printed.
        let _ = Cli::command().error(ErrorKind::ValueValidation, problem).print();
        return ExitCode::from(EXIT_USAGE);
    }
    let order = ReportOrder { out, period };
    run(options, |task, bar| audit::report(task, &order, |progress| show(bar, progress)))
}

/// Audits with a bar that shows how far it is, prints what came of it, and returns the exit code.
fn run(options: &Options, audit: impl FnOnce(&Task<'_>, &ProgressBar) -> io::Result<Audit>) -> ExitCode {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("parkwatt-audit"));
    let (dir, vkey) = (&options.dir, options.vkey.as_deref());
    let task = Task { dir, vkey, depth: Depth::Replay, program: &program };
    let bar = if options.printing.quiet { ProgressBar::hidden() } else { ProgressBar::no_length() };
    bar.set_style(style());
    let audited = audit(&task, &bar);
    bar.finish_and_clear();
    match audited {
        Ok(audit) => finish(print(&audit, &Conclusion(&audit), &options.printing), audit.verdict),
        Err(problem) => {
            eprintln!("parkwatt-audit: the report cannot be written: {problem}");
            ExitCode::from(EXIT_OUTPUT)
        }
    }
}

fn finish(printed: io::Result<()>, verdict: Verdict) -> ExitCode {
    match printed {
        Ok(()) => ExitCode::from(verdict.exit_code()),
        // Who reads the result has closed it; the verdict stands.
        Err(problem) if problem.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(verdict.exit_code()),
        Err(problem) => {
            eprintln!("parkwatt-audit: the result cannot be written: {problem}");
            ExitCode::from(EXIT_OUTPUT)
        }
    }
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.bytes_total);
    bar.set_position(progress.bytes);
    let leaves = progress.leaves;
    let rate = u128::from(leaves) * 1000 / bar.elapsed().as_millis().max(1);
    let rate = HumanCount(u64::try_from(rate).unwrap_or(u64::MAX));
    bar.set_message(format!("{} leaves, {rate}/s", HumanCount(leaves)));
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}, {eta} left")
        .expect("the template is well-formed")
}

/// Prints a result; where little is wanted, only its conclusion.
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

/// Takes a verifier key, or the file that has one.
fn vkey(given: &str) -> Result<String, String> {
    let verifier = CheckpointVerifier::from_vkey_or_file(given);
    verifier.map(|verifier| verifier.vkey().to_owned()).map_err(|problem| problem.to_string())
}
