//! Tariffs on the command line: which file is published, and how it is written.

use std::path::PathBuf;

use clap::Args;

/// Examples, and a file of tariffs.
pub const TARIFFS_HELP: &str = "\
EXAMPLES:
  parkwatt publish-tariffs july.toml --operator-key operator.pem
      the version holds from its first delivery on, until the next one's; that delivery's trading must not
      have opened

FILE:
  version = 2                              # above the last one's
  effective_from = \"2026-07-01 00:00\"      # local, or 2026-07-01T00:00:00+08:00
  market_fee_micros_per_kwh = 2000         # what a buyer pays the market: 0.002 yuan/kWh

  [[zones]]                                # every zone of the market; what is left out is 0
  name = \"park\"
  base_wheeling_micros_per_kwh = 50000     # what a buyer in this zone pays in any case

  [[zones]]
  name = \"garden\"
  base_wheeling_micros_per_kwh = 20000
  wheeling_up_micros_per_kwh = 15000       # from this zone to its parent
  wheeling_down_micros_per_kwh = 15000     # from the parent to this zone

  [[tariffs]]                              # the supplier's, by time of day
  from_quarter = 0                         # quarter hours of the UTC day, 0 to 95
  retail_micros_per_kwh = 420000
  feed_in_micros_per_kwh = 391000

  [[tariffs]]
  from_quarter = 28                        # 07:00 UTC
  retail_micros_per_kwh = 720000
  feed_in_micros_per_kwh = 391000";

/// Which tariffs to publish.
#[derive(Args, Debug)]
pub struct PublishTariffs {
    /// The file that says the version, in TOML
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The operator's key file
    #[arg(long, value_name = "FILE")]
    pub operator_key: PathBuf,
}
