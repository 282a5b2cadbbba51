//! Settings: a file, then the environment, then flags, each going before the one before it.
//!
//! Knows where settings come from and how they are named; what they mean, and their bounds, `config` says.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::config::NodeConfig;

/// What a setting's variable is called in the environment, before its name: `PARKWATT_NODE_QUEUE_LEN_MAX`, or, of
/// a setting within a table, `PARKWATT_NODE_TLS__KEY`.
pub const ENV_PREFIX: &str = "PARKWATT_NODE_";

/// Why settings are no configuration.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// The file cannot be read.
    #[error("--config {}: the file cannot be read: {source}; docs/node.toml is one to begin with", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// What.
        source: std::io::Error,
    },
    /// The file is no configuration.
    #[error("--config {}: {problem}", path.display())]
    Form {
        /// Where.
        path: PathBuf,
        /// What, with the line.
        problem: Box<toml::de::Error>,
    },
    /// A setting beside the file is none.
    #[error("{origin}: {problem}")]
    Single {
        /// The flag or variable.
        origin: String,
        /// What.
        problem: String,
    },
    /// A setting is out of its bounds.
    #[error("{0}")]
    Bounds(String),
}

/// A setting that goes before the file's.
#[derive(Clone, Debug)]
struct Single {
    /// The flag or variable.
    origin: String,
    /// The setting's name; of one within a table, with dots.
    name: String,
    value: Value,
}

/// Returns the configuration that a file, variables of the environment and `NAME=VALUE` flags come to.
///
/// # Errors
/// [`SettingError`], naming the file and line, the variable or the flag. The bounds of the node's own settings are
/// checked; the market's when it is founded.
pub fn read(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[String],
) -> Result<NodeConfig, SettingError> {
    let mut table = Table::new();
    if let Some(path) = file {
        let at = |source| SettingError::File { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(at)?;
        let form = |problem| SettingError::Form { path: path.to_owned(), problem: Box::new(problem) };
        // For its own sake, since an error knows its line only here.
        toml::from_str::<NodeConfig>(&text).map_err(form)?;
        table = toml::from_str(&text).map_err(form)?;
    }
    for single in singles(environment, flags)? {
        put(&mut table, &single)?;
        let tried: Result<NodeConfig, _> = table.clone().try_into();
        if let Err(problem) = tried {
            let problem = in_words(problem.message());
            return Err(SettingError::Single { origin: single.origin, problem });
        }
    }
    let config: NodeConfig = table.try_into().expect("each setting was tried");
    config.check().map_err(SettingError::Bounds)?;
    Ok(config)
}

/// Returns the settings beside the file, in the order in which they go before each other.
fn singles(
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[String],
) -> Result<Vec<Single>, SettingError> {
    let mut singles = Vec::new();
    for (variable, value) in environment {
        if let Some(name) = variable.strip_prefix(ENV_PREFIX) {
            let name = name.to_ascii_lowercase().replace("__", ".");
            singles.push(Single { origin: variable, name, value: parse(&value) });
        }
    }
    // The environment has no order.
    singles.sort_by(|one, other| one.origin.cmp(&other.origin));
    for flag in flags {
        let origin = format!("--set {flag}");
        let Some((name, value)) = flag.split_once('=') else {
            let problem = "must be NAME=VALUE".to_owned();
            return Err(SettingError::Single { origin, problem });
        };
        singles.push(Single { origin, name: name.to_owned(), value: parse(value) });
    }
    Ok(singles)
}

/// Returns what is wrong with a value, without the names that numbers have in this program.
fn in_words(problem: &str) -> String {
    let names = [" usize", " u64", " u32", " u16", " u8"];
    let whole =
        |said: String, name: &str| said.replace(&format!("expected{name}"), "expected a whole number");
    names.into_iter().fold(problem.to_owned(), whole)
}

/// Returns the TOML value that `text` writes; what is none is taken as a string, so that nobody must quote.
fn parse(text: &str) -> Value {
    let table: Option<Table> = toml::from_str(&format!("value = {text}")).ok();
    table.and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::String(text.to_owned()))
}

fn put(table: &mut Table, single: &Single) -> Result<(), SettingError> {
    let (tables, last) = match single.name.rsplit_once('.') {
        Some((tables, last)) => (tables.split('.').collect(), last),
        None => (Vec::new(), single.name.as_str()),
    };
    let mut table = table;
    for name in tables {
        let within = table.entry(name).or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(within) = within else {
            let problem = format!("{name} is no table");
            return Err(SettingError::Single { origin: single.origin.clone(), problem });
        };
        table = within;
    }
    table.insert(last.to_owned(), single.value.clone());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn with(file: &str, environment: &[(&str, &str)], flags: &[&str]) -> Result<NodeConfig, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.toml");
        fs::write(&path, file).unwrap();
        let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let flags: Vec<String> = flags.iter().map(ToString::to_string).collect();
        read(Some(&path), environment, &flags).map_err(|problem| problem.to_string())
    }

    #[test]
    fn the_environment_goes_before_the_file_and_a_flag_before_both() {
        let file = "queue_len_max = 1\ndrain_ms = 2\nkeep_alive_s = 3\n[market]\nname = \"yard\"\n";
        let environment = [
            ("PARKWATT_NODE_DRAIN_MS", "20"),
            ("PARKWATT_NODE_KEEP_ALIVE_S", "30"),
            ("PARKWATT_NODE_MARKET__LOT_WH", "100"),
            ("OTHER", "x"),
        ];
        let flags = ["keep_alive_s=300", "data=/srv/park", "tls.certificate=a.pem", "tls.key=b.pem"];
        // One file of TLS without the other is none yet.
        assert!(with(file, &environment, &flags).unwrap_err().starts_with("--set tls.certificate=a.pem: "));
        let flags = ["keep_alive_s=300", "data=/srv/park", "tls={certificate='a.pem', key='b.pem'}"];
        let config = with(file, &environment, &flags).unwrap();
        assert_eq!((config.queue_len_max, config.drain_ms, config.keep_alive_s), (1, 20, 300));
        assert_eq!((config.market.name.as_str(), config.market.lot_wh), ("yard", 100));
        assert_eq!(config.data, Path::new("/srv/park"));
        assert_eq!(config.tls.unwrap().key, Path::new("b.pem"));
    }

    #[test]
    fn what_is_no_setting_is_named_where_it_stands() {
        let problem = with("queue_len_max = 1\nqueue_len = 2\n", &[], &[]).unwrap_err();
        assert!(problem.contains("line 2") && problem.contains("queue_len"), "{problem}");
        let problem = with("", &[("PARKWATT_NODE_QUEUE_LEN_MAX", "many")], &[]).unwrap_err();
        assert!(problem.starts_with("PARKWATT_NODE_QUEUE_LEN_MAX: invalid type"), "{problem}");
        assert!(problem.ends_with("expected a whole number"), "{problem}");
        let problem = with("", &[], &["queue_len_max"]).unwrap_err();
        assert_eq!(problem, "--set queue_len_max: must be NAME=VALUE");
        let problem = with("", &[], &["queue_len_max=0"]).unwrap_err();
        assert_eq!(problem, "queue_len_max: 0 is not between 1 and 16777216");
        let problem = with("", &[], &["data.dir=x", "data=y", "data.dir=z"]).unwrap_err();
        assert!(problem.starts_with("--set data.dir=x: "), "{problem}");
    }

    #[test]
    fn the_file_in_the_documents_has_every_setting_with_its_default() {
        let documented = include_str!("../docs/node.toml");
        let read: NodeConfig = toml::from_str(documented).unwrap();
        let [read, default] = [&read, &NodeConfig::default()].map(|config| toml::to_string(config).unwrap());
        assert_eq!(read, default);

        // What is left out by default stands there as a comment.
        let is_example = |line: &&str| line.starts_with("# ") && line.contains(" = ");
        let uncommented: Vec<&str> =
            documented.lines().map(|line| if is_example(&line) { &line[2..] } else { line }).collect();
        let everything: NodeConfig = toml::from_str(&uncommented.join("\n")).unwrap();
        assert!(everything.tls.is_some_and(|tls| tls.client_roots.is_some()));
        let settings = include_str!("config.rs").lines().filter_map(|line| line.strip_prefix("    pub "));
        let names = settings.filter_map(|setting| setting.split_once(": ")).map(|(name, _)| name);
        let is_plain = |name: &&str| !name.contains('(') && !["zones", "tariffs", "market"].contains(name);
        let of_streams = include_str!("reads/streams/limits.rs").lines();
        let of_streams = of_streams.filter_map(|line| line.strip_prefix("    pub ")?.split_once(": "));
        let of_streams =
            of_streams.map(|(name, _)| name).filter(is_plain).map(|name| format!("streams.{name}"));
        let of_page = include_str!("web/limits.rs").lines();
        let of_page = of_page.filter_map(|line| line.strip_prefix("    pub ")?.split_once(": "));
        let of_page = of_page.map(|(name, _)| name).filter(is_plain).map(|name| format!("web.{name}"));
        let names = names.filter(is_plain).map(ToString::to_string);
        for name in names.chain(of_streams).chain(of_page) {
            let stands = |line: &&str| {
                line.starts_with(&format!("{name} = ")) || line.starts_with(&format!("{name}."))
            };
            assert!(uncommented.iter().any(stands), "{name} is missing in docs/node.toml");
        }
    }
}
