//! What people ask for in scenarios, from words to commands.

use parkwatt_engine::*;

use super::arranging::tariff;
use super::{FOUNDER, SLOT, Signing, World, at, key, meter_key};
use crate::twin::machine::Machine;
use crate::words::Words;

impl<M: Machine> World<M> {
    pub(super) fn enrol(&mut self, signing: Signing, words: &mut Words) -> String {
        let new = self.new_participant(words);
        self.ask(signing, FOUNDER, Command::EnrolParticipant(new))
    }

    pub(super) fn deposit(&mut self, signing: Signing, words: &mut Words) -> String {
        let deposit = Deposit { participant: words.next().to_owned(), amount_fen: words.number() };
        words.must("fen");
        self.ask(signing, FOUNDER, Command::Deposit(deposit))
    }

    /// Takes `ann to k2`, or `ann meter to k2`.
    pub(super) fn rotate(&mut self, signing: Signing, words: &mut Words) -> String {
        let holder = words.next();
        let old = if words.skip("meter") { meter_key(holder) } else { key(holder) };
        words.must("to");
        let rotation = KeyRotation { new_key: key(words.next()) };
        let signing = Signing { key: signing.key.or(Some(old)), ..signing };
        self.ask(signing, holder, Command::RotateKey(rotation))
    }

    pub(super) fn place(
        &mut self,
        signing: Signing,
        label: Option<&str>,
        side: &str,
        words: &mut Words,
    ) -> String {
        let owner = words.next();
        let schedule = Schedule { orders: vec![new_order(side, words)], all_or_none: false };
        let answer = self.ask(signing, owner, Command::PlaceOrders(schedule));
        if let Some(label) = label {
            self.labels.insert(label.to_owned(), self.last_order.expect("an order with a label is accepted"));
        }
        answer
    }

    /// Takes `ann whole: bid 20 kWh at 3.00; bid 10 kWh at 2.00`, or without `whole` each by itself.
    pub(super) fn place_schedule(&mut self, signing: Signing, line: &str, words: &mut Words) -> String {
        let owner = words.next();
        let (_, list) = line.split_once(owner).expect("the owner stands in the line");
        let all_or_none = words.skip("whole");
        let list = if all_or_none { list.trim().trim_start_matches("whole") } else { list };
        while !words.are_over() {
            words.next();
        }
        let order = |text: &str| {
            let mut words = Words::new(text);
            let side = words.next();
            let order = new_order(side, &mut words);
            words.end();
            order
        };
        let orders = list.split(';').map(order).collect();
        self.ask(signing, owner, Command::PlaceOrders(Schedule { orders, all_or_none }))
    }

    pub(super) fn cancel(&mut self, signing: Signing, words: &mut Words) -> String {
        let owner = words.next();
        let order = self.labelled(words.next());
        self.ask(signing, owner, Command::CancelOrder(order))
    }

    /// Takes `ann a 12 kWh at 3.00`; the label then names the order as it is.
    pub(super) fn replace(&mut self, signing: Signing, words: &mut Words) -> String {
        let (owner, label) = (words.next(), words.next());
        let (order, energy) = (self.labelled(label), words.energy());
        words.must("at");
        let replacement = Replacement { order, limit: words.price(), energy };
        let answer = self.ask(signing, owner, Command::ReplaceOrder(replacement));
        if let Some(new) = self.last_order.filter(|_| answer.starts_with("replaced")) {
            self.labels.insert(label.to_owned(), new);
            return answer.replacen("replaced", if new == order { "kept its place" } else { "moved" }, 1);
        }
        answer
    }

    /// Takes `ann`, `ann bids`, `ann offers in +1`; whoever else signs names her.
    pub(super) fn cancel_all(&mut self, signing: Signing, words: &mut Words) -> String {
        let owner = words.next();
        let is_by_another = signing.key.is_some_and(|signer| signer != key(owner));
        let side = match () {
            () if words.skip("bids") => Some(Side::Bid),
            () if words.skip("offers") => Some(Side::Offer),
            () => None,
        };
        let withdrawal = Cancellation {
            participant: is_by_another.then(|| owner.to_owned()),
            slot: words.is_next("in").then(|| relative_slot(words)),
            side,
        };
        self.ask(signing, owner, Command::CancelOrders(withdrawal))
    }

    fn labelled(&self, label: &str) -> OrderId {
        let nobodys = OrderId { index: LeafIndex(999_999), position: 0 };
        if label == "unheard-of" { nobodys } else { self.labels[label] }
    }

    /// Takes `eve in +1 import 6 kWh export 9 kWh count 42`, or `at +0:20` for a moment instead of a slot, and
    /// where there is any `generation 3 kWh` before the count, and a quality behind it.
    pub(super) fn read(&mut self, signing: Signing, words: &mut Words) -> String {
        let of = words.next();
        let read_at = if words.skip("at") { at(words.seconds()) } else { relative_slot(words).end() };
        words.must("import");
        let import_register = words.energy();
        words.must("export");
        let export_register = words.energy();
        let generation_register = if words.skip("generation") { words.energy() } else { Energy::ZERO };
        words.must("count");
        let counter = words.number();
        let quality = match () {
            () if words.skip("estimated") => Quality::Estimated,
            () if words.skip("substituted") => Quality::Substituted,
            () => Quality::Measured,
        };
        let reading =
            Reading { read_at, import_register, export_register, generation_register, counter, quality };
        let signing = Signing { key: signing.key.or(Some(meter_key(of))), ..signing };
        self.ask(signing, of, Command::SubmitReading(reading))
    }

    /// Takes `ann 1235 fen`, or `ann all`.
    pub(super) fn pay_out(&mut self, signing: Signing, words: &mut Words) -> String {
        let participant = words.next().to_owned();
        let amount = if words.skip("all") {
            PayoutAmount::All
        } else {
            let fen = words.number();
            words.must("fen");
            PayoutAmount::Fen(fen)
        };
        self.ask(signing, FOUNDER, Command::PayOut(Payout { participant, amount }))
    }

    /// Takes `2 in +100`, and what is different from the market's own tariffs: `fee 0.02`,
    /// `zone east up 0.06 down 0.05 base 0.01`, `from 0 retail 0.80 feed-in 0.20`; `zones 1` for charges of
    /// so many zones.
    pub(super) fn publish(&mut self, signing: Signing, words: &mut Words) -> String {
        let (version, effective_from) = (words.number(), relative_slot(words));
        let charges = |zone: &Zone| {
            let Zone { base_wheeling, wheeling_up, wheeling_down, .. } = *zone;
            ZoneCharges { base_wheeling, wheeling_up, wheeling_down }
        };
        let mut zones: Vec<ZoneCharges> = self.config.zones.iter().map(charges).collect();
        let (mut market_fee, mut bands) = (self.config.market_fee, Vec::new());
        while !words.are_over() {
            if words.skip("fee") {
                market_fee = words.price();
            } else if words.skip("zones") {
                zones.truncate(words.number());
            } else if words.skip("zone") {
                let zone = &mut zones[usize::from(self.zone(words.next()).0)];
                let mut charge = |word| if words.skip(word) { words.price() } else { Price::ZERO };
                let (wheeling_up, wheeling_down) = (charge("up"), charge("down"));
                *zone = ZoneCharges { wheeling_up, wheeling_down, base_wheeling: charge("base") };
            } else {
                bands.push(tariff(words));
            }
        }
        if bands.is_empty() {
            bands.clone_from(&self.config.tariffs);
        }
        let new = NewTariffs { version, effective_from, zones, market_fee, bands };
        self.ask(signing, FOUNDER, Command::PublishTariffs(new))
    }
}

/// Takes `20 kWh at 3.00`, `in +1` for another slot, and conditions in any order: `until -23:30`,
/// `immediate`, `fill-or-kill`, `post-only`, `at least 5 kWh`.
fn new_order(side: &str, words: &mut Words) -> NewOrder {
    let energy = words.energy();
    words.must("at");
    let limit = words.price();
    let side = if side == "bid" { Side::Bid } else { Side::Offer };
    let mut order = NewOrder::resting(side, relative_slot(words), limit, energy);
    while !words.are_over() {
        match words.next() {
            "until" => order.time_in_force = TimeInForce::GoodUntil(at(words.seconds())),
            "immediate" => order.time_in_force = TimeInForce::ImmediateOrCancel,
            "fill-or-kill" => order.time_in_force = TimeInForce::FillOrKill,
            "post-only" => order.post_only = true,
            "at" => {
                words.must("least");
                order.minimum_fill = words.energy();
            }
            other => panic!("`{other}` is no condition of an order"),
        }
    }
    order
}

/// Takes `in +1`: a slot counted from the scenarios' own, which it is without these words.
pub(super) fn relative_slot(words: &mut Words) -> Slot {
    let offset = if words.skip("in") { words.number() } else { 0 };
    Slot(SLOT.0.checked_add_signed(offset).expect("a slot nearby"))
}
