//! The contract's messages as JSON, in protobuf's own mapping, with the contract's names: integers of 64 bits are
//! strings, bytes are base64, words are names.
//!
//! Knows the contract's descriptors only; does not know what a message means. The page answers so, and the auditor says so
//! what an entry is.

use std::sync::LazyLock;

use parkwatt_proto::FILE_DESCRIPTOR_SET;
use prost::Message;
use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
    SerializeOptions, Value,
};
use serde_json::{Map, json};

use super::Malformed;

/// The package of the contract.
const PACKAGE: &str = "parkwatt.v1";

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the contract's own descriptors are well-formed")
});

/// Returns a method of the contract by its service's and its own name.
///
/// # Panics
/// If there is none: the names stand in this program.
pub fn method(service: &str, name: &str) -> MethodDescriptor {
    let found = POOL.get_service_by_name(&format!("{PACKAGE}.{service}"));
    let found = found.and_then(|service| service.methods().find(|method| method.name() == name));
    found.unwrap_or_else(|| panic!("the contract has no method {service}/{name}"))
}

/// Returns the form of a message of the contract by its name.
///
/// # Panics
/// If there is none: the names stand in this program.
pub fn form(name: &str) -> MessageDescriptor {
    let found = POOL.get_message_by_name(&format!("{PACKAGE}.{name}"));
    found.unwrap_or_else(|| panic!("the contract has no message {name}"))
}

/// Returns a message as JSON.
pub fn of<M: Message>(message: &M, form: MessageDescriptor) -> serde_json::Value {
    let mut dynamic = DynamicMessage::new(form);
    dynamic.transcode_from(message).expect("a message has its own form");
    let options = SerializeOptions::new().skip_default_fields(false).use_proto_field_name(true);
    dynamic
        .serialize_with_options(serde_json::value::Serializer, &options)
        .expect("a message can be written as JSON")
}

/// Returns the message that a query's fields say.
///
/// # Errors
/// Names the field that the message has not, or whose value is none.
pub fn request<M: Message + Default>(
    fields: &[(String, String)],
    form: &MessageDescriptor,
) -> Result<M, Malformed> {
    let mut message = DynamicMessage::new(form.clone());
    for (name, value) in fields {
        let field = form.get_field_by_name(name).ok_or_else(|| {
            let known: Vec<_> = form.fields().map(|field| field.name().to_owned()).collect();
            Malformed::new(name, format!("is no field of {}, which has {}", form.name(), known.join(", ")))
        })?;
        let value = if field.is_list() {
            let items = value.split(',').map(|item| scalar(&field, item));
            Value::List(items.collect::<Result<_, _>>()?)
        } else {
            scalar(&field, value)?
        };
        message.set_field(&field, value);
    }
    Ok(message.transcode_to().expect("a message has its own form"))
}

fn scalar(field: &FieldDescriptor, text: &str) -> Result<Value, Malformed> {
    let value = match field.kind() {
        Kind::String => Some(Value::String(text.to_owned())),
        Kind::Bool => text.parse().ok().map(Value::Bool),
        Kind::Uint32 => text.parse().ok().map(Value::U32),
        Kind::Uint64 => text.parse().ok().map(Value::U64),
        _ => None,
    };
    value.ok_or_else(|| Malformed::new(field.name(), format!("'{text}' is no {:?} of a query", field.kind())))
}

/// Returns the forms of all messages and the names of all words, so that a reader can decode a leaf by himself:
/// `messages` has of each its fields by number, each with name, type and whether it is repeated; `enums` has of each
/// its names by number.
pub fn contract() -> serde_json::Value {
    let field = |field: FieldDescriptor| {
        let kind = match field.kind() {
            Kind::Message(message) => message.name().to_owned(),
            Kind::Enum(word) => word.name().to_owned(),
            scalar => format!("{scalar:?}").to_lowercase(),
        };
        let repeated = field.cardinality() == Cardinality::Repeated;
        (field.number().to_string(), json!([field.name(), kind, repeated]))
    };
    let ours = |package: &str| package == PACKAGE;
    let messages = POOL.all_messages().filter(|it| ours(it.package_name()));
    let messages: Map<_, _> = messages
        .map(|it| (it.name().to_owned(), it.fields().map(field).collect::<Map<_, _>>().into()))
        .collect();
    let enums = POOL.all_enums().filter(|it| ours(it.package_name()));
    let enums: Map<_, _> = enums
        .map(|it| {
            let names = it.values().map(|value| (value.number().to_string(), value.name().into()));
            (it.name().to_owned(), names.collect::<Map<_, _>>().into())
        })
        .collect();
    json!({ "messages": messages, "enums": enums })
}

#[cfg(test)]
mod tests {
    use parkwatt_proto::v1;

    use super::*;

    fn read<M: Message + Default>(name: &str, query: &[(&str, &str)]) -> Result<M, String> {
        let fields: Vec<_> = query.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        request(&fields, &method("MarketData", name).input()).map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_query_is_a_message_and_what_it_has_not_is_named() {
        let asked: v1::ListTapeRequest = read("ListTape", &[("slot", "7"), ("count", "3")]).unwrap();
        assert_eq!(asked, v1::ListTapeRequest { market: String::new(), slot: Some(7), count: 3 });
        let asked: v1::StreamMarketRequest = read("StreamMarket", &[("slots", "7,9")]).unwrap();
        assert_eq!((asked.slots, asked.after_tree_size), (vec![7, 9], None));
        for (query, problem) in [
            (("slot", "-1"), "slot: '-1' is no uint32 of a query"),
            (("slots", "7"), "slots: is no field of GetDepthRequest, which has market, slot"),
        ] {
            assert_eq!(read::<v1::GetDepthRequest>("GetDepth", &[query]).unwrap_err(), problem);
        }
    }

    #[test]
    fn integers_of_64_bits_are_strings_and_what_is_absent_is_left_out() {
        let slot = v1::SlotSummary {
            slot: 7,
            phase: v1::Phase::Closed.into(),
            traded_wh: u64::MAX,
            ..v1::SlotSummary::default()
        };
        let expected = json!({
            "slot": 7, "phase": "PHASE_CLOSED", "traded_wh": "18446744073709551615", "delivered_wh": "0",
        });
        assert_eq!(of(&slot, form("SlotSummary")), expected);
    }

    #[test]
    fn the_forms_of_leaves_are_told() {
        let contract = contract();
        assert_eq!(contract["messages"]["Leaf"]["1"], json!(["at_micros", "uint64", false]));
        assert_eq!(contract["messages"]["Genesis"]["4"], json!(["zones", "Zone", true]));
        assert_eq!(contract["enums"]["Phase"]["4"], "PHASE_CLOSED");
    }
}
