//! The autopilot on the command line: what it expects of the sun, what it wants, and how often it looks.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};

use super::super::autopilot::sun;
use super::super::{quantity, values};

/// Examples, and how the autopilot goes about it.
pub const AUTOPILOT_HELP: &str = "\
EXAMPLES:
  parkwatt autopilot --forecast tomorrow.csv --floor 0.40 --dry-run --once
      says what it would do, and does nothing
  parkwatt autopilot --forecast forecast.csv --floor 0.40 --ask 0.48 --keep 30
      sells 70 % of the forecast: at 0.48 first, and down to 0.40 as the gate comes nearer
  parkwatt autopilot --latitude 31.2 --longitude 121.5 --tilt 25 --azimuth 180 --peak 8kW --floor 0.40 --keep 50
      expects what a clear sky would give, and keeps half of it

FORECAST:
  time,kwh                        or wh, or kw for the mean power in the quarter hour
  2026-06-01 12:00,1.8            local, or 2026-06-01T12:00:00+08:00
  2026-06-01 12:15,1.75           the file is read again at every look; what it does not name is left alone

HOW IT GOES ABOUT IT:
  In the quarter hours of the forecast all your offers are the autopilot's: do not sell by hand in them.
  It never offers more than the forecast less what you keep, what has been sold included. Where the forecast
  falls, it withdraws; what is sold stays sold, and what is not delivered of it costs a deviation charge.
  It keeps nothing on disk. It asks the market what stands, so it may be stopped and started at any moment.
  Before it offers more it signs a withdrawal that withdraws nothing: after that no earlier command can come
  in any more, and if another command of your key comes between, its offers are refused and it looks again.";

/// What the autopilot works with.
#[derive(Args, Clone, Debug)]
#[command(group(ArgGroup::new("expected").required(true).args(["forecast", "peak"])))]
pub struct Autopilot {
    /// The forecast, as CSV: what you expect to feed in, by quarter hour
    #[arg(long, value_name = "FILE")]
    pub forecast: Option<PathBuf>,
    /// The peak power of the PV, such as 8kW, to expect what a clear sky gives
    #[arg(long, value_name = "POWER", value_parser = quantity::power)]
    #[arg(requires_all = ["latitude", "longitude"])]
    pub peak: Option<u64>,
    /// Where the roof is, in degrees north
    #[arg(long, value_name = "DEGREES", value_parser = sun::latitude, allow_negative_numbers = true)]
    #[arg(requires = "peak")]
    pub latitude: Option<f64>,
    /// Where the roof is, in degrees east
    #[arg(long, value_name = "DEGREES", value_parser = sun::longitude, allow_negative_numbers = true)]
    #[arg(requires = "peak")]
    pub longitude: Option<f64>,
    /// How steep the panels stand: 0 is flat, 90 upright
    #[arg(long, value_name = "DEGREES", value_parser = sun::tilt, default_value = "20", requires = "peak")]
    pub tilt: f64,
    /// Where the panels look: 90 is east, 180 south, 270 west
    #[arg(long, value_name = "DEGREES", value_parser = sun::azimuth, default_value = "180", requires = "peak")]
    pub azimuth: f64,
    /// What is left of the sun's energy after heat, dirt, cables and inverter, in per cent
    #[arg(long, value_name = "PERCENT", allow_negative_numbers = true, value_parser = values::whole::<u32>(1..=100))]
    #[arg(default_value_t = 80, requires = "peak")]
    pub performance: u32,
    /// The least you take, in yuan per kWh
    #[arg(long, value_name = "PRICE", value_parser = quantity::price, allow_negative_numbers = true)]
    pub floor: i64,
    /// What you ask first, in yuan per kWh [default: the floor]
    #[arg(long, value_name = "PRICE", value_parser = quantity::price, allow_negative_numbers = true)]
    pub ask: Option<i64>,
    /// How long before its gate closes a quarter hour's price begins to fall from --ask to --floor
    #[arg(long, value_name = "TIME", value_parser = values::duration, default_value = "6h")]
    pub lower_over: Duration,
    /// In which steps it falls, in yuan per kWh
    #[arg(long, value_name = "PRICE", value_parser = quantity::price, default_value = "0.01")]
    pub step: i64,
    /// What you keep of the forecast for yourself, in per cent
    #[arg(long, value_name = "PERCENT", allow_negative_numbers = true, value_parser = values::whole::<u32>(0..=100))]
    #[arg(default_value_t = 0)]
    pub keep: u32,
    /// How often it looks
    #[arg(long, value_name = "TIME", value_parser = values::duration, default_value = "1m")]
    pub every: Duration,
    /// Look once, do what is to be done, and end
    #[arg(long)]
    pub once: bool,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
}
