//! What can be wrong with an auction's result.

use crate::{Energy, OrderId, ParticipantId, Price, TradeId, ZoneId};

/// Why a result is not that of an auction of these orders, with the numbers that show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClearingError {
    /// A list has neither an entry for each zone nor, where that is allowed, none.
    #[error("{list} has {len} entries for {zones} zones")]
    ListMustFitTheZones {
        /// Which list.
        list: &'static str,
        /// How many entries it has.
        len: usize,
        /// How many zones there are.
        zones: usize,
    },
    /// An order is of no zone of this market, twice there, or beyond the bounds on limits and energies.
    #[error("order {order} is none of this market")]
    OrderMustBeOfThisMarket {
        /// The order.
        order: OrderId,
    },
    /// A trade is of another slot, tariff version or matching.
    #[error("trade {} is none of this auction", trade.0.0)]
    TradeMustBeOfThisAuction {
        /// The trade.
        trade: TradeId,
    },
    /// A pair names an order that is not open, or is on the other side, or it is of no energy.
    #[error("bid {bid} and offer {offer} are no pair of open orders")]
    PairMustBeOfOpenOrders {
        /// The bid.
        bid: OrderId,
        /// The offer.
        offer: OrderId,
    },
    /// A trade's buyer or seller is not its order's owner.
    #[error("trade {} names other owners than those of its orders", trade.0.0)]
    TradeMustNameTheOwners {
        /// The trade.
        trade: TradeId,
    },
    /// A trade is of a bid and an offer of one owner.
    #[error("trade {} is of own orders of participant {}", trade.0.0, owner.0)]
    OwnOrdersMustNotTrade {
        /// The trade.
        trade: TradeId,
        /// Whose orders they are.
        owner: ParticipantId,
    },
    /// A bid and an offer of different owners were passed over.
    #[error("bid {bid} and offer {offer} were passed over, and have different owners")]
    OnlyOwnOrdersMustBePassedOver {
        /// The bid.
        bid: OrderId,
        /// The offer.
        offer: OrderId,
    },
    /// An owner's bids and offers were passed over, though others were left to pair them with, or fewer were
    /// than had to be.
    #[error("of participant {}'s {passed_over} Wh were passed over, and {unavoidable} Wh had to be", owner.0)]
    PassedOverMustBeUnavoidable {
        /// Whose orders they are.
        owner: ParticipantId,
        /// How much was passed over, in Wh.
        passed_over: i128,
        /// What his bids and offers together exceed what meets in his zone or goes on, in Wh.
        unavoidable: i128,
    },
    /// More of an order trades, or is passed over, than is open.
    #[error("{executed} Wh of order {order} are executed, and {open} are open")]
    ExecutedMustBeOpen {
        /// The order.
        order: OrderId,
        /// What trades or is passed over, in Wh.
        executed: i128,
        /// What is open.
        open: Energy,
    },
    /// The energy said to be traded is not that of the trades.
    #[error("{energy} are said to be traded, and {traded} Wh are")]
    EnergyMustBeTheTrades {
        /// What is said.
        energy: Energy,
        /// The sum over the trades, in Wh.
        traded: i128,
    },
    /// Something trades or is passed over, and there are no prices; or nothing is, and there are some.
    #[error("there must be prices where something trades or is passed over, and only there")]
    ExecutedMustHavePrices,
    /// A zone's price is off the tick, or beyond floor or cap, or its proof beyond twice that.
    #[error("zone {}: the price, or its proof, is not within bounds", zone.0)]
    PriceMustBeWithinBounds {
        /// The zone.
        zone: ZoneId,
    },
    /// A seller is not paid his zone's price.
    #[error("trade {} is at {price}, and the seller's zone's price is {of_zone}", trade.0.0)]
    PriceMustBeTheZones {
        /// The trade.
        trade: TradeId,
        /// What the seller is paid.
        price: Price,
        /// His zone's price.
        of_zone: Price,
    },
    /// A trade's wheeling is not what the path costs.
    #[error("trade {} pays {wheeling} of wheeling, and the path costs {of_path} micros", trade.0.0)]
    WheelingMustBeThePaths {
        /// The trade.
        trade: TradeId,
        /// What the buyer pays.
        wheeling: Price,
        /// The base charge and the edges on the path.
        of_path: i128,
    },
    /// A trade's congestion is not what the zones' prices differ by beyond the path's charges.
    #[error("trade {} pays {congestion} of congestion, and the path earns {of_path} micros", trade.0.0)]
    CongestionMustBeThePaths {
        /// The trade.
        trade: TradeId,
        /// What the buyer pays.
        congestion: Price,
        /// The difference of the zones' prices less the edges on the path.
        of_path: i128,
    },
    /// A trade's fee is not the market's.
    #[error("trade {} pays a fee of {fee}, and the market's is {of_market}", trade.0.0)]
    FeeMustBeTheMarkets {
        /// The trade.
        trade: TradeId,
        /// What the buyer pays.
        fee: Price,
        /// The market's fee.
        of_market: Price,
    },
    /// An order trades beyond its limit.
    #[error("order {order} with limit {limit} trades at {price} micros")]
    LimitMustHold {
        /// The order.
        order: OrderId,
        /// Its limit.
        limit: Price,
        /// The seller's price or the buyer's total, in micro-yuan per kWh.
        price: i128,
    },
    /// A flow is not what the zones below the edge sell more than they buy.
    #[error("zone {} is said to export {flow_wh} Wh, and exports {executed_wh}", zone.0)]
    FlowMustFollowFromTheTrades {
        /// The edge's lower end.
        zone: ZoneId,
        /// What is said.
        flow_wh: i64,
        /// What follows from what trades and is passed over.
        executed_wh: i128,
    },
    /// A flow exceeds its edge's capacity in its direction.
    #[error("{flow_wh} Wh flow up from zone {}, and the edge carries {capacity_wh} that way", zone.0)]
    FlowMustBeWithinCapacity {
        /// The edge's lower end.
        zone: ZoneId,
        /// The flow up; negative where it is down.
        flow_wh: i64,
        /// The capacity in the flow's direction.
        capacity_wh: i128,
    },
    /// Some trades' paths pass an edge upwards, and some downwards.
    #[error("trades pass the edge of zone {} with {up_wh} Wh up and {down_wh} Wh down", zone.0)]
    PathsMustGoAlongTheFlow {
        /// The edge's lower end.
        zone: ZoneId,
        /// Over all trades that pass it upwards.
        up_wh: i128,
        /// Over all trades that pass it downwards.
        down_wh: i128,
    },
    /// A rent is not what the prices at its edge differ by beyond the charge.
    #[error("zone {}'s edge is said to earn {rent}, and earns {of_prices} micros", zone.0)]
    RentMustBeThePriceDifference {
        /// The edge's lower end.
        zone: ZoneId,
        /// What is said.
        rent: Price,
        /// What follows from the prices.
        of_prices: i128,
    },
    /// Prices, or their proof, differ by more than the charge where nothing limits the flow.
    #[error("the edge of zone {} has no capacity to earn a rent", zone.0)]
    EdgeWithoutCapacityMustEarnNothing {
        /// The edge's lower end.
        zone: ZoneId,
    },
    /// The welfare is not the bound that the prices give, so a better result exists or the prices are wrong.
    #[error("the welfare is {welfare}, and the prices bound it by {bound} (1e-9 yuan)")]
    WelfareMustReachTheBound {
        /// What the result is worth, in 1e-9 yuan.
        welfare: i128,
        /// What no result can exceed, in 1e-9 yuan.
        bound: i128,
    },
    /// Twice the welfare and the volume are not the bound that the proof gives.
    #[error("twice the welfare and the volume are {value}, and the proof bounds them by {bound}")]
    VolumeMustReachTheBound {
        /// What the result is worth.
        value: i128,
        /// What no result can exceed.
        bound: i128,
    },
}
