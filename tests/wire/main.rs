//! Between contract and engine: what is said one way is understood the other way, and a new key's consent is
//! its word.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod certificates;
mod settlement;

use ed25519_dalek::{Signer as _, SigningKey};
use parkwatt::{
    config::{MarketFile, ZoneFile},
    wire::{self, Malformed},
};
use parkwatt_client::Signer;
use parkwatt_engine::{
    Account, Cancellation, Clearing, Command, Energy, Event, KeyRotation, Lapse, LeafIndex, MarketConfig,
    NewOrder, OrderId, Pair, ParticipantId, Posting, Price, Purpose, Replacement, Schedule, Side, Slot,
    TimeInForce, Timestamp, TradeId, Worth,
};
use parkwatt_proto::{
    KEY_ROTATION_TYPE, pre_authentication_encoding,
    v1::{self, RotateKey, command::Kind, leaf::Fact},
};
use proptest::prelude::*;
use prost::Message;

fn config() -> MarketConfig {
    MarketFile::default().constitution([1; 32]).unwrap()
}

fn payload(kind: Kind) -> Vec<u8> {
    v1::Command { market: "park".into(), nonce: 7, expires_at_micros: 9, kind: Some(kind) }.encode_to_vec()
}

fn parsed(kind: Kind) -> Result<Command, Malformed> {
    wire::parse(&config(), &payload(kind), [2; 32]).map(|request| request.command)
}

fn order() -> impl Strategy<Value = NewOrder> {
    let time_in_force = prop_oneof![
        Just(TimeInForce::GoodUntilGate),
        (1..=u64::MAX).prop_map(|until| TimeInForce::GoodUntil(Timestamp(until))),
        Just(TimeInForce::ImmediateOrCancel),
        Just(TimeInForce::FillOrKill),
    ];
    let side = prop_oneof![Just(Side::Bid), Just(Side::Offer)];
    (side, any::<u32>(), any::<i64>(), any::<u64>(), time_in_force, any::<bool>(), any::<u64>()).prop_map(
        |(side, slot, limit, energy, time_in_force, post_only, minimum)| NewOrder {
            side,
            slot: Slot(slot),
            limit: Price(limit),
            energy: Energy(energy),
            time_in_force,
            post_only,
            minimum_fill: Energy(minimum),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_schedule_is_understood_as_it_was_said(
        orders in prop::collection::vec(order(), 1..5),
        all_or_none: bool,
    ) {
        let said: Vec<v1::NewOrder> = orders.iter().map(|it| wire::new_order(*it)).collect();
        let said = v1::PlaceOrders { orders: said, all_or_none };
        let schedule = Schedule { orders, all_or_none };
        prop_assert_eq!(parsed(Kind::PlaceOrders(said)), Ok(Command::PlaceOrders(schedule)));
    }

    #[test]
    fn a_market_s_capacities_are_founded_as_they_were_said(
        capacities in prop::collection::vec(any::<[Option<u64>; 2]>(), 1..5),
    ) {
        let zone = |(number, [up, down]): (usize, &[Option<u64>; 2])| ZoneFile {
            name: format!("zone-{number}"),
            parent: (number > 0).then(|| format!("zone-{}", number / 2)),
            base_wheeling_micros_per_kwh: 0,
            wheeling_up_micros_per_kwh: 0,
            wheeling_down_micros_per_kwh: 0,
            capacity_up_w: *up,
            capacity_down_w: *down,
        };
        let zones = capacities.iter().enumerate().map(zone).collect();
        let config = MarketFile { zones, ..MarketFile::default() }.constitution([1; 32]).unwrap();
        for (zone, [up, down]) in config.zones.iter().zip(&capacities) {
            prop_assert_eq!((zone.capacity_up_w, zone.capacity_down_w), (*up, *down));
        }
        prop_assert_eq!(wire::config_of(&wire::genesis(&config)), Ok(config));
    }
}

#[test]
fn an_order_without_conditions_means_what_it_meant_before_there_were_any() {
    // Field by field: a bid, slot 5, limit 600, energy 70.
    let order = [0x08, 1, 0x10, 5, 0x18, 0xd8, 0x04, 0x20, 70];
    let order = v1::NewOrder::decode(&order[..]).unwrap();
    let expected = NewOrder::resting(Side::Bid, Slot(5), Price(600), Energy(70));
    let schedule = Schedule { orders: vec![expected], all_or_none: false };
    let said = v1::PlaceOrders { orders: vec![order], all_or_none: false };
    assert_eq!(parsed(Kind::PlaceOrders(said)), Ok(Command::PlaceOrders(schedule)));
}

#[test]
fn changes_are_understood_as_they_were_said() {
    let order = OrderId { index: LeafIndex(3), position: 4 };
    let said =
        v1::ReplaceOrder { order: Some(wire::order_id(order)), limit_price_micros_per_kwh: -5, energy_wh: 6 };
    let replacement = Replacement { order, limit: Price(-5), energy: Energy(6) };
    assert_eq!(parsed(Kind::ReplaceOrder(said)), Ok(Command::ReplaceOrder(replacement)));

    let cases = [
        (v1::CancelOrders::default(), Cancellation::default()),
        (
            v1::CancelOrders { participant: "mill".into(), slot: Some(0), side: v1::Side::Bid.into() },
            Cancellation { participant: Some("mill".into()), slot: Some(Slot(0)), side: Some(Side::Bid) },
        ),
        (
            v1::CancelOrders { side: v1::Side::Offer.into(), ..v1::CancelOrders::default() },
            Cancellation { side: Some(Side::Offer), ..Cancellation::default() },
        ),
    ];
    for (said, cancellation) in cases {
        assert_eq!(parsed(Kind::CancelOrders(said)), Ok(Command::CancelOrders(cancellation)));
    }
}

#[test]
fn every_new_fact_is_said_with_each_of_its_values() {
    let order = |index| OrderId { index: LeafIndex(index), position: 1 };
    let named = |index| Some(v1::OrderId { index, position: 1 });
    for (cause, said) in [
        (Lapse::Immediate, v1::LapseCause::Immediate),
        (Lapse::Expired, v1::LapseCause::Expired),
        (Lapse::Cancelled, v1::LapseCause::Cancelled),
    ] {
        let event = Event::OrderLapsed {
            order: order(5),
            owner: ParticipantId(6),
            slot: Slot(7),
            energy: Energy(8),
            cause,
        };
        let lapsed = v1::OrderLapsed { order: named(5), owner: 6, slot: 7, energy_wh: 8, cause: said.into() };
        assert_eq!(wire::event_fact(&event), Fact::OrderLapsed(lapsed));
    }
    let clearing = Clearing {
        slot: Slot(1),
        energy: Energy(2),
        prices: vec![Price(3), Price(4)],
        exports_wh: vec![0, -5],
        rents: vec![Price(0), Price(6)],
        passed_over: vec![Pair { bid: order(7), offer: order(8), energy: Energy(9) }],
        proof_halves: vec![10, 11],
    };
    let said = v1::AuctionCleared {
        slot: 1,
        energy_wh: 2,
        prices_micros_per_kwh: vec![3, 4],
        exports_wh: vec![0, -5],
        rents_micros_per_kwh: vec![0, 6],
        passed_over: vec![v1::OwnPair { bid: named(7), offer: named(8), energy_wh: 9 }],
        proof_half_micros_per_kwh: vec![10, 11],
    };
    assert_eq!(wire::event_fact(&Event::AuctionCleared(Box::new(clearing))), Fact::AuctionCleared(said));
    let posting = Posting {
        from: Account::Participant(ParticipantId(3)),
        to: Account::Congestion,
        amount: Worth(1_000_000_002),
        purpose: Purpose::Congestion(TradeId(LeafIndex(4))),
    };
    let account = |kind| Some(v1::LedgerAccount { kind: Some(kind) });
    let said = v1::Posting {
        from: account(v1::ledger_account::Kind::Participant(3)),
        to: account(v1::ledger_account::Kind::System(v1::SystemAccount::Congestion.into())),
        amount_yuan: 1,
        amount_nanos: 2,
        purpose: Some(v1::posting::Purpose::CongestionOfTrade(4)),
    };
    assert_eq!(wire::event_fact(&Event::Posted(posting)), Fact::Posted(said));
}

const OLD: [u8; 32] = [7; 32];
const NEW: [u8; 32] = [8; 32];

/// Returns a rotation from one key to another, changed and signed again by `signer` if it is.
fn rotation(change: impl FnOnce(&mut v1::KeyRotationConsent), signer: [u8; 32]) -> RotateKey {
    let pen = Signer::new(SigningKey::from_bytes(&OLD), "park");
    let Kind::RotateKey(mut rotation) = pen.rotation(&SigningKey::from_bytes(&NEW)) else {
        panic!("a rotation")
    };
    let mut consent = v1::KeyRotationConsent::decode(rotation.consent.as_slice()).unwrap();
    change(&mut consent);
    rotation.consent = consent.encode_to_vec();
    let encoded = pre_authentication_encoding(KEY_ROTATION_TYPE, &rotation.consent);
    rotation.new_signature = SigningKey::from_bytes(&signer).sign(&encoded).to_vec();
    rotation
}

fn public(key: [u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(&key).verifying_key().to_bytes()
}

/// Returns what the node says of a payload, after checking that an auditor who only verifies says the same of
/// rotations.
#[track_caller]
fn judged(payload: &[u8]) -> Result<Command, Malformed> {
    let signed = v1::SignedCommand {
        payload: payload.to_vec(),
        public_key: public(OLD).to_vec(),
        ..v1::SignedCommand::default()
    };
    let node = wire::parse(&config(), payload, public(OLD)).map(|request| request.command);
    assert_eq!(wire::check_consent(&signed), node.clone().map(drop));
    node
}

#[test]
fn a_rotation_is_taken_with_the_new_key_s_word_for_exactly_this_market_and_these_keys() {
    let consented = judged(&payload(Kind::RotateKey(rotation(|_| {}, NEW))));
    assert_eq!(consented, Ok(Command::RotateKey(KeyRotation { new_key: public(NEW) })));

    let other = public([9; 32]).to_vec();
    let with = |change: fn(&mut RotateKey)| {
        let mut rotation = rotation(|_| {}, NEW);
        change(&mut rotation);
        rotation
    };
    let cases: [(RotateKey, &str, &str); 11] = [
        (with(|it| it.new_public_key.clear()), "new_public_key", "has 0 bytes"),
        (with(|it| it.new_public_key = [&[1][..], &[0; 31]].concat()), "new_public_key", "weak"),
        (with(|it| it.consent = vec![0xff]), "consent", "is not a serialised KeyRotationConsent"),
        (rotation(|it| it.market = "plaza".into(), NEW), "consent.market", "'plaza' is not"),
        (
            rotation(|it| it.old_public_key = other.clone(), NEW),
            "consent.old_public_key",
            "signs the command",
        ),
        (rotation(|it| it.old_public_key.clear(), NEW), "consent.old_public_key", "has 0 bytes"),
        (rotation(|it| it.new_public_key = other.clone(), NEW), "consent.new_public_key", "new_public_key"),
        (
            with(|it| it.new_public_key = public([9; 32]).to_vec()),
            "consent.new_public_key",
            "is not new_public",
        ),
        (rotation(|_| {}, OLD), "new_signature", "does not verify"),
        (with(|it| it.new_signature.clear()), "new_signature", "has 0 bytes; an Ed25519 signature has 64"),
        (with(|it| it.consent.extend([0xf8, 0x07, 0x01])), "new_signature", "exactly the consent's bytes"),
    ];
    for (rotation, field, word) in cases {
        let refused = judged(&payload(Kind::RotateKey(rotation))).unwrap_err();
        assert_eq!(refused.field, field, "{refused}");
        assert!(refused.problem.contains(word), "{refused} lacks {word:?}");
    }
}

#[test]
fn every_flipped_bit_of_a_consent_and_of_its_signature_is_refused() {
    let good = rotation(|_| {}, NEW);
    for bit in 0..8 * (good.consent.len() + good.new_signature.len()) {
        let mut bad = good.clone();
        let (byte, mask) = (bit / 8, 1 << (bit % 8));
        match byte.checked_sub(bad.consent.len()) {
            None => bad.consent[byte] ^= mask,
            Some(byte) => bad.new_signature[byte] ^= mask,
        }
        assert!(judged(&payload(Kind::RotateKey(bad))).is_err(), "bit {bit}");
    }
}

#[test]
fn of_two_kinds_in_one_payload_the_last_counts_for_node_and_auditor_alike() {
    let bad = payload(Kind::RotateKey(rotation(|_| {}, OLD)));
    let deposit = || Kind::Deposit(v1::Deposit { participant: "mill".into(), amount_fen: 1 });
    let both = [bad.clone(), payload(deposit())].concat();
    assert!(matches!(judged(&both), Ok(Command::Deposit(_))));
    let both = [payload(deposit()), bad].concat();
    assert_eq!(judged(&both).unwrap_err().field, "new_signature");
}
