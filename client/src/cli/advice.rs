//! What to do next, after a rejection or an error.
//!
//! Knows the stable codes of the market's rules; a code that it does not know gets the general advice.

use parkwatt_client::ClientError;
use tonic::Code;

/// Returns what to do after a rule refused.
pub fn after_rejection(code: &str) -> &'static str {
    match code {
        "KEY_MUST_BE_ENROLLED" => "Ask the operator to enrol your key: parkwatt enrol --help",
        "ROLE_MUST_PERMIT" => {
            "Ask the operator which roles your key has, or name another key with --key, or --operator-key."
        }
        "NONCE_MUST_RISE" | "COMMAND_MUST_NOT_HAVE_EXPIRED" => "Nothing was done; run the command once more.",
        "NAME_MUST_BE_FREE" => "Choose another --name.",
        "KEY_MUST_BE_FREE" => {
            "This key is enrolled already, or was once. Make another one; for a rotation remove the file \
             whose name ends in .new, and run the command again."
        }
        "PARTICIPANT_MUST_EXIST" => "Check the name, or enrol the participant first: parkwatt enrol --help",
        "SCHEDULE_MUST_NOT_BE_TOO_LONG" => {
            "Choose an earlier --until, and run the command again for the rest."
        }
        "SLOT_MUST_BE_OPEN" | "GATE_MUST_BE_OPEN" => "Choose another quarter hour with --at.",
        "ENERGY_MUST_BE_POSITIVE" | "ENERGY_MUST_BE_ON_LOT" | "ENERGY_MUST_NOT_EXCEED_THE_MAXIMUM" => {
            "Choose another energy."
        }
        "PRICE_MUST_BE_ON_TICK" | "PRICE_MUST_BE_WITHIN_BOUNDS" => "Choose another --price.",
        "ENERGY_MUST_EXCEED_WHAT_HAS_TRADED" => {
            "The energy is what the order is for altogether. Choose more, or withdraw the rest: parkwatt \
             cancel ORDER"
        }
        "GOOD_UNTIL_MUST_BE_IN_THE_FUTURE" => "Choose a later --good-until.",
        "MINIMUM_FILL_MUST_NOT_EXCEED_THE_ENERGY" => "Choose a lower --at-least.",
        "POST_ONLY_MUST_REST" => {
            "Leave out --post-only, or what trades at once: --immediate, --fill-or-kill, --at-least."
        }
        "CONTINUOUS_TRADING_MUST_HAVE_BEGUN" => {
            "Leave out --immediate, --fill-or-kill and --at-least until the auction is over; parkwatt book \
             shows the phase."
        }
        "CONDITIONAL_ORDER_MUST_BE_ALONE_IN_ITS_SLOT" => {
            "Leave out --all-or-none, or the orders' conditions."
        }
        "POST_ONLY_MUST_NOT_TRADE" => {
            "Choose another --price, at which nothing trades at once, or leave out --post-only; \
             parkwatt book shows what waits."
        }
        "MINIMUM_FILL_MUST_BE_REACHED" => {
            "Choose less energy, another --price or a lower --at-least; parkwatt book shows what waits."
        }
        "SCHEDULE_MUST_HOLD_WHOLE" => {
            "Change the order that was refused, or leave out --all-or-none to place the others."
        }
        "ORDER_MUST_BE_COVERED" => {
            "Order less, cancel orders, or ask the operator to pay in; parkwatt account shows your balance."
        }
        "OFFER_MUST_BE_DELIVERABLE" => {
            "Offer less, or cancel other offers of that quarter hour (parkwatt orders --open). In a quarter \
             hour 8 kW deliver at most 2 kWh."
        }
        "ORDER_MUST_EXIST" | "ORDER_MUST_BE_OWN" | "ORDER_MUST_BE_OPEN" => {
            "See which orders can be withdrawn: parkwatt orders --open"
        }
        "PAYOUT_MUST_BE_COVERED" => {
            "Pay out less: at most the balance less what open orders and unsettled trades reserve."
        }
        "ACCOUNT_MUST_BE_AT_REST" => {
            "Withdraw the participant's orders (parkwatt cancel --help), wait until his trades are settled, or \
             pay out an amount."
        }
        "TARIFF_VERSION_MUST_FOLLOW_THE_LAST" => "Write the next version in the file.",
        "TARIFFS_MUST_BE_WELL_FORMED" => "Correct the file; parkwatt publish-tariffs --help shows one.",
        "TARIFFS_MUST_BEGIN_BEHIND_THE_LAST" | "TARIFFS_MUST_BEGIN_BEFORE_TRADING" => {
            "Write a later effective_from in the file."
        }
        "TARIFFS_MUST_BEGIN_WITHIN_A_YEAR" => "Write an earlier effective_from in the file.",
        "SLOT_MUST_BE_SETTLED" => {
            "Wait until the quarter hour is settled; parkwatt certificates shows what you hold."
        }
        "CERTIFICATES_MUST_BE_HELD" | "CERTIFICATES_MUST_BE_TRADABLE" => {
            "Choose less --energy; parkwatt certificates shows what you hold."
        }
        "CERTIFICATES_MUST_NOT_BE_CONTRADICTED" => {
            "Choose less --energy, or wait: a reading of the producer's meter was corrected, and the operator \
             will withdraw certificates for what it does not show any more."
        }
        "CORRECTIONS_MUST_NOT_EXCEED_THE_MAXIMUM" => {
            "Correct the next quarter hour instead, or ask the operator."
        }
        "CONSUMPTION_MUST_COVER" => {
            "Claim less: at most what your meter measured as import in that quarter hour and you have not \
             claimed for yet."
        }
        "TRANSFER_MUST_BE_TO_ANOTHER" => "Choose another --to.",
        "BUNDLE_MUST_REACH_ONE_MWH" => {
            "Wait until you hold 1 MWh; where you gave --until, a later one may do. parkwatt certificates shows what you \
             hold."
        }
        "CERTIFICATE_MUST_EXIST" => "Check the certificate's name.",
        "CORRECTION_MUST_CONTRADICT_THE_CERTIFICATE" => {
            "Leave it: a certificate is withdrawn only after a corrected reading that contradicts it."
        }
        _ => "Change what the rule refuses, and run the command again; nothing was done.",
    }
}

/// Returns what to do after an error.
pub fn after_error(error: &ClientError) -> String {
    match error {
        ClientError::Address { .. } => {
            "Name the node with --node http://HOST:PORT or PARKWATT_NODE.".to_owned()
        }
        ClientError::Unreachable { cause, .. } if cause.contains("certificate") => {
            after_certificate(cause).to_owned()
        }
        ClientError::Unreachable { url, cause } if speaks_otherwise(url, cause) => {
            let (said, other) =
                if url.starts_with("https:") { ("https", "http") } else { ("http", "https") };
            format!("The node may not speak {said}: try --node {}", url.replacen(said, other, 1))
        }
        ClientError::Unreachable { .. } => {
            "Check that the node runs and that --node is its address. If you sent a command, see what became \
             of it before you send another: parkwatt orders"
                .to_owned()
        }
        ClientError::Refused { retry_after: Some(delay), .. } => {
            format!("Run the command again in {} ms.", delay.as_millis())
        }
        ClientError::Refused { status: Code::Unauthenticated, .. } => {
            "Check that --key is the enrolled key (parkwatt key show), or enrol it: parkwatt enrol \
             --help. If parkwatt key rotate was interrupted, run it again."
                .to_owned()
        }
        ClientError::Refused { status: Code::NotFound, .. } => {
            "Check the number, whether --key is the key of whom it concerns, and the name after --market."
                .to_owned()
        }
        ClientError::Refused { message, .. } if message.starts_with("market: ") => {
            "Name one with --market, or keep it in a profile; parkwatt markets lists them.".to_owned()
        }
        ClientError::Refused { .. } | ClientError::Incomplete { .. } => {
            "Check the command line; if it is right, tell the node's operator this message.".to_owned()
        }
        ClientError::Contradictory { .. } => {
            "Rely on nothing of it. Tell the market's operator this message; parkwatt-audit finds out what the \
             ledger says."
                .to_owned()
        }
        ClientError::KeyExists { .. } => {
            "Use it (parkwatt key show), or name another file with --key FILE.".to_owned()
        }
        ClientError::KeyMissing { path } => {
            format!("Make a key with parkwatt key new, or name its file instead of {}.", path.display())
        }
        ClientError::KeyFile { .. } => "Check the file's name and who may read it.".to_owned(),
        ClientError::KeyMalformed { .. } => "Name a file that parkwatt key new made.".to_owned(),
        ClientError::KeySealed { .. } => {
            "Name a file whose first line is its passphrase, with --passphrase-file or in \
             PARKWATT_PASSPHRASE_FILE."
                .to_owned()
        }
        ClientError::PassphraseWrong { .. } => {
            "Try again, or name the right file with --passphrase-file; nothing was done.".to_owned()
        }
        ClientError::PublicKeyMalformed { .. } => "parkwatt key show prints a public key.".to_owned(),
    }
}

/// Returns what to do where the node's certificate does not do.
fn after_certificate(cause: &str) -> &'static str {
    if cause.contains("an authority's") {
        "The node shows the certificate of an authority. Its operator has to show one that is none: \
         basicConstraints=critical,CA:FALSE."
    } else if cause.contains("for this name") {
        "Name the node with --node by a name that its certificate has."
    } else if cause.contains("has expired") {
        "Tell the node's operator that its certificate has expired, and look at this machine's clock."
    } else {
        "Name the roots of the node's certificate with --tls-roots FILE; its operator has them."
    }
}

/// Whether what was heard of a node sounds as if it spoke TLS to who does not, or the other way round.
fn speaks_otherwise(url: &str, cause: &str) -> bool {
    let signs: &[&str] = if url.starts_with("https:") {
        &["corrupt", "reset", "handshake"]
    } else {
        &["broken", "reset", "closed", "frame"]
    };
    signs.iter().any(|sign| cause.contains(sign))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::super::language::in_chinese;
    use super::*;

    /// Returns every code of the rules with its sentence, as the market writes them.
    fn rejections() -> Vec<(&'static str, &'static str)> {
        let source = include_str!("../../../engine/src/rejection.rs");
        let (_, source) = source.rsplit_once("rejections! {").unwrap();
        let (source, _) = source.split_once("\n}\n").unwrap();
        let entries = source.split("\";").filter(|entry| entry.contains(" = \""));
        entries.map(|entry| (entry.split('"').nth(1).unwrap(), entry.rsplit('"').next().unwrap())).collect()
    }

    #[test]
    fn every_rejection_and_what_to_do_after_it_is_there_in_chinese() {
        let rejections = rejections();
        assert!(rejections.len() > 60, "{}", rejections.len());
        for (code, sentence) in rejections {
            // The values of two are words of ours as well.
            let said = sentence.replace("{part} {must}", "a name is 1 to 32 of a-z, 0-9 and -");
            assert!(in_chinese(&said).is_some(), "{code}: {sentence}");
            let next = after_rejection(code);
            assert!(in_chinese(next).is_some(), "{code}: {next}");
        }
    }

    #[test]
    fn every_error_and_what_to_do_after_it_is_there_in_chinese() {
        let (text, path) = (|| "x".to_owned(), || PathBuf::from("x"));
        let refused = |status, retry_after| ClientError::Refused {
            status,
            reason: text(),
            message: text(),
            retry_after,
        };
        let errors = [
            ClientError::Address { url: text(), cause: text() },
            ClientError::Unreachable { url: text(), cause: text() },
            ClientError::Unreachable {
                url: text(),
                cause: "no root that is trusted here vouches for its certificate".into(),
            },
            ClientError::Unreachable { url: "https://x".into(), cause: "received corrupt message".into() },
            ClientError::Unreachable {
                url: text(),
                cause: "the certificate that it shows is an authority's".into(),
            },
            ClientError::Unreachable { url: text(), cause: "its certificate is not for this name".into() },
            ClientError::Unreachable { url: text(), cause: "its certificate has expired".into() },
            refused(Code::ResourceExhausted, Some(Duration::from_millis(20))),
            refused(Code::Unauthenticated, None),
            refused(Code::NotFound, None),
            refused(Code::InvalidArgument, None),
            ClientError::Incomplete { url: text(), what: "x" },
            ClientError::Contradictory { url: text(), what: text() },
            ClientError::KeyExists { path: path() },
            ClientError::KeyMissing { path: path() },
            ClientError::KeyFile { path: path(), cause: std::io::Error::other("x") },
            ClientError::KeyMalformed { path: path(), cause: text() },
            ClientError::KeySealed { path: path() },
            ClientError::PassphraseWrong { path: path() },
            ClientError::PublicKeyMalformed { text: text(), cause: "a public key is 64 hex digits" },
        ];
        for error in errors {
            assert!(in_chinese(&error.to_string()).is_some(), "{error}");
            let next = after_error(&error);
            assert!(in_chinese(&next).is_some(), "{next}");
        }
    }
}
