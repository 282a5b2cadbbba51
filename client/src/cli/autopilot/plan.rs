//! What is to be done: from a forecast, a strategy and what stands, to the next steps.
//!
//! Knows no network and no clock.
//! Keeps: after its steps, in any order and however often each is done, what stands in a slot and what was sold
//! of it do not exceed what may be sold; an offer counts on what it was planned upon.

use std::collections::BTreeMap;
use std::ops::Range;

use parkwatt_client::v1::{Genesis, OrderId};

const SLOT_SECONDS: u64 = 900;
const MICROS: u64 = 1_000_000;

/// What an owner wants.
#[derive(Clone, Copy, Debug)]
pub struct Strategy {
    /// The least he takes, in micro-yuan per kWh.
    pub floor: i64,
    /// What he asks first.
    pub ask: i64,
    /// In which steps the price falls; more than 0.
    pub step: i64,
    /// How long before the gate it begins to fall.
    pub lower_over_s: u64,
    /// What he keeps of the forecast, in per cent.
    pub keep_percent: u32,
}

/// An offer that waits in the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub order: OrderId,
    /// What it is for altogether, in Wh.
    pub energy_wh: u64,
    /// What has traded of it.
    pub traded_wh: u64,
    /// Its limit.
    pub limit: i64,
}

/// What stands in the market, slot by slot.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// The own offers that wait.
    pub offers: BTreeMap<u32, Vec<Standing>>,
    /// What was sold, in Wh.
    pub sold: BTreeMap<u32, u64>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// More is offered.
    Offer {
        /// Of which slot.
        slot: u32,
        /// How much, in Wh.
        energy_wh: u64,
        /// At which limit.
        price: i64,
    },
    /// An offer gets another limit, or is for less.
    Change {
        /// Of which slot.
        slot: u32,
        /// Which one, as it stands.
        standing: Standing,
        /// What it is for altogether then.
        energy_wh: u64,
        /// Its limit then.
        price: i64,
    },
    /// An offer is withdrawn.
    Withdraw {
        /// Of which slot.
        slot: u32,
        /// Which one.
        standing: Standing,
    },
}

impl Standing {
    /// Returns what still waits of it, in Wh.
    pub fn open_wh(&self) -> u64 {
        self.energy_wh.saturating_sub(self.traded_wh)
    }
}

impl Book {
    /// Returns what was sold of a slot, in Wh.
    pub fn sold_wh(&self, slot: u32) -> u64 {
        self.sold.get(&slot).copied().unwrap_or_default()
    }

    /// Returns what waits in a slot, in Wh.
    pub fn open_wh(&self, slot: u32) -> u64 {
        self.offers.get(&slot).into_iter().flatten().map(Standing::open_wh).sum()
    }
}

impl Strategy {
    /// Returns what may be sold of a forecast, in whole lots.
    pub fn for_sale_wh(&self, forecast_wh: u64, lot_wh: u64) -> u64 {
        let share = u128::from(forecast_wh) * u128::from(100 - self.keep_percent.min(100)) / 100;
        let share = u64::try_from(share).unwrap_or(u64::MAX);
        share - share % lot_wh.max(1)
    }

    /// Returns the limit of a slot's offers so long before its gate closes.
    pub fn price(&self, left_s: u64) -> i64 {
        if left_s >= self.lower_over_s {
            return self.ask;
        }
        let spread =
            i128::from(self.ask - self.floor) * i128::from(left_s) / i128::from(self.lower_over_s.max(1));
        let fallen = spread - spread % i128::from(self.step.max(1));
        self.floor + i64::try_from(fallen).expect("it lies between 0 and the spread")
    }
}

/// Returns the slots that can be traded now.
pub fn open_slots(genesis: &Genesis, now_micros: u64) -> Range<u32> {
    let now_s = now_micros / MICROS;
    let slot = |second: u64| u32::try_from(second / SLOT_SECONDS).unwrap_or(u32::MAX);
    // A slot is open from so long before its beginning on, and until its gate closes.
    slot(now_s + u64::from(genesis.gate_before_s)) + 1..slot(now_s + u64::from(genesis.opens_before_s)) + 1
}

/// Returns the next steps, slot by slot.
pub fn plan(
    forecast: &BTreeMap<u32, u64>,
    strategy: &Strategy,
    book: &Book,
    genesis: &Genesis,
    now_micros: u64,
) -> Vec<Step> {
    let open = open_slots(genesis, now_micros);
    let mut steps = Vec::new();
    for (&slot, &forecast_wh) in forecast.range(open) {
        let gate_s = u64::from(slot) * SLOT_SECONDS - u64::from(genesis.gate_before_s);
        let price = strategy.price(gate_s.saturating_sub(now_micros / MICROS));
        let for_sale = strategy.for_sale_wh(forecast_wh, genesis.lot_wh);
        let committed = book.sold_wh(slot) + book.open_wh(slot);
        let lot = genesis.lot_wh.max(1);
        let mut excess = committed.saturating_sub(for_sale).div_ceil(lot) * lot;
        let standing = book.offers.get(&slot).into_iter().flatten();
        for standing in standing.rev() {
            let cut = excess.min(standing.open_wh());
            excess -= cut;
            if cut == standing.open_wh() {
                steps.push(Step::Withdraw { slot, standing: *standing });
            } else if cut > 0 || standing.limit != price {
                let energy_wh = standing.energy_wh - cut;
                steps.push(Step::Change { slot, standing: *standing, energy_wh, price });
            }
        }
        let more = for_sale.saturating_sub(committed) / lot * lot;
        if more > 0 {
            steps.push(Step::Offer { slot, energy_wh: more.min(genesis.order_energy_max_wh), price });
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u32 = 1_978_096;

    fn genesis() -> Genesis {
        Genesis {
            lot_wh: 100,
            order_energy_max_wh: 5_000,
            opens_before_s: 48 * 3_600,
            gate_before_s: 900,
            ..Genesis::default()
        }
    }

    fn strategy() -> Strategy {
        Strategy { floor: 400_000, ask: 480_000, step: 10_000, lower_over_s: 4 * 3_600, keep_percent: 30 }
    }

    /// So many seconds before noon's gate closes.
    fn before_gate(seconds: u64) -> u64 {
        (u64::from(NOON) * 900 - 900 - seconds) * MICROS
    }

    fn standing(index: u64, energy_wh: u64, traded_wh: u64, limit: i64) -> Standing {
        Standing { order: OrderId { index, position: 0 }, energy_wh, traded_wh, limit }
    }

    fn steps(forecast_wh: u64, offers: Vec<Standing>, sold_wh: u64, left_s: u64) -> Vec<Step> {
        let book = Book { offers: BTreeMap::from([(NOON, offers)]), sold: BTreeMap::from([(NOON, sold_wh)]) };
        plan(&BTreeMap::from([(NOON, forecast_wh)]), &strategy(), &book, &genesis(), before_gate(left_s))
    }

    #[test]
    fn what_is_offered_is_the_forecast_less_what_is_kept_in_whole_lots() {
        // 70 % of 2,050 Wh are 1,435 Wh.
        let offer = |energy_wh| vec![Step::Offer { slot: NOON, energy_wh, price: 480_000 }];
        assert_eq!(steps(2_050, vec![], 0, 20_000), offer(1_400));
        assert_eq!(steps(2_050, vec![], 900, 20_000), offer(500));
        assert_eq!(steps(2_050, vec![standing(1, 1_000, 200, 480_000)], 200, 20_000), offer(400));
        assert_eq!(steps(100, vec![], 0, 20_000), vec![]);
        assert_eq!(steps(1_000_000, vec![], 0, 20_000), offer(5_000));
    }

    #[test]
    fn the_price_falls_towards_the_gate_in_steps_and_never_below_the_floor() {
        let prices = [14_401, 14_400, 14_399, 7_200, 1_800, 1_799, 0].map(|left| strategy().price(left));
        assert_eq!(prices, [480_000, 480_000, 470_000, 440_000, 410_000, 400_000, 400_000]);
        let offer = standing(1, 1_400, 300, 480_000);
        let change = Step::Change { slot: NOON, standing: offer, energy_wh: 1_400, price: 440_000 };
        assert_eq!(steps(2_000, vec![offer], 300, 7_200), [change]);
        assert_eq!(steps(2_000, vec![standing(1, 1_400, 300, 440_000)], 300, 7_200), []);
    }

    #[test]
    fn a_forecast_that_falls_withdraws_the_newest_first() {
        let offers = vec![standing(1, 1_000, 0, 480_000), standing(2, 400, 0, 480_000)];
        let withdraw = Step::Withdraw { slot: NOON, standing: offers[1] };
        // 70 % of 1,000 Wh: 700 of the 1,400 must go.
        let change = Step::Change { slot: NOON, standing: offers[0], energy_wh: 700, price: 480_000 };
        assert_eq!(steps(1_000, offers.clone(), 0, 20_000), [withdraw, change]);
        let all = [withdraw, Step::Withdraw { slot: NOON, standing: offers[0] }];
        assert_eq!(steps(0, offers, 0, 20_000), all);
        // What is sold beyond the forecast stays sold.
        assert_eq!(steps(0, vec![], 700, 20_000), []);
    }

    #[test]
    fn only_what_can_be_traded_and_what_the_forecast_names_is_touched() {
        assert_eq!(steps(2_000, vec![], 0, 0), [], "the gate closes now");
        assert_eq!(steps(2_000, vec![], 0, 1).len(), 1);
        assert_eq!(steps(2_000, vec![], 0, 48 * 3_600 - 900).len(), 1);
        assert_eq!(steps(2_000, vec![], 0, 48 * 3_600 - 899), [], "trading has not opened");
        let book = Book { offers: BTreeMap::from([(NOON, vec![standing(1, 100, 0, 1)])]), ..Book::default() };
        assert_eq!(plan(&BTreeMap::new(), &strategy(), &book, &genesis(), before_gate(9_000)), []);
    }

    /// Does a step as the market does it, and returns what stands in the slot then.
    fn done(mut offers: Vec<Standing>, step: Step) -> Vec<Standing> {
        match step {
            Step::Offer { energy_wh, price, .. } => offers.push(standing(99, energy_wh, 0, price)),
            Step::Withdraw { standing, .. } => offers.retain(|it| it.order != standing.order),
            Step::Change { standing, energy_wh, price, .. } => {
                let offer = offers.iter_mut().find(|it| it.order == standing.order).unwrap();
                *offer = Standing { energy_wh, limit: price, ..*offer };
            }
        }
        offers
    }

    #[test]
    fn whichever_steps_are_done_no_more_stands_than_may_be_sold_and_all_of_them_reach_it() {
        let mut seen = 0;
        for forecast_wh in [0, 100, 999, 1_430, 3_000, 10_000] {
            for (sold_before, sold_wh) in [(0, 0), (0, 300), (200, 200), (200, 1_000)] {
                for energies in [vec![], vec![700], vec![300, 900], vec![500, 500, 500]] {
                    // What has traded of the first offer is among what was sold.
                    let offers: Vec<_> = (1..)
                        .zip(&energies)
                        .map(|(n, wh)| standing(n, *wh, if n == 1 { sold_before } else { 0 }, 480_000))
                        .collect();
                    let planned = steps(forecast_wh, offers.clone(), sold_wh, 7_200);
                    let total =
                        |offers: &[Standing]| sold_wh + offers.iter().map(Standing::open_wh).sum::<u64>();
                    let for_sale = strategy().for_sale_wh(forecast_wh, 100);
                    for subset in 0_u32..1 << planned.len() {
                        let chosen = planned.iter().enumerate().filter(|(n, _)| subset & (1 << n) != 0);
                        let after = chosen.fold(offers.clone(), |offers, (_, step)| done(offers, *step));
                        assert!(total(&after) <= total(&offers).max(for_sale), "{planned:?}");
                        seen += 1;
                    }
                    let after = planned.iter().fold(offers.clone(), |offers, step| done(offers, *step));
                    let capped = for_sale.min(total(&offers) + genesis().order_energy_max_wh);
                    assert_eq!(
                        total(&after),
                        capped.max(sold_wh),
                        "{forecast_wh} {sold_wh} {offers:?}: {planned:?}"
                    );
                }
            }
        }
        assert!(seen > 200, "{seen}");
    }
}
