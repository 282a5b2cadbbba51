//! What a command says at its end: a report, or a failure with what to do next.
//!
//! Knows the two forms of output and the exit codes; does not know what was asked.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ContextKind;
use parkwatt_client::{ClientError, v1};
use serde_json::{Value, json};

use super::advice;
use super::args::{Options, Output};
use super::csv;
use super::help;
use super::language::say;
use super::quantity::energy_text;
use super::surroundings::{self, language};
use super::time::{moment_text, slot_text};

/// Slots are quarter hours since 1970: one in a sentence is beyond the first year of them.
const SLOT_MIN: u32 = 100_000;

/// What a command has to say.
#[derive(Debug, Default)]
pub struct Report {
    /// One document for machines; the names of its fields carry their units and are stable.
    pub json: Value,
    /// The same for people.
    pub text: String,
    /// Whether a rule refused a part of what was asked.
    pub refused: bool,
    /// The same for spreadsheets, where it is more than the rows of the document.
    pub csv: Option<String>,
}

/// Why a command could not do what was asked.
#[derive(Debug)]
pub enum Failure {
    /// A rule of the market refused it.
    Rejected(v1::Rejection),
    /// The command line asks for what cannot be.
    Usage {
        /// The option, as it is written.
        field: &'static str,
        /// The value and the rule that it breaks.
        problem: String,
        /// What to do next.
        next: String,
    },
    /// A local file that is no key is the trouble.
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do next.
        next: String,
    },
    /// The node or the file of a key is the trouble.
    Client(ClientError),
    /// The same, after something has begun.
    Unfinished {
        /// The trouble.
        error: ClientError,
        /// How to go on.
        next: String,
    },
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Failure::Client(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Rejected(rejection) => f.write_str(&rejection_text(rejection)),
            Failure::Usage { field, problem, .. } => write!(f, "{field}: {problem}"),
            Failure::File { path, problem, .. } => write!(f, "the file {} {problem}", path.display()),
            Failure::Client(error) | Failure::Unfinished { error, .. } => error.fmt(f),
        }
    }
}

impl Failure {
    /// Returns the exit code; `parkwatt --help` lists them.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Rejected(_) => 1,
            Failure::Usage { .. } => 2,
            Failure::File { .. } => 5,
            Failure::Client(error) | Failure::Unfinished { error, .. } => match error {
                ClientError::Address { .. } | ClientError::PublicKeyMalformed { .. } => 2,
                ClientError::Unreachable { .. } => 3,
                ClientError::Refused { .. } | ClientError::Incomplete { .. } => 4,
                ClientError::Contradictory { .. } => 6,
                ClientError::KeyExists { .. }
                | ClientError::KeyMissing { .. }
                | ClientError::KeyFile { .. }
                | ClientError::KeyMalformed { .. }
                | ClientError::KeySealed { .. }
                | ClientError::PassphraseWrong { .. } => 5,
            },
        }
    }

    /// Returns what to do next.
    fn next(&self) -> String {
        match self {
            Failure::Rejected(rejection) => advice::after_rejection(&rejection.code).to_owned(),
            Failure::Usage { next, .. } | Failure::File { next, .. } | Failure::Unfinished { next, .. } => {
                next.clone()
            }
            Failure::Client(error) => advice::after_error(error),
        }
    }

    /// Returns the failure for people.
    pub fn text(&self) -> String {
        let what = match self {
            Failure::Rejected(rejection) => rejection_text(rejection),
            Failure::Usage { field, problem, .. } => format!("{field}: {}", say(problem)),
            failure => say(&failure.to_string()),
        };
        format!("{} {what}\n{}", say("error:"), language().say_lines(&self.next()))
    }

    /// Returns the failure for machines.
    fn json(&self) -> Value {
        let kind = ["rejected", "usage", "unreachable", "refused", "file", "contradictory"]
            [usize::from(self.exit_code()) - 1];
        let mut error = json!({ "kind": kind, "message": self.to_string(), "next": self.next() });
        match self {
            Failure::Rejected(rejection) => error["rejection"] = rejection_json(rejection),
            Failure::Usage { field, .. } => error["field"] = json!(field),
            Failure::Client(ClientError::Refused { status, reason, retry_after, .. }) => {
                error["status"] = json!(format!("{status:?}"));
                error["reason"] = json!(reason);
                error["retry_after_ms"] = json!(retry_after.map(|delay| delay.as_millis()));
            }
            Failure::File { path, .. } => error["file"] = json!(path),
            Failure::Client(_) | Failure::Unfinished { .. } => {}
        }
        json!({ "error": error })
    }
}

/// Writes what a command came to, and returns the exit code.
pub fn finish(result: &Result<Report, Failure>, output: Output) -> ExitCode {
    let (written, code) = match result {
        Ok(report) => {
            let written = match output {
                // It has said everything line by line.
                Output::Json | Output::Csv if report.json.is_null() && report.csv.is_none() => Ok(()),
                Output::Table if report.text.is_empty() => Ok(()),
                Output::Table => write_line(io::stdout(), language().say_lines(&report.text).trim_end()),
                Output::Csv => {
                    let csv = report.csv.clone().unwrap_or_else(|| csv::rows(&report.json));
                    write_line(io::stdout(), csv.trim_end())
                }
                Output::Json => write_line(io::stdout(), &format!("{:#}", report.json)),
            };
            (written, u8::from(report.refused))
        }
        Err(failure) => {
            let written = match output {
                Output::Table | Output::Csv => write_line(io::stderr(), &failure.text()),
                Output::Json => write_line(io::stderr(), &format!("{:#}", failure.json())),
            };
            (written, failure.exit_code())
        }
    };
    match written {
        // OK because who closes the pipe early has read enough; what was asked is done all the same.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let problem = say(&format!("what was done could not be written: {error}"));
            let _ = write_line(io::stderr(), &format!("{} {problem}", say("error:")));
            ExitCode::from(5)
        }
        _ => ExitCode::from(code),
    }
}

/// Writes what a command that goes on has to say so far.
///
/// # Errors
/// What the system said, where nobody reads it any more.
pub fn tell(report: &Report, output: Output) -> io::Result<()> {
    match output {
        Output::Table => write_line(io::stdout(), language().say_lines(&report.text).trim_end()),
        Output::Json => write_line(io::stdout(), &report.json.to_string()),
        Output::Csv => match csv::rows(&report.json).trim_end() {
            "" => Ok(()),
            rows => write_line(io::stdout(), rows),
        },
    }
}

/// Writes what the parser of the command line says: help, or what is wrong.
pub fn finish_parsing(error: &clap::Error, json_asked: bool) -> ExitCode {
    if error.use_stderr()
        && !json_asked
        && let Some(mistake) = help::mistake_in_chinese(error)
    {
        // OK because there is nobody left to tell when this cannot be written.
        let _ = write_line(io::stderr(), &mistake);
        return ExitCode::from(2);
    }
    if !error.use_stderr() || !json_asked {
        // OK because there is nobody left to tell when this cannot be written.
        let _ = error.print();
        return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
    }
    let message = error.render().to_string();
    let message = message.split("\n\nFor more information").next().unwrap_or_default();
    let error = json!({ "error": {
        "kind": "usage",
        "message": message.trim_start_matches("error: ").trim_end(),
        "next": "Run the command with --help.",
        "field": error.get(ContextKind::InvalidArg).map(ToString::to_string),
    } });
    let _ = write_line(io::stderr(), &format!("{error:#}"));
    ExitCode::from(2)
}

/// Returns a rejection for people.
pub fn rejection_text(rejection: &v1::Rejection) -> String {
    let field = &rejection.field;
    let sentence = with_units(&say(&rejection.sentence));
    format!("{} {sentence} ({} {}, {field})", say("rejected:"), say("rule"), rejection.rule)
}

/// Returns a sentence of a rule with its times and energies as people write them: the market counts slots,
/// microseconds and Wh.
fn with_units(sentence: &str) -> String {
    let mut words: Vec<String> = sentence.split(' ').map(str::to_owned).collect();
    for place in 1..words.len() {
        let (before, word) = words.split_at_mut(place);
        let (Some(before), Some(word)) = (before.last_mut(), word.first_mut()) else { continue };
        let unit = word.trim_end_matches([',', ';', '.', '。']).to_owned();
        let behind = word[unit.len()..].to_owned();
        if let (Ok(micros), "us") = (before.parse(), unit.as_str()) {
            (*before, *word) = (moment_text(micros, &surroundings::zone()), behind);
        } else if let (Ok(wh), "Wh") = (before.parse(), unit.as_str()) {
            (*before, *word) = (energy_text(wh), behind);
        } else if let ("slot" | "时段", Ok(slot)) = (before.as_str(), unit.parse::<u32>())
            && slot > SLOT_MIN
        {
            *before = say("the quarter hour");
            *word = slot_text(slot, &surroundings::zone()) + &behind;
        }
    }
    // Behind what took its unit's place there is nothing but a sign.
    words
        .join(" ")
        .replace(" ,", ",")
        .replace(" ;", ";")
        .replace(" 。", "。")
        .replace("  ", " ")
        .trim_end()
        .to_owned()
}

/// Returns a rejection for machines.
pub fn rejection_json(rejection: &v1::Rejection) -> Value {
    json!({
        "code": rejection.code,
        "rule": rejection.rule,
        "field": rejection.field,
        "sentence": rejection.sentence,
    })
}

/// Returns an order's name.
pub fn order_id(id: v1::OrderId) -> String {
    format!("{}.{}", id.index, id.position)
}

/// Returns a certificate's name: slot, producer, issue.
pub fn certificate_id(id: &v1::CertificateId) -> String {
    format!("{}.{}.{}", id.slot, id.producer, id.issue)
}

/// Returns a national certificate's name.
pub fn gec_id(id: v1::GecId) -> String {
    format!("{}.{}", id.index, id.position)
}

/// Returns a word of the contract for people and machines: `ORDER_STATE_OPEN` without its prefix is `open`.
pub fn word(prefix: &str, name: &str) -> String {
    name.trim_start_matches(prefix).to_ascii_lowercase()
}

/// Returns a word as a shell reads it back.
pub fn shell_word(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:,@%+=".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Returns a command for people to run next, with whatever they said of the way to the market.
pub fn next_command(command: &str, options: &Options) -> String {
    options.said.iter().fold(command.to_owned(), |command, word| format!("{command} {}", shell_word(word)))
}

/// Writes a text and ends its line.
fn write_line(mut to: impl Write, text: &str) -> io::Result<()> {
    writeln!(to, "{text}")?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use clap::CommandFactory;
    use tonic::Code;

    use super::super::args::Cli;
    use super::*;

    fn rejection() -> v1::Rejection {
        v1::Rejection {
            code: "GATE_MUST_BE_OPEN".to_owned(),
            rule: "R2".to_owned(),
            field: "slot".to_owned(),
            sentence: "the gate of slot 7 has closed".to_owned(),
        }
    }

    #[test]
    fn each_failure_has_its_exit_code_and_kind() {
        let url = || "http://node".to_owned();
        let refused = ClientError::Refused {
            status: Code::Unauthenticated,
            reason: "SIGNATURE_MUST_VERIFY".to_owned(),
            message: "no".to_owned(),
            retry_after: None,
        };
        for (failure, code, kind) in [
            (Failure::Rejected(rejection()), 1, "rejected"),
            (Failure::Usage { field: "--at", problem: String::new(), next: String::new() }, 2, "usage"),
            (ClientError::Unreachable { url: url(), cause: String::new() }.into(), 3, "unreachable"),
            (refused.into(), 4, "refused"),
            (ClientError::KeyMissing { path: PathBuf::from("k") }.into(), 5, "file"),
            (ClientError::Contradictory { url: url(), what: String::new() }.into(), 6, "contradictory"),
        ] {
            assert_eq!(failure.exit_code(), code, "{failure:?}");
            assert_eq!(failure.json()["error"]["kind"], kind);
        }
    }

    #[test]
    fn a_rejection_names_its_rule_for_people_and_machines() {
        let failure = Failure::Rejected(rejection());
        assert_eq!(failure.to_string(), "rejected: the gate of slot 7 has closed (rule R2, slot)");
        assert_eq!(failure.json()["error"]["rejection"]["code"], "GATE_MUST_BE_OPEN");
        assert_eq!(failure.json()["error"]["rejection"]["field"], "slot");
    }

    #[test]
    fn a_rule_s_sentence_has_the_units_of_people() {
        for (sentence, said) in [
            ("the gate of slot 1978096 has closed", "the gate of the quarter hour"),
            ("1346 Wh exceeds the 1327 Wh that PV can deliver", "1.346 kWh exceeds the 1.327 kWh that PV"),
            ("good until 1780281000000000 us, and it is 1780282800000027 us", ", and it is 2026-06-01"),
            ("a lot is 100 Wh", "a lot is 0.1 kWh"),
        ] {
            let text = with_units(sentence);
            assert!(text.contains(said) && !text.contains(" us"), "{text}");
        }
        assert_eq!(with_units("order 7.0 is none of yours"), "order 7.0 is none of yours");
    }

    #[test]
    fn the_next_command_goes_the_same_way_to_the_market() {
        let line =
            "parkwatt orders --market east --node http://n:1 --key my.pem --output json --time-zone UTC";
        let matches = Cli::command().get_matches_from(line.split(' '));
        let next = next_command("parkwatt account", &Cli::of(&matches).unwrap().options);
        assert_eq!(next, "parkwatt account --node http://n:1 --market east --key my.pem");
        let plain = Cli::of(&Cli::command().get_matches_from(["parkwatt", "orders"])).unwrap();
        assert_eq!(next_command("parkwatt account", &plain.options), "parkwatt account");
    }

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(shell_word("http://127.0.0.1:7400"), "http://127.0.0.1:7400");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn words_lose_their_prefix() {
        assert_eq!(word("ORDER_STATE_", v1::OrderState::Cancelled.as_str_name()), "cancelled");
        assert_eq!(word("SIDE_", v1::Side::Bid.as_str_name()), "bid");
    }
}
