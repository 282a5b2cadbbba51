//! Outcomes and the small words of events, as the contract says them.

use parkwatt_engine as engine;
use parkwatt_proto::v1::{self, order_answer, outcome::Kind};

/// Returns the contract's form of an outcome.
pub fn outcome(it: &engine::Outcome) -> v1::Outcome {
    let kind = match it {
        engine::Outcome::Rejected(why) => Kind::Rejected(rejection(why)),
        engine::Outcome::Enrolled(participant) => Kind::EnrolledParticipant(participant.0),
        engine::Outcome::Deposited => Kind::Deposited(v1::Done {}),
        engine::Outcome::PaidOut(fen) => Kind::PaidOutFen(*fen),
        engine::Outcome::TariffsPublished => Kind::TariffsPublished(v1::Done {}),
        engine::Outcome::KeyRotated => Kind::KeyRotated(v1::Done {}),
        engine::Outcome::Placed(answers) => {
            Kind::Placed(v1::Placed { orders: answers.iter().map(order_answer).collect() })
        }
        engine::Outcome::Cancelled(energy) => Kind::Cancelled(v1::Cancelled { energy_wh: energy.0 }),
        engine::Outcome::Replaced(id) => Kind::Replaced(order_id(*id)),
        engine::Outcome::CancelledAll { orders, energy } => {
            Kind::CancelledAll(v1::CancelledAll { orders: *orders, energy_wh: energy.0 })
        }
        engine::Outcome::ReadingTaken => Kind::ReadingTaken(v1::Done {}),
        engine::Outcome::Retired(number) => Kind::Retirement(number.0.0),
        engine::Outcome::Transferred => Kind::Transferred(v1::Done {}),
        engine::Outcome::Bundled { gecs, left } => {
            Kind::Bundled(v1::Bundled { gecs: *gecs, left_wh: left.0 })
        }
        engine::Outcome::CertificateWithdrawn => Kind::CertificateWithdrawn(v1::Done {}),
    };
    v1::Outcome { kind: Some(kind) }
}

fn order_answer(it: &Result<engine::OrderId, engine::Rejection>) -> v1::OrderAnswer {
    let kind = match it {
        Ok(id) => order_answer::Kind::Accepted(order_id(*id)),
        Err(why) => order_answer::Kind::Rejected(rejection(why)),
    };
    v1::OrderAnswer { kind: Some(kind) }
}

fn rejection(why: &engine::Rejection) -> v1::Rejection {
    v1::Rejection {
        code: why.code().into(),
        rule: why.rule().into(),
        field: why.field().into(),
        sentence: why.to_string(),
    }
}

/// Returns the contract's form of an order's name.
pub fn order_id(id: engine::OrderId) -> v1::OrderId {
    v1::OrderId { index: id.index.0, position: u32::from(id.position) }
}

/// Returns the contract's form of an order as it is placed.
pub fn new_order(it: engine::NewOrder) -> v1::NewOrder {
    let (time_in_force, good_until_micros) = match it.time_in_force {
        engine::TimeInForce::GoodUntilGate => (v1::TimeInForce::GoodUntilGate, 0),
        engine::TimeInForce::GoodUntil(until) => (v1::TimeInForce::GoodUntil, until.0),
        engine::TimeInForce::ImmediateOrCancel => (v1::TimeInForce::ImmediateOrCancel, 0),
        engine::TimeInForce::FillOrKill => (v1::TimeInForce::FillOrKill, 0),
    };
    v1::NewOrder {
        side: side(it.side).into(),
        slot: it.slot.0,
        limit_price_micros_per_kwh: it.limit.0,
        energy_wh: it.energy.0,
        time_in_force: time_in_force.into(),
        good_until_micros,
        post_only: it.post_only,
        minimum_fill_wh: it.minimum_fill.0,
    }
}

/// Returns the contract's form of a side.
pub fn side(it: engine::Side) -> v1::Side {
    match it {
        engine::Side::Bid => v1::Side::Bid,
        engine::Side::Offer => v1::Side::Offer,
    }
}

/// Returns the contract's form of a phase.
pub fn phase(it: engine::Phase) -> v1::Phase {
    match it {
        engine::Phase::Scheduled => v1::Phase::Scheduled,
        engine::Phase::Auction => v1::Phase::Auction,
        engine::Phase::Continuous => v1::Phase::Continuous,
        engine::Phase::Closed => v1::Phase::Closed,
        engine::Phase::Settled => v1::Phase::Settled,
        engine::Phase::Resettled => v1::Phase::Resettled,
        engine::Phase::Final => v1::Phase::Final,
    }
}
