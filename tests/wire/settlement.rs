//! Readings, tariffs, payouts: what is asked, and what is said of it.

use parkwatt_engine::{
    Account, Command, Energy, Event, LeafIndex, NewTariffs, Outcome, ParticipantId, Payout, PayoutAmount,
    Phase, Posting, Price, Purpose, Quality, Reading, Slot, TariffBand, Timestamp, TradeId, Worth,
    ZoneCharges,
};
use parkwatt_proto::v1::{
    self, command::Kind, leaf::Fact, ledger_account, outcome, pay_out::Amount, posting,
};
use prost::Message;

use super::{config, parsed, payload};
use parkwatt::{
    config::{MarketFile, ZoneFile},
    wire::{self, Malformed},
};

/// Checks that a command is refused for this field, with these words.
#[track_caller]
pub fn refused(said: Result<Command, Malformed>, field: &str, words: &str) {
    let refused = said.unwrap_err();
    assert_eq!(refused.field, field, "{refused}");
    assert!(refused.problem.contains(words), "{refused} lacks {words:?}");
}

fn reading() -> v1::SubmitReading {
    v1::SubmitReading {
        read_at_micros: Slot(9).end().0,
        import_register_wh: 1,
        export_register_wh: 2,
        generation_register_wh: 3,
        counter: 4,
        quality: v1::Quality::Substituted.into(),
    }
}

#[test]
fn a_reading_is_understood_with_its_moment_and_each_register() {
    let Ok(Command::SubmitReading(understood)) = parsed(Kind::SubmitReading(reading())) else {
        panic!("a reading")
    };
    let expected = Reading {
        read_at: Slot(9).end(),
        import_register: Energy(1),
        export_register: Energy(2),
        generation_register: Energy(3),
        counter: 4,
        quality: Quality::Substituted,
    };
    assert_eq!((understood, understood.slot()), (expected, Some(Slot(9))));
    // A moment that ends no slot is a rule's to refuse.
    for read_at_micros in [0, 1, u64::MAX] {
        let asked = parsed(Kind::SubmitReading(v1::SubmitReading { read_at_micros, ..reading() }));
        let Ok(Command::SubmitReading(understood)) = asked else { panic!("{asked:?}") };
        assert_eq!(understood.read_at, Timestamp(read_at_micros));
    }
}

#[test]
fn a_reading_that_names_its_slot_in_the_old_field_has_no_moment() {
    // Field 1 is reserved: an old program's slot is not taken for anything.
    let old = v1::SubmitReading { read_at_micros: 0, ..reading() };
    let bytes = [&[0x08, 9][..], &old.encode_to_vec()].concat();
    assert_eq!(v1::SubmitReading::decode(&bytes[..]), Ok(old));
}

#[test]
fn a_payout_is_of_an_amount_or_of_all() {
    let asked = |amount| parsed(Kind::PayOut(v1::PayOut { participant: "mill".into(), amount }));
    for (said, amount) in
        [(Amount::AmountFen(7), PayoutAmount::Fen(7)), (Amount::All(true), PayoutAmount::All)]
    {
        let payout = Payout { participant: "mill".into(), amount };
        assert_eq!(asked(Some(said)), Ok(Command::PayOut(payout)));
    }
    refused(asked(Some(Amount::All(false))), "all", "is false");
    refused(asked(None), "amount", "neither amount_fen nor all");
}

fn three_zones() -> parkwatt_engine::MarketConfig {
    let zone = |name: &str, parent: Option<&str>| ZoneFile {
        name: name.into(),
        parent: parent.map(Into::into),
        base_wheeling_micros_per_kwh: 0,
        wheeling_up_micros_per_kwh: 0,
        wheeling_down_micros_per_kwh: 0,
        capacity_up_w: None,
        capacity_down_w: None,
    };
    let zones = vec![zone("hub", None), zone("east", Some("hub")), zone("yard", Some("east"))];
    MarketFile { zones, ..MarketFile::default() }.constitution([1; 32]).unwrap()
}

fn charges(zone: &str, base: i64) -> v1::ZoneCharges {
    v1::ZoneCharges {
        zone: zone.into(),
        base_wheeling_micros_per_kwh: base,
        wheeling_up_micros_per_kwh: base + 1,
        wheeling_down_micros_per_kwh: base + 2,
    }
}

fn tariffs(zones: &[(&str, i64)]) -> v1::PublishTariffs {
    v1::PublishTariffs {
        version: 2,
        effective_from_slot: 77,
        zones: zones.iter().map(|(zone, base)| charges(zone, *base)).collect(),
        market_fee_micros_per_kwh: 5,
        tariffs: vec![v1::TariffBand {
            from_quarter: 95,
            retail_micros_per_kwh: 6,
            feed_in_micros_per_kwh: -7,
        }],
    }
}

fn published(tariffs: v1::PublishTariffs) -> Result<Command, Malformed> {
    wire::parse(&three_zones(), &payload(Kind::PublishTariffs(tariffs)), [2; 32]).map(|it| it.command)
}

#[test]
fn tariffs_name_each_zone_once_in_any_order() {
    let said = tariffs(&[("yard", 300), ("hub", 100), ("east", 200)]);
    let charges = |base| ZoneCharges {
        base_wheeling: Price(base),
        wheeling_up: Price(base + 1),
        wheeling_down: Price(base + 2),
    };
    let expected = NewTariffs {
        version: 2,
        effective_from: Slot(77),
        zones: vec![charges(100), charges(200), charges(300)],
        market_fee: Price(5),
        bands: vec![TariffBand { from_quarter: 95, retail: Price(6), feed_in: Price(-7) }],
    };
    assert_eq!(published(said), Ok(Command::PublishTariffs(expected.clone())));
    // What the node says of them is in the market's order.
    let shown = wire::tariffs(&three_zones(), &expected);
    assert_eq!(shown, tariffs(&[("hub", 100), ("east", 200), ("yard", 300)]));

    let hub_and_east = [("hub", 1), ("east", 2)];
    refused(published(tariffs(&hub_and_east)), "zones", "'yard' is missing");
    let twice = [&hub_and_east[..], &[("yard", 3), ("east", 2)]].concat();
    refused(published(tariffs(&twice)), "zones[3].zone", "'east' is given twice");
    let unknown = [&hub_and_east[..], &[("moon", 3)]].concat();
    refused(
        published(tariffs(&unknown)),
        "zones[2].zone",
        "'moon' is none of this market's zones: hub, east, yard",
    );
    let mut late = tariffs(&[("yard", 300), ("hub", 100), ("east", 200)]);
    late.tariffs[0].from_quarter = 256;
    refused(published(late), "tariffs[0].from_quarter", "256 is no quarter hour of a day");
}

#[test]
fn what_settlement_says_is_said_with_each_of_its_values() {
    for (phase, said) in [
        (Phase::Scheduled, v1::Phase::Scheduled),
        (Phase::Auction, v1::Phase::Auction),
        (Phase::Continuous, v1::Phase::Continuous),
        (Phase::Closed, v1::Phase::Closed),
        (Phase::Settled, v1::Phase::Settled),
        (Phase::Resettled, v1::Phase::Resettled),
        (Phase::Final, v1::Phase::Final),
    ] {
        let began = v1::PhaseBegan { slot: 3, phase: said.into() };
        assert_eq!(wire::event_fact(&Event::PhaseBegan { slot: Slot(3), phase }), Fact::PhaseBegan(began));
    }
    // The quality of a slot's energy is not that of its last reading.
    let Ok(Command::SubmitReading(reading)) = parsed(Kind::SubmitReading(reading())) else {
        panic!("a reading")
    };
    let metered = Event::Metered {
        participant: ParticipantId(1),
        slot: Slot(2),
        reading,
        import: Energy(3),
        export: Energy(4),
        generation: Energy(5),
        quality: Quality::Estimated,
    };
    let said = v1::Metered {
        participant: 1,
        slot: 2,
        import_wh: 3,
        export_wh: 4,
        quality: v1::Quality::Estimated.into(),
        generation_wh: 5,
    };
    assert_eq!(wire::event_fact(&metered), Fact::Metered(said));
    for (outcome, said) in [
        (Outcome::PaidOut(12), outcome::Kind::PaidOutFen(12)),
        (Outcome::TariffsPublished, outcome::Kind::TariffsPublished(v1::Done {})),
    ] {
        assert_eq!(wire::outcome(&outcome).kind, Some(said));
    }
}

#[test]
fn a_posting_is_said_exactly_whatever_its_sign() {
    let participant = |number| v1::LedgerAccount { kind: Some(ledger_account::Kind::Participant(number)) };
    let system = |account: v1::SystemAccount| v1::LedgerAccount {
        kind: Some(ledger_account::Kind::System(account.into())),
    };
    let said = |posting: &Posting| match wire::event_fact(&Event::Posted(*posting)) {
        Fact::Posted(said) => said,
        other => panic!("{other:?}"),
    };
    let ann = Account::Participant(ParticipantId(3));
    let payout = Posting { from: ann, to: Account::Bank, amount: Worth(5), purpose: Purpose::Payout };
    let its = said(&payout);
    assert_eq!(its.purpose, Some(posting::Purpose::Payout(v1::Done {})));
    assert_eq!((its.from, its.to), (Some(participant(3)), Some(system(v1::SystemAccount::Bank))));
    let rest = Posting { to: Account::Rounding, purpose: Purpose::Rounding, ..payout };
    let its = said(&rest);
    assert_eq!(its.purpose, Some(posting::Purpose::Rounding(v1::Done {})));
    assert_eq!(its.to, Some(system(v1::SystemAccount::Rounding)));
    let energy = Purpose::Energy(TradeId(LeafIndex(4)));
    for (nanos, yuan, rest) in [
        (-4_999_999, -1, 995_000_001),
        (-1_000_000_000, -1, 0),
        (-1, -1, 999_999_999),
        (0, 0, 0),
        (1_000_000_002, 1, 2),
    ] {
        let its = said(&Posting { amount: Worth(nanos), purpose: energy, ..payout });
        assert_eq!((its.amount_yuan, its.amount_nanos), (yuan, rest), "{nanos}");
    }
}

#[test]
fn the_time_of_the_final_settlement_is_founded_as_it_was_said() {
    assert_eq!(config().timeline.final_after_s, 30 * 86_400);
    let genesis = wire::genesis(&config());
    assert_eq!(genesis.final_after_s, 30 * 86_400);
    let sooner = v1::Genesis { final_after_s: 7, ..genesis };
    assert_eq!(wire::config_of(&sooner).unwrap().timeline.final_after_s, 7);
}
