//! A disk that fills up under a running venue: orders are refused, the rest goes on.

use std::{
    env, fs,
    io::{self, Write},
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use uncross_server::{
    audit::streams::check_streams,
    journal::{Operation, Probe},
    notice::Notice,
    replay::{Discard, replay},
    venue::Options,
};
use uncross_wire::{
    IntoBytes, TypeByte,
    ouch::{inbound, outbound::Outbound},
};

use crate::harness::{Raw, TestVenue, enter, reject_code};

const ENOSPC: i32 = 28;
/// Destination closed.
const REFUSED: u16 = 0x02;
/// Longest that a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A disk without room for another segment while it is full.
#[derive(Debug)]
struct Disk {
    operation: Operation,
    is_full: AtomicBool,
}

impl Probe for Disk {
    fn before(&self, operation: Operation, _path: &Path) -> io::Result<()> {
        if operation == self.operation && self.is_full.load(Ordering::SeqCst) {
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        Ok(())
    }
}

impl Disk {
    /// A venue with the shortest segments on a disk where `operation` may fail.
    fn venue(operation: Operation) -> (Arc<Self>, TestVenue) {
        let disk = Arc::new(Self { operation, is_full: AtomicBool::new(false) });
        let probe: Arc<Self> = Arc::clone(&disk);
        let options = Options { probe: Some(probe), ..Options::default() };
        (disk, TestVenue::with_options(&[("journal.segment", "64KiB")], options))
    }

    fn fill(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::SeqCst);
    }
}

fn cancel(user_ref_num: u32) -> inbound::Cancel {
    inbound::Cancel { kind: TypeByte::new(), user_ref_num: user_ref_num.into(), quantity: 0.into() }
}

/// Enters resting orders from number `first` on until one is refused; returns its number.
fn enter_until_refused(raw: &mut Raw, first: u32) -> u32 {
    for number in first.. {
        raw.ouch(enter(number, b'B', 10, 1_000_000).as_bytes());
        let message = raw.message();
        if message[0] == b'J' {
            assert_eq!(reject_code(&message, number), REFUSED);
            return number;
        }
        assert_eq!(message[0], b'A', "order {number}");
        assert!(number < first + 20_000, "the disk never fills up");
    }
    unreachable!("numbers do not end")
}

/// Enters orders from number `first` on until one is accepted; returns its number.
fn enter_until_accepted(raw: &mut Raw, first: u32) -> u32 {
    let start = Instant::now();
    for number in first.. {
        raw.ouch(enter(number, b'B', 10, 1_000_000).as_bytes());
        let message = raw.message();
        if message[0] == b'A' {
            return number;
        }
        assert_eq!(reject_code(&message, number), REFUSED);
        assert!(start.elapsed() < PATIENCE, "no order is accepted");
    }
    unreachable!("numbers do not end")
}

/// Waits until each of the notices has come that one of `wanted` knows, in any order.
fn await_notices(venue: &TestVenue, wanted: &[fn(&Notice) -> bool]) {
    let mut missing = wanted.to_vec();
    while !missing.is_empty() {
        let notice = venue.venue().notices().recv_timeout(PATIENCE).expect("a notice in time");
        missing.retain(|is_it| !is_it(&notice));
    }
}

/// Fills the disk, then enters orders from number `first` on until the journal has no room for
/// them; returns the number of the last one, which was refused.
fn exhaust(disk: &Disk, venue: &TestVenue, raw: &mut Raw, first: u32) -> u32 {
    disk.fill(true);
    let refused = enter_until_refused(raw, first);
    await_notices(
        venue,
        &[
            |it| matches!(it, Notice::JournalSpace { error: Some(_) }),
            |it| matches!(it, Notice::OrdersRefused { is_refusing: true }),
        ],
    );
    // A segment may have been underway when the disk filled up. From here on none is.
    enter_until_refused(raw, refused + 1)
}

/// Stops the venue and compares it with a replay and with what a client was told.
fn compare(venue: &mut TestVenue, user: &str, told: &[Vec<u8>]) {
    let summary = venue.stop();
    assert_eq!(summary.durable_seq, summary.last_seq);
    let replayed = replay(&venue.dir().journal(), &mut Discard).unwrap();
    assert_eq!(replayed.last_seq, summary.last_seq);
    let replica = replayed.replica.unwrap();
    assert_eq!(replica.state_hash(), summary.state_hash);
    assert_eq!(replica.output_hash(), summary.output_hash);
    venue.restart().unwrap();
    assert_eq!(venue.orders(user, 1).messages(told.len()), told, "said again");
}

#[test]
fn orders_are_refused_on_a_full_disk_and_cancels_pass() {
    for operation in [Operation::Reserve, Operation::WriteZeros] {
        let (disk, mut venue) = Disk::venue(operation);
        let mut alice = venue.orders("ALICE", 1);
        alice.sync();
        let refused = exhaust(&disk, &venue, &mut alice, 1);

        // A replace is refused as well, its order stands, and its number is used.
        let replace = inbound::Replace {
            kind: TypeByte::new(),
            orig_user_ref_num: 1.into(),
            new_user_ref_num: (refused + 1).into(),
            quantity: 5.into(),
            price: 1_000_000.into(),
            time_in_force: b'0',
            display: b'Y',
            intermarket_sweep: b'N',
            cl_ord_id: *b"REPLACE       ",
            appendage_len_bytes: 0.into(),
        };
        alice.ouch(replace.as_bytes());
        assert_eq!(reject_code(&alice.message(), refused + 1), REFUSED);
        alice.ouch(replace.as_bytes());
        alice.ouch(cancel(1).as_bytes());
        let message = alice.message();
        let Outbound::Canceled(canceled, _) = Outbound::decode(&message).unwrap() else {
            panic!("a number used twice is ignored, a cancel is not");
        };
        assert_eq!((canceled.user_ref_num.get(), canceled.quantity.get()), (1, 10));
        let modify = inbound::Modify {
            kind: TypeByte::new(),
            user_ref_num: 2.into(),
            side: b'B',
            quantity: 5.into(),
        };
        alice.ouch(modify.as_bytes());
        assert_eq!(alice.message()[0], b'M');

        disk.fill(false);
        let accepted = enter_until_accepted(&mut alice, refused + 2);
        await_notices(
            &venue,
            &[
                |it| matches!(it, Notice::JournalSpace { error: None }),
                |it| matches!(it, Notice::OrdersRefused { is_refusing: false }),
            ],
        );
        let count = usize::try_from(alice.next - 1).unwrap();
        assert!(usize::try_from(accepted).unwrap() < count);
        let told = venue.orders("ALICE", 1).messages(count);
        compare(&mut venue, "ALICE", &told);
    }
}

#[test]
fn orders_wait_outside_when_not_even_refusals_have_room() {
    const WAITING: u32 = 300;
    let (disk, mut venue) = Disk::venue(Operation::Reserve);
    let mut bob = venue.orders("BOB", 1);
    bob.ouch(enter(1, b'B', 10, 1_000_000).as_bytes());
    bob.ouch(enter(2, b'B', 10, 1_000_000).as_bytes());
    let mut bob_told = bob.sync();
    let mut alice = venue.orders("ALICE", 1);
    alice.sync();
    let refused = exhaust(&disk, &venue, &mut alice, 1);
    // More than the rest of the reserve holds, at once.
    for number in refused + 1..=refused + WAITING {
        alice.ouch(enter(number, b'B', 10, 1_000_000).as_bytes());
    }
    // Half of the reserve is kept: 64 records. Some of them are Bob's, however many Alice sends.
    for number in [1, 2] {
        bob.ouch(cancel(number).as_bytes());
        let message = bob.message();
        assert_eq!(message[0], b'C', "order {number}");
        bob_told.push(message);
    }
    disk.fill(false);
    // All of them are answered in the end, one by one and in order: refused first, then accepted.
    let mut kinds = Vec::new();
    for number in refused + 1..=refused + WAITING {
        let message = alice.message();
        let found = match Outbound::decode(&message).unwrap() {
            Outbound::Rejected(rejected, _) => rejected.user_ref_num.get(),
            Outbound::Accepted(accepted, _) => accepted.user_ref_num.get(),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, number);
        kinds.push(message[0]);
    }
    let refusals = kinds.iter().take_while(|&&kind| kind == b'J').count();
    assert!(refusals <= 64, "{refusals} refusals in half of 8 KiB");
    assert!(kinds[refusals..].iter().all(|&kind| kind == b'A'));
    bob_told.extend(bob.sync());
    compare(&mut venue, "BOB", &bob_told);
}

/// Set in a process that has a small file system of its own: where that is.
const SMALL_DISK: &str = "UNCROSS_TEST_SMALL_DISK";

#[test]
fn a_disk_that_is_really_full_refuses_orders_and_takes_them_again() {
    const NAME: &str = "disk_full::a_disk_that_is_really_full_refuses_orders_and_takes_them_again";
    match env::var_os(SMALL_DISK) {
        Some(dir) => fill_for_real(Path::new(&dir)),
        None => run_on_small_disk(NAME),
    }
}

/// Runs one test again, with temporary files in a file system of 8 MiB.
fn run_on_small_disk(name: &str) {
    const SCRIPT: &str = "mount -t tmpfs -o size=8m tmpfs \"$1\" && exec \"$2\" --exact \"$3\"";
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount"]);
        command
    };
    if !unshare().arg("true").status().is_ok_and(|status| status.success()) {
        let is_gate = env::var("CI").is_ok_and(|value| value == "true");
        assert!(!is_gate, "unshare of util-linux must be there and user namespaces allowed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut command = unshare();
    command.args(["sh", "-c", SCRIPT, "sh"]).arg(dir.path()).arg(env::current_exe().unwrap());
    command.arg(name).env(SMALL_DISK, dir.path()).env("TMPDIR", dir.path());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn fill_for_real(dir: &Path) {
    let mut venue = TestVenue::with(&[("journal.segment", "64KiB")]);
    let mut alice = venue.orders("ALICE", 1);
    alice.sync();
    let path = dir.join("ballast");
    let mut ballast = fs::File::create(&path).unwrap();
    let error = loop {
        if let Err(error) = ballast.write_all(&[1; 4096]) {
            break error;
        }
    };
    assert_eq!(error.raw_os_error(), Some(ENOSPC));
    let refused = enter_until_refused(&mut alice, 1);
    await_notices(&venue, &[|it| matches!(it, Notice::JournalSpace { error: Some(_) })]);
    let refused = enter_until_refused(&mut alice, refused + 1);
    // Somebody who was not there yet is told as well, though there is no room for a stream.
    assert_eq!(venue.orders("BOB", 1).sync().len(), 2);
    alice.ouch(cancel(1).as_bytes());
    assert_eq!(alice.message()[0], b'C');
    fs::remove_file(path).unwrap();
    drop(ballast);
    enter_until_accepted(&mut alice, refused + 1);
    let count = usize::try_from(alice.next - 1).unwrap();
    let told = venue.orders("ALICE", 1).messages(count);
    let report = check_streams(&venue.dir().journal(), &venue.dir().streams()).unwrap();
    let bob = report.streams.iter().find(|stream| stream.name == "port-2").unwrap();
    assert_eq!((bob.messages, bob.held), (2, 0), "memory stands in for what had no room");
    assert!(report.streams.iter().all(|stream| stream.fault.is_none()), "{report:?}");
    compare(&mut venue, "ALICE", &told);
}
