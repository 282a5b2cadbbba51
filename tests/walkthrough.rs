//! The walk-throughs of the regulator, `docs/audit.md`, and of the owner, `docs/owner.md`, done as they are
//! written: every command of every block of the language `console`, with the real programs, and each line of
//! what they print compared.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod machine;
mod node;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

/// The address under which the document speaks of a node.
const NODE: &str = "http://127.0.0.1:7400";
/// What a session prints behind a command, before its exit code.
const END: &str = "--end-of-command--";
/// Stands for any part of a line, and alone in a line for any lines.
const ANY: &str = "...";

/// A command of the document, and the lines that it must print.
#[derive(Debug)]
struct Step {
    line: usize,
    command: String,
    expected: Vec<String>,
}

/// Returns the steps of all blocks of the language `console`.
fn steps(document: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut is_console = false;
    for (line, text) in (1..).zip(document.lines()) {
        match text.strip_prefix("$ ") {
            _ if text.starts_with("```") => is_console = text == "```console",
            Some(command) if is_console => {
                steps.push(Step { line, command: command.to_owned(), expected: Vec::new() });
            }
            _ if is_console => steps.last_mut().unwrap().expected.push(text.to_owned()),
            _ => {}
        }
    }
    steps
}

/// Returns whether lines are as expected.
fn fits(expected: &[String], printed: &[String]) -> bool {
    match expected.split_first() {
        None => printed.is_empty(),
        Some((any, rest)) if any == ANY => (0..=printed.len()).any(|skipped| fits(rest, &printed[skipped..])),
        Some((line, rest)) => {
            printed.split_first().is_some_and(|(first, others)| line_fits(line, first) && fits(rest, others))
        }
    }
}

fn line_fits(expected: &str, printed: &str) -> bool {
    let Some((head, rest)) = expected.split_once(ANY) else { return expected == printed };
    let Some(printed) = printed.strip_prefix(head) else { return false };
    let begins = printed.char_indices().map(|(at, _)| at).chain([printed.len()]);
    begins.into_iter().any(|at| line_fits(rest, &printed[at..]))
}

/// A shell in a folder, as somebody sits in front of it.
struct Session {
    shell: Child,
    printed: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Session {
    fn open(folder: &Path) -> Session {
        let programs = Path::new(env!("CARGO_BIN_EXE_parkwatt-audit")).parent().unwrap();
        assert!(machine::parkwatt().starts_with(programs));
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh")
            .current_dir(folder)
            .env("PATH", path)
            .env("HOME", folder)
            .env("LC_ALL", "C")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("PARKWATT_KEY")
            .env_remove("PARKWATT_NODE")
            .env_remove("PARKWATT_PROFILE")
            .env_remove("PARKWATT_PASSPHRASE_FILE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let printed = BufReader::new(shell.stdout.take().unwrap()).lines();
        let mut session = Session { shell, printed };
        writeln!(session.shell.stdin.as_mut().unwrap(), "exec 2>&1").unwrap();
        session
    }

    /// Runs a command, and returns what it prints, and its exit code, which the next command finds in `$?`.
    fn run(&mut self, command: &str) -> (Vec<String>, i32) {
        let shell = self.shell.stdin.as_mut().unwrap();
        writeln!(shell, "{command}\n__code=$?; printf '\\n{END} %s\\n' $__code; (exit $__code)").unwrap();
        let mut printed = Vec::new();
        loop {
            let line = self.printed.next().unwrap().unwrap();
            if let Some(code) = line.strip_prefix(END) {
                // The line break before the mark is ours.
                assert_eq!(printed.pop().as_deref(), Some(""), "{command} ends without a line break");
                return (printed, code.trim().parse().unwrap());
            }
            printed.push(line);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // OK because: a shell that has ended cannot be killed.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// Starts the node that a command line of a document starts, but on a free port. What it logs goes nowhere.
fn serve(folder: &Path, command: &str) -> Option<node::Node> {
    let words: Vec<&str> =
        command.split_whitespace().take_while(|word| *word != ">" && *word != "&").collect();
    let ["parkwattd", "serve", "--data", data, args @ ..] = &words[..] else { return None };
    let data = folder.join(data);
    fs::create_dir_all(&data).unwrap();
    Some(node::serve(&data, args))
}

/// Does a document as it is written. Every node that it speaks of is one that it has started, or `started` before.
fn walk(name: &str, started: Option<&str>) {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let steps = steps(&document);
    assert!(steps.len() > 20);
    let folder = tempfile::tempdir().unwrap();
    let mut session = Session::open(folder.path());
    let mut node = started.map(|command| serve(folder.path(), command).unwrap());
    for (n, step) in steps.iter().enumerate() {
        if let Some(served) = serve(folder.path(), &step.command) {
            assert!(step.command.ends_with(" &") && step.expected.is_empty(), "{name}, line {}", step.line);
            node = Some(served);
            continue;
        }
        assert!(node.is_some() || !step.command.contains(NODE), "{name}, line {}: no node runs", step.line);
        let url = node.as_ref().map_or_else(|| NODE.to_owned(), node::Node::url);
        let (printed, code) = session.run(&step.command.replace(NODE, &url));
        let expected: Vec<String> = step.expected.iter().map(|line| line.replace(NODE, &url)).collect();
        let Step { line, command, .. } = step;
        assert!(
            fits(&expected, &printed),
            "{name}, line {line}: {command}\nexpected:\n{}\nprinted:\n{}",
            expected.join("\n"),
            printed.join("\n")
        );
        let is_asked = steps.get(n + 1).is_some_and(|next| next.command == "echo $?");
        assert!(code == 0 || is_asked, "{name}, line {line}: {command} ends with {code}");
    }
}

#[test]
fn the_regulators_walk_through_is_as_it_is_written() {
    walk("docs/audit.md", None);
}

#[test]
fn the_owners_walk_through_is_as_it_is_written() {
    walk("docs/owner.md", Some("parkwattd serve --data parkwatt-data --simulated-from 2026-06-01T03:00:00Z"));
}

#[test]
fn a_line_that_is_wrong_is_found() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (expected, printed, holds) in [
        ("a\nb", "a\nb", true),
        ("a\nb", "a", false),
        ("a", "a\nb", false),
        ("a\nc", "a\nb", false),
        ("...\nb", "a\na\nb", true),
        ("...\nb", "b", true),
        ("...\nb", "a\nc", false),
        ("a\n...", "a\nb\nc", true),
        ("leaves        ..., of them 0 new", "leaves        80,852, of them 0 new", true),
        ("leaves        ..., of them 0 new", "leaves        80,852, of them 1 new", false),
        ("... of ... trades", "3 of 4 trades", true),
        ("... of ... trades", "3 of 4 trade", false),
        ("key  ...", "key  ", true),
    ] {
        assert_eq!(fits(&lines(expected), &lines(printed)), holds, "{expected:?} {printed:?}");
    }
    let found = steps("text\n```console\n$ one\na\n\nb\n$ two\n```\n$ no\n```sh\n$ neither\n```");
    let found: Vec<_> =
        found.iter().map(|step| (step.line, step.command.as_str(), step.expected.len())).collect();
    assert_eq!(found, [(3, "one", 3), (7, "two", 0)]);
}
