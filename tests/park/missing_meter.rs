//! One meter of the real day is silent: the other 153 points are settled all the same, and once its readings come
//! everybody has what he would have had.
use std::collections::{BTreeMap, BTreeSet};

use parkwatt::demo::Park;
use parkwatt_engine::{Account, Event, ParticipantId, Phase, Purpose, Slot, Timestamp};

use super::day::{self, Day};

const SECOND: u64 = 1_000_000;

/// Lives the day with every meter's readings right after each quarter hour, but those of `silent`.
fn live(park: &Park, silent: Option<usize>) -> Day<'_> {
    let mut day = Day::new(park, &day::config(park));
    day.order();
    for quarters in 0..=96 {
        let end = Slot(park.first_slot.0 + u32::try_from(quarters).unwrap()).start();
        for number in (0..park.points.len()).filter(|number| Some(*number) != silent) {
            day.read(number, quarters, Timestamp(end.0 + SECOND + number as u64));
        }
    }
    day
}

/// Returns the slots in which a phase began, each with how many times.
fn began(day: &Day, phase: Phase) -> BTreeMap<Slot, usize> {
    let mut slots = BTreeMap::new();
    for event in &day.events {
        if let Event::PhaseBegan { slot, phase: begun } = event
            && *begun == phase
        {
            *slots.entry(*slot).or_default() += 1;
        }
    }
    slots
}

/// Returns for whom import or export beyond the trades was paid, slot by slot.
fn paid_at_tariffs(day: &Day) -> BTreeSet<(Slot, ParticipantId)> {
    let paid = day.events.iter().filter_map(|event| match event {
        Event::Posted(posting) => match (posting.purpose, posting.from, posting.to) {
            (Purpose::Retail(slot), Account::Participant(id), _)
            | (Purpose::FeedIn(slot), _, Account::Participant(id)) => Some((slot, id)),
            _ => None,
        },
        _ => None,
    });
    paid.collect()
}

fn balances(day: &Day) -> BTreeMap<Account, i128> {
    let accounts = day.market.accounts();
    accounts
        .balances()
        .map(|(account, money)| (account, money.worth().0))
        .filter(|(_, nanos)| *nanos != 0)
        .collect()
}

#[test]
fn one_missing_meter_settles_the_other_153_points_of_the_real_day() {
    let park = Park::read(None).unwrap();
    let punctual = live(&park, None);
    let mut sold = BTreeMap::<ParticipantId, u64>::new();
    punctual.trades.iter().for_each(|trade| *sold.entry(trade.seller).or_default() += trade.energy.0);
    let (&best_seller, _) = sold.iter().max_by_key(|(_, wh)| **wh).unwrap();

    let mut day = live(&park, Some(best_seller.0 as usize));
    let slots = (park.first_slot.0..park.first_slot.0 + 96).map(Slot);
    assert_eq!(
        began(&punctual, Phase::Settled).into_keys().collect::<Vec<_>>(),
        slots.clone().collect::<Vec<_>>()
    );
    assert_eq!(began(&day, Phase::Settled).len(), 0, "what is missing is waited for until the deadline");
    let deadline = day.market.config().timeline.settles_by(Slot(park.first_slot.0 + 95));
    day.let_pass(deadline);
    assert!(began(&day, Phase::Settled).into_iter().eq(slots.clone().map(|slot| (slot, 1))));

    // Of the others, everyone is paid for what he drew and fed in, in every quarter hour in which he was; his own
    // is not known, counts as traded, and is not certified.
    let of_others = |paid: BTreeSet<_>| -> BTreeSet<_> {
        paid.into_iter().filter(|(_, id)| *id != best_seller).collect()
    };
    let (paid, punctually) = (paid_at_tariffs(&day), paid_at_tariffs(&punctual));
    assert!(!paid.iter().any(|(_, id)| *id == best_seller));
    assert!(of_others(paid).is_superset(&of_others(punctually)));
    assert_eq!(park.points.len() - 1, 153);
    for event in &day.events {
        match event {
            Event::TradeDelivered { delivered, seller_deviation, estimated, seller, .. }
                if *seller == best_seller =>
            {
                assert!(*estimated && seller_deviation.is_zero() && !delivered.is_zero(), "{event:?}");
            }
            Event::TradeDelivered { estimated, .. } => assert!(!estimated, "{event:?}"),
            Event::CertificateIssued { certificate, .. } => assert_ne!(certificate.producer, best_seller),
            _ => {}
        }
    }
    assert_eq!(balances(&day).values().sum::<i128>(), 0);

    // His readings come a day late: in the end nothing is different from a day on which they came in time.
    for quarters in 0..=96 {
        let at = Timestamp(deadline.0 + SECOND * (1 + quarters as u64));
        day.read(best_seller.0 as usize, quarters, at);
    }
    assert!(!began(&day, Phase::Resettled).is_empty());
    assert_eq!(balances(&day), balances(&punctual));
    for id in day.market.participants().ids() {
        let held =
            |day: &Day| -> u64 { day.market.certificates().held_by(id).map(|(_, energy)| energy.0).sum() };
        assert_eq!(held(&day), held(&punctual), "{id:?}");
    }
}
