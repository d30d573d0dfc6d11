//! Boot and end of a venue: recover, wire the threads, open the doors.

mod beginning;
pub mod error;
mod recovery;
mod threads;

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Write},
    net::SocketAddr,
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
use uncross_journal::{Probe, TornTail};

pub use self::beginning::PassedOver;
use self::{
    error::{StartError, StopError, io_error},
    recovery::{Found, Recovery, open_day, recover},
    threads::{Failed, Halves, Threads, Wires},
};
use crate::{
    affinity::{self, Cpus, Plan},
    auth::Auth,
    clock::Clock,
    config::{self, Config, VenueDir},
    core_loop::Core,
    desk::{self, Desk},
    doors::{Doors, Parts, Rules},
    limits::{CONNECTIONS_MIN, DESCRIPTORS_RESERVED, HOUSEKEEPING_MS},
    notice::{Notice, Notices},
    outbound,
    outlet::Patience,
    publisher::{self, Delay, Publisher},
    ring, room, shadow, talk,
    users::Users,
};

/// What stands in the file beside a journal that was begun.
const BEGUN_TEXT: &str = "\
This venue has a journal. Without this file a lost journal would be taken for a new venue, and
numbers would be given a second time.
";

/// What a venue was when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Sequence number of the last record.
    pub last_seq: u64,
    /// Sequence number up to which everything is on the device.
    pub durable_seq: u64,
    /// Fingerprint of the state.
    pub state_hash: [u8; 32],
    /// Fingerprint of the state that the shadow came to; `None` without one that came to the end.
    pub shadow_state_hash: Option<[u8; 32]>,
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
    /// Last record of the snapshot behind which they were; `None`: the journal was replayed whole.
    pub snapshot_seq: Option<u64>,
    /// Newer snapshots, which could not be used.
    pub passed_over: Vec<PassedOver>,
    /// From opening the journal to the last record applied.
    pub took: Duration,
    /// What was cut off the end of the journal, if anything was.
    pub torn: Option<TornTail>,
    /// The epoch that was opened because something said may have been lost.
    pub opened_epoch: Option<u32>,
    /// Bytes written for each page of the journal that changes; `None` where that is not told.
    pub bytes_of_a_change: Option<u64>,
}

/// A running venue.
#[derive(Debug)]
pub struct Venue {
    orders_addr: SocketAddr,
    data_addr: SocketAddr,
    recovered: Recovered,
    symbols: Vec<(u32, [u8; 8])>,
    connections_max: u32,
    plan: Plan,
    notices: Receiver<Notice>,
    dropped: Arc<AtomicU64>,
    desk: Desk,
    threads: Threads,
    watch: Option<shadow::Watch>,
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
    let plan = affinity::plan(&config.core, config.journal.level, &cpus)?;
    let sleep_max = options.sleep_max.unwrap_or(Duration::from_millis(HOUSEKEEPING_MS));
    let wires = Wires::new(&plan, cpus, config.core.spin, sleep_max);
    let wires = wires.map_err(io_error("making a poll"))?;

    let recovery = recover(config, options, (&plan, wires.on_durable()), &users, dir)?;
    let Recovery { replica, journal, filed, mut egress, recovered, seed } = recovery;
    let clock = Clock::new();
    let (producer, consumer) = ring::ring(config.queues.ring_slots as usize);
    let (teller, room) = room::room(producer.buffer().capacity());
    let is_held = config.journal.level != config::Level::Async;
    let events = config.queues.outbound_events as usize;
    let (mut outbound, mut release) = outbound::outbound(events, is_held, journal.watermark());
    let ends = (&mut outbound, &mut release);
    let found =
        Found { replica, journal, filed, opened_epoch: recovered.opened_epoch, room: teller };
    let core = open_day(config, &users, found, &clock, ends, &mut egress)?;
    note_begun(dir).map_err(io_error("noting the journal"))?;
    let known = core.replica().engine().symbols().collect();

    let auth = Auth::start(users, wires.gateway_alarm()).map_err(io_error("starting a thread"))?;
    let (to_publisher, to_gateway) = talk::queues(connections_max as usize);
    let (notices, receiver) = Notices::new();
    let dropped = notices.dropped();
    let listeners = [
        listen("orders", config.orders.listen, &orders)?,
        listen("data", config.data.listen, &data)?,
    ];
    let (orders_addr, data_addr) = (address(&listeners[0])?, address(&listeners[1])?);
    let (desk, inbox) = desk::desk(wires.gateway_alarm(), core.pulse(), core.watermark());
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
        desk: inbox,
    };
    let doors = Doors::open(parts, wires.gateway_registry());
    let doors = doors.map_err(io_error("registering a listener"))?;
    let registry = wires.publisher_registry().map_err(io_error("making a poll"))?;
    let (rules, ports_max) = (publisher_rules(config), config.capacity.ports);
    let publisher = Publisher::new(egress, release, to_gateway, registry, rules, ports_max);
    let beside = beside(&core, &plan, &notices);
    let halves = Halves { doors, core, consumer, outbound, publisher, clock, notices };
    let threads = wires.start(halves).map_err(io_error("starting a thread"))?;
    let (threads, watch) = watch(threads, seed, beside)?;
    Ok(Venue {
        orders_addr,
        data_addr,
        recovered,
        symbols: known,
        connections_max,
        plan,
        notices: receiver,
        dropped,
        desk,
        threads,
        watch,
    })
}

/// What the shadow sees of the venue.
fn beside(core: &Core, plan: &Plan, notices: &Notices) -> shadow::Beside {
    shadow::Beside {
        watermark: core.watermark(),
        pulse: core.pulse(),
        notices: notices.clone(),
        hot_cpus: plan.hot_cpus(),
    }
}

/// Starts the shadow beside the threads of a venue, if there is to be one; without it they end.
fn watch(
    threads: Threads,
    seed: shadow::Seed,
    beside: shadow::Beside,
) -> Result<(Threads, Option<shadow::Watch>), StartError> {
    if seed.every == 0 {
        return Ok((threads, None));
    }
    match shadow::Watch::start(seed, beside) {
        Ok(watch) => Ok((threads, Some(watch))),
        Err(error) => {
            // The first error is the one to report.
            drop(threads.stop());
            Err(io_error("starting a thread")(error))
        }
    }
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

    /// The symbol of every id that the journal had listed at start: each belongs to its id for
    /// ever.
    #[must_use]
    pub fn symbols(&self) -> &[(u32, [u8; 8])] {
        &self.symbols
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

    /// Where operators' acts are handed in.
    #[must_use]
    pub fn desk(&self) -> Desk {
        self.desk.clone()
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
        let Self { threads, watch, .. } = self;
        let stopped = threads.stop().map_err(|failed| match failed {
            Failed::Reactor(error) => StopError::Failed(error),
            Failed::Panicked => StopError::Panicked,
        });
        let closed = stopped.and_then(|(core, feed_delay)| {
            let last_seq = core.seq();
            let (replica, journal) = core.into_parts();
            let watermark = journal.watermark();
            journal.close()?;
            Ok((replica, watermark, last_seq, feed_delay))
        });
        let shadow = watch.and_then(|watch| watch.stop(closed.is_ok()));
        let (replica, watermark, last_seq, feed_delay) = closed?;
        let shadow = shadow.filter(|(seq, _)| *seq == last_seq);
        Ok(Summary {
            shadow_state_hash: shadow.map(|(_, hash)| hash),
            last_seq,
            durable_seq: watermark.durable_seq(),
            state_hash: replica.state_hash(),
            output_hash: replica.output_hash(),
            feed_delay,
        })
    }
}

/// Notes, durably, that the venue has a journal.
fn note_begun(dir: &VenueDir) -> io::Result<()> {
    let path = dir.begun_file();
    if path.exists() {
        return Ok(());
    }
    let mut file = File::create(&path)?;
    file.write_all(BEGUN_TEXT.as_bytes())?;
    file.sync_all()?;
    File::open(dir.root())?.sync_all()
}

fn check_ports(users: &Users, ports_max: u16) -> Result<(), StartError> {
    for user in users.list() {
        if let Some(port) = user.port().filter(|&port| ports_max < port) {
            let user = user.name().to_owned();
            return Err(StartError::Ports { user, port, ports_max });
        }
    }
    Ok(())
}

/// Makes sure that connections cannot use up the descriptors that journal and streams need, which
/// hold none of their own but while they grow: raises the limit as far as need be, and returns how
/// many connections fit then.
fn fit_connections(config: &Config) -> Result<u32, StartError> {
    let wanted = config.session.connections_max;
    let others = DESCRIPTORS_RESERVED;
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

fn generations(core: &Core, ports_max: u16) -> Vec<u16> {
    let engine = core.replica().engine();
    (0..=ports_max).map(|port| engine.session(port).map_or(0, |(last, _)| last)).collect()
}

fn symbols(core: &Core) -> HashMap<[u8; 8], u32, RandomState> {
    let replica = core.replica();
    let known = replica.engine().symbols().map(|(id, symbol)| (symbol, id));
    let mut symbols: HashMap<_, _, RandomState> = known.collect();
    // Listings of the day must not make it grow beside trading.
    symbols.reserve(replica.capacity().instruments.into());
    symbols
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
