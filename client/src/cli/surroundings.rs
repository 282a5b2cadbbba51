//! What is known before the command line is parsed: the caller's profile, his time zone and his language.
//!
//! Knows the environment and the words that name these three; does not know commands. They are read once,
//! before anything is parsed, since times are parsed in a zone and help is told in a language.

use std::sync::OnceLock;

use jiff::tz::TimeZone;

use super::language::Language;
use super::profiles::{Profile, Profiles};
use super::report::Failure;

static CALLER: OnceLock<Caller> = OnceLock::new();

/// Who calls, as far as it matters for reading and writing.
#[derive(Clone, Debug)]
struct Caller {
    zone: TimeZone,
    language: Language,
}

/// Returns the zone in which times without an offset are meant and shown.
pub fn zone() -> TimeZone {
    CALLER.get().map_or_else(TimeZone::system, |caller| caller.zone.clone())
}

/// Returns the language in which people are spoken to.
pub fn language() -> Language {
    CALLER.get().map_or(Language::En, |caller| caller.language)
}

/// Reads the surroundings of a command line, and returns the profile that it works with.
///
/// # Errors
/// [`Failure::File`] if the profiles cannot be read; [`Failure::Usage`] if the one that is named does not
/// exist. What is not in a profile holds then: the zone and the language are known in any case.
pub fn read(words: &[String]) -> Result<Profile, Failure> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let named = option(words, "--profile").or_else(|| variable("PARKWATT_PROFILE"));
    let profile = Profiles::read().and_then(|profiles| profiles.chosen(named.as_deref()));
    let known = profile.as_ref().ok();
    let zone = option(words, "--time-zone")
        .or_else(|| variable("PARKWATT_TIME_ZONE"))
        .or_else(|| known.and_then(|profile| profile.time_zone.clone()))
        .and_then(|name| TimeZone::get(&name).ok())
        .unwrap_or_else(TimeZone::system);
    let language = option(words, "--lang")
        .and_then(|word| Language::of_word(&word))
        .or_else(|| known.and_then(|profile| profile.lang))
        .or_else(|| {
            ["LC_ALL", "LC_MESSAGES", "LANG"]
                .into_iter()
                .find_map(variable)
                .map(|it| Language::of_locale(&it))
        })
        .unwrap_or(Language::En);
    // OK because: a second reading, as tests make it, finds the same surroundings.
    let _ = CALLER.set(Caller { zone, language });
    profile
}

/// Returns the name of a time zone that this machine knows, or the rule.
pub fn zone_name(text: &str) -> Result<String, String> {
    match TimeZone::get(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("a time zone is a name of the IANA database, such as Asia/Shanghai".to_owned()),
    }
}

/// Returns the value of an option that is written `--name value` or `--name=value`.
fn option(words: &[String], name: &str) -> Option<String> {
    let words = words.iter().take_while(|word| *word != "--").collect::<Vec<_>>();
    words.iter().enumerate().find_map(|(place, word)| match word.strip_prefix(name) {
        Some("") => words.get(place + 1).map(|value| (*value).clone()),
        Some(rest) => rest.strip_prefix('=').map(str::to_owned),
        None => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_found_in_both_ways_of_writing_it() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (line, found) in [
            ("parkwatt --lang zh orders", Some("zh")),
            ("parkwatt orders --lang=zh", Some("zh")),
            ("parkwatt orders --language zh", None),
            ("parkwatt orders --lang", None),
            ("parkwatt orders -- --lang zh", None),
        ] {
            assert_eq!(option(&words(line), "--lang").as_deref(), found, "{line}");
        }
    }

    #[test]
    fn a_zone_has_a_name() {
        assert!(zone_name("Asia/Shanghai").is_ok());
        assert!(zone_name("Shanghai!").unwrap_err().contains("Asia/Shanghai"));
    }
}
