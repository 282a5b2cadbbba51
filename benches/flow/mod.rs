//! A flow of orders for one product or many, and plain books that say what must come of it.
//!
//! Knows ticks, quantities and price-time priority; does not know the engine. The mix: 60 % new orders around
//! a mid that wanders, 35 % cancellations of any live order, 5 % orders priced 1 to 20 ticks through the
//! other side's best. Integers and one seed only, so that it is the same on every machine.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
};

/// Half the width of the prices' distribution, in ticks.
const SIGMA: i64 = 100;
/// How many live orders the distribution steers to, over all products.
const LIVE_TARGET: i64 = 10_000;
/// The highest price, in ticks; the lowest is 1.
pub const PRICE_TICKS_MAX: i64 = 19_999;

/// Which way an order trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Buys.
    Buy,
    /// Sells.
    Sell,
}

/// One command of a flow. Orders are numbered from 1, in order of their placing.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A new order.
    Place {
        /// What it is for, from 0.
        product: u16,
        /// Buy or sell.
        way: Way,
        /// Its limit.
        price_ticks: i64,
        /// How much.
        quantity: u64,
    },
    /// The withdrawal of a live order.
    Cancel {
        /// Its number.
        order: usize,
    },
}

/// What traded, in sum and as a hash over every trade in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    trades: u64,
    quantity: u64,
    hash: u64,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally { trades: 0, quantity: 0, hash: 0xcbf2_9ce4_8422_2325 }
    }
}

impl Tally {
    /// Counts a trade: the resting order, the incoming one, at which price, how much.
    pub fn count(&mut self, resting: usize, incoming: usize, price_ticks: i64, quantity: u64) {
        self.trades += 1;
        self.quantity += quantity;
        for word in [resting as u64, incoming as u64, price_ticks.unsigned_abs(), quantity] {
            self.hash = (self.hash ^ word).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} trades, quantity {}, hash {:016x}", self.trades, self.quantity, self.hash)
    }
}

/// A flow, and what must come of it.
pub struct Flow {
    /// How many products there are.
    pub products: u16,
    /// The commands.
    pub steps: Vec<Step>,
    /// What trades.
    pub expected: Tally,
}

impl Flow {
    /// Makes a flow of `len` steps over so many products.
    pub fn make(len: u32, products: u16) -> Flow {
        let mut draw = Draw(20_260_723);
        let mut books = PlainBooks::new(products);
        let mut mids = vec![PRICE_TICKS_MAX / 2; usize::from(products)];
        let mut steps = Vec::new();
        for _ in 0..len {
            let product = if products > 1 { draw.index(usize::from(products)) } else { 0 };
            let (mid, book) = (&mut mids[product], &books.books[product]);
            if draw.below(20) == 0 {
                *mid += if draw.below(2) == 0 { 1 } else { -1 };
            }
            let kind = draw.below(100);
            let step = if kind < 35 && !book.live.is_empty() {
                Step::Cancel { order: book.live[draw.index(book.live.len())] }
            } else {
                let (way, away) = if draw.below(2) == 0 { (Way::Buy, -1) } else { (Way::Sell, 1) };
                let price = if kind >= 95 {
                    book.best_against(way).unwrap_or(*mid) - away * (1 + draw.below(20))
                } else {
                    *mid + away * (book.distance(products) + draw.normal(SIGMA))
                };
                let quantity = 1 + draw.below(1000).unsigned_abs();
                let product = u16::try_from(product).expect("products are few");
                Step::Place { product, way, price_ticks: price.clamp(1, PRICE_TICKS_MAX), quantity }
            };
            books.take(step);
            steps.push(step);
        }
        Flow { products, steps, expected: books.tally }
    }

    /// Reads a flow in the reference generator's form: `kind,id,side,price,qty` under a header, with a sixth
    /// column `product` where there is more than one.
    ///
    /// # Panics
    /// If a line has another form.
    pub fn read(text: &str) -> Flow {
        let product_of = |line: &str| match line.split(',').nth(5) {
            None => 0,
            Some(product) => product.parse::<u16>().expect("a product is a whole number"),
        };
        let products = 1 + text.lines().skip(1).map(product_of).max().unwrap_or_default();
        let mut books = PlainBooks::new(products);
        let mut steps = Vec::new();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split(',').collect();
            let [kind, id, side, price, quantity, ..] = fields[..] else { panic!("{line}: not five fields") };
            let step = match kind {
                "C" => Step::Cancel { order: id.parse().expect("an id is a number") },
                _ => Step::Place {
                    product: product_of(line),
                    way: if side == "B" { Way::Buy } else { Way::Sell },
                    price_ticks: price.parse().expect("a price is a whole number of ticks"),
                    quantity: quantity.parse().expect("a quantity is a whole number"),
                },
            };
            books.take(step);
            steps.push(step);
        }
        Flow { products, steps, expected: books.tally }
    }
}

/// Every product's book.
struct PlainBooks {
    books: Vec<PlainBook>,
    /// Which book each order is in.
    placed: Vec<u16>,
    tally: Tally,
}

impl PlainBooks {
    fn new(products: u16) -> PlainBooks {
        let books = (0..products).map(|_| PlainBook::default()).collect();
        PlainBooks { books, placed: Vec::new(), tally: Tally::default() }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Place { product, way, price_ticks, quantity } => {
                self.placed.push(product);
                let book = &mut self.books[usize::from(product)];
                book.place(self.placed.len(), way, price_ticks, quantity, &mut self.tally);
            }
            Step::Cancel { order } => self.books[usize::from(self.placed[order - 1])].cancel(order),
        }
    }
}

/// Price-time priority without cleverness.
#[derive(Default)]
struct PlainBook {
    bids: BTreeMap<i64, VecDeque<usize>>,
    offers: BTreeMap<i64, VecDeque<usize>>,
    orders: BTreeMap<usize, Order>,
    live: Vec<usize>,
}

struct Order {
    way: Way,
    price: i64,
    left: u64,
    /// Its place among the live ones.
    place: usize,
}

impl PlainBook {
    fn cancel(&mut self, order: usize) {
        let Order { way, price, .. } = self.orders[&order];
        let level = self.side(way).get_mut(&price).expect("a live order has a level");
        level.retain(|other| *other != order);
        self.forget(order);
    }

    fn place(&mut self, incoming: usize, way: Way, price: i64, mut left: u64, tally: &mut Tally) {
        while left > 0
            && let Some(best) = self.best_against(way).filter(|best| match way {
                Way::Buy => *best <= price,
                Way::Sell => *best >= price,
            })
        {
            let resting = self.side(opposite(way))[&best][0];
            let order = self.orders.get_mut(&resting).expect("a resting order is live");
            let traded = left.min(order.left);
            tally.count(resting, incoming, best, traded);
            left -= traded;
            order.left -= traded;
            if order.left == 0 {
                self.side(opposite(way)).get_mut(&best).expect("the best price has a level").pop_front();
                self.forget(resting);
            }
        }
        if left > 0 {
            self.side(way).entry(price).or_default().push_back(incoming);
            let place = self.live.len();
            self.live.push(incoming);
            self.orders.insert(incoming, Order { way, price, left, place });
        }
    }

    fn forget(&mut self, order: usize) {
        let Order { way, price, place, .. } = self.orders.remove(&order).expect("only live orders go");
        if self.side(way)[&price].is_empty() {
            self.side(way).remove(&price);
        }
        self.live.swap_remove(place);
        if let Some(moved) = self.live.get(place) {
            self.orders.get_mut(moved).expect("live orders are known").place = place;
        }
    }

    fn best_against(&self, way: Way) -> Option<i64> {
        match way {
            Way::Buy => self.offers.keys().next().copied(),
            Way::Sell => self.bids.keys().next_back().copied(),
        }
    }

    fn side(&mut self, way: Way) -> &mut BTreeMap<i64, VecDeque<usize>> {
        match way {
            Way::Buy => &mut self.bids,
            Way::Sell => &mut self.offers,
        }
    }

    /// How far from the mid new orders are centred, so that the live ones stay near their target.
    fn distance(&self, products: u16) -> i64 {
        let live = i64::try_from(self.live.len()).expect("a flow fits 63 bits");
        let target = LIVE_TARGET / i64::from(products);
        (SIGMA * (3 * target - 2 * live) / target).clamp(-SIGMA, 2 * SIGMA)
    }
}

fn opposite(way: Way) -> Way {
    match way {
        Way::Buy => Way::Sell,
        Way::Sell => Way::Buy,
    }
}

/// Splitmix64: numbers that look drawn.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns one of 0 to `bound` - 1.
    fn below(&mut self, bound: u32) -> i64 {
        i64::try_from(self.next() % u64::from(bound)).expect("less than 32 bits fit 63")
    }

    fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.next() % len as u64).expect("an index fits")
    }

    /// Returns a number that is distributed nearly normally around 0: twelve equal draws, summed.
    fn normal(&mut self, sigma: i64) -> i64 {
        let sum: i64 = (0..12).map(|_| self.below(1001)).sum();
        (sum - 6000) * sigma / 1000
    }
}
