//! The configuration of a venue, and the folder it lives in.
//!
//! A [`Config`] is valid once loaded: whoever holds one checks nothing again. Settings come from
//! the built-in default file, a file, the environment and explicit overrides, the later winning
//! (`layers`); then each is read into its type and bounds (`reading`).

mod canonical;
pub mod error;
pub mod explain;
mod instruments;
mod layers;
pub mod listing;
mod reading;
pub mod similar;
pub mod units;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use uncross_engine::{
    instrument::Instrument,
    limits::{Capacity, INSTRUMENTS_MAX, LEVELS_MAX, ORDERS_MAX, PORTS_MAX},
};
use uncross_journal::limits::{INDEX_STRIDE_BYTES, SEGMENT_LEN_MAX_BYTES, SEGMENT_LEN_MIN_BYTES};

use self::{
    error::{ConfigError, Place, Source},
    layers::Layers,
    reading::{Reader, Seen},
};

/// Connections any configuration may ask for: half of the file numbers a process may usually have.
pub const CONNECTIONS_MAX: u32 = 1 << 19;
/// Shortest limit of an order frame: the longest message without an appendage fits twice.
pub const FRAME_LEN_MIN: u16 = 128;
/// Highest limit of an order frame: the engine echoes what 1 KiB can carry.
pub const FRAME_LEN_MAX: u16 = 1024;
/// Nodes that a book with a single price may need; with fewer no order could rest.
pub const LADDER_NODES_MIN: u32 = 6;
/// Ladder nodes any configuration may ask for: 1 GiB of them.
pub const LADDER_NODES_MAX: u32 = 1 << 22;
/// Pages of order numbers any configuration may ask for: 1.1 GiB of them.
pub const USER_REF_PAGES_MAX: u32 = 1 << 22;
/// Most records between two snapshots.
pub const SNAPSHOT_EVERY_MAX: u64 = 1_000_000_000;
/// Times of what a snapshot took that none is written after it, at most.
pub const SNAPSHOT_REST_MAX: u32 = 1_000;
/// Slots of the smallest ring: two turns of the default fairness limit and more.
pub const RING_SLOTS_MIN: u32 = 1 << 6;
/// Slots of the largest ring.
pub const RING_SLOTS_MAX: u32 = 1 << 20;
/// Events of the smallest outbound buffer: four steps of the engine.
pub const OUTBOUND_EVENTS_MIN: u32 = 1 << 10;
/// Events of the largest outbound buffer.
pub const OUTBOUND_EVENTS_MAX: u32 = 1 << 24;

/// How a venue runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `[venue]`
    pub venue: Venue,
    /// `[orders]`
    pub orders: Door,
    /// `[data]`
    pub data: Door,
    /// `[admin]`
    pub admin: AdminDoor,
    /// `[session]`
    pub session: Session,
    /// `[core]`
    pub core: Core,
    /// `[journal]`
    pub journal: Journal,
    /// `[capacity]`: what the engine holds.
    pub capacity: Capacity,
    /// `[capacity]`: what waits before and behind the engine.
    pub queues: Queues,
    /// `[[instrument]]`: at least one, each checked, ids and symbols unique; in the order given.
    pub instruments: Vec<Instrument>,
}

/// What the venue is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Venue {
    /// 1 to 10 printable ASCII characters without spaces.
    pub name: String,
    /// Local time minus UTC, in seconds; at most 14 hours either way.
    pub utc_offset_s: i32,
    /// Local time of day at which the trading day rolls, in seconds since midnight.
    pub day_roll_s: u32,
}

/// Where clients connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Door {
    /// Address and TCP port; port 0 picks a free one.
    pub listen: SocketAddr,
}

/// Where operators connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdminDoor {
    /// Address and TCP port; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Whether it is opened.
    pub is_enabled: bool,
    /// Whether `listen` may be an address that other machines reach.
    pub allows_remote: bool,
}

/// What is asked of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// A connection that has not logged in by then is closed.
    pub login_timeout: Duration,
    /// Silence of the venue after which it sends a heartbeat.
    pub heartbeat_interval: Duration,
    /// Silence of a client after which its session counts as lost.
    pub client_timeout: Duration,
    /// Connections of all kinds together.
    pub connections_max: u32,
    /// Connections from one address; at most `connections_max`.
    pub connections_per_address_max: u32,
    /// Bytes of the longest order frame, its two length bytes included.
    pub frame_len_max: u16,
    /// Frames served per session and turn while others wait.
    pub frames_per_turn: u32,
    /// Unsent bytes at which a subscriber is cut.
    pub lag_max: u64,
    /// How long the oldest unsent byte may wait before a subscriber is cut.
    pub lag_time_max: Duration,
}

/// How the hot threads run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Core {
    /// How the work is laid out on threads.
    pub layout: Layout,
    /// Whether the hot threads are bound to a CPU each, as far as there are enough.
    pub pin: bool,
    /// How an idle thread waits.
    pub wait: Wait,
    /// How long an idle thread polls before it sleeps.
    pub spin: Duration,
}

/// How the work is laid out on threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The program chooses by the number of CPUs.
    Auto,
    /// One thread does everything.
    Fused,
    /// Gateway, core and publisher have a thread each.
    Split,
}

/// How an idle thread waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The program chooses by the number of CPUs.
    Auto,
    /// Polls for a while, then sleeps.
    SpinThenPark,
    /// The same, letting other threads run between two polls.
    YieldThenPark,
    /// Polls for ever.
    Spin,
}

/// How the journal is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Journal {
    /// When output may leave.
    pub level: Level,
    /// How often the journal is flushed to the device.
    pub flush_interval: Duration,
    /// Bytes of one journal file, a multiple of [`INDEX_STRIDE_BYTES`].
    pub segment: u64,
    /// Records between two snapshots; 0: there are none.
    pub snapshot_every: u64,
    /// How long no snapshot is written after one, in times of what that took.
    pub snapshot_rest: u32,
}

/// When output may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As soon as its record is in the mapped file.
    Async,
    /// When its record is on the device, synced along with others.
    Group,
    /// When its record is on the device, synced by itself before the next command is begun.
    Sync,
}

/// What waits before and behind the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queues {
    /// Commands on their way in, a power of two.
    pub ring_slots: u32,
    /// Events on their way out.
    pub outbound_events: u32,
}

impl Config {
    /// The default file, with every setting and its explanation.
    #[must_use]
    pub const fn default_text() -> &'static str {
        include_str!("venue.default.toml")
    }

    /// Loads the defaults, then `file`, then those of `environment` that begin with `UNCROSS__`,
    /// then `overrides` as pairs of `section.key` and value.
    ///
    /// # Errors
    ///
    /// The first fault, in that order.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        overrides: &[(String, String)],
    ) -> Result<Self, ConfigError> {
        let layers = Layers::all(Self::default_text(), file, environment, overrides)?;
        Self::read(&layers, &Seen::default())
    }

    /// BLAKE3 of the effective values: two configurations that behave alike have the same one,
    /// however they are written.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        *blake3::hash(canonical::text(self).as_bytes()).as_bytes()
    }

    fn read(layers: &Layers, seen: &Seen) -> Result<Self, ConfigError> {
        let root = Place { source: Source::Default, line: None, key: String::new() };
        let reader = Reader { settings: &layers.settings, place: &root, seen };
        let config = Self {
            venue: Venue::read(reader)?,
            orders: Door::read(reader, "orders.listen")?,
            data: Door::read(reader, "data.listen")?,
            admin: AdminDoor::read(reader)?,
            session: Session::read(reader)?,
            core: Core::read(reader)?,
            journal: Journal::read(reader)?,
            capacity: capacity(reader)?,
            queues: Queues::read(reader)?,
            instruments: instruments::read(layers)?,
        };
        config.check_relations(layers, reader)?;
        Ok(config)
    }

    /// What must hold between settings; each alone is in its bounds.
    fn check_relations(&self, layers: &Layers, reader: Reader<'_>) -> Result<(), ConfigError> {
        let Session { connections_max, connections_per_address_max, .. } = self.session;
        let Capacity { ports, user_ref_pages, instruments, .. } = self.capacity;
        let Capacity { orders, hidden_orders, .. } = self.capacity;
        if ORDERS_MAX < orders.saturating_add(hidden_orders) {
            return Err(ConfigError::Contradiction {
                place: reader.place("capacity.hidden_orders"),
                expected: format!("with capacity.orders = {orders} at most {ORDERS_MAX}"),
                found: hidden_orders.to_string(),
            });
        }
        if connections_max < connections_per_address_max {
            return Err(ConfigError::Contradiction {
                place: reader.place("session.connections_per_address_max"),
                expected: format!("at most session.connections_max = {connections_max}"),
                found: connections_per_address_max.to_string(),
            });
        }
        if user_ref_pages < u32::from(ports) {
            return Err(ConfigError::Contradiction {
                place: reader.place("capacity.user_ref_pages"),
                expected: format!("at least one for each of capacity.ports = {ports}"),
                found: user_ref_pages.to_string(),
            });
        }
        if usize::from(instruments) < self.instruments.len() {
            return Err(ConfigError::Contradiction {
                place: layers.instruments_place.clone(),
                expected: format!("at most capacity.instruments = {instruments}"),
                found: self.instruments.len().to_string(),
            });
        }
        self.check_doors(reader)
    }

    /// Each door has an address of its own, and none is open wider than was meant.
    fn check_doors(&self, reader: Reader<'_>) -> Result<(), ConfigError> {
        let doors = [
            ("orders.listen", self.orders.listen),
            ("data.listen", self.data.listen),
            ("admin.listen", self.admin.listen),
        ];
        for (index, (key, address)) in (0..).zip(doors) {
            let twin = doors[..index].iter().find(|(_, other)| *other == address);
            if let Some((other, _)) = twin.filter(|_| address.port() != 0) {
                return Err(ConfigError::Contradiction {
                    place: reader.place(key),
                    expected: format!("another address than {other}"),
                    found: address.to_string(),
                });
            }
        }
        let AdminDoor { listen, is_enabled, allows_remote } = self.admin;
        if is_enabled && !allows_remote && !listen.ip().is_loopback() {
            return Err(ConfigError::Contradiction {
                place: reader.place("admin.listen"),
                expected: String::from(
                    "an address of this machine alone, such as 127.0.0.1, or \
                     admin.allow_remote = true: there is no TLS, tokens could be read on the way",
                ),
                found: listen.to_string(),
            });
        }
        Ok(())
    }
}

impl Venue {
    fn read(reader: Reader<'_>) -> Result<Self, ConfigError> {
        let name = "1 to 10 printable ASCII characters without spaces";
        let offset = "a distance from UTC such as \"+01:00\", at most 14 hours";
        let day_roll = "a time of day such as \"17:30\" or \"17:30:15\"";
        Ok(Self {
            name: reader.parsed("venue.name", name, venue_name)?,
            utc_offset_s: reader.parsed("venue.utc_offset", offset, utc_offset_s)?,
            day_roll_s: reader.parsed("venue.day_roll", day_roll, time_of_day_s)?,
        })
    }
}

impl Door {
    fn read(reader: Reader<'_>, key: &str) -> Result<Self, ConfigError> {
        let expected = "an address and port such as \"127.0.0.1:9001\"";
        let listen = reader.parsed(key, expected, |text| text.parse().ok())?;
        Ok(Self { listen })
    }
}

impl AdminDoor {
    fn read(reader: Reader<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            listen: Door::read(reader, "admin.listen")?.listen,
            is_enabled: reader.boolean("admin.enabled")?,
            allows_remote: reader.boolean("admin.allow_remote")?,
        })
    }
}

impl Session {
    fn read(reader: Reader<'_>) -> Result<Self, ConfigError> {
        let millis = Duration::from_millis;
        let secs = Duration::from_secs;
        Ok(Self {
            login_timeout: reader.duration("session.login_timeout", millis(10)..=secs(60))?,
            heartbeat_interval: reader
                .duration("session.heartbeat_interval", millis(10)..=secs(60))?,
            client_timeout: reader.duration("session.client_timeout", millis(100)..=secs(600))?,
            connections_max: reader.count("session.connections_max", 1..=CONNECTIONS_MAX)?,
            connections_per_address_max: reader
                .count("session.connections_per_address_max", 1..=CONNECTIONS_MAX)?,
            frame_len_max: reader.count("session.frame_len_max", FRAME_LEN_MIN..=FRAME_LEN_MAX)?,
            frames_per_turn: reader.count("session.frames_per_turn", 1..=1_024)?,
            lag_max: reader.size("session.lag_max", 64 << 10..=1 << 30)?,
            lag_time_max: reader.duration("session.lag_time_max", millis(10)..=secs(600))?,
        })
    }
}

impl Core {
    fn read(reader: Reader<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            layout: Layout::read(reader)?,
            pin: reader.boolean("core.pin")?,
            wait: Wait::read(reader)?,
            spin: reader.duration("core.spin", Duration::ZERO..=Duration::from_secs(1))?,
        })
    }
}

impl Layout {
    /// The name in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Fused => "fused",
            Self::Split => "split",
        }
    }

    fn read(reader: Reader<'_>) -> Result<Self, ConfigError> {
        const KEY: &str = "core.layout";
        let expected = "\"auto\", \"fused\" or \"split\"";
        match reader.text(KEY, expected)? {
            "auto" => Ok(Self::Auto),
            "fused" => Ok(Self::Fused),
            "split" => Ok(Self::Split),
            found => Err(reader.impossible(KEY, expected, format!("{found:?}"))),
        }
    }
}

impl Wait {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Auto, Self::SpinThenPark, Self::YieldThenPark, Self::Spin];

    /// The name in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::SpinThenPark => "spin-then-park",
            Self::YieldThenPark => "yield-then-park",
            Self::Spin => "spin",
        }
    }

    fn read(reader: Reader<'_>) -> Result<Self, ConfigError> {
        const KEY: &str = "core.wait";
        let expected = "\"auto\", \"spin-then-park\", \"yield-then-park\" or \"spin\"";
        let by_name = |text: &str| Self::ALL.into_iter().find(|wait| wait.name() == text);
        reader.parsed(KEY, expected, by_name)
    }
}

impl Journal {
    fn read(reader: Reader<'_>) -> Result<Self, ConfigError> {
        let intervals = Duration::from_millis(1)..=Duration::from_secs(1);
        let lengths = SEGMENT_LEN_MIN_BYTES..=SEGMENT_LEN_MAX_BYTES;
        let segment = reader.size("journal.segment", lengths)?;
        if !segment.is_multiple_of(INDEX_STRIDE_BYTES) {
            let expected = format!("a multiple of {:?}", units::format_size(INDEX_STRIDE_BYTES));
            let found = units::format_size(segment);
            return Err(reader.impossible("journal.segment", &expected, found));
        }
        let level = Level::read(reader)?;
        let flush_interval = reader.duration("journal.flush_interval", intervals)?;
        let snapshot_every = reader.count("journal.snapshot_every", 0..=SNAPSHOT_EVERY_MAX)?;
        let snapshot_rest = reader.count("journal.snapshot_rest", 0..=SNAPSHOT_REST_MAX)?;
        Ok(Self { level, flush_interval, segment, snapshot_every, snapshot_rest })
    }
}

impl Level {
    /// All of them, the strongest last.
    pub const ALL: [Self; 3] = [Self::Async, Self::Group, Self::Sync];

    /// The name in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Async => "async",
            Self::Group => "group",
            Self::Sync => "sync",
        }
    }

    fn read(reader: Reader<'_>) -> Result<Self, ConfigError> {
        const KEY: &str = "journal.level";
        let expected = "\"async\", \"group\" or \"sync\"";
        match reader.text(KEY, expected)? {
            "async" => Ok(Self::Async),
            "group" => Ok(Self::Group),
            "sync" => Ok(Self::Sync),
            found @ "replicated" => Err(ConfigError::NotBuilt {
                place: reader.place(KEY),
                found: found.to_owned(),
                exist: &["async", "group", "sync"],
            }),
            found => Err(reader.impossible(KEY, expected, format!("{found:?}"))),
        }
    }
}

fn capacity(reader: Reader<'_>) -> Result<Capacity, ConfigError> {
    Ok(Capacity {
        orders: reader.count("capacity.orders", 1..=ORDERS_MAX)?,
        hidden_orders: reader.count("capacity.hidden_orders", 0..=ORDERS_MAX)?,
        levels: reader.count("capacity.levels", 1..=LEVELS_MAX)?,
        nodes: reader.count("capacity.ladder_nodes", LADDER_NODES_MIN..=LADDER_NODES_MAX)?,
        instruments: reader.count("capacity.instruments", 1..=INSTRUMENTS_MAX)?,
        ports: reader.count("capacity.ports", 1..=PORTS_MAX)?,
        port_orders: reader.count("capacity.port_orders", 1..=ORDERS_MAX)?,
        port_pages: reader.count("capacity.port_pages", 1..=USER_REF_PAGES_MAX)?,
        user_ref_pages: reader.count("capacity.user_ref_pages", 1..=USER_REF_PAGES_MAX)?,
    })
}

impl Queues {
    fn read(reader: Reader<'_>) -> Result<Self, ConfigError> {
        const KEY: &str = "capacity.ring_slots";
        let ring_slots: u32 = reader.count(KEY, RING_SLOTS_MIN..=RING_SLOTS_MAX)?;
        if !ring_slots.is_power_of_two() {
            let above = ring_slots.next_power_of_two();
            let expected = format!("a power of two, {} or {above}", above / 2);
            return Err(reader.impossible(KEY, &expected, ring_slots.to_string()));
        }
        let events = OUTBOUND_EVENTS_MIN..=OUTBOUND_EVENTS_MAX;
        let outbound_events = reader.count("capacity.outbound_events", events)?;
        Ok(Self { ring_slots, outbound_events })
    }
}

fn venue_name(text: &str) -> Option<String> {
    let is_printable = text.bytes().all(|byte| byte.is_ascii_graphic());
    (!text.is_empty() && text.len() <= 10 && is_printable).then(|| text.to_owned())
}

/// Seconds of `+HH:MM` or `-HH:MM`; the widest offsets in use are +14:00 and -12:00.
fn utc_offset_s(text: &str) -> Option<i32> {
    let (sign, distance) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let seconds = i32::try_from(time_of_day_s(distance)?).ok()?;
    (seconds <= 14 * 3_600).then_some(sign * seconds)
}

/// Seconds of `HH:MM` or `HH:MM:SS`.
fn time_of_day_s(text: &str) -> Option<u32> {
    let (hours, minutes, seconds) = match *text.as_bytes() {
        [h1, h2, b':', m1, m2] => ([h1, h2], [m1, m2], *b"00"),
        [h1, h2, b':', m1, m2, b':', s1, s2] => ([h1, h2], [m1, m2], [s1, s2]),
        _ => return None,
    };
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
    let below = |[tens, ones]: [u8; 2], bound: u32| {
        let value = digit(tens)? * 10 + digit(ones)?;
        (value < bound).then_some(value)
    };
    Some(below(hours, 24)? * 3_600 + below(minutes, 60)? * 60 + below(seconds, 60)?)
}

/// Line, from 1, of byte `offset` of `text`.
pub(crate) fn line_of(text: &str, offset: usize) -> Option<u32> {
    let before = text.get(..offset).unwrap_or(text);
    u32::try_from(1 + before.bytes().filter(|&byte| byte == b'\n').count()).ok()
}

/// The folder of a venue, and where things are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VenueDir {
    root: PathBuf,
}

impl VenueDir {
    /// The venue at `root`; nothing is created or checked.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The configuration file, `venue.toml`.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.root.join("venue.toml")
    }

    /// The users file, `users.toml`.
    #[must_use]
    pub fn users_file(&self) -> PathBuf {
        self.root.join("users.toml")
    }

    /// The file of those who may act on the venue, `operators.toml`.
    #[must_use]
    pub fn operators_file(&self) -> PathBuf {
        self.root.join("operators.toml")
    }

    /// The token of the operator made with the venue, `admin.token`.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.root.join("admin.token")
    }

    /// The folder of the journal, `journal`.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// The file that says that a journal was begun, `journal.begun`.
    #[must_use]
    pub fn begun_file(&self) -> PathBuf {
        self.root.join("journal.begun")
    }

    /// The folder of what is derived from the journal for serving, `streams`.
    #[must_use]
    pub fn streams(&self) -> PathBuf {
        self.root.join("streams")
    }
}

#[cfg(test)]
mod tests;
