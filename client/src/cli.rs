//! The command `parkwatt`: from a command line to a report and an exit code.
//!
//! Each command is a function from its arguments to a `Report` or a `Failure`; only `report` writes.

// The command line.
mod args;
mod period;
mod quantity;
mod span;
mod time;
mod values;
// In which language and zone, and as whom.
mod catalogue;
mod language;
mod profiles;
mod surroundings;
mod unlock;
// What every command needs.
mod advice;
mod csv;
mod desk;
mod report;
mod table;
// The commands.
mod autopilot;
mod certificates;
mod changes;
mod enrolment;
mod executions;
mod help;
mod keys;
mod markets;
mod operator;
mod page;
mod proofs;
mod standing;
mod statement;
mod tariffs;
mod trades;
mod trading;
mod watch;

use std::process::ExitCode;

use parkwatt_client::v1::Side;

use args::{Cli, Command};
use report::{Failure, Report};

/// Does what the command line asks.
pub async fn run() -> ExitCode {
    let words: Vec<_> = std::env::args().collect();
    let profile = surroundings::read(&words);
    let parsed = help::command().try_get_matches_from(&words).and_then(|it| Cli::of(&it));
    match parsed {
        Ok(mut cli) => {
            let output = cli.options.output;
            let needs_none = matches!(
                cli.command,
                Command::Profile(_) | Command::Completions { .. } | Command::Man { .. }
            );
            let result = match profile {
                Err(failure) if !needs_none => Err(failure),
                profile => {
                    cli.options.fallback = profile.unwrap_or_default();
                    dispatch(&cli).await
                }
            };
            report::finish(&result, output)
        }
        Err(error) => report::finish_parsing(&error, json_asked(&words)),
    }
}

async fn dispatch(Cli { command, options }: &Cli) -> Result<Report, Failure> {
    match command {
        Command::Key(action) => keys::key(action, options).await,
        Command::Profile(action) => profiles::act(action, options),
        Command::Completions { shell } => Ok(help::completions(*shell)),
        Command::Man { out } => help::manual(out),
        Command::Enrol(enrol) => enrolment::enrol(enrol, options).await,
        Command::Deposit(deposit) => enrolment::deposit(deposit, options).await,
        Command::PayOut(pay_out) => operator::pay_out(pay_out, options).await,
        Command::PublishTariffs(publish) => tariffs::publish(publish, options).await,
        Command::WithdrawCertificate(withdrawal) => operator::withdraw_certificate(withdrawal, options).await,
        Command::Sell(order) => trading::place(Side::Offer, *order, options).await,
        Command::Buy(order) => trading::place(Side::Bid, *order, options).await,
        Command::Autopilot(asked) => autopilot::fly(asked, options).await,
        Command::Replace(replace) => changes::replace(*replace, options).await,
        Command::Cancel(cancel) => changes::cancel(cancel, options).await,
        Command::Orders { open, count } => standing::orders(*open, count.max, options).await,
        Command::Book { at } => standing::book(*at, options).await,
        Command::Markets => markets::list(options).await,
        Command::Watch(asked) => watch::watch(asked, options).await,
        Command::Page(asked) => page::page(asked, options).await,
        Command::Trades { tape: true, at, count } => trades::tape(*at, count.max, options).await,
        Command::Trades { tape: false, at, count } => trades::own(*at, count.max, options).await,
        Command::Executions(asked) => executions::show(*asked, options).await,
        Command::Account => standing::account(options).await,
        Command::Statement(asked) => statement::statement(asked, options).await,
        Command::Certificates { action: Some(action), .. } => certificates::act(action, options).await,
        Command::Certificates { action: None, count } => certificates::list(count.max, options).await,
        Command::Proof { leaf_index, out } => proofs::proof(*leaf_index, out.as_deref(), options).await,
    }
}

/// Whether a command line that could not be parsed asks for JSON.
fn json_asked(words: &[String]) -> bool {
    words.iter().any(|word| word == "--output=json")
        || words.windows(2).any(|pair| pair == ["--output", "json"])
}
