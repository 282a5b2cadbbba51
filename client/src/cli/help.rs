//! Help in the caller's language, completions of shells, and the manual's pages: all from the command line's
//! own description.

use std::fs;
use std::path::Path;

use clap::{Arg, ArgAction, Command, CommandFactory};
use clap_complete::Shell;
use serde_json::json;

use super::args::Cli;
use super::language::{Language, say};
use super::report::{Failure, Report};
use super::surroundings::language;

/// How help is laid out where its headings are not English.
const LAYOUT: &str = "{about-with-newline}\n用法: {usage}\n\n{all-args}{after-help}";

/// Returns the command line's description in the caller's language.
pub fn command() -> Command {
    match language() {
        Language::En => Cli::command(),
        Language::Zh => {
            let mut command = in_chinese(Cli::command());
            command.build();
            with_help_in_chinese(command)
        }
    }
}

/// Returns a shell's completions.
pub fn completions(shell: Shell) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "parkwatt", &mut script);
    let script = String::from_utf8(script).expect("a script of completions is text");
    Report { json: json!({ "completions": script }), text: script, refused: false, csv: None }
}

/// Writes the manual's pages into a folder.
pub fn manual(out: &Path) -> Result<Report, Failure> {
    let written = fs::create_dir_all(out).and_then(|()| clap_mangen::generate_to(command(), out));
    written.map_err(|problem| Failure::File {
        path: out.to_owned(),
        problem: format!("cannot be written: {problem}"),
        next: "Name another folder with --out DIR.".to_owned(),
    })?;
    let shown = out.display();
    Ok(Report {
        json: json!({ "manual": { "folder": shown.to_string() } }),
        text: format!("The manual's pages are in {shown}.\n\nNext: man {shown}/parkwatt.1"),
        refused: false,
        csv: None,
    })
}

/// Returns a command's description in Chinese: what it does, its options, and what its subcommands are.
fn in_chinese(mut command: Command) -> Command {
    let zh = |text: &str| Language::Zh.say(text);
    let names = |command: &Command| -> Vec<String> {
        command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect()
    };
    for name in names(&command) {
        command = command.mut_subcommand(name, in_chinese);
    }
    let args: Vec<_> = command.get_arguments().map(|arg| arg.get_id().to_string()).collect();
    for arg in args {
        command = command.mut_arg(arg, |arg| {
            let heading = zh(arg.get_help_heading().unwrap_or(if arg.is_positional() {
                "Arguments"
            } else {
                "Options"
            }));
            let help = arg.get_help().map(|help| zh(&help.to_string()) + &choices(&arg));
            let takes_values = arg.get_action().takes_values();
            let arg = arg.help_heading(heading);
            let arg =
                if takes_values { arg.hide_possible_values(true).hide_default_value(true) } else { arg };
            match help {
                Some(help) => arg.help(help.clone()).long_help(help),
                None => arg,
            }
        });
    }
    if let Some(about) = command.get_about().map(ToString::to_string) {
        let long = command.get_long_about().map(|it| zh(&it.to_string()));
        command = command.about(zh(&about)).long_about(long.unwrap_or_else(|| zh(&about)));
    }
    if let Some(after) = command.get_after_help().map(ToString::to_string) {
        let whole = Some(zh(&after)).filter(|said| *said != after);
        command = command.after_help(whole.unwrap_or_else(|| examples_in_chinese(&after)));
    }
    if command.get_version().is_some() {
        let version =
            Arg::new("version").short('V').long("version").action(ArgAction::Version).help("显示版本");
        command = command.disable_version_flag(true).arg(version.help_heading("选项"));
    }
    let help = Arg::new("help").short('h').long("help").action(ArgAction::Help).help("显示帮助");
    command
        .disable_help_flag(true)
        .arg(help.help_heading("选项"))
        .subcommand_help_heading("命令")
        .help_template(LAYOUT)
}

/// Returns a built command with Chinese words for `help`, a subcommand that stands there only once it is built.
fn with_help_in_chinese(mut command: Command) -> Command {
    let names: Vec<_> = command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(&name, |inner| match inner.get_name() {
            "help" => inner.about("显示本帮助, 或某个命令的帮助"),
            _ => with_help_in_chinese(inner),
        });
    }
    command
}

/// Returns examples with what is said under each in Chinese.
fn examples_in_chinese(examples: &str) -> String {
    let mut said = vec!["示例:".to_owned()];
    for part in parts(examples) {
        said.push(match part {
            Part::Example(line) => line.to_owned(),
            Part::Note(note) => format!("      {}", Language::Zh.say(&note)),
        });
    }
    said.join("\n")
}

/// A part of the examples of help.
enum Part<'a> {
    /// A command line.
    Example(&'a str),
    /// What it does: one sentence, whose lines are indented further.
    Note(String),
}

/// Returns the parts of the examples of help, behind their heading.
fn parts(examples: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for line in examples.lines().skip(1) {
        match (line.strip_prefix("      "), parts.last_mut()) {
            (None, _) => parts.push(Part::Example(line)),
            (Some(more), Some(Part::Note(note))) => *note = format!("{note} {}", more.trim()),
            (Some(note), _) => parts.push(Part::Note(note.trim().to_owned())),
        }
    }
    parts
}

/// Returns what may be written for an argument, and what holds without it, as the English help says it behind
/// its words.
fn choices(arg: &Arg) -> String {
    if !arg.get_action().takes_values() {
        return String::new();
    }
    let values: Vec<_> = arg.get_possible_values().iter().map(|it| it.get_name().to_owned()).collect();
    let defaults: Vec<_> = arg.get_default_values().iter().map(|it| it.to_string_lossy()).collect();
    let part =
        |name: &str, words: String| if words.is_empty() { words } else { format!(" [{name}: {words}]") };
    let default =
        if arg.is_hide_default_value_set() { String::new() } else { part("默认", defaults.join(",")) };
    part("可选", values.join(", ")) + &default
}

/// Returns what is wrong with a command line, in Chinese; nothing in another language, and for what is no mistake.
pub fn mistake_in_chinese(error: &clap::Error) -> Option<String> {
    let said = (language() == Language::Zh).then(|| mistake(error)).flatten()?;
    Some(format!("错误: {said}\n详见 --help。"))
}

fn mistake(error: &clap::Error) -> Option<String> {
    use clap::error::{ContextKind, ErrorKind};
    let part = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let [argument, value] = [ContextKind::InvalidArg, ContextKind::InvalidValue].map(part);
    let said = match error.kind() {
        ErrorKind::ValueValidation => {
            let cause = std::error::Error::source(error).map(|cause| say(&cause.to_string()));
            format!("{argument} 的值 '{value}' 无效: {}", cause.unwrap_or_default())
        }
        ErrorKind::InvalidValue if value.is_empty() => format!("{argument} 缺少值"),
        ErrorKind::InvalidValue => {
            format!("{argument} 的值 '{value}' 无效; 可用的值: {}", part(ContextKind::ValidValue))
        }
        ErrorKind::UnknownArgument => {
            format!("没有选项 '{argument}'{}", meant(&part(ContextKind::SuggestedArg)))
        }
        ErrorKind::InvalidSubcommand => {
            let (name, near) = (part(ContextKind::InvalidSubcommand), part(ContextKind::SuggestedSubcommand));
            format!("没有命令 '{name}'{}", meant(&near))
        }
        ErrorKind::TooManyValues => format!("{argument} 的值 '{value}' 是多余的"),
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => format!("{argument} 的值的个数不对"),
        ErrorKind::NoEquals => format!("{argument} 与其值之间要写 ="),
        ErrorKind::InvalidUtf8 => "命令行中有不是 UTF-8 的文字".to_owned(),
        ErrorKind::MissingSubcommand => {
            format!("缺少命令; 可用的命令: {}", part(ContextKind::ValidSubcommand))
        }
        ErrorKind::MissingRequiredArgument => format!("缺少: {argument}"),
        ErrorKind::ArgumentConflict => match part(ContextKind::PriorArg) {
            prior if prior == argument => format!("{argument} 只能写一次"),
            prior => format!("{argument} 不能与 {prior} 同时使用"),
        },
        _ => return None,
    };
    Some(said)
}

/// Returns what was probably meant, where there is something like it.
fn meant(near: &str) -> String {
    if near.is_empty() { String::new() } else { format!("; 是否要写 '{near}'?") }
}

#[cfg(test)]
mod tests {
    use super::super::args::{AUTOPILOT_HELP, FIRST_STEPS, STATEMENT_HELP};
    use super::super::language::in_chinese as translated;
    use super::*;

    /// Collects what help says of a command and of all below it.
    fn texts(command: &Command, found: &mut Vec<String>) {
        let own = [command.get_about(), command.get_long_about()].into_iter().flatten();
        found.extend(own.map(ToString::to_string));
        for arg in command.get_arguments() {
            found.extend(arg.get_help().map(ToString::to_string));
            found.extend(arg.get_help_heading().map(str::to_owned));
        }
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        if after.starts_with("EXAMPLES:") && translated(&after).is_none() {
            found.extend(parts(&after).into_iter().filter_map(|part| match part {
                Part::Example(_) => None,
                Part::Note(note) => Some(note),
            }));
        }
        command.get_subcommands().for_each(|inner| texts(inner, found));
    }

    #[test]
    fn all_that_help_says_is_there_in_chinese() {
        let whole = [FIRST_STEPS, AUTOPILOT_HELP, STATEMENT_HELP, "Arguments", "Options"];
        let mut found: Vec<_> = whole.map(str::to_owned).into();
        texts(&Cli::command(), &mut found);
        let missing: Vec<_> = found.iter().filter(|text| translated(text).is_none()).collect();
        assert!(found.len() > 150, "{}", found.len());
        assert!(missing.is_empty(), "{missing:#?}");
    }

    #[test]
    fn every_mistake_is_told_in_chinese() {
        for (line, said) in [
            ("sell 2kWh --at 12:00 --prise 1", "没有选项 '--prise'; 是否要写 '--price'?"),
            ("selll", "没有命令 'selll'; 是否要写 'sell'?"),
            ("sell 2kWh --at 12:00 --price 1 --price 2", "--price <PRICE> 只能写一次"),
            ("sell 2kWh --at", "--at <TIME> 缺少值"),
            ("orders --open=yes", "--open 的值 'yes' 是多余的"),
            ("sell", "缺少: "),
        ] {
            let words = ["parkwatt"].into_iter().chain(line.split(' '));
            let mistake = mistake(&Cli::command().try_get_matches_from(words).unwrap_err()).unwrap();
            assert!(mistake.contains(said), "{line}: {mistake}");
        }
    }

    #[test]
    fn help_in_chinese_parses_the_same_command_lines() {
        let mut command = in_chinese(Cli::command());
        command.clone().debug_assert();
        command.build();
        let command = with_help_in_chinese(command);
        let line = "parkwatt sell 2kWh --at 12:00 --price 0.42";
        assert!(command.clone().try_get_matches_from(line.split(' ')).is_ok());
        let mut command = command;
        let help = command.render_help().to_string();
        assert!(help.contains("用法:") && help.contains("命令:") && !help.contains("Options"), "{help}");
        assert!(help.contains("[可选: table, json, csv]") && help.contains("[默认: table]"), "{help}");
        assert!(!help.contains("Print") && help.contains("或某个命令的帮助"), "{help}");
        let page = command.find_subcommand_mut("page").expect("a command").render_help().to_string();
        assert!(page.contains("--open") && !page.contains("true"), "{page}");
        assert!(!help.contains("[possible values") && !help.contains("[default"), "{help}");
    }

    #[test]
    fn every_shell_that_people_use_gets_its_completions() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = completions(shell).text;
            assert!(script.contains("certificates") && script.contains("post-only"), "{shell}");
        }
    }

    #[test]
    fn the_manual_has_a_page_a_command() {
        let folder = tempfile::tempdir().unwrap();
        manual(folder.path()).unwrap();
        let page = fs::read_to_string(folder.path().join("parkwatt-sell.1")).unwrap();
        assert!(page.contains(".TH") && page.contains("post\\-only"), "{page}");
        assert!(folder.path().join("parkwatt-key-new.1").exists());
    }
}
