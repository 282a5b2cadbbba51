//! No order allocates once a book is warm, and a market allocates only for what it keeps.
#![allow(clippy::unwrap_used, reason = "tests say plainly what they expect")]

use allocation_counter::measure;
use parkwatt_engine::*;

/// How many orders stand, at most, in each of the two slots.
const LIVE: u64 = 500;
const FIRST: Slot = Slot(40_000);
const OPERATOR: PublicKey = [255; 32];

/// Numbers that look drawn: a linear congruence.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// Draws an order of any zone, side and owner, whose limit often meets another's.
    fn order(&mut self, number: u64) -> OpenOrder {
        let zone = self.below(4);
        let side = if self.below(2) == 0 { Side::Bid } else { Side::Offer };
        let away = i64::try_from(self.below(300)).unwrap() - 60;
        let limit = if side == Side::Bid { 5_000 - away } else { 5_000 + away };
        OpenOrder {
            id: OrderId { index: LeafIndex(number), position: 0 },
            owner: ParticipantId(u32::try_from(2 * zone + u64::from(side == Side::Offer)).unwrap()),
            zone: ZoneId(u16::try_from(zone).unwrap()),
            side,
            limit: Price(100 * limit),
            remaining: Energy(1 + self.below(1000)),
        }
    }
}

fn config() -> MarketConfig {
    let zone = |number: u16| Zone {
        name: format!("zone-{number}"),
        parent: number.checked_sub(1).map(|before| ZoneId(before / 2)),
        base_wheeling: Price(0),
        wheeling_up: Price(500),
        wheeling_down: Price(500),
        capacity_up_w: Some(400_000),
        capacity_down_w: Some(400_000),
    };
    MarketConfig {
        name: "park".to_owned(),
        currency: "yuan".to_owned(),
        operator_key: OPERATOR,
        zones: (0..4).map(zone).collect(),
        tick: Price(100),
        price_floor: Price(0),
        price_cap: Price(2_000_000),
        lot: Energy(1),
        order_energy_max: Energy(1_000_000),
        schedule_len_max: 1000,
        participants_max: 100,
        open_orders_max: 100_000,
        corrections_max: 10,
        timeline: Timeline {
            opens_before_s: 86_400,
            uncross_before_s: 86_400,
            gate_before_s: 900,
            settle_after_s: 3600,
            final_after_s: 7200,
        },
        auction_point_per_mille: 500,
        market_fee: Price(0),
        deviation_per_mille: 100,
        tariff_version: 1,
        tariffs: vec![TariffBand { from_quarter: 0, retail: Price(600_000), feed_in: Price(300_000) }],
    }
}

/// Places orders from `from` on, and cancels each `LIVE` orders later if it still stands.
fn drive(
    book: &mut StandaloneBook,
    draw: &mut Draw,
    placed: &mut Vec<Placed>,
    numbers: std::ops::Range<u64>,
) {
    for number in numbers {
        let order = book.prepare(&draw.order(number));
        placed.push(book.place(&order, |_| {}));
        if number >= LIVE {
            book.cancel(placed[usize::try_from(number - LIVE).unwrap()]);
        }
    }
}

#[test]
fn a_warm_book_allocates_nothing() {
    let mut book = StandaloneBook::new(&config());
    let (mut draw, mut placed) = (Draw(1), Vec::with_capacity(200_000));
    let cold = measure(|| drive(&mut book, &mut draw, &mut placed, 0..100_000));
    let warm = measure(|| drive(&mut book, &mut draw, &mut placed, 100_000..200_000));
    assert!(cold.count_total > 0, "a cold book makes its ladders");
    assert_eq!(warm.count_total, 0, "a warm book allocates nothing");
}

/// A market in which everyone may owe without end.
fn market() -> Market {
    let mut market = Market::new(config()).unwrap();
    for number in 0..8_u8 {
        let new = NewParticipant {
            name: format!("owner-{number}"),
            key: [number; 32],
            meter_key: None,
            zone: ZoneId(u16::from(number / 2)),
            roles: Roles { consumer: true, producer: true, ..Roles::default() },
            pv_capacity_w: 1_000_000_000_000,
            connection_capacity_w: 1_000_000_000_000,
            credit_limit_fen: 1_000_000_000_000,
        };
        let command = Command::EnrolParticipant(new);
        ask(&mut market, u64::from(number), OPERATOR, command, &mut Vec::new());
    }
    market
}

fn ask(
    market: &mut Market,
    index: u64,
    key: PublicKey,
    command: Command,
    events: &mut Vec<Event>,
) -> Outcome {
    let at = Timestamp(FIRST.start().0 - 7_200 * MICROS_PER_SECOND + index);
    let request = Request { key, nonce: 1 + index, expires_at: Timestamp(u64::MAX), command };
    market.apply(Stamp { at, index: LeafIndex(index) }, &request, events)
}

#[test]
fn a_warm_market_allocates_only_for_the_trades_and_ids_that_it_keeps() {
    let (mut market, mut draw) = (market(), Draw(1));
    let mut placed: Vec<(PublicKey, OrderId)> = Vec::with_capacity(120_000);
    let mut index = 10;
    let mut events = Vec::with_capacity(1000);
    let (mut allocations, mut half_way) = ([0, 0], 0);
    for number in 0..100_000_u64 {
        let OpenOrder { owner, side, limit, remaining, .. } = draw.order(index);
        let key = [u8::try_from(owner.0).unwrap(); 32];
        let slot = Slot(FIRST.0 + u32::from(draw.below(2) == 0));
        let orders = vec![NewOrder::resting(side, slot, limit, remaining)];
        let command = Command::PlaceOrders(Schedule { orders, all_or_none: false });
        placed.push((key, OrderId { index: LeafIndex(index), position: 0 }));
        if number == 50_000 {
            half_way = index;
        }
        let place = || {
            events.clear();
            let outcome = ask(&mut market, index, key, command, &mut events);
            assert!(matches!(outcome, Outcome::Placed(answers) if answers[0].is_ok()));
            index += 1 + events.len() as u64;
        };
        let half = &mut allocations[usize::from(number >= 50_000)];
        // OK because the command itself was allocated before, and is dropped within.
        *half += measure(place).count_total;
        if number >= LIVE {
            let (key, order) = placed[usize::try_from(number - LIVE).unwrap()];
            events.clear();
            *half += measure(|| _ = ask(&mut market, index, key, Command::CancelOrder(order), &mut events))
                .count_total;
            index += 1 + events.len() as u64;
        }
    }
    let [cold, warm] = allocations;
    // The lists of trades and of placements grow by 256; a placement stands at every leaf.
    let leaves = index - half_way;
    assert!(
        warm <= 2 * leaves / 256 + 10,
        "{cold} allocations at first, {warm} for the next {leaves} leaves"
    );
    assert!(warm > 0, "what is kept takes memory");
}
