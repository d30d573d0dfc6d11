//! A reboot of the machine: everything in memory is gone, and of the files all that was not synced.

#[expect(dead_code, reason = "shared with the tests of the journal, which use the rest")]
#[path = "../../../../journal/tests/it/device.rs"]
mod device;

use std::{
    fs, io,
    ops::Range,
    path::Path,
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use uncross_server::{
    config::{Level, VenueDir},
    journal::{Completeness, Identity, Operation, Probe, Reader, Settings, open},
    venue::{self, Options, Venue},
};
use uncross_wire::{IntoBytes, soup};

use self::device::Device;
use crate::{
    gate::HANG_MAX,
    harness::{Raw, TestVenue, USERS, enter},
};

const BOOT_A: [u8; 16] = [0xA1; 16];
const BOOT_B: [u8; 16] = [0xB2; 16];
/// Longest that a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// The way to the device, on which syncs of records can be held up.
#[derive(Debug)]
struct Cable {
    device: Device,
    is_cut: Mutex<bool>,
    changed: Condvar,
}

impl Cable {
    /// Lets no sync through, or all again.
    fn cut(&self, is_cut: bool) {
        *self.is_cut.lock().unwrap() = is_cut;
        self.changed.notify_all();
    }
}

impl Probe for Cable {
    fn before(&self, operation: Operation, path: &Path) -> io::Result<()> {
        if operation == Operation::SyncPages {
            let is_cut = self.is_cut.lock().unwrap();
            let waited = self.changed.wait_timeout_while(is_cut, HANG_MAX, |is_cut| *is_cut);
            if waited.unwrap().1.timed_out() {
                // The test has failed meanwhile, and the venue is to end.
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        self.device.before(operation, path)
    }

    fn after(&self, operation: Operation, path: &Path, range: Range<u64>) {
        self.device.after(operation, path, range);
    }
}

/// A venue with short segments at the end of a cable.
fn plugged(level: Level, layout: &str) -> (Arc<Cable>, TestVenue) {
    let (is_cut, changed) = (Mutex::new(false), Condvar::new());
    let cable = Arc::new(Cable { device: Device::new(false), is_cut, changed });
    let probe: Arc<Cable> = Arc::clone(&cable);
    let options = Options { probe: Some(probe), boot_id: Some(BOOT_A), ..Options::default() };
    let settings =
        [("journal.level", level.name()), ("journal.segment", "64KiB"), ("core.layout", layout)];
    let users = USERS.map(|user| (user, "FIRM"));
    (cable, TestVenue::with_copies(&settings, options, &users, &[("RISK", "FIRM")]))
}

/// What is left of the venue after a power cut now, in a folder of its own.
fn cut(cable: &Cable, venue: &TestVenue) -> tempfile::TempDir {
    cable.device.cut("now");
    let cut = cable.device.cuts().pop().unwrap();
    let left = tempfile::tempdir().unwrap();
    let dir = VenueDir::new(left.path());
    fs::create_dir(dir.journal()).unwrap();
    for (path, bytes) in &cut.files {
        fs::write(dir.journal().join(path.file_name().unwrap()), bytes).unwrap();
    }
    for file in [VenueDir::users_file, VenueDir::begun_file] {
        fs::copy(file(&venue.dir()), file(&dir)).unwrap();
    }
    left
}

fn completeness(dir: &Path) -> Completeness {
    let settings = Settings { boot_id: Some(BOOT_B), ..Settings::default() };
    let identity = Identity { behaviour_version: 0, config_hash: [0; 32], build_id: [0; 32] };
    open(&VenueDir::new(dir).journal(), &settings, &identity).unwrap().completeness()
}

fn reboot(venue: &TestVenue, left: &Path) -> Venue {
    let options = Options { boot_id: Some(BOOT_B), ..Options::default() };
    venue::start_with(&venue.config, &VenueDir::new(left), &options).unwrap()
}

fn lose_nothing(level: Level, layout: &str) {
    const ROUNDS: u32 = 6;
    const ORDERS: u32 = 300;
    let (cable, venue) = plugged(level, layout);
    let mut alice = venue.orders("ALICE", 1);
    let mut feed = venue.data(1);
    let mut told = alice.sync();
    let mut shown = Vec::new();
    let mut risk = venue.orders("RISK", 1);
    let mut copied = Vec::new();
    for round in 0..ROUNDS {
        let first = round * ORDERS + 1;
        for number in first..first + ORDERS {
            let side = if number % 2 == 0 { b'B' } else { b'S' };
            alice.ouch(enter(number, side, 10, 1_000_000).as_bytes());
        }
        // In the midst of it: the rest is still on its way.
        told.extend(alice.messages(usize::try_from(ORDERS / 2).unwrap()));
        shown.extend(feed.messages(usize::try_from(ORDERS / 4).unwrap()));
        copied.extend(risk.messages(usize::try_from(ORDERS / 3).unwrap()));
        let left = cut(&cable, &venue);
        assert_eq!(completeness(left.path()), Completeness::Proven, "{level:?}, {layout}");
        let rebooted = reboot(&venue, left.path());
        let mut again = Raw::connect(rebooted.orders_addr());
        again.log_in("ALICE", "ALICE", "", 1);
        assert_eq!(again.messages(told.len()), told, "{level:?}, {layout}, round {round}");
        let mut again = Raw::connect(rebooted.data_addr());
        again.log_in("BOB", "BOB", "", 1);
        assert_eq!(again.messages(shown.len()), shown, "{level:?}, {layout}, round {round}");
        let mut again = Raw::connect(rebooted.orders_addr());
        again.log_in("RISK", "RISK", "", 1);
        assert_eq!(again.messages(copied.len()), copied, "{level:?}, {layout}, round {round}");
        rebooted.stop().unwrap();
    }
}

#[test]
fn a_reboot_at_group_or_sync_loses_no_message_that_anyone_received() {
    for level in [Level::Group, Level::Sync] {
        for layout in ["fused", "split"] {
            lose_nothing(level, layout);
        }
    }
}

#[test]
fn a_reboot_at_async_loses_only_what_came_after_the_last_sync_and_says_so() {
    let (cable, venue) = plugged(Level::Async, "fused");
    let mut alice = venue.orders("ALICE", 1);
    alice.sync();
    for number in 1..=200 {
        alice.ouch(enter(number, b'B', 10, 1_000_000).as_bytes());
        assert_eq!(alice.message()[0], b'A');
    }
    let start = Instant::now();
    let kept = loop {
        let report = Reader::verify(&venue.dir().journal(), |_| {}).unwrap();
        if report.durable_seq == report.last_seq {
            break report.last_seq;
        }
        assert!(start.elapsed() < PATIENCE, "the flusher does not come");
        thread::yield_now();
    };
    cable.cut(true);
    alice.ouch(enter(201, b'B', 10, 1_000_000).as_bytes());
    assert_eq!(alice.message()[0], b'A', "answered before it is durable");
    let left = cut(&cable, &venue);
    cable.cut(false);
    assert_eq!(completeness(left.path()), Completeness::Unproven);
    let reader = Reader::open(&VenueDir::new(left.path()).journal()).unwrap();
    let last_seq = reader.for_each(|_| Ok::<_, ()>(())).unwrap().last_seq;
    assert_eq!(last_seq, kept, "all but the order behind the last sync");

    // Its numbers were lost with it, so that numbers begin anew; an old login is told so.
    let old_session = session_of(&venue);
    let rebooted = reboot(&venue, left.path());
    assert_eq!(rebooted.recovered().opened_epoch, Some(1));
    let mut late = Raw::connect(rebooted.orders_addr());
    late.send_login("ALICE", "ALICE", &old_session, alice.next);
    assert_eq!(late.packet().unwrap(), (soup::LOGIN_REJECTED, b"S".to_vec()));
    let mut again = Raw::connect(rebooted.orders_addr());
    let session = again.log_in("ALICE", "ALICE", "", 1);
    assert_ne!(session, old_session);
    let told = again.sync();
    let restated = told.iter().filter(|message| message[0] == b'R').count();
    assert_eq!(restated, 200, "every order that is left is said again");
    let next = told.last().unwrap();
    assert_eq!(next[9..13], 201_u32.to_be_bytes(), "the lost number is usable again");
    again.ouch(enter(201, b'B', 10, 1_000_000).as_bytes());
    let accepted = again.message();
    let epoch = accepted[36..44].first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)) >> 48;
    assert_eq!((accepted[0], epoch), (b'A', 1), "references contain the epoch");
    rebooted.stop().unwrap();
}

/// Name of the running session.
fn session_of(venue: &TestVenue) -> String {
    let mut bob = Raw::connect(venue.venue().orders_addr());
    bob.log_in("BOB", "BOB", "", 1)
}
