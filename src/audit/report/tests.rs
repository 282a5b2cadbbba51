//! What a report says of a small market's life, if all that is told of it is true, and if one thing is not.

use parkwatt_engine::{
    Account, Bundling, CertificateClass, CertificateId, CertificateWithdrawal, Command, Deposit, Energy,
    Event, NewOrder, NewParticipant, Outcome, ParticipantId, Payout, PayoutAmount, Posting, Price, Purpose,
    Quality, Reading, Request, Retirement, Roles, Schedule, Side, Slot, Timestamp, ZoneId,
};
use parkwatt_proto::v1::SignedCommand;

use super::*;
use crate::{
    apply::Replica,
    config::{MarketFile, ZoneFile},
};

const SLOT: Slot = Slot(1_978_000);
const OPERATOR: u8 = 1;
const ANN: u8 = 2;
const EVE: u8 = 4;
const BOB: u8 = 6;
const SECOND: u64 = 1_000_000;

/// A market whose events are told to a reporter, true or not.
struct Life<L> {
    replica: Replica,
    reporter: Reporter,
    now: u64,
    lie: L,
    _folder: tempfile::TempDir,
}

impl<L: FnMut(&mut Event)> Life<L> {
    fn begin(lie: L) -> Life<L> {
        let zone = |name: &str, parent: Option<&str>| ZoneFile {
            name: name.into(),
            parent: parent.map(String::from),
            base_wheeling_micros_per_kwh: 20_000,
            wheeling_up_micros_per_kwh: 10_000,
            wheeling_down_micros_per_kwh: 5_000,
            capacity_up_w: None,
            capacity_down_w: None,
        };
        let zones = vec![zone("park", None), zone("farm", Some("park"))];
        let file = MarketFile { zones, ..MarketFile::default() };
        // An hour before the auction.
        let now = SLOT.start().0 - 25 * 3600 * SECOND;
        let config = file.constitution([OPERATOR; 32]).unwrap();
        let (replica, _) = Replica::found(config, Timestamp(now)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("report");
        let order = ReportOrder { out: &out, period: Period::default() };
        let reporter = Reporter::begin(&order, folder.path()).unwrap();
        Life { replica, reporter, now, lie, _folder: folder }
    }

    fn tell(&mut self, mut applied: Applied) {
        applied.events.iter_mut().for_each(&mut self.lie);
        self.reporter.observe(&applied, self.replica.market());
    }

    fn wait_until(&mut self, at: u64) {
        self.now = at;
        while let Some(due) = self.replica.market().next_due().filter(|due| due.0 <= self.now) {
            let at = due.max(Timestamp(self.replica.last_at().0 + 1));
            let applied = self.replica.tick(at);
            self.tell(applied);
        }
    }

    fn ask(&mut self, key: u8, command: Command) {
        self.wait_until(self.now + SECOND);
        let (nonce, expires_at) = (self.now, Timestamp(u64::MAX));
        let request = Request { key: [key; 32], nonce, expires_at, command };
        let applied = self.replica.command(Timestamp(self.now), SignedCommand::default(), request);
        let Cause::Command { outcome, .. } = &applied.cause else { panic!("it was a command") };
        assert!(!matches!(outcome, Outcome::Rejected(_)), "{outcome:?}");
        self.tell(applied);
    }

    fn enrol(&mut self, name: &str, key: u8, zone: u16) {
        let capacity_w = 8_000_000;
        self.ask(
            OPERATOR,
            Command::EnrolParticipant(NewParticipant {
                name: name.into(),
                key: [key; 32],
                meter_key: Some([key + 1; 32]),
                zone: ZoneId(zone),
                roles: Roles { producer: true, consumer: true, ..Roles::default() },
                pv_capacity_w: capacity_w,
                connection_capacity_w: capacity_w,
                credit_limit_fen: 0,
            }),
        );
        let deposit = Deposit { participant: name.into(), amount_fen: 200_000 };
        self.ask(OPERATOR, Command::Deposit(deposit));
    }

    fn order(&mut self, key: u8, side: Side, limit: i64, wh: u64) {
        let order = NewOrder::resting(side, SLOT, Price(limit), Energy(wh));
        self.ask(key, Command::PlaceOrders(Schedule { orders: vec![order], all_or_none: false }));
    }

    /// Reads import, export and generation registers.
    fn read(&mut self, owner: u8, slot: Slot, counter: u64, registers: [u64; 3]) {
        let [import_register, export_register, generation_register] = registers.map(Energy);
        let (read_at, quality) = (slot.end(), Quality::Measured);
        let reading =
            Reading { read_at, import_register, export_register, generation_register, counter, quality };
        self.ask(owner + 1, Command::SubmitReading(reading));
    }

    /// Ann claims a part of what she holds, and makes a national certificate of another.
    fn use_certificates(&mut self) {
        let retirement = Retirement {
            slot: SLOT,
            energy: Energy(400_000),
            consumption_slot: SLOT,
            beneficiary: "hall 3".into(),
            purpose: String::new(),
            class: CertificateClass::Exported,
        };
        self.ask(ANN, Command::RetireCertificates(retirement));
        self.ask(ANN, Command::BundleCertificates(Bundling { until: SLOT }));
    }

    fn live(&mut self) {
        for (name, key, zone) in [("ann", ANN, 0), ("eve", EVE, 1), ("bob", BOB, 0)] {
            self.enrol(name, key, zone);
        }
        self.order(EVE, Side::Offer, 400_000, 1_500_000);
        self.order(ANN, Side::Bid, 600_000, 1_500_000);
        self.wait_until(SLOT.start().0 - 3600 * SECOND);
        self.order(EVE, Side::Offer, 400_000, 100_000);
        self.order(ANN, Side::Bid, 600_000, 100_000);
        // Its reservation must be released; it never trades.
        self.order(ANN, Side::Bid, 100_000, 100_000);
        self.now = SLOT.end().0;
        for owner in [ANN, EVE, BOB] {
            self.read(owner, Slot(SLOT.0 - 1), 1, [0; 3]);
        }
        self.read(ANN, SLOT, 2, [1_570_000, 0, 0]);
        self.read(EVE, SLOT, 2, [0, 1_580_000, 1_700_000]);
        self.read(BOB, SLOT, 2, [5_000, 0, 0]);
        self.use_certificates();
        self.read(EVE, SLOT, 3, [0, 1_575_000, 1_700_000]);
        let certificate = CertificateId { slot: SLOT, producer: ParticipantId(1), issue: 1 };
        let withdrawal = CertificateWithdrawal { certificate, reason: "corrected".into() };
        self.ask(OPERATOR, Command::WithdrawCertificate(withdrawal));
        self.use_certificates();
        let payout = Payout { participant: "ann".into(), amount: PayoutAmount::All };
        self.ask(OPERATOR, Command::PayOut(payout));
        self.wait_until(self.now + 3 * 366 * 86_400 * SECOND);
    }
}

/// Tells a market's whole life, each event after `lie` may have changed it, and returns which laws do not hold.
fn broken_by(untruth: impl FnMut(&mut Event)) -> Vec<&'static str> {
    let mut told = Life::begin(untruth);
    told.live();
    told.reporter.close(told.replica.market());
    assert!(told.reporter.problem.is_none(), "{:?}", told.reporter.problem);
    let checks = told.reporter.checks.all();
    checks.iter().filter(|check| check.differing > 0).map(|check| check.check).collect()
}

#[test]
fn what_is_true_agrees_in_every_law() {
    let mut life = Life::begin(|_| {});
    life.live();
    life.reporter.close(life.replica.market());
    for check in life.reporter.checks.all() {
        assert_eq!((check.differing, check.difference.value()), (0, 0), "{check}");
        // All accounts together, and what is reserved in the end, are nothing; rents, and what is held for ever,
        // do not occur.
        let is_empty = check.left.value() == 0;
        let may_be = ["all accounts", "reserved", "congestion paid", "held"].contains(&check.check);
        assert_eq!(is_empty, may_be, "{check}");
    }
}

/// Expects that a lie breaks exactly these laws.
#[track_caller]
fn check(laws: &[&str], lie: impl FnMut(&mut Event)) {
    assert_eq!(broken_by(lie), laws);
}

/// Returns a lie about every posting of one purpose.
fn about(purpose: fn(&Purpose) -> bool, lie: fn(&mut Posting)) -> impl FnMut(&mut Event) {
    move |event| {
        if let Event::Posted(posting) = event
            && purpose(&posting.purpose)
        {
            lie(posting);
        }
    }
}

#[test]
fn a_lie_about_what_was_delivered_is_found_by_what_was_traded_and_paid() {
    check(&["cleared", "settled"], |event| {
        if let Event::TradeMade(trade) = event {
            trade.energy.0 += 1;
        }
    });
    let paid = ["energy paid", "wheeling paid", "fees paid", "retail paid", "feed-in paid"];
    check(&[&["settled"][..], &paid].concat(), |event| {
        if let Event::TradeDelivered { delivered, .. } = event {
            delivered.0 -= 1;
        }
    });
    let paid = ["energy paid", "wheeling paid", "fees paid", "feed-in paid"];
    check(&[&["settled", "exported", "imported"][..], &paid].concat(), |event| {
        if let Event::TradeDelivered { delivered, .. } = event {
            delivered.0 += 20_000;
        }
    });
    for seller in [true, false] {
        check(&["settled", "deviations paid"], |event| {
            if let Event::TradeDelivered { seller_deviation, buyer_deviation, .. } = event {
                let deviation = if seller { seller_deviation } else { buyer_deviation };
                deviation.0 += 1;
            }
        });
    }
}

#[test]
fn a_lie_about_money_is_found_by_the_accounts_and_by_what_was_to_be_paid() {
    let (people, own) = ("participants' accounts", "market's own accounts");
    let more = |posting: &mut Posting| posting.amount.0 += 1;
    check(&[people, "energy paid"], about(|it| matches!(it, Purpose::Energy(_)), more));
    check(&[people, own, "wheeling paid"], about(|it| matches!(it, Purpose::Wheeling(_)), more));
    check(&[people, own, "fees paid"], about(|it| matches!(it, Purpose::Fee(_)), more));
    check(&[people, own, "deviations paid"], about(|it| matches!(it, Purpose::Deviation(_)), more));
    check(&[people, own, "retail paid"], about(|it| matches!(it, Purpose::Retail(_)), more));
    check(&[people, own, "feed-in paid"], about(|it| matches!(it, Purpose::FeedIn(_)), more));
    check(&[people, own, "bank"], about(|it| matches!(it, Purpose::Deposit), more));
    check(&[people, own, "bank"], about(|it| matches!(it, Purpose::Payout), more));
    check(&[people, own], about(|it| matches!(it, Purpose::Rounding), more));
    let turn = |posting: &mut Posting| std::mem::swap(&mut posting.from, &mut posting.to);
    check(&["two sides", people], about(|it| matches!(it, Purpose::Energy(_)), turn));
    let to_the_market = |posting: &mut Posting| posting.to = Account::Market;
    check(&["two sides", own], about(|it| matches!(it, Purpose::Wheeling(_)), to_the_market));
}

#[test]
fn a_lie_about_what_was_metered_is_found_by_the_registers_and_what_rests_on_it() {
    let of = |who: u32, lie: fn(&mut Event)| {
        move |event: &mut Event| {
            if matches!(event, Event::Metered { participant, .. } if participant.0 == who) {
                lie(event);
            }
        }
    };
    let (ann, eve, bob) = (0, 1, 2);
    check(
        &["export registers", "certified own consumption", "feed-in paid"],
        of(eve, |event| {
            if let Event::Metered { export, .. } = event {
                export.0 += 1;
            }
        }),
    );
    check(
        &["generation registers"],
        of(eve, |event| {
            if let Event::Metered { generation, .. } = event {
                generation.0 += 1;
            }
        }),
    );
    check(
        &["certified export", "certified own consumption"],
        of(eve, |event| {
            if let Event::Metered { quality, .. } = event {
                *quality = Quality::Estimated;
            }
        }),
    );
    check(
        &["import registers", "import kept", "retail paid"],
        of(bob, |event| {
            if let Event::Metered { import, .. } = event {
                import.0 -= 1;
            }
        }),
    );
    check(
        &["imported", "import registers", "import kept", "claims"],
        of(ann, |event| {
            if let Event::Metered { import, .. } = event {
                import.0 = 100;
            }
        }),
    );
}

#[test]
fn a_lie_about_certificates_is_found_by_those_that_there_are() {
    check(&["issued"], |event| {
        if let Event::CertificateIssued { energy, .. } = event {
            energy.0 += 1;
        }
    });
    check(&["claimed"], |event| {
        if let Event::CertificateRetired { energy, .. } = event {
            energy.0 += 1;
        }
    });
    check(&["claimed", "claims"], |event| {
        if let Event::CertificateRetired { energy, .. } = event {
            energy.0 = 2_000_000;
        }
    });
    check(&["bundled"], |event| {
        if let Event::CertificateBundled { energy, .. } = event {
            energy.0 += 1;
        }
    });
    check(&["expired"], |event| {
        if let Event::CertificateExpired { energy, .. } = event {
            energy.0 += 1;
        }
    });
    check(&["claimed", "bundled", "voided"], |event| {
        if let Event::CertificateVoided { energy, .. } = event {
            energy.0 += 1;
        }
    });
    check(&["national certificates"], |event| {
        if let Event::GecIssued { gec, .. } = event {
            gec.position += 1;
        }
    });
}
