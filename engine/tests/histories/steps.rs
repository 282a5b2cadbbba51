//! What can happen in a history: markets and steps, drawn at random, each small enough to be common.

use parkwatt_engine::*;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::holders::{Asked, asked};

/// How many participants there are from the beginning.
pub const PEOPLE: u8 = 5;
/// Who only bids.
pub const CONSUMER: u8 = 2;
/// Who only offers.
pub const PRODUCER: u8 = 3;
/// The first slot that orders are for.
pub const FIRST: Slot = Slot(40_000);
/// For how many slots orders are.
pub const SLOTS: u32 = 3;
/// The tick, so odd that shares of prices are rounded.
pub const TICK: i64 = 999_983;
/// The founding operator's key.
pub const FOUNDER: PublicKey = [255; 32];

/// What a test's histories are mostly about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emphasis {
    Continuous,
    Auction,
}

/// What happens next.
#[derive(Clone, Debug)]
pub struct Step {
    pub signing: Signing,
    pub act: Act,
}

/// How a request is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    Well,
    WithAnOldNonce,
    TooLate,
    ByAStranger,
    ByAMeter,
}

/// What somebody does. `who` is a participant's number, [`PEOPLE`] the founder's.
#[derive(Clone, Debug)]
pub enum Act {
    Place {
        who: u8,
        orders: Vec<NewWish>,
        all_or_none: bool,
    },
    Cancel {
        which: Which,
    },
    Replace {
        which: Which,
        ticks: i64,
        lots: u64,
    },
    CancelMany {
        who: u8,
        of: Option<u8>,
        slot: Option<u32>,
        side: Option<Side>,
    },
    Rotate {
        who: u8,
        is_meter: bool,
        to: u8,
    },
    Enrol {
        who: u8,
        flaw: u8,
    },
    Deposit {
        who: u8,
        to: u8,
        fen: u64,
    },
    PayOut {
        who: u8,
        from: u8,
        fen: Option<u64>,
    },
    Publish(WishedTariffs),
    Read {
        who: u8,
        energies: [u64; 3],
        quality: Quality,
        flaw: u8,
    },
    ReadAll {
        energies: Vec<[u64; 3]>,
    },
    /// A reading of a slot that was read, so many before the last one, with other registers.
    Correct {
        who: u8,
        back: u32,
        more: [i64; 3],
        quality: Quality,
    },
    OfCertificates(Asked),
    /// What is read, corrected and asked of certificates from now on is in units of so many Wh.
    CountIn {
        unit: u64,
    },
    Wait {
        minutes: u64,
    },
}

/// An order that was placed, counted back from the last, and whether its owner asks.
#[derive(Clone, Copy, Debug)]
pub struct Which {
    pub back: usize,
    pub by_owner: bool,
    pub who: u8,
}

/// Tariffs in ticks; `flaw` says what is wrong with them.
#[derive(Clone, Debug)]
pub struct WishedTariffs {
    pub who: u8,
    pub version: u32,
    /// Counted from the slot before the first.
    pub slot: u32,
    /// The charges of the zones, in turn.
    pub charges: Vec<[i64; 3]>,
    pub fee: i64,
    pub retail: i64,
    pub flaw: u8,
}

/// An order in ticks and lots.
#[derive(Clone, Copy, Debug)]
pub struct NewWish {
    pub side: Side,
    pub slot: u32,
    pub ticks: i64,
    pub lots: u64,
    pub time: WishedTime,
    pub post_only: bool,
    pub minimum_lots: u64,
    pub flaw: Flaw,
}

/// What is wrong with an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    None,
    Energy,
    Limit,
    /// It is on the drawn side even if its owner does not trade on that.
    Side,
}

#[derive(Clone, Copy, Debug)]
pub enum WishedTime {
    Gate,
    Minutes(i64),
    Immediate,
    Kill,
}

pub fn history(emphasis: Emphasis) -> impl Strategy<Value = (MarketConfig, Vec<Step>)> {
    // Where most of a history lies: trading in all three slots opens with an auction or without one.
    let (gathering, trading) = match emphasis {
        Emphasis::Continuous => (0..20, 0..110),
        Emphasis::Auction => (0..60, 0..25),
    };
    let wait = |minutes: u64| Step { signing: Signing::Well, act: Act::Wait { minutes } };
    let count_in = |unit: u64| Step { signing: Signing::Well, act: Act::CountIn { unit } };
    let early = prop_oneof![2 => vec(publish_step(), 0..=0), 1 => vec(publish_step(), 1..4)];
    // Sometimes there is enough for national certificates.
    let unit = prop_oneof![5 => Just(1), 1 => Just(100_000_u64)];
    let metering = (unit, vec(meter_step(), 0..60), vec(late_step(), 0..30));
    let parts = (early, vec(order_step(), gathering), vec(order_step(), trading), metering);
    (market(emphasis), parts).prop_map(
        move |(market, (early, gathering, trading, (unit, metering, late)))| {
            let steps = early.into_iter().chain([wait(80)]).chain(gathering).chain([wait(50)]).chain(trading);
            // Until the first slots are settled at the latest.
            let steps = steps.chain([wait(80), count_in(unit)]).chain(metering).chain([wait(40)]).chain(late);
            (market, steps.collect())
        },
    )
}

fn market(emphasis: Emphasis) -> impl Strategy<Value = MarketConfig> {
    let ticks = |range: std::ops::Range<i64>| range.prop_map(|ticks| Price(ticks * TICK));
    let capacity = || option::weighted(0.85, prop_oneof![4 => 0..6_u64, 1 => 4..30_u64]);
    let zone =
        (any::<prop::sample::Index>(), [ticks(0..2), ticks(0..2), ticks(0..3)], [capacity(), capacity()]);
    let gate_s = prop_oneof![3 => Just(900), 1 => Just(0_u32)];
    let minutes = |opens: u32, uncross: u32| Just((opens * 60, uncross * 60));
    let timeline = match emphasis {
        Emphasis::Continuous => {
            prop_oneof![3 => minutes(150, 120), 1 => minutes(120, 120), 2 => minutes(180, 75)]
        }
        Emphasis::Auction => prop_oneof![3 => minutes(180, 60), 1 => minutes(150, 15), 1 => minutes(180, 90)],
    };
    let final_after_s = prop_oneof![
        4 => Just(86_400_u32),
        2 => Just(1800),
        4 => 1800..9000_u32,
        2 => Just(3 * 366 * 86_400)
    ];
    let points = prop_oneof![Just(500_u32), Just(0), Just(1000), Just(333)];
    let lot = prop_oneof![Just(1_u64), Just(5)];
    (vec(zone, 1..=4), timeline, gate_s, final_after_s, points, lot, ticks(0..2)).prop_map(
        |(
            zones,
            (opens_before_s, uncross_before_s),
            gate_before_s,
            final_after_s,
            point,
            lot,
            market_fee,
        )| MarketConfig {
            name: "twin".to_owned(),
            currency: "yuan".to_owned(),
            operator_key: FOUNDER,
            zones: (0..).zip(zones).map(|(place, drawn)| new_zone(place, lot, drawn)).collect(),
            tick: Price(TICK),
            price_floor: Price(-4 * TICK),
            price_cap: Price(12 * TICK),
            lot: Energy(lot),
            order_energy_max: Energy(9 * lot),
            schedule_len_max: 3,
            participants_max: u32::from(PEOPLE) + 1,
            open_orders_max: 6,
            corrections_max: 3,
            timeline: Timeline {
                opens_before_s,
                uncross_before_s,
                gate_before_s,
                settle_after_s: 1800,
                final_after_s,
            },
            auction_point_per_mille: point,
            market_fee,
            deviation_per_mille: 125,
            tariff_version: 7,
            tariffs: vec![
                TariffBand { from_quarter: 0, retail: Price(600_000), feed_in: Price(300_000) },
                TariffBand { from_quarter: 65, retail: Price(700_000), feed_in: Price(-100_000) },
            ],
        },
    )
}

type DrawnZone = (prop::sample::Index, [Price; 3], [Option<u64>; 2]);

fn new_zone(place: u16, lot: u64, (parent, charges, capacities): DrawnZone) -> Zone {
    let parent = (place > 0).then(|| ZoneId(u16::try_from(parent.index(usize::from(place))).unwrap()));
    let [base_wheeling, wheeling_up, wheeling_down] = charges;
    // As many watts more than whole lots as carry nothing.
    let [capacity_up_w, capacity_down_w] =
        capacities.map(|lots| lots.map(|lots| (lots * lot + lot - 1) * 4 + 3));
    Zone {
        name: format!("zone-{place}"),
        parent,
        base_wheeling,
        wheeling_up,
        wheeling_down,
        capacity_up_w,
        capacity_down_w,
    }
}

fn order_step() -> impl Strategy<Value = Step> {
    let who = 0..=PEOPLE;
    let operator = prop_oneof![3 => Just(PEOPLE), 1 => who.clone()];
    let orders = prop_oneof![20 => vec(wish(), 1..=2), 5 => vec(wish(), 3), 1 => vec(wish(), 4)];
    let act = prop_oneof![
        30 => (0..PEOPLE, orders, prop::bool::weighted(0.3))
            .prop_map(|(who, orders, all_or_none)| Act::Place { who, orders, all_or_none }),
        4 => which().prop_map(|which| Act::Cancel { which }),
        6 => (which(), -2..=2_i64, 0..12_u64)
            .prop_map(|(which, ticks, lots)| Act::Replace { which, ticks, lots }),
        2 => (who.clone(), option::weighted(0.4, 0..=PEOPLE), option::of(0..SLOTS + 1), option::of(side()))
            .prop_map(|(who, of, slot, side)| Act::CancelMany { who, of, slot, side }),
        1 => (who.clone(), any::<bool>(), 0..6_u8)
            .prop_map(|(who, is_meter, to)| Act::Rotate { who, is_meter, to }),
        1 => (operator.clone(), prop_oneof![0..9_u8, 9..11_u8])
            .prop_map(|(who, flaw)| Act::Enrol { who, flaw }),
        2 => (operator, 0..=PEOPLE, 0..40_u64).prop_map(|(who, to, fen)| Act::Deposit { who, to, fen }),
        1 => payout(),
        1 => publish(),
        3 => (0..12_u64).prop_map(|minutes| Act::Wait { minutes }),
    ];
    (signing(), act).prop_map(|(signing, act)| Step { signing, act })
}

/// Returns what happens once meters are read.
fn meter_step() -> impl Strategy<Value = Step> {
    let energy = || prop_oneof![Just(0), 0..30_u64];
    let energies = || [energy(), energy(), energy()];
    let flaw = prop_oneof![20 => Just(0), 1 => 1..8_u8];
    let act = prop_oneof![
        14 => (0..PEOPLE, energies(), quality(), flaw)
            .prop_map(|(who, energies, quality, flaw)| Act::Read { who, energies, quality, flaw }),
        4 => vec(energies(), usize::from(PEOPLE - 1))
            .prop_map(|energies| Act::ReadAll { energies }),
        3 => Just(Act::ReadAll { energies: vec![[0; 3]; usize::from(PEOPLE - 1)] }),
        10 => correction(),
        6 => asked().prop_map(Act::OfCertificates),
        1 => vec(wish(), 1..=2)
            .prop_map(|orders| Act::Place { who: 0, orders, all_or_none: false }),
        1 => which().prop_map(|which| Act::Cancel { which }),
        2 => payout(),
        3 => (0..30_u64).prop_map(|minutes| Act::Wait { minutes }),
    ];
    (signing(), act).prop_map(|(signing, act)| Step { signing, act })
}

/// Returns what happens once slots are settled.
fn late_step() -> impl Strategy<Value = Step> {
    // Seldom until what was generated expires.
    let minutes = prop_oneof![5 => 0..30_u64, 1 => Just(740 * 24 * 60)];
    let act = prop_oneof![
        20 => asked().prop_map(Act::OfCertificates),
        8 => correction(),
        1 => minutes.prop_map(|minutes| Act::Wait { minutes }),
    ];
    (signing(), act).prop_map(|(signing, act)| Step { signing, act })
}

fn correction() -> impl Strategy<Value = Act> {
    let more = || prop_oneof![1 => Just(0), 3 => -12..12_i64];
    // Mostly of a slot that is not final yet.
    let back = prop_oneof![3 => 0..2_u32, 1 => 0..7_u32];
    (0..PEOPLE - 1, back, [more(), more(), more()], quality())
        .prop_map(|(who, back, more, quality)| Act::Correct { who, back, more, quality })
}

fn quality() -> impl Strategy<Value = Quality> {
    prop_oneof![8 => Just(Quality::Measured), 1 => Just(Quality::Estimated), 1 => Just(Quality::Substituted)]
}

fn payout() -> impl Strategy<Value = Act> {
    let who = prop_oneof![6 => Just(PEOPLE), 1 => 0..=PEOPLE];
    let fen = prop_oneof![2 => Just(None), 3 => (0..40_u64).prop_map(Some)];
    (who, 0..=PEOPLE, fen).prop_map(|(who, from, fen)| Act::PayOut { who, from, fen })
}

fn publish_step() -> impl Strategy<Value = Step> {
    (signing(), publish()).prop_map(|(signing, act)| Step { signing, act })
}

fn publish() -> impl Strategy<Value = Act> {
    let who = prop_oneof![9 => Just(PEOPLE), 1 => 0..=PEOPLE];
    let charges = vec([0..2_i64, 0..2_i64, 0..3_i64], 1..4);
    let flaw = prop_oneof![12 => Just(0), 1 => 1..9_u8];
    (who, 7..11_u32, 0..7_u32, charges, 0..3_i64, -1..3_i64, flaw).prop_map(
        |(who, version, slot, charges, fee, retail, flaw)| {
            Act::Publish(WishedTariffs { who, version, slot, charges, fee, retail, flaw })
        },
    )
}

fn signing() -> impl Strategy<Value = Signing> {
    prop_oneof![
        200 => Just(Signing::Well),
        1 => Just(Signing::WithAnOldNonce),
        1 => Just(Signing::TooLate),
        1 => Just(Signing::ByAStranger),
        1 => Just(Signing::ByAMeter),
    ]
}

fn which() -> impl Strategy<Value = Which> {
    let back = prop_oneof![3 => 0..6_usize, 1 => 0..60_usize];
    (back, prop::bool::weighted(0.9), 0..=PEOPLE).prop_map(|(back, by_owner, who)| Which {
        back,
        by_owner,
        who,
    })
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Bid), Just(Side::Offer)]
}

fn wish() -> impl Strategy<Value = NewWish> {
    let time = prop_oneof![
        9 => Just(WishedTime::Gate),
        2 => (-5..90_i64).prop_map(WishedTime::Minutes),
        2 => Just(WishedTime::Immediate),
        2 => Just(WishedTime::Kill),
    ];
    let post_only = prop::bool::weighted(0.12);
    let minimum = prop_oneof![8 => Just(0), 1 => 1..8_u64];
    let ticks = prop_oneof![12 => 0..6_i64, 2 => -3..1_i64, 1 => -6..13_i64];
    let lots = prop_oneof![20 => 1..8_u64, 1 => 0..12_u64];
    // Mostly one slot, so that orders meet.
    let slot = prop_oneof![6 => Just(0), 2 => Just(1), 1 => 2..SLOTS + 1];
    let flaw = prop_oneof![
        90 => Just(Flaw::None),
        1 => Just(Flaw::Energy),
        1 => Just(Flaw::Limit),
        4 => Just(Flaw::Side)
    ];
    (side(), slot, ticks, lots, time, post_only, minimum, flaw).prop_map(
        |(side, slot, ticks, lots, time, post_only, minimum_lots, flaw)| NewWish {
            side,
            slot,
            // So that bids and offers cross in spite of the charges.
            ticks: if side == Side::Bid { ticks + 3 } else { ticks },
            lots,
            time,
            post_only,
            minimum_lots,
            flaw,
        },
    )
}
