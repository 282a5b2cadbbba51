//! What each part must not know, and how the code looks: the boundaries of `ARCHITECTURE.md`, held over the
//! manifests and the sources.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// The packages' folders; the service's is the root.
const SOURCES: [&str; 8] = ["proto", "engine", "ledger", "client", "src", "benches", "tests", ".ci"];
/// What may lie at the top: what is kept, and what a build or a run leaves there.
const TOP_LEVEL: [&str; 26] = [
    ".ci",
    ".git",
    ".github",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "benches",
    "client",
    "clippy.toml",
    "deny.toml",
    "docs",
    "engine",
    "ledger",
    "parkwatt-data",
    "parkwatt-demo",
    "proto",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "src",
    "target",
    "tests",
];
const LINES_MAX: usize = 500;
const PAGE_LINES_MAX: usize = 350;
const README_LINES_MAX: usize = 150;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Returns the files below these folders that have this extension, with their paths from the root.
fn files(folders: &[&str], extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                open.push(path);
            } else if path.extension().is_some_and(|it| it == extension) {
                found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "there are no .{extension} files in {folders:?}");
    found
}

/// Returns the files of code that name this crate.
fn naming(name: &str) -> Vec<String> {
    let mut files = files(&SOURCES, "rs");
    files.retain(|file| file != "tests/layout.rs" && code(&read(file)).contains(&format!("{name}::")));
    files
}

/// Returns a source without its comments.
fn code(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    lines.join("\n")
}

/// Returns what of a file is built outside tests: nothing of a module that its parent declares for tests
/// only.
fn production(file: &str) -> String {
    let path = Path::new(file);
    let (folder, name) = (path.parent().unwrap(), path.file_stem().unwrap().to_str().unwrap());
    let parents = [folder.with_extension("rs"), folder.join("mod.rs"), folder.join("lib.rs")];
    let declared = format!("#[cfg(test)]\nmod {name};");
    let mut texts = parents.iter().filter_map(|parent| fs::read_to_string(root().join(parent)).ok());
    if texts.any(|text| text.contains(&declared)) {
        return String::new();
    }
    let mut code = code(&read(file));
    code.truncate(code.find("#[cfg(test)]\nmod tests").unwrap_or(code.len()));
    code
}

/// Returns what a package needs to be built, as its manifest says: names, and whether they are optional.
fn dependencies(package: &str) -> BTreeSet<(String, bool)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|it| it["name"] == package).unwrap();
    let needed = package["dependencies"].as_array().unwrap().iter().filter(|it| it["kind"] == Value::Null);
    needed.map(|it| (it["name"].as_str().unwrap().to_owned(), it["optional"].as_bool().unwrap())).collect()
}

/// Returns those of a package's dependencies that are ours.
fn own_dependencies(package: &str) -> Vec<String> {
    dependencies(package)
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("parkwatt"))
        .collect()
}

#[test]
fn the_engine_needs_decimals_containers_and_error_words_and_nothing_else() {
    let needed = dependencies("parkwatt-engine");
    let allowed = ["postcard", "rust_decimal", "serde", "smallvec", "thiserror"];
    assert!(needed.iter().all(|(name, _)| allowed.contains(&name.as_str())), "{needed:?}");
    let lib = read("engine/src/lib.rs");
    assert!(lib.contains("#![no_std]"));
    for file in files(&["engine/src"], "rs") {
        let code = production(&file);
        for word in ["std::", "HashSet", "Instant", "SystemTime", "RandomState"] {
            let named = code
                .match_indices(word)
                .any(|(at, _)| !code[..at].ends_with(|it: char| it.is_alphanumeric()));
            assert!(!named, "{file} names {word}");
        }
    }
}

#[test]
fn neither_engine_nor_ledger_calculates_with_floats() {
    for file in files(&["engine/src", "ledger/src"], "rs") {
        let code = production(&file);
        assert!(!code.contains("f64") && !code.contains("f32"), "{file}");
    }
}

#[test]
fn each_package_knows_only_whom_it_may() {
    assert_eq!(own_dependencies("parkwatt-engine"), [""; 0]);
    assert_eq!(own_dependencies("parkwatt-ledger"), [""; 0]);
    assert_eq!(own_dependencies("parkwatt-proto"), [""; 0]);
    assert_eq!(own_dependencies("parkwatt-client"), ["parkwatt-ledger", "parkwatt-proto"]);
    assert!(!read("client/Cargo.toml").contains("\"store\""));
    let service = ["parkwatt-client", "parkwatt-engine", "parkwatt-ledger", "parkwatt-proto"];
    assert_eq!(own_dependencies("parkwatt"), service);
}

#[test]
fn sled_is_optional_and_named_in_one_file() {
    assert!(dependencies("parkwatt-ledger").contains(&("sled".to_owned(), true)));
    for package in ["parkwatt", "parkwatt-client", "parkwatt-engine", "parkwatt-proto"] {
        assert!(dependencies(package).iter().all(|(name, _)| name != "sled"), "{package}");
    }
    assert_eq!(naming("sled"), ["ledger/src/store.rs"]);
}

#[test]
fn the_service_names_the_client_in_its_demo_only() {
    let outside = |file: &String| {
        let may = ["client/", "src/demo/", "tests/", "benches/"];
        !may.iter().any(|folder| file.starts_with(folder))
    };
    let found: Vec<_> = naming("parkwatt_client").into_iter().filter(outside).collect();
    assert_eq!(found, [""; 0]);
}

#[test]
fn the_contract_is_not_named_where_only_the_market_or_only_files_are_known() {
    let named = naming("parkwatt_proto");
    let may_not =
        ["engine/", "ledger/", "src/views/", "src/host.rs", "src/config.rs", "src/clock.rs", "src/keys.rs"];
    for file in &named {
        assert!(!may_not.iter().any(|part| file.starts_with(part)), "{file} names the contract");
    }
    for file in naming("parkwatt_engine") {
        assert!(
            !["proto/", "ledger/", "client/"].iter().any(|part| file.starts_with(part)),
            "{file} names the engine"
        );
    }
    assert!(named.iter().any(|file| file.starts_with("src/wire/")));
}

#[test]
fn there_is_one_version_of_the_signatures_code() {
    let lock = read("Cargo.lock");
    assert_eq!(lock.matches("name = \"ed25519-dalek\"\n").count(), 1);
}

#[test]
fn no_file_is_long() {
    for file in files(&SOURCES, "rs") {
        let lines = read(&file).lines().count();
        assert!(lines <= LINES_MAX, "{file} has {lines} lines");
    }
    for (extension, comment) in [("js", "// "), ("css", "/* ")] {
        let mut files = files(&["src/web/page"], extension);
        // What is kept of others is left as it is.
        files.retain(|file| !file.contains("/uPlot"));
        for file in files {
            let text = read(&file);
            assert!(text.lines().count() <= PAGE_LINES_MAX, "{file} has {} lines", text.lines().count());
            assert!(text.starts_with(comment), "{file} does not begin with what it is about");
        }
    }
    let lines = read("README.md").lines().count();
    assert!(lines <= README_LINES_MAX, "README.md has {lines} lines");
}

#[test]
fn nothing_is_left_to_be_done_and_nothing_unwrapped_outside_tests() {
    let (later, unfinished) = (["TO", "DO"].concat(), ["FIX", "ME"].concat());
    for extension in ["rs", "proto", "toml", "md"] {
        for file in
            files(&["proto", "engine", "ledger", "client", "src", "benches", "tests", "docs"], extension)
        {
            let text = read(&file);
            assert!(!text.contains(&later) && !text.contains(&unfinished), "{file}");
        }
    }
    for file in files(&["proto/src", "engine/src", "ledger/src", "client/src", "src"], "rs") {
        assert!(!production(&file).contains(".unwrap()"), "{file} unwraps");
    }
}

#[test]
fn modules_are_named_after_what_they_know() {
    for file in files(&SOURCES, "rs") {
        let parts: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
        for name in ["utils", "common", "helpers", "types"] {
            assert!(!parts.contains(&name), "{file}");
        }
    }
}

#[test]
fn every_file_of_code_begins_with_what_it_is_about() {
    for file in files(&SOURCES, "rs") {
        assert!(read(&file).starts_with("//!"), "{file}");
    }
}

#[test]
fn the_top_level_has_what_belongs_there() {
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(TOP_LEVEL.contains(&name.as_str()), "{name} lies at the top");
    }
}

#[test]
fn everything_in_the_contract_is_explained() {
    let begins = ["message ", "enum ", "service ", "rpc "];
    for file in files(&["proto/proto"], "proto") {
        let text = read(&file);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate() {
            let is_field = line.ends_with(';') && line.contains(" = ") && !line.starts_with("syntax");
            let is_explained = number > 0 && lines[number - 1].starts_with("//");
            let needs = is_field || begins.iter().any(|begin| line.starts_with(begin));
            assert!(!needs || is_explained || line.starts_with("//"), "{file}, line {}: {line}", number + 1);
        }
    }
}
