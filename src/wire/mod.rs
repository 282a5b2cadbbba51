//! Between the contract and the engine: the only place that turns the words of one into those of the other.
//!
//! Step 3 of an order's path is [`parse()`]: bytes become a command, valid by construction. The other
//! direction turns what the engine says into leaves. Neither decides anything about the market.

mod certificates;
mod events;
mod genesis;
pub mod json;
mod outcome;
mod parse;
mod rotation;
mod tariffs;

pub use certificates::{certificate_id, class, gec_id};
pub use events::{auction, event_fact, trade};
pub use genesis::{config_of, genesis};
pub use outcome::{new_order, order_id, outcome, phase, side};
pub use parkwatt_proto::log_origin;
pub use parse::{Malformed, addressee, parse};
pub use rotation::check_consent;
pub use tariffs::tariffs;
