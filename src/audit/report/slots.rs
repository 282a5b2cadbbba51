//! Slots: what events say of each, remembered until its settlement is final.
//!
//! Knows trades, deliveries, postings and metered energies as they were said; does not know whether they are
//! right: `closing` says that.
//! Keeps: of a slot that is closed only its figures are in memory, however much was posted in it.

use std::collections::BTreeMap;

use parkwatt_engine::{
    Account, CertificateClass, CertificateId, CertificateUse, Energy, Event, ParticipantId, Posting, Purpose,
    Quality, Slot, Timeline, Timestamp, Trade, TradeId,
};

use super::figures::{Figure, Figures};

/// All slots that events were about.
#[derive(Default)]
pub(super) struct Slots {
    /// Those whose settlement is not final.
    open: BTreeMap<Slot, Book>,
    /// The slots of their trades.
    slot_of: BTreeMap<TradeId, Slot>,
    /// Every slot's figures: of an open one, only those of its certificates.
    pub(super) figures: BTreeMap<Slot, Figures>,
}

/// What was said of one slot.
#[derive(Default)]
pub(super) struct Book {
    /// Its trades, in order of their ids.
    pub(super) lines: Vec<Line>,
    pub(super) people: BTreeMap<ParticipantId, Person>,
    /// What was traded in its auction, if it was held.
    pub(super) cleared: Option<Energy>,
}

/// A trade, and what was said of it last.
pub(super) struct Line {
    pub(super) trade: Trade,
    pub(super) traded_at: Timestamp,
    pub(super) delivery: Option<Delivery>,
    pub(super) paid: Paid,
}

/// What became of a trade's energy.
#[derive(Clone, Copy)]
pub(super) struct Delivery {
    pub(super) delivered: Energy,
    pub(super) seller_deviation: Energy,
    pub(super) buyer_deviation: Energy,
    pub(super) estimated: bool,
}

/// What was posted for a trade in all, in 1e-9 yuan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Paid {
    pub(super) energy: i128,
    pub(super) wheeling: i128,
    pub(super) congestion: i128,
    pub(super) fee: i128,
    pub(super) seller_deviation: i128,
    pub(super) buyer_deviation: i128,
}

/// What one participant did in a slot.
#[derive(Clone, Copy, Default)]
pub(super) struct Person {
    pub(super) bought: i128,
    pub(super) sold: i128,
    pub(super) metered: Option<Metered>,
    /// What was posted at the tariffs in all, in 1e-9 yuan.
    pub(super) retail: i128,
    pub(super) feed_in: i128,
}

/// What a meter measured in a slot.
#[derive(Clone, Copy, Default)]
pub(super) struct Metered {
    pub(super) import: i128,
    pub(super) export: i128,
    pub(super) generation: i128,
    pub(super) is_measured: bool,
}

/// What a posting is about.
#[derive(Clone, Copy, Default)]
pub(super) struct Posted {
    pub(super) trade: Option<TradeId>,
    pub(super) slot: Option<Slot>,
    /// Whether it moves money between those between whom the rules say.
    pub(super) sides_hold: bool,
}

impl Slots {
    /// Adds what an event says of a slot. What a meter measured before is what this returns, if it is about
    /// that.
    pub(super) fn observe(&mut self, at: Timestamp, event: &Event, timeline: &Timeline) -> Option<Metered> {
        match event {
            Event::TradeMade(trade) => self.trade(at, trade),
            Event::AuctionCleared(clearing) => self.book(clearing.slot).cleared = Some(clearing.energy),
            &Event::TradeDelivered {
                trade, delivered, seller_deviation, buyer_deviation, estimated, ..
            } => {
                let delivery = Delivery { delivered, seller_deviation, buyer_deviation, estimated };
                if let Some((_, line)) = self.line(trade) {
                    line.delivery = Some(delivery);
                }
            }
            &Event::Metered { participant, slot, import, export, generation, quality, .. } => {
                if at >= timeline.final_at(slot) {
                    self.figures.entry(slot).or_default().add(Figure::ReadLate, 1);
                    return Some(Metered::default());
                }
                let [import, export, generation] = [import, export, generation].map(|it| it.0.into());
                let is_measured = quality == Quality::Measured;
                let metered = Metered { import, export, generation, is_measured };
                let person = self.book(slot).people.entry(participant).or_default();
                return Some(person.metered.replace(metered).unwrap_or_default());
            }
            _ => {}
        }
        None
    }

    /// Adds what an event says of a certificate.
    pub(super) fn observe_certificate(&mut self, event: &Event) {
        let (CertificateId { slot, .. }, figure, wh) = match event {
            Event::CertificateIssued { certificate, energy, class } => match class {
                CertificateClass::Exported => (certificate, Figure::CertifiedExport, energy.0.into()),
                CertificateClass::SelfConsumed => (certificate, Figure::CertifiedOwn, energy.0.into()),
            },
            Event::CertificateRetired { certificate, energy, .. } => {
                (certificate, Figure::Retired, energy.0.into())
            }
            Event::CertificateBundled { certificate, energy, .. } => {
                (certificate, Figure::Bundled, energy.0.into())
            }
            Event::CertificateReleased { certificate, energy, .. } => {
                (certificate, Figure::Bundled, -i128::from(energy.0))
            }
            Event::CertificateExpired { certificate, energy, .. } => {
                (certificate, Figure::Expired, energy.0.into())
            }
            Event::CertificateVoided { certificate, energy, was, .. } => {
                let wh = i128::from(energy.0);
                let figures = self.figures.entry(certificate.slot).or_default();
                match was {
                    CertificateUse::Held => {}
                    CertificateUse::Retired(_) => figures.add(Figure::Retired, -wh),
                    CertificateUse::Bundled(_) => figures.add(Figure::Bundled, -wh),
                    CertificateUse::Expired => figures.add(Figure::Expired, -wh),
                }
                (certificate, Figure::Voided, wh)
            }
            _ => return,
        };
        self.figures.entry(*slot).or_default().add(figure, wh);
    }

    /// Adds a posting to what it is for, and returns that.
    pub(super) fn observe_posting(&mut self, posting: &Posting) -> Posted {
        use Account::{Bank, Congestion, Market, Network, Participant, Rounding, Supplier};
        let (Posting { from, to, .. }, amount) = (*posting, posting.amount.0);
        let mut of_trade =
            |trade, add: fn(&mut Paid, bool) -> &mut i128, must: fn(&Trade) -> [Account; 2]| {
                let Some((slot, line)) = self.line(trade) else { return Posted::default() };
                let sells = from == Participant(line.trade.seller);
                *add(&mut line.paid, sells) += amount;
                let must = must(&line.trade);
                // OK because whom a deviation is to be paid by is the liable side, which may be either.
                let sides_hold = [from, to] == must || (sells && must[1] == Supplier && to == Supplier);
                Posted { trade: Some(trade), slot: Some(slot), sides_hold }
            };
        match posting.purpose {
            Purpose::Energy(trade) => of_trade(
                trade,
                |paid, _| &mut paid.energy,
                |it| [Participant(it.buyer), Participant(it.seller)],
            ),
            Purpose::Wheeling(trade) => {
                of_trade(trade, |paid, _| &mut paid.wheeling, |it| [Participant(it.buyer), Network])
            }
            Purpose::Congestion(trade) => {
                of_trade(trade, |paid, _| &mut paid.congestion, |it| [Participant(it.buyer), Congestion])
            }
            Purpose::Fee(trade) => {
                of_trade(trade, |paid, _| &mut paid.fee, |it| [Participant(it.buyer), Market])
            }
            Purpose::Deviation(trade) => of_trade(
                trade,
                |paid, sells| if sells { &mut paid.seller_deviation } else { &mut paid.buyer_deviation },
                |it| [Participant(it.buyer), Supplier],
            ),
            Purpose::Retail(slot) => self.of_person(slot, from, to, |it| it.retail += amount),
            Purpose::FeedIn(slot) => self.of_person(slot, to, from, |it| it.feed_in += amount),
            Purpose::Deposit => beyond_slots(matches!((from, to), (Bank, Participant(_)))),
            Purpose::Payout => beyond_slots(matches!((from, to), (Participant(_), Bank))),
            Purpose::Rounding => beyond_slots(matches!((from, to), (Participant(_), Rounding))),
        }
    }

    /// Takes the first slot away whose settlement is final at `at`, or, if that is none, any open one.
    pub(super) fn take_first(&mut self, at: Option<Timestamp>, timeline: &Timeline) -> Option<(Slot, Book)> {
        let first = self.open.first_entry()?;
        if at.is_some_and(|at| at < timeline.final_at(*first.key())) {
            return None;
        }
        let (slot, book) = first.remove_entry();
        for line in &book.lines {
            self.slot_of.remove(&line.trade.id);
        }
        Some((slot, book))
    }

    fn book(&mut self, slot: Slot) -> &mut Book {
        self.open.entry(slot).or_default()
    }

    fn trade(&mut self, at: Timestamp, trade: &Trade) {
        self.slot_of.insert(trade.id, trade.slot);
        let book = self.book(trade.slot);
        book.people.entry(trade.buyer).or_default().bought += i128::from(trade.energy.0);
        book.people.entry(trade.seller).or_default().sold += i128::from(trade.energy.0);
        book.lines.push(Line { trade: *trade, traded_at: at, delivery: None, paid: Paid::default() });
    }

    fn line(&mut self, trade: TradeId) -> Option<(Slot, &mut Line)> {
        let slot = *self.slot_of.get(&trade)?;
        let lines = &mut self.open.get_mut(&slot)?.lines;
        let place = lines.binary_search_by_key(&trade, |line| line.trade.id).ok()?;
        Some((slot, &mut lines[place]))
    }

    /// Adds a posting between a participant and the supplier.
    fn of_person(
        &mut self,
        slot: Slot,
        who: Account,
        other: Account,
        add: impl FnOnce(&mut Person),
    ) -> Posted {
        if let Account::Participant(id) = who {
            add(self.book(slot).people.entry(id).or_default());
        }
        let sides_hold = matches!(who, Account::Participant(_)) && other == Account::Supplier;
        Posted { trade: None, slot: Some(slot), sides_hold }
    }
}

fn beyond_slots(sides_hold: bool) -> Posted {
    Posted { trade: None, slot: None, sides_hold }
}
