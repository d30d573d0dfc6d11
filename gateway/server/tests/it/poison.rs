//! A sync that fails under a running venue: it answers nothing behind it and closes its doors.

use std::{
    io::{self, Read},
    net::TcpStream,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use uncross_server::{
    config::Level,
    core_loop::CoreError,
    journal::{AppendError, Operation, Probe},
    reactor::ReactorError,
    venue::{Options, error::StopError},
};
use uncross_wire::{IntoBytes, soup};

use crate::harness::{TestVenue, enter};

const EIO: i32 = 5;

/// A disk whose syncs of records fail from some moment on.
#[derive(Debug, Default)]
struct Disk {
    is_broken: AtomicBool,
    /// Syncs that were tried since.
    failures: AtomicU64,
}

impl Probe for Disk {
    fn before(&self, operation: Operation, _path: &Path) -> io::Result<()> {
        if operation == Operation::SyncPages && self.is_broken.load(Ordering::SeqCst) {
            self.failures.fetch_add(1, Ordering::SeqCst);
            return Err(io::Error::from_raw_os_error(EIO));
        }
        Ok(())
    }
}

/// Everything the venue still says, up to the end of the connection.
fn until_closed(mut socket: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match socket.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}"),
    }
    bytes
}

fn fail_at(level: Level, layout: &str) {
    let context = format!("{level:?}, {layout}");
    let disk = Arc::new(Disk::default());
    let probe: Arc<Disk> = Arc::clone(&disk);
    let options = Options { probe: Some(probe), ..Options::default() };
    let settings = [("journal.level", level.name()), ("core.layout", layout)];
    let mut venue = TestVenue::with_options(&settings, options);
    let mut alice = venue.orders("ALICE", 1);
    let mut feed = venue.data(1);
    let mut bob = venue.orders("BOB", 1);
    bob.sync();
    alice.ouch(enter(1, b'B', 10, 1_000_000).as_bytes());
    let told = alice.sync();
    let shown = feed.until(b'A');

    disk.is_broken.store(true, Ordering::SeqCst);
    alice.ouch(enter(2, b'B', 10, 1_000_000).as_bytes());
    let (orders, data) = (venue.venue().orders_addr(), venue.venue().data_addr());
    let answers = until_closed(alice.socket);
    let rest = [until_closed(feed.socket), until_closed(bob.socket)].concat();
    if level != Level::Async {
        let said = [answers, rest].concat();
        let is_quiet = said.chunks(3).all(|packet| packet == [0, 1, soup::SERVER_HEARTBEAT]);
        assert!(is_quiet, "{context}: answered behind a failed sync: {said:?}");
    }
    let error = venue.stop_failed();
    let StopError::Failed(ReactorError::Core(CoreError::Journal(AppendError::Poisoned))) = error
    else {
        panic!("{context}: {error}");
    };
    for address in [orders, data] {
        let error = TcpStream::connect(address).expect_err("the ports are closed");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused, "{context}");
    }
    assert_eq!(disk.failures.load(Ordering::SeqCst), 1, "{context}: a failed sync was tried again");

    disk.is_broken.store(false, Ordering::SeqCst);
    venue.restart().unwrap();
    if level == Level::Async {
        // Something that was answered may be missing, and numbers are not given twice.
        return;
    }
    assert_eq!(venue.orders("ALICE", 1).messages(told.len()), told, "{context}");
    assert_eq!(venue.data(1).messages(shown.len()), shown, "{context}");
}

#[test]
fn a_failed_sync_closes_every_connection_and_nothing_is_answered_behind_it() {
    for level in Level::ALL {
        for layout in ["fused", "split"] {
            fail_at(level, layout);
        }
    }
}
