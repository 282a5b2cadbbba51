//! What occurred between all histories: what never did was not compared.

use std::collections::BTreeMap;

use parkwatt_engine::*;

/// How often each thing occurred.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    commands: u64,
    occurred: BTreeMap<&'static str, u64>,
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
    "reading taken",
    "retired",
    "phase began",
    "metered",
    "delivered less",
    "delivered by estimate",
    "congestion posted",
    "deviation posted",
    "retail posted",
    "feed-in posted",
    "settled by the last reading",
    "settled at the deadline",
    "certificate issued",
    "certificate sliced",
    "certificate retired",
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
        let must = Rejection::CODES.iter().chain(MUST_OCCUR);
        let missing: Vec<&&str> = must.filter(|what| !self.occurred.contains_key(**what)).collect();
        assert!(missing.is_empty(), "never occurred: {missing:?}");
    }

    pub fn note_command(&mut self, stamp: Stamp, request: &Request, outcome: &Outcome, events: &[Event]) {
        self.commands += 1;
        match outcome {
            Outcome::Rejected(rejection) => self.count(rejection.code()),
            Outcome::Enrolled(_) => self.count("enrolled"),
            Outcome::Deposited => self.count("deposit"),
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
            Outcome::ReadingTaken => self.count("reading taken"),
            Outcome::Retired => self.count("retired"),
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
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::PhaseBegan { .. } => self.count("phase began"),
            Event::AuctionCleared(clearing) => self.note_clearing(clearing),
            Event::TradeMade(trade) => self.note_trade(trade),
            Event::OrderLapsed { cause, .. } => self.count(match cause {
                Lapse::Immediate => "lapse of an immediate order",
                Lapse::Expired => "lapse of an expired order",
                Lapse::Cancelled => "lapse of a cancelled order",
            }),
            Event::Metered { .. } => self.count("metered"),
            Event::TradeDelivered { estimated: true, .. } => self.count("delivered by estimate"),
            Event::TradeDelivered { .. } => self.count("delivered less"),
            Event::Posted(posting) => self.note_posting(posting),
            Event::CertificateIssued { .. } => self.count("certificate issued"),
            Event::CertificateSliced { .. } => self.count("certificate sliced"),
            Event::CertificateRetired { .. } => self.count("certificate retired"),
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
            Purpose::Deposit | Purpose::Energy(_) | Purpose::Wheeling(_) | Purpose::Fee(_) => {}
        }
    }
}
