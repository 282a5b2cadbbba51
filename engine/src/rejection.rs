//! Every way in which a rule refuses a command, in order of precedence.
//!
//! A rejection is data: it is an answer to the caller and stands in the ledger. Codes and sentences are
//! stable.

use crate::{Energy, MicroYuan, OrderId, Phase, Price, Slot, Timestamp};

/// Declares the rejections once: each with its rule, the field it is about, and its sentence.
macro_rules! rejections {
    ($( $(#[doc = $doc:literal])+ $name:ident $({ $($value:ident : $type:ty),+ })? = $code:literal, $rule:literal, $field:literal, $sentence:literal; )+) => {
        /// Why a rule refused, with the values that show it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
        pub enum Rejection {
            $(
                $(#[doc = $doc])+
                #[error($sentence)]
                $name $({ $(
                    #[doc = concat!("The ", stringify!($value), ".")]
                    $value: $type
                ),+ })?,
            )+
        }

        impl Rejection {
            /// Every code, in order of precedence.
            pub const CODES: &'static [&'static str] = &[$($code),+];

            /// Returns the stable code, for machines.
            pub fn code(&self) -> &'static str {
                match self { $( Rejection::$name { .. } => $code, )+ }
            }

            /// Returns the rule that refused, as `docs/market-rules.md` numbers it.
            pub fn rule(&self) -> &'static str {
                match self { $( Rejection::$name { .. } => $rule, )+ }
            }

            /// Returns the field of the command that was refused, as the contract names it.
            pub fn field(&self) -> &'static str {
                match self { $( Rejection::$name { .. } => $field, )+ }
            }
        }
    };
}

rejections! {
    /// The key belongs to nobody.
    KeyMustBeEnrolled = "KEY_MUST_BE_ENROLLED", "R1", "public_key",
        "the key belongs to no participant of this market; the operator enrols keys";
    /// The nonce was used, or lies below one that was.
    NonceMustRise { nonce: u64, last: u64 } = "NONCE_MUST_RISE", "R15", "nonce",
        "nonce {nonce} is not above {last}, the last one of this key";
    /// The command's time is over.
    CommandMustNotHaveExpired { expires_at: Timestamp, now: Timestamp } = "COMMAND_MUST_NOT_HAVE_EXPIRED", "R15", "expires_at_micros",
        "the command expired at {expires_at}, and it is {now}";
    /// The key's owner may not ask this.
    RoleMustPermit = "ROLE_MUST_PERMIT", "R1", "public_key",
        "the owner of this key does not have the role that this command needs";
    /// The name tag is not one.
    NameMustBeATag = "NAME_MUST_BE_A_TAG", "R1", "name",
        "a name is 1 to 32 of a-z, 0-9 and -";
    /// The name tag is taken.
    NameMustBeFree = "NAME_MUST_BE_FREE", "R1", "name",
        "the name belongs to another participant";
    /// A key is taken, or both are the same.
    KeyMustBeFree = "KEY_MUST_BE_FREE", "R1", "public_key",
        "the owner's and the meter's key must differ from each other and from every enrolled key";
    /// There is no such zone.
    ZoneMustExist { zone: u64 } = "ZONE_MUST_EXIST", "R1", "zone",
        "zone {zone} is none of this market's";
    /// The plant or the connection is beyond any.
    CapacityMustBeWithinBounds { watts: u64, max: u64 } = "CAPACITY_MUST_BE_WITHIN_BOUNDS", "R1", "pv_capacity_w, connection_capacity_w",
        "a capacity of {watts} W exceeds the maximum of {max} W";
    /// The credit is beyond any.
    CreditLimitMustBeWithinBounds { fen: u64, max: u64 } = "CREDIT_LIMIT_MUST_BE_WITHIN_BOUNDS", "R1", "credit_limit_fen",
        "a credit limit of {fen} fen exceeds the maximum of {max} fen";
    /// The market is full.
    ParticipantsMustNotExceedTheMaximum { max: u32 } = "PARTICIPANTS_MUST_NOT_EXCEED_THE_MAXIMUM", "R1", "name",
        "the market holds its maximum of {max} participants";
    /// There is no such participant.
    ParticipantMustExist = "PARTICIPANT_MUST_EXIST", "R8", "participant",
        "no participant has this name";
    /// Nothing would be paid in, or too much.
    AmountMustBeWithinBounds { fen: u64, max: u64 } = "AMOUNT_MUST_BE_WITHIN_BOUNDS", "R8", "amount_fen",
        "an amount of {fen} fen is not between 1 and {max}";
    /// More would be paid out than there is.
    PayoutMustBeCovered { need: MicroYuan, available: MicroYuan } = "PAYOUT_MUST_BE_COVERED", "R12", "amount_fen",
        "{need} exceed the {available} of the balance that are not reserved";
    /// The account is not at rest, and cannot be emptied.
    AccountMustBeAtRest { reserved: MicroYuan } = "ACCOUNT_MUST_BE_AT_REST", "R12", "amount_fen",
        "the account cannot be emptied while {reserved} are reserved for open orders and unsettled trades";
    /// The version's number does not follow the last one.
    TariffVersionMustFollowTheLast { version: u32, last: u32 } = "TARIFF_VERSION_MUST_FOLLOW_THE_LAST", "R12", "version",
        "version {version} is not the next one behind {last}";
    /// The tariffs contradict the market's bounds.
    TariffsMustBeWellFormed { part: &'static str, must: &'static str } = "TARIFFS_MUST_BE_WELL_FORMED", "R12", "tariffs",
        "{part} {must}";
    /// The version would begin before the last one.
    TariffsMustBeginBehindTheLast { slot: Slot, last: Slot } = "TARIFFS_MUST_BEGIN_BEHIND_THE_LAST", "R12", "effective_from_slot",
        "slot {slot} is not behind {last}, with which the last version begins";
    /// The version would change what is traded under.
    TariffsMustBeginBeforeTrading { slot: Slot, phase: Phase } = "TARIFFS_MUST_BEGIN_BEFORE_TRADING", "R12", "effective_from_slot",
        "trading in slot {slot} has opened; its phase is {phase}";
    /// The version would keep others out for long.
    TariffsMustBeginWithinAYear { slot: Slot, last: Slot } = "TARIFFS_MUST_BEGIN_WITHIN_A_YEAR", "R12", "effective_from_slot",
        "slot {slot} is behind {last}, the last one of the next 366 days";
    /// The schedule is too long.
    ScheduleMustNotBeTooLong { len: u64, max: u16 } = "SCHEDULE_MUST_NOT_BE_TOO_LONG", "R3", "orders",
        "a schedule of {len} orders exceeds the maximum of {max}";
    /// There is no such order.
    OrderMustExist { order: OrderId } = "ORDER_MUST_EXIST", "R9", "order",
        "order {order} does not exist in any slot that is not settled";
    /// The order is somebody else's.
    OrderMustBeOwn { order: OrderId } = "ORDER_MUST_BE_OWN", "R9", "order",
        "order {order} belongs to another participant";
    /// Trading in the slot has not opened, or lies in the past.
    SlotMustBeOpen { slot: Slot, phase: Phase } = "SLOT_MUST_BE_OPEN", "R2", "slot",
        "slot {slot} is not open for trading; its phase is {phase}";
    /// The gate has closed.
    GateMustBeOpen { slot: Slot } = "GATE_MUST_BE_OPEN", "R2", "slot",
        "the gate of slot {slot} has closed";
    /// The order has traded, or was withdrawn.
    OrderMustBeOpen { order: OrderId } = "ORDER_MUST_BE_OPEN", "R9", "order",
        "order {order} is not in the book any more";
    /// Nothing is ordered.
    EnergyMustBePositive = "ENERGY_MUST_BE_POSITIVE", "R3", "energy_wh",
        "an order of 0 Wh orders nothing";
    /// The energy is no multiple of the lot.
    EnergyMustBeOnLot { energy: Energy, lot: Energy } = "ENERGY_MUST_BE_ON_LOT", "R3", "energy_wh",
        "{energy} is not a multiple of the lot of {lot}";
    /// The energy is beyond any order.
    EnergyMustNotExceedTheMaximum { energy: Energy, max: Energy } = "ENERGY_MUST_NOT_EXCEED_THE_MAXIMUM", "R3", "energy_wh",
        "{energy} exceeds the maximum of {max} in one order";
    /// The limit is no multiple of the tick.
    PriceMustBeOnTick { limit: Price, tick: Price } = "PRICE_MUST_BE_ON_TICK", "R3", "limit_price_micros_per_kwh",
        "{limit} is not a multiple of the tick of {tick}";
    /// The limit lies outside the market's bounds.
    PriceMustBeWithinBounds { limit: Price, floor: Price, cap: Price } = "PRICE_MUST_BE_WITHIN_BOUNDS", "R3", "limit_price_micros_per_kwh",
        "{limit} is not between the floor of {floor} and the cap of {cap}";
    /// A replaced order would be for no more than has traded of it.
    EnergyMustExceedWhatHasTraded { energy: Energy, traded: Energy } = "ENERGY_MUST_EXCEED_WHAT_HAS_TRADED", "R9", "energy_wh",
        "{energy} in all leave nothing open of an order of which {traded} have traded";
    /// The order would be over before it begins.
    GoodUntilMustBeInTheFuture { until: Timestamp, now: Timestamp } = "GOOD_UNTIL_MUST_BE_IN_THE_FUTURE", "R3", "good_until_micros",
        "the order is good until {until}, and it is {now}";
    /// More would have to trade than is ordered.
    MinimumFillMustNotExceedTheEnergy { minimum: Energy, energy: Energy } = "MINIMUM_FILL_MUST_NOT_EXCEED_THE_ENERGY", "R3", "minimum_fill_wh",
        "a minimum fill of {minimum} exceeds the order's {energy}";
    /// The order must not trade as it comes, and must.
    PostOnlyMustRest = "POST_ONLY_MUST_REST", "R3", "post_only",
        "a post-only order cannot be immediate-or-cancel or fill-or-kill, or have a minimum fill";
    /// Nothing trades as it comes in an auction.
    ContinuousTradingMustHaveBegun { slot: Slot } = "CONTINUOUS_TRADING_MUST_HAVE_BEGUN", "R3", "time_in_force, minimum_fill_wh",
        "slot {slot} is in its auction, where no order can trade as it comes";
    /// A condition that others of the schedule could spoil.
    ConditionalOrderMustBeAloneInItsSlot { slot: Slot } = "CONDITIONAL_ORDER_MUST_BE_ALONE_IN_ITS_SLOT", "R3", "all_or_none",
        "an all-or-none schedule has other orders for slot {slot} besides one that is post-only, fill-or-kill or has a minimum fill";
    /// The participant has as many orders open in the slot as he may.
    OpenOrdersMustNotExceedTheMaximum { slot: Slot, max: u32 } = "OPEN_ORDERS_MUST_NOT_EXCEED_THE_MAXIMUM", "R3", "slot",
        "{max} own orders are open in slot {slot}, which is the maximum; cancel or replace some of them";
    /// Balance and credit do not cover what the order may cost.
    OrderMustBeCovered { need: MicroYuan, available: MicroYuan } = "ORDER_MUST_BE_COVERED", "R8", "energy_wh",
        "the order needs {need}, and {available} of balance and credit are available";
    /// The plant cannot deliver the offer.
    OfferMustBeDeliverable { energy: Energy, free: Energy } = "OFFER_MUST_BE_DELIVERABLE", "R8", "energy_wh",
        "{energy} exceeds the {free} that PV and connection can still deliver in the slot";
    /// The order would take instead of waiting.
    PostOnlyMustNotTrade { other: OrderId } = "POST_ONLY_MUST_NOT_TRADE", "R3", "post_only",
        "the order would trade with order {other} as it comes";
    /// Too little would trade at once.
    MinimumFillMustBeReached { minimum: Energy, fillable: Energy } = "MINIMUM_FILL_MUST_BE_REACHED", "R3", "time_in_force, minimum_fill_wh",
        "{minimum} must trade at once, and {fillable} can";
    /// Another order of an all-or-none schedule was refused.
    ScheduleMustHoldWhole { refused: u16 } = "SCHEDULE_MUST_HOLD_WHOLE", "R3", "all_or_none",
        "the schedule is all-or-none, and its order at position {refused}, counted from 0, was refused";
    /// The reading is of no slot's end.
    ReadingMustBeAtASlotsEnd { read_at: Timestamp } = "READING_MUST_BE_AT_A_SLOTS_END", "R10", "read_at_micros",
        "{read_at} is not the end of a quarter hour";
    /// The slot is not over.
    SlotMustBeOver { slot: Slot, now: Timestamp } = "SLOT_MUST_BE_OVER", "R10", "read_at_micros",
        "slot {slot} ends after {now}";
    /// The meter's count does not rise by one.
    CounterMustRiseByOne { counter: u64, last: u64 } = "COUNTER_MUST_RISE_BY_ONE", "R10", "counter",
        "counter {counter} does not follow {last}";
    /// The reading leaves a slot out, or repeats one.
    ReadingMustFollowTheLast { slot: Slot, last: Slot } = "READING_MUST_FOLLOW_THE_LAST", "R10", "read_at_micros",
        "slot {slot} leaves out some behind {last}, the last one read";
    /// The reading is of a slot before the baseline.
    ReadingMustNotPrecedeTheFirst { slot: Slot, first: Slot } = "READING_MUST_NOT_PRECEDE_THE_FIRST", "R10", "read_at_micros",
        "slot {slot} lies before {first}, the first one read";
    /// The correction comes too late.
    FinalSettlementMustLieAhead { slot: Slot } = "FINAL_SETTLEMENT_MUST_LIE_AHEAD", "R13", "read_at_micros",
        "the settlement of slot {slot} is final, and its reading cannot be corrected";
    /// The reading was corrected as often as it may be.
    CorrectionsMustNotExceedTheMaximum { slot: Slot, max: u32 } = "CORRECTIONS_MUST_NOT_EXCEED_THE_MAXIMUM", "R10", "read_at_micros",
        "the reading of slot {slot} was corrected {max} times, which is the maximum";
    /// A register runs backwards.
    RegistersMustNotRunBackwards { register: Energy, last: Energy } = "REGISTERS_MUST_NOT_RUN_BACKWARDS", "R10", "import_register_wh, export_register_wh, generation_register_wh",
        "a register of {register} lies below {last}, its last state";
    /// A corrected register runs ahead of the next reading.
    RegistersMustNotExceedTheNext { register: Energy, next: Energy } = "REGISTERS_MUST_NOT_EXCEED_THE_NEXT", "R10", "import_register_wh, export_register_wh, generation_register_wh",
        "a register of {register} exceeds {next}, its state at the end of the next slot";
    /// A register shows what no meter can.
    RegistersMustBeWithinRange { register: Energy, max: Energy } = "REGISTERS_MUST_BE_WITHIN_RANGE", "R10", "import_register_wh, export_register_wh, generation_register_wh",
        "a register of {register} exceeds the {max} that a meter can show";
    /// Nothing is passed on.
    TransferMustBePositive = "TRANSFER_MUST_BE_POSITIVE", "R14", "energy_wh",
        "a transfer of 0 Wh passes nothing on";
    /// It would stay with its holder.
    TransferMustBeToAnother = "TRANSFER_MUST_BE_TO_ANOTHER", "R14", "to",
        "certificates are transferred to another participant";
    /// Nothing is claimed.
    RetirementMustBePositive = "RETIREMENT_MUST_BE_POSITIVE", "R14", "energy_wh",
        "a retirement of 0 Wh claims nothing";
    /// The claim is for another quarter hour.
    ConsumptionMustBeInTheSameSlot { slot: Slot, consumption_slot: Slot } = "CONSUMPTION_MUST_BE_IN_THE_SAME_SLOT", "R14", "consumption_slot",
        "certificates of slot {slot} cover consumption of that slot, not of {consumption_slot}";
    /// The slot is not settled.
    SlotMustBeSettled { slot: Slot } = "SLOT_MUST_BE_SETTLED", "R14", "slot",
        "slot {slot} is not settled, and has no certificates";
    /// So much is not held.
    CertificatesMustBeHeld { energy: Energy, held: Energy } = "CERTIFICATES_MUST_BE_HELD", "R14", "energy_wh",
        "{energy} exceed the {held} that are held of this slot";
    /// So much is held, but was not exported.
    CertificatesMustBeTradable { energy: Energy, tradable: Energy } = "CERTIFICATES_MUST_BE_TRADABLE", "R14", "energy_wh",
        "{energy} exceed the {tradable} that are held of exported energy; self-consumed energy cannot be transferred";
    /// So much is held, but current readings contradict some of it.
    CertificatesMustNotBeContradicted { energy: Energy, borne_out: Energy } = "CERTIFICATES_MUST_NOT_BE_CONTRADICTED", "R14", "energy_wh",
        "{energy} exceed the {borne_out} that are held of certificates that current readings bear out; the rest is locked until it is withdrawn, or readings bear it out again";
    /// So much was not drawn.
    ConsumptionMustCover { energy: Energy, unclaimed: Energy } = "CONSUMPTION_MUST_COVER", "R14", "energy_wh",
        "{energy} exceed the metered import of {unclaimed} that is not claimed yet";
    /// Too little is held for a national certificate.
    BundleMustReachOneMwh { held: Energy } = "BUNDLE_MUST_REACH_ONE_MWH", "R14", "until_slot",
        "{held} are held of exported energy until that slot, which is less than 1 MWh";
    /// There is no such certificate.
    CertificateMustExist = "CERTIFICATE_MUST_EXIST", "R14", "certificate",
        "there is no such certificate, or it was withdrawn";
    /// No correction contradicts the certificate.
    CorrectionMustContradictTheCertificate = "CORRECTION_MUST_CONTRADICT_THE_CERTIFICATE", "R14", "certificate",
        "current readings bear out the certificate, its slices and its claims";
}
