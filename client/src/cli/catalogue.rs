//! What people are told, in both languages side by side: the English as the commands say it, and the Chinese.
//!
//! `{name}` is a value. The texts of the market's rejections are the contract's; their codes never change.

mod advice;
mod autopilot;
mod examples;
mod executions;
mod failures;
mod help;
mod options;
mod page;
mod refusals;
mod rejections;
mod tables;
mod watch;

/// Returns every text in English and in Chinese.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    let parts: [&[(&str, &str)]; 12] = [
        help::TEXTS,
        examples::TEXTS,
        options::TEXTS,
        autopilot::TEXTS,
        watch::TEXTS,
        page::TEXTS,
        tables::TEXTS,
        failures::TEXTS,
        advice::TEXTS,
        rejections::TEXTS,
        refusals::TEXTS,
        // Its templates are short, and would take those of the others for theirs.
        executions::TEXTS,
    ];
    parts.into_iter().flatten().copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::language::in_chinese;
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

    /// Returns the sources of the commands, without their tests, comments and the texts of help.
    fn sources() -> Vec<(String, String)> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli");
        let folders = [root.clone(), root.join("autopilot"), root.join("watch")];
        let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
        let paths = files.map(|file| file.unwrap().path()).filter(|path| path.is_file());
        let read = |path: std::path::PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            let is_code = |line: &&str| !line.trim_start().starts_with("//");
            (name, text.lines().filter(is_code).collect::<Vec<_>>().join("\n"))
        };
        paths
            .map(read)
            .filter(|(name, _)| !["args.rs", "catalogue.rs", "help.rs"].contains(&name.as_str()))
            .collect()
    }

    /// Returns the texts in a source that are sentences: of three words or more, and said to people.
    fn sentences(source: &str) -> Vec<String> {
        let mut found = Vec::new();
        // The letter itself begins no text.
        let source = source.replace("'\"'", "' '");
        let mut rest = source.as_str();
        while let Some((before, behind)) = rest.split_once('"') {
            let mut text = String::new();
            let mut letters = behind.char_indices();
            let end = loop {
                match letters.next().unwrap() {
                    (at, '"') => break at,
                    (_, '\\') => match letters.next().unwrap().1 {
                        // A text that goes on in the next line.
                        '\n' => text.push('\u{1}'),
                        'n' => text.push('\n'),
                        other => text.push(other),
                    },
                    (_, letter) => text.push(letter),
                }
            };
            while let Some((head, tail)) = text.clone().split_once('\u{1}') {
                text = head.to_owned() + tail.trim_start();
            }
            let said_to_others = ["expect(", "reason = ", "incomplete(", "incomplete(&connection, "];
            if !said_to_others.iter().any(|it| before.trim_end().ends_with(it.trim_end())) {
                found.extend(text.split('\n').map(|line| line.trim().to_owned()));
            }
            rest = &behind[end + 1..];
        }
        let is_sentence = |text: &String| {
            let words =
                text.split_whitespace().filter(|word| word.starts_with(|it: char| it.is_alphabetic()));
            words.count() >= 3 && !text.trim_start().starts_with("parkwatt ") && !text.contains("  ")
        };
        found.retain(is_sentence);
        found
    }

    /// Returns a text as it is said, with something for each of its values.
    fn with_values(text: &str) -> String {
        let mut parts = text.split('{');
        let head = parts.next().unwrap().to_owned();
        head + &parts
            .map(|part| part.split_once('}').map_or_else(String::new, |(_, tail)| format!("x{tail}")))
            .collect::<String>()
    }

    /// Parts of sentences, which are whole in `WHOLE`; and what only machines are told.
    const PARTS: [&str; 19] = [
        "Run the command with --help.",
        "For more information",
        "Nothing is left in it.",
        "{} paid out of the account of {name}.{emptied}",
        "That does not open it.",
        "{} traded at once:",
        "a beneficiary is named",
        "a purpose is said",
        "a reason is said",
        "{what} in {least} to 128 bytes, not in {}",
        "{} are claimed for {}, for good. The claim's number is {number}.",
        "{} are passed on to {to}.",
        "1 national certificate of 1 MWh is made",
        "{gecs} national certificates of 1 MWh are made",
        "the date is missing; {}",
        "a time is",
        "Certificates: {}; so {} kWh are held more.",
        "The retail and feed-in tariffs alone would have {alone_verb} you {}; with the market it {market_verb} you {}. The market {result} you {}.",
        "{}A bid's limit is all-in, with wheeling and fee; an offer's is what the seller is paid.",
    ];

    const WHOLE: [&str; 14] = [
        "Order 7.0 keeps its place: 2 kWh altogether, at 0.42 yuan/kWh. 1 kWh traded at once:",
        "Order 7.0 is replaced by order 9.0: 2 kWh altogether, at 0.42 yuan/kWh. 1 kWh traded at once:",
        "a beneficiary is named in 1 to 128 bytes, not in 129",
        "a purpose is said in 0 to 128 bytes, not in 129",
        "a reason is said in 1 to 128 bytes, not in 129",
        "1 kWh generated from 2026-06-01 12:00 (UTC) are claimed for \"Mill\", for good. The claim's number is 7.",
        "1 kWh generated from 2026-06-01 12:00 (UTC) are passed on to mill.",
        "1 national certificate of 1 MWh is made; 2 kWh stay yours.",
        "3 national certificates of 1 MWh are made; 2 kWh stay yours.",
        "Certificates: 1 kWh issued, 1 kWh received, 1 kWh passed on, 1 kWh claimed, 1 kWh bundled, 1 kWh expired, 1 kWh void; so 1 kWh are held more.",
        "The retail and feed-in tariffs alone would have cost you 1 yuan; with the market it paid you 1 yuan. The market gained you 2 yuan.",
        "A bid's limit is all-in, with wheeling and fee; an offer's is what the seller is paid.",
        "9.50 yuan paid out of the account of mill. Nothing is left in it.",
        "That does not open it. Passphrase of key.pem:",
    ];

    #[test]
    fn sentences_of_parts_are_there_in_chinese() {
        for sentence in WHOLE {
            assert!(in_chinese(sentence).is_some(), "{sentence}");
        }
    }

    #[test]
    fn every_sentence_of_the_commands_is_there_in_chinese() {
        let mut count = 0;
        let mut missing = Vec::new();
        for (file, source) in sources() {
            for sentence in sentences(&source) {
                count += 1;
                let said = with_values(&sentence);
                // What is wrong with a file is said behind its name.
                let is_there =
                    [said.clone(), format!("the file x {said}")].iter().any(|it| in_chinese(it).is_some());
                if !is_there && !PARTS.contains(&sentence.as_str()) {
                    missing.push(format!("{file}: {sentence}"));
                }
            }
        }
        assert!(count > 150, "{count}");
        assert!(missing.is_empty(), "{missing:#?}");
    }
}
