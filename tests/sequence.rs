//! The sequencer: one order and one time, whatever the clock and the callers do.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use ed25519_dalek::SigningKey;
use parkwatt::{
    clock::Clock,
    config::NodeConfig,
    host::{self, Door, Hosted},
    keys::NodeKeys,
    refusal::Refused,
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
use tokio::sync::oneshot;

/// Founds a market whose clock stands at `now`.
fn market(dir: &Path, now: Timestamp) -> (Hosted, Signer) {
    let keys = NodeKeys::open(dir).unwrap();
    let config = NodeConfig { data: dir.to_owned(), segment_bytes: 1 << 20, ..NodeConfig::default() };
    let program = Path::new(env!("CARGO_BIN_EXE_parkwattd"));
    let hosted = host::open(&config, &config.market, &keys, Clock::simulated(now), program).unwrap();
    (hosted, Signer::new(keys.operator, "park"))
}

/// Hands in a command, and waits for its receipt.
fn hand_in(hosted: &Hosted, signed: SignedCommand) -> Receipt {
    begin(hosted, signed).blocking_recv().unwrap().unwrap()
}

/// Hands in a command, and returns where its receipt will be.
fn begin(hosted: &Hosted, signed: SignedCommand) -> oneshot::Receiver<Result<Receipt, Refused>> {
    let key = signed.public_key.as_slice().try_into().unwrap();
    let request = wire::parse(&hosted.market.config, &signed.payload, key).unwrap();
    let (receipt, waiting) = oneshot::channel();
    hosted.market.door.queue().unwrap().hand_in(PendingCommand { signed, request, receipt, new_as_of: None });
    waiting
}

#[test]
fn two_copies_of_bytes_under_a_used_nonce_have_one_receipt() {
    let dir = tempfile::tempdir().unwrap();
    let now = Slot(1_628_736).start();
    let (hosted, operator) = market(dir.path(), now);
    let deposit = |amount_fen| Kind::Deposit(Deposit { participant: "nobody".into(), amount_fen });
    let lifetime = Duration::from_mins(1);
    // The same nonces again, under other bytes.
    let (mut used, mut reused) = (operator.clone(), operator);
    for amount_fen in 1..=200 {
        let first = hand_in(&hosted, used.sign(deposit(amount_fen), now.0, lifetime));
        let other = reused.sign(deposit(1_000 + amount_fen), now.0, lifetime);
        let copies = [(); 3].map(|()| begin(&hosted, other.clone()));
        let [a, b, c] = copies.map(|copy| copy.blocking_recv().unwrap().unwrap());
        assert!(first.leaf_index < a.leaf_index);
        assert_eq!((b.leaf_index, c.leaf_index), (a.leaf_index, a.leaf_index), "round {amount_fen}");
        assert_eq!([a, b, c].map(|copy| copy.repeated_command), [false, true, true]);
    }
    hosted.stop();
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
        ..NewOrder::default()
    };
    let mut answers = Vec::new();
    for _ in 0..5 {
        let place = Kind::PlaceOrders(PlaceOrders { orders: vec![order], all_or_none: false });
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

#[test]
fn a_ledger_that_does_not_fit_leaves_its_market_read_only_as_far_as_it_was_verified() {
    let dir = tempfile::tempdir().unwrap();
    let now = Slot(1_628_736).start();
    let (hosted, mut operator) = market(dir.path(), now);
    let ann = Signer::new(SigningKey::from_bytes(&[5; 32]), "park");
    let enrol = Kind::EnrolParticipant(EnrolParticipant {
        name: "ann".into(),
        public_key: ann.public_key().to_bytes().to_vec(),
        zone: "park".into(),
        ..EnrolParticipant::default()
    });
    let lifetime = Duration::from_mins(1);
    hand_in(&hosted, operator.sign(enrol, now.0, lifetime));
    let deposit = Kind::Deposit(Deposit { participant: "ann".into(), amount_fen: 100 });
    let paid = hand_in(&hosted, operator.sign(deposit, now.0, lifetime));
    hosted.stop();

    // Behind the header, the founding and the enrolment lies the deposit's group: a bit behind its mark is
    // flipped.
    let segment = dir.path().join("park/journal/00000000000000000000.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[3 * 4096 + 1] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();

    let (hosted, _) = market(dir.path(), now);
    let Door::ReadOnly(why) = &hosted.market.door else { panic!("the market takes commands") };
    assert!(why.contains("00000000000000000000.seg") && why.contains("12288"), "{why}");
    let views = hosted.market.views();
    assert_eq!((views.tree_size, views.participants.len()), (paid.leaf_index, 1));
    assert_eq!(hosted.market.checkpoint().size(), paid.leaf_index);
    drop(views);
    let Err(refused) = hosted.market.door.queue() else { panic!("the market takes commands") };
    assert_eq!(refused.reason(), "READ_ONLY");
    assert!(hosted.market.store().is_err());
    hosted.stop();
    // Nothing was written: what was there is there.
    assert_eq!(std::fs::read(&segment).unwrap(), bytes);
}
