//! `enrol`, `deposit`: what the operator signs for participants.

use clap::ValueEnum;
use ed25519_dalek::VerifyingKey;
use parkwatt_client::public_key_text;
use parkwatt_client::v1::command::Kind;
use parkwatt_client::v1::{self, EnrolParticipant, outcome};
use serde_json::json;

use super::args::{Deposit, Enrol, Options, Role};
use super::desk::Desk;
use super::language::say;
use super::quantity::{amount_text, energy_text, power_text};
use super::report::{Failure, Report, next_command, shell_word};
use super::table::facts;
use super::unlock::{own_key, signing_key};

/// The power of a connection where nobody says it, at least.
const CONNECTION_DEFAULT_W: u64 = 10_000;
/// How many slots an hour has.
const QUARTERS_PER_HOUR: u64 = 4;

/// Enrols a participant; or says how the operator does it, where his key is not at hand.
pub async fn enrol(enrol: &Enrol, options: &Options) -> Result<Report, Failure> {
    let public_key = match enrol.public_key {
        Some(key) => key,
        None => own_key(options)?.verifying_key(),
    };
    let Some(operator_key) = &enrol.operator_key else {
        return Ok(request(&operator_command(enrol, &public_key, options)));
    };
    let desk = Desk::open(options).await?;
    let zone = zone(enrol.zone.as_deref(), &desk.genesis)?;
    let command = Kind::EnrolParticipant(EnrolParticipant {
        name: enrol.name.clone(),
        public_key: public_key.as_bytes().to_vec(),
        meter_public_key: enrol.meter_key.map(|key| key.as_bytes().to_vec()).unwrap_or_default(),
        zone: zone.clone(),
        roles: enrol.roles.iter().map(|role| wire_role(*role).into()).collect(),
        pv_capacity_w: enrol.pv,
        connection_capacity_w: connection_w(enrol),
        credit_limit_fen: enrol.credit,
    });
    let (outcome::Kind::EnrolledParticipant(number), _) =
        desk.submit(&signing_key(operator_key, options)?, command).await?
    else {
        return Err(desk.incomplete("the participant's number"));
    };
    let next = next_command(&first_order(enrol, desk.genesis.lot_wh), options);
    Ok(enrolled(enrol, number, &zone, &public_key, &next))
}

/// Pays money in to a participant's account.
pub async fn deposit(deposit: &Deposit, options: &Options) -> Result<Report, Failure> {
    let desk = Desk::open(options).await?;
    let command = Kind::Deposit(v1::Deposit { participant: deposit.to.clone(), amount_fen: deposit.amount });
    let (outcome::Kind::Deposited(_), receipt) =
        desk.submit(&signing_key(&deposit.operator_key, options)?, command).await?
    else {
        return Err(desk.incomplete("the deposit"));
    };
    Ok(Report {
        json: json!({ "deposited": {
            "participant": deposit.to,
            "amount_fen": deposit.amount,
            "leaf_index": receipt.leaf_index,
        } }),
        text: format!("{} paid in to {}.", amount_text(deposit.amount), deposit.to),
        refused: false,
        csv: None,
    })
}

/// Returns the report on a participant that is enrolled.
fn enrolled(enrol: &Enrol, number: u32, zone: &str, public_key: &VerifyingKey, next: &str) -> Report {
    let roles: Vec<_> = enrol.roles.iter().map(|role| role_name(*role)).collect();
    let public_key = public_key_text(public_key);
    let text = facts(&[
        ("participant", number.to_string()),
        ("name", enrol.name.clone()),
        ("zone", zone.to_owned()),
        ("roles", roles.iter().map(|role| say(role)).collect::<Vec<_>>().join(", ")),
        ("PV", power_text(enrol.pv)),
        ("connection", power_text(connection_w(enrol))),
        ("credit limit", amount_text(enrol.credit)),
        ("public key", public_key.clone()),
    ]);
    Report {
        json: json!({ "enrolled": {
            "participant": number,
            "name": enrol.name,
            "zone": zone,
            "roles": roles,
            "pv_capacity_w": enrol.pv,
            "connection_capacity_w": connection_w(enrol),
            "credit_limit_fen": enrol.credit,
            "public_key": public_key,
        } }),
        text: format!("{text}\nNext: {next}"),
        refused: false,
        csv: None,
    }
}

/// Returns a first order that the participant could place: what his PV delivers in a quarter hour, or a bid; for who
/// does not trade, what he may look at.
fn first_order(enrol: &Enrol, lot_wh: u64) -> String {
    let lot = lot_wh.max(1);
    let delivered = enrol.pv.min(connection_w(enrol)) / QUARTERS_PER_HOUR / lot * lot;
    if enrol.roles.contains(&Role::Producer) && delivered > 0 {
        let energy = energy_text(delivered).replace(' ', "");
        return format!("parkwatt sell {energy} --at 12:00 --price 0.42");
    }
    if enrol.roles.contains(&Role::Consumer) {
        return "parkwatt buy 40kWh --at 12:00 --price 0.55".to_owned();
    }
    "parkwatt trades --tape".to_owned()
}

/// Returns the report that only the operator can enrol, and how he does it.
fn request(command: &[String]) -> Report {
    let line = command.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ");
    Report {
        json: json!({ "enrolled": null, "operator_command": command }),
        text: format!(
            "Nothing is enrolled yet: only the market's operator can do it. Send him this command, to run \
             with the file of his key:\n\n  {line}"
        ),
        refused: false,
        csv: None,
    }
}

/// Returns the words of the command that enrols this participant, for the operator.
fn operator_command(enrol: &Enrol, public_key: &VerifyingKey, options: &Options) -> Vec<String> {
    let roles: Vec<_> = enrol.roles.iter().map(|role| role_name(*role)).collect();
    let mut command: Vec<String> = ["parkwatt", "enrol", "--name", &enrol.name].map(str::to_owned).to_vec();
    let mut option = |name: &str, value: String| command.extend([name.to_owned(), value]);
    option("--public-key", public_key_text(public_key));
    if let Some(zone) = &enrol.zone {
        option("--zone", zone.clone());
    }
    option("--pv", format!("{}W", enrol.pv));
    option("--connection", format!("{}W", connection_w(enrol)));
    option("--roles", roles.join(","));
    if enrol.credit > 0 {
        option("--credit", format!("{}.{:02}", enrol.credit / 100, enrol.credit % 100));
    }
    if let Some(key) = &enrol.meter_key {
        option("--meter-key", public_key_text(key));
    }
    option("--node", options.node().to_owned());
    if !options.market().is_empty() {
        option("--market", options.market().to_owned());
    }
    option("--operator-key", "operator.pem".to_owned());
    command
}

/// Returns the zone that is named, or the root.
fn zone(name: Option<&str>, genesis: &v1::Genesis) -> Result<String, Failure> {
    let names: Vec<_> = genesis.zones.iter().map(|zone| zone.name.as_str()).collect();
    match name.or(names.first().copied()) {
        Some(name) if names.contains(&name) => Ok(name.to_owned()),
        name => Err(Failure::Usage {
            field: "--zone",
            problem: format!("{:?} is no zone of the market {}", name.unwrap_or_default(), genesis.market),
            next: format!("Its zones are: {}", names.join(", ")),
        }),
    }
}

/// Returns the power of the connection: what is said, or as much as the PV needs.
fn connection_w(enrol: &Enrol) -> u64 {
    enrol.connection.unwrap_or_else(|| enrol.pv.max(CONNECTION_DEFAULT_W))
}

fn role_name(role: Role) -> String {
    role.to_possible_value().expect("no role is hidden").get_name().to_owned()
}

fn wire_role(role: Role) -> v1::Role {
    match role {
        Role::Producer => v1::Role::Producer,
        Role::Consumer => v1::Role::Consumer,
        Role::Operator => v1::Role::Operator,
        Role::Regulator => v1::Role::Regulator,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{Cli, Command};
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn parsed(line: &[&str]) -> (Enrol, Options) {
        let cli = Cli::try_parse_from(line).unwrap();
        let Command::Enrol(enrol) = cli.command else { panic!("{line:?}") };
        (*enrol, cli.options)
    }

    fn public_key() -> VerifyingKey {
        ed25519_dalek::SigningKey::from_bytes(&KEY).verifying_key()
    }

    #[test]
    fn the_operators_command_asks_for_the_same_participant() {
        let line = [
            "parkwatt",
            "enrol",
            "--name",
            "mill",
            "--zone",
            "north hall",
            "--pv",
            "8.5kW",
            "--credit",
            "99.50",
            "--roles",
            "consumer",
            "--market",
            "park",
        ];
        let (enrol, options) = parsed(&line);
        let command = operator_command(&enrol, &public_key(), &options);
        let words: Vec<_> = command.iter().map(String::as_str).collect();
        let (again, options) = parsed(&words);
        assert_eq!(again.public_key, Some(public_key()));
        assert_eq!((again.zone, again.pv, again.connection), (enrol.zone, 8_500, Some(10_000)));
        assert_eq!((again.credit, again.roles), (9_950, vec![Role::Consumer]));
        assert_eq!(options.market(), "park");
        let text = request(&command).text;
        assert!(text.contains("--zone 'north hall'"), "{text}");
    }

    #[test]
    fn a_connection_carries_at_least_its_pv() {
        let (enrol, _) = parsed(&["parkwatt", "enrol", "--name", "a", "--pv", "30kW"]);
        assert_eq!(connection_w(&enrol), 30_000);
        assert_eq!(enrol.roles, [Role::Producer, Role::Consumer]);
    }

    #[test]
    fn the_first_order_is_one_that_the_market_takes() {
        for (line, first) in [
            (&["--pv", "9.99kW"][..], "parkwatt sell 2.4kWh"),
            (&["--pv", "30kW", "--connection", "4kW"], "parkwatt sell 1kWh"),
            (&["--pv", "300W"], "parkwatt buy"),
            (&["--pv", "8kW", "--roles", "consumer"], "parkwatt buy"),
        ] {
            let (enrol, _) = parsed(&[&["parkwatt", "enrol", "--name", "a"], line].concat());
            assert!(first_order(&enrol, 100).starts_with(first), "{line:?}");
        }
    }

    #[test]
    fn an_unknown_zone_is_answered_with_those_that_exist() {
        let zone_named = |name: &str| v1::Zone { name: name.to_owned(), ..v1::Zone::default() };
        let genesis =
            v1::Genesis { zones: vec![zone_named("park"), zone_named("garden")], ..Default::default() };
        assert_eq!(zone(None, &genesis).unwrap(), "park");
        assert_eq!(zone(Some("garden"), &genesis).unwrap(), "garden");
        let Err(Failure::Usage { field, next, .. }) = zone(Some("gardn"), &genesis) else {
            panic!("a failure")
        };
        assert_eq!((field, next.as_str()), ("--zone", "Its zones are: park, garden"));
    }

    #[test]
    fn a_participant_learns_his_number_and_the_next_command() {
        let (enrol, _) = parsed(&["parkwatt", "enrol", "--name", "sunny-roof", "--pv", "8kW"]);
        let next = first_order(&enrol, 100);
        assert_eq!(next, "parkwatt sell 2kWh --at 12:00 --price 0.42");
        let report = enrolled(&enrol, 3, "park", &public_key(), &next);
        assert!(report.text.contains("sunny-roof") && report.text.contains("Next: parkwatt sell 2kWh"));
        assert_eq!(report.json["enrolled"]["participant"], 3);
        assert_eq!(report.json["enrolled"]["pv_capacity_w"], 8_000);
    }
}
