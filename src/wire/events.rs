//! The engine's events, as leaves of the ledger.

use parkwatt_engine as engine;
use parkwatt_proto::v1::{self, leaf::Fact};

use super::{certificates, order_id, phase};

/// 1e-9 yuan in one yuan.
const NANOS_PER_YUAN: i128 = 1_000_000_000;

/// Returns the fact that a leaf records of an event.
pub fn event_fact(event: &engine::Event) -> Fact {
    match event {
        engine::Event::PhaseBegan { slot, phase: began } => {
            Fact::PhaseBegan(v1::PhaseBegan { slot: slot.0, phase: phase(*began).into() })
        }
        engine::Event::AuctionCleared(clearing) => Fact::AuctionCleared(auction(clearing)),
        engine::Event::TradeMade(it) => Fact::TradeMade(trade(it)),
        engine::Event::OrderLapsed { order, owner, slot, energy, cause } => {
            Fact::OrderLapsed(v1::OrderLapsed {
                order: Some(order_id(*order)),
                owner: owner.0,
                slot: slot.0,
                energy_wh: energy.0,
                cause: lapse_cause(*cause).into(),
            })
        }
        engine::Event::Metered { participant, slot, import, export, generation, quality: its, .. } => {
            Fact::Metered(v1::Metered {
                participant: participant.0,
                slot: slot.0,
                import_wh: import.0,
                export_wh: export.0,
                generation_wh: generation.0,
                quality: quality(*its).into(),
            })
        }
        engine::Event::TradeDelivered {
            trade,
            slot,
            buyer,
            seller,
            delivered,
            seller_deviation,
            buyer_deviation,
            estimated,
        } => Fact::TradeDelivered(v1::TradeDelivered {
            trade: trade.0.0,
            slot: slot.0,
            buyer: Some(buyer.0),
            seller: Some(seller.0),
            delivered_wh: delivered.0,
            seller_deviation_wh: seller_deviation.0,
            buyer_deviation_wh: buyer_deviation.0,
            estimated: *estimated,
        }),
        engine::Event::Posted(it) => Fact::Posted(posting(it)),
        engine::Event::CertificateIssued { .. }
        | engine::Event::CertificateSliced { .. }
        | engine::Event::CertificateRetired { .. }
        | engine::Event::CertificateTransferred { .. }
        | engine::Event::GecIssued { .. }
        | engine::Event::CertificateBundled { .. }
        | engine::Event::CertificateExpired { .. }
        | engine::Event::CertificateWithdrawn { .. }
        | engine::Event::CertificateVoided { .. }
        | engine::Event::GecVoided { .. }
        | engine::Event::CertificateReleased { .. } => certificates::fact(event),
    }
}

/// Returns the contract's form of an auction's result.
pub fn auction(it: &engine::Clearing) -> v1::AuctionCleared {
    v1::AuctionCleared {
        slot: it.slot.0,
        energy_wh: it.energy.0,
        prices_micros_per_kwh: it.prices.iter().map(|price| price.0).collect(),
        exports_wh: it.exports_wh.clone(),
        rents_micros_per_kwh: it.rents.iter().map(|rent| rent.0).collect(),
        passed_over: it.passed_over.iter().map(own_pair).collect(),
        proof_half_micros_per_kwh: it.proof_halves.clone(),
    }
}

fn own_pair(it: &engine::Pair) -> v1::OwnPair {
    v1::OwnPair { bid: Some(order_id(it.bid)), offer: Some(order_id(it.offer)), energy_wh: it.energy.0 }
}

/// Returns the contract's form of a trade.
pub fn trade(it: &engine::Trade) -> v1::Trade {
    let matching = match it.matching {
        engine::Matching::Auction => v1::Matching::Auction,
        engine::Matching::Continuous => v1::Matching::Continuous,
    };
    v1::Trade {
        id: it.id.0.0,
        slot: it.slot.0,
        bid: Some(order_id(it.bid)),
        offer: Some(order_id(it.offer)),
        buyer: Some(it.buyer.0),
        seller: Some(it.seller.0),
        energy_wh: it.energy.0,
        price_micros_per_kwh: it.price.0,
        wheeling_micros_per_kwh: it.wheeling.0,
        congestion_micros_per_kwh: it.congestion.0,
        fee_micros_per_kwh: it.fee.0,
        tariff_version: it.tariff_version,
        matching: matching.into(),
    }
}

fn lapse_cause(it: engine::Lapse) -> v1::LapseCause {
    match it {
        engine::Lapse::Immediate => v1::LapseCause::Immediate,
        engine::Lapse::Expired => v1::LapseCause::Expired,
        engine::Lapse::Cancelled => v1::LapseCause::Cancelled,
    }
}

fn quality(it: engine::Quality) -> v1::Quality {
    match it {
        engine::Quality::Measured => v1::Quality::Measured,
        engine::Quality::Estimated => v1::Quality::Estimated,
        engine::Quality::Substituted => v1::Quality::Substituted,
    }
}

fn posting(it: &engine::Posting) -> v1::Posting {
    use v1::posting::Purpose as Wire;
    let purpose = match it.purpose {
        engine::Purpose::Deposit => Wire::Deposit(v1::Done {}),
        engine::Purpose::Payout => Wire::Payout(v1::Done {}),
        engine::Purpose::Rounding => Wire::Rounding(v1::Done {}),
        engine::Purpose::Energy(trade) => Wire::EnergyOfTrade(trade.0.0),
        engine::Purpose::Wheeling(trade) => Wire::WheelingOfTrade(trade.0.0),
        engine::Purpose::Congestion(trade) => Wire::CongestionOfTrade(trade.0.0),
        engine::Purpose::Fee(trade) => Wire::FeeOfTrade(trade.0.0),
        engine::Purpose::Deviation(trade) => Wire::DeviationOfTrade(trade.0.0),
        engine::Purpose::Retail(slot) => Wire::RetailInSlot(slot.0),
        engine::Purpose::FeedIn(slot) => Wire::FeedInInSlot(slot.0),
    };
    let (yuan, nanos) = (it.amount.0.div_euclid(NANOS_PER_YUAN), it.amount.0.rem_euclid(NANOS_PER_YUAN));
    v1::Posting {
        from: Some(account(it.from)),
        to: Some(account(it.to)),
        amount_yuan: i64::try_from(yuan)
            .expect("an amount is at most 1 TWh at 1,000 yuan/kWh, far below 2^63 yuan"),
        amount_nanos: u32::try_from(nanos).expect("a remainder of 10^9 fits 32 bits"),
        purpose: Some(purpose),
    }
}

fn account(it: engine::Account) -> v1::LedgerAccount {
    use v1::ledger_account::Kind;
    let kind = match it {
        engine::Account::Participant(number) => Kind::Participant(number.0),
        engine::Account::Supplier => Kind::System(v1::SystemAccount::Supplier.into()),
        engine::Account::Network => Kind::System(v1::SystemAccount::Network.into()),
        engine::Account::Congestion => Kind::System(v1::SystemAccount::Congestion.into()),
        engine::Account::Market => Kind::System(v1::SystemAccount::Market.into()),
        engine::Account::Bank => Kind::System(v1::SystemAccount::Bank.into()),
        engine::Account::Rounding => Kind::System(v1::SystemAccount::Rounding.into()),
    };
    v1::LedgerAccount { kind: Some(kind) }
}
