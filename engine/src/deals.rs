//! Deals: the trades of one slot, as they are kept until it is settled.
//!
//! Knows what differs between trades of a slot; what they have in common, their slot and its version of the tariffs,
//! is not kept with each. Keeps: a trade comes back exactly as it was made.

use crate::book::{pack, unpack};
use crate::{Energy, LeafIndex, Matching, ParticipantId, Price, Slot, Trade, TradeId};

/// The bit of a number of a trade that was made in an auction; leaves are less than 2^48.
const IN_AUCTION: u64 = 1 << 63;

/// What differs between the trades of a slot: 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deal {
    /// The trade's leaf, and [`IN_AUCTION`].
    number: u64,
    /// The orders' ids, packed.
    bid: u64,
    offer: u64,
    buyer: ParticipantId,
    seller: ParticipantId,
    energy: Energy,
    price: Price,
    wheeling: Price,
    congestion: Price,
}

impl Deal {
    /// Returns what is kept of a trade.
    #[inline]
    pub(crate) fn of(trade: &Trade) -> Deal {
        let Trade { buyer, seller, energy, price, wheeling, congestion, .. } = *trade;
        let TradeId(LeafIndex(leaf)) = trade.id;
        let number = match trade.matching {
            Matching::Auction => leaf | IN_AUCTION,
            Matching::Continuous => leaf,
        };
        let (bid, offer) = (pack(trade.bid), pack(trade.offer));
        Deal { number, bid, offer, buyer, seller, energy, price, wheeling, congestion }
    }

    /// Returns the trade, which is one of `slot`, in which this fee and version of the tariffs hold.
    pub(crate) fn trade(&self, slot: Slot, fee: Price, tariff_version: u32) -> Trade {
        let Deal { buyer, seller, energy, price, wheeling, congestion, .. } = *self;
        let is_in_auction = self.number & IN_AUCTION != 0;
        Trade {
            id: TradeId(LeafIndex(self.number & !IN_AUCTION)),
            slot,
            bid: unpack(self.bid),
            offer: unpack(self.offer),
            buyer,
            seller,
            energy,
            price,
            wheeling,
            congestion,
            fee,
            tariff_version,
            matching: if is_in_auction { Matching::Auction } else { Matching::Continuous },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OrderId;

    #[test]
    fn a_trade_comes_back_as_it_was_made() {
        let order = |index, position| OrderId { index: LeafIndex(index), position };
        for matching in [Matching::Auction, Matching::Continuous] {
            let trade = Trade {
                id: TradeId(LeafIndex((1 << 48) - 1)),
                slot: Slot(2),
                bid: order(3, u16::MAX),
                offer: order((1 << 48) - 4, 5),
                buyer: ParticipantId(6),
                seller: ParticipantId(7),
                energy: Energy(8),
                price: Price(-9),
                wheeling: Price(10),
                congestion: Price(11),
                fee: Price(12),
                tariff_version: 13,
                matching,
            };
            assert_eq!(Deal::of(&trade).trade(Slot(2), Price(12), 13), trade);
        }
    }

    #[test]
    fn a_deal_takes_64_bytes() {
        assert_eq!(size_of::<Deal>(), 64);
    }
}
