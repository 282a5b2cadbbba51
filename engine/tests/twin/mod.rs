//! The naive twin of the market: the rules R1 to R15 once more, on plain vectors and without cleverness.
//!
//! Knows the engine's words (commands, events, configuration) and nothing of how the engine works. It keeps
//! only what happened, and computes everything else again each time it is asked: a balance is the sum of all
//! postings, a reservation that of all open orders and trades, a flow that of all trades of the slot.

mod auction;
mod certificates;
mod flow;
mod grid;
mod holders;
pub mod machine;
mod meters;
mod orders;
mod pairing;
mod people;
mod prices;
mod risk;
mod schedules;
mod settlement;
mod tariffs;
mod time;
mod trading;

use parkwatt_engine::*;
use people::{Key, Speaker};

/// A market, as what happened in it.
pub struct Twin {
    config: MarketConfig,
    /// Every version of the tariffs, in order of their first slots.
    versions: Vec<tariffs::Version>,
    /// Everyone, in order of enrolment.
    people: Vec<NewParticipant>,
    /// Every key that ever spoke for somebody.
    keys: Vec<Key>,
    /// Every posting.
    postings: Vec<Posting>,
    /// Every order that was accepted, in order of arrival.
    orders: Vec<orders::Order>,
    /// Every trade.
    trades: Vec<Trade>,
    /// Every slot in which something stands, with its phase.
    slots: Vec<(Slot, Phase)>,
    /// Every slot in which something stood when it was settled, or came to stand after that, with its phase.
    settled: Vec<(Slot, Phase)>,
    /// Every slot whose settlement is final, with how many readings there were then.
    concluded: Vec<(Slot, usize)>,
    /// What was said of trades' deliveries.
    delivered: Vec<(TradeId, Event)>,
    /// Every reading, in order of arrival.
    readings: Vec<(ParticipantId, Reading)>,
    /// What became of every certificate.
    certificates: certificates::Moves,
    /// The moment until which time has passed.
    reached: Timestamp,
    /// When and where the present command or tick stands.
    stamp: Stamp,
    /// What followed from it so far.
    said: Vec<Event>,
}

impl Twin {
    pub fn new(config: MarketConfig) -> Twin {
        let founder = Key::new(config.operator_key, Speaker::Founder);
        Twin {
            versions: vec![tariffs::Version::new(Slot(0), config.clone())],
            config,
            people: Vec::new(),
            keys: vec![founder],
            postings: Vec::new(),
            orders: Vec::new(),
            trades: Vec::new(),
            slots: Vec::new(),
            settled: Vec::new(),
            concluded: Vec::new(),
            delivered: Vec::new(),
            readings: Vec::new(),
            certificates: certificates::Moves::default(),
            reached: Timestamp(0),
            stamp: Stamp { at: Timestamp(0), index: LeafIndex(0) },
            said: Vec::new(),
        }
    }

    /// Answers a request, and says what followed from it.
    pub fn apply(&mut self, stamp: Stamp, request: &Request) -> (Outcome, Vec<Event>) {
        self.stamp = stamp;
        self.reached = stamp.at;
        let outcome = self.judge(request).unwrap_or_else(Outcome::Rejected);
        (outcome, std::mem::take(&mut self.said))
    }

    /// Lets time pass, and says what followed from it.
    pub fn tick(&mut self, stamp: Stamp) -> Vec<Event> {
        self.stamp = stamp;
        while let Some(due) = self.next_due().filter(|due| *due <= stamp.at) {
            self.reached = due;
            self.let_happen(due);
        }
        self.reached = stamp.at;
        std::mem::take(&mut self.said)
    }

    fn judge(&mut self, request: &Request) -> Result<Outcome, Rejection> {
        let speaker = self.check_key(request)?;
        match (&request.command, speaker) {
            (Command::EnrolParticipant(new), _) if self.is_operator(speaker) => self.enrol(new),
            (Command::Deposit(deposit), _) if self.is_operator(speaker) => self.deposit(deposit),
            (Command::PayOut(payout), _) if self.is_operator(speaker) => self.pay_out(payout),
            (Command::PublishTariffs(new), _) if self.is_operator(speaker) => self.publish(new),
            (Command::RotateKey(rotation), _) => self.rotate(request.key, rotation.new_key),
            (Command::PlaceOrders(schedule), Speaker::Owner(owner)) => self.place(owner, schedule),
            (Command::CancelOrder(order), Speaker::Owner(owner)) => self.cancel(owner, *order),
            (Command::ReplaceOrder(replacement), Speaker::Owner(owner)) => self.replace(owner, replacement),
            (Command::CancelOrders(withdrawal), _) => self.cancel_many(speaker, withdrawal),
            (Command::SubmitReading(reading), Speaker::Meter(of)) => self.read(of, *reading),
            (Command::RetireCertificates(retirement), Speaker::Owner(owner)) => {
                self.retire(owner, retirement)
            }
            (Command::TransferCertificates(transfer), Speaker::Owner(owner)) => {
                self.transfer(owner, transfer)
            }
            (Command::BundleCertificates(bundling), Speaker::Owner(owner)) => self.bundle(owner, *bundling),
            (Command::WithdrawCertificate(withdrawal), _) if self.is_operator(speaker) => {
                self.withdraw(withdrawal)
            }
            _ => Err(Rejection::RoleMustPermit),
        }
    }

    fn say(&mut self, event: Event) {
        self.said.push(event);
    }

    /// Returns the index that the leaf of the next event will have.
    fn next_leaf(&self) -> LeafIndex {
        LeafIndex(self.stamp.index.0 + 1 + self.said.len() as u64)
    }
}
