//! `publish-tariffs`: the next version of the tariffs, from a file.
//!
//! Knows how the file is written: in the words of a node's configuration. Does not know what the market's
//! rules ask of tariffs: the node judges that.

use std::path::Path;

use jiff::tz::TimeZone;
use parkwatt_client::v1::command::Kind;
use parkwatt_client::v1::{self, outcome};
use serde::Deserialize;
use serde_json::json;

use super::args::{Options, PublishTariffs};
use super::desk::Desk;
use super::report::{Failure, Report};
use super::surroundings;
use super::time::{When, slot_rfc3339, slot_text, zone_text};
use super::unlock::signing_key;

/// A version of the tariffs, as its file says it. Prices are micro-yuan per kWh.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TariffsFile {
    version: u32,
    effective_from: String,
    market_fee_micros_per_kwh: i64,
    zones: Vec<ZoneTable>,
    tariffs: Vec<BandTable>,
}

/// A zone's charges; those that are left out are 0.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ZoneTable {
    name: String,
    #[serde(default)]
    base_wheeling_micros_per_kwh: i64,
    #[serde(default)]
    wheeling_up_micros_per_kwh: i64,
    #[serde(default)]
    wheeling_down_micros_per_kwh: i64,
}

/// The supplier's tariffs from a time of day on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BandTable {
    from_quarter: u32,
    retail_micros_per_kwh: i64,
    feed_in_micros_per_kwh: i64,
}

/// Publishes the tariffs that a file says.
pub async fn publish(publish: &PublishTariffs, options: &Options) -> Result<Report, Failure> {
    let tariffs = read(&publish.file)?;
    let desk = Desk::open(options).await?;
    let (version, slot) = (tariffs.version, tariffs.effective_from_slot);
    let command = Kind::PublishTariffs(tariffs);
    let (outcome::Kind::TariffsPublished(_), receipt) =
        desk.submit(&signing_key(&publish.operator_key, options)?, command).await?
    else {
        return Err(desk.incomplete("the publication"));
    };
    Ok(Report {
        json: json!({ "tariffs_published": {
            "version": version,
            "effective_from_slot": slot,
            "effective_from": slot_rfc3339(slot),
            "leaf_index": receipt.leaf_index,
        } }),
        text: format!(
            "Version {version} of the tariffs holds for deliveries from {} ({}) on.",
            slot_text(slot, &desk.zone),
            zone_text(&desk.zone)
        ),
        refused: false,
        csv: None,
    })
}

/// Returns the tariffs that the file `path` says.
fn read(path: &Path) -> Result<v1::PublishTariffs, Failure> {
    let text = std::fs::read_to_string(path).map_err(|cause| Failure::File {
        path: path.to_owned(),
        problem: format!("cannot be read: {cause}"),
        next: "Check the file's name and who may read it; parkwatt publish-tariffs --help shows one."
            .to_owned(),
    })?;
    parse(&text, &surroundings::zone()).map_err(|problem| Failure::File {
        path: path.to_owned(),
        problem: format!("is no version of the tariffs: {problem}"),
        next: "Correct the file; parkwatt publish-tariffs --help shows one.".to_owned(),
    })
}

/// Returns the tariffs that `text` says, with its local times in `zone`; or what is wrong with it.
fn parse(text: &str, zone: &TimeZone) -> Result<v1::PublishTariffs, String> {
    let file: TariffsFile = toml::from_str(text).map_err(|error| error.to_string())?;
    let effective_from_slot = match When::parse(&file.effective_from, zone) {
        Ok(When::Slot(slot)) => slot,
        Ok(When::TimeOfDay(_) | When::OnDay(..)) => {
            return Err(format!(
                "effective_from: {:?} lacks its date, such as \"2026-07-01 00:00\"",
                file.effective_from
            ));
        }
        Err(problem) => return Err(format!("effective_from: {problem}")),
    };
    let charges = |zone: ZoneTable| v1::ZoneCharges {
        zone: zone.name,
        base_wheeling_micros_per_kwh: zone.base_wheeling_micros_per_kwh,
        wheeling_up_micros_per_kwh: zone.wheeling_up_micros_per_kwh,
        wheeling_down_micros_per_kwh: zone.wheeling_down_micros_per_kwh,
    };
    let band = |band: BandTable| v1::TariffBand {
        from_quarter: band.from_quarter,
        retail_micros_per_kwh: band.retail_micros_per_kwh,
        feed_in_micros_per_kwh: band.feed_in_micros_per_kwh,
    };
    Ok(v1::PublishTariffs {
        version: file.version,
        effective_from_slot,
        zones: file.zones.into_iter().map(charges).collect(),
        market_fee_micros_per_kwh: file.market_fee_micros_per_kwh,
        tariffs: file.tariffs.into_iter().map(band).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::args::TARIFFS_HELP;
    use super::*;

    /// Returns the file that the help shows.
    fn shown() -> String {
        let (_, file) = TARIFFS_HELP.split_once("FILE:\n").unwrap();
        file.lines().map(|line| line.trim_start().to_owned() + "\n").collect()
    }

    #[test]
    fn the_file_that_the_help_shows_is_one() {
        let tariffs = parse(&shown(), &TimeZone::UTC).unwrap();
        assert_eq!((tariffs.version, tariffs.market_fee_micros_per_kwh), (2, 2_000));
        assert_eq!(slot_rfc3339(tariffs.effective_from_slot).as_deref(), Some("2026-07-01T00:00:00Z"));
        let zones: Vec<_> = tariffs.zones.iter().map(|zone| zone.zone.as_str()).collect();
        assert_eq!(zones, ["park", "garden"]);
        assert_eq!(tariffs.zones[1].wheeling_up_micros_per_kwh, 15_000);
        assert_eq!(tariffs.zones[0].wheeling_up_micros_per_kwh, 0);
        let bands: Vec<_> = tariffs.tariffs.iter().map(|band| band.from_quarter).collect();
        assert_eq!(bands, [0, 28]);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_named() {
        for (good, bad, words) in [
            ("version = 2", "edition = 2", "unknown field `edition`"),
            ("feed_in_micros_per_kwh = 391000", "", "missing field `feed_in_micros_per_kwh`"),
            ("2026-07-01 00:00", "2026-07-01 00:10", "effective_from: a delivery begins on a quarter hour"),
            ("2026-07-01 00:00", "00:00", "lacks its date"),
            ("= 391000", "= 0.391", "line"),
        ] {
            let problem = parse(&shown().replace(good, bad), &TimeZone::UTC).unwrap_err();
            assert!(problem.contains(words), "{bad:?}: {problem}");
        }
    }
}
