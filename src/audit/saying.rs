//! Saying: what an entry of a ledger records, as a person reads it.
//!
//! Knows leaves and the contract's names; decides nothing, and checks nothing.

use parkwatt_proto::v1::{self, leaf::Fact};
use prost::Message;

use super::bundle::{CertificateName, fact};
use crate::wire::json;

/// How long a fact may be that is said in one line.
const LINE_CHARS_MAX: usize = 160;

/// Returns what a leaf records: in a sentence where it is about energy or certificates, else as the contract's JSON.
pub(super) fn says(leaf: &[u8]) -> String {
    let Some(fact) = fact(leaf) else { return "nothing that is a market's".to_owned() };
    let certificate = |id: Option<v1::CertificateId>| CertificateName(id.unwrap_or_default());
    match fact {
        Fact::TradeMade(it) => format!(
            "participant {} sells {} Wh to participant {} in quarter hour {}, at {} micro-yuan a kWh",
            it.seller.unwrap_or_default(),
            it.energy_wh,
            it.buyer.unwrap_or_default(),
            it.slot,
            it.price_micros_per_kwh
        ),
        Fact::TradeDelivered(it) => format!(
            "of trade {} {} Wh were delivered, {} Wh not fed in and {} Wh not drawn{}",
            it.trade,
            it.delivered_wh,
            it.seller_deviation_wh,
            it.buyer_deviation_wh,
            if it.estimated { ", by estimate" } else { "" }
        ),
        Fact::CertificateIssued(it) => format!(
            "certificate {} was issued to {:?} for {} Wh",
            certificate(it.certificate),
            it.producer_name,
            it.energy_wh
        ),
        Fact::CertificateSliced(it) => format!(
            "{} Wh of certificate {} went from participant {} to participant {} with trade {}",
            it.energy_wh,
            certificate(it.certificate),
            it.from,
            it.to,
            it.trade
        ),
        Fact::CertificateRetired(it) => format!(
            "{:?} claimed {} Wh of certificate {} for {:?}",
            it.holder_name,
            it.energy_wh,
            certificate(it.certificate),
            it.beneficiary
        ),
        other => in_json(other),
    }
}

/// Returns a fact's name and what it has, the command in an envelope decoded, as JSON: in one line if that is short,
/// else indented.
fn in_json(fact: Fact) -> String {
    let command = match &fact {
        Fact::Command(v1::CommandLeaf { signed: Some(signed), .. }) => {
            v1::Command::decode(signed.payload.as_slice()).ok()
        }
        _ => None,
    };
    let leaf = v1::Leaf { at_micros: 0, fact: Some(fact) };
    let mut value = json::of(&leaf, json::form("Leaf"));
    if let Some(command) = command {
        value["command"]["signed"]["payload"] = json::of(&command, json::form("Command"));
    }
    // When it was recorded is no part of the fact.
    let parts = value.as_object().expect("a message is an object in JSON");
    let (name, value) = parts.iter().find(|(name, _)| *name != "at_micros").expect("the leaf has a fact");
    let line = format!("{name} {value}");
    if line.chars().count() <= LINE_CHARS_MAX { line } else { format!("{name} {value:#}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_sentence_is_said_with_the_contracts_names() {
        let fact = Fact::Tick(v1::Tick { events: 3 });
        let leaf = |fact| v1::Leaf { at_micros: 7, fact: Some(fact) }.encode_to_vec();
        assert_eq!(says(&leaf(fact)), r#"tick {"events":3}"#);
        assert_eq!(says(b"nothing"), "nothing that is a market's");
    }

    #[test]
    fn a_command_is_said_as_what_was_signed_and_indented_since_it_is_long() {
        let command = v1::Command { market: "park".to_owned(), nonce: 9, ..v1::Command::default() };
        let signed = |payload: Vec<u8>| {
            let signed = v1::SignedCommand { payload, public_key: vec![1; 32], signature: vec![2; 64] };
            let fact = Fact::Command(v1::CommandLeaf { signed: Some(signed), ..v1::CommandLeaf::default() });
            says(&v1::Leaf { at_micros: 7, fact: Some(fact) }.encode_to_vec())
        };
        let said = signed(command.encode_to_vec());
        assert!(said.starts_with("command {\n  \""), "{said}");
        assert!(said.contains("\n      \"market\": \"park\",\n      \"nonce\": \"9\"\n"), "{said}");
        // What is no command is shown as it is.
        let said = signed(vec![0xff]);
        assert!(said.contains(r#""payload": "/w==""#), "{said}");
    }
}
