//! Deals: the trades of one slot, as they are kept until it is settled.
//!
//! Knows what differs between trades of a slot; what they have in common, their slot and its version of the tariffs,
//! is not kept with each. Keeps: a trade comes back exactly as it was made.

use crate::book::{pack, unpack};
use crate::{Energy, LeafIndex, MarketConfig, Matching, ParticipantId, Price, Slot, Trade, TradeId};

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

    /// Returns the trade, which is one of `slot`, where `config` holds.
    pub(crate) fn trade(&self, slot: Slot, config: &MarketConfig) -> Trade {
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
            fee: config.market_fee,
            tariff_version: config.tariff_version,
            matching: if is_in_auction { Matching::Auction } else { Matching::Continuous },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deal_takes_64_bytes() {
        assert_eq!(size_of::<Deal>(), 64);
    }
}
