//! Orders on the command line: what is placed, and how it is changed and withdrawn.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};
use parkwatt_client::v1;

use super::super::span::Span;
use super::super::time::{Moment, When};
use super::super::{quantity, values};

/// What to bid or offer.
#[derive(Args, Clone, Copy, Debug)]
pub struct Order {
    /// How much in each quarter hour, such as 2kWh
    // With a hyphen, so that a negative one is told what an energy is.
    #[arg(value_name = "ENERGY", value_parser = quantity::energy, allow_hyphen_values = true)]
    pub energy: u64,
    /// When the delivery begins, such as 12:00 or "tomorrow 12:00", or from when until when: 12:00-14:00
    #[arg(long, value_name = "TIME", value_parser = values::span)]
    pub at: Span,
    /// The limit in yuan per kWh: the least you take, or the most you pay with wheeling and fee
    #[arg(long, value_name = "PRICE", value_parser = quantity::price, allow_negative_numbers = true)]
    pub price: i64,
    /// The same in each quarter hour from --at until then
    #[arg(long, value_name = "TIME", value_parser = values::when)]
    pub until: Option<When>,
    /// Place the orders of all quarter hours, or none of them if one is refused
    #[arg(long)]
    pub all_or_none: bool,
    /// How long it stands, and what it asks of its coming
    #[command(flatten)]
    pub conditions: Conditions,
}

/// How long an order stands, and what it asks of its coming.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Conditions; without any, the order stands until the gate closes")]
pub struct Conditions {
    /// Trade at once; what does not trade lapses
    #[arg(long, group = "time-in-force")]
    pub immediate: bool,
    /// Trade whole at once, or be refused
    #[arg(long, group = "time-in-force")]
    pub fill_or_kill: bool,
    /// Stand until then, such as 10:30; what has not traded lapses
    #[arg(long, value_name = "TIME", value_parser = values::moment, group = "time-in-force")]
    pub good_until: Option<Moment>,
    /// Be refused rather than trade at once
    #[arg(long)]
    pub post_only: bool,
    /// Be refused unless so much trades at once, such as 1kWh
    #[arg(long, value_name = "ENERGY", value_parser = quantity::energy)]
    pub at_least: Option<u64>,
}

/// How to change an order.
#[derive(Args, Clone, Copy, Debug)]
#[command(group(ArgGroup::new("change").required(true).multiple(true).args(["energy", "price"])))]
pub struct Replace {
    /// The order's name, as `parkwatt orders` shows it, such as 1234.0
    #[arg(value_name = "ORDER", value_parser = values::order_id)]
    pub order: v1::OrderId,
    /// How much it is for altogether, what has traded of it included [default: as it is]
    #[arg(long, value_name = "ENERGY", value_parser = quantity::energy)]
    pub energy: Option<u64>,
    /// Its limit in yuan per kWh [default: as it is]
    #[arg(long, value_name = "PRICE", value_parser = quantity::price, allow_negative_numbers = true)]
    pub price: Option<i64>,
}

/// What to withdraw.
#[derive(Args, Clone, Debug)]
#[command(group(ArgGroup::new("what").required(true).args(["order", "all"])))]
pub struct Cancel {
    /// The order's name, as `parkwatt orders` shows it, such as 1234.0
    #[arg(value_name = "ORDER", value_parser = values::order_id)]
    pub order: Option<v1::OrderId>,
    /// All open orders, or those that the next options name
    #[arg(long)]
    pub all: bool,
    /// Only those of the quarter hour that begins then
    #[arg(long, value_name = "TIME", value_parser = values::when, conflicts_with = "order")]
    pub at: Option<When>,
    /// Only those of this side
    #[arg(long, value_enum, conflicts_with = "order")]
    pub side: Option<Side>,
    /// Those of this participant instead of your own; for the operator
    #[arg(long, value_name = "NAME", value_parser = values::name)]
    #[arg(requires = "operator_key", conflicts_with = "order")]
    pub participant: Option<String>,
    /// The operator's key file
    #[arg(long, value_name = "FILE", requires = "participant")]
    pub operator_key: Option<PathBuf>,
}

/// A side of the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Side {
    /// The bids
    Bid,
    /// The offers
    Offer,
}
