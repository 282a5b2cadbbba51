//! `autopilot`: sells what a forecast expects, by itself, until it is stopped.
//!
//! Knows how plans become commands; what is planned is `plan`'s.
//! Keeps: what stands in a slot and what was sold of it never exceed the forecast less what is kept, however
//! often this is killed, the network fails, or two of them run. Nothing is remembered: each look asks the market.
//!
//! Withdrawals and changes cannot make it more, so they may be done on an old view. An offer may: it rests on
//! what was read. So before the view that it is planned on comes a *fence*, a command that withdraws nothing
//! and uses up a nonce: whatever an earlier run left on its way has a lower one, and is refused from then on.
//! The offer's nonce is the next one above the fence's: if any other command of the key comes between, the
//! market refuses the offer, and the next look sees what that command did.

mod forecast;
mod plan;
pub mod sun;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use parkwatt_client::v1::command::Kind;
use parkwatt_client::v1::{
    CancelOrder, CancelOrders, NewOrder, PlaceOrders, ReplaceOrder, Side, TimeInForce, order_answer, outcome,
};
use parkwatt_client::{ClientError, Column, Signer};

use super::args::{Autopilot, Options};
use super::desk::Desk;
use super::quantity::price_text;
use super::report::{Failure, Report, tell};
use super::unlock::own_key;
use forecast::Forecast;
use plan::{Book, Standing, Step, Strategy, open_slots, plan};
use told::Done;

/// How many orders a read returns at most.
const ORDERS_MAX: u32 = 1_000;
/// How often a look is repeated at once because another command of the key came between.
const TRIES: usize = 3;
/// How much longer than trading is open a statement looks back, so that it has every sale of the open slots.
const MARGIN_MICROS: u64 = 3_600_000_000;

/// What the autopilot works with.
struct Pilot<'a> {
    key: SigningKey,
    forecast: Forecast,
    strategy: Strategy,
    options: &'a Options,
    dry_run: bool,
    /// Offers that a rule refused: they are not made again as they were.
    refused: BTreeSet<(u32, u64, i64)>,
}

/// Sells until it is stopped, or once.
pub async fn fly(asked: &Autopilot, options: &Options) -> Result<Report, Failure> {
    let mut pilot = Pilot {
        key: own_key(options)?,
        forecast: Forecast::new(asked),
        strategy: strategy(asked)?,
        options,
        dry_run: asked.dry_run,
        refused: BTreeSet::new(),
    };
    let mut has_looked = false;
    loop {
        let looked = pilot.look().await;
        if asked.once {
            return looked;
        }
        let told = match &looked {
            Ok(report) => tell(report, options.output),
            // A forecast that was read before is being written just now.
            Err(failure) if goes_on(failure) || has_looked && matches!(failure, Failure::File { .. }) => {
                tell(&told::waiting(failure, asked.every), options.output)
            }
            Err(_) => return looked,
        };
        has_looked |= looked.is_ok();
        if told.is_err() || !waited(asked.every).await {
            return Ok(Report {
                text: "The autopilot ends; what it offered stands.".to_owned(),
                ..Report::default()
            });
        }
    }
}

/// Waits; returns whether it goes on then, or is asked to end.
async fn waited(every: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(every) => true,
        _ = tokio::signal::ctrl_c() => false,
    }
}

/// Returns whether trouble passes by itself: a node that is away, or busy, comes back, and what came too late
/// is looked at again.
fn goes_on(failure: &Failure) -> bool {
    match failure {
        Failure::Client(
            ClientError::Unreachable { .. } | ClientError::Refused { retry_after: Some(_), .. },
        ) => true,
        Failure::Rejected(rejection) => {
            ["NONCE_MUST_RISE", "COMMAND_MUST_NOT_HAVE_EXPIRED"].contains(&rejection.code.as_str())
        }
        _ => false,
    }
}

fn strategy(asked: &Autopilot) -> Result<Strategy, Failure> {
    let usage = |field, problem: &str, next: &str| Failure::Usage {
        field,
        problem: problem.to_owned(),
        next: next.to_owned(),
    };
    let ask = asked.ask.unwrap_or(asked.floor);
    if ask < asked.floor {
        return Err(usage("--ask", "what is asked first lies below the floor", "Choose a higher --ask."));
    }
    if asked.step <= 0 {
        return Err(usage("--step", "a price falls in steps of more than 0", "Choose another --step."));
    }
    Ok(Strategy {
        floor: asked.floor,
        ask,
        step: asked.step,
        lower_over_s: asked.lower_over.as_secs(),
        keep_percent: asked.keep,
    })
}

impl Pilot<'_> {
    /// Looks once, and does what is to be done.
    async fn look(&mut self) -> Result<Report, Failure> {
        let mut tries = 1;
        loop {
            match self.try_to_look().await {
                Err(Failure::Rejected(rejection)) if rejection.code == "NONCE_MUST_RISE" && tries < TRIES => {
                    tries += 1;
                }
                looked => return looked,
            }
        }
    }

    async fn try_to_look(&mut self) -> Result<Report, Failure> {
        let desk = Desk::open(self.options).await?;
        self.check_prices(&desk)?;
        let slots = open_slots(&desk.genesis, desk.now_micros);
        let forecast = self.forecast.energies(slots, &desk.zone)?;
        let book = self.read(&desk).await?;
        let steps = self.steps(&forecast, &book, &desk);
        if self.dry_run || steps.is_empty() {
            let steps: Vec<_> = steps.into_iter().map(|step| Done { step, refusal: None }).collect();
            return Ok(told::report(self, &steps, &forecast, &book, &desk));
        }
        let mut signer = desk.signer(&self.key);
        let (offers, others): (Vec<_>, Vec<_>) =
            steps.into_iter().partition(|step| matches!(step, Step::Offer { .. }));
        let mut done = Vec::new();
        for step in others {
            done.extend(change(step, &desk, &mut signer).await?);
        }
        if !offers.is_empty() {
            fence(&desk, &mut signer).await?;
            let book = self.read(&desk).await?;
            let steps = self.steps(&forecast, &book, &desk);
            done.extend(self.offer(steps, &desk, &mut signer).await?);
        }
        let book = self.read(&desk).await?;
        Ok(told::report(self, &done, &forecast, &book, &desk))
    }

    /// Returns the next steps, without the offers that a rule has refused before.
    fn steps(&self, forecast: &BTreeMap<u32, u64>, book: &Book, desk: &Desk) -> Vec<Step> {
        let mut steps = plan(forecast, &self.strategy, book, &desk.genesis, desk.now_micros);
        steps.retain(|step| match step {
            Step::Offer { slot, energy_wh, price } => !self.refused.contains(&(*slot, *energy_wh, *price)),
            _ => true,
        });
        steps
    }

    /// Reads what stands and what was sold.
    ///
    /// The orders come first: a trade between the two reads is counted twice then, and not left out.
    async fn read(&self, desk: &Desk) -> Result<Book, Failure> {
        let session = desk.session(&self.key);
        let orders = desk.connection.orders(&session, true, ORDERS_MAX).await?;
        if orders.len() >= ORDERS_MAX as usize {
            return Err(Failure::Usage {
                field: "orders",
                problem: format!("{ORDERS_MAX} orders are open, and there may be more that cannot be seen"),
                next: "Withdraw some of them: parkwatt cancel --help".to_owned(),
            });
        }
        let mut book = Book::default();
        for order in orders {
            let (Some(id), Some(placed)) = (order.id, order.order) else {
                return Err(desk.incomplete("an order"));
            };
            if placed.side() == Side::Offer {
                book.offers.entry(placed.slot).or_default().push(Standing {
                    order: id,
                    energy_wh: placed.energy_wh,
                    traded_wh: order.traded_wh,
                    limit: placed.limit_price_micros_per_kwh,
                });
            }
        }
        book.offers
            .values_mut()
            .for_each(|offers| offers.sort_by_key(|it| (it.order.index, it.order.position)));
        let back = u64::from(desk.genesis.opens_before_s) * 1_000_000 + MARGIN_MICROS;
        // One that ends in an hour has whatever was recorded by now.
        let from = desk.now_micros.saturating_sub(back);
        let until = desk.now_micros.saturating_add(MARGIN_MICROS);
        let statement = desk.connection.statement(&session, from, until).await?;
        for (slot, figures) in &statement.slots {
            let sold = u64::try_from(figures.get(Column::Sold)).unwrap_or_default();
            book.sold.insert(*slot, sold);
        }
        Ok(book)
    }

    /// Places the offers among these steps, in as few commands as can be.
    async fn offer(
        &mut self,
        steps: Vec<Step>,
        desk: &Desk,
        signer: &mut Signer,
    ) -> Result<Vec<Done>, Failure> {
        let offers: Vec<_> = steps
            .into_iter()
            .filter_map(|step| match step {
                Step::Offer { slot, energy_wh, price } => Some((step, slot, energy_wh, price)),
                _ => None,
            })
            .collect();
        let mut done = Vec::new();
        for chunk in offers.chunks(usize::try_from(desk.genesis.schedule_len_max).unwrap_or(1).max(1)) {
            let order = |(_, slot, energy_wh, price): &(Step, u32, u64, i64)| NewOrder {
                side: Side::Offer.into(),
                slot: *slot,
                limit_price_micros_per_kwh: *price,
                energy_wh: *energy_wh,
                time_in_force: TimeInForce::GoodUntilGate.into(),
                ..NewOrder::default()
            };
            let orders = chunk.iter().map(order).collect();
            let command = Kind::PlaceOrders(PlaceOrders { orders, all_or_none: false });
            let (outcome::Kind::Placed(placed), _) = desk.hand_in(signer, command).await? else {
                return Err(desk.incomplete("the answers to the orders"));
            };
            for ((step, slot, energy_wh, price), answer) in chunk.iter().zip(placed.orders) {
                let refusal = match answer.kind {
                    Some(order_answer::Kind::Rejected(rejection)) => {
                        self.refused.insert((*slot, *energy_wh, *price));
                        Some(rejection)
                    }
                    _ => None,
                };
                done.push(Done { step: *step, refusal });
            }
        }
        Ok(done)
    }

    /// Refuses prices that no order of this market can have.
    fn check_prices(&self, desk: &Desk) -> Result<(), Failure> {
        let genesis = &desk.genesis;
        let tick = genesis.tick_micros_per_kwh.max(1);
        for (field, price) in [("--floor", self.strategy.floor), ("--ask", self.strategy.ask)] {
            let is_within =
                (genesis.price_floor_micros_per_kwh..=genesis.price_cap_micros_per_kwh).contains(&price);
            if !is_within || price % tick != 0 {
                return Err(Failure::Usage {
                    field,
                    problem: format!("{} is no price of this market", price_text(price)),
                    next: format!(
                        "Choose a multiple of {} between {} and {}.",
                        price_text(tick),
                        price_text(genesis.price_floor_micros_per_kwh),
                        price_text(genesis.price_cap_micros_per_kwh)
                    ),
                });
            }
        }
        if self.strategy.step % tick != 0 {
            return Err(Failure::Usage {
                field: "--step",
                problem: format!("{} is no multiple of the market's tick", price_text(self.strategy.step)),
                next: format!("Choose a multiple of {}.", price_text(tick)),
            });
        }
        Ok(())
    }
}

/// Uses up a nonce, so that no earlier command can come in any more.
///
/// No slot of 1970 is open: there is nothing that this could withdraw, and the market refuses it.
async fn fence(desk: &Desk, signer: &mut Signer) -> Result<(), Failure> {
    let nothing = CancelOrders { participant: String::new(), slot: Some(0), side: Side::Offer.into() };
    match desk.hand_in(signer, Kind::CancelOrders(nothing)).await {
        Ok(_) => Ok(()),
        // A later rule refused it: the nonce is used up all the same.
        Err(Failure::Rejected(rejection)) if rejection.code == "SLOT_MUST_BE_OPEN" => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// What a rule says to the change of an order that has traded, lapsed or been changed in the meantime: nothing is
/// to be done any more, and the next look sees what became of it.
const OVERTAKEN: [&str; 4] =
    ["ORDER_MUST_BE_OPEN", "ORDER_MUST_EXIST", "GATE_MUST_BE_OPEN", "ENERGY_MUST_EXCEED_WHAT_HAS_TRADED"];

/// Does a step that cannot make more of what stands; nothing where it was overtaken.
async fn change(step: Step, desk: &Desk, signer: &mut Signer) -> Result<Option<Done>, Failure> {
    let command = match step {
        Step::Withdraw { standing, .. } => Kind::CancelOrder(CancelOrder { order: Some(standing.order) }),
        Step::Change { standing, energy_wh, price, .. } => Kind::ReplaceOrder(ReplaceOrder {
            order: Some(standing.order),
            limit_price_micros_per_kwh: price,
            energy_wh,
        }),
        Step::Offer { .. } => return Ok(None),
    };
    match desk.hand_in(signer, command).await {
        Ok(_) => Ok(Some(Done { step, refusal: None })),
        Err(Failure::Rejected(rejection)) if OVERTAKEN.contains(&rejection.code.as_str()) => Ok(None),
        Err(Failure::Rejected(rejection)) if rejection.code != "NONCE_MUST_RISE" => {
            Ok(Some(Done { step, refusal: Some(rejection) }))
        }
        Err(failure) => Err(failure),
    }
}
