//! A market with all that was asked of it and all that it said, under the laws of what may follow from what.

use std::collections::BTreeMap;

use parkwatt_engine::*;

use crate::histories::history::Subject;
use crate::laws;

/// Everything that a history leaves behind.
pub struct Past {
    pub market: Market,
    pub outcomes: Vec<Outcome>,
    pub events: Vec<Event>,
    asked: Vec<Asked>,
    /// At which limit each order may trade, and what it is for altogether.
    terms: BTreeMap<OrderId, (Price, Energy)>,
}

enum Asked {
    Request(Stamp, Request),
    Tick(Stamp),
}

/// A slot's auction, just before it is held.
struct Gathered {
    slot: Slot,
    orders: Vec<OpenOrder>,
    indicative: Option<Clearing>,
}

impl Past {
    pub fn new(config: &MarketConfig) -> Past {
        Past {
            market: Market::new(config.clone()).expect("it holds"),
            outcomes: Vec::new(),
            events: Vec::new(),
            asked: Vec::new(),
            terms: BTreeMap::new(),
        }
    }

    /// Lets everything happen to a fresh market, which `between` takes the place of after each request and each
    /// passing of time, and returns what it leaves behind.
    pub fn happen_again(&self, between: fn(Market) -> Market) -> (Market, Vec<Outcome>, Vec<Event>) {
        let mut market = Market::new(self.market.config().clone()).expect("it holds");
        let (mut outcomes, mut all) = (Vec::new(), Vec::new());
        for asked in &self.asked {
            let mut events = Vec::new();
            match asked {
                Asked::Request(stamp, request) => outcomes.push(market.apply(*stamp, request, &mut events)),
                Asked::Tick(stamp) => market.tick(*stamp, &mut events),
            }
            all.append(&mut events);
            market = between(market);
        }
        (market, outcomes, all)
    }

    /// Returns what was traded and what was delivered or left undelivered, by what was said last of each trade.
    pub fn energies(&self) -> (u64, u64) {
        let (mut traded, mut settled) = (0, BTreeMap::new());
        for event in &self.events {
            match event {
                Event::TradeMade(trade) => traded += trade.energy.0,
                Event::TradeDelivered { trade, delivered, seller_deviation, buyer_deviation, .. } => {
                    settled.insert(*trade, delivered.0 + seller_deviation.0 + buyer_deviation.0);
                }
                _ => {}
            }
        }
        (traded, settled.values().sum())
    }

    /// Remembers at which limit an order may trade from now on, and how much.
    fn note_terms(&mut self, request: &Request, outcome: &Outcome) {
        match (&request.command, outcome) {
            (Command::PlaceOrders(schedule), Outcome::Placed(answers)) => {
                let placed = answers.iter().zip(&schedule.orders);
                let terms = |order: &NewOrder| (order.limit, order.energy);
                self.terms.extend(placed.filter_map(|(answer, order)| Some((answer.ok()?, terms(order)))));
            }
            (Command::ReplaceOrder(replacement), Outcome::Replaced(order)) => {
                let Replacement { order: old, limit, energy } = *replacement;
                // A new order is for what was still open of the old one.
                let energy = if *order == old { energy } else { energy.minus(self.traded(old)) };
                self.terms.insert(*order, (limit, energy));
            }
            _ => {}
        }
    }

    /// Returns what has traded of an order in a slot that is not settled.
    fn traded(&self, order: OrderId) -> Energy {
        let trades = self.market.unsettled_slots().flat_map(|slot| self.market.unsettled_trades(slot));
        let own = trades.filter(|trade| trade.bid == order || trade.offer == order);
        own.fold(Energy::ZERO, |sum, trade| sum.plus(trade.energy))
    }

    /// Checks the trades among what was said, and keeps it.
    fn keep(&mut self, stamp: Stamp, events: Vec<Event>) {
        for (index, event) in (stamp.index.0 + 1..).zip(&events) {
            if let Event::TradeMade(trade) = event {
                assert_eq!(trade.id, TradeId(LeafIndex(index)), "a trade's id is its leaf's index");
                self.check_price(trade);
                self.check_arrival(trade, &events);
            }
        }
        laws::check(&self.market);
        for order in self.market.unsettled_slots().flat_map(|slot| self.market.open_orders(slot)) {
            let all = order.remaining.plus(self.traded(order.id));
            assert_eq!(
                all, self.terms[&order.id].1,
                "an order is for what has traded of it and what is left"
            );
        }
        self.events.extend(events);
    }

    fn check_price(&self, trade: &Trade) {
        let [seller, buyer] =
            [trade.seller, trade.buyer].map(|id| self.market.participants().get(id).new.zone);
        let charge = laws::path_charge(&self.market, trade.slot, seller, buyer).plus(trade.congestion);
        assert_eq!(trade.buyer_price(), trade.price.plus(charge), "a trade pays for its path");
        assert!(trade.buyer_price() <= self.terms[&trade.bid].0, "a buyer's total is at most his limit");
        assert!(trade.price >= self.terms[&trade.offer].0, "a seller's price is at least his limit");
        assert!(trade.congestion >= Price::ZERO, "a rent is paid, not earned");
        assert_ne!(trade.buyer, trade.seller, "own orders never trade with each other");
    }

    /// Checks that no earlier order of the same zone and limit was left out for one that traded.
    fn check_arrival(&self, trade: &Trade, events: &[Event]) {
        let passed_over = events.iter().filter_map(|event| match event {
            Event::AuctionCleared(clearing) => Some(&clearing.passed_over),
            _ => None,
        });
        let passed_over: Vec<OrderId> = passed_over.flatten().flat_map(|own| [own.bid, own.offer]).collect();
        let sides = [(Side::Bid, trade.bid, trade.seller), (Side::Offer, trade.offer, trade.buyer)];
        for (side, traded, other_owner) in sides {
            let is_resting = traded == trade.bid.min(trade.offer);
            if trade.matching == Matching::Continuous && !is_resting {
                continue;
            }
            let owner = if side == Side::Bid { trade.buyer } else { trade.seller };
            let zone = self.market.participants().get(owner).new.zone;
            let left_out = self.market.open_orders(trade.slot).into_iter().find(|open| {
                (open.side, open.zone, open.limit) == (side, zone, self.terms[&traded].0)
                    && open.id < traded
                    && (trade.matching == Matching::Auction || open.owner != other_owner)
                    && !passed_over.contains(&open.id)
            });
            assert_eq!(left_out, None, "an earlier order at the same price was left out for {traded:?}");
        }
    }

    /// Returns what everyone may still spend.
    fn available(&self) -> Vec<Worth> {
        let participants = self.market.participants();
        let of = |id| self.market.accounts().available(id, participants.get(id).new.credit_limit_fen);
        participants.ids().map(of).collect()
    }

    fn gathered(&self) -> Vec<Gathered> {
        let slots = self.market.unsettled_slots();
        slots
            .filter(|slot| self.market.phase(*slot, self.market.now()) == Phase::Auction)
            .map(|slot| Gathered {
                slot,
                orders: self.market.open_orders(slot),
                indicative: self.market.indicative(slot),
            })
            .collect()
    }
}

impl Subject for Past {
    fn ask(&mut self, stamp: Stamp, request: &Request) -> (Outcome, usize) {
        let (before, accounts) = (self.available(), self.market.accounts().clone());
        let mut events = Vec::new();
        let outcome = self.market.apply(stamp, request, &mut events);
        if let Outcome::Rejected(_) = outcome {
            assert_eq!(&accounts, self.market.accounts(), "a refused command moves nothing");
            assert!(events.is_empty(), "nothing follows from a refused command");
        }
        if !events.iter().any(|event| matches!(event, Event::Posted(_))) {
            for (before, after) in before.into_iter().zip(self.available()) {
                assert!(after >= before.min(Worth::ZERO), "trading spends nothing that is not there");
            }
        }
        let followed = events.len();
        self.note_terms(request, &outcome);
        self.keep(stamp, events);
        self.asked.push(Asked::Request(stamp, request.clone()));
        self.outcomes.push(outcome.clone());
        (outcome, followed)
    }

    fn tick(&mut self, stamp: Stamp) -> usize {
        let mut leaves = 0;
        while let Some(due) = self.market.next_due().filter(|due| *due <= stamp.at) {
            let stamp = Stamp { at: due, index: LeafIndex(stamp.index.0 + leaves as u64) };
            let (gathered, mut events) = (self.gathered(), Vec::new());
            self.market.tick(stamp, &mut events);
            assert!(!events.is_empty(), "what is due happens");
            for auction in gathered {
                check_auction(&self.market, auction, &events);
            }
            leaves += 1 + events.len();
            self.keep(stamp, events);
            self.asked.push(Asked::Tick(stamp));
        }
        leaves
    }
}

/// Checks the result of an auction, if it was held: it is the best, and what was said of it just before.
fn check_auction(market: &Market, before: Gathered, events: &[Event]) {
    let Gathered { slot, mut orders, indicative } = before;
    let cleared = events.iter().find_map(|event| match event {
        Event::AuctionCleared(clearing) if clearing.slot == slot => Some(&**clearing),
        _ => None,
    });
    let Some(clearing) = cleared else { return };
    let count = orders.len();
    orders.retain(|order| {
        let is_same =
            |event: &Event| matches!(event, Event::OrderLapsed { order: it, .. } if *it == order.id);
        !events.iter().any(is_same)
    });
    if orders.len() == count {
        assert_eq!(indicative.as_ref(), Some(clearing), "the result is what it would have been just before");
    }
    let trades = events.iter().filter_map(|event| match event {
        Event::TradeMade(trade) if trade.slot == slot && trade.matching == Matching::Auction => Some(*trade),
        _ => None,
    });
    let trades: Vec<Trade> = trades.collect();
    let config = &market.tariffs().at(slot).config;
    assert_eq!(check_clearing(config, &orders, clearing, &trades), Ok(()), "{clearing:?}");
}
