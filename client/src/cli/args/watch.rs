//! The live view on the command line: what is watched, and how.

use std::time::Duration;

use clap::Args;

use super::super::time::When;
use super::super::values;

/// What to watch.
#[derive(Args, Clone, Copy, Debug)]
pub struct Watch {
    /// When the delivery begins [default: the next that can be traded]
    #[arg(long, value_name = "TIME", value_parser = values::when)]
    pub at: Option<When>,
    /// How often it looks, also where the node tells of nothing new
    #[arg(long, value_name = "TIME", value_parser = values::duration, default_value = "5s")]
    pub every: Duration,
    /// Write one picture as text, and end
    #[arg(long)]
    pub once: bool,
    /// The picture's width, in letters
    #[arg(long, value_name = "N", requires = "once", default_value_t = 100)]
    #[arg(allow_negative_numbers = true, value_parser = values::whole::<u16>(40..=400))]
    pub columns: u16,
    /// The picture's height, in lines
    #[arg(long, value_name = "N", requires = "once", default_value_t = 32)]
    #[arg(allow_negative_numbers = true, value_parser = values::whole::<u16>(12..=200))]
    pub rows: u16,
}
