//! Step 3, parse: a verified payload becomes an engine request, or names the field that is malformed.

use parkwatt_engine as engine;
use parkwatt_proto::v1::{self, command::Kind, pay_out::Amount};
use prost::Message;

use super::{certificates, rotation::key_rotation, tariffs::new_tariffs};

/// A payload that is no command: which field, and what must hold of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Malformed {
    /// The field, as the contract names it.
    pub field: String,
    /// The value and the rule.
    pub problem: String,
}

impl Malformed {
    /// Returns the complaint that `field` has this `problem`.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Malformed {
        Malformed { field: field.into(), problem: problem.into() }
    }
}

/// Returns the request that `payload` asks under `key`.
///
/// # Errors
/// [`Malformed`] if the payload is no command of this market.
pub fn parse(
    config: &engine::MarketConfig,
    payload: &[u8],
    key: engine::PublicKey,
) -> Result<engine::Request, Malformed> {
    let command: v1::Command = decode(payload)?;
    if command.market != config.name {
        let problem = format!("'{}' is not this market; it is '{}'", command.market, config.name);
        return Err(Malformed::new("market", problem));
    }
    let kind = command.kind.ok_or_else(|| Malformed::new("kind", "no command is given"))?;
    Ok(engine::Request {
        key,
        nonce: command.nonce,
        expires_at: engine::Timestamp(command.expires_at_micros),
        command: match kind {
            Kind::EnrolParticipant(it) => engine::Command::EnrolParticipant(new_participant(config, it)?),
            Kind::Deposit(it) => engine::Command::Deposit(engine::Deposit {
                participant: it.participant,
                amount_fen: it.amount_fen,
            }),
            Kind::PayOut(it) => engine::Command::PayOut(payout(it)?),
            Kind::PublishTariffs(it) => engine::Command::PublishTariffs(new_tariffs(config, &it)?),
            Kind::RotateKey(it) => engine::Command::RotateKey(key_rotation(&it, &config.name, key)?),
            Kind::PlaceOrders(it) => engine::Command::PlaceOrders(schedule(&it)?),
            Kind::CancelOrder(it) => engine::Command::CancelOrder(order_id(it.order)?),
            Kind::ReplaceOrder(it) => engine::Command::ReplaceOrder(engine::Replacement {
                order: order_id(it.order)?,
                limit: engine::Price(it.limit_price_micros_per_kwh),
                energy: engine::Energy(it.energy_wh),
            }),
            Kind::CancelOrders(it) => engine::Command::CancelOrders(cancellation(it)?),
            Kind::SubmitReading(it) => engine::Command::SubmitReading(reading(&it)?),
            Kind::RetireCertificates(it) => {
                engine::Command::RetireCertificates(certificates::retirement(it)?)
            }
            Kind::TransferCertificates(it) => {
                engine::Command::TransferCertificates(certificates::transfer(it))
            }
            Kind::BundleCertificates(it) => {
                engine::Command::BundleCertificates(engine::Bundling { until: engine::Slot(it.until_slot) })
            }
            Kind::WithdrawCertificate(it) => {
                engine::Command::WithdrawCertificate(certificates::withdrawal(it)?)
            }
        },
    })
}

/// Returns the name of the market that a command's payload is for.
///
/// # Errors
/// [`Malformed`] if the payload is no command.
pub fn addressee(payload: &[u8]) -> Result<String, Malformed> {
    Ok(decode::<Addressed>(payload)?.market)
}

/// A command of which the market is read, and the rest passed over.
#[derive(Clone, PartialEq, prost::Message)]
struct Addressed {
    #[prost(string, tag = "1")]
    market: String,
}

fn decode<Read: Message + Default>(payload: &[u8]) -> Result<Read, Malformed> {
    Read::decode(payload)
        .map_err(|problem| Malformed::new("payload", format!("is not a serialised Command: {problem}")))
}

fn new_participant(
    config: &engine::MarketConfig,
    it: v1::EnrolParticipant,
) -> Result<engine::NewParticipant, Malformed> {
    Ok(engine::NewParticipant {
        name: it.name,
        key: enrolled_key("public_key", &it.public_key)?,
        meter_key: match it.meter_public_key.as_slice() {
            [] => None,
            bytes => Some(enrolled_key("meter_public_key", bytes)?),
        },
        zone: zone(config, "zone", &it.zone)?,
        roles: roles(&it.roles)?,
        pv_capacity_w: it.pv_capacity_w,
        connection_capacity_w: it.connection_capacity_w,
        credit_limit_fen: it.credit_limit_fen,
    })
}

/// Weak keys, under which one signature can fit many messages, are refused here, so that no engine ever holds
/// one.
pub(super) fn enrolled_key(field: &str, bytes: &[u8]) -> Result<engine::PublicKey, Malformed> {
    let key: engine::PublicKey = bytes.try_into().map_err(|_| {
        Malformed::new(field, format!("has {} bytes; an Ed25519 public key has 32", bytes.len()))
    })?;
    match ed25519_dalek::VerifyingKey::from_bytes(&key) {
        Ok(point) if !point.is_weak() => Ok(key),
        Ok(_) => {
            Err(Malformed::new(field, format!("{} is a weak Ed25519 key; make a new one", hex::encode(key))))
        }
        Err(_) => Err(Malformed::new(field, format!("{} is not an Ed25519 public key", hex::encode(key)))),
    }
}

/// Returns the number of a market's zone, whose name `field` gives.
pub(super) fn zone(
    config: &engine::MarketConfig,
    field: &str,
    name: &str,
) -> Result<engine::ZoneId, Malformed> {
    let number = config.zones.iter().position(|zone| zone.name == name).ok_or_else(|| {
        let names: Vec<&str> = config.zones.iter().map(|zone| zone.name.as_str()).collect();
        Malformed::new(field, format!("'{name}' is none of this market's zones: {}", names.join(", ")))
    })?;
    Ok(engine::ZoneId(u16::try_from(number).expect("a market has at most 1024 zones")))
}

fn payout(it: v1::PayOut) -> Result<engine::Payout, Malformed> {
    let amount = match it.amount {
        Some(Amount::AmountFen(fen)) => engine::PayoutAmount::Fen(fen),
        Some(Amount::All(true)) => engine::PayoutAmount::All,
        Some(Amount::All(false)) => {
            return Err(Malformed::new(
                "all",
                "is false; it is only ever true, or amount_fen takes its place",
            ));
        }
        None => return Err(Malformed::new("amount", "neither amount_fen nor all is given")),
    };
    Ok(engine::Payout { participant: it.participant, amount })
}

fn roles(given: &[i32]) -> Result<engine::Roles, Malformed> {
    let mut roles = engine::Roles::default();
    for &number in given {
        let role = match v1::Role::try_from(number) {
            Ok(v1::Role::Producer) => &mut roles.producer,
            Ok(v1::Role::Consumer) => &mut roles.consumer,
            Ok(v1::Role::Operator) => &mut roles.operator,
            Ok(v1::Role::Regulator) => &mut roles.regulator,
            Ok(v1::Role::Unspecified) | Err(_) => {
                return Err(Malformed::new("roles", format!("{number} is no role")));
            }
        };
        if std::mem::replace(role, true) {
            return Err(Malformed::new("roles", format!("role {number} is given twice")));
        }
    }
    Ok(roles)
}

fn schedule(it: &v1::PlaceOrders) -> Result<engine::Schedule, Malformed> {
    if it.orders.is_empty() {
        return Err(Malformed::new("orders", "the schedule is empty; it needs at least one order"));
    }
    let orders = it.orders.iter().enumerate().map(|(position, order)| new_order(position, order));
    Ok(engine::Schedule { orders: orders.collect::<Result<_, Malformed>>()?, all_or_none: it.all_or_none })
}

fn new_order(position: usize, it: &v1::NewOrder) -> Result<engine::NewOrder, Malformed> {
    let field = |name: &str| format!("orders[{position}].{name}");
    let side = side(it.side).ok_or_else(|| {
        Malformed::new(field("side"), format!("{} is no side; 1 is a bid, 2 an offer", it.side))
    })?;
    Ok(engine::NewOrder {
        side,
        slot: engine::Slot(it.slot),
        limit: engine::Price(it.limit_price_micros_per_kwh),
        energy: engine::Energy(it.energy_wh),
        time_in_force: time_in_force(it, field)?,
        post_only: it.post_only,
        minimum_fill: engine::Energy(it.minimum_fill_wh),
    })
}

fn side(number: i32) -> Option<engine::Side> {
    match v1::Side::try_from(number) {
        Ok(v1::Side::Bid) => Some(engine::Side::Bid),
        Ok(v1::Side::Offer) => Some(engine::Side::Offer),
        Ok(v1::Side::Unspecified) | Err(_) => None,
    }
}

fn time_in_force(
    it: &v1::NewOrder,
    field: impl Fn(&str) -> String,
) -> Result<engine::TimeInForce, Malformed> {
    let (number, until) = (it.time_in_force, it.good_until_micros);
    let given = v1::TimeInForce::try_from(number).map_err(|_| {
        Malformed::new(field("time_in_force"), format!("{number} is no time in force; 0 to 4 are"))
    })?;
    let until_is_wrong = |problem: String| Err(Malformed::new(field("good_until_micros"), problem));
    match (given, until) {
        (v1::TimeInForce::GoodUntil, 0) => {
            until_is_wrong(format!("is not given; {} needs the moment", given.as_str_name()))
        }
        (v1::TimeInForce::GoodUntil, until) => Ok(engine::TimeInForce::GoodUntil(engine::Timestamp(until))),
        (_, 1..) => {
            let only = v1::TimeInForce::GoodUntil.as_str_name();
            until_is_wrong(format!("{until} is given with {}; only {only} has it", given.as_str_name()))
        }
        (v1::TimeInForce::Unspecified | v1::TimeInForce::GoodUntilGate, 0) => {
            Ok(engine::TimeInForce::GoodUntilGate)
        }
        (v1::TimeInForce::ImmediateOrCancel, 0) => Ok(engine::TimeInForce::ImmediateOrCancel),
        (v1::TimeInForce::FillOrKill, 0) => Ok(engine::TimeInForce::FillOrKill),
    }
}

fn cancellation(it: v1::CancelOrders) -> Result<engine::Cancellation, Malformed> {
    let side = match (it.side, side(it.side)) {
        (0, _) => None,
        (_, Some(side)) => Some(side),
        (number, None) => {
            let problem = format!("{number} is no side; 1 are the bids, 2 the offers, 0 are both");
            return Err(Malformed::new("side", problem));
        }
    };
    let participant = (!it.participant.is_empty()).then_some(it.participant);
    Ok(engine::Cancellation { participant, slot: it.slot.map(engine::Slot), side })
}

fn order_id(it: Option<v1::OrderId>) -> Result<engine::OrderId, Malformed> {
    let id = it.ok_or_else(|| Malformed::new("order", "no order is named"))?;
    let position = u16::try_from(id.position)
        .map_err(|_| Malformed::new("order.position", format!("{} is beyond any schedule", id.position)))?;
    Ok(engine::OrderId { index: engine::LeafIndex(id.index), position })
}

fn reading(it: &v1::SubmitReading) -> Result<engine::Reading, Malformed> {
    let quality = match v1::Quality::try_from(it.quality) {
        Ok(v1::Quality::Measured) => engine::Quality::Measured,
        Ok(v1::Quality::Estimated) => engine::Quality::Estimated,
        Ok(v1::Quality::Substituted) => engine::Quality::Substituted,
        Ok(v1::Quality::Unspecified) | Err(_) => {
            return Err(Malformed::new("quality", format!("{} is no quality", it.quality)));
        }
    };
    Ok(engine::Reading {
        read_at: engine::Timestamp(it.read_at_micros),
        import_register: engine::Energy(it.import_register_wh),
        export_register: engine::Energy(it.export_register_wh),
        generation_register: engine::Energy(it.generation_register_wh),
        counter: it.counter,
        quality,
    })
}
