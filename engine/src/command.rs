//! What a participant, or the operator, can ask of the market.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{
    CertificateClass, CertificateId, Energy, MICROS_PER_SECOND, OrderId, Price, SECONDS_PER_SLOT, Slot,
    TariffBand, Timestamp, ZoneCharges, ZoneId,
};

/// An Ed25519 public key, 32 bytes.
pub type PublicKey = [u8; 32];

/// A command with who asks it and how long, authentic by construction (R15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The key that signed.
    pub key: PublicKey,
    /// A number that rises with each command of that key.
    pub nonce: u64,
    /// The moment from which the command is refused.
    pub expires_at: Timestamp,
    /// What is asked.
    pub command: Command,
}

/// What can be asked.
// Which command it is stands beside its values, not in a value that none of them has: every command asks it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Command {
    /// Enrols a participant with his key and his meter's (R1). For the operator.
    EnrolParticipant(NewParticipant),
    /// Pays money in to a participant's account (R8). For the operator.
    Deposit(Deposit),
    /// Pays money out of a participant's account (R12). For the operator.
    PayOut(Payout),
    /// Publishes the next version of the tariffs (R12). For the operator.
    PublishTariffs(NewTariffs),
    /// Lets another key speak for the owner, or the meter, whose key signs this (R1).
    RotateKey(KeyRotation),
    /// Places a schedule of orders (R3).
    PlaceOrders(Schedule),
    /// Withdraws what is left of an own order (R9).
    CancelOrder(OrderId),
    /// Changes limit and energy of an own order (R9).
    ReplaceOrder(Replacement),
    /// Withdraws what is left of many orders (R9).
    CancelOrders(Cancellation),
    /// States a meter's registers at the end of a slot (R10). For meters.
    SubmitReading(Reading),
    /// Claims own certificates for own consumption (R14).
    RetireCertificates(Retirement),
    /// Passes own certificates on (R14).
    TransferCertificates(Transfer),
    /// Bundles own certificates into national ones (R14).
    BundleCertificates(Bundling),
    /// Withdraws a certificate that a correction contradicts (R14). For the operator.
    WithdrawCertificate(CertificateWithdrawal),
}

/// What a participant may do; several may be held together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "roles are held independently of each other")]
pub struct Roles {
    /// May offer.
    pub producer: bool,
    /// May bid.
    pub consumer: bool,
    /// May read the whole ledger.
    pub regulator: bool,
    /// May enrol, pay in, and withdraw all orders of a participant.
    pub operator: bool,
}

/// A participant as he is enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NewParticipant {
    /// A pseudonymous name tag, unique in the market: 1 to 32 of `a-z 0-9 -`.
    pub name: String,
    /// The key that signs his commands.
    pub key: PublicKey,
    /// The key with which the meter at his connection point signs; none where no meter is installed.
    pub meter_key: Option<PublicKey>,
    /// Where he is connected.
    pub zone: ZoneId,
    /// What he may do.
    pub roles: Roles,
    /// The peak power of his PV, in W.
    pub pv_capacity_w: u64,
    /// The power of his connection, in W.
    pub connection_capacity_w: u64,
    /// What he may owe, in fen.
    pub credit_limit_fen: u64,
}

/// Money paid in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deposit {
    /// To whom: his name tag.
    pub participant: String,
    /// How much, in fen; more than 0.
    pub amount_fen: u64,
}

/// Money paid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payout {
    /// To whom: his name tag.
    pub participant: String,
    /// How much.
    pub amount: PayoutAmount,
}

/// How much is paid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayoutAmount {
    /// So many fen; more than 0.
    Fen(u64),
    /// The whole balance, which leaves the account empty.
    All,
}

/// A version of the tariffs, from a slot on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NewTariffs {
    /// Its number, above the last one's.
    pub version: u32,
    /// The first slot in which it holds.
    pub effective_from: Slot,
    /// What wheeling costs, in the order of the market's zones.
    pub zones: Vec<ZoneCharges>,
    /// What a buyer pays the market for a kWh.
    pub market_fee: Price,
    /// Retail and feed-in tariffs by time of day; the first begins at quarter 0, and each later one later.
    pub bands: Vec<TariffBand>,
}

/// Which way an order trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Side {
    /// Buys; its limit is all-in: energy, wheeling and fee.
    Bid,
    /// Sells; its limit is net: what the seller is paid.
    Offer,
}

impl Side {
    /// Returns the side that this one trades with.
    #[must_use]
    pub fn opposite(self) -> Side {
        match self {
            Side::Bid => Side::Offer,
            Side::Offer => Side::Bid,
        }
    }
}

/// A new key, which has proved that it agrees: its signature was verified before the engine hears of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyRotation {
    /// The key that speaks from now on.
    pub new_key: PublicKey,
}

/// Orders that are placed under one signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The orders, in the order in which they are judged. Not empty.
    pub orders: Vec<NewOrder>,
    /// Whether one refused order refuses them all; else each is judged by itself.
    pub all_or_none: bool,
}

/// An order as it is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewOrder {
    /// Bid or offer.
    pub side: Side,
    /// The quarter hour of delivery.
    pub slot: Slot,
    /// The most a bid pays all-in, the least an offer takes net.
    pub limit: Price,
    /// How much.
    pub energy: Energy,
    /// How long it stands.
    pub time_in_force: TimeInForce,
    /// Whether it is refused if it would trade as it comes.
    pub post_only: bool,
    /// The least that must trade as it comes, or it is refused; zero for any order that may rest.
    pub minimum_fill: Energy,
}

impl NewOrder {
    /// Returns an order that stands until gate closure, under no further condition.
    pub fn resting(side: Side, slot: Slot, limit: Price, energy: Energy) -> NewOrder {
        let time_in_force = TimeInForce::GoodUntilGate;
        NewOrder { side, slot, limit, energy, time_in_force, post_only: false, minimum_fill: Energy::ZERO }
    }
}

/// How long an order stands (R3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TimeInForce {
    /// Until the gate closes.
    #[default]
    GoodUntilGate,
    /// Until this moment, or until the gate closes if that is earlier.
    GoodUntil(Timestamp),
    /// It trades as it comes, and what is left of it never rests.
    ImmediateOrCancel,
    /// It trades whole as it comes, or is refused.
    FillOrKill,
}

/// A change of an open order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Replacement {
    /// Which one.
    pub order: OrderId,
    /// Its limit from now on.
    pub limit: Price,
    /// How much it is for altogether, what has traded of it included.
    pub energy: Energy,
}

/// Which orders are withdrawn: those that fit everything that is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cancellation {
    /// Whose, by his name tag: one's own without it; another's only for the operator.
    pub participant: Option<String>,
    /// Of which slot; of every one without it.
    pub slot: Option<Slot>,
    /// Of which side; of both without it.
    pub side: Option<Side>,
}

/// How a reading came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Quality {
    /// Measured by the meter.
    Measured,
    /// Estimated, for want of a measurement.
    Estimated,
    /// Put in place of a wrong measurement.
    Substituted,
}

/// A meter's registers at the end of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reading {
    /// When the registers were read: at the end of a slot.
    pub read_at: Timestamp,
    /// The import register: all that was ever drawn from the grid.
    pub import_register: Energy,
    /// The export register: all that was ever fed in.
    pub export_register: Energy,
    /// The generation register: all that the plant ever generated; 0 where it has no meter of its own.
    pub generation_register: Energy,
    /// The meter's count of readings; rises by one.
    pub counter: u64,
    /// How it came about.
    pub quality: Quality,
}

impl Reading {
    /// Returns the slot at whose end the registers were read; nothing for a moment that ends none.
    pub fn slot(&self) -> Option<Slot> {
        // OK because a meter may sign any moment, also one behind the last slot that 32 bits number.
        let number = (self.read_at.0 / MICROS_PER_SECOND / SECONDS_PER_SLOT).checked_sub(1)?;
        let slot = Slot(u32::try_from(number).ok()?);
        (slot.end() == self.read_at).then_some(slot)
    }
}

/// A claim of certificates.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Retirement {
    /// The slot of generation whose certificates are claimed, in order of their ids.
    pub slot: Slot,
    /// How much; more than 0.
    pub energy: Energy,
    /// The slot of the consumption that they cover: the same.
    pub consumption_slot: Slot,
    /// For whom the green quality is claimed: free text of 1 to 128 bytes.
    pub beneficiary: String,
    /// What for: free text of at most 128 bytes.
    pub purpose: String,
    /// Of which class.
    pub class: CertificateClass,
}

/// A transfer of certificates.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Transfer {
    /// The slot of generation whose certificates are passed on, in order of their ids.
    pub slot: Slot,
    /// How much; more than 0.
    pub energy: Energy,
    /// To whom: his name tag.
    pub to: String,
}

/// A wish for national certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bundling {
    /// The last slot of generation whose certificates are bundled.
    pub until: Slot,
}

/// A withdrawal of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CertificateWithdrawal {
    /// Which one.
    pub certificate: CertificateId,
    /// Why: free text of 1 to 128 bytes.
    pub reason: String,
}
