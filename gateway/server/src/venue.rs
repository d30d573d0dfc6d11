//! Boot and end of a venue: recover, replay, say what must be said first, open the doors.

mod threads;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crossbeam::channel::Receiver;
use foldhash::fast::RandomState;
use mio::net::TcpListener;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use uncross_engine::{
    Progress, command::Source, engine::DefineError, instrument::Instrument, limits::Capacity,
};
use uncross_journal::{
    CloseError, Completeness, Identity, Level, OnDurable, OpenError, Probe, Recovery, ReplayError,
    Settings, TornTail, Writer,
};

use self::threads::{Failed, Halves, Threads, Wires};
use crate::{
    affinity::{self, Cpus, Plan, PlanError},
    auth::Auth,
    calendar::Calendar,
    clock::{Clock, wall_ns},
    config::{self, Config, VenueDir},
    core_loop::{Core, CoreError},
    doors::{Doors, Parts, Rules},
    egress::Egress,
    limits::{CONNECTIONS_MIN, DESCRIPTORS_RESERVED, HOUSEKEEPING_MS},
    notice::{Notice, Notices},
    outbound::{self, Outbound, Release},
    outlet::Patience,
    publisher::{self, Delay, Publisher},
    reactor::ReactorError,
    record::{self, Draft},
    replica::{ApplyError, Replica},
    ring,
    room::{self, RoomTeller},
    talk,
    users::{Users, error::UsersError},
};

/// Furthest that the wall clock may stand behind the last record at start.
const CLOCK_BEHIND_NS_MAX: u64 = 1_000_000_000;
/// What stands in the file beside a journal that was begun.
const BEGUN_TEXT: &str = "\
This venue has a journal. Without this file a lost journal would be taken for a new venue, and
numbers would be given a second time.
";

/// Why a venue does not start. Nothing was changed but what the message says.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen for {door} on {address}: {error}")]
    Listen {
        /// `orders` or `data`.
        door: &'static str,
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// The venue had a journal, and it is empty now.
    #[error("{} says that a journal was begun, but there is no record of it", path.display())]
    JournalGone {
        /// The file that says so.
        path: PathBuf,
    },
    /// Another version of the engine wrote the journal: its records would lead elsewhere.
    #[error("the journal is of behaviour version {found}, this program of version {expected}")]
    Behaviour {
        /// This program's.
        expected: u32,
        /// The journal's.
        found: u32,
    },
    /// A record cannot be applied.
    #[error(transparent)]
    Replay(#[from] ReplayError<ApplyError>),
    /// The users file is unusable.
    #[error(transparent)]
    Users(#[from] UsersError),
    /// The configuration contradicts the journal.
    #[error("capacity: the journal was begun with {journal:?}, configured is {configured:?}")]
    Capacity {
        /// What the journal says.
        journal: Capacity,
        /// What the configuration says.
        configured: Capacity,
    },
    /// An instrument of the configuration contradicts the journal.
    #[error("instrument {id}: the journal lists {journal:?}, configured is {configured:?}")]
    Instrument {
        /// Its id.
        id: u32,
        /// What the journal says.
        journal: Instrument,
        /// What the configuration says.
        configured: Instrument,
    },
    /// An instrument cannot be listed.
    #[error("instrument {id}: {error}")]
    Listing {
        /// Its id.
        id: u32,
        /// Why.
        error: DefineError,
    },
    /// A user has a port that the engine does not hold.
    #[error("user {user} has port {port}, the capacity is {ports_max} ports")]
    Ports {
        /// The user.
        user: String,
        /// Its port.
        port: u16,
        /// `capacity.ports`.
        ports_max: u16,
    },
    /// A user has a port that was another's, whose reports and orders it would get.
    #[error("user {user} has port {port}, which the journal knows as that of {owner}")]
    PortOwner {
        /// The user.
        user: String,
        /// Its port.
        port: u16,
        /// Who last logged in there.
        owner: String,
    },
    /// The process may not have as many files and sockets open as are configured.
    #[error(
        "{expected} open files are needed for the configured connections and ports, \
         the limit is {found}"
    )]
    Descriptors {
        /// Needed.
        expected: u64,
        /// Allowed.
        found: u64,
    },
    /// The CPUs do not allow what is configured.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The wall clock is behind the journal.
    #[error("the clock is {behind_ns} ns behind the last record, at most 1 s is allowed")]
    ClockBehind {
        /// By how much.
        behind_ns: u64,
    },
    /// The first records could not be journalled.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The system refused something.
    #[error("{doing}: {error}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

/// Why a venue did not end well.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// It had failed before.
    #[error(transparent)]
    Failed(#[from] ReactorError),
    /// The journal was not closed cleanly.
    #[error(transparent)]
    Close(#[from] CloseError),
    /// A thread panicked.
    #[error("a thread of the venue panicked")]
    Panicked,
}

/// What a venue was when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Sequence number of the last record.
    pub last_seq: u64,
    /// Sequence number up to which everything is on the device.
    pub durable_seq: u64,
    /// Fingerprint of the state.
    pub state_hash: [u8; 32],
    /// Fingerprint of all events.
    pub output_hash: u64,
    /// How long market data came behind the reports of the same commands.
    pub feed_delay: Delay,
}

/// What was found at start.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// Records replayed.
    pub records: u64,
    /// What was cut off the end of the journal, if anything was.
    pub torn: Option<TornTail>,
    /// The epoch that was opened because something said may have been lost.
    pub opened_epoch: Option<u32>,
}

/// A running venue.
#[derive(Debug)]
pub struct Venue {
    orders_addr: SocketAddr,
    data_addr: SocketAddr,
    recovered: Recovered,
    connections_max: u32,
    plan: Plan,
    notices: Receiver<Notice>,
    dropped: Arc<AtomicU64>,
    threads: Threads,
}

/// How a venue is started, beside its configuration; the default is right outside of tests.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Told of every operation of the journal on the disk, and may make it fail.
    pub probe: Option<Arc<dyn Probe>>,
    /// Which boot of the machine this is; `None` asks the kernel. Tests play reboots with it.
    pub boot_id: Option<[u8; 16]>,
    /// Longest sleep of a thread whom nobody wakes; `None` for that of housekeeping. Tests that
    /// wait for a lost wake-up make it long.
    pub sleep_max: Option<Duration>,
}

/// Starts the venue in `dir`: recovers its journal, then opens the doors.
///
/// # Errors
///
/// What is wrong, found before anyone could connect.
pub fn start(config: &Config, dir: &VenueDir) -> Result<Venue, StartError> {
    start_with(config, dir, &Options::default())
}

/// As [`start`], with `options`.
///
/// # Errors
///
/// As [`start`].
pub fn start_with(config: &Config, dir: &VenueDir, options: &Options) -> Result<Venue, StartError> {
    let orders = bind("orders", config.orders.listen)?;
    let data = bind("data", config.data.listen)?;
    let users = Users::load(&dir.users_file())?;
    check_ports(&users, config.capacity.ports)?;
    let connections_max = fit_connections(config)?;
    std::fs::create_dir_all(dir.streams()).map_err(io_error("making the folder for streams"))?;

    let cpus = Cpus::read();
    let plan = affinity::plan(&config.core, &cpus)?;
    let sleep_max = options.sleep_max.unwrap_or(Duration::from_millis(HOUSEKEEPING_MS));
    let wires = Wires::new(&plan, cpus, config.core.spin, sleep_max);
    let wires = wires.map_err(io_error("making a poll"))?;

    let mut egress = Egress::new(&dir.streams(), config.capacity.ports);
    let recovery = recover(config, options, wires.on_durable(), &users, dir, &mut egress)?;
    let (replica, journal, recovered) = recovery;
    let clock = Clock::new();
    let (producer, consumer) = ring::ring(config.queues.ring_slots as usize);
    let (teller, room) = room::room(producer.buffer().capacity());
    let is_held = config.journal.level != config::Level::Async;
    let events = config.queues.outbound_events as usize;
    let (mut outbound, mut release) = outbound::outbound(events, is_held, journal.watermark());
    let ends = (&mut outbound, &mut release);
    let found = Found { replica, journal, opened_epoch: recovered.opened_epoch, room: teller };
    let core = open_day(config, found, &clock, ends, &mut egress)?;
    std::fs::write(dir.begun_file(), BEGUN_TEXT).map_err(io_error("noting the journal"))?;

    let auth = Auth::start(users, wires.gateway_alarm());
    let auth = auth.map_err(io_error("starting a thread"))?;
    let (to_publisher, to_gateway) = talk::queues(connections_max as usize);
    let (notices, receiver) = Notices::new();
    let dropped = notices.dropped();
    let listeners = [
        listen("orders", config.orders.listen, &orders)?,
        listen("data", config.data.listen, &data)?,
    ];
    let (orders_addr, data_addr) = (address(&listeners[0])?, address(&listeners[1])?);
    let parts = Parts {
        listeners,
        producer,
        room,
        publisher: to_publisher,
        auth,
        notices: notices.clone(),
        interest: wires.gateway_interest(),
        rules: rules(config, connections_max),
        generations: generations(&core, config.capacity.ports),
        symbols: symbols(&core),
    };
    let doors = Doors::open(parts, wires.gateway_registry());
    let doors = doors.map_err(io_error("registering a listener"))?;
    let registry = wires.publisher_registry().map_err(io_error("making a poll"))?;
    let (rules, ports_max) = (publisher_rules(config), config.capacity.ports);
    let publisher = Publisher::new(egress, release, to_gateway, registry, rules, ports_max);
    let halves = Halves { doors, core, consumer, outbound, publisher, clock, notices };
    let threads = wires.start(halves).map_err(io_error("starting a thread"))?;
    let notices = receiver;
    Ok(Venue {
        orders_addr,
        data_addr,
        recovered,
        connections_max,
        plan,
        notices,
        dropped,
        threads,
    })
}

impl Venue {
    /// Where brokers connect.
    #[must_use]
    pub const fn orders_addr(&self) -> SocketAddr {
        self.orders_addr
    }

    /// Where subscribers connect.
    #[must_use]
    pub const fn data_addr(&self) -> SocketAddr {
        self.data_addr
    }

    /// What was found at start.
    #[must_use]
    pub const fn recovered(&self) -> &Recovered {
        &self.recovered
    }

    /// Connections it takes: what is configured, or fewer where the system's limit of open files
    /// does not allow them.
    #[must_use]
    pub const fn connections_max(&self) -> u32 {
        self.connections_max
    }

    /// How the work is laid out on threads, and why.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What there is to tell an operator; ends when the venue does.
    #[must_use]
    pub const fn notices(&self) -> &Receiver<Notice> {
        &self.notices
    }

    /// Notices that found no room in the channel, so far.
    #[must_use]
    pub fn notices_dropped(&self) -> u64 {
        // Relaxed: a count for people.
        self.dropped.load(Ordering::Relaxed)
    }

    /// Whether the venue still runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.threads.are_running()
    }

    /// Ends the venue: connections are closed, the journal is synced and closed.
    ///
    /// # Errors
    ///
    /// It had failed before, or the journal cannot be synced.
    pub fn stop(self) -> Result<Summary, StopError> {
        let (core, feed_delay) = self.threads.stop().map_err(|failed| match failed {
            Failed::Reactor(error) => StopError::Failed(error),
            Failed::Panicked => StopError::Panicked,
        })?;
        let last_seq = core.seq();
        let (replica, journal) = core.into_parts();
        let watermark = journal.watermark();
        journal.close()?;
        Ok(Summary {
            last_seq,
            durable_seq: watermark.durable_seq(),
            state_hash: replica.state_hash(),
            output_hash: replica.output_hash(),
            feed_delay,
        })
    }
}

fn check_ports(users: &Users, ports_max: u16) -> Result<(), StartError> {
    match users.list().iter().find(|user| ports_max < user.port()) {
        Some(user) => {
            let (port, user) = (user.port(), user.name().to_owned());
            Err(StartError::Ports { user, port, ports_max })
        }
        None => Ok(()),
    }
}

/// Makes sure that no port has changed hands: its session and orders belong to its user.
fn check_owners(users: &Users, owners: &HashMap<u16, [u8; 6]>) -> Result<(), StartError> {
    for user in users.list() {
        let Some(owner) = owners.get(&user.port()) else { continue };
        if *owner != user.name_padded() {
            let (user, port) = (user.name().to_owned(), user.port());
            let owner = String::from_utf8_lossy(owner).trim_end().to_owned();
            return Err(StartError::PortOwner { user, port, owner });
        }
    }
    Ok(())
}

/// Makes sure that connections cannot use up the descriptors that journal and streams need:
/// raises the limit as far as need be, and returns how many connections fit then.
fn fit_connections(config: &Config) -> Result<u32, StartError> {
    let wanted = config.session.connections_max;
    // Until an ended day has been read to its end there are two streams for a port.
    let others = 2 * (u64::from(config.capacity.ports) + 1) + DESCRIPTORS_RESERVED;
    let limit = getrlimit(Resource::Nofile);
    let found = limit.maximum.unwrap_or(u64::MAX);
    let fitting = found.saturating_sub(others).min(u64::from(wanted));
    if fitting < u64::from(wanted.min(CONNECTIONS_MIN)) {
        return Err(StartError::Descriptors { expected: others + u64::from(wanted), found });
    }
    if limit.current.is_some_and(|current| current < others + fitting) {
        let raised = Rlimit { current: Some(others + fitting), maximum: limit.maximum };
        let raised = setrlimit(Resource::Nofile, raised);
        raised.map_err(|error| io_error("raising the limit of open files")(error.into()))?;
    }
    Ok(u32::try_from(fitting).unwrap_or(wanted))
}

fn io_error(doing: &'static str) -> impl FnOnce(io::Error) -> StartError {
    move |error| StartError::Io { doing, error }
}

/// Takes an address, so that a busy one is found out before the journal is read; connections are
/// refused until [`listen`].
fn bind(door: &'static str, address: SocketAddr) -> Result<Socket, StartError> {
    let bound = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::from(address))?;
        Ok(socket)
    };
    bound().map_err(|error| StartError::Listen { door, address, error })
}

fn listen(
    door: &'static str,
    address: SocketAddr,
    socket: &Socket,
) -> Result<TcpListener, StartError> {
    const BACKLOG: i32 = 1_024;
    let listener = socket.listen(BACKLOG).and_then(|()| socket.try_clone());
    let listener = listener.map_err(|error| StartError::Listen { door, address, error })?;
    Ok(TcpListener::from_std(listener.into()))
}

fn address(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(io_error("reading a listener's address"))
}

fn journal_settings(config: &Config, options: &Options, on_durable: OnDurable) -> Settings {
    Settings {
        segment_len_bytes: config.journal.segment,
        level: match config.journal.level {
            config::Level::Async => Level::Async,
            config::Level::Group => Level::Group,
            config::Level::Sync => Level::Sync,
        },
        flush_interval: config.journal.flush_interval,
        boot_id: options.boot_id,
        on_durable: Some(on_durable),
        probe: options.probe.clone(),
        ..Settings::default()
    }
}

/// Replays the journal into a replica and into the streams.
fn recover(
    config: &Config,
    options: &Options,
    on_durable: OnDurable,
    users: &Users,
    dir: &VenueDir,
    egress: &mut Egress,
) -> Result<(Replica, Writer, Recovered), StartError> {
    let settings = journal_settings(config, options, on_durable);
    let identity = Identity {
        behaviour_version: uncross_engine::BEHAVIOUR_VERSION,
        config_hash: config.fingerprint(),
        build_id: build_id(),
    };
    let mut recovery: Recovery = uncross_journal::open(&dir.journal(), &settings, &identity)?;
    if let Some(last) = recovery.last_identity()
        && last.behaviour_version != identity.behaviour_version
    {
        let (expected, found) = (identity.behaviour_version, last.behaviour_version);
        return Err(StartError::Behaviour { expected, found });
    }
    let mut replica = None;
    let mut events = Vec::new();
    let begun = dir.begun_file();
    if recovery.last_seq() == 0 && begun.exists() {
        return Err(StartError::JournalGone { path: begun });
    }
    let mut owners = HashMap::new();
    recovery.replay(|record| {
        owners.extend(record::port_owner(record.kind, record.body));
        let Some(replica) = &mut replica else {
            replica = Some(Replica::found(&record)?);
            return Ok(());
        };
        let mut progress = replica.apply(&record, &mut events)?;
        loop {
            for event in events.drain(..) {
                egress.write(&event).map_err(|error| ApplyError::Stream(error.to_string()))?;
            }
            match progress {
                Progress::Done => return Ok(()),
                Progress::More => progress = replica.resume(&mut events),
            }
        }
    })?;
    check_owners(users, &owners)?;
    let replica = match replica {
        Some(replica) if replica.capacity() != config.capacity => {
            let (journal, configured) = (replica.capacity(), config.capacity);
            return Err(StartError::Capacity { journal, configured });
        }
        Some(replica) => replica,
        None => Replica::new(config.capacity),
    };
    // What was said and is not there must not be said again under the same numbers.
    let is_unproven = recovery.completeness() == Completeness::Unproven;
    let recovered = Recovered {
        records: recovery.last_seq(),
        torn: recovery.torn().cloned(),
        opened_epoch: is_unproven.then(|| replica.engine().epoch() + 1),
    };
    let mut journal = recovery.into_writer(wall_ns(), replica.output_hash())?;
    journal.set_epoch(recovered.opened_epoch.unwrap_or(replica.engine().epoch()));
    Ok((replica, journal, recovered))
}

fn build_id() -> [u8; 32] {
    let mut id = [0; 32];
    let text = concat!("uncross ", env!("CARGO_PKG_VERSION")).as_bytes();
    id[..text.len()].copy_from_slice(text);
    id
}

/// What a start has found, and what its core goes on with.
#[derive(Debug)]
struct Found {
    replica: Replica,
    journal: Writer,
    /// The epoch to open, if one must be.
    opened_epoch: Option<u32>,
    room: RoomTeller,
}

/// Says what must be said before the doors open: capacity, sessions that are down, a new epoch,
/// instruments, the day.
fn open_day(
    config: &Config,
    found: Found,
    clock: &Clock,
    (outbound, release): (&mut Outbound, &mut Release),
    egress: &mut Egress,
) -> Result<Core, StartError> {
    let Found { replica, journal, opened_epoch, room } = found;
    let now_ns = clock.now_ns();
    let behind_ns = replica.engine().now_ns().saturating_sub(now_ns);
    if CLOCK_BEHIND_NS_MAX < behind_ns {
        return Err(StartError::ClockBehind { behind_ns });
    }
    let calendar =
        Calendar { utc_offset_s: config.venue.utc_offset_s, roll_at_s: config.venue.day_roll_s };
    let epoch = opened_epoch.unwrap_or(replica.engine().epoch());
    let opening = Opening { is_new: journal.last_seq() == 0, opened_epoch, epoch };
    let drafts = first_words(config, &replica, opening, calendar, now_ns)?;
    let mut core = Core::new(replica, journal, calendar, epoch, room);
    core.advance(now_ns);
    let mut failure = None;
    for draft in &drafts {
        core.insist(draft, outbound, || {
            if let Err(error) = release.take_all(|event| egress.write(event)) {
                failure.get_or_insert(error);
            }
        })?;
    }
    // Nobody may read of it before it is durable.
    core.settle()?;
    match failure {
        Some(error) => Err(io_error("writing a stream")(error)),
        None => Ok(core),
    }
}

/// How a venue finds its journal.
#[derive(Clone, Copy, Debug)]
struct Opening {
    is_new: bool,
    opened_epoch: Option<u32>,
    epoch: u32,
}

fn first_words(
    config: &Config,
    replica: &Replica,
    opening: Opening,
    calendar: Calendar,
    now_ns: u64,
) -> Result<Vec<Draft>, StartError> {
    let mut drafts = Vec::new();
    let mut say = |set: &dyn Fn(&mut Draft)| {
        let mut draft = Draft::new();
        set(&mut draft);
        drafts.push(draft);
    };
    if opening.is_new {
        say(&|draft| draft.set_capacity(&config.capacity));
    }
    let engine = replica.engine();
    for port in 1..=config.capacity.ports {
        if let Some((generation, true)) = engine.session(port) {
            say(&|draft| draft.set_session_down(Source { port, generation, channel: 0 }, b'R'));
        }
    }
    if let Some(epoch) = opening.opened_epoch {
        let date = engine.day().map_or(0, |day| day.date);
        say(&|draft| draft.set_epoch(&Calendar::epoch(date, epoch)));
    }
    for &configured in &config.instruments {
        let id = configured.id;
        match engine.instruments().find(|listed| listed.id == id) {
            Some(&journal) if journal != configured => {
                return Err(StartError::Instrument { id, journal, configured });
            }
            Some(_) => {}
            None => {
                let listing = engine.check_define(&configured);
                listing.map_err(|error| StartError::Listing { id, error })?;
                say(&|draft| draft.set_instrument(&configured));
            }
        }
    }
    let date = calendar.date(now_ns);
    if engine.day().is_none_or(|day| day.date < date) {
        say(&|draft| draft.set_day_roll(&calendar.roll(now_ns, opening.epoch)));
    }
    Ok(drafts)
}

fn generations(core: &Core, ports_max: u16) -> Vec<u16> {
    let engine = core.replica().engine();
    (0..=ports_max).map(|port| engine.session(port).map_or(0, |(last, _)| last)).collect()
}

fn symbols(core: &Core) -> HashMap<[u8; 8], u32, RandomState> {
    core.replica().engine().instruments().map(|it| (it.symbol, it.id)).collect()
}

fn rules(config: &Config, connections_max: u32) -> Rules {
    let session = &config.session;
    Rules {
        login_timeout_ms: ms(session.login_timeout),
        client_timeout_ms: ms(session.client_timeout),
        connections_max: connections_max as usize,
        per_address_max: session.connections_per_address_max as usize,
        // The length field and the packet type belong to the frame, not to its payload.
        payload_max: usize::from(session.frame_len_max) - 3,
        frames_per_turn: session.frames_per_turn as usize,
    }
}

fn publisher_rules(config: &Config) -> publisher::Rules {
    let session = &config.session;
    let lag_max = usize::try_from(session.lag_max).unwrap_or(usize::MAX);
    let patience = Patience { lag_max, lag_time_max_ms: ms(session.lag_time_max) };
    publisher::Rules { heartbeat_ms: ms(session.heartbeat_interval), patience }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
