//! The auction beside an independent solver of linear programs, on markets too large to try every result.
#![allow(
    clippy::float_arithmetic,
    reason = "the solver computes in floats; what it finds is whole and rounded"
)]

use alloc::vec::Vec;

use microlp::{ComparisonOp, OptimizationDirection, Problem, Variable};
use proptest::prelude::*;

use super::check_clearing;
use super::sample::{Case, orders, zones};
use crate::Side;

impl Case {
    /// Returns the greatest sum over all results of `scale` times the welfare, and `per_bid` for each Wh that
    /// is traded.
    fn solve(&self, scale: i64, per_bid: i64) -> i64 {
        let mut problem = Problem::new(OptimizationDirection::Maximize);
        let mut balances: Vec<Vec<(Variable, f64)>> = alloc::vec![Vec::new(); self.config.zones.len()];
        for order in &self.orders {
            let (gain, sign) = match order.side {
                Side::Bid => (scale * self.net(order) + per_bid, -1.0),
                Side::Offer => (-scale * self.net(order), 1.0),
            };
            let variable = problem.add_var(float(gain), (0.0, float(order.remaining.0.cast_signed())));
            balances[usize::from(order.zone.0)].push((variable, sign));
        }
        let lot = self.config.lot.0;
        for (number, zone) in self.config.zones.iter().enumerate().skip(1) {
            let parent = usize::from(zone.parent.unwrap().0);
            let ways = [
                (zone.wheeling_up, zone.capacity_up_w, -1.0),
                (zone.wheeling_down, zone.capacity_down_w, 1.0),
            ];
            for (charge, watts, sign) in ways {
                let lots = watts.map(|watts| (watts / 4 / lot * lot).cast_signed());
                let most = lots.map_or(f64::INFINITY, float);
                let flow = problem.add_var(float(-scale * charge.0), (0.0, most));
                balances[number].push((flow, sign));
                balances[parent].push((flow, -sign));
            }
        }
        for balance in balances {
            problem.add_constraint(&balance, ComparisonOp::Eq, 0.0);
        }
        whole(problem.solve().unwrap().into_solution().unwrap().objective())
    }
}

#[allow(clippy::cast_precision_loss, reason = "the numbers are far below 2^53")]
fn float(number: i64) -> f64 {
    number as f64
}

#[allow(clippy::cast_possible_truncation, reason = "the numbers are far below 2^53")]
fn whole(number: f64) -> i64 {
    assert!((number - number.round()).abs() < 0.01, "whole numbers have a whole optimum, not {number}");
    number.round() as i64
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn an_independent_solver_finds_the_same_welfare_and_volume(
        zones in zones(12, 6_000), orders in orders(60, 3, 2_000), lot in prop::sample::select(&[1_u64, 5]),
    ) {
        let case = Case::new(&zones, &orders, lot, 500);
        let cleared = case.clear();
        let executed = case.executed(&cleared);
        let (mut welfare, mut volume) = (0, 0);
        for (order, energy) in case.orders.iter().zip(&executed) {
            let energy = energy.cast_signed();
            welfare += if order.side == Side::Bid { case.net(order) } else { -case.net(order) } * energy;
            volume += if order.side == Side::Bid { energy } else { 0 };
        }
        for (zone, export) in case.config.zones.iter().zip(&cleared.clearing.exports_wh) {
            welfare -= if *export > 0 { zone.wheeling_up } else { zone.wheeling_down }.0 * export.abs();
        }
        prop_assert_eq!(welfare, case.solve(1, 0));
        prop_assert_eq!(2 * welfare + volume, case.solve(2, 1));
        let trades = case.trades(&cleared);
        prop_assert_eq!(check_clearing(&case.config, &case.orders, &cleared.clearing, &trades), Ok(()));
    }
}
