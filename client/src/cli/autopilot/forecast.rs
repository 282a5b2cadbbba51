//! What the autopilot expects: a file that somebody else writes, or a clear sky.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::super::args::Autopilot;
use super::super::report::Failure;
use super::super::time::When;
use super::sun::Roof;

/// Where the expectation comes from.
#[derive(Clone, Debug)]
pub enum Forecast {
    /// A file of CSV.
    File(PathBuf),
    /// The sun, over a roof.
    ClearSky(Roof),
}

impl Forecast {
    /// Returns the forecast that a command line names.
    pub fn new(asked: &Autopilot) -> Forecast {
        match (&asked.forecast, asked.peak, asked.latitude.zip(asked.longitude)) {
            (None, Some(peak_w), Some((latitude, longitude))) => Forecast::ClearSky(Roof {
                latitude,
                longitude,
                tilt: asked.tilt,
                azimuth: asked.azimuth,
                peak_w,
                performance_percent: asked.performance,
            }),
            (file, ..) => Forecast::File(file.clone().unwrap_or_default()),
        }
    }

    /// Returns what is expected in each of these slots that the forecast names, in Wh.
    pub fn energies(&self, slots: Range<u32>, zone: &TimeZone) -> Result<BTreeMap<u32, u64>, Failure> {
        match self {
            Forecast::ClearSky(roof) => {
                Ok(slots.filter_map(|slot| Some((slot, roof.energy_wh(slot)?))).collect())
            }
            Forecast::File(path) => {
                let mut energies = read(path, zone)?;
                energies.retain(|slot, _| slots.contains(slot));
                Ok(energies)
            }
        }
    }
}

fn read(path: &Path, zone: &TimeZone) -> Result<BTreeMap<u32, u64>, Failure> {
    let failure = |problem| Failure::File {
        path: path.to_owned(),
        problem,
        next: "Correct the file; parkwatt autopilot --help shows one.".to_owned(),
    };
    let text = fs::read_to_string(path).map_err(|problem| failure(format!("cannot be read: {problem}")))?;
    parse(&text, zone).map_err(|problem| failure(format!("is no forecast: {problem}")))
}

/// Returns the energies of a file's slots, or the line, the value and the rule.
fn parse(text: &str, zone: &TimeZone) -> Result<BTreeMap<u32, u64>, String> {
    let mut lines = (1..).zip(text.trim_start_matches('\u{feff}').lines().map(str::trim));
    let heading = lines.next().map(|(_, line)| line.to_ascii_lowercase()).unwrap_or_default();
    let heading = heading.split_once(',').map(|(time, unit)| (time.trim(), unit.trim()));
    let Some(("time" | "delivery_start", unit @ ("kwh" | "wh" | "kw"))) = heading else {
        return Err("line 1: the heading is time,kwh or time,wh or time,kw".to_owned());
    };
    let mut energies = BTreeMap::new();
    for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
        let (slot, energy) = row(line, unit, zone).map_err(|problem| format!("line {number}: {problem}"))?;
        if energies.insert(slot, energy).is_some() {
            return Err(format!("line {number}: this quarter hour stands there already"));
        }
    }
    Ok(energies)
}

fn row(line: &str, unit: &str, zone: &TimeZone) -> Result<(u32, u64), String> {
    let cell = |cell: &str| cell.trim().trim_matches('"').trim().to_owned();
    let (time, energy) = line
        .split_once(',')
        .map(|(time, energy)| (cell(time), cell(energy)))
        .ok_or_else(|| format!("{line:?} is not a time, a comma and a number"))?;
    let When::Slot(slot) = When::parse(&time, zone).map_err(|problem| format!("{time:?}: {problem}"))? else {
        return Err(format!("{time:?} lacks its date, such as \"2026-06-01 12:00\""));
    };
    let milli =
        thousandths(&energy).ok_or_else(|| format!("{energy:?} is no number of at least 0, such as 1.8"))?;
    Ok((
        slot,
        match unit {
            "wh" => milli / 1_000,
            // A quarter of the power, over a quarter of an hour.
            "kw" => milli / 4,
            _ => milli,
        },
    ))
}

/// Returns a number in thousandths; more decimals are cut off, since less may always be expected.
fn thousandths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let fraction = format!("{:0<3}", fraction.get(..3).unwrap_or(fraction));
    whole.parse::<u64>().ok()?.checked_mul(1_000)?.checked_add(fraction.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u32 = 1_978_096;

    fn parsed(text: &str) -> Result<Vec<(u32, u64)>, String> {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        parse(text, &zone).map(|energies| energies.into_iter().collect())
    }

    #[test]
    fn a_forecast_is_read_in_each_unit_and_rounded_down() {
        for (text, wh) in [
            ("time,kwh\n2026-06-01 12:00,1.8\n", 1_800),
            ("time,kwh\r\n2026-06-01 12:00,1.83999\r\n", 1_839),
            ("Time, kWh\n\n\"2026-06-01 12:00\", 1\n", 1_000),
            ("delivery_start,wh\n2026-06-01T04:00:00Z,1800.9\n", 1_800),
            ("\u{feff}time,kw\n2026-06-01 12:00,7.2\n", 1_800),
            ("time,kwh\n2026-06-01 12:00,0\n", 0),
        ] {
            assert_eq!(parsed(text), Ok(vec![(NOON, wh)]), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, words) in [
            ("", "line 1: the heading"),
            ("time,mwh\n", "line 1: the heading"),
            ("time,kwh\n2026-06-01 12:00", "line 2: \"2026-06-01 12:00\" is not a time, a comma"),
            ("time,kwh\n2026-06-01 12:07,1\n", "12:00 and"),
            ("time,kwh\n12:00,1\n", "line 2: \"12:00\" lacks its date"),
            ("time,kwh\n2026-06-01 12:00,-1\n", "line 2: \"-1\" is no number"),
            ("time,kwh\n2026-06-01 12:00,1,8\n", "line 2: \"1,8\" is no number"),
            ("time,kwh\n2026-06-01 12:00,1\n2026-06-01T04:00:00Z,1\n", "line 3: this quarter hour"),
        ] {
            let problem = parsed(text).unwrap_err();
            assert!(problem.contains(words), "{text}: {problem}");
        }
    }
}
