//! Profiles: what a command needs in each of several markets, kept under a name.
//!
//! Knows the file and its format; does not know nodes.
//! Keeps: the file is replaced in one step.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::args::{Options, ProfileAction};
use super::language::Language;
use super::report::{Failure, Report};
use super::table::{facts, left, table};

/// What is in the file.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profiles {
    /// The one that holds where none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

/// What holds where neither an option nor its variable says something else; each is the option of its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Profile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub market: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passphrase_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_roots: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_certificate: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lang: Option<Language>,
}

impl Profiles {
    /// Returns what is in the caller's file; nothing where there is none.
    pub fn read() -> Result<Profiles, Failure> {
        match file() {
            Some(path) => Profiles::read_from(&path),
            None => Ok(Profiles::default()),
        }
    }

    fn read_from(path: &Path) -> Result<Profiles, Failure> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(Profiles::default()),
            Err(problem) => return Err(broken(path, format!("cannot be read: {problem}"))),
        };
        toml::from_str(&text)
            .map_err(|problem| broken(path, format!("is wrong: {}", problem.to_string().trim_end())))
    }

    fn write_to(&self, path: &Path) -> Result<(), Failure> {
        let text = toml::to_string(self).expect("names and paths that were read as text have a form in TOML");
        let new = path.with_extension("toml.new");
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        let written = folder.and_then(|()| fs::write(&new, text)).and_then(|()| fs::rename(&new, path));
        written.map_err(|problem| broken(path, format!("cannot be written: {problem}")))
    }

    /// Returns the profile of that name, or the one in use, or an empty one.
    pub fn chosen(&self, name: Option<&str>) -> Result<Profile, Failure> {
        match name.or(self.used.as_deref()) {
            None => Ok(Profile::default()),
            Some(name) => self.profiles.get(name).cloned().ok_or_else(|| self.unknown(name)),
        }
    }

    fn unknown(&self, name: &str) -> Failure {
        let names: Vec<_> = self.profiles.keys().map(String::as_str).collect();
        Failure::Usage {
            field: "--profile",
            problem: format!("there is no profile {name:?}"),
            next: match &names[..] {
                [] => "There are none yet: parkwatt profile add --help".to_owned(),
                names => format!("There are: {}", names.join(", ")),
            },
        }
    }
}

/// Does what is asked with profiles.
pub fn act(action: &ProfileAction, options: &Options) -> Result<Report, Failure> {
    let path = file().ok_or_else(|| Failure::Usage {
        field: "HOME",
        problem: "there is no home folder in which profiles could be kept".to_owned(),
        next: "Say where it is in HOME or in XDG_CONFIG_HOME.".to_owned(),
    })?;
    let mut profiles = Profiles::read_from(&path)?;
    match action {
        ProfileAction::List => Ok(list(&profiles)),
        ProfileAction::Add { name, replace } => {
            if profiles.profiles.contains_key(name) && !replace {
                return Err(Failure::Usage {
                    field: "<NAME>",
                    problem: format!("there is a profile {name:?} already"),
                    next: "Choose another name, or put this one in its place with --replace.".to_owned(),
                });
            }
            let profile = described(options)?;
            profiles.profiles.insert(name.clone(), profile.clone());
            profiles.used.get_or_insert_with(|| name.clone());
            profiles.write_to(&path)?;
            Ok(added(name, &profile, profiles.used.as_deref() == Some(name)))
        }
        ProfileAction::Use { name } => {
            profiles.chosen(Some(name))?;
            profiles.used = Some(name.clone());
            profiles.write_to(&path)?;
            Ok(list(&profiles))
        }
        ProfileAction::Remove { name } => {
            profiles.profiles.remove(name).ok_or_else(|| profiles.unknown(name))?;
            let was_used = profiles.used.take_if(|used| used == name).is_some();
            profiles.write_to(&path)?;
            let mut report = list(&profiles);
            if was_used {
                report.text +=
                    "\nIt was the one in use: none is now. Choose another with parkwatt profile use NAME.";
            }
            Ok(report)
        }
    }
}

/// Returns the profile that the options of a command line describe.
fn described(options: &Options) -> Result<Profile, Failure> {
    let absolute = |path: &Option<PathBuf>| {
        let it = path.as_ref().map(std::path::absolute).transpose();
        it.map_err(|problem| Failure::Usage {
            field: "--key",
            problem: format!("a file's path cannot be completed: {problem}"),
            next: "Write paths that begin with /.".to_owned(),
        })
    };
    let node = options.node.clone().ok_or_else(|| Failure::Usage {
        field: "--node",
        problem: "a profile needs the address of its market's node".to_owned(),
        next: "Name it with --node https://HOST:PORT; the market's operator knows it.".to_owned(),
    })?;
    if !node.starts_with("http://") && !node.starts_with("https://") {
        return Err(Failure::Usage {
            field: "--node",
            problem: format!("{node:?} is no address: one is http://HOST:PORT or https://HOST:PORT"),
            next: "Name it with --node https://HOST:PORT; the market's operator knows it.".to_owned(),
        });
    }
    Ok(Profile {
        node: Some(node),
        market: options.market.clone(),
        key: absolute(&options.key)?,
        passphrase_file: absolute(&options.passphrase_file)?,
        tls_roots: absolute(&options.tls_roots)?,
        tls_certificate: absolute(&options.tls_certificate)?,
        tls_key: absolute(&options.tls_key)?,
        time_zone: options.time_zone.clone(),
        lang: options.lang,
    })
}

fn added(name: &str, profile: &Profile, is_used: bool) -> Report {
    let next = if is_used { "parkwatt account".to_owned() } else { format!("parkwatt profile use {name}") };
    let shown = facts(&[
        ("profile", name.to_owned()),
        ("node", profile.node.clone().unwrap_or_default()),
        ("market", profile.market.clone().unwrap_or_else(|| "-".to_owned())),
        ("key", key_text(profile)),
    ]);
    Report {
        json: json!({ "profile": profile_json(name, profile, is_used) }),
        text: format!("{shown}\nNext: {next}"),
        refused: false,
        csv: None,
    }
}

fn list(profiles: &Profiles) -> Report {
    let is_used = |name: &String| profiles.used.as_ref() == Some(name);
    let columns = [left("profile"), left("node"), left("market"), left("key"), left("in use")];
    let row = |(name, profile): (&String, &Profile)| {
        vec![
            name.clone(),
            profile.node.clone().unwrap_or_default(),
            profile.market.clone().unwrap_or_else(|| "-".to_owned()),
            key_text(profile),
            if is_used(name) { "yes" } else { "" }.to_owned(),
        ]
    };
    let rows = profiles.profiles.iter().map(row).collect();
    let json = |(name, profile): (&String, &Profile)| profile_json(name, profile, is_used(name));
    Report {
        json: json!({ "profiles": profiles.profiles.iter().map(json).collect::<Vec<_>>() }),
        text: table(&columns, rows, "There are no profiles yet: parkwatt profile add --help"),
        refused: false,
        csv: None,
    }
}

fn key_text(profile: &Profile) -> String {
    profile.key.as_ref().map_or_else(|| "~/.parkwatt/key.pem".to_owned(), |key| key.display().to_string())
}

fn profile_json(name: &str, profile: &Profile, is_used: bool) -> serde_json::Value {
    let mut value = serde_json::to_value(profile).expect("a profile has a form in JSON");
    value["name"] = json!(name);
    value["used"] = json!(is_used);
    value
}

/// Returns the file of the profiles: that of the XDG base directories.
fn file() -> Option<PathBuf> {
    let folder = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = folder.or_else(|| Some(std::env::home_dir()?.join(".config")))?;
    Some(folder.join("parkwatt").join("config.toml"))
}

fn broken(path: &Path, problem: String) -> Failure {
    Failure::File {
        path: path.to_owned(),
        problem,
        next: "Mend the file or move it away; parkwatt profile add writes a new one.".to_owned(),
    }
}
