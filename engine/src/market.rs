//! The market: one request in, an outcome and events out.
//!
//! Knows who may ask for what, and what time brings; each subject's own rules are in its own module.
//! Keeps: a refused command changes nothing but its key's nonce; nothing happens before its time, or in
//! another order.

use alloc::vec::Vec;

use crate::accounts::Accounts;
use crate::book::{OpenOrder, Plan};
use crate::certificates::Certificates;
use crate::meters::Meters;
use crate::settled::Settled;
use crate::slots::{Due, Slots};
use crate::{
    Answers, CertificateId, CertificateWithdrawal, Command, ConfigError, Energy, Event, KeyHolder,
    MarketConfig, NewTariffs, OrderId, Outcome, ParticipantId, Participants, Phase, PublicKey, Rejection,
    Request, Retirement, Slot, Stamp, Tariffs, Timestamp, Trade, Transfer, state_hash,
};

/// One market's whole state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Market {
    pub(crate) config: MarketConfig,
    pub(crate) tariffs: Tariffs,
    pub(crate) participants: Participants,
    pub(crate) accounts: Accounts,
    pub(crate) slots: Slots,
    pub(crate) settled: Settled,
    pub(crate) meters: Meters,
    pub(crate) certificates: Certificates,
    /// What the order that is being placed would do, or has done; its memory is used again for the next one.
    pub(crate) plan: Plan,
    /// The moment that the market has reached.
    pub(crate) now: Timestamp,
    /// The earliest moment of the next command: behind that of the last one.
    pub(crate) earliest: Timestamp,
    pub(crate) quiet: Quiet,
}

/// The moment before which nothing falls due, as far as it is known: commands before it need not ask.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quiet(Timestamp);

/// What is known of what falls due makes no two markets differ.
impl PartialEq for Quiet {
    fn eq(&self, _: &Quiet) -> bool {
        true
    }
}

impl Eq for Quiet {}

impl Market {
    /// Founds a market.
    ///
    /// # Errors
    /// If the configuration does not hold; see [`MarketConfig::check`].
    pub fn new(config: MarketConfig) -> Result<Market, ConfigError> {
        config.check()?;
        Ok(Market {
            tariffs: Tariffs::new(&config),
            participants: Participants::new(config.operator_key),
            accounts: Accounts::default(),
            slots: Slots::default(),
            settled: Settled::default(),
            meters: Meters::default(),
            certificates: Certificates::default(),
            plan: Plan::default(),
            now: Timestamp::default(),
            earliest: Timestamp::default(),
            quiet: Quiet::default(),
            config,
        })
    }

    /// Returns the next moment at which time alone changes the market, for [`Market::tick`].
    pub fn next_due(&self) -> Option<Timestamp> {
        self.due_from(self.now)
    }

    /// Returns the next moment at which time alone changes the market, once it has reached `reached`: what
    /// should have expired before, and is held again, expires then.
    #[inline]
    fn due_from(&self, reached: Timestamp) -> Option<Timestamp> {
        let expiry = self.certificates.next_due().map(|due| due.max(reached));
        self.slots.next_due().into_iter().chain(expiry).min()
    }

    /// Applies a request, appends what follows from it to `events`, and returns its outcome.
    ///
    /// `events` is empty on entry. The events are the leaves right behind `stamp.index`.
    ///
    /// # Panics
    /// If `stamp.at` is not later than every earlier command's, or if something is due at or before it: time
    /// is let pass with [`Market::tick`] first.
    #[expect(
        clippy::inline_always,
        reason = "what it calls has a frame of its own; a second one costs a tenth"
    )]
    #[inline(always)]
    pub fn apply(&mut self, stamp: Stamp, request: &Request, events: &mut Vec<Event>) -> Outcome {
        assert!(events.is_empty(), "a request's events are its own");
        assert!(self.earliest <= stamp.at, "commands' moments rise");
        if stamp.at >= self.quiet.0 {
            self.look_ahead(stamp.at);
        }
        self.now = stamp.at;
        // OK because a command comes before the end of time.
        self.earliest = Timestamp(stamp.at.0.wrapping_add(1));
        // Nearly every command is one of these two, and plainly fine. Each is a function of its own, so that none
        // keeps anything in the registers for the sake of another.
        if let Some(enrolled) = self.participants.key_mut(&request.key)
            && let KeyHolder::Owner(owner) = enrolled.holder
            && request.nonce > enrolled.last_nonce
            && request.expires_at > stamp.at
        {
            if let Command::PlaceOrders(schedule) = &request.command {
                enrolled.last_nonce = request.nonce;
                if let [order] = &schedule.orders[..]
                    && self.place_single(stamp.index, owner, order, events)
                {
                    let id = OrderId { index: stamp.index, position: 0 };
                    return Outcome::Placed(Answers::from_buf([Ok(id)]));
                }
                return self.place_schedule(stamp, owner, schedule, events);
            }
            if let Command::CancelOrder(order) = request.command {
                enrolled.last_nonce = request.nonce;
                return match self.cancel_plain(owner, order) {
                    Some(energy) => Outcome::Cancelled(energy),
                    None => self.cancel_order(owner, order),
                };
            }
        }
        self.judge(stamp, request, events)
    }

    /// Judges a request by what holds for every command, and carries it out.
    #[inline(never)]
    fn judge(&mut self, stamp: Stamp, request: &Request, events: &mut Vec<Event>) -> Outcome {
        let holder = match self.admit(stamp, request) {
            Ok(holder) => holder,
            Err(rejection) => return Outcome::Rejected(rejection),
        };
        match (&request.command, holder) {
            (Command::PlaceOrders(schedule), KeyHolder::Owner(owner)) => {
                self.place_schedule(stamp, owner, schedule, events)
            }
            (Command::CancelOrder(order), KeyHolder::Owner(owner)) => self.cancel_order(owner, *order),
            _ => self.carry_out(stamp, holder, request, events),
        }
    }

    /// Checks that a command may come at a moment, and finds how long nothing falls due.
    #[cold]
    #[inline(never)]
    fn look_ahead(&mut self, at: Timestamp) {
        assert!(self.now <= at, "time does not run backwards");
        let quiet_until = [self.slots.next_due(), self.certificates.next_due()].into_iter().flatten().min();
        self.quiet = Quiet(quiet_until.unwrap_or(Timestamp(u64::MAX)));
        assert!(at < self.quiet.0, "what is due comes before the command");
    }

    /// Lets time pass until `stamp.at`, and appends what follows from it to `events`, in order of time; at one
    /// moment first orders expire, then slots go on, then certificates expire.
    ///
    /// `events` is empty on entry. The events are the leaves right behind `stamp.index`.
    ///
    /// # Panics
    /// If `stamp.at` is earlier than any moment before.
    pub fn tick(&mut self, stamp: Stamp, events: &mut Vec<Event>) {
        assert!(events.is_empty(), "a tick's events are its own");
        assert!(self.now <= stamp.at, "time does not run backwards");
        self.quiet = Quiet::default();
        let mut reached = core::mem::replace(&mut self.now, stamp.at);
        while let Some(due_at) = self.due_from(reached).filter(|due| *due <= stamp.at) {
            reached = due_at;
            match self.slots.due(reached) {
                Some(Due::Expiry(order)) => self.expire(order, events),
                Some(Due::PhaseEnd(slot)) => self.go_on(stamp, slot, events),
                None => self.certificates.expire(reached, events),
            }
        }
    }

    /// Lets a slot's next phase begin.
    fn go_on(&mut self, stamp: Stamp, slot: Slot, events: &mut Vec<Event>) {
        match self.phase(slot, stamp.at) {
            Phase::Auction => {
                self.uncross(stamp, slot, events);
                self.slots.begin(slot, Phase::Continuous, &self.config.timeline, events);
            }
            Phase::Continuous => {
                self.slots.close_book(slot, &mut self.accounts);
                self.slots.begin(slot, Phase::Closed, &self.config.timeline, events);
            }
            Phase::Closed => self.settle(slot, events),
            Phase::Settled | Phase::Resettled => self.conclude(slot, events),
            phase @ (Phase::Scheduled | Phase::Final) => {
                unreachable!("nothing is due in a slot that is {phase}")
            }
        }
    }

    /// Judges a request by what holds for every command, and returns for whom its key speaks.
    fn admit(&mut self, stamp: Stamp, request: &Request) -> Result<KeyHolder, Rejection> {
        let Request { ref key, nonce, expires_at, .. } = *request;
        let enrolled = self.participants.key_mut(key).ok_or(Rejection::KeyMustBeEnrolled)?;
        let last = enrolled.last_nonce;
        if nonce <= last {
            return Err(Rejection::NonceMustRise { nonce, last });
        }
        // Here the nonce is used up, also by a command that is refused below: it stands in the ledger.
        enrolled.last_nonce = nonce;
        if expires_at <= stamp.at {
            return Err(Rejection::CommandMustNotHaveExpired { expires_at, now: stamp.at });
        }
        Ok(enrolled.holder)
    }

    /// Carries out a command that is neither an order nor a cancellation of one: hands it on to where its subject's
    /// rules are.
    fn carry_out(
        &mut self,
        stamp: Stamp,
        holder: KeyHolder,
        request: &Request,
        events: &mut Vec<Event>,
    ) -> Outcome {
        let Request { ref key, ref command, .. } = *request;
        self.quiet = Quiet::default();
        let done = match (command, holder) {
            (Command::EnrolParticipant(new), _) if self.is_operator(holder) => {
                self.participants.enrol(&self.config, new).map(Outcome::Enrolled)
            }
            (Command::Deposit(deposit), _) if self.is_operator(holder) => self.deposit(deposit, events),
            (Command::PayOut(payout), _) if self.is_operator(holder) => self.pay_out(payout, events),
            (Command::PublishTariffs(new), _) if self.is_operator(holder) => self.publish_tariffs(stamp, new),
            (Command::RotateKey(rotation), _) => {
                self.participants.rotate_key(key, rotation.new_key).map(|()| Outcome::KeyRotated)
            }
            (Command::ReplaceOrder(replacement), KeyHolder::Owner(owner)) => {
                self.replace_order(stamp, owner, replacement, events)
            }
            (Command::CancelOrders(cancellation), _) => {
                self.cancel_orders(stamp, holder, cancellation, events)
            }
            (Command::SubmitReading(reading), KeyHolder::Meter(of)) => {
                self.take_reading(stamp, of, *reading, events)
            }
            (Command::RetireCertificates(retirement), KeyHolder::Owner(owner)) => {
                self.retire(stamp, owner, retirement, events)
            }
            (Command::TransferCertificates(transfer), KeyHolder::Owner(owner)) => {
                self.transfer(stamp, owner, transfer, events)
            }
            (Command::BundleCertificates(bundling), KeyHolder::Owner(owner)) => {
                let measured = |slot, producer| self.settled.measured(slot, producer, &self.meters);
                self.certificates.bundle(stamp, owner, *bundling, measured, events)
            }
            (Command::WithdrawCertificate(withdrawal), _) if self.is_operator(holder) => {
                self.withdraw_certificate(withdrawal, events)
            }
            _ => Err(Rejection::RoleMustPermit),
        };
        done.unwrap_or_else(Outcome::Rejected)
    }

    pub(crate) fn is_operator(&self, holder: KeyHolder) -> bool {
        match holder {
            KeyHolder::FoundingOperator => true,
            KeyHolder::Owner(id) => self.participants.get(id).new.roles.operator,
            KeyHolder::Meter(_) | KeyHolder::Retired => false,
        }
    }

    /// Publishes the next version of the tariffs.
    fn publish_tariffs(&mut self, stamp: Stamp, new: &NewTariffs) -> Result<Outcome, Rejection> {
        let phase = self.phase(new.effective_from, stamp.at);
        self.tariffs.publish(new, phase, stamp.at)?;
        Ok(Outcome::TariffsPublished)
    }

    fn retire(
        &mut self,
        stamp: Stamp,
        holder: ParticipantId,
        retirement: &Retirement,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let is_settled = self.phase(retirement.slot, stamp.at) >= Phase::Settled;
        let import = is_settled.then(|| self.meters.import(retirement.slot, holder));
        let measured = |slot, producer| self.settled.measured(slot, producer, &self.meters);
        self.certificates.retire(stamp, holder, retirement, import, measured, events)
    }

    fn transfer(
        &mut self,
        stamp: Stamp,
        from: ParticipantId,
        transfer: &Transfer,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let to = self.participants.by_name(&transfer.to).ok_or(Rejection::ParticipantMustExist)?;
        let is_settled = self.phase(transfer.slot, stamp.at) >= Phase::Settled;
        let measured = |slot, producer| self.settled.measured(slot, producer, &self.meters);
        self.certificates.transfer(from, to, transfer, is_settled, measured, events)
    }

    fn withdraw_certificate(
        &mut self,
        withdrawal: &CertificateWithdrawal,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let CertificateId { slot, producer, .. } = withdrawal.certificate;
        // Where nothing is kept of a slot its settlement is final, or there never was anything in it.
        let certifiable =
            self.settled.keeps(slot).then(|| self.settled.certifiable(slot, producer, &self.meters));
        let import_of = |id| self.meters.import(slot, id);
        self.certificates.withdraw(withdrawal, certifiable.as_ref(), import_of, events)
    }
}

/// What can be read of a market.
impl Market {
    /// Returns what the market was founded with.
    pub fn config(&self) -> &MarketConfig {
        &self.config
    }

    /// Returns every version of the tariffs.
    pub fn tariffs(&self) -> &Tariffs {
        &self.tariffs
    }

    /// Returns everyone who is enrolled.
    pub fn participants(&self) -> &Participants {
        &self.participants
    }

    /// Returns every balance and reservation.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Returns everyone's certificates.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Returns the moment that the market has reached: that of the last command or tick.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns the phase of a slot at `now`, a moment not before the last command's or tick's.
    pub fn phase(&self, slot: Slot, now: Timestamp) -> Phase {
        self.slots.phase(slot, now, &self.config.timeline)
    }

    /// Returns every slot in which orders, trades or metered energy wait for their settlement, rising.
    pub fn unsettled_slots(&self) -> impl Iterator<Item = Slot> {
        self.slots.held()
    }

    /// Returns the open orders of a slot, in order of arrival.
    pub fn open_orders(&self, slot: Slot) -> Vec<OpenOrder> {
        self.slots.get(slot).map_or_else(Vec::new, |state| state.book.orders())
    }

    /// Returns the trades of a slot that is not settled, in order of their ids.
    pub fn unsettled_trades(&self, slot: Slot) -> impl Iterator<Item = Trade> {
        self.slots.get(slot).into_iter().flat_map(|state| state.trades(&self.tariffs))
    }

    /// Returns what a participant drew in a slot: what is measured now, or was at the final settlement; zero
    /// where that is not known or not measured, or not known any more.
    pub fn metered_import(&self, slot: Slot, participant: ParticipantId) -> Energy {
        self.meters.import(slot, participant)
    }

    /// Returns the last nonce that a key used; 0 before its first.
    pub fn last_nonce(&self, key: &PublicKey) -> u64 {
        self.participants.last_nonce(key)
    }

    /// Returns a hash of the whole state, equal on every machine for equal histories.
    pub fn state_hash(&self) -> u64 {
        state_hash::of(&self.snapshot())
    }
}
