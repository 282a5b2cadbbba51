//! What holds around a command: profiles, passphrases, the language; no node is needed.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Somebody's machine.
struct Machine {
    home: TempDir,
}

impl Machine {
    fn new() -> Machine {
        Machine { home: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }

    fn file(&self, name: &str, content: &str) -> String {
        let file = self.home.path().join(name);
        fs::write(&file, content).unwrap();
        // As a passphrase must be.
        fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
        self.path(name)
    }

    fn run_with(&self, variables: &[(&str, &str)], args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_parkwatt"));
        for name in
            ["NODE", "KEY", "PROFILE", "MARKET", "TIME_ZONE", "PASSPHRASE_FILE", "NEW_PASSPHRASE_FILE"]
        {
            command.env_remove(format!("PARKWATT_{name}"));
        }
        command
            .args(args)
            .current_dir(self.home.path())
            .env("HOME", self.home.path())
            .env("TZ", "Asia/Shanghai")
            .env("LC_ALL", "C")
            .env_remove("XDG_CONFIG_HOME")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs a command, and returns its exit code and what it says.
    fn run(&self, args: &[&str]) -> (i32, String) {
        said(&self.run_with(&[], args))
    }

    fn json(&self, args: &[&str]) -> Value {
        let (code, text) = self.run(&[args, &["--output", "json"]].concat());
        assert_eq!(code, 0, "{args:?}: {text}");
        serde_json::from_str(&text).unwrap()
    }
}

fn said(output: &Output) -> (i32, String) {
    let text = [&output.stdout[..], &output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

fn holds(path: &str, words: &str) -> bool {
    fs::read_to_string(Path::new(path)).unwrap().contains(words)
}

#[test]
fn a_key_is_put_under_a_passphrase_which_is_changed_and_taken_off() {
    let machine = Machine::new();
    let key = machine.path(".parkwatt/key.pem");
    let [first, second] = ["first", "second"].map(|name| machine.file(name, &format!("{name} passphrase\n")));
    let made = machine.json(&["key", "new", "--new-passphrase-file", &first]);
    assert_eq!(made["key"]["encrypted"], true);
    assert!(holds(&key, "BEGIN ENCRYPTED PRIVATE KEY"));

    let (code, text) = machine.run(&["key", "show"]);
    assert!(code == 2 && text.contains("no terminal") && text.contains("PARKWATT_PASSPHRASE_FILE"), "{text}");
    let (code, text) = machine.run(&["key", "show", "--passphrase-file", &second]);
    assert!(code == 5 && text.contains("does not open"), "{text}");
    let shown = said(&machine.run_with(&[("PARKWATT_PASSPHRASE_FILE", &first)], &["key", "show"])).1;
    let public_key = made["key"]["public_key"].as_str().unwrap();
    assert!(shown.contains(public_key), "{shown}");

    let change = ["key", "change-passphrase", "--passphrase-file", &first, "--new-passphrase-file", &second];
    assert_eq!(machine.json(&change)["key"]["public_key"], public_key);
    assert_eq!(machine.run(&["key", "show", "--passphrase-file", &first]).0, 5);
    let opened = machine.json(&["key", "decrypt", "--passphrase-file", &second]);
    assert_eq!(
        (&opened["key"]["public_key"], &opened["key"]["encrypted"]),
        (&public_key.into(), &false.into())
    );
    assert!(holds(&key, "BEGIN PRIVATE KEY"));
    assert_eq!(machine.json(&["key", "show"])["key"]["public_key"], public_key);
}

#[test]
fn a_passphrase_is_asked_for_on_the_terminal_where_script_makes_one() {
    let machine = Machine::new();
    let passphrase = machine.file("passphrase", "sunny afternoon");
    machine.json(&["key", "new", "--new-passphrase-file", &passphrase]);
    let command = format!("'{}' key show --output json", env!("CARGO_BIN_EXE_parkwatt"));
    let terminal = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env("HOME", machine.home.path())
        .env("LC_ALL", "C")
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("PARKWATT_PASSPHRASE_FILE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut terminal) = terminal else { return };
    let (mut typed, mut shown) = (terminal.stdin.take().unwrap(), terminal.stdout.take().unwrap());
    let mut said = Vec::new();
    for (prompt, answer) in [("Passphrase of ", "wrong"), ("That does not open it.", "sunny afternoon")] {
        let mut byte = [0];
        while !String::from_utf8_lossy(&said).contains(prompt) {
            assert_eq!(shown.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&said));
            said.extend(byte);
        }
        writeln!(typed, "{answer}").unwrap();
    }
    shown.read_to_end(&mut said).unwrap();
    assert!(terminal.wait().unwrap().success(), "{}", String::from_utf8_lossy(&said));
    assert!(String::from_utf8_lossy(&said).contains("\"encrypted\": true"));
}

#[test]
fn a_new_passphrase_that_is_short_or_missing_changes_nothing() {
    let machine = Machine::new();
    machine.json(&["key", "new"]);
    let before = fs::read(machine.path(".parkwatt/key.pem")).unwrap();
    let (short, empty) = (machine.file("short", "seven77"), machine.file("empty", "\n"));
    for (file, code, words) in [
        (short, 2, "at least 8 letters"),
        (empty, 5, "no passphrase"),
        (machine.path("none"), 5, "cannot be read"),
    ] {
        let (found, text) = machine.run(&["key", "encrypt", "--new-passphrase-file", &file]);
        assert!(found == code && text.contains(words), "{found}: {text}");
    }
    assert_eq!(fs::read(machine.path(".parkwatt/key.pem")).unwrap(), before);
}

#[test]
fn a_profile_is_kept_used_and_removed_and_an_option_goes_before_it() {
    let machine = Machine::new();
    assert!(machine.run(&["profile", "list"]).1.contains("no profiles yet"));
    let (code, text) = machine.run(&["profile", "add", "park"]);
    assert!(code == 2 && text.contains("--node"), "{text}");
    let add = ["profile", "add", "park", "--node", "http://127.0.0.1:9", "--key", "park.pem"];
    let added = machine.json(&[&add[..], &["--time-zone", "UTC", "--lang", "en"]].concat());
    assert_eq!(added["profile"]["key"], machine.path("park.pem"));
    assert_eq!(machine.run(&add).0, 2, "a profile is not overwritten by chance");
    machine.json(&["profile", "add", "harbour", "--node", "http://127.0.0.1:10", "--market", "harbour"]);

    // The first one is in use: its key and its node are what commands work with.
    assert_eq!(machine.json(&["key", "new"])["key"]["file"], machine.path("park.pem"));
    let (code, text) = machine.run(&["account"]);
    assert!(code == 3 && text.contains("http://127.0.0.1:9 "), "{text}");
    let (code, text) = machine.run(&["book", "--at", "12:00", "--profile", "harbour"]);
    assert!(code == 3 && text.contains("http://127.0.0.1:10 "), "{text}");
    let (code, text) = machine.run(&["account", "--node", "http://127.0.0.1:11"]);
    assert!(code == 3 && text.contains("http://127.0.0.1:11 "), "{text}");

    machine.json(&["profile", "use", "harbour"]);
    assert!(machine.run(&["book", "--at", "12:00"]).1.contains("http://127.0.0.1:10 "));
    let left = machine.json(&["profile", "remove", "harbour"]);
    assert_eq!(
        (left["profiles"].as_array().unwrap().len(), &left["profiles"][0]["used"]),
        (1, &false.into())
    );
    let (code, text) = machine.run(&["account", "--profile", "harbour"]);
    assert!(code == 2 && text.contains("There are: park"), "{text}");
    assert!(Path::new(&machine.path("park.pem")).exists());
}

#[test]
fn a_broken_file_of_profiles_is_named_and_does_not_stop_what_needs_none() {
    let machine = Machine::new();
    fs::create_dir_all(machine.home.path().join(".config/parkwatt")).unwrap();
    let file = machine.file(".config/parkwatt/config.toml", "[profiles.park]\nport = 7\n");
    let (code, text) = machine.run(&["account"]);
    assert!(code == 5 && text.contains(&file) && text.contains("port"), "{text}");
    assert_eq!(machine.run(&["completions", "bash"]).0, 0);
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = [("XDG_CONFIG_HOME", folder.path().to_str().unwrap())];
    assert_eq!(machine.run_with(&elsewhere, &["profile", "list"]).status.code(), Some(0));
}

#[test]
fn the_language_is_that_of_the_option_then_of_the_profile_then_of_the_locale() {
    let machine = Machine::new();
    let show = |variables: &[(&str, &str)], args: &[&str]| said(&machine.run_with(variables, args)).1;
    let is_chinese = |text: &str| text.contains("没有密钥文件") && text.contains("请用");
    assert!(show(&[], &["key", "show"]).contains("there is no key file"));
    assert!(is_chinese(&show(&[("LC_ALL", "zh_CN.UTF-8")], &["key", "show"])));
    assert!(is_chinese(&show(&[], &["key", "show", "--lang", "zh"])));
    machine.json(&["profile", "add", "park", "--node", "http://127.0.0.1:9", "--lang", "zh"]);
    assert!(is_chinese(&show(&[], &["key", "show"])));
    assert!(show(&[("LC_ALL", "zh_CN")], &["key", "show", "--lang=en"]).contains("there is no key file"));
}

#[test]
fn help_and_mistakes_on_the_command_line_are_told_in_chinese() {
    let machine = Machine::new();
    for (args, code, words) in [
        (&["--help"][..], 0, "第一步"),
        (&["sell", "--help"], 0, "用法: parkwatt sell"),
        (&["sell", "2.5", "--at", "12:00", "--price", "1"], 2, "<ENERGY> 的值 '2.5' 无效: 电量是数字加单位"),
        (&["sell", "2kWh", "--at", "12:07", "--price", "1"], 2, "最近的是 12:00 和 12:15"),
        (&["sell", "2kWh", "--at", "12:00"], 2, "缺少: --price"),
        (&["sel"], 2, "没有命令 'sel'"),
        (&["account", "--fast"], 2, "没有选项 '--fast'"),
    ] {
        let (found, text) = machine.run(&[args, &["--lang", "zh"]].concat());
        assert!(found == code && text.contains(words), "{args:?}: {text}");
    }
}

#[test]
fn rows_for_spreadsheets_have_the_names_of_the_document() {
    let machine = Machine::new();
    machine.json(&["key", "new"]);
    let (code, text) = machine.run(&["key", "show", "--output", "csv"]);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((code, lines.len(), lines[0]), (0, 2, "encrypted,file,public_key"), "{text}");
}
