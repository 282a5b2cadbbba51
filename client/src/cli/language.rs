//! The languages in which people are spoken to, and how a text of one becomes that of the other.
//!
//! Every text stands in the catalogue in both languages, side by side. What has values in it stands there as
//! a template: `{name}` is a value, and whatever the commands said there is carried over. Translation is the
//! last step before something is shown, so that no command knows of it.
//! Keeps: nothing that machines read changes: not the names of JSON and CSV, not the codes of rejections.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::catalogue;
use super::surroundings;

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English
    En,
    /// 中文
    Zh,
}

impl Language {
    /// Returns the language that `--lang` names with this word.
    pub fn of_word(word: &str) -> Option<Language> {
        Language::from_str(word, false).ok()
    }

    /// Returns the language of a locale, such as `zh_CN.UTF-8`.
    pub fn of_locale(locale: &str) -> Language {
        if locale.starts_with("zh") { Language::Zh } else { Language::En }
    }

    /// Returns a text in this language, or as it is where the catalogue does not have it.
    pub fn say(self, text: &str) -> String {
        match self {
            Language::En => text.to_owned(),
            Language::Zh => in_chinese(text).unwrap_or_else(|| text.to_owned()),
        }
    }

    /// Returns a text of several lines, each in this language. What stands in columns is left as it is.
    pub fn say_lines(self, text: &str) -> String {
        let line = |line: &str| if line.contains("  ") { line.to_owned() } else { self.say(line) };
        text.split('\n').map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Returns a text in the caller's language.
pub fn say(text: &str) -> String {
    surroundings::language().say(text)
}

/// Returns the Chinese for a text, where the catalogue has it.
pub fn in_chinese(text: &str) -> Option<String> {
    word(text).map(str::to_owned).or_else(|| {
        catalogue::all().filter(|(english, _)| english.contains('{')).find_map(|(english, chinese)| {
            let values = values(english, text)?;
            Some(values.into_iter().fold(chinese.to_owned(), |said, (name, value)| {
                said.replace(&format!("{{{name}}}"), &carried_over(name, value))
            }))
        })
    })
}

/// Returns what stands for a value: the Chinese for what is a text of ours itself, and any other as it is.
fn carried_over(name: &str, value: &str) -> String {
    let said = if ["problem", "cause", "message"].contains(&name) {
        in_chinese(value)
    } else {
        word(value).map(str::to_owned)
    };
    said.unwrap_or_else(|| value.to_owned())
}

/// Returns the Chinese for a text without values.
fn word(text: &str) -> Option<&'static str> {
    catalogue::all().find_map(|(english, chinese)| (english == text).then_some(chinese))
}

/// Returns the values that a template has in a text, with their names; nothing where it is another text.
fn values<'a>(template: &'a str, text: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let Some((head, rest)) = template.split_once('{') else {
        return (template == text).then(Vec::new);
    };
    let (name, rest) = rest.split_once('}')?;
    let text = text.strip_prefix(head)?;
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]).skip(1);
    ends.into_iter().find_map(|end| {
        let mut found = values(rest, &text[end..])?;
        found.insert(0, (name, &text[..end]));
        Some(found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_finds_its_values() {
        for (template, text, found) in [
            ("plain", "plain", Some(vec![])),
            ("{n} orders", "12 orders", Some(vec![("n", "12")])),
            ("{a} of {b}", "1 of 2 of 3", Some(vec![("a", "1"), ("b", "2 of 3")])),
            ("{a} of {b}.", "1 of 2", None),
            ("{a} left", " left", None),
        ] {
            assert_eq!(values(template, text), found, "{template}");
        }
    }

    #[test]
    fn locales_name_languages() {
        assert_eq!(Language::of_locale("zh_CN.UTF-8"), Language::Zh);
        assert_eq!(Language::of_locale("C.UTF-8"), Language::En);
        assert_eq!(Language::of_word("zh"), Some(Language::Zh));
        assert_eq!(Language::of_word("fr"), None);
    }

    #[test]
    fn values_are_carried_over_and_unknown_texts_stay() {
        let zh = Language::Zh;
        assert_eq!(zh.say("the gate of slot 1978096 has closed"), "时段 1978096 的交易已截止");
        assert_eq!(zh.say("mill No. 3"), "mill No. 3");
        assert_eq!(Language::En.say("side"), "side");
        assert_eq!(zh.say_lines("order  side\nside"), "order  side\n方向");
    }
}
