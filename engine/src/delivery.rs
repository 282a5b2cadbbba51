//! Delivery: from what was traded and what was metered to what each trade delivered.
//!
//! Knows a slot's trades and metered energies; does not know money, certificates or time.
//! Keeps: nobody is allotted more than his meter measured; the parts of a trade sum to its energy; what one
//! reading changes is what a computation from the beginning would change. Rules R11 and R13.

mod shares;

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::meters::Metered;
use crate::{Energy, ParticipantId, Price, Trade, TradeId};
pub(crate) use shares::share_out;

/// What of a trade is needed until its money stands for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sale {
    pub(crate) id: TradeId,
    pub(crate) buyer: ParticipantId,
    pub(crate) seller: ParticipantId,
    pub(crate) energy: Energy,
    pub(crate) price: Price,
    pub(crate) wheeling: Price,
    pub(crate) congestion: Price,
    pub(crate) fee: Price,
}

/// What became of one trade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delivery {
    /// What the seller fed in for it; what is missing is his deviation.
    pub(crate) fed_in: Energy,
    /// What of that the buyer drew, and so was delivered; what is missing is his deviation.
    pub(crate) delivered: Energy,
}

/// A slot's trades, and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deliveries {
    /// The trades, in order of their ids.
    sales: Vec<Sale>,
    /// What each delivered.
    list: Vec<Delivery>,
    /// The places of the trades by their sellers, and of one seller in order of their ids.
    by_seller: Vec<u32>,
    /// The same by their buyers.
    by_buyer: Vec<u32>,
}

impl From<&Trade> for Sale {
    fn from(trade: &Trade) -> Sale {
        let Trade { id, buyer, seller, energy, price, wheeling, congestion, fee, .. } = *trade;
        Sale { id, buyer, seller, energy, price, wheeling, congestion, fee }
    }
}

impl Sale {
    /// Returns what the buyer pays all-in for a kWh.
    pub(crate) fn buyer_price(&self) -> Price {
        self.price.plus(self.wheeling).plus(self.congestion).plus(self.fee)
    }
}

impl Deliveries {
    /// Computes what each of a slot's trades delivered, which are in order of their ids.
    ///
    /// First the sellers' metered exports are allotted to their sales, then the buyers' metered imports to
    /// what came of that. Where a reading is missing, everything counts as fed in, or drawn.
    pub(crate) fn of(trades: &[Trade], metered_of: impl Fn(ParticipantId) -> Option<Metered>) -> Deliveries {
        let sales: Vec<Sale> = trades.iter().map(Sale::from).collect();
        let whole = |sale: &Sale| Delivery { fed_in: sale.energy, delivered: sale.energy };
        let mut deliveries = Deliveries {
            list: sales.iter().map(whole).collect(),
            by_seller: places_by(&sales, |sale| sale.seller),
            by_buyer: places_by(&sales, |sale| sale.buyer),
            sales,
        };
        for seller in deliveries.short(|sale| sale.seller, |id| Some(metered_of(id)?.export)) {
            deliveries.feed_in(seller, metered_of(seller));
        }
        for buyer in deliveries.short(|sale| sale.buyer, |id| Some(metered_of(id)?.import)) {
            deliveries.draw(buyer, metered_of(buyer));
        }
        deliveries
    }

    /// Computes again what a participant's trades delivered, after what his meter measured has changed, and
    /// returns which trades that touches, rising, with what became of them before.
    ///
    /// These are his sales, his purchases, and the purchases of everyone for whom he feeds in something else
    /// than before.
    pub(crate) fn change(
        &mut self,
        who: ParticipantId,
        metered_of: impl Fn(ParticipantId) -> Option<Metered>,
    ) -> Vec<(usize, Delivery)> {
        let mut touched = self.snapshot(self.sales_of(who), |_| true);
        self.feed_in(who, metered_of(who));
        let is_changed = |&&(place, before): &&(usize, Delivery)| self.list[place].fed_in != before.fed_in;
        let changed = touched.iter().filter(is_changed);
        let mut buyers: Vec<ParticipantId> = changed.map(|(place, _)| self.sales[*place].buyer).collect();
        buyers.push(who);
        buyers.sort_unstable();
        buyers.dedup();
        for buyer in buyers {
            touched.extend(self.snapshot(self.purchases_of(buyer), |sale| sale.seller != who));
            self.draw(buyer, metered_of(buyer));
        }
        touched.sort_unstable_by_key(|(place, _)| *place);
        touched
    }

    /// Returns every trade with what it delivered, in order of ids.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&Sale, Delivery)> {
        self.sales.iter().zip(self.list.iter().copied())
    }

    /// Returns the trade at a place, and what it delivered.
    pub(crate) fn at(&self, place: usize) -> (&Sale, Delivery) {
        (&self.sales[place], self.list[place])
    }

    /// Returns the places of what a participant sold, rising.
    pub(crate) fn sales_of(&self, seller: ParticipantId) -> &[u32] {
        places_of(&self.by_seller, |place| self.sales[place as usize].seller, seller)
    }

    /// Returns the places of what a participant bought, rising.
    pub(crate) fn purchases_of(&self, buyer: ParticipantId) -> &[u32] {
        places_of(&self.by_buyer, |place| self.sales[place as usize].buyer, buyer)
    }

    /// Returns the trades at some places with what became of them, as far as they fit.
    fn snapshot(&self, places: &[u32], fits: impl Fn(&Sale) -> bool) -> Vec<(usize, Delivery)> {
        let places = places.iter().map(|place| *place as usize).filter(|place| fits(&self.sales[*place]));
        places.map(|place| (place, self.list[place])).collect()
    }

    /// Returns, rising, whose metered energy is less than what is to be delivered on his side.
    fn short(
        &self,
        owner: impl Fn(&Sale) -> ParticipantId,
        metered_of: impl Fn(ParticipantId) -> Option<Energy>,
    ) -> Vec<ParticipantId> {
        let mut sums: Vec<Energy> = Vec::new();
        for (sale, delivery) in self.iter() {
            let place = owner(sale).0 as usize;
            if place >= sums.len() {
                sums.resize(place + 1, Energy::ZERO);
            }
            sums[place] = sums[place].plus(delivery.delivered);
        }
        let sums = (0..).map(ParticipantId).zip(sums);
        let is_short = |(id, sum): &(ParticipantId, Energy)| {
            !sum.is_zero() && metered_of(*id).is_some_and(|metered| metered < *sum)
        };
        sums.filter(is_short).map(|(id, _)| id).collect()
    }

    /// Allots what a seller fed in to his sales.
    fn feed_in(&mut self, seller: ParticipantId, metered: Option<Metered>) {
        let places = places_of(&self.by_seller, |place| self.sales[place as usize].seller, seller);
        let mut shares: Vec<Energy> = places.iter().map(|place| self.sales[*place as usize].energy).collect();
        if let Some(metered) = metered {
            share_out(metered.export, &mut shares);
        }
        for (place, share) in places.iter().zip(shares) {
            let delivery = &mut self.list[*place as usize];
            // OK because where as much is fed in as before, as much is drawn, unless the buyer's purchases are
            // computed again.
            if delivery.fed_in != share {
                *delivery = Delivery { fed_in: share, delivered: share };
            }
        }
    }

    /// Allots what a buyer drew to what was fed in for him.
    fn draw(&mut self, buyer: ParticipantId, metered: Option<Metered>) {
        let places = places_of(&self.by_buyer, |place| self.sales[place as usize].buyer, buyer);
        let mut shares: Vec<Energy> = places.iter().map(|place| self.list[*place as usize].fed_in).collect();
        if let Some(metered) = metered {
            share_out(metered.import, &mut shares);
        }
        for (place, share) in places.iter().zip(shares) {
            self.list[*place as usize].delivered = share;
        }
    }
}

/// Returns the places of all trades, by one of their owners and then by their ids: by counting, because
/// participants are numbered.
fn places_by(sales: &[Sale], owner: impl Fn(&Sale) -> ParticipantId) -> Vec<u32> {
    let mut nexts: Vec<u32> = Vec::new();
    for sale in sales {
        let behind = owner(sale).0 as usize + 1;
        if behind >= nexts.len() {
            nexts.resize(behind + 1, 0);
        }
        nexts[behind] += 1;
    }
    for number in 1..nexts.len() {
        nexts[number] += nexts[number - 1];
    }
    let mut places = alloc::vec![0; sales.len()];
    for (place, sale) in (0..).zip(sales) {
        let next = &mut nexts[owner(sale).0 as usize];
        places[*next as usize] = place;
        *next += 1;
    }
    places
}

/// Returns, of places that are sorted by owners, those of one.
fn places_of(places: &[u32], owner: impl Fn(u32) -> ParticipantId, of: ParticipantId) -> &[u32] {
    let from = places.partition_point(|place| owner(*place) < of);
    let len = places[from..].partition_point(|place| owner(*place) == of);
    &places[from..from + len]
}

#[cfg(test)]
mod tests;
