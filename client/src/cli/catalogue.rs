//! What people are told, in both languages side by side: the English as the commands say it, and the Chinese.
//!
//! `{name}` is a value. The texts of the market's rejections are the contract's; their codes never change.

mod advice;
mod autopilot;
mod failures;
mod help;
mod options;
mod rejections;
mod tables;
mod watch;

/// Returns every text in English and in Chinese.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    let parts: [&[(&str, &str)]; 8] = [
        help::TEXTS,
        options::TEXTS,
        autopilot::TEXTS,
        watch::TEXTS,
        tables::TEXTS,
        failures::TEXTS,
        advice::TEXTS,
        rejections::TEXTS,
    ];
    parts.into_iter().flatten().copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Returns the names of a template's values, each once.
    fn names(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0)).collect()
    }

    #[test]
    fn every_text_is_there_in_both_languages_with_the_same_values_and_once() {
        let mut seen = BTreeSet::new();
        for (english, chinese) in all() {
            let is_chinese = chinese.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
            let says_nothing =
                !english.split(['{', '}']).step_by(2).any(|part| part.chars().any(char::is_alphabetic));
            assert!(is_chinese || says_nothing, "{english:?}: {chinese:?}");
            assert_eq!(names(english), names(chinese), "{english:?}");
            assert!(seen.insert(english), "{english:?} stands there twice");
        }
        assert!(seen.len() > 300, "{}", seen.len());
    }
}
