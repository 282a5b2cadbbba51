//! Certificates against a plain list of moves: whatever readings say and holders ask, both say the same.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{Certifiable, Certificates, Measured, Share};
use crate::*;

#[path = "../../tests/twin/certificates.rs"]
mod naive;

use naive::{Moves, Said, Sale};

/// Two slots of a month and one of the next.
const SLOTS: [Slot; 3] = [Slot(40_000), Slot(40_001), Slot(43_000)];
/// Who produces; these and as many again buy and hold.
const PRODUCERS: u32 = 2;
const PEOPLE: u32 = 4;

#[derive(Clone, Debug)]
enum Step {
    /// Readings come, or are corrected, and say so much of three sales: to both who only consume, and to the
    /// first of them again.
    Readings {
        slot: Slot,
        producer: ParticipantId,
        said: Said,
    },
    Import {
        slot: Slot,
        who: ParticipantId,
        wh: u64,
    },
    Conclude {
        slot: Slot,
        producer: ParticipantId,
    },
    Transfer {
        from: ParticipantId,
        to: ParticipantId,
        slot: Slot,
        energy: Energy,
    },
    Retire {
        holder: ParticipantId,
        slot: Slot,
        energy: Energy,
        other: bool,
        class: CertificateClass,
    },
    Bundle {
        holder: ParticipantId,
        until: Slot,
    },
    Withdraw {
        certificate: CertificateId,
    },
    /// Time passes until the first of what is held expires.
    Pass,
}

/// Both, and what readings say.
#[derive(Default)]
struct Both {
    certificates: Certificates,
    moves: Moves,
    readings: BTreeMap<(Slot, ParticipantId), Said>,
    imports: BTreeMap<(Slot, ParticipantId), u64>,
    concluded: BTreeSet<(Slot, ParticipantId)>,
    now: Timestamp,
    commands: u64,
}

impl Both {
    /// Lets a step happen to both, compares them, and returns what happened.
    fn take(&mut self, step: &Step) -> Vec<String> {
        self.commands += 1;
        let (mut events, mut said) = (Vec::new(), Vec::new());
        let (outcome, expected) = self.apply(step, &mut events, &mut said);
        assert_eq!(outcome, expected, "{step:?}");
        assert_eq!(events, said, "{step:?}");
        self.compare();
        let rejection = outcome.err().map(|rejection| rejection.code().to_string());
        rejection.into_iter().chain(events.iter().map(kind)).collect()
    }

    fn apply(&mut self, step: &Step, events: &mut Vec<Event>, said: &mut Vec<Event>) -> (Answer, Answer) {
        let Both { certificates, moves, readings, imports, concluded, now, commands } = self;
        let stamp = Stamp { at: *now, index: LeafIndex(*commands) };
        let is_settled = |slot: Slot| readings.keys().any(|(of, _)| *of == slot);
        let import = |slot, who| imports.get(&(slot, who)).copied().unwrap_or(0);
        // What is still open to corrections is nothing at all, where there are no readings.
        let (said_before, over) = (readings.clone(), concluded.clone());
        let open = |slot, who| {
            let said = said_before.get(&(slot, who)).cloned().unwrap_or_default();
            Some(said).filter(|_| !over.contains(&(slot, who)))
        };
        let measured = |slot, who| open(slot, who).map(|said| certifiable(&said).measured);
        match *step {
            Step::Readings { slot, producer, said: ref new } if !concluded.contains(&(slot, producer)) => {
                readings.insert((slot, producer), new.clone());
                certificates.certify(slot, producer, &certifiable(new), events);
                moves.certify(slot, producer, new, said);
            }
            Step::Import { slot, who, wh } if !concluded.iter().any(|(of, _)| *of == slot) => {
                imports.insert((slot, who), wh);
            }
            Step::Conclude { slot, producer } if concluded.insert((slot, producer)) => {
                let last = readings.entry((slot, producer)).or_default();
                let import_of = |who| Energy(import(slot, who));
                certificates.conclude(slot, producer, &certifiable(last), import_of, events);
                moves.conclude(slot, producer, last, |who| import(slot, who), said);
            }
            Step::Transfer { from, to, slot, energy } => {
                let (transfer, is_settled) = (Transfer { slot, energy, to: String::new() }, is_settled(slot));
                return (
                    certificates.transfer(from, to, &transfer, is_settled, measured, events),
                    moves.transfer(from, to, &transfer, is_settled, open, said),
                );
            }
            Step::Retire { holder, slot, energy, other, class } => {
                let (consumption_slot, beneficiary) = (Slot(slot.0 + u32::from(other)), "works".to_string());
                let purpose = String::new();
                let retirement = Retirement { slot, energy, consumption_slot, beneficiary, purpose, class };
                let wh = is_settled(slot).then(|| import(slot, holder));
                return (
                    certificates.retire(stamp, holder, &retirement, wh.map(Energy), measured, events),
                    moves.retire(stamp, holder, &retirement, wh, open, said),
                );
            }
            Step::Bundle { holder, until } => {
                let bundling = Bundling { until };
                return (
                    certificates.bundle(stamp, holder, bundling, measured, events),
                    moves.bundle(stamp, holder, bundling, open, said),
                );
            }
            Step::Withdraw { certificate } => {
                let withdrawal = CertificateWithdrawal { certificate, reason: "wrong".to_string() };
                let CertificateId { slot, producer, .. } = certificate;
                let last = readings.get(&(slot, producer)).filter(|_| !concluded.contains(&(slot, producer)));
                let new = last.map(certifiable);
                let import_of = |who| Energy(import(slot, who));
                return (
                    certificates.withdraw(&withdrawal, new.as_ref(), import_of, events),
                    moves.withdraw(&withdrawal, last, |who| import(slot, who), said),
                );
            }
            Step::Pass => {
                *now = certificates.next_due().map_or(*now, |due| due.max(*now));
                certificates.expire(*now, events);
                moves.expire(*now, said);
            }
            Step::Readings { .. } | Step::Import { .. } | Step::Conclude { .. } => {}
        }
        (Ok(Outcome::ReadingTaken), Ok(Outcome::ReadingTaken))
    }

    fn compare(&self) {
        self.certificates.check();
        assert_eq!(self.certificates.next_due(), self.moves.next_due());
        let parts = SLOTS.into_iter().flat_map(|slot| self.certificates.of_slot(slot)).flat_map(|record| {
            let part = move |part: CertificatePart| (record.id, part.holder, part.state, part.energy.0);
            record.parts.into_iter().map(part)
        });
        assert_eq!(parts.collect::<Vec<_>>(), self.moves.parts());
        for (slot, who) in SLOTS.into_iter().flat_map(|slot| people().map(move |who| (slot, who))) {
            assert_eq!(self.certificates.held(who, slot).0, self.moves.held(who, slot));
            assert_eq!(self.certificates.claimed(who, slot).0, self.moves.claimed(who, slot));
        }
        for &(slot, producer) in &self.concluded {
            let certified = |class| self.certificates.certified(slot, producer, class);
            let last = certifiable(&self.readings[&(slot, producer)]);
            assert_eq!(
                certified(CertificateClass::Exported),
                last.measured.export,
                "at the end all is certified"
            );
            assert_eq!(certified(CertificateClass::SelfConsumed), last.measured.self_consumed);
        }
    }
}

type Answer = Result<Outcome, Rejection>;

fn kind(event: &Event) -> String {
    format!("{event:?}").split(' ').next().unwrap().to_string()
}

fn people() -> impl Iterator<Item = ParticipantId> {
    (0..PEOPLE).map(ParticipantId)
}

fn certifiable(said: &Said) -> Certifiable {
    let share = |sale: &Sale| {
        let Sale { trade, buyer, delivered, is_measured } = *sale;
        Share { trade, buyer, delivered: Energy(delivered), is_measured }
    };
    let measured = Measured { export: Energy(said.export), self_consumed: Energy(said.self_consumed) };
    Certifiable { measured, shares: said.sales.iter().map(share).collect() }
}

fn readings(slot: Slot, producer: u32) -> impl Strategy<Value = Step> {
    let measured = || prop::bool::weighted(0.8);
    let delivered = || [energy(), energy(), energy()];
    (energy(), energy(), delivered(), [measured(), measured()]).prop_map(
        move |(more, self_consumed, delivered, measured)| {
            let sale = |(place, delivered): (u64, u64)| {
                let (trade, buyer) = (
                    1000 * u64::from(slot.0) + 10 * u64::from(producer) + place,
                    2 + u32::try_from(place % 2).unwrap(),
                );
                let is_measured = measured[usize::try_from(place % 2).unwrap()];
                let (trade, buyer) = (TradeId(LeafIndex(trade)), ParticipantId(buyer));
                Sale { trade, buyer, delivered, is_measured }
            };
            let sales: Vec<Sale> = (0..).zip(delivered).map(sale).collect();
            // Sometimes nothing was measured, whatever was delivered.
            let export = if more == 0 { 0 } else { more + delivered.iter().sum::<u64>() };
            let said = Said { export, self_consumed, sales };
            Step::Readings { slot, producer: ParticipantId(producer), said }
        },
    )
}

/// Mostly small, so that sums meet, and sometimes large enough for a national certificate.
fn energy() -> impl Strategy<Value = u64> + Clone {
    prop_oneof![1 => Just(0), 5 => 0..5_u64, 3 => (0..5_u64).prop_map(|quarters| quarters * 250_000)]
}

fn step() -> impl Strategy<Value = Step> {
    // Mostly one slot, so that what happens there adds up.
    let slot = || prop_oneof![4 => Just(SLOTS[0]), 1 => Just(SLOTS[1]), 1 => Just(SLOTS[2])];
    let who = || (0..PEOPLE).prop_map(ParticipantId);
    let class = prop_oneof![
        3 => Just(CertificateClass::Exported),
        1 => Just(CertificateClass::SelfConsumed)
    ];
    let producer = || 0..PRODUCERS;
    prop_oneof![
        6 => (slot(), producer()).prop_flat_map(|(slot, producer)| readings(slot, producer)),
        6 => (slot(), who(), energy()).prop_map(|(slot, who, wh)| Step::Import { slot, who, wh: 2 * wh }),
        1 => (slot(), producer()).prop_map(|(slot, producer)| {
            Step::Conclude { slot, producer: ParticipantId(producer) }
        }),
        4 => (who(), who(), slot(), energy()).prop_map(|(from, to, slot, wh)| {
            Step::Transfer { from, to, slot, energy: Energy(wh) }
        }),
        6 => (who(), slot(), energy(), prop::bool::weighted(0.05), class).prop_map(
            |(holder, slot, wh, other, class)| {
                Step::Retire { holder, slot, energy: Energy(wh), other, class }
            }
        ),
        3 => (who(), slot()).prop_map(|(holder, until)| Step::Bundle { holder, until }),
        6 => (slot(), producer(), 0..5_u16).prop_map(|(slot, producer, issue)| {
            Step::Withdraw { certificate: CertificateId { slot, producer: ParticipantId(producer), issue } }
        }),
        1 => Just(Step::Pass),
    ]
}

#[test]
fn certificates_are_what_a_plain_list_of_moves_says() {
    let config = Config { cases: 3_000, failure_persistence: None, ..Config::default() };
    let happened = RefCell::new(BTreeMap::<String, u64>::new());
    let compared = TestRunner::new(config).run(&vec(step(), 0..60), |steps| {
        let mut both = Both::default();
        for what in steps.iter().flat_map(|step| both.take(step)) {
            *happened.borrow_mut().entry(what).or_default() += 1;
        }
        Ok(())
    });
    if let Err(difference) = compared {
        panic!("{difference}");
    }
    let happened = happened.into_inner();
    for must in [
        "TRANSFER_MUST_BE_POSITIVE",
        "TRANSFER_MUST_BE_TO_ANOTHER",
        "RETIREMENT_MUST_BE_POSITIVE",
        "CONSUMPTION_MUST_BE_IN_THE_SAME_SLOT",
        "SLOT_MUST_BE_SETTLED",
        "CERTIFICATES_MUST_BE_HELD",
        "CERTIFICATES_MUST_BE_TRADABLE",
        "CERTIFICATES_MUST_NOT_BE_CONTRADICTED",
        "CONSUMPTION_MUST_COVER",
        "BUNDLE_MUST_REACH_ONE_MWH",
        "CERTIFICATE_MUST_EXIST",
        "CORRECTION_MUST_CONTRADICT_THE_CERTIFICATE",
        "CertificateIssued",
        "CertificateSliced",
        "CertificateRetired",
        "CertificateTransferred",
        "GecIssued",
        "CertificateBundled",
        "CertificateExpired",
        "CertificateWithdrawn",
        "CertificateVoided",
        "GecVoided",
        "CertificateReleased",
    ] {
        assert!(happened.contains_key(must), "{must} never happened: {happened:?}");
    }
}
