//! A command that comes before what is due ends the engine: also where the market has just learned of it.
#![allow(clippy::unwrap_used, reason = "tests say plainly what they expect")]

use parkwatt_engine::*;

const OPERATOR: PublicKey = [255; 32];
const OWNER: PublicKey = [7; 32];
const START: u64 = 40_000 * 900 * MICROS_PER_SECOND;
/// Trading in a slot goes on until this long before it.
const GATE_S: u32 = 900;

fn market() -> Market {
    let zone = Zone {
        name: "park".to_owned(),
        parent: None,
        base_wheeling: Price(0),
        wheeling_up: Price(0),
        wheeling_down: Price(0),
        capacity_up_w: None,
        capacity_down_w: None,
    };
    let mut market = Market::new(MarketConfig {
        name: "park".to_owned(),
        currency: "yuan".to_owned(),
        operator_key: OPERATOR,
        zones: vec![zone],
        tick: Price(100),
        price_floor: Price(0),
        price_cap: Price(2_000_000),
        lot: Energy(1),
        order_energy_max: Energy(1_000_000),
        schedule_len_max: 1000,
        participants_max: 100,
        open_orders_max: 1000,
        corrections_max: 10,
        timeline: Timeline {
            opens_before_s: 86_400,
            uncross_before_s: 86_400,
            gate_before_s: GATE_S,
            settle_after_s: 3600,
            final_after_s: 7200,
        },
        auction_point_per_mille: 500,
        market_fee: Price(0),
        deviation_per_mille: 100,
        tariff_version: 1,
        tariffs: vec![TariffBand { from_quarter: 0, retail: Price(600_000), feed_in: Price(300_000) }],
    })
    .unwrap();
    let new = NewParticipant {
        name: "owner".to_owned(),
        key: OWNER,
        meter_key: None,
        zone: ZoneId(0),
        roles: Roles { consumer: true, producer: true, ..Roles::default() },
        pv_capacity_w: 1_000_000_000,
        connection_capacity_w: 1_000_000_000,
        credit_limit_fen: 1_000_000_000,
    };
    ask(&mut market, START, OPERATOR, Command::EnrolParticipant(new));
    market
}

fn ask(market: &mut Market, at: u64, key: PublicKey, command: Command) -> Outcome {
    let request = Request { key, nonce: at, expires_at: Timestamp(u64::MAX), command };
    let stamp = Stamp { at: Timestamp(at), index: LeafIndex(1 + at - START) };
    market.apply(stamp, &request, &mut Vec::new())
}

/// Offers for a slot so many behind the one that begins at [`START`].
fn offer(market: &mut Market, at: u64, slot: u32) {
    let order = NewOrder::resting(Side::Offer, Slot(40_000 + slot), Price(100), Energy(1));
    let schedule = Schedule { orders: vec![order], all_or_none: false };
    let outcome = ask(market, at, OWNER, Command::PlaceOrders(schedule));
    assert!(matches!(outcome, Outcome::Placed(answers) if answers[0].is_ok()));
}

/// A market that knows, after two offers for slot 40, that nothing is due for hours; then one for slot 4 comes.
fn with_an_earlier_slot() -> (Market, u64) {
    let mut market = market();
    offer(&mut market, START + 1, 40);
    offer(&mut market, START + 2, 40);
    offer(&mut market, START + 3, 4);
    let gate = Slot(40_004).start().0 - u64::from(GATE_S) * MICROS_PER_SECOND;
    assert_eq!(market.next_due(), Some(Timestamp(gate)));
    (market, gate)
}

#[test]
fn a_command_just_before_what_is_due_is_taken() {
    let (mut market, gate) = with_an_earlier_slot();
    offer(&mut market, gate - 1, 40);
    market.tick(Stamp { at: Timestamp(gate), index: LeafIndex(1 + gate - START) }, &mut Vec::new());
    offer(&mut market, gate + 1, 40);
}

#[test]
#[should_panic(expected = "what is due comes before the command")]
fn a_command_at_the_moment_of_what_is_due_ends_the_engine() {
    let (mut market, gate) = with_an_earlier_slot();
    offer(&mut market, gate, 40);
}

#[test]
#[should_panic(expected = "time does not run backwards")]
fn a_command_before_the_last_tick_ends_the_engine() {
    let (mut market, gate) = with_an_earlier_slot();
    market.tick(Stamp { at: Timestamp(gate), index: LeafIndex(1 + gate - START) }, &mut Vec::new());
    offer(&mut market, gate - 1, 40);
}
