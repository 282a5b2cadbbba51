//! What a participant, or the operator, can ask of the market.

use alloc::string::String;
use alloc::vec::Vec;

use crate::{Energy, OrderId, Price, Slot, Timestamp, ZoneId};

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Enrols a participant with his key and his meter's (R1). For the operator.
    EnrolParticipant(NewParticipant),
    /// Pays money in to a participant's account (R8). For the operator.
    Deposit(Deposit),
    /// Places a schedule of orders, each judged by itself (R3). Not empty.
    PlaceOrders(Vec<NewOrder>),
    /// Withdraws what is left of an own order (R9).
    CancelOrder(OrderId),
    /// States a meter's registers at the end of a slot (R10). For meters.
    SubmitReading(Reading),
    /// Claims own certificates for own consumption (R14).
    RetireCertificates(Retirement),
}

/// What a participant may do; several may be held together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "roles are held independently of each other")]
pub struct Roles {
    /// May offer.
    pub producer: bool,
    /// May bid.
    pub consumer: bool,
    /// May read the whole ledger.
    pub regulator: bool,
    /// May enrol and pay in.
    pub operator: bool,
}

/// A participant as he is enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

/// Which way an order trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Buys; its limit is all-in: energy, wheeling and fee.
    Bid,
    /// Sells; its limit is net: what the seller is paid.
    Offer,
}

/// An order as it is placed; it stands until gate closure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Bid or offer.
    pub side: Side,
    /// The quarter hour of delivery.
    pub slot: Slot,
    /// The most a bid pays all-in, the least an offer takes net.
    pub limit: Price,
    /// How much.
    pub energy: Energy,
}

/// How a reading came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quality {
    /// Measured by the meter.
    Measured,
    /// Estimated, for want of a measurement.
    Estimated,
    /// Put in place of a wrong measurement.
    Substituted,
}

/// A meter's registers at the end of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reading {
    /// The slot at whose end the registers were read.
    pub slot: Slot,
    /// The import register: all that was ever drawn from the grid.
    pub import_register: Energy,
    /// The export register: all that was ever fed in.
    pub export_register: Energy,
    /// The meter's count of readings; rises by one.
    pub counter: u64,
    /// How it came about.
    pub quality: Quality,
}

/// A claim of certificates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Retirement {
    /// The slot of generation whose certificates are claimed, in order of their ids.
    pub slot: Slot,
    /// How much; more than 0.
    pub energy: Energy,
    /// The slot of the consumption that they cover: the same.
    pub consumption_slot: Slot,
    /// For whom the green quality is claimed: free text of at most 128 bytes.
    pub beneficiary: String,
}
