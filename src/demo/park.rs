//! The park: connection points, grid and quarter-hour profiles, from three CSV files.
//!
//! Bad files are refused with file, line, column, value and what must hold.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use csv::{Reader, ReaderBuilder, StringRecord};
use parkwatt_engine::{SECONDS_PER_SLOT, Slot};

const BUILT_IN: [&str; 3] = [
    include_str!("park/participants.csv"),
    include_str!("park/network.csv"),
    include_str!("park/profiles.csv"),
];

/// A park, and what was generated and used in it.
pub struct Park {
    /// The connection points, in the file's order.
    pub points: Vec<Point>,
    /// The zones, the root first.
    pub zones: Vec<ZoneRow>,
    /// The first quarter hour.
    pub first_slot: Slot,
    /// Whole days of profiles.
    pub days: u32,
}

/// One connection point.
pub struct Point {
    /// Its name tag.
    pub name: String,
    /// Its zone's name.
    pub zone: String,
    /// What stands there.
    pub kind: Kind,
    /// The peak power of its PV.
    pub pv_capacity_w: u64,
    /// The peak power of its load.
    pub load_peak_w: u64,
    /// Generation and load in Wh, slot by slot.
    pub profile: Vec<[u64; 2]>,
}

/// What stands at a connection point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A home.
    Household,
    /// A shop, a workshop, a farm, a factory.
    Business,
    /// A PV plant with hardly a load of its own.
    PvPlant,
}

/// A zone of the grid.
pub struct ZoneRow {
    /// Its name.
    pub name: String,
    /// The zone above; none at the root.
    pub parent: Option<String>,
    /// The rating of the transformer to the zone above, in VA.
    pub transformer_va: u64,
}

impl ZoneRow {
    /// Returns what the transformer carries: its VA taken as W, as if there were no reactive power. None at
    /// the root, whose transformer leads out of the market.
    pub fn capacity_w(&self) -> Option<u64> {
        self.parent.is_some().then_some(self.transformer_va)
    }
}

impl Park {
    /// Reads a park from a folder, or the day that is built in.
    ///
    /// # Errors
    /// What is wrong with the files, so that it can be mended.
    pub fn read(dir: Option<&Path>) -> anyhow::Result<Park> {
        let mut texts = Vec::new();
        for (name, built_in) in ["participants.csv", "network.csv", "profiles.csv"].into_iter().zip(BUILT_IN)
        {
            let path = dir.map_or_else(|| PathBuf::from(name), |dir| dir.join(name));
            let text = match dir {
                Some(_) => std::fs::read_to_string(&path).with_context(|| path.display().to_string())?,
                None => built_in.to_string(),
            };
            texts.push((path, text));
        }
        let mut points = Table::open(&texts[0])?.rows(point)?;
        let zones = Table::open(&texts[1])?.rows(zone)?;
        ensure!(
            !zones.is_empty() && zones[0].parent.is_none(),
            "{}: the first zone must be the root",
            texts[1].0.display()
        );
        for point in &points {
            let known = zones.iter().any(|zone| zone.name == point.zone);
            ensure!(
                known,
                "{}: zone '{}' of {} is not in network.csv",
                texts[0].0.display(),
                point.zone,
                point.name
            );
        }
        let rows = Table::open(&texts[2])?.rows(profile_row)?;
        let (first_slot, days) =
            fill_profiles(&mut points, rows).with_context(|| texts[2].0.display().to_string())?;
        Ok(Park { points, zones, first_slot, days })
    }
}

fn point(row: &Row) -> anyhow::Result<Point> {
    Ok(Point {
        name: row.text("participant")?.to_string(),
        zone: row.text("zone")?.to_string(),
        kind: match row.text("kind")? {
            "household" => Kind::Household,
            "business" => Kind::Business,
            "pv-plant" => Kind::PvPlant,
            other => bail!(row.complaint("kind", other, "must be household, business or pv-plant")),
        },
        pv_capacity_w: row.number("pv_capacity_w")?,
        load_peak_w: row.number("load_peak_w")?,
        profile: Vec::new(),
    })
}

fn zone(row: &Row) -> anyhow::Result<ZoneRow> {
    let parent = row.text("parent")?;
    Ok(ZoneRow {
        name: row.text("zone")?.to_string(),
        parent: (!parent.is_empty()).then(|| parent.to_string()),
        transformer_va: row.number("transformer_va")?,
    })
}

fn profile_row(row: &Row) -> anyhow::Result<(u64, String, [u64; 2])> {
    let text = row.text("slot_start")?;
    let start = text.parse::<jiff::Timestamp>().ok().and_then(|start| u64::try_from(start.as_second()).ok());
    let Some(start) = start.filter(|start| start % SECONDS_PER_SLOT == 0) else {
        bail!(row.complaint(
            "slot_start",
            text,
            "must be the start of a quarter hour, such as 2016-06-15T12:15:00Z"
        ));
    };
    Ok((start, row.text("participant")?.to_string(), [row.number("generation_wh")?, row.number("load_wh")?]))
}

/// Gives each point its profile, and returns the first slot and the number of whole days.
fn fill_profiles(points: &mut [Point], rows: Vec<(u64, String, [u64; 2])>) -> anyhow::Result<(Slot, u32)> {
    let first = rows.iter().map(|row| row.0).min().context("there are no rows")?;
    let last = rows.iter().map(|row| row.0).max().context("there are no rows")?;
    let slots = (last - first) / SECONDS_PER_SLOT + 1;
    let days = u32::try_from(slots / 96).context("there are too many days")?;
    ensure!(days > 0, "there are {slots} quarter hours; a day has 96");
    ensure!(first % 86_400 == 0, "the first slot_start must be midnight");

    let numbers: BTreeMap<String, usize> =
        (0..).map(|n| points[n].name.clone()).take(points.len()).zip(0..).collect();
    let mut seen = vec![vec![None; usize::try_from(slots)?]; points.len()];
    for (start, participant, energies) in rows {
        let number = numbers.get(&participant);
        let number =
            number.with_context(|| format!("participant '{participant}' is not in participants.csv"))?;
        seen[*number][usize::try_from((start - first) / SECONDS_PER_SLOT)?] = Some(energies);
    }
    for (point, seen) in points.iter_mut().zip(seen) {
        for (number, energies) in seen.into_iter().enumerate().take(days as usize * 96) {
            let quarter = || format!("{} has no row for its quarter hour number {number}", point.name);
            point.profile.push(energies.with_context(quarter)?);
        }
    }
    Ok((Slot(u32::try_from(first / SECONDS_PER_SLOT)?), days))
}

/// A CSV file whose columns are found by their names.
struct Table<'a> {
    path: &'a Path,
    columns: BTreeMap<String, usize>,
    reader: Reader<&'a [u8]>,
}

/// A row of a table.
struct Row<'a> {
    path: &'a Path,
    columns: &'a BTreeMap<String, usize>,
    record: &'a StringRecord,
}

impl<'a> Table<'a> {
    fn open((path, text): &'a (PathBuf, String)) -> anyhow::Result<Table<'a>> {
        let mut reader = ReaderBuilder::new().from_reader(text.as_bytes());
        let headers = reader.headers().with_context(|| path.display().to_string())?;
        let columns = headers.iter().enumerate().map(|(at, name)| (name.to_string(), at)).collect();
        Ok(Table { path, columns, reader })
    }

    fn rows<T>(mut self, parse: impl Fn(&Row) -> anyhow::Result<T>) -> anyhow::Result<Vec<T>> {
        let mut parsed = Vec::new();
        for record in self.reader.records() {
            let record = record.with_context(|| self.path.display().to_string())?;
            parsed.push(parse(&Row { path: self.path, columns: &self.columns, record: &record })?);
        }
        Ok(parsed)
    }
}

impl Row<'_> {
    fn text(&self, column: &str) -> anyhow::Result<&str> {
        let at = self.columns.get(column).with_context(|| {
            let found: Vec<&str> = self.columns.keys().map(String::as_str).collect();
            format!("{}: column '{column}' is missing; it has {}", self.path.display(), found.join(", "))
        })?;
        Ok(&self.record[*at])
    }

    fn number(&self, column: &str) -> anyhow::Result<u64> {
        let text = self.text(column)?;
        text.parse()
            .map_err(|_| anyhow::anyhow!(self.complaint(column, text, "must be a whole number, 0 or more")))
    }

    fn complaint(&self, column: &str, value: &str, rule: &str) -> String {
        let line = self.record.position().map_or(0, csv::Position::line);
        format!("{}, line {line}: {column} '{value}' {rule}", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_park_that_is_built_in_has_154_points_in_3_zones_and_one_day() {
        let park = Park::read(None).unwrap();
        assert_eq!((park.points.len(), park.zones.len(), park.days), (154, 3, 1));
        let export: u64 =
            park.points.iter().flat_map(|point| &point.profile).map(|[g, l]| g.saturating_sub(*l)).sum();
        assert_eq!(export, 5_191_648);
    }

    /// Returns what is said of a park with `bad` in place of the whole or first part of one file.
    fn complaint(file: &str, good: &str, bad: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in ["participants.csv", "network.csv", "profiles.csv"].into_iter().zip(BUILT_IN) {
            let text = if name == file { text.replacen(good, bad, 1) } else { text.to_string() };
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        format!("{:#}", Park::read(Some(dir.path())).err().expect("a bad file is refused"))
    }

    #[test]
    fn a_wrong_column_is_named_with_those_that_are_there() {
        let said = complaint("profiles.csv", "generation_wh", "generation_kwh");
        assert!(said.contains("column 'generation_wh' is missing; it has generation_kwh, load_wh"), "{said}");
        assert!(said.contains("profiles.csv"), "{said}");
    }

    #[test]
    fn a_wrong_value_is_named_with_its_line_and_its_rule() {
        let said = complaint("participants.csv", ",117200,", ",117.2,");
        assert!(said.contains("line 2: pv_capacity_w '117.2' must be a whole number"), "{said}");
        let said = complaint("profiles.csv", "2016-06-15T00:00:00Z", "2016-06-15T00:01:00Z");
        assert!(said.contains("line 2: slot_start '2016-06-15T00:01:00Z' must be the start"), "{said}");
        let said = complaint("participants.csv", "business", "factory");
        assert!(said.contains("kind 'factory' must be household"), "{said}");
    }

    #[test]
    fn a_missing_row_and_an_unknown_zone_are_named() {
        let said = complaint("profiles.csv", "2016-06-15T00:00:00Z,farm-001,0,637\n", "");
        assert!(said.contains("farm-001 has no row for its quarter hour number 0"), "{said}");
        let said = complaint("network.csv", "garden,works", "street,works");
        assert!(said.contains("zone 'garden' of garden-001 is not in network.csv"), "{said}");
    }
}
