//! A node's configuration: every limit has a name, a unit and a documented default.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf};

use jiff::tz::TimeZone;
use parkwatt_engine as engine;
use parkwatt_ledger::{Quorum, Witness};
use serde::{Deserialize, Serialize};

use crate::{
    reads::StreamLimits,
    tls::TlsFiles,
    web::{WebLimits, WebListen},
};

/// How a log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Human,
    /// For machines: one JSON object a line.
    Json,
}

/// How a node runs. Every field may be left out of the file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeConfig {
    /// Where the node listens for gRPC; port 0 takes a free one. Default 127.0.0.1:7400.
    pub listen: SocketAddr,
    /// How the node logs: `human` for people, or `json`, one object a line, for machines. Default `human`.
    pub log_format: LogFormat,
    /// Where keys and ledgers are kept. Default `parkwatt-data`.
    pub data: PathBuf,
    /// The longest payload of a signed command, in bytes. Default 65,536: a schedule of 1,000 orders has
    /// 30,000.
    pub payload_bytes_max: usize,
    /// How many commands may wait for the sequencer before callers are told to come later. Default 8,192.
    pub queue_len_max: usize,
    /// How many commands of one stream may be under way at once. Default 256.
    pub stream_in_flight_max: usize,
    /// How many commands are made durable together, at most. Default 4,096.
    pub group_commands_max: usize,
    /// How many bytes of leaves are made durable together: a group is closed when it has this many. Default 4
    /// MiB.
    pub group_bytes_max: usize,
    /// How long the store, which answers questions, may be behind the journal while nobody asks, in milliseconds:
    /// many groups at once cost it far less. Default 1,000.
    pub store_delay_ms: u64,
    /// The size of a journal segment, in bytes. Default 64 MiB.
    pub segment_bytes: u64,
    /// Behind how many leaves the market's state is recorded and a snapshot of it kept, so that a start need not
    /// replay the whole ledger. Default 1,000,000.
    pub snapshot_leaves: u64,
    /// How long a session may last, in seconds. Default 900.
    pub session_s_max: u64,
    /// How many commands of one key come through in a second, in the long run. Default 2,000: a command can place
    /// 1,000 orders.
    pub key_commands_per_s: u32,
    /// How many commands of one key come through at once. Default 20,000.
    pub key_commands_burst: u32,
    /// How many commands of one connection may be unauthentic in a second, in the long run; beyond, nothing of it
    /// is verified. Default 10.
    pub connection_unauthentic_per_s: u32,
    /// How many commands of one connection may be unauthentic at once. Default 100.
    pub connection_unauthentic_burst: u32,
    /// How many connections there may be; further ones are closed at once. Default 4,096.
    pub connections_max: usize,
    /// How many connections one address may have. Default 1,024: a proxy is one address.
    pub connections_per_address_max: usize,
    /// How long a connection's handshake, TLS and the preface of HTTP/2, may take, in milliseconds. Default
    /// 10,000.
    pub handshake_ms: u64,
    /// How many concurrent calls one connection may have. Default 256.
    pub connection_calls_max: u32,
    /// After how long an idle connection is asked whether it lives, in seconds. Default 30.
    pub keep_alive_s: u64,
    /// How long calls under way may take to end when the node is told to stop, in milliseconds. Default
    /// 5,000.
    pub drain_ms: u64,
    /// What those who follow the market may take.
    pub streams: StreamLimits,
    /// The zone of the market's days, by its name in the IANA database: days are counted, and shown, in it. Default
    /// `UTC`, as the tariffs' quarters are.
    pub time_zone: String,
    /// Where the web page of the market is, over HTTP, or over TLS where the node has it. Default `auto`:
    /// 127.0.0.1:7480, or where that is taken a free port; `none` is nowhere.
    pub web_listen: WebListen,
    /// What the page's readers may take.
    pub web: WebLimits,
    /// Where operators' tools find `/healthz`, `/readyz` and `/metrics`, over plain HTTP. Default: nowhere.
    pub admin_listen: Option<SocketAddr>,
    /// TLS; without it the node speaks plain HTTP/2. Default: none.
    pub tls: Option<TlsFiles>,
    /// Names under which browsers ask for the page where it listens on this machine alone: those of a proxy before it.
    /// Addresses and `localhost` need not be named. Default none.
    pub web_names: Vec<String>,
    /// The verifier keys of the witnesses whose signatures under checkpoints are kept and handed out. Default none.
    pub witnesses: Vec<String>,
    /// The markets, where there is more than one; then there is no `market`. Nothing is shared between them: each
    /// has its own ledger, thread and limits of what waits. Default none.
    pub markets: Vec<MarketFile>,
    /// The market that is founded when there is no ledger yet; later the ledger says what the market is.
    pub market: MarketFile,
}

impl Default for NodeConfig {
    fn default() -> NodeConfig {
        NodeConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 7400)),
            log_format: LogFormat::Human,
            data: PathBuf::from("parkwatt-data"),
            payload_bytes_max: 65_536,
            queue_len_max: 8_192,
            stream_in_flight_max: 256,
            group_commands_max: 4_096,
            group_bytes_max: 4 << 20,
            store_delay_ms: 1_000,
            segment_bytes: 64 << 20,
            snapshot_leaves: 1_000_000,
            session_s_max: 900,
            key_commands_per_s: 2_000,
            key_commands_burst: 20_000,
            connection_unauthentic_per_s: 10,
            connection_unauthentic_burst: 100,
            connections_max: 4_096,
            connections_per_address_max: 1_024,
            handshake_ms: 10_000,
            connection_calls_max: 256,
            keep_alive_s: 30,
            drain_ms: 5_000,
            streams: StreamLimits::default(),
            time_zone: "UTC".into(),
            web_listen: WebListen::default(),
            web: WebLimits::default(),
            admin_listen: None,
            tls: None,
            web_names: Vec::new(),
            witnesses: Vec::new(),
            markets: Vec::new(),
            market: MarketFile::default(),
        }
    }
}

impl NodeConfig {
    /// Checks what the node relies on; [`engine::MarketConfig::check`] judges the market.
    ///
    /// # Errors
    /// A sentence that names the field and its bounds.
    pub fn check(&self) -> Result<(), String> {
        let within = |field: &str, value: u64, least: u64, most: u64| {
            let holds = (least..=most).contains(&value);
            holds.then_some(()).ok_or_else(|| format!("{field}: {value} is not between {least} and {most}"))
        };
        let counts = [
            ("payload_bytes_max", self.payload_bytes_max as u64, 64 << 20),
            ("queue_len_max", self.queue_len_max as u64, 1 << 24),
            ("stream_in_flight_max", self.stream_in_flight_max as u64, 1 << 20),
            ("group_commands_max", self.group_commands_max as u64, 1 << 20),
            ("group_bytes_max", self.group_bytes_max as u64, 1 << 30),
            ("session_s_max", self.session_s_max, 366 * 86_400),
            ("key_commands_per_s", self.key_commands_per_s.into(), 1 << 30),
            ("key_commands_burst", self.key_commands_burst.into(), 1 << 30),
            ("connection_unauthentic_per_s", self.connection_unauthentic_per_s.into(), 1 << 30),
            ("connection_unauthentic_burst", self.connection_unauthentic_burst.into(), 1 << 30),
            ("connections_max", self.connections_max as u64, 1 << 20),
            ("connections_per_address_max", self.connections_per_address_max as u64, 1 << 20),
            ("handshake_ms", self.handshake_ms, 3_600_000),
            ("connection_calls_max", self.connection_calls_max.into(), 1 << 24),
            ("keep_alive_s", self.keep_alive_s, 86_400),
            ("drain_ms", self.drain_ms, 3_600_000),
        ];
        for (field, value, most) in counts {
            within(field, value, 1, most)?;
        }
        self.streams.check()?;
        self.web.check()?;
        TimeZone::get(&self.time_zone).map_err(|_| {
            format!(
                "time_zone: '{}' is not a zone of the IANA database, such as Asia/Shanghai",
                self.time_zone
            )
        })?;
        within("store_delay_ms", self.store_delay_ms, 0, 60_000)?;
        within("snapshot_leaves", self.snapshot_leaves, 1, 1 << 40)?;
        within("segment_bytes", self.segment_bytes, 64 << 10, 1 << 40)?;
        self.check_markets()?;
        self.witnesses().map(drop)
    }

    /// Returns the markets that the node serves, at least one.
    pub fn markets(&self) -> &[MarketFile] {
        if self.markets.is_empty() { std::slice::from_ref(&self.market) } else { &self.markets }
    }

    /// Checks that each market has a name, and so a folder, of its own.
    fn check_markets(&self) -> Result<(), String> {
        if !self.markets.is_empty() && self.market != MarketFile::default() {
            return Err("market: is not used beside markets; make it one of them".into());
        }
        let mut names = BTreeSet::new();
        match self.markets.iter().find(|market| !names.insert(&market.name)) {
            Some(twice) => Err(format!("markets.name: '{}' is there twice", twice.name)),
            None => Ok(()),
        }
    }

    /// Returns the zone of the market's days, which [`NodeConfig::check`] has found; UTC for a name that is none.
    pub fn zone(&self) -> TimeZone {
        TimeZone::get(&self.time_zone).unwrap_or(TimeZone::UTC)
    }

    /// Returns the witnesses.
    ///
    /// # Errors
    /// A sentence that names the key that is none, or that is there twice.
    pub fn witnesses(&self) -> Result<Vec<Witness>, String> {
        let named = |problem: &dyn std::fmt::Display| format!("witnesses: {problem}");
        let witnesses = self.witnesses.iter().map(|vkey| Witness::from_vkey(vkey));
        let witnesses: Vec<Witness> = witnesses.collect::<Result<_, _>>().map_err(|it| named(&it))?;
        if !witnesses.is_empty() {
            Quorum::new(witnesses.clone(), 1).map_err(|it| named(&it))?;
        }
        Ok(witnesses)
    }
}

/// A market's constitution as a file gives it. Prices are micro-yuan per kWh, energies Wh, times seconds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MarketFile {
    /// The market's name. Default `park`.
    pub name: String,
    /// The currency's name. Default `CNY`.
    pub currency: String,
    /// The zones, the root first. Default: one zone, `park`, with a base charge of 50,000: 0.05 yuan/kWh.
    pub zones: Vec<ZoneFile>,
    /// Prices are multiples of this. Default 100: 0.0001 yuan/kWh.
    pub tick_micros_per_kwh: i64,
    /// The least limit price, a multiple of the tick. Default 0.
    pub price_floor_micros_per_kwh: i64,
    /// The greatest limit price, a multiple of the tick, less than 262,144 ticks above the least. Default
    /// 5,000,000: 5 yuan/kWh.
    pub price_cap_micros_per_kwh: i64,
    /// Energies are multiples of this. Default 1.
    pub lot_wh: u64,
    /// The most energy in one order. Default 1,000,000,000.
    pub order_energy_max_wh: u64,
    /// The most orders in one command. Default 1,000.
    pub schedule_len_max: u16,
    /// The most participants. Default 100,000.
    pub participants_max: u32,
    /// The most open orders of one participant in one slot. Default 1,000.
    pub open_orders_max: u32,
    /// The most corrections of a meter's reading at one slot's end. Default 10.
    pub corrections_max: u32,
    /// Trading opens this long before delivery. Default 172,800: 48 hours.
    pub opens_before_s: u32,
    /// The auction uncrosses this long before delivery. Default 86,400: 24 hours.
    pub uncross_before_s: u32,
    /// The gate closes this long before delivery. Default 900: 15 minutes.
    pub gate_before_s: u32,
    /// A slot is settled at the latest this long after its end. Default 86,400: 24 hours.
    pub settle_after_s: u32,
    /// A slot's settlement is final this long after its end: until then late and corrected readings settle it
    /// again. Default 2,592,000: 30 days.
    pub final_after_s: u32,
    /// Where in the range of clearing prices the price is taken, in thousandths. Default 500: its middle.
    pub auction_point_per_mille: u32,
    /// What a buyer pays the market. Default 2,000: 0.002 yuan/kWh.
    pub market_fee_micros_per_kwh: i64,
    /// The deviation charge, in thousandths of the trade's price. Default 100: 10 %.
    pub deviation_per_mille: u32,
    /// The version of the first tariffs; the operator publishes later ones. Default 1.
    pub tariff_version: u32,
    /// The supplier's tariffs by time of day (UTC). Default: 0.42 at night, 0.72, and 1.08 at the two peaks;
    /// feed-in 0.391.
    pub tariffs: Vec<TariffFile>,
}

/// A zone, and its edge to its parent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneFile {
    /// Its name.
    pub name: String,
    /// The parent's name; left out at the root.
    pub parent: Option<String>,
    /// What a buyer in this zone pays for wheeling in any case.
    #[serde(default)]
    pub base_wheeling_micros_per_kwh: i64,
    /// The charge from this zone to its parent.
    #[serde(default)]
    pub wheeling_up_micros_per_kwh: i64,
    /// The charge from the parent to this zone.
    #[serde(default)]
    pub wheeling_down_micros_per_kwh: i64,
    /// The most power from this zone to its parent, in W: the rating of the transformer between them. Left
    /// out where nothing limits it.
    pub capacity_up_w: Option<u64>,
    /// The most power from the parent to this zone, in W. Left out where nothing limits it.
    pub capacity_down_w: Option<u64>,
}

/// Tariffs from a time of day on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TariffFile {
    /// The first quarter hour of the UTC day, 0 to 95.
    pub from_quarter: u8,
    /// What import beyond the trades costs.
    pub retail_micros_per_kwh: i64,
    /// What export beyond the trades earns.
    pub feed_in_micros_per_kwh: i64,
}

impl Default for MarketFile {
    fn default() -> MarketFile {
        let band = |hour: u8, retail_micros_per_kwh| TariffFile {
            from_quarter: hour * 4,
            retail_micros_per_kwh,
            feed_in_micros_per_kwh: 391_000,
        };
        MarketFile {
            name: "park".into(),
            currency: "CNY".into(),
            zones: vec![ZoneFile {
                name: "park".into(),
                parent: None,
                base_wheeling_micros_per_kwh: 50_000,
                wheeling_up_micros_per_kwh: 0,
                wheeling_down_micros_per_kwh: 0,
                capacity_up_w: None,
                capacity_down_w: None,
            }],
            tick_micros_per_kwh: 100,
            price_floor_micros_per_kwh: 0,
            price_cap_micros_per_kwh: 5_000_000,
            lot_wh: 1,
            order_energy_max_wh: 1_000_000_000,
            schedule_len_max: 1_000,
            participants_max: 100_000,
            open_orders_max: 1_000,
            corrections_max: 10,
            opens_before_s: 48 * 3600,
            uncross_before_s: 24 * 3600,
            gate_before_s: 900,
            settle_after_s: 24 * 3600,
            final_after_s: 30 * 24 * 3600,
            auction_point_per_mille: 500,
            market_fee_micros_per_kwh: 2_000,
            deviation_per_mille: 100,
            tariff_version: 1,
            tariffs: vec![
                band(0, 420_000),
                band(7, 720_000),
                band(10, 1_080_000),
                band(13, 720_000),
                band(17, 1_080_000),
                band(21, 720_000),
                band(23, 420_000),
            ],
        }
    }
}

impl MarketFile {
    /// Returns the market that this file describes, with its first operator's key.
    ///
    /// # Errors
    /// A sentence that names the zone whose parent is unknown; [`engine::MarketConfig::check`] judges the
    /// rest.
    pub fn constitution(&self, operator_key: engine::PublicKey) -> Result<engine::MarketConfig, String> {
        Ok(engine::MarketConfig {
            name: self.name.clone(),
            currency: self.currency.clone(),
            operator_key,
            zones: self.zones()?,
            tick: engine::Price(self.tick_micros_per_kwh),
            price_floor: engine::Price(self.price_floor_micros_per_kwh),
            price_cap: engine::Price(self.price_cap_micros_per_kwh),
            lot: engine::Energy(self.lot_wh),
            order_energy_max: engine::Energy(self.order_energy_max_wh),
            schedule_len_max: self.schedule_len_max,
            participants_max: self.participants_max,
            open_orders_max: self.open_orders_max,
            corrections_max: self.corrections_max,
            timeline: engine::Timeline {
                opens_before_s: self.opens_before_s,
                uncross_before_s: self.uncross_before_s,
                gate_before_s: self.gate_before_s,
                settle_after_s: self.settle_after_s,
                final_after_s: self.final_after_s,
            },
            auction_point_per_mille: self.auction_point_per_mille,
            market_fee: engine::Price(self.market_fee_micros_per_kwh),
            deviation_per_mille: self.deviation_per_mille,
            tariff_version: self.tariff_version,
            tariffs: self.tariffs.iter().map(tariff_band).collect(),
        })
    }

    fn zones(&self) -> Result<Vec<engine::Zone>, String> {
        let number_of = |name: &String| {
            let found = self.zones.iter().position(|zone| &zone.name == name);
            let number = found.ok_or_else(|| format!("zones.parent: '{name}' is not a zone of this file"))?;
            u16::try_from(number).map(engine::ZoneId).map_err(|_| "zones: must be 1 to 1024".to_string())
        };
        let zone = |zone: &ZoneFile| {
            Ok(engine::Zone {
                name: zone.name.clone(),
                parent: zone.parent.as_ref().map(number_of).transpose()?,
                base_wheeling: engine::Price(zone.base_wheeling_micros_per_kwh),
                wheeling_up: engine::Price(zone.wheeling_up_micros_per_kwh),
                wheeling_down: engine::Price(zone.wheeling_down_micros_per_kwh),
                capacity_up_w: zone.capacity_up_w,
                capacity_down_w: zone.capacity_down_w,
            })
        };
        self.zones.iter().map(zone).collect()
    }
}

fn tariff_band(it: &TariffFile) -> engine::TariffBand {
    engine::TariffBand {
        from_quarter: it.from_quarter,
        retail: engine::Price(it.retail_micros_per_kwh),
        feed_in: engine::Price(it.feed_in_micros_per_kwh),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_default_is_a_market() {
        let config = MarketFile::default().constitution([1; 32]).unwrap();
        assert_eq!(config.check(), Ok(()));
    }

    #[test]
    fn a_configuration_that_was_written_is_read_again() {
        let config = NodeConfig { drain_ms: 7, ..NodeConfig::default() };
        let text = toml::to_string(&config).unwrap();
        let again: NodeConfig = toml::from_str(&text).unwrap();
        assert_eq!(format!("{again:?}"), format!("{config:?}"));
    }

    #[test]
    fn a_setting_out_of_bounds_is_named_with_them() {
        assert_eq!(NodeConfig::default().check(), Ok(()));
        let config = NodeConfig { stream_in_flight_max: 0, ..NodeConfig::default() };
        assert_eq!(config.check().unwrap_err(), "stream_in_flight_max: 0 is not between 1 and 1048576");
        let config = NodeConfig { witnesses: vec!["w+1+A".into()], ..NodeConfig::default() };
        assert_eq!(config.check().unwrap_err().get(..18), Some("witnesses: \"w+1+A\""));
        let named = |name: &str| MarketFile { name: name.into(), ..MarketFile::default() };
        let config =
            NodeConfig { markets: vec![named("a"), named("b"), named("a")], ..NodeConfig::default() };
        assert_eq!(config.check().unwrap_err(), "markets.name: 'a' is there twice");
        let config = NodeConfig { markets: vec![named("a")], market: named("b"), ..NodeConfig::default() };
        assert_eq!(config.check().unwrap_err(), "market: is not used beside markets; make it one of them");
        let config = NodeConfig { segment_bytes: u64::MAX, ..NodeConfig::default() };
        assert!(
            config.check().unwrap_err().starts_with("segment_bytes: 18446744073709551615 is not between")
        );
    }

    #[test]
    fn an_unknown_field_and_an_unknown_parent_are_named() {
        let problem = toml::from_str::<NodeConfig>("lisen = '127.0.0.1:1'").unwrap_err().to_string();
        assert!(problem.contains("lisen"), "{problem}");
        let file: MarketFile = toml::from_str("zones = [{name = 'a', parent = 'b'}]").unwrap();
        assert_eq!(file.constitution([1; 32]).unwrap_err(), "zones.parent: 'b' is not a zone of this file");
    }
}
