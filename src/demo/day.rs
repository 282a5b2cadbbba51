//! The day: what happens at the park, in the order in which it happens.

use parkwatt_engine::{MICROS_PER_SECOND, SECONDS_PER_SLOT, Slot};
use parkwatt_proto::v1::{
    self, CancelOrder, Deposit, EnrolParticipant, NewOrder, OrderState, PlaceOrders, Quality,
    RetireCertificates, Role, Side, SubmitReading, command::Kind,
};

use super::{
    desk::Desk,
    park::{Kind as PointKind, Point},
    strategy::Horizon,
};

/// Seconds in a day.
const DAY: u64 = 86_400;
/// How long before the first auction the owners enrol, in seconds.
const ENROL_BEFORE: u64 = 3_600;

/// Something that happens at the park.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The operator enrols everybody and pays their deposits in.
    Enrol,
    /// Everybody hands in his schedule for a day, ten minutes before its first auction.
    DayAhead(u32),
    /// Who has PV or a business looks again at the four quarter hours of an hour, half an hour before.
    Intraday(u32),
    /// The meters are read for the four quarter hours of an hour, a minute after it, and businesses claim
    /// their certificates.
    Metering(u32),
}

impl Step {
    /// Returns all steps of `days` from `first` on with the seconds at which they happen, in order.
    pub fn all(first: Slot, days: u32) -> Vec<(u64, Step)> {
        let midnight = |day: u32| (u64::from(first.0) + u64::from(day) * 96) * SECONDS_PER_SLOT;
        let hour = |hour: u32| midnight(0) + u64::from(hour) * 3600;
        let mut steps = vec![(midnight(0) - DAY - 600 - ENROL_BEFORE, Step::Enrol)];
        steps.extend((0..days).map(|day| (midnight(day) - DAY - 600, Step::DayAhead(day))));
        steps.extend((0..days * 24).map(|it| (hour(it) - 1800, Step::Intraday(it))));
        steps.extend((0..days * 24).map(|it| (hour(it + 1) + 60, Step::Metering(it))));
        steps.sort_by_key(|step| step.0);
        steps
    }
}

impl Desk<'_> {
    /// Does one step at its moment.
    pub async fn step(&mut self, at_seconds: u64, step: Step) -> anyhow::Result<()> {
        self.advance_to(at_seconds * MICROS_PER_SECOND).await?;
        match step {
            Step::Enrol => self.enrol().await,
            Step::DayAhead(day) => self.day_ahead(day).await,
            Step::Intraday(hour) => self.intraday(hour).await,
            Step::Metering(hour) => {
                self.metering(hour).await?;
                self.retire(hour).await
            }
        }
    }

    async fn enrol(&mut self) -> anyhow::Result<()> {
        let mut commands = Vec::new();
        for seat in 0..self.seats.len() {
            let point = &self.park.points[seat];
            let enrol = EnrolParticipant {
                name: point.name.clone(),
                public_key: self.seats[seat].owner.public_key().to_bytes().to_vec(),
                meter_public_key: self.seats[seat].meter.public_key().to_bytes().to_vec(),
                zone: point.zone.clone(),
                roles: vec![Role::Producer.into(), Role::Consumer.into()],
                pv_capacity_w: point.pv_capacity_w,
                connection_capacity_w: point.pv_capacity_w.max(point.load_peak_w),
                credit_limit_fen: deposit_fen(point),
            };
            let deposit = Deposit { participant: point.name.clone(), amount_fen: deposit_fen(point) };
            commands.push(self.sign_operator(Kind::EnrolParticipant(enrol)));
            commands.push(self.sign_operator(Kind::Deposit(deposit)));
        }
        self.hand_in(&commands).await
    }

    async fn day_ahead(&mut self, day: u32) -> anyhow::Result<()> {
        let mut commands = Vec::new();
        for seat in 0..self.seats.len() {
            let quarters = day * 96..(day + 1) * 96;
            let orders: Vec<NewOrder> =
                quarters.filter_map(|quarter| self.order(seat, quarter, Horizon::DayAhead, 0)).collect();
            if !orders.is_empty() {
                commands.push(self.sign_owner(seat, placing(orders)));
            }
        }
        self.hand_in(&commands).await
    }

    /// Where the forecast has changed, what still stands is withdrawn and what is still missing is ordered
    /// anew.
    async fn intraday(&mut self, hour: u32) -> anyhow::Result<()> {
        let mut commands = Vec::new();
        for seat in 0..self.seats.len() {
            let point = &self.park.points[seat];
            if point.pv_capacity_w == 0 && point.kind == PointKind::Household {
                continue;
            }
            let placed = self.orders(seat).await?;
            let mut orders = Vec::new();
            for quarter in hour * 4..(hour + 1) * 4 {
                let slot = self.slot(quarter);
                let in_slot = || {
                    placed
                        .iter()
                        .filter_map(|it| it.order.as_ref().map(|order| (it, order)))
                        .filter(|(_, order)| order.slot == slot.0)
                };
                let traded = in_slot().map(|(it, order)| signed(order.side, it.traded_wh)).sum();
                for (open, _) in in_slot().filter(|(it, _)| it.state == i32::from(OrderState::Open)) {
                    let cancel = CancelOrder { order: open.id };
                    commands.push(self.sign_owner(seat, Kind::CancelOrder(cancel)));
                }
                orders.extend(self.order(seat, quarter, Horizon::Intraday, traded));
            }
            if !orders.is_empty() {
                commands.push(self.sign_owner(seat, placing(orders)));
            }
        }
        self.hand_in(&commands).await
    }

    async fn metering(&mut self, hour: u32) -> anyhow::Result<()> {
        let mut commands = Vec::new();
        if hour == 0 {
            // A meter's first reading is its baseline: it measures nothing.
            for seat in 0..self.seats.len() {
                commands.push(self.reading(seat, None));
            }
        }
        for quarter in hour * 4..(hour + 1) * 4 {
            for seat in 0..self.seats.len() {
                commands.push(self.reading(seat, Some(quarter)));
            }
        }
        self.hand_in(&commands).await
    }

    /// Businesses without PV claim what they were delivered; everybody else keeps what he has.
    async fn retire(&mut self, hour: u32) -> anyhow::Result<()> {
        let first_slot = self.slot(hour * 4);
        let mut commands = Vec::new();
        for seat in 0..self.seats.len() {
            let point = &self.park.points[seat];
            if point.kind != PointKind::Business || point.pv_capacity_w > 0 {
                continue;
            }
            let name = point.name.clone();
            let holdings = self.certificates(seat).await?;
            for slot in first_slot.0..first_slot.0 + 4 {
                let in_slot =
                    |it: &&v1::CertificateHolding| it.certificate.as_ref().is_some_and(|id| id.slot == slot);
                let energy_wh = holdings.iter().filter(in_slot).map(|it| it.held_wh).sum();
                if energy_wh > 0 {
                    let it = RetireCertificates {
                        slot,
                        energy_wh,
                        consumption_slot: slot,
                        beneficiary: name.clone(),
                        ..RetireCertificates::default()
                    };
                    commands.push(self.sign_owner(seat, Kind::RetireCertificates(it)));
                }
            }
        }
        self.hand_in(&commands).await
    }

    fn slot(&self, quarter: u32) -> Slot {
        Slot(self.park.first_slot.0 + quarter)
    }

    /// Returns the order for what is expected and not traded yet; an offer stays within what the plant can
    /// deliver.
    fn order(&self, seat: usize, quarter: u32, horizon: Horizon, traded_wh: i64) -> Option<NewOrder> {
        let (point, slot) = (&self.park.points[seat], self.slot(quarter));
        let expected = self.strategy.forecast(point, slot, point.profile[quarter as usize], horizon);
        let most = i64::try_from(point.pv_capacity_w / 4).expect("a plant's quarter hour fits 63 bits");
        let missing = expected.min(most) - traded_wh;
        // Who sold too much does not buy it back, and the reverse: the meter settles it.
        let same_way = traded_wh == 0 || missing.signum() == traded_wh.signum();
        let energy_wh = if same_way { missing } else { 0 };
        self.strategy.order(self.config, point, slot, energy_wh, horizon)
    }

    /// Signs the reading at the end of a quarter hour, or the baseline before the first.
    fn reading(&mut self, seat: usize, quarter: Option<u32>) -> v1::SignedCommand {
        let point = &self.park.points[seat];
        let read = quarter.map_or(0, |quarter| quarter as usize + 1);
        let before = u32::try_from(read).expect("a park has fewer than 2^32 quarter hours");
        // Registers count from the day when the meter was built in; without PV there is none for generation.
        let [mut import_register_wh, mut export_register_wh] = [1_000_000; 2];
        let mut generation_register_wh = if point.pv_capacity_w > 0 { 1_000_000 } else { 0 };
        for [generation, load] in &point.profile[..read] {
            import_register_wh += load.saturating_sub(*generation);
            export_register_wh += generation.saturating_sub(*load);
            generation_register_wh += generation;
        }
        let reading = SubmitReading {
            read_at_micros: Slot(self.park.first_slot.0 + before).start().0,
            import_register_wh,
            export_register_wh,
            generation_register_wh,
            counter: read as u64 + 1,
            quality: Quality::Measured.into(),
        };
        self.sign_meter(seat, Kind::SubmitReading(reading))
    }
}

/// Returns what is paid in for a point, in fen: 200 yuan, and a day's energy at its peak at 1 yuan/kWh.
pub fn deposit_fen(point: &Point) -> u64 {
    20_000 + point.load_peak_w * 24 / 1000 * 100
}

/// Returns the command that places these orders, each judged by itself.
fn placing(orders: Vec<NewOrder>) -> Kind {
    Kind::PlaceOrders(PlaceOrders { orders, all_or_none: false })
}

/// Returns an energy with its direction: positive out of the point, negative into it.
fn signed(side: i32, energy_wh: u64) -> i64 {
    let energy_wh = i64::try_from(energy_wh).expect("an order's energy fits 63 bits");
    if side == i32::from(Side::Offer) { energy_wh } else { -energy_wh }
}
