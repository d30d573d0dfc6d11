//! Running a venue from a command: why it does not start, what it tells meanwhile, how it ends.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::Serialize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use uncross_admin::{Admin, AdminError, Bound, Settings};
use uncross_server::{
    affinity::{Plan, ThreadPlan},
    config::{Config, VenueDir},
    journal::{Finding, OpenError, ReadError, ReplayError, TornTail},
    notice::{Closed, Notice},
    replica::ApplyError,
    streams::StreamError,
    users::Users,
    venue::{
        Venue,
        error::{StartError, StopError},
    },
};

use crate::{
    errors::{self, Failure, Place},
    output::{Outcome, Output},
};

/// Longest time until a signal is noticed.
const SIGNAL_POLL: Duration = Duration::from_millis(100);

/// Whether somebody asked the program to end.
#[derive(Clone, Debug)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens for the signals of Ctrl-C, of service managers and of a terminal that closes.
    pub(crate) fn on_signals() -> Result<Self, Failure> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // A second signal ends the program at once, should the orderly end hang.
            let hard =
                signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag));
            let soft = signal_hook::flag::register(signal, Arc::clone(&flag));
            hard.and(soft).map_err(|error| {
                Failure::new(&errors::SYSTEM, format!("cannot listen for signals: {error}"))
            })?;
        }
        Ok(Self(flag))
    }

    pub(crate) fn is_asked(&self) -> bool {
        // Relaxed: the flag carries no data.
        self.0.load(Ordering::Relaxed)
    }
}

/// Sets up the log: text on a terminal, JSON lines otherwise, both on standard error.
pub(crate) fn start_log() {
    use std::io::IsTerminal;
    let builder = tracing_subscriber::fmt().with_writer(io::stderr).with_target(false);
    // Only the first setting counts; a second one fails harmlessly.
    if io::stderr().is_terminal() {
        drop(builder.try_init());
    } else {
        drop(builder.json().try_init());
    }
}

/// Logs what the venue tells until it ends or the program is asked to.
pub(crate) fn attend(venue: &Venue, stop: &Stop) {
    while venue.is_running() && !stop.is_asked() {
        if let Ok(notice) = venue.notices().recv_timeout(SIGNAL_POLL) {
            log(&notice);
        }
    }
    for notice in venue.notices().try_iter() {
        log(&notice);
    }
    let dropped = venue.notices_dropped();
    if 0 < dropped {
        tracing::warn!(code = "dropped", dropped, "lines missing from this log");
    }
}

fn log(notice: &Notice) {
    match notice {
        Notice::LoggedIn { user, peer, door } => {
            tracing::info!(code = "login", %user, %peer, door, "logged in");
        }
        Notice::LoginRefused { peer, reason } => {
            tracing::warn!(code = "login-refused", %peer, %reason, "login refused");
        }
        Notice::Overloaded { peer } => {
            tracing::warn!(code = "overloaded", %peer, "connection turned away: too many");
        }
        Notice::Closed { peer, reason } => match reason {
            Closed::Protocol(text) => {
                tracing::warn!(code = "protocol", %peer, %text, "connection closed");
            }
            other => tracing::info!(code = "closed", %peer, reason = ?other, "connection closed"),
        },
        Notice::JournalRoom { is_waiting: true } => {
            tracing::error!(code = "journal-full", "no room in the journal: nothing is taken in");
        }
        Notice::JournalRoom { is_waiting: false } => {
            tracing::info!(code = "journal-room", "the journal has room again");
        }
        Notice::JournalSpace { error: Some(error) } => {
            tracing::error!(code = "disk-full", %error, "the journal cannot be prepared further");
        }
        Notice::JournalSpace { error: None } => {
            tracing::info!(code = "disk-room", "the journal is prepared further again");
        }
        Notice::OrdersRefused { is_refusing: true } => {
            tracing::error!(code = "orders-refused", "no room in the journal: orders are refused");
        }
        Notice::OrdersRefused { is_refusing: false } => {
            tracing::info!(code = "orders-accepted", "orders are accepted again");
        }
        Notice::ClockOff { error_ns } => {
            tracing::error!(
                code = "clock",
                error_ns,
                "the wall clock is off: time follows it by 500 ppm at most"
            );
        }
        Notice::SnapshotWritten { seq, path } => {
            tracing::info!(code = "snapshot", seq, path = %path.display(), "snapshot written");
        }
        Notice::SnapshotFailed { seq, error } => {
            tracing::warn!(code = "snapshot-failed", seq, %error, "no snapshot was written");
        }
        Notice::ShadowEnded { error, differs: true } => tracing::error!(
            code = "shadow-differs",
            %error,
            "the venue said something else than its journal leads to"
        ),
        Notice::ShadowEnded { error, differs: false } => {
            tracing::error!(code = "shadow-ended", %error, "there are no more snapshots");
        }
        Notice::Failed(error) => tracing::error!(code = "failed", %error, "the venue stops"),
        Notice::Io(error) => tracing::error!(code = "io", %error, "the venue stops"),
    }
}

/// Takes the address of the door of operators, if there is to be one: a busy one is found out
/// before the journal is read.
pub(crate) fn take_admin(config: &Config) -> Result<Option<Bound>, Failure> {
    let door = config.admin;
    Ok(door.is_enabled.then(|| Bound::take(door.listen)).transpose()?)
}

/// Opens that door; a venue whose door stays shut is ended in order.
pub(crate) fn open_admin(
    bound: Option<Bound>,
    running: Venue,
    config: &Config,
    dir: &VenueDir,
) -> Result<(Venue, Option<Admin>), Failure> {
    let Some(bound) = bound else {
        return Ok((running, None));
    };
    let open = || -> Result<Admin, Failure> {
        let settings = Settings {
            bound,
            venue: config.venue.name.clone(),
            operators_file: dir.operators_file(),
            users: Users::load(&dir.users_file())?,
            symbols: running.symbols().to_vec(),
            flush_interval: config.journal.flush_interval,
        };
        Ok(uncross_admin::start(running.desk(), settings)?)
    };
    match open() {
        Ok(admin) => Ok((running, Some(admin))),
        Err(failure) => {
            drop(running.stop());
            Err(failure)
        }
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        let message = error.to_string();
        match error {
            AdminError::Listen { address, error } => listen_failure("operators", address, &error),
            AdminError::Io { .. } => Self::new(&errors::SYSTEM, message),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let message = error.to_string();
        match error {
            StartError::Listen { door, address, error } => listen_failure(door, address, &error),
            StartError::Journal(error) => error.into(),
            StartError::JournalGone { .. } => Self::new(&errors::JOURNAL_GONE, message),
            StartError::Behaviour { .. } => Self::new(&errors::JOURNAL_BEHAVIOUR, message),
            StartError::Replay(error) => error.into(),
            StartError::Users(error) => error.into(),
            StartError::Capacity { .. } => Self::new(&errors::CAPACITY_CHANGED, message),
            StartError::Listing { .. } => Self::new(&errors::INSTRUMENT_REFUSED, message),
            StartError::PortOwner { .. } => Self::new(&errors::PORT_OWNER, message),
            StartError::Copies(_) => Self::new(&errors::COPIES_FULL, message),
            StartError::Ports { .. } => Self::new(&errors::PORTS_SHORT, message),
            StartError::Descriptors { .. } => Self::new(&errors::DESCRIPTORS, message),
            StartError::ClockBehind { .. } => Self::new(&errors::CLOCK_BEHIND, message),
            StartError::Plan(_) => Self::new(&errors::CPUS_SHORT, message),
            StartError::Core(_) => Self::new(&errors::VENUE_FAILED, message),
            StartError::Io { .. } => Self::new(&errors::SYSTEM, message),
        }
    }
}

fn listen_failure(door: &str, address: std::net::SocketAddr, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::AddrInUse {
        let message = format!("port {} is already in use", address.port());
        return Failure::new(&errors::PORT_IN_USE, message)
            .cause(format!("another program listens on {address}, where {door} should come in"));
    }
    let message = format!("cannot listen for {door} on {address}");
    Failure::new(&errors::LISTEN, message).cause(error.to_string())
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let message = error.to_string();
        match error {
            OpenError::Read(error) => error.into(),
            OpenError::Locked { .. } => Self::new(&errors::FOLDER_BUSY, message),
            OpenError::SegmentLen { .. } | OpenError::FlushIntervalZero => {
                Self::new(&errors::CONFIG_VALUE, message)
            }
        }
    }
}

impl From<StreamError> for Failure {
    fn from(error: StreamError) -> Self {
        let (message, place) = (error.to_string(), error.finding().map(Place::from));
        match error {
            StreamError::Version { expected, found, .. } => {
                Self::of_version(message, found, expected).place(place)
            }
            StreamError::Io { .. } => Self::new(&errors::FILE_READ, message)
                .cause("the disk, the file system or the permissions do not allow it"),
            _ => Self::new(&errors::STREAM_DAMAGED, message).place(place),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let message = error.to_string();
        let place = error.finding().map(Place::from);
        match error {
            ReadError::Disk(_) => Self::new(&errors::JOURNAL_DISK, message),
            ReadError::Version { found, newest, .. } => {
                Self::of_version(message, found, newest).place(place)
            }
            _ => Self::new(&errors::JOURNAL_DAMAGED, message).place(place),
        }
    }
}

impl From<Finding> for Place {
    fn from(finding: Finding) -> Self {
        let Finding { path, offset, expected, found } = finding;
        Self { file: path.display().to_string(), offset, expected, found }
    }
}

impl From<ApplyError> for Failure {
    fn from(error: ApplyError) -> Self {
        let message = error.to_string();
        match error {
            ApplyError::Behaviour { .. } => Self::new(&errors::JOURNAL_BEHAVIOUR, message),
            _ => Self::new(&errors::REPLAY, message),
        }
    }
}

impl From<ReplayError<ApplyError>> for Failure {
    fn from(error: ReplayError<ApplyError>) -> Self {
        match error {
            ReplayError::Read(error) => error.into(),
            ReplayError::Apply(error) => error.into(),
        }
    }
}

impl From<StopError> for Failure {
    fn from(error: StopError) -> Self {
        Self::new(&errors::VENUE_FAILED, error.to_string())
    }
}

/// What lies behind the last record, in words.
pub(crate) fn torn_text(torn: &TornTail) -> String {
    let TornTail { segment, offset, len_bytes, copy, .. } = torn;
    let name = segment.file_name().unwrap_or_default().display();
    let kept = copy
        .as_ref()
        .and_then(|path| path.file_name())
        .map_or_else(String::new, |copy| format!(", kept as {}", copy.display()));
    format!("a torn tail of {len_bytes} bytes at offset {offset} of {name}{kept}")
}

/// How the hot threads are laid out, in JSON.
#[derive(Debug, Serialize)]
pub(crate) struct LayoutReport {
    name: &'static str,
    reason: String,
    threads: Vec<ThreadReport>,
}

#[derive(Debug, Serialize)]
struct ThreadReport {
    name: &'static str,
    cpu: Option<usize>,
    wait: &'static str,
}

impl LayoutReport {
    pub(crate) fn new(plan: &Plan) -> Self {
        let threads = plan.threads.iter().map(|thread| {
            let &ThreadPlan { name, cpu, wait } = thread;
            ThreadReport { name, cpu, wait: wait.name() }
        });
        let (name, reason) = (plan.wiring.name(), plan.reason.clone());
        Self { name, reason, threads: threads.collect() }
    }
}

/// How the hot threads are laid out, in words.
pub(crate) fn tell_layout(plan: &Plan, output: &mut Output) -> Outcome {
    output.line(format_args!("layout   {}: {}", plan.wiring.name(), plan.reason))?;
    for ThreadPlan { name, cpu, wait } in &plan.threads {
        let place = cpu.map_or_else(|| "not pinned".to_owned(), |cpu| format!("CPU {cpu}"));
        output.line(format_args!("         {name}  {place}, {}", wait.name()))?;
    }
    Ok(())
}

/// Where the venue in `dir` keeps its files, as far as that is there, without links: its folder,
/// its journal and its streams.
pub(crate) fn real_folders(dir: &Path) -> Vec<PathBuf> {
    let venue = VenueDir::new(dir);
    let folders = [dir.to_owned(), venue.journal(), venue.streams()];
    folders.iter().filter_map(|folder| folder.canonicalize().ok()).collect()
}

/// A hash as people write it.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
