//! Tariffs: what wheeling, the market's fee, import and export beyond the trades cost, version by version (R12).
//!
//! Knows slots and charges; does not know orders or trades: the market says in which phase a slot is.
//! Keeps: first slots of versions rise, so that a slot has one version, for ever.

use alloc::vec::Vec;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::grid::Grid;
use crate::{ConfigError, MarketConfig, NewTariffs, Phase, Rejection, Slot, Timestamp};

/// How far ahead a version can begin: a typing error must not keep out all others for decades.
const SLOTS_AHEAD_MAX: u32 = 366 * 96;

/// Every version, in order of their first slots; the first holds from slot 0 on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tariffs {
    versions: Vec<TariffVersion>,
}

/// The tariffs from a slot on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TariffVersion {
    /// The first slot in which they hold.
    pub effective_from: Slot,
    /// The market's configuration, with these tariffs in it.
    pub config: MarketConfig,
    /// The tree of zones at these charges.
    pub(crate) grid: Grid,
}

/// The grid follows from the configuration.
impl Serialize for TariffVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.effective_from, &self.config).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TariffVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TariffVersion, D::Error> {
        let (effective_from, config) = Deserialize::deserialize(deserializer)?;
        Ok(TariffVersion::new(effective_from, config))
    }
}

impl TariffVersion {
    fn new(effective_from: Slot, config: MarketConfig) -> TariffVersion {
        TariffVersion { effective_from, grid: Grid::new(&config), config }
    }
}

impl Tariffs {
    /// Returns a market's tariffs at its founding: those of its constitution.
    pub(crate) fn new(config: &MarketConfig) -> Tariffs {
        Tariffs { versions: alloc::vec![TariffVersion::new(Slot(0), config.clone())] }
    }

    /// Returns every version, in order of their first slots.
    pub fn versions(&self) -> &[TariffVersion] {
        &self.versions
    }

    /// Returns the version that holds in a slot.
    pub fn at(&self, slot: Slot) -> &TariffVersion {
        self.get(self.place_at(slot))
    }

    /// Returns the place among the versions of the one that holds in a slot.
    pub(crate) fn place_at(&self, slot: Slot) -> usize {
        self.versions.partition_point(|version| version.effective_from <= slot) - 1
    }

    /// Returns the version at a place.
    #[inline]
    pub(crate) fn get(&self, place: usize) -> &TariffVersion {
        &self.versions[place]
    }

    /// Adds the next version, or refuses it and changes nothing. `phase` is that of its first slot at `now`.
    pub(crate) fn publish(
        &mut self,
        new: &NewTariffs,
        phase: Phase,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        let last = self.versions.last().expect("the constitution's version is never taken away");
        let (version, slot) = (new.version, new.effective_from);
        if last.config.tariff_version.checked_add(1) != Some(version) {
            let last = last.config.tariff_version;
            return Err(Rejection::TariffVersionMustFollowTheLast { version, last });
        }
        let config = last.config.with_tariffs(new).map_err(|ConfigError { field, rule }| {
            Rejection::TariffsMustBeWellFormed { part: field, must: rule }
        })?;
        if slot <= last.effective_from {
            return Err(Rejection::TariffsMustBeginBehindTheLast { slot, last: last.effective_from });
        }
        if phase != Phase::Scheduled {
            return Err(Rejection::TariffsMustBeginBeforeTrading { slot, phase });
        }
        let last = Slot(Slot::at(now).0.saturating_add(SLOTS_AHEAD_MAX));
        if slot > last {
            return Err(Rejection::TariffsMustBeginWithinAYear { slot, last });
        }

        // Every check is above; from here the version is published.
        self.versions.push(TariffVersion::new(slot, config));
        Ok(())
    }
}
