//! What meters take, refuse and measure.

use super::*;

const OWNER: ParticipantId = ParticipantId(7);
const TIMELINE: Timeline = Timeline {
    opens_before_s: 3600,
    uncross_before_s: 3600,
    gate_before_s: 900,
    settle_after_s: 900,
    final_after_s: 9000,
};

fn reading(slot: u32, counter: u64, import: u64, export: u64) -> Reading {
    Reading {
        read_at: Slot(slot).end(),
        import_register: Energy(import),
        export_register: Energy(export),
        generation_register: Energy(export),
        counter,
        quality: Quality::Measured,
    }
}

fn take(meters: &mut Meters, reading: Reading, now: Timestamp) -> Result<Changes, Rejection> {
    meters.check_and_take(OWNER, reading, now, &TIMELINE, 2, &mut Vec::new())
}

/// Takes all of `taken`, and returns the meters and what became of `last`, all at the end of slot 13.
fn check(taken: &[Reading], last: Reading) -> (Meters, Result<Changes, Rejection>) {
    let (mut meters, now) = (Meters::default(), Slot(13).end());
    for &reading in taken {
        take(&mut meters, reading, now).unwrap();
    }
    let before = meters.clone();
    let result = take(&mut meters, last, now);
    assert!(result.is_ok() || meters == before, "a refused reading changed something");
    (meters, result)
}

fn metered(import: u64, export: u64) -> Metered {
    let [import, export] = [import, export].map(Energy);
    Metered { import, export, generation: export, quality: Quality::Measured }
}

#[test]
fn the_first_reading_measures_nothing_and_the_next_one_its_slot() {
    let (meters, result) = check(&[reading(10, 77, 1_000, 500)], reading(11, 78, 1_015, 508));
    let (slot, after) = (Slot(11), Some(metered(15, 8)));
    assert_eq!(result.unwrap()[..], [Change { slot, before: None, after }]);
    assert_eq!(meters.metered(Slot(10), OWNER), None);
    assert_eq!(meters.metered(slot, OWNER), after);
    assert_eq!(meters.metered_in(slot).last(), Some(&after));
    assert_eq!([10, 11, 12].map(|slot| meters.readings_in(Slot(slot))), [0, 0, 0], "deadlines are over");
}

#[test]
fn a_slot_is_over_at_its_end_and_not_before() {
    let mut meters = Meters::default();
    let end = Slot(10).end();
    let early = Timestamp(end.0 - 1);
    let refused = Rejection::SlotMustBeOver { slot: Slot(10), now: early };
    assert_eq!(take(&mut meters, reading(10, 1, 0, 0), early), Err(refused));
    assert!(take(&mut meters, reading(10, 1, 0, 0), end).is_ok());
    assert_eq!(meters.readings_in(Slot(10)), 1);
}

#[test]
fn a_moment_that_ends_no_slot_is_refused_also_behind_all_slots() {
    for moment in [0, 1, Slot(10).end().0 + 1, u64::MAX, u64::MAX / 900_000_000 * 900_000_000] {
        let read_at = Timestamp(moment);
        let refused = Rejection::ReadingMustBeAtASlotsEnd { read_at };
        let reading = Reading { read_at, ..reading(10, 1, 0, 0) };
        assert_eq!(take(&mut Meters::default(), reading, Timestamp(u64::MAX)), Err(refused));
    }
}

#[test]
fn a_reading_that_does_not_fit_the_others_is_refused_by_name() {
    let taken = [reading(10, 5, 100, 200), reading(11, 6, 110, 220), reading(12, 7, 120, 240)];
    let backwards = |register, last| Rejection::RegistersMustNotRunBackwards {
        register: Energy(register),
        last: Energy(last),
    };
    let exceeds = |register, next| Rejection::RegistersMustNotExceedTheNext {
        register: Energy(register),
        next: Energy(next),
    };
    let [first, last] = [Slot(10), Slot(12)];
    for (next, refused) in [
        (reading(13, 7, 120, 240), Rejection::CounterMustRiseByOne { counter: 7, last: 7 }),
        (reading(13, 9, 120, 240), Rejection::CounterMustRiseByOne { counter: 9, last: 7 }),
        (reading(9, 8, 0, 0), Rejection::ReadingMustNotPrecedeTheFirst { slot: Slot(9), first }),
        (reading(13, 8, 119, 240), backwards(119, 120)),
        (reading(13, 8, 120, 239), backwards(239, 240)),
        (reading(11, 8, 99, 240), backwards(99, 100)),
        (reading(11, 8, 121, 220), exceeds(121, 120)),
        (reading(10, 8, 111, 200), exceeds(111, 110)),
    ] {
        assert_eq!(check(&taken, next).1, Err(refused));
    }
    let refused = Rejection::ReadingMustFollowTheLast { slot: Slot(13), last: Slot(11) };
    assert_eq!(check(&taken[..2], reading(13, 7, 120, 240)).1, Err(refused));
    let (register, max) = (Energy(REGISTER_MAX.0 + 1), REGISTER_MAX);
    let refused = Rejection::RegistersMustBeWithinRange { register, max };
    assert_eq!(check(&taken, reading(13, 8, register.0, 240)).1, Err(refused));
    assert_eq!(last, Slot(12));
}

#[test]
fn a_correction_changes_its_slot_and_the_next_one() {
    let taken = [reading(10, 5, 0, 0), reading(11, 6, 10, 20), reading(12, 7, 20, 40)];
    let (meters, changes) = check(&taken, reading(11, 8, 4, 25));
    let [before, own, next] = [metered(10, 20), metered(4, 25), metered(16, 15)];
    let change = |slot, after| Change { slot: Slot(slot), before: Some(before), after: Some(after) };
    assert_eq!(changes.unwrap()[..], [change(11, own), change(12, next)]);
    assert_eq!(meters.metered(Slot(12), OWNER), Some(next));

    let (_, of_baseline) = check(&taken, reading(10, 8, 3, 0));
    let baseline = Change { slot: Slot(10), before: None, after: None };
    assert_eq!(of_baseline.unwrap()[..], [baseline, change(11, metered(7, 20))]);
}

#[test]
fn what_is_final_is_not_corrected_and_forgotten_when_no_slot_needs_it() {
    let mut meters = Meters::default();
    for slot in 10..=13 {
        take(&mut meters, reading(slot, u64::from(slot), 0, 0), Slot(13).end()).unwrap();
    }
    let final_11 = TIMELINE.final_at(Slot(11));
    let refused = Rejection::FinalSettlementMustLieAhead { slot: Slot(11) };
    assert_eq!(take(&mut meters, reading(11, 14, 0, 0), final_11), Err(refused));
    assert!(take(&mut meters, reading(12, 14, 0, 0), final_11).is_ok());
    let kept: Vec<u32> =
        (0..20).filter(|slot| meters.meter(OWNER).unwrap().at(Slot(*slot)).is_some()).collect();
    assert_eq!(kept, [11, 12, 13]);
}

#[test]
fn a_reading_late_by_years_is_taken_and_only_the_last_is_kept() {
    let (mut meters, now) = (Meters::default(), Slot(100_000).end());
    for slot in 10..=13 {
        take(&mut meters, reading(slot, u64::from(slot), 0, 0), now).unwrap();
    }
    assert_eq!(meters.meter(OWNER).unwrap().readings.len(), 1);
    assert!(meters.counts.is_empty());
}

#[test]
fn imports_are_known_behind_the_final_settlement_as_long_as_they_can_be_claimed_for() {
    let (mut meters, _) = check(&[reading(10, 1, 0, 0)], reading(11, 2, 5, 0));
    meters.conclude(Slot(11));
    take(&mut meters, reading(12, 3, 5, 0), Slot(1_000).end()).unwrap();
    assert_eq!(meters.import(Slot(11), OWNER), Energy(5));
    meters.conclude(Slot(11 + CLAIMABLE_SLOTS));
    assert_eq!(meters.import(Slot(11), OWNER), Energy(5));
    meters.conclude(Slot(12 + CLAIMABLE_SLOTS));
    assert_eq!(meters.import(Slot(11), OWNER), Energy::ZERO);
}

#[test]
fn a_slot_is_measured_only_if_both_its_ends_are_and_else_as_the_later_one_that_is_not() {
    use Quality::{Estimated, Measured, Substituted};
    for (first, second, quality) in [
        (Measured, Measured, Measured),
        (Estimated, Measured, Estimated),
        (Measured, Estimated, Estimated),
        (Estimated, Substituted, Substituted),
    ] {
        let [first, second] = [(10, first), (11, second)]
            .map(|(slot, quality)| Reading { quality, ..reading(slot, slot.into(), 0, 0) });
        assert_eq!(check(&[first], second).0.metered(Slot(11), OWNER).unwrap().quality, quality);
    }
}

#[test]
fn a_slot_is_corrected_as_often_as_it_may_be_and_its_neighbours_are_too() {
    let taken = [reading(10, 5, 0, 0), reading(11, 6, 10, 20), reading(12, 7, 20, 40)];
    let twice = [taken[0], taken[1], taken[2], reading(11, 8, 10, 21), reading(11, 9, 10, 22)];
    let refused = Rejection::CorrectionsMustNotExceedTheMaximum { slot: Slot(11), max: 2 };
    assert_eq!(check(&twice, reading(11, 10, 10, 23)).1, Err(refused));
    for slot in [10, 12] {
        let [import, export] = [10, 20].map(|each| each * u64::from(slot - 10));
        assert!(check(&twice, reading(slot, 10, import, export)).1.is_ok(), "slot {slot}");
    }
}
