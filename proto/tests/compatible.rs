//! The contract only grows: what callers were once promised is there, under the same numbers, names and types.
//!
//! `proto/contract.txt` is what was promised, one line each. A change that adds to it needs
//!
//! ```sh
//! PARKWATT_RENEW_CONTRACT=1 cargo test -p parkwatt-proto --test compatible
//! ```
//!
//! which writes the new lines, and refuses if an old one would go. Whoever must break a promise takes its line out by
//! hand, where a reviewer sees it.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::{collections::BTreeSet, fmt::Write, fs};

use parkwatt_proto::FILE_DESCRIPTOR_SET;
use prost::Message;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet, ServiceDescriptorProto,
    field_descriptor_proto::{Label, Type},
};

const PROMISED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contract.txt");
const RENEW: &str = "PARKWATT_RENEW_CONTRACT";
const PACKAGE: &str = "parkwatt.v1";

/// Returns what a set of descriptors promises, one line each, in its order.
fn promises(descriptors: &FileDescriptorSet) -> Vec<String> {
    let mut lines = Vec::new();
    for file in descriptors.file.iter().filter(|file| file.package() == PACKAGE) {
        file.service.iter().for_each(|it| service(it, &mut lines));
        file.message_type.iter().for_each(|it| message("", it, &mut lines));
        file.enum_type.iter().for_each(|it| enumeration("", it, &mut lines));
    }
    lines
}

fn service(it: &ServiceDescriptorProto, lines: &mut Vec<String>) {
    for rpc in &it.method {
        let stream = |is_stream: bool| if is_stream { "stream " } else { "" };
        let (takes, gives) = (stream(rpc.client_streaming()), stream(rpc.server_streaming()));
        let (input, output) = (short(rpc.input_type()), short(rpc.output_type()));
        lines.push(format!("rpc {}.{}({takes}{input}) returns ({gives}{output})", it.name(), rpc.name()));
    }
}

fn message(outer: &str, it: &DescriptorProto, lines: &mut Vec<String>) {
    let name = format!("{outer}{}", it.name());
    lines.push(format!("message {name}"));
    for field in &it.field {
        let mut line = format!("field {name}.{} = {}: {}", field.name(), field.number(), kind(field));
        if let Some(index) = field.oneof_index.filter(|_| !field.proto3_optional()) {
            write!(line, " in {}", it.oneof_decl[usize::try_from(index).unwrap()].name()).unwrap();
        }
        lines.push(line);
    }
    for range in &it.reserved_range {
        lines.push(format!("reserved {name} {} to {}", range.start(), range.end() - 1));
    }
    it.nested_type.iter().for_each(|inner| message(&format!("{name}."), inner, lines));
    it.enum_type.iter().for_each(|inner| enumeration(&format!("{name}."), inner, lines));
}

fn enumeration(outer: &str, it: &EnumDescriptorProto, lines: &mut Vec<String>) {
    for value in &it.value {
        lines.push(format!("value {outer}{}.{} = {}", it.name(), value.name(), value.number()));
    }
}

fn kind(field: &FieldDescriptorProto) -> String {
    let label = match (field.label(), field.proto3_optional()) {
        (Label::Repeated, _) => "repeated ",
        (_, true) => "optional ",
        _ => "",
    };
    let name = match field.r#type() {
        Type::Message | Type::Enum => short(field.type_name()).to_owned(),
        scalar => scalar.as_str_name().trim_start_matches("TYPE_").to_ascii_lowercase(),
    };
    format!("{label}{name}")
}

fn short(name: &str) -> &str {
    name.strip_prefix(&format!(".{PACKAGE}.")).unwrap_or(name)
}

/// Returns the promises that are broken, and those that are new.
fn compare<'a>(promised: &'a [String], built: &'a [String]) -> [Vec<&'a str>; 2] {
    let less = |these: &'a [String], those: &'a [String]| {
        let those: BTreeSet<&String> = those.iter().collect();
        these.iter().filter(|line| !those.contains(line)).map(String::as_str).collect()
    };
    [less(promised, built), less(built, promised)]
}

fn built() -> FileDescriptorSet {
    FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap()
}

#[test]
fn the_contract_keeps_what_it_promised() {
    let built = promises(&built());
    let text = fs::read_to_string(PROMISED).unwrap_or_default();
    let promised: Vec<String> = text.lines().filter(|line| !line.starts_with('#')).map(Into::into).collect();
    let [broken, new] = compare(&promised, &built);
    assert!(
        broken.is_empty(),
        "the contract would break for those who use it: {broken:#?} is not there any more, but {new:#?}; give a new \
         field its own number, and leave the old one"
    );
    if std::env::var_os(RENEW).is_some() {
        let head = "# What the contract promises; see tests/compatible.rs, which also renews it.\n";
        fs::write(PROMISED, head.to_owned() + &built.join("\n") + "\n").unwrap();
        return;
    }
    assert!(
        new.is_empty(),
        "{new:#?} is new in the contract; promise it: {RENEW}=1 cargo test -p parkwatt-proto --test compatible"
    );
}

/// Checks that a change of the contract breaks a promise, and which.
#[track_caller]
fn check_breaks(change: impl FnOnce(&mut FileDescriptorSet), promise: &str) {
    let promised = promises(&built());
    let mut changed = built();
    change(&mut changed);
    let changed = promises(&changed);
    let [broken, _] = compare(&promised, &changed);
    assert_eq!(broken, [promise]);
}

/// Returns a message of the contract.
fn find<'a>(descriptors: &'a mut FileDescriptorSet, name: &str) -> &'a mut DescriptorProto {
    let messages = descriptors.file.iter_mut().flat_map(|file| &mut file.message_type);
    messages.into_iter().find(|it| it.name() == name).unwrap()
}

#[test]
fn every_kind_of_break_is_seen() {
    let order = |change: fn(&mut FieldDescriptorProto)| {
        move |all: &mut FileDescriptorSet| change(&mut find(all, "NewOrder").field[3])
    };
    let energy = "field NewOrder.energy_wh = 4: uint64";
    check_breaks(order(|it| it.number = Some(99)), energy);
    check_breaks(order(|it| it.name = Some("energy".into())), energy);
    check_breaks(order(|it| it.set_type(Type::Int64)), energy);
    check_breaks(order(|it| it.set_label(Label::Repeated)), energy);
    check_breaks(|all| drop(find(all, "NewOrder").field.remove(3)), energy);
    check_breaks(
        |all| find(all, "Leaf").field[1].oneof_index = None,
        "field Leaf.genesis = 2: Genesis in fact",
    );
    check_breaks(
        |all| find(all, "Order").field[1].type_name = Some(".parkwatt.v1.Trade".into()),
        "field Order.order = 2: NewOrder",
    );
    check_breaks(
        |all| {
            let services = all.file.iter_mut().flat_map(|file| &mut file.service);
            let account = services.into_iter().find(|it| it.name() == "Account").unwrap();
            account.method.retain(|rpc| rpc.name() != "GetAccount");
        },
        "rpc Account.GetAccount(GetAccountRequest) returns (AccountStatement)",
    );
    check_breaks(
        |all| {
            let enums = all.file.iter_mut().flat_map(|file| &mut file.enum_type);
            let side = enums.into_iter().find(|it| it.name() == "Side").unwrap();
            side.value.retain(|value| value.name() != "SIDE_BID");
        },
        "value Side.SIDE_BID = 1",
    );
}

#[test]
fn what_only_adds_breaks_nothing() {
    let (promised, mut changed) = (promises(&built()), built());
    let order = find(&mut changed, "NewOrder");
    let mut field = order.field[3].clone();
    (field.name, field.number) = (Some("colour".into()), Some(99));
    order.field.push(field);
    let changed = promises(&changed);
    assert_eq!(compare(&promised, &changed), [vec![], vec!["field NewOrder.colour = 99: uint64"]]);
}
