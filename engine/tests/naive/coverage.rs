//! What occurred between all histories: what never did was not compared.

#[path = "holders.rs"]
mod holders;

use std::collections::{BTreeMap, BTreeSet};

use parkwatt_engine::*;

/// How often each thing occurred.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    commands: u64,
    occurred: BTreeMap<&'static str, u64>,
    /// What was measured already.
    metered: BTreeSet<(Slot, ParticipantId)>,
    /// Every slot whose settlement is final.
    concluded: BTreeSet<Slot>,
    /// The version of the first trade.
    first_version: Option<u32>,
}

/// What must occur besides every rejection.
const MUST_OCCUR: &[&str] = &[
    "auction cleared",
    "auction with a rent",
    "auction that passes own orders over",
    "auction trade",
    "auction trade across a full edge",
    "continuous trade",
    "trade at a negative price",
    "trade between orders that rested",
    "trade between orders that rested, after an auction",
    "lapse of an immediate order",
    "lapse of an expired order",
    "lapse of a cancelled order",
    "schedule that holds whole",
    "replaced in its place",
    "replaced anew",
    "cancelled",
    "cancelled many",
    "enrolled",
    "key rotated",
    "deposit",
    "paid out",
    "paid out in all",
    "rounded up",
    "rounded down",
    "tariffs published",
    "trade at later tariffs",
    "reading taken",
    "retired",
    "transferred",
    "bundled",
    "withdrawn",
    "phase began",
    "metered",
    "metered again",
    "metered with generation",
    "metered by estimate",
    "paid back",
    "resettled by a late reading",
    "resettled by a correction",
    "resettled once more",
    "two slots resettled at once",
    "delivered anew, and nothing paid",
    "resettled without a trade",
    "settled by a correction",
    "final settlement",
    "settled and final at once",
    "read after the final settlement",
    "delivered less",
    "delivered by estimate",
    "congestion posted",
    "deviation posted",
    "retail posted",
    "feed-in posted",
    "settled by the last reading",
    "settled at the deadline",
];

impl Coverage {
    pub fn count(&mut self, what: &'static str) {
        *self.occurred.entry(what).or_default() += 1;
    }

    pub fn add(&mut self, other: &Coverage) {
        self.commands += other.commands;
        for (what, times) in &other.occurred {
            *self.occurred.entry(what).or_default() += times;
        }
    }

    /// Checks that everything occurred, and prints how often.
    ///
    /// # Panics
    /// With the list of what did not.
    pub fn check(&self) {
        println!("{} commands compared", self.commands);
        for (what, times) in &self.occurred {
            println!("{times:>9} {what}");
        }
        let must = Rejection::CODES.iter().chain(MUST_OCCUR).chain(holders::MUST_OCCUR);
        let missing: Vec<&&str> = must.filter(|what| !self.occurred.contains_key(**what)).collect();
        assert!(missing.is_empty(), "never occurred: {missing:?}");
    }

    pub fn note_command(&mut self, stamp: Stamp, request: &Request, outcome: &Outcome, events: &[Event]) {
        self.commands += 1;
        match outcome {
            Outcome::Rejected(rejection) => self.count(rejection.code()),
            Outcome::Enrolled(_) => self.count("enrolled"),
            Outcome::Deposited => self.count("deposit"),
            Outcome::PaidOut(_) => self.note_payout(request, events),
            Outcome::TariffsPublished => self.count("tariffs published"),
            Outcome::KeyRotated => self.count("key rotated"),
            Outcome::Placed(answers) => {
                for rejection in answers.iter().filter_map(|answer| answer.err()) {
                    self.count(rejection.code());
                }
                if let Command::PlaceOrders(Schedule { all_or_none: true, .. }) = request.command
                    && answers.len() > 1
                    && answers.iter().all(Result::is_ok)
                {
                    self.count("schedule that holds whole");
                }
            }
            Outcome::Cancelled(_) => self.count("cancelled"),
            Outcome::Replaced(id) if id.index == stamp.index => self.count("replaced anew"),
            Outcome::Replaced(_) => self.count("replaced in its place"),
            Outcome::CancelledAll { .. } => self.count("cancelled many"),
            Outcome::ReadingTaken => self.note_reading(events),
            Outcome::Retired(_) => self.count("retired"),
            Outcome::Transferred => self.count("transferred"),
            Outcome::Bundled { .. } => self.count("bundled"),
            Outcome::CertificateWithdrawn => self.count("withdrawn"),
        }
        for event in events {
            if let Event::TradeMade(trade) = event
                && trade.bid.index != stamp.index
                && trade.offer.index != stamp.index
            {
                self.count("trade between orders that rested");
            }
            if let Event::PhaseBegan { phase: Phase::Settled, .. } = event {
                self.count("settled by the last reading");
            }
            self.note(event);
        }
        holders::note_all(events, |what| self.count(what));
    }

    pub fn note_tick(&mut self, events: &[Event]) {
        for event in events {
            if let Event::TradeMade(Trade { matching: Matching::Continuous, .. }) = event {
                self.count("trade between orders that rested, after an auction");
            }
            if let Event::PhaseBegan { phase: Phase::Settled, .. } = event {
                self.count("settled at the deadline");
            }
            self.note(event);
        }
        holders::note_all(events, |what| self.count(what));
        for pair in events.windows(2) {
            if let [
                Event::PhaseBegan { slot, phase: Phase::Settled },
                Event::PhaseBegan { slot: same, phase: Phase::Final },
            ] = pair
                && slot == same
            {
                self.count("settled and final at once");
            }
        }
    }

    fn note_payout(&mut self, request: &Request, events: &[Event]) {
        self.count("paid out");
        if let Command::PayOut(Payout { amount: PayoutAmount::All, .. }) = request.command {
            self.count("paid out in all");
        }
        for event in events {
            match event {
                Event::Posted(Posting { purpose: Purpose::Rounding, amount, .. }) if amount.0 < 0 => {
                    self.count("rounded up");
                }
                Event::Posted(Posting { purpose: Purpose::Rounding, .. }) => self.count("rounded down"),
                _ => {}
            }
        }
    }

    /// Counts what a reading set going: the first one of a slot, or another.
    fn note_reading(&mut self, events: &[Event]) {
        self.count("reading taken");
        let count = |fits: fn(&Event) -> bool| events.iter().filter(|event| fits(event)).count();
        let is_paid = count(|it| matches!(it, Event::Posted(_))) > 0;
        let is_delivered = count(|it| matches!(it, Event::TradeDelivered { .. })) > 0;
        let settled = count(|it| matches!(it, Event::PhaseBegan { phase: Phase::Settled, .. }));
        let resettled = count(|it| matches!(it, Event::PhaseBegan { phase: Phase::Resettled, .. }));
        let mut is_correction = false;
        for event in events {
            if let Event::Metered { slot, participant, .. } = event {
                is_correction |= !self.metered.insert((*slot, *participant));
                if self.concluded.contains(slot) {
                    self.count("read after the final settlement");
                }
            }
        }
        for (what, occurs) in [
            ("metered again", is_correction),
            ("settled by a correction", settled > 0 && is_correction),
            ("resettled by a correction", resettled > 0 && is_correction),
            ("resettled by a late reading", resettled > 0 && !is_correction),
            ("resettled once more", is_paid && settled + resettled == 0),
            ("two slots resettled at once", resettled == 2),
            ("delivered anew, and nothing paid", is_delivered && !is_paid),
            ("resettled without a trade", resettled > 0 && !is_delivered),
        ] {
            if occurs {
                self.count(what);
            }
        }
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::PhaseBegan { slot, phase: Phase::Final } => {
                self.concluded.insert(*slot);
                self.count("final settlement");
            }
            Event::PhaseBegan { .. } => self.count("phase began"),
            Event::AuctionCleared(clearing) => self.note_clearing(clearing),
            Event::TradeMade(trade) => self.note_trade(trade),
            Event::OrderLapsed { cause, .. } => self.count(match cause {
                Lapse::Immediate => "lapse of an immediate order",
                Lapse::Expired => "lapse of an expired order",
                Lapse::Cancelled => "lapse of a cancelled order",
            }),
            Event::Metered { quality: Quality::Measured, generation: Energy::ZERO, .. } => {
                self.count("metered");
            }
            Event::Metered { quality: Quality::Measured, .. } => self.count("metered with generation"),
            Event::Metered { .. } => self.count("metered by estimate"),
            Event::TradeDelivered { estimated: true, .. } => self.count("delivered by estimate"),
            Event::TradeDelivered { .. } => self.count("delivered less"),
            Event::Posted(posting) => self.note_posting(posting),
            of_certificates => holders::note(of_certificates, |what| self.count(what)),
        }
    }

    fn note_clearing(&mut self, clearing: &Clearing) {
        self.count("auction cleared");
        if clearing.rents.iter().any(|rent| *rent > Price::ZERO) {
            self.count("auction with a rent");
        }
        if !clearing.passed_over.is_empty() {
            self.count("auction that passes own orders over");
        }
    }

    fn note_trade(&mut self, trade: &Trade) {
        self.count(match trade.matching {
            Matching::Auction => "auction trade",
            Matching::Continuous => "continuous trade",
        });
        if trade.congestion > Price::ZERO {
            self.count("auction trade across a full edge");
        }
        if trade.tariff_version != *self.first_version.get_or_insert(trade.tariff_version) {
            self.count("trade at later tariffs");
        }
        if trade.price < Price::ZERO {
            self.count("trade at a negative price");
        }
    }

    fn note_posting(&mut self, posting: &Posting) {
        match posting.purpose {
            Purpose::Congestion(_) => self.count("congestion posted"),
            Purpose::Deviation(_) => self.count("deviation posted"),
            Purpose::Retail(_) => self.count("retail posted"),
            Purpose::FeedIn(_) => self.count("feed-in posted"),
            Purpose::Deposit
            | Purpose::Payout
            | Purpose::Rounding
            | Purpose::Energy(_)
            | Purpose::Wheeling(_)
            | Purpose::Fee(_) => {}
        }
        if let Purpose::Fee(_) | Purpose::Deviation(_) = posting.purpose
            && posting.amount < Worth::ZERO
        {
            self.count("paid back");
        }
    }
}
