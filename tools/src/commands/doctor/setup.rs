//! What the configuration makes of the machine: layout, ports, versions.

use std::{
    fs,
    io::{self, ErrorKind},
    net::SocketAddr,
    os::unix::fs::MetadataExt,
    path::Path,
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use uncross_server::{
    affinity::{Cpus, plan},
    config::Config,
    journal::Snapshots,
};

use super::Finding;

/// Everything, for the venue whose journal is in `journal`.
pub(super) fn look(config: &Config, journal: Option<&Path>, cpus: &Cpus) -> Vec<Finding> {
    let is_running = journal.is_some_and(is_locked);
    let mut findings = vec![
        version(),
        layout(config, cpus),
        port("orders", "orders.listen", config.orders.listen, is_running),
        port("data", "data.listen", config.data.listen, is_running),
    ];
    findings.extend(journal.map(|journal| snapshots(config.journal.snapshot_every, journal)));
    if config.admin.is_enabled {
        findings.push(port("admin", "admin.listen", config.admin.listen, is_running));
    }
    findings
}

fn version() -> Finding {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let found = format!(
        "uncross {}, {}-{}, {profile}; SoupBinTCP 3.00 and 4.x, OUCH 5.0, ITCH 5.0",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        std::env::consts::OS,
    );
    Finding::ok("version", found)
}

/// How the threads of the venue will run, and why.
fn layout(config: &Config, cpus: &Cpus) -> Finding {
    let name = "layout";
    match plan(&config.core, config.journal.level, cpus) {
        Ok(plan) => Finding::ok(name, plan.to_string()),
        Err(error) => {
            let expected = "a CPU for each thread that never sleeps, and one more";
            let fix = "core.wait = \"auto\", or allow the process more CPUs";
            Finding::fail(name, error.to_string(), expected, fix)
        }
    }
}

/// Whether an address can be listened on.
fn port(name: &'static str, key: &str, address: SocketAddr, is_running: bool) -> Finding {
    let error = match bind(address) {
        Ok(()) if address.port() == 0 => {
            return Finding::ok(name, format!("{address}: any free port"));
        }
        Ok(()) => return Finding::ok(name, format!("{address} is free")),
        Err(error) => error,
    };
    if error.kind() == ErrorKind::AddrInUse && is_running {
        return Finding::ok(name, format!("{address} is in use, and the venue runs"));
    }
    let expected = "an address of this machine that nobody listens on";
    let fix = format!("end the other program, or choose another address for {key}");
    Finding::fail(name, format!("{address}: {error}"), expected, fix)
}

/// Takes an address as a venue does, and gives it back without ever listening: nobody can connect,
/// and others who only look are not disturbed.
fn bind(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&SockAddr::from(address))
}

/// Whether a start has a snapshot to begin from.
fn snapshots(every: u64, journal: &Path) -> Finding {
    let name = "snapshots";
    let snapshots = Snapshots::of(journal);
    let mut listed = match snapshots.list() {
        Ok(listed) => listed,
        Err(error) => {
            let (expected, fix) = ("a folder that can be listed", "check the folder's rights");
            return Finding::warn(name, error.to_string(), expected, fix);
        }
    };
    let mut unreadable = None;
    listed.retain(|view| match snapshots.head(&view.path) {
        // A running venue keeps two.
        Err(error) if error.is_gone() => false,
        Err(error) => {
            unreadable.get_or_insert(error);
            true
        }
        Ok(_) => true,
    });
    if let Some(error) = unreadable {
        let expected = "snapshots that a start can read";
        let fix = "remove the file: a start passes it over and replays more of the journal";
        return Finding::warn(name, error.to_string(), expected, fix);
    }
    let found = match (listed.first(), every) {
        (Some(view), _) => format!("{}, the newest one at record {}", listed.len(), view.seq),
        (None, 0) => "none: journal.snapshot_every is 0, each start replays all".to_owned(),
        (None, every) => format!("none yet: one is written every {every} records"),
    };
    Finding::ok(name, found)
}

/// Whether a process holds the lock of the journal, without touching it.
fn is_locked(journal: &Path) -> bool {
    let Ok(lock) = fs::metadata(journal.join("lock")) else {
        return false;
    };
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    // A row names a device and an inode as MAJOR:MINOR:INODE.
    let mut places = locks.lines().filter_map(|line| line.split_whitespace().nth(5));
    places.any(|place| place.rsplit(':').next() == Some(lock.ino().to_string().as_str()))
}
