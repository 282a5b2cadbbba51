//! Settlement: a slot's deliveries turned into money and certificates.
//!
//! Knows trades, meters, tariffs and charges. Does not know when: the market settles a slot once, when its
//! readings are in or its deadline has come.
//! Keeps: each posting is balanced by itself; what was reserved for a trade is free again. Rules R12 and R14.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::accounts::{Accounts, need};
use crate::certificates::{Certifiable, Certificates, Share};
use crate::delivery::{Delivery, allot};
use crate::meters::Meters;
use crate::{
    Account, Energy, Event, MarketConfig, ParticipantId, Posting, Price, Purpose, Quality, Side, Slot, Trade,
    TradeId, Worth,
};

/// Settles `slot`, whose trades are `trades` in order of their ids.
///
/// A missing reading blocks nobody: that side of a trade counts as traded, has no rest at the tariffs, and no
/// certificate.
pub(crate) fn settle(
    slot: Slot,
    config: &MarketConfig,
    trades: &[Trade],
    meters: &Meters,
    accounts: &mut Accounts,
    certificates: &mut Certificates,
    events: &mut Vec<Event>,
) {
    let export_of = |participant| meters.metered(slot, participant).map(|metered| metered.export);
    let import_of = |participant| meters.metered(slot, participant).map(|metered| metered.import);
    let deliveries = allot(trades, export_of, import_of);

    for (trade, delivery) in trades.iter().zip(&deliveries) {
        let Delivery { delivered, seller_deviation, buyer_deviation, estimated } = *delivery;
        events.push(Event::TradeDelivered {
            trade: trade.id,
            delivered,
            seller_deviation,
            buyer_deviation,
            estimated,
        });
        accounts.release(trade.buyer, need(Side::Bid, trade.buyer_price(), trade.energy));
        accounts.release(trade.seller, need(Side::Offer, trade.price, trade.energy));
        for posting in trade_postings(config, trade, delivery) {
            accounts.post(posting, events);
        }
    }

    let bought = sum_by_owner(trades, &deliveries, |trade| trade.buyer);
    let sold = sum_by_owner(trades, &deliveries, |trade| trade.seller);
    for (participant, metered) in meters.metered_in(slot) {
        let sum_of = |by_owner: &BTreeMap<_, Energy>| by_owner.get(&participant).copied().unwrap_or_default();
        let (import, export) = (metered.import.minus(sum_of(&bought)), metered.export.minus(sum_of(&sold)));
        for posting in rest_postings(config, slot, participant, import, export) {
            accounts.post(posting, events);
        }
    }

    for (producer, metered) in meters.metered_in(slot) {
        let is_measured = |id| meters.metered(slot, id).is_some_and(|it| it.quality == Quality::Measured);
        let export = if is_measured(producer) { metered.export } else { Energy::ZERO };
        let own = trades.iter().zip(&deliveries).filter(|(trade, _)| trade.seller == producer);
        let share = |(trade, delivery): (&Trade, &Delivery)| Share {
            trade: trade.id,
            buyer: trade.buyer,
            delivered: delivery.delivered,
            is_measured: is_measured(trade.buyer),
        };
        let certifiable =
            Certifiable { export, self_consumed: Energy::ZERO, shares: own.map(share).collect() };
        certificates.certify(slot, producer, &certifiable, events);
    }
}

/// Returns what moves for one trade: energy, wheeling and fee for what was delivered, deviation charges for
/// what not.
fn trade_postings(config: &MarketConfig, trade: &Trade, delivery: &Delivery) -> [Posting; 6] {
    let (buyer, seller) = (Account::Participant(trade.buyer), Account::Participant(trade.seller));
    // OK because a price may be negative, and to deliver nothing at such a price must cost too.
    let per_kwh = Price(trade.price.0.abs());
    let deviation = |energy| per_kwh.times(energy).per_mille_half_even(config.deviation_per_mille);
    let (energy, id) = (delivery.delivered, trade.id);
    [
        Posting { from: buyer, to: seller, amount: trade.price.times(energy), purpose: Purpose::Energy(id) },
        Posting {
            from: buyer,
            to: Account::Network,
            amount: trade.wheeling.times(energy),
            purpose: Purpose::Wheeling(id),
        },
        Posting {
            from: buyer,
            to: Account::Congestion,
            amount: trade.congestion.times(energy),
            purpose: Purpose::Congestion(id),
        },
        Posting {
            from: buyer,
            to: Account::Market,
            amount: trade.fee.times(energy),
            purpose: Purpose::Fee(id),
        },
        deviation_posting(seller, deviation(delivery.seller_deviation), id),
        deviation_posting(buyer, deviation(delivery.buyer_deviation), id),
    ]
}

/// Returns what the liable side of a trade pays for what it left undelivered.
fn deviation_posting(liable: Account, amount: Worth, trade: TradeId) -> Posting {
    Posting { from: liable, to: Account::Supplier, amount, purpose: Purpose::Deviation(trade) }
}

/// Returns what moves for what a participant drew and fed in beyond his trades, at the slot's tariffs.
fn rest_postings(
    config: &MarketConfig,
    slot: Slot,
    participant: ParticipantId,
    import: Energy,
    export: Energy,
) -> [Posting; 2] {
    let (tariff, account) = (config.tariff(slot), Account::Participant(participant));
    let (retail, feed_in) = (tariff.retail.times(import), tariff.feed_in.times(export));
    [
        Posting { from: account, to: Account::Supplier, amount: retail, purpose: Purpose::Retail(slot) },
        Posting { from: Account::Supplier, to: account, amount: feed_in, purpose: Purpose::FeedIn(slot) },
    ]
}

/// Returns what was delivered in all, for each participant on one side of the trades.
fn sum_by_owner(
    trades: &[Trade],
    deliveries: &[Delivery],
    owner: impl Fn(&Trade) -> ParticipantId,
) -> BTreeMap<ParticipantId, Energy> {
    let mut sums: BTreeMap<ParticipantId, Energy> = BTreeMap::new();
    for (trade, delivery) in trades.iter().zip(deliveries) {
        let sum = sums.entry(owner(trade)).or_default();
        *sum = sum.plus(delivery.delivered);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        CertificateId, LeafIndex, Matching, OrderId, Reading, TariffBand, Timeline, Timestamp, Zone,
    };
    use alloc::{string::String, vec};

    const SLOT: Slot = Slot(96);
    const EVE: ParticipantId = ParticipantId(0);
    const ANN: ParticipantId = ParticipantId(1);
    const BOB: ParticipantId = ParticipantId(2);

    /// A market with a fee of 0.01, a deviation charge of 10 %, retail at 0.80 and feed-in at 0.30 yuan/kWh.
    fn config() -> MarketConfig {
        let root = Zone {
            name: String::from("park"),
            parent: None,
            base_wheeling: Price::ZERO,
            wheeling_up: Price::ZERO,
            wheeling_down: Price::ZERO,
            capacity_up_w: None,
            capacity_down_w: None,
        };
        MarketConfig {
            name: String::from("test"),
            currency: String::from("CNY"),
            operator_key: [0; 32],
            zones: vec![root],
            tick: Price(100),
            price_floor: Price(-10_000_000),
            price_cap: Price(10_000_000),
            lot: Energy(1),
            order_energy_max: Energy(1_000_000),
            schedule_len_max: 10,
            participants_max: 10,
            open_orders_max: 100,
            timeline: Timeline {
                opens_before_s: 3600,
                uncross_before_s: 1800,
                gate_before_s: 900,
                settle_after_s: 900,
            },
            auction_point_per_mille: 500,
            market_fee: Price(10_000),
            deviation_per_mille: 100,
            tariff_version: 1,
            tariffs: vec![TariffBand { from_quarter: 0, retail: Price(800_000), feed_in: Price(300_000) }],
        }
    }

    /// A trade of `energy` at `price`, with 0.02 wheeling and the fee.
    fn trade(id: u64, seller: ParticipantId, buyer: ParticipantId, energy: u64, price: i64) -> Trade {
        let order = OrderId { index: LeafIndex(0), position: 0 };
        Trade {
            id: TradeId(LeafIndex(id)),
            slot: SLOT,
            bid: order,
            offer: order,
            buyer,
            seller,
            energy: Energy(energy),
            price: Price(price),
            wheeling: Price(20_000),
            congestion: Price::ZERO,
            fee: Price(10_000),
            tariff_version: 1,
            matching: Matching::Auction,
        }
    }

    /// What is left after a settlement.
    struct Settled {
        accounts: Accounts,
        certificates: Certificates,
        events: Vec<Event>,
    }

    impl Settled {
        /// Returns a participant's balance in 1e-6 yuan.
        fn micros(&self, account: Account) -> i128 {
            self.accounts.balance(account).worth().0 / 1000
        }
    }

    /// Settles trades whose reservations stand, with meters that measured `(who, import, export, quality)`.
    fn settle_with(trades: &[Trade], metered: &[(ParticipantId, u64, u64, Quality)]) -> Settled {
        let (mut accounts, mut meters, mut certificates) =
            (Accounts::default(), Meters::default(), Certificates::default());
        for trade in trades {
            accounts.reserve(trade.buyer, need(Side::Bid, trade.buyer_price(), trade.energy));
            accounts.reserve(trade.seller, need(Side::Offer, trade.price, trade.energy));
        }
        for &(participant, import, export, quality) in metered {
            let last = SLOT.0 - 1;
            for (counter, slot, import, export, quality) in
                [(1, last, 0, 0, Quality::Measured), (2, SLOT.0, import, export, quality)]
            {
                let (import_register, export_register) = (Energy(import), Energy(export));
                let reading =
                    Reading { slot: Slot(slot), import_register, export_register, counter, quality };
                let now = Timestamp(u64::MAX);
                meters.check_and_take(participant, reading, now, &mut Vec::new()).unwrap();
            }
        }
        let mut events = Vec::new();
        settle(SLOT, &config(), trades, &meters, &mut accounts, &mut certificates, &mut events);
        assert_eq!(accounts.balances().map(|(_, balance)| balance.worth().0).sum::<i128>(), 0);
        assert!([EVE, ANN, BOB].iter().all(|&p| accounts.reserved(p) == Worth::ZERO));
        Settled { accounts, certificates, events }
    }

    #[test]
    fn delivery_deviation_and_rest_are_paid_to_the_last_micro_yuan() {
        // Sold 10 kWh at 6.00; the seller feeds in 8 kWh, and the buyer draws 15 kWh.
        let trades = [trade(5, EVE, ANN, 10_000, 6_000_000)];
        let settled =
            settle_with(&trades, &[(EVE, 0, 8_000, Quality::Measured), (ANN, 15_000, 0, Quality::Measured)]);
        let (energy, wheeling, fee) = (48_000_000, 160_000, 80_000);
        let (deviation, retail) = (1_200_000, 5_600_000);
        assert_eq!(settled.micros(Account::Participant(EVE)), energy - deviation);
        assert_eq!(settled.micros(Account::Participant(ANN)), -energy - wheeling - fee - retail);
        assert_eq!(settled.micros(Account::Network), wheeling);
        assert_eq!(settled.micros(Account::Market), fee);
        assert_eq!(settled.micros(Account::Supplier), deviation + retail);
    }

    #[test]
    fn certificates_are_issued_for_the_metered_export_and_follow_the_delivery() {
        let trades = [trade(5, EVE, ANN, 10_000, 500_000), trade(6, EVE, BOB, 10_000, 500_000)];
        let metered = [(EVE, 0, 25_000, Quality::Measured), (ANN, 4_000, 0, Quality::Measured)];
        let settled = settle_with(&trades, &metered);
        let held = [EVE, ANN, BOB].map(|holder| settled.certificates.held(holder, SLOT).0);
        assert_eq!(held, [11_000, 4_000, 10_000]);

        let certificate = CertificateId { slot: SLOT, producer: EVE, issue: 1 };
        let issued = Event::CertificateIssued { certificate, energy: Energy(25_000) };
        assert_eq!(settled.events.iter().filter(|event| **event == issued).count(), 1);
    }

    #[test]
    fn export_without_trades_is_fed_in_and_certified() {
        let settled = settle_with(&[], &[(EVE, 1_000, 2_000, Quality::Measured)]);
        assert_eq!(settled.micros(Account::Participant(EVE)), 600_000 - 800_000);
        assert_eq!(settled.certificates.held(EVE, SLOT), Energy(2_000));
    }

    #[test]
    fn a_missing_reading_counts_as_traded_and_has_no_certificate() {
        let trades = [trade(5, EVE, ANN, 10_000, 500_000)];
        let settled = settle_with(&trades, &[(ANN, 10_000, 0, Quality::Measured)]);
        assert_eq!(settled.micros(Account::Participant(EVE)), 5_000_000);
        assert_eq!(settled.certificates, Certificates::default());
        assert!(matches!(settled.events[0], Event::TradeDelivered { estimated: true, .. }));
    }

    #[test]
    fn an_estimated_export_is_paid_and_has_no_certificate() {
        let trades = [trade(5, EVE, ANN, 10_000, 500_000)];
        let settled = settle_with(&trades, &[(EVE, 0, 12_000, Quality::Estimated)]);
        assert_eq!(settled.micros(Account::Participant(EVE)), 5_000_000 + 600_000);
        assert_eq!(settled.certificates, Certificates::default());
    }

    #[test]
    fn a_deviation_at_a_negative_price_costs_the_liable_side_too() {
        let trades = [trade(5, EVE, ANN, 1_000, -400_000)];
        let settled = settle_with(&trades, &[(EVE, 0, 0, Quality::Measured)]);
        assert_eq!(settled.micros(Account::Participant(EVE)), -40_000);
        assert_eq!(settled.micros(Account::Participant(ANN)), 0);
    }

    #[test]
    fn nothing_traded_and_nothing_metered_is_settled_without_a_word() {
        assert_eq!(settle_with(&[], &[]).events, []);
        assert_eq!(settle_with(&[], &[(EVE, 0, 0, Quality::Measured)]).events, []);
    }
}
