//! A flow as the bare book takes it, and as the whole engine does.
//!
//! Knows the engine's words; does not know what is measured. The functions named `counted` hold what
//! valgrind counts.

use std::{collections::BTreeMap, hint::black_box, time::Duration};

use parkwatt_engine::{
    Command, Energy, Event, LeafIndex, Market, MarketConfig, Met, NewOrder, OpenOrder, OrderId, Outcome,
    ParticipantId, Placed, Prepared, Price, PublicKey, Request, Schedule, Side, Slot, Stamp, StandaloneBook,
    Timeline, Timestamp, ZoneId,
};

use crate::flow::{Flow, Step, Tally, Way};
use crate::market::{START, TICK, config, founded, owner};
use crate::measure::timed;

/// What is counted.
#[derive(Clone, Copy)]
pub enum Part {
    /// The calls, and the loop that makes them.
    All,
    /// What of the loop is left without them.
    Loop,
}

/// How many requests are made at once, outside of what is timed.
const CHUNK: usize = 1024;

/// One book for each product, driven by hand, and where each order rests in it.
pub struct Bare {
    books: Vec<StandaloneBook>,
    placed: Vec<Placed>,
}

/// A command as the bare book takes it.
enum Hand {
    Place { product: u16, order: Prepared },
    Cancel { product: u16, number: usize },
}

impl Bare {
    fn new(flow: &Flow) -> Bare {
        let book = StandaloneBook::new(&config(1));
        Bare { books: vec![book; usize::from(flow.products)], placed: Vec::with_capacity(flow.steps.len()) }
    }

    /// Returns what trades.
    pub fn tally(flow: &Flow) -> Tally {
        let (mut bare, mut tally) = (Bare::new(flow), Tally::default());
        for hand in &hands(flow) {
            bare.take(hand, |incoming, met| {
                tally.count(number(met.resting), number(incoming), met.price.0 / TICK, met.energy.0);
            });
        }
        tally
    }

    /// Plays a flow on empty books, and returns how long it took.
    pub fn play(flow: &Flow) -> Duration {
        let (mut bare, hands) = (Bare::new(flow), hands(flow));
        timed(|| bare.play_counted(&hands)).0
    }

    /// Plays the first half of a flow uncounted and the second half counted, or of that the loop alone.
    pub fn play_halves(flow: &Flow, part: Part) {
        let (mut bare, hands) = (Bare::new(flow), hands(flow));
        let (first, second) = hands.split_at(hands.len() / 2);
        for hand in first {
            bare.take(hand, |_, _| {});
        }
        match part {
            Part::All => bare.play_counted(second),
            Part::Loop => bare.loop_counted(second),
        }
    }

    #[inline(never)]
    fn play_counted(&mut self, hands: &[Hand]) {
        let mut traded = 0;
        for hand in hands {
            self.take(hand, |_, met| traded += met.energy.0);
        }
        black_box(traded);
    }

    /// Does what the loop does besides calling the book: it finds the book, and writes down or looks up a place.
    #[inline(never)]
    fn loop_counted(&mut self, hands: &[Hand]) {
        let some_place = *self.placed.first().expect("an order was placed");
        for hand in hands {
            match hand {
                Hand::Place { product, order } => {
                    black_box((&mut self.books[usize::from(*product)], order));
                    self.placed.push(black_box(some_place));
                }
                Hand::Cancel { product, number } => {
                    let (book, place) = (&mut self.books[usize::from(*product)], number - 1);
                    black_box((book, self.placed[place]));
                }
            }
        }
    }

    #[inline]
    fn take(&mut self, hand: &Hand, mut trades: impl FnMut(OrderId, Met)) {
        match hand {
            Hand::Place { product, order } => {
                let book = &mut self.books[usize::from(*product)];
                self.placed.push(book.place(order, |met| trades(order.id(), met)));
            }
            Hand::Cancel { product, number } => {
                let is_open = self.books[usize::from(*product)].cancel(self.placed[*number - 1]);
                assert!(is_open, "a cancelled order is open");
            }
        }
    }
}

fn hands(flow: &Flow) -> Vec<Hand> {
    let book = StandaloneBook::new(&config(1));
    let mut placed = Vec::new();
    let hand = |step: &Step| match *step {
        Step::Place { product, way, price_ticks, quantity } => {
            placed.push(product);
            let number = u32::try_from(placed.len()).expect("a flow is shorter than 2^32");
            let order = OpenOrder {
                id: OrderId { index: LeafIndex(u64::from(number)), position: 0 },
                owner: ParticipantId(number),
                zone: ZoneId(0),
                side: side(way),
                limit: Price(price_ticks * TICK),
                remaining: Energy(quantity),
            };
            Hand::Place { product, order: book.prepare(&order) }
        }
        Step::Cancel { order } => Hand::Cancel { product: placed[order - 1], number: order },
    };
    flow.steps.iter().map(hand).collect()
}

fn number(order: OrderId) -> usize {
    usize::try_from(order.index.0).expect("a flow is shorter than 2^32")
}

/// A market before the first order, and everything that will be asked of it.
pub struct Whole {
    market: Market,
    asks: Vec<Ask>,
    /// What trades.
    pub tally: Tally,
}

/// A request, short enough that a million of them do not crowd the caches.
#[derive(Clone, Copy)]
struct Ask {
    index: LeafIndex,
    key: PublicKey,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Place(NewOrder),
    Cancel(OrderId),
}

impl Whole {
    /// Plays a flow once, to learn the names that orders get. Each product is a slot.
    ///
    /// In each zone one participant places all bids and another all offers: their own orders never meet.
    pub fn new(zones: u16, flow: &Flow) -> Whole {
        let config = config(zones);
        // Without auctions, so that every slot of the day trades from the beginning.
        let timeline = Timeline { uncross_before_s: config.timeline.opens_before_s, ..config.timeline };
        let config = MarketConfig { timeline, ..config };
        let mut script = Whole { market: founded(&config), asks: Vec::new(), tally: Tally::default() };
        let mut market = script.market.clone();
        let (mut names, mut numbers) = (vec![], BTreeMap::new());
        let mut index = LeafIndex(1_000);
        let mut events = Vec::new();
        for step in &flow.steps {
            let ask = match *step {
                Step::Place { product, way, price_ticks, quantity } => {
                    let name = OrderId { index, position: 0 };
                    let zone =
                        ZoneId(u16::try_from(names.len() % usize::from(zones)).expect("zones are few"));
                    // A bid is all-in, so that it must also cover what the way to it costs at least.
                    let charges = match way {
                        Way::Buy => config.zones[0].base_wheeling.plus(config.market_fee),
                        Way::Sell => Price::ZERO,
                    };
                    names.push((name, zone, side(way)));
                    numbers.insert(name, names.len());
                    let slot = Slot(Slot::at(START).0 + 2 + u32::from(product));
                    let limit = Price(price_ticks * TICK).plus(charges);
                    let order = NewOrder::resting(side(way), slot, limit, Energy(quantity));
                    Ask { index, key: owner(zone, side(way)), what: What::Place(order) }
                }
                Step::Cancel { order } => {
                    let (name, zone, side) = names[order - 1];
                    Ask { index, key: owner(zone, side), what: What::Cancel(name) }
                }
            };
            let (stamp, request) = ask.request();
            events.clear();
            // OK because: with charges between zones other orders trade, and one that is gone cannot be
            // cancelled.
            let outcome = market.apply(stamp, &request, &mut events);
            assert!(zones > 1 || is_done(&outcome), "{outcome:?}");
            for event in &events {
                if let Event::TradeMade(trade) = event {
                    let (bid, offer) = (numbers[&trade.bid], numbers[&trade.offer]);
                    script.tally.count(bid.min(offer), bid.max(offer), trade.price.0 / TICK, trade.energy.0);
                }
            }
            script.asks.push(ask);
            index.0 += 1 + events.len() as u64;
        }
        script
    }

    /// Plays it again on markets without orders, and returns how long the market took, each chunk at its
    /// fastest.
    pub fn least(&self, passes: u32) -> Duration {
        let play = |_| {
            let mut market = self.market.clone();
            let chunks = self.asks.chunks(CHUNK);
            chunks
                .map(|chunk| {
                    let requests = requests(chunk);
                    timed(|| play_counted(&mut market, &requests)).0
                })
                .collect::<Vec<Duration>>()
        };
        let faster = |one: Vec<Duration>, other: Vec<Duration>| {
            one.into_iter().zip(other).map(|(one, other)| one.min(other)).collect()
        };
        (0..passes).map(play).reduce(faster).into_iter().flatten().sum()
    }

    /// Plays the first half uncounted and the second half counted, or of that the loop alone.
    pub fn play_halves(&self, part: Part) {
        let mut market = self.market.clone();
        let (first, second) = self.asks.split_at(self.asks.len() / 2);
        for chunk in first.chunks(CHUNK) {
            for (stamp, request) in requests(chunk) {
                black_box(market.apply(stamp, &request, &mut Vec::new()));
            }
        }
        second.chunks(CHUNK).for_each(|chunk| match part {
            Part::All => play_counted(&mut market, &requests(chunk)),
            Part::Loop => loop_counted(&requests(chunk)),
        });
    }
}

#[inline(never)]
fn play_counted(market: &mut Market, requests: &[(Stamp, Request)]) {
    let mut events = Vec::new();
    for (stamp, request) in requests {
        events.clear();
        black_box(&market.apply(*stamp, request, &mut events));
    }
}

/// Does what the loop does besides calling the market.
#[inline(never)]
fn loop_counted(requests: &[(Stamp, Request)]) {
    let mut events: Vec<Event> = Vec::new();
    for (stamp, request) in requests {
        events.clear();
        black_box((stamp, request, &mut events));
    }
}

impl Ask {
    fn request(&self) -> (Stamp, Request) {
        let at = Timestamp(START.0 + self.index.0);
        let command = match self.what {
            What::Place(order) => Command::PlaceOrders(Schedule { orders: vec![order], all_or_none: false }),
            What::Cancel(order) => Command::CancelOrder(order),
        };
        let expires_at = Timestamp(u64::MAX);
        let request = Request { key: self.key, nonce: at.0, expires_at, command };
        (Stamp { at, index: self.index }, request)
    }
}

fn requests(asks: &[Ask]) -> Vec<(Stamp, Request)> {
    asks.iter().map(Ask::request).collect()
}

fn side(way: Way) -> Side {
    match way {
        Way::Buy => Side::Bid,
        Way::Sell => Side::Offer,
    }
}

fn is_done(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Placed(answers) => answers.iter().all(Result::is_ok),
        outcome => matches!(outcome, Outcome::Cancelled(_)),
    }
}
