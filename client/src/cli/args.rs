//! The command line: what can be asked, with help and examples.
//!
//! Knows the words of the command line; does not know nodes, files, or how anything is answered.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, FromArgMatches, Parser, Subcommand, ValueEnum};

mod autopilot;
mod certificates;
mod enrolment;
mod key;
mod order;
mod profile;
mod statement;
mod tariffs;
mod watch;

use super::executions::Executions;
use super::language::Language;
use super::page::Page;
use super::profiles::Profile;
use super::time::When;
use super::{surroundings, values};

pub use autopilot::{AUTOPILOT_HELP, Autopilot};
pub use certificates::{Certificates, Class, WithdrawCertificate};
pub use enrolment::{Deposit, Enrol, PayOut, Role};
pub use key::{Key, NewPassphrase};
pub use order::{Cancel, Conditions, Order, Replace, Side};
pub use profile::ProfileAction;
pub use statement::{STATEMENT_HELP, Statement};
pub use tariffs::{PublishTariffs, TARIFFS_HELP};
pub use watch::Watch;

/// The address of a node on the same machine, which is the default.
const NODE: &str = "http://127.0.0.1:7400";

/// What stands under the help of `parkwatt`.
pub const FIRST_STEPS: &str = "\
FIRST STEPS:
  parkwatt key new                                   make your key
  parkwatt enrol --name sunny-roof --pv 8kW          ask the operator to enrol it
  parkwatt sell 2kWh --at 12:00 --price 0.42         offer what your roof will deliver

TIMES:
  12:00 is the next noon that can still be traded, in your time zone; \"tomorrow 12:00\" is tomorrow's.
  12:00-14:00 are the eight quarter hours between.
  \"2026-06-01 12:00\" is that day's, 2026-06-01T12:00:00+08:00 any zone's.
  A delivery begins on a quarter hour and lasts a quarter hour: a PV of 8 kW delivers at most 2 kWh in it.

EXIT CODES:
  0  done
  1  a rule of the market refused it
  2  the command line is wrong
  3  the node gave no answer
  4  the node refused the call
  5  trouble with a local file
  6  the node's answer contradicts itself";

/// Trade the electricity of your roof, or your factory's demand, in a Parkwatt market.
#[derive(Debug, Parser)]
#[command(name = "parkwatt", version, after_help = FIRST_STEPS)]
#[command(arg_required_else_help = true, max_term_width = 110)]
pub struct Cli {
    /// What is asked.
    #[command(subcommand)]
    pub command: Command,
    /// Where, as whom, and how to answer.
    #[command(flatten)]
    pub options: Options,
}

/// What every command needs.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Everywhere")]
pub struct Options {
    /// The profile to work with [default: the one in use; parkwatt profile --help]
    #[arg(long, global = true, value_name = "NAME", env = "PARKWATT_PROFILE")]
    pub profile: Option<String>,
    /// The node's address [default: the profile's, or port 7400 of this machine]
    #[arg(long, global = true, value_name = "URL", env = "PARKWATT_NODE")]
    pub node: Option<String>,
    /// The roots of an https node's certificate, as PEM [default: the profile's, or the system's]
    #[arg(long, global = true, value_name = "FILE", env = "PARKWATT_TLS_ROOTS")]
    pub tls_roots: Option<PathBuf>,
    /// A certificate to show to a node that asks for one, as PEM; with --tls-key
    #[arg(long, global = true, value_name = "FILE", env = "PARKWATT_TLS_CERTIFICATE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// The private key of --tls-certificate, as PEM
    #[arg(long, global = true, value_name = "FILE", env = "PARKWATT_TLS_KEY", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// Your key's file [default: the profile's, or ~/.parkwatt/key.pem]
    #[arg(long, global = true, value_name = "FILE", env = "PARKWATT_KEY")]
    pub key: Option<PathBuf>,
    /// The file whose first line is the passphrase of a key [default: it is asked for on the terminal]
    #[arg(long, global = true, value_name = "FILE", env = "PARKWATT_PASSPHRASE_FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// The market's name [default: the profile's, or the node's only market]
    #[arg(long, global = true, value_name = "NAME", env = "PARKWATT_MARKET")]
    pub market: Option<String>,
    /// The zone of times without an offset, such as Asia/Shanghai [default: the profile's, or the system's]
    #[arg(long, global = true, value_name = "ZONE", env = "PARKWATT_TIME_ZONE")]
    #[arg(value_parser = surroundings::zone_name)]
    pub time_zone: Option<String>,
    /// The language [default: the profile's, or that of LANG]
    #[arg(long, global = true, value_enum)]
    pub lang: Option<Language>,
    /// A table for people, one JSON document for machines, or rows for spreadsheets
    #[arg(long, global = true, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// What holds where nothing above is said.
    #[arg(skip)]
    pub fallback: Profile,
    /// Which of these were said on the command line itself, as words: what comes next needs them again.
    #[arg(skip)]
    pub said: Vec<String>,
}

/// The way to a market, by the names that the parser has for it.
const WAY: [&str; 8] =
    ["profile", "node", "tls_roots", "tls_certificate", "tls_key", "market", "key", "passphrase_file"];

impl Cli {
    /// Returns what a command line asks, as it was parsed.
    ///
    /// # Errors
    /// What is wrong with the command line.
    pub fn of(matches: &ArgMatches) -> Result<Cli, clap::Error> {
        let mut cli = Cli::from_arg_matches(matches)?;
        let said = |name: &&str| matches.value_source(name) == Some(ValueSource::CommandLine);
        let words = WAY.into_iter().filter(said).flat_map(|name| {
            let values = matches.get_raw(name).into_iter().flatten();
            [format!("--{}", name.replace('_', "-"))]
                .into_iter()
                .chain(values.map(|value| value.to_string_lossy().into_owned()))
        });
        cli.options.said = words.collect();
        Ok(cli)
    }
}

/// What holds: the option or its variable, then the profile, then the default.
impl Options {
    /// Returns the node's address.
    pub fn node(&self) -> &str {
        self.node.as_deref().or(self.fallback.node.as_deref()).unwrap_or(NODE)
    }

    /// Returns the market's name; empty for the node's only one.
    pub fn market(&self) -> &str {
        self.market.as_deref().or(self.fallback.market.as_deref()).unwrap_or_default()
    }

    /// Returns the file of the caller's key, where one is named.
    pub fn key(&self) -> Option<&PathBuf> {
        self.key.as_ref().or(self.fallback.key.as_ref())
    }

    /// Returns the file of the key's passphrase, where one is named.
    pub fn passphrase_file(&self) -> Option<&PathBuf> {
        self.passphrase_file.as_ref().or(self.fallback.passphrase_file.as_ref())
    }

    /// Returns the roots of the node's certificate.
    pub fn tls_roots(&self) -> Option<&PathBuf> {
        self.tls_roots.as_ref().or(self.fallback.tls_roots.as_ref())
    }

    /// Returns the certificate that is shown to the node, and its key.
    pub fn tls_identity(&self) -> Option<[&PathBuf; 2]> {
        let own = self.tls_certificate.as_ref().zip(self.tls_key.as_ref());
        let kept = || self.fallback.tls_certificate.as_ref().zip(self.fallback.tls_key.as_ref());
        own.or_else(kept).map(|(certificate, key)| [certificate, key])
    }
}

/// The form of the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// For machines.
    Json,
    /// For spreadsheets.
    Csv,
}

/// What can be asked.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make, show, protect or rotate the key that signs for you
    #[command(subcommand)]
    Key(Key),
    /// Keep what a command needs in each market under a name, so that none has to name it again
    #[command(subcommand)]
    Profile(ProfileAction),
    /// Enrol a participant; signed by the operator
    #[command(after_help = "\
EXAMPLES:
  parkwatt enrol --name sunny-roof --zone garden --pv 8kW
      prints the command that the market's operator has to run for you
  parkwatt enrol --name sunny-roof --zone garden --pv 8kW --operator-key operator.pem
      enrols you at once, where you hold the operator's key
  parkwatt enrol --name mill --roles consumer --connection 500kW --credit 2000 --operator-key operator.pem
      enrols a factory that may owe 2000 yuan")]
    Enrol(Box<Enrol>),
    /// Pay money in to a participant's account; signed by the operator
    #[command(after_help = "\
EXAMPLES:
  parkwatt deposit --to mill --amount 100 --operator-key operator.pem")]
    Deposit(Deposit),
    /// Pay money out of a participant's account; signed by the operator
    #[command(after_help = "\
EXAMPLES:
  parkwatt pay-out mill 99.50 --operator-key operator.pem
      at most the balance less what is reserved; credit is not paid out
  parkwatt pay-out mill --all --operator-key operator.pem
      empties the account: what is not a whole fen goes to the rounding account, or comes from it")]
    PayOut(PayOut),
    /// Publish the next version of the tariffs; signed by the operator
    #[command(after_help = TARIFFS_HELP)]
    PublishTariffs(PublishTariffs),
    /// Withdraw a certificate that a corrected reading contradicts; signed by the operator
    ///
    /// What is held, claimed, bundled or expired of it is void, and so are the national certificates that it
    /// is in. At once a new certificate is issued for what the current readings say.
    #[command(after_help = "\
EXAMPLES:
  parkwatt withdraw-certificate 1978096.2.1 --reason \"reading corrected\" --operator-key operator.pem")]
    WithdrawCertificate(WithdrawCertificate),
    /// Offer energy for sale, in one quarter hour or in many
    #[command(after_help = "\
EXAMPLES:
  parkwatt sell 2kWh --at 12:00 --price 0.42
      offers 2 kWh in the next quarter hour that begins at noon, for at least 0.42 yuan per kWh
  parkwatt sell 2kWh --at 12:00-14:00 --price 0.42
      offers 2 kWh in each of the eight quarter hours from 12:00 to 14:00
  parkwatt sell 2kWh --at \"tomorrow 12:00\" --until \"tomorrow 14:00\" --price 0.42
  parkwatt sell 2kWh --at 12:00 --price 0.42 --good-until 10:30
      what has not traded by 10:30 leaves the book
  parkwatt sell 2kWh --at 12:00 --price 0.42 --post-only
      never takes a bid that waits: it is refused instead")]
    Sell(Order),
    /// Bid for energy, in one quarter hour or in many
    #[command(after_help = "\
EXAMPLES:
  parkwatt buy 40kWh --at 12:00 --price 0.55
      bids for 40 kWh in the next quarter hour that begins at noon, for at most 0.55 yuan per kWh,
      wheeling and fee included
  parkwatt buy 40kWh --at \"2026-06-01 08:00\" --until \"2026-06-01 16:00\" --price 0.55
  parkwatt buy 40kWh --at 12:00 --price 0.55 --immediate
      buys what is on offer now; what it does not find lapses
  parkwatt buy 40kWh --at 12:00 --price 0.55 --at-least 10kWh
      is refused unless 10 kWh trade at once; what is left of 40 kWh waits
  parkwatt buy 40kWh --at 08:00 --until 16:00 --price 0.55 --fill-or-kill --all-or-none
      buys 40 kWh in every quarter hour of the shift at once, or nothing at all")]
    Buy(Order),
    /// Sell by itself what a forecast expects, for as much as can be had, until you stop it
    #[command(after_help = AUTOPILOT_HELP)]
    Autopilot(Box<Autopilot>),
    /// Change the energy or the limit of an order
    ///
    /// The energy is what the order is for altogether, what has traded of it included. With the same limit
    /// and not more energy the order keeps its name and its place in time. Anything else withdraws it and
    /// places what is open anew: under a new name, behind the others.
    #[command(after_help = "\
EXAMPLES:
  parkwatt replace 1234.0 --energy 12kWh
      of 20 kWh, 5 kWh have traded: 7 kWh stay open, in their place
  parkwatt replace 1234.0 --price 0.40
      the same energy at another limit, behind the others at that price
  parkwatt replace 1234.0 --energy 2kWh --price 0.40")]
    Replace(Replace),
    /// Withdraw what has not traded of an order, or of all at once
    #[command(after_help = "\
EXAMPLES:
  parkwatt cancel 1234.0
      `parkwatt orders --open` shows which orders can be withdrawn
  parkwatt cancel --all
  parkwatt cancel --all --at 12:00 --side offer
      all your offers for the next noon
  parkwatt cancel --all --participant mill --operator-key operator.pem
      what a participant has standing; for the operator")]
    Cancel(Cancel),
    /// Show your orders, newest first
    #[command(after_help = "\
EXAMPLES:
  parkwatt orders
  parkwatt orders --open")]
    Orders {
        /// Only those that can still trade
        #[arg(long)]
        open: bool,
        /// How many, and of them what
        #[command(flatten)]
        count: Count,
    },
    /// Show the bids and offers of one quarter hour, without names
    #[command(after_help = "\
EXAMPLES:
  parkwatt book --at 12:00
      while its auction is open, also the price that it would have now
  parkwatt book --at \"2026-06-01 12:00\" --output json")]
    Book {
        /// When the delivery begins
        #[arg(long, value_name = "TIME", value_parser = values::when)]
        at: When,
    },
    /// Watch a quarter hour's book, the day's prices, and your orders and trades, as they come
    #[command(after_help = "\
EXAMPLES:
  parkwatt watch
      the next quarter hour that can be traded; the arrows choose another one, q ends
  parkwatt watch --at \"tomorrow 12:00\"
  parkwatt watch --once --columns 120
      one picture as text")]
    Watch(Watch),
    /// Write a link to the market's web page that shows you your own day; --open opens it
    #[command(after_help = "\
EXAMPLES:
  parkwatt page --open
  parkwatt page --url https://park.example:7480")]
    Page(Page),
    /// Show your trades, or everybody's without names, newest first
    #[command(after_help = "\
EXAMPLES:
  parkwatt trades
  parkwatt trades --tape
      everybody's, without names
  parkwatt trades --tape --at 12:00")]
    Trades {
        /// Everybody's, without names
        #[arg(long)]
        tape: bool,
        /// Only those of the quarter hour that begins then
        #[arg(long, value_name = "TIME", value_parser = values::when)]
        at: Option<When>,
        /// How many
        #[command(flatten)]
        count: Count,
    },
    /// Show your balance, what is reserved, and what you traded
    #[command(after_help = "\
EXAMPLES:
  parkwatt account
  parkwatt account --key mill.pem --output json")]
    Account,
    /// Show what a month changed for you, what each delivery came to, and what the market gained you
    #[command(after_help = STATEMENT_HELP)]
    Statement(Statement),
    /// Show your green certificates, claim them, prove claims, pass them on, or bundle them
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "\
EXAMPLES:
  parkwatt certificates
  parkwatt certificates retire --at 12:00 --energy 1kWh --beneficiary \"Mill No. 3\"
  parkwatt certificates statement 1234
  parkwatt certificates verify retirement-1234.json --vkey park.vkey
  parkwatt certificates transfer --to mill --at 12:00 --energy 1kWh
  parkwatt certificates bundle"
    )]
    Certificates {
        /// How many of either kind
        #[command(flatten)]
        count: Count,
        /// What to do with them
        #[command(subcommand)]
        action: Option<Certificates>,
    },
    /// Show which markets the node has
    #[command(after_help = "\
EXAMPLES:
  parkwatt markets
  parkwatt markets --node https://park.example:7400 --output json")]
    Markets,
    /// Show what became of your orders, trades and certificates, line by line; --follow goes on as it happens
    #[command(after_help = "\
EXAMPLES:
  parkwatt executions
      everything until now, in the ledger's order
  parkwatt executions --follow --from 1234
      from entry 1234 on, and whatever happens; it reconnects, and loses nothing and shows nothing twice
  parkwatt executions --follow --output json
      one JSON document a line")]
    Executions(Executions),
    /// Write an entry of the ledger to a file with its proof, which shows no other entry
    #[command(after_help = "\
EXAMPLES:
  parkwatt proof 1234
      writes leaf-1234.tlog-proof, for one of your trades, orders or certificates
  parkwatt proof 1234 --out trade.tlog-proof")]
    Proof {
        /// The entry's index: a trade's number, or what --output json calls `leaf_index`
        #[arg(value_name = "LEAF_INDEX", value_parser = values::whole::<u64>(0..=u64::MAX))]
        leaf_index: u64,
        /// The file to write [default: leaf-LEAF_INDEX.tlog-proof]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Write the completions of a shell
    #[command(after_help = "\
EXAMPLES:
  parkwatt completions bash
      to ~/.local/share/bash-completion/completions/parkwatt; zsh wants _parkwatt in a folder of $fpath,
      fish ~/.config/fish/completions/parkwatt.fish")]
    Completions {
        /// Which shell's
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write the manual's pages
    #[command(after_help = "\
EXAMPLES:
  parkwatt man --out ~/.local/share/man/man1
      then: man ~/.local/share/man/man1/parkwatt-sell.1")]
    Man {
        /// The folder, which is made where it is missing
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// How many rows to show.
#[derive(Args, Clone, Copy, Debug)]
pub struct Count {
    /// How many at most, up to 1000
    #[arg(long = "count", value_name = "N", default_value_t = 100)]
    #[arg(allow_negative_numbers = true, value_parser = values::whole::<u32>(1..=1000))]
    pub max: u32,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples_that_parse() {
        fn check(command: &clap::Command, seen: &mut usize) {
            for inner in command.get_subcommands() {
                check(inner, seen);
            }
            if command.has_subcommands() && command.get_name() != "certificates" {
                return;
            }
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples: Vec<_> = help.lines().filter(|line| line.starts_with("  parkwatt ")).collect();
            assert!(!examples.is_empty(), "{}", command.get_name());
            for example in examples {
                let quoted = example.split('"').enumerate();
                let words = quoted.flat_map(|(part, text)| match part % 2 {
                    0 => text.split_whitespace().map(str::to_owned).collect(),
                    _ => vec![text.to_owned()],
                });
                Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{example}: {error}"));
                *seen += 1;
            }
        }
        let mut seen = 0;
        check(&Cli::command(), &mut seen);
        assert!(seen > 35, "{seen}");
    }
}
