//! Time: what is due happens before the command that comes after it, whatever the clock does.

use ed25519_dalek::SigningKey;
use parkwatt::{
    clock::Clock,
    config::NodeConfig,
    host::{self, Hosted},
    keys::NodeKeys,
    sequence::PendingCommand,
    wire,
};
use parkwatt_client::Signer;
use parkwatt_engine::{Slot, Timestamp};
use parkwatt_proto::v1::{
    Deposit, EnrolParticipant, NewOrder, PlaceOrders, Receipt, Role, Side, SignedCommand, command::Kind,
    order_answer::Kind as Answer, outcome::Kind as Outcome,
};
use std::{path::Path, time::Duration};

/// Founds a market whose clock stands at `now`.
fn market(dir: &Path, now: Timestamp) -> (Hosted, Signer) {
    let keys = NodeKeys::open(dir).unwrap();
    let config = NodeConfig { data: dir.to_owned(), segment_bytes: 1 << 20, ..NodeConfig::default() };
    let program = Path::new(env!("CARGO_BIN_EXE_parkwattd"));
    let hosted = host::open(&config, &keys, Clock::simulated(now), program).unwrap();
    (hosted, Signer::new(keys.operator, "park"))
}

/// Hands in a command, and waits for its receipt.
fn hand_in(hosted: &Hosted, signed: SignedCommand) -> Receipt {
    let key = signed.public_key.as_slice().try_into().unwrap();
    let request = wire::parse(&hosted.market.config, &signed.payload, key).unwrap();
    let (receipt, waiting) = tokio::sync::oneshot::channel();
    hosted.market.door.queue().unwrap().hand_in(PendingCommand {
        signed,
        request,
        receipt,
        is_known_new: false,
    });
    waiting.blocking_recv().unwrap().unwrap()
}

#[test]
fn commands_that_overtake_a_gate_on_a_clock_that_stands_let_it_close_first() {
    let dir = tempfile::tempdir().unwrap();
    let slot = Slot(1_628_736);
    let gate = slot.start().0 - 900 * 1_000_000;
    // Founding, enrolment and deposit take a microsecond each, so that the gate is two orders away.
    let now = Timestamp(gate - 5);
    let (hosted, mut operator) = market(dir.path(), now);
    let mut ann = Signer::new(SigningKey::from_bytes(&[5; 32]), "park");
    let enrol = Kind::EnrolParticipant(EnrolParticipant {
        name: "ann".into(),
        public_key: ann.public_key().to_bytes().to_vec(),
        zone: "park".into(),
        roles: vec![Role::Consumer.into()],
        connection_capacity_w: 10_000,
        ..EnrolParticipant::default()
    });
    let deposit = Kind::Deposit(Deposit { participant: "ann".into(), amount_fen: 100_000 });
    let lifetime = Duration::from_mins(1);
    for kind in [enrol, deposit] {
        hand_in(&hosted, operator.sign(kind, now.0, lifetime));
    }
    let order = NewOrder {
        side: Side::Bid.into(),
        slot: slot.0,
        limit_price_micros_per_kwh: 500_000,
        energy_wh: 1_000,
    };
    let mut answers = Vec::new();
    for _ in 0..5 {
        let place = Kind::PlaceOrders(PlaceOrders { orders: vec![order] });
        let receipt = hand_in(&hosted, ann.sign(place, now.0, lifetime));
        let Some(Outcome::Placed(placed)) = receipt.outcome.unwrap().kind else {
            panic!("an answer to orders")
        };
        answers.push(match placed.orders[0].kind.as_ref().unwrap() {
            Answer::Accepted(_) => "accepted",
            Answer::Rejected(why) => match why.code.as_str() {
                "GATE_MUST_BE_OPEN" => "gate closed",
                other => panic!("{other}"),
            },
        });
    }
    assert_eq!(answers, ["accepted", "accepted", "gate closed", "gate closed", "gate closed"]);
    hosted.stop();
}
