//! The command `parkwatt`: from a command line to a report and an exit code.
//!
//! Each command is a function from its arguments to a `Report` or a `Failure`; only `report` writes.

// The command line.
mod args;
mod period;
mod quantity;
mod time;
mod values;
// What every command needs.
mod advice;
mod desk;
mod report;
// The commands.
mod certificates;
mod changes;
mod enrolment;
mod executions;
mod keys;
mod operator;
mod proofs;
mod standing;
mod statement;
mod tariffs;
mod trades;
mod trading;

use std::process::ExitCode;

use clap::Parser;
use parkwatt_client::v1::Side;

use args::{Cli, Command, Output};
use report::{Failure, Report};

/// Does what the command line asks.
pub async fn run() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => report::finish(&dispatch(&cli).await, cli.options.output),
        Err(error) => report::finish_parsing(&error, json_asked()),
    }
}

async fn dispatch(Cli { command, options }: &Cli) -> Result<Report, Failure> {
    if options.output == Output::Csv && !matches!(command, Command::Statement(_)) {
        return Err(Failure::Usage {
            field: "--output",
            problem: "only parkwatt statement writes CSV".to_owned(),
            next: "Use --output json; nothing was done.".to_owned(),
        });
    }
    match command {
        Command::Key(action) => keys::key(*action, options).await,
        Command::Enrol(enrol) => enrolment::enrol(enrol, options).await,
        Command::Deposit(deposit) => enrolment::deposit(deposit, options).await,
        Command::PayOut(pay_out) => operator::pay_out(pay_out, options).await,
        Command::PublishTariffs(publish) => tariffs::publish(publish, options).await,
        Command::WithdrawCertificate(withdrawal) => operator::withdraw_certificate(withdrawal, options).await,
        Command::Sell(order) => trading::place(Side::Offer, *order, options).await,
        Command::Buy(order) => trading::place(Side::Bid, *order, options).await,
        Command::Replace(replace) => changes::replace(*replace, options).await,
        Command::Cancel(cancel) => changes::cancel(cancel, options).await,
        Command::Orders { open, count } => standing::orders(*open, count.max, options).await,
        Command::Book { at } => standing::book(*at, options).await,
        Command::Trades { tape: true, at, count } => trades::tape(*at, count.max, options).await,
        Command::Trades { tape: false, count, .. } => trades::own(count.max, options).await,
        Command::Executions(asked) => executions::show(*asked, options).await,
        Command::Account => standing::account(options).await,
        Command::Statement(asked) => statement::statement(asked, options).await,
        Command::Certificates { action: Some(action), .. } => certificates::act(action, options).await,
        Command::Certificates { action: None, count } => certificates::list(count.max, options).await,
        Command::Proof { leaf_index, out } => proofs::proof(*leaf_index, out.as_deref(), options).await,
    }
}

/// Whether a command line that could not be parsed asks for JSON.
fn json_asked() -> bool {
    let words: Vec<_> = std::env::args().collect();
    words.iter().any(|word| word == "--output=json")
        || words.windows(2).any(|pair| pair == ["--output", "json"])
}
