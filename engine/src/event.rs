//! What the market answers: an outcome for the caller, and the facts that follow.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::{
    CertificateClass, CertificateId, Energy, GecId, LeafIndex, OrderId, ParticipantId, Price, Quality,
    Reading, Rejection, RetirementId, Slot, Timestamp, TradeId, Worth,
};

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A rule refused it; nothing changed but the key's nonce.
    Rejected(Rejection),
    /// The participant is enrolled under this number.
    Enrolled(ParticipantId),
    /// The deposit is booked.
    Deposited,
    /// So many fen are paid out.
    PaidOut(u64),
    /// The tariffs are published.
    TariffsPublished,
    /// The new key speaks from now on, and the old one never again.
    KeyRotated,
    /// One answer for each order, in the schedule's order.
    Placed(Answers),
    /// The order is out of the book; this much of it had not traded.
    Cancelled(Energy),
    /// The order is changed, and has this id from now on: the same where it kept its place in time.
    Replaced(OrderId),
    /// So many orders are out of the book; this much of them had not traded. Each has its own event.
    CancelledAll {
        /// How many.
        orders: u32,
        /// How much of them had not traded.
        energy: Energy,
    },
    /// The reading is taken.
    ReadingTaken,
    /// The certificates are claimed, under this number.
    Retired(RetirementId),
    /// The certificates are passed on.
    Transferred,
    /// So many national certificates were made.
    Bundled {
        /// How many.
        gecs: u32,
        /// What is carried over: still held of the slots that were asked for.
        left: Energy,
    },
    /// The certificate is withdrawn.
    CertificateWithdrawn,
}

/// The answers to a schedule; a single one needs no allocation.
pub type Answers = SmallVec<[Result<OrderId, Rejection>; 1]>;

/// A fact that followed from a command or from time; each is a leaf of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A slot entered its next phase (R2).
    PhaseBegan {
        /// The slot.
        slot: Slot,
        /// The phase that began.
        phase: Phase,
    },
    /// A slot's call auction was held (R6).
    AuctionCleared(Box<Clearing>),
    /// Two orders traded (R5, R6). Its id is its own leaf's index.
    TradeMade(Trade),
    /// What was left of an order is out of the book (R3, R9); not said where its own cancellation, its
    /// replacement or gate closure took it out.
    OrderLapsed {
        /// The order.
        order: OrderId,
        /// Whose it was.
        owner: ParticipantId,
        /// The quarter hour that it was for.
        slot: Slot,
        /// How much of it had not traded.
        energy: Energy,
        /// Why.
        cause: Lapse,
    },
    /// What a meter measured in a slot: the difference of two readings (R10). The last one of a slot holds.
    Metered {
        /// Whose meter.
        participant: ParticipantId,
        /// The slot.
        slot: Slot,
        /// The reading at the slot's end.
        reading: Reading,
        /// What was drawn from the grid in the slot.
        import: Energy,
        /// What was fed in in the slot.
        export: Energy,
        /// What the plant generated in the slot; zero where it has no meter of its own.
        generation: Energy,
        /// `Measured` only where both readings are.
        quality: Quality,
    },
    /// A slot's delivery was computed for one trade (R11, R13). The three parts sum to the trade's energy, and
    /// the last one of a trade holds.
    TradeDelivered {
        /// The trade.
        trade: TradeId,
        /// Its slot.
        slot: Slot,
        /// Who buys.
        buyer: ParticipantId,
        /// Who sells.
        seller: ParticipantId,
        /// What was delivered.
        delivered: Energy,
        /// What the seller did not feed in.
        seller_deviation: Energy,
        /// What the buyer did not draw.
        buyer_deviation: Energy,
        /// A reading was missing at the deadline: that side counted as traded.
        estimated: bool,
    },
    /// Money moved (R12). Every move is balanced: one account gives what another takes.
    Posted(Posting),
    /// A certificate was issued for metered export, to its producer (R14).
    CertificateIssued {
        /// Its id.
        certificate: CertificateId,
        /// For how much.
        energy: Energy,
        /// What it certifies.
        class: CertificateClass,
    },
    /// Part of a certificate went to the buyer of a trade (R14).
    CertificateSliced {
        /// The certificate.
        certificate: CertificateId,
        /// Who held it.
        from: ParticipantId,
        /// Who holds it now.
        to: ParticipantId,
        /// How much.
        energy: Energy,
        /// For which trade.
        trade: TradeId,
    },
    /// Part of a certificate was claimed, for good (R14).
    CertificateRetired {
        /// The certificate.
        certificate: CertificateId,
        /// Who held and claimed it.
        holder: ParticipantId,
        /// How much.
        energy: Energy,
        /// The slot of the consumption that it covers.
        consumption_slot: Slot,
        /// For whom.
        beneficiary: String,
        /// What for.
        purpose: String,
        /// The number of the retirement.
        retirement: RetirementId,
    },
    /// Part of a certificate was passed on (R14).
    CertificateTransferred {
        /// The certificate.
        certificate: CertificateId,
        /// Who held it.
        from: ParticipantId,
        /// Who holds it now.
        to: ParticipantId,
        /// How much.
        energy: Energy,
    },
    /// A national certificate of 1 MWh was made; its parts follow (R14).
    GecIssued {
        /// Its name.
        gec: GecId,
        /// Who bundled it.
        holder: ParticipantId,
    },
    /// Part of a certificate is in a national one, and locked (R14).
    CertificateBundled {
        /// The certificate.
        certificate: CertificateId,
        /// Who held it.
        holder: ParticipantId,
        /// How much.
        energy: Energy,
        /// The national certificate.
        gec: GecId,
    },
    /// Part of a certificate expired unclaimed (R14).
    CertificateExpired {
        /// The certificate.
        certificate: CertificateId,
        /// Who held it.
        holder: ParticipantId,
        /// How much.
        energy: Energy,
    },
    /// A certificate was withdrawn; what depended on it follows (R14).
    CertificateWithdrawn {
        /// The certificate.
        certificate: CertificateId,
        /// For how much it was.
        energy: Energy,
        /// Why.
        reason: String,
    },
    /// Part of a withdrawn certificate is void (R14).
    CertificateVoided {
        /// The certificate.
        certificate: CertificateId,
        /// Who held it, or had claimed or bundled it.
        holder: ParticipantId,
        /// How much.
        energy: Energy,
        /// What it was.
        was: CertificateUse,
    },
    /// A national certificate is void, because part of it is; its other parts follow (R14).
    GecVoided {
        /// Its name.
        gec: GecId,
        /// Who had bundled it.
        holder: ParticipantId,
    },
    /// Part of a certificate is held again, because the national one that it was in is void (R14).
    CertificateReleased {
        /// The certificate.
        certificate: CertificateId,
        /// Who holds it.
        holder: ParticipantId,
        /// How much.
        energy: Energy,
        /// The national certificate that it was in.
        gec: GecId,
    },
}

/// What became of a part of a certificate (R14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CertificateUse {
    /// It is held.
    Held,
    /// It was claimed, by this retirement.
    Retired(RetirementId),
    /// It is in this national certificate.
    Bundled(GecId),
    /// It expired.
    Expired,
}

/// Why what was left of an order is out of the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Lapse {
    /// It was immediate, and never rested.
    Immediate,
    /// The moment until which it was good has come.
    Expired,
    /// It was cancelled with others.
    Cancelled,
}

/// Where a slot is in its life (R2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Trading has not opened.
    Scheduled,
    /// Orders gather for the call auction.
    Auction,
    /// Orders trade as they come.
    Continuous,
    /// The gate is closed; delivery and readings follow.
    Closed,
    /// Delivery is paid.
    Settled,
    /// A late or corrected reading has changed what is paid.
    Resettled,
    /// What is paid stands for ever.
    Final,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Scheduled => "scheduled",
            Phase::Auction => "auction",
            Phase::Continuous => "continuous",
            Phase::Closed => "closed",
            Phase::Settled => "settled",
            Phase::Resettled => "resettled",
            Phase::Final => "final",
        })
    }
}

/// How two orders met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Matching {
    /// In the slot's call auction.
    Auction,
    /// In continuous trading.
    Continuous,
}

/// A bid and an offer that met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Trade {
    /// Its id: the index of its leaf.
    pub id: TradeId,
    /// The quarter hour of delivery.
    pub slot: Slot,
    /// The bid.
    pub bid: OrderId,
    /// The offer.
    pub offer: OrderId,
    /// Who buys.
    pub buyer: ParticipantId,
    /// Who sells.
    pub seller: ParticipantId,
    /// How much.
    pub energy: Energy,
    /// What the seller is paid.
    pub price: Price,
    /// What the buyer pays the network: the base charge of his zone and the edges on the path (R4).
    pub wheeling: Price,
    /// What the buyer pays for room on the full edges of the path (R6); zero in continuous trading.
    pub congestion: Price,
    /// What the buyer pays the market.
    pub fee: Price,
    /// The tariffs in force.
    pub tariff_version: u32,
    /// How they met.
    pub matching: Matching,
}

impl Trade {
    /// Returns what the buyer pays all-in for a kWh.
    pub fn buyer_price(&self) -> Price {
        self.price.plus(self.wheeling).plus(self.congestion).plus(self.fee)
    }
}

/// The result of a slot's call auction, with the proof that there is no better one (R6).
///
/// [`check_clearing`](crate::check_clearing) checks it. All lists are in the zones' order; `exports_wh` and
/// `rents` are about each zone's edge to its parent, and zero for the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clearing {
    /// The slot.
    pub slot: Slot,
    /// What was traded.
    pub energy: Energy,
    /// What sellers in each zone are paid, and what buyers there pay before the base charge and the fee.
    /// Empty where nothing traded or was passed over.
    pub prices: Vec<Price>,
    /// What each zone sent to its parent; negative where it drew, in Wh.
    pub exports_wh: Vec<i64>,
    /// What a full edge costs on top of its charge, in the direction of its flow. Empty where
    /// `prices` is.
    pub rents: Vec<Price>,
    /// Where own bids and offers would have traded with each other, and were passed over (R7).
    pub passed_over: Vec<Pair>,
    /// Prices, in halves of a micro-yuan per kWh, that prove the volume: with every price and charge doubled
    /// and one added to each bid they support the result.
    pub proof_halves: Vec<i64>,
}

/// A bid and an offer that met in an auction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pair {
    /// The bid.
    pub bid: OrderId,
    /// The offer.
    pub offer: OrderId,
    /// How much.
    pub energy: Energy,
}

/// An account that money moves between (R12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Account {
    /// A participant's.
    Participant(ParticipantId),
    /// The supplier's, who sells and buys the rest at the tariffs.
    Supplier,
    /// The network operator's, who is paid for wheeling.
    Network,
    /// Where what full edges earn is kept apart, for whom the regulator says.
    Congestion,
    /// The market's, who takes the fee.
    Market,
    /// The bank, where deposits come from and payouts go.
    Bank,
    /// What rounding to the fen takes and gives when an account is emptied.
    Rounding,
}

/// What a posting is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Purpose {
    /// A deposit.
    Deposit,
    /// A payout.
    Payout,
    /// What an emptied account had beside whole fen.
    Rounding,
    /// Delivered energy, at the trade's price.
    Energy(TradeId),
    /// Wheeling of delivered energy.
    Wheeling(TradeId),
    /// Room on full edges for delivered energy.
    Congestion(TradeId),
    /// The market's fee on delivered energy.
    Fee(TradeId),
    /// The liable side's charge for what was not delivered.
    Deviation(TradeId),
    /// Import beyond the trades, at the retail tariff.
    Retail(Slot),
    /// Export beyond the trades, at the feed-in tariff.
    FeedIn(Slot),
}

/// One move of money: `from` gives, `to` takes, so that every posting is balanced by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Who gives.
    pub from: Account,
    /// Who takes.
    pub to: Account,
    /// How much, in 1e-9 yuan; negative only where a price is.
    pub amount: Worth,
    /// What for.
    pub purpose: Purpose,
}

/// When and where in the ledger a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its moment: later than every earlier command's.
    pub at: Timestamp,
    /// Its leaf's index; its events stand right behind it.
    pub index: LeafIndex,
}
