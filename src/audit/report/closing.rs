//! Closing: a slot as it stands when its settlement is final, or when the ledger ends.
//!
//! Knows what was said of the slot, and compares it with what meters, trades and tariffs give. Keeps: nothing
//! is compared with itself, and nothing is written of a slot that is not closed.

use std::{collections::BTreeMap, io};

use parkwatt_engine::{CertificateClass, Energy, Market, Matching, ParticipantId, Phase, Slot, Trade};

use super::{
    expected::{self, in_a_slot, self_consumed, way_up, zones_of},
    figures::{Figure, Figures},
    files::Files,
    laws::{Checks, Law},
    rows::{self, FlowRow, Moment, TradeRow},
    slots::{Book, Delivery, Line, Metered, Paid, Person},
};

/// A slot that is being closed.
pub(super) struct Closing<'a> {
    pub(super) slot: Slot,
    pub(super) phase: Phase,
    pub(super) book: &'a Book,
    pub(super) market: &'a Market,
    /// Who had a meter when the slot began.
    pub(super) with_meter: &'a [ParticipantId],
    pub(super) figures: &'a mut Figures,
    pub(super) checks: &'a mut Checks,
}

/// What was delivered to a participant, and by him; or what of his meter's energies is beyond that.
#[derive(Clone, Copy, Default)]
struct Flow {
    to: i128,
    by: i128,
}

impl<'a> Closing<'a> {
    /// Sums the slot up, compares what must agree, and writes its trades and flows.
    pub(super) fn close(&mut self, files: &mut Files) -> io::Result<()> {
        self.trades();
        self.traded_on_both_sides();
        self.people();
        self.meters();
        self.certificates();
        for line in &self.book.lines {
            files.trades.write(self.trade_row(line))?;
        }
        self.flows(files)
    }

    fn is_settled(&self) -> bool {
        self.phase >= Phase::Settled
    }

    fn note(&mut self, law: Law, sides: [i128; 2], of: impl FnOnce() -> String) {
        self.checks.note(law, Some(self.slot), sides, of);
    }

    fn trades(&mut self) {
        for Line { trade, delivery, paid, .. } in &self.book.lines {
            let of = || format!("trade {}", trade.id.0.0);
            self.figures.add(Figure::Trades, 1);
            self.figures.add(Figure::Traded, trade.energy.0);
            if self.is_settled() {
                let parts = delivery.map_or(0, |it| {
                    let parts = [it.delivered, it.seller_deviation, it.buyer_deviation];
                    parts.iter().map(|part| i128::from(part.0)).sum()
                });
                self.note(Law::Settled, [trade.energy.0.into(), parts], of);
            }
            if let Some(delivery) = delivery {
                self.delivered(trade, delivery);
            }
            let expected = expected::of_trade(self.market, trade, delivery.as_ref());
            self.paid(*paid, expected, of);
        }
    }

    fn delivered(&mut self, trade: &Trade, delivery: &Delivery) {
        let book = self.book;
        let is_read = |id| book.people.get(&id).is_some_and(|it| it.metered.is_some());
        let mut add = |figure, energy: Energy| self.figures.add(figure, energy.0);
        add(Figure::Delivered, delivery.delivered);
        add(Figure::SellerDeviation, delivery.seller_deviation);
        add(Figure::BuyerDeviation, delivery.buyer_deviation);
        if !is_read(trade.seller) {
            add(Figure::DeliveredUnread, delivery.delivered);
        }
        if !is_read(trade.buyer) {
            add(Figure::DrawnUnread, delivery.delivered);
        }
        self.figures.add(Figure::TradesEstimated, delivery.estimated);
    }

    fn paid(&mut self, paid: Paid, expected: Paid, of: impl Fn() -> String) {
        for (law, figure, posted, expected) in [
            (Law::EnergyPaid, Figure::EnergyPaid, paid.energy, expected.energy),
            (Law::WheelingPaid, Figure::WheelingPaid, paid.wheeling, expected.wheeling),
            (Law::CongestionPaid, Figure::CongestionPaid, paid.congestion, expected.congestion),
            (Law::FeePaid, Figure::FeePaid, paid.fee, expected.fee),
            (Law::DeviationPaid, Figure::DeviationPaid, paid.seller_deviation, expected.seller_deviation),
            (Law::DeviationPaid, Figure::DeviationPaid, paid.buyer_deviation, expected.buyer_deviation),
        ] {
            self.figures.add(figure, posted);
            self.note(law, [posted, expected], &of);
        }
    }

    /// Checks that all that was traded was bought and sold by somebody, and what of it the auction cleared.
    fn traded_on_both_sides(&mut self) {
        let book = self.book;
        let sum = |fits: fn(&Trade) -> bool| -> i128 {
            let trades = book.lines.iter().map(|line| &line.trade).filter(|trade| fits(trade));
            trades.map(|trade| i128::from(trade.energy.0)).sum()
        };
        let by_people = |of: fn(&Person) -> i128| -> i128 { book.people.values().map(of).sum() };
        let traded = sum(|_| true);
        self.note(Law::Bought, [traded, by_people(|it| it.bought)], String::new);
        self.note(Law::Sold, [traded, by_people(|it| it.sold)], String::new);
        if let Some(cleared) = book.cleared {
            let in_auction = sum(|trade| trade.matching == Matching::Auction);
            self.note(Law::Cleared, [in_auction, cleared.0.into()], String::new);
        }
    }

    /// Returns what was delivered to everybody, and by him.
    fn deliveries(&self) -> BTreeMap<ParticipantId, Flow> {
        let mut flows: BTreeMap<ParticipantId, Flow> = BTreeMap::new();
        for Line { trade, delivery, .. } in &self.book.lines {
            let delivered = delivery.map_or(0, |it| it.delivered.0.into());
            flows.entry(trade.buyer).or_default().to += delivered;
            flows.entry(trade.seller).or_default().by += delivered;
        }
        flows
    }

    /// Sums up what is beyond the trades; where a reading is missing, that is nothing.
    fn people(&mut self) {
        let (slot, market, deliveries) = (self.slot, self.market, self.deliveries());
        let tariff = expected::tariff(market, slot);
        for (&id, person) in &self.book.people {
            let of = || rows::name(market, id).to_owned();
            let delivered = deliveries.get(&id).copied().unwrap_or_default();
            let mut rest = Flow::default();
            if let Some(metered) = person.metered.filter(|_| self.is_settled()) {
                // OK because where more was delivered than metered, the next two laws say so.
                rest.to = (metered.import - delivered.to).max(0);
                rest.by = (metered.export - delivered.by).max(0);
                self.note(Law::Imported, [metered.import, delivered.to + rest.to], of);
                self.note(Law::Exported, [metered.export, delivered.by + rest.by], of);
            }
            self.figures.add(Figure::ResidualImport, rest.to);
            self.figures.add(Figure::FedIn, rest.by);
            self.figures.add(Figure::RetailPaid, person.retail);
            self.figures.add(Figure::FeedInPaid, person.feed_in);
            self.note(Law::RetailPaid, [person.retail, rest.to * i128::from(tariff.retail.0)], of);
            self.note(Law::FeedInPaid, [person.feed_in, rest.by * i128::from(tariff.feed_in.0)], of);
        }
    }

    fn meters(&mut self) {
        let (slot, market, people) = (self.slot, self.market, &self.book.people);
        for (&id, person) in people {
            let Some(Metered { import, export, generation, is_measured }) = person.metered else { continue };
            self.figures.add(Figure::MetersRead, 1);
            self.figures.add(Figure::MetersEstimated, !is_measured);
            self.figures.add(Figure::Generated, generation);
            self.figures.add(Figure::SelfConsumed, self_consumed(generation, export));
            self.figures.add(Figure::Exported, export);
            self.figures.add(Figure::Imported, import);
            let kept = market.metered_import(slot, id).0.into();
            self.note(Law::ImportKept, [import, kept], || rows::name(market, id).to_owned());
        }
        let is_read = |id: &&ParticipantId| people.get(id).is_some_and(|it| it.metered.is_some());
        let missing = self.with_meter.iter().filter(|id| !is_read(id)).count();
        self.figures.add(Figure::MetersMissing, missing as u64);
    }

    /// Checks that no more is certified of a producer than his meter measured.
    fn certificates(&mut self) {
        let mut certified: BTreeMap<ParticipantId, [i128; 2]> = BTreeMap::new();
        for record in self.market.certificates().of_slot(self.slot).filter(|it| !it.is_withdrawn) {
            let [export, own] = certified.entry(record.id.producer).or_default();
            match record.class {
                CertificateClass::Exported => *export += i128::from(record.energy.0),
                CertificateClass::SelfConsumed => *own += i128::from(record.energy.0),
            }
        }
        let market = self.market;
        for (producer, [certified_export, certified_own]) in certified {
            let metered = self.book.people.get(&producer).and_then(|it| it.metered);
            let Metered { export, generation, .. } = metered.filter(|it| it.is_measured).unwrap_or_default();
            let of = || rows::name(market, producer).to_owned();
            // What a correction downwards contradicts is withdrawn by the operator, or by the final settlement (R14), and
            // until then the reading can be corrected again.
            let place = (Some(self.slot), expected::open_until(market, self.slot));
            self.checks.note_until(Law::CertifiedExport, place, [certified_export, export], of);
            let own = self_consumed(generation, export);
            self.checks.note_until(Law::CertifiedOwn, place, [certified_own, own], of);
        }
    }

    fn trade_row(&self, line: &Line) -> TradeRow<'a> {
        let Line { trade, delivery, .. } = line;
        TradeRow {
            trade: trade.id.0.0,
            traded_at: Moment(line.traded_at),
            slot: self.slot.0,
            slot_begins_at: rows::begin(self.slot),
            phase: self.phase.to_string(),
            matching: rows::matching(trade.matching),
            buyer: rows::name(self.market, trade.buyer),
            buyer_zone: rows::zone(self.market, trade.buyer),
            bid: trade.bid.to_string(),
            seller: rows::name(self.market, trade.seller),
            seller_zone: rows::zone(self.market, trade.seller),
            offer: trade.offer.to_string(),
            energy_wh: trade.energy.0,
            price_yuan_per_kwh: rows::per_kwh(trade.price),
            wheeling_yuan_per_kwh: rows::per_kwh(trade.wheeling),
            congestion_yuan_per_kwh: rows::per_kwh(trade.congestion),
            fee_yuan_per_kwh: rows::per_kwh(trade.fee),
            tariff_version: trade.tariff_version,
            delivered_wh: delivery.map(|it| it.delivered.0),
            seller_deviation_wh: delivery.map(|it| it.seller_deviation.0),
            buyer_deviation_wh: delivery.map(|it| it.buyer_deviation.0),
            estimated: delivery.map(|it| it.estimated),
        }
    }

    /// Writes what the delivered energy sends over each edge, of a slot in which something was delivered.
    fn flows(&self, files: &mut Files) -> io::Result<()> {
        let config = self.market.config();
        let mut flows: Vec<i128> = vec![0; config.zones.len()];
        let mut is_delivered = false;
        for Line { trade, delivery, .. } in &self.book.lines {
            let Some(delivery) = delivery else { continue };
            is_delivered = true;
            let energy = i128::from(delivery.delivered.0);
            let [seller, buyer] = zones_of(self.market, trade);
            // Both up to the root; what they share comes to nothing.
            way_up(&config.zones, seller).for_each(|zone| flows[usize::from(zone.0)] += energy);
            way_up(&config.zones, buyer).for_each(|zone| flows[usize::from(zone.0)] -= energy);
        }
        for (zone, flow_up_wh) in config.zones.iter().zip(flows).filter(|_| is_delivered) {
            let Some(parent) = zone.parent else { continue };
            files.flows.write(FlowRow {
                slot: self.slot.0,
                slot_begins_at: rows::begin(self.slot),
                zone: &zone.name,
                parent: &config.zones[usize::from(parent.0)].name,
                flow_up_wh,
                capacity_up_wh: zone.capacity_up_w.map(|watts| in_a_slot(watts, config)),
                capacity_down_wh: zone.capacity_down_w.map(|watts| in_a_slot(watts, config)),
            })?;
        }
        Ok(())
    }
}
