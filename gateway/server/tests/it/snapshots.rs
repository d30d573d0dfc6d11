//! A start from a snapshot is the start from the first record, only sooner; without one that can be
//! used it is that start.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    env, fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use uncross_engine::command::{Act, Target};
use uncross_server::{
    audit::{overview::inspect, streams::check_streams},
    config::VenueDir,
    export::survey,
    journal::{self, Operation, Probe, Reader, Record, Snapshots, kind},
    notice::Notice,
    replay::{Discard, replay},
    shadow::{ShadowError, Shadowing, write_snapshot},
    venue::{self, Options, Summary},
};
use uncross_wire::{
    IntoBytes, TypeByte,
    ouch::{codes, inbound},
    soup,
};

use crate::harness::{Raw, TestVenue, enter, with_appendage};

const PATIENCE: Duration = Duration::from_secs(30);
/// Longest that a test waits for the shadow, which runs where nobody else would.
const SHADOW_PATIENCE: Duration = Duration::from_mins(5);
const LISTENERS: [(&str, &str); 1] = [("LISTEN", "FIRM")];
const BROKERS: [(&str, &str); 3] = [("ALICE", "FIRM"), ("BOB", "FIRM"), ("CAROL", "ELSE")];

/// Reproducible numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888);
        (self.0 >> 33) % bound
    }
}

fn venue(settings: &[(&str, &str)]) -> TestVenue {
    // So short a rest that snapshots come while a test looks.
    let mut all = vec![("journal.segment", "64KiB"), ("journal.snapshot_rest", "9")];
    all.extend(settings);
    TestVenue::with_copies(&all, Options::default(), &BROKERS, &LISTENERS)
}

/// A random order: of any life and display, at prices that meet.
fn order(random: &mut Random, number: u32) -> Vec<u8> {
    let side = if random.below(2) == 0 { b'B' } else { b'S' };
    let quantity = 100 * (1 + u32::try_from(random.below(9)).unwrap());
    let mut order = enter(number, side, quantity, 1_000_000 + random.below(9) * 100);
    let life = random.below(4);
    if life == 0 {
        order.time_in_force = codes::TimeInForce::ImmediateOrCancel.to_wire();
    }
    if random.below(4) == 0 {
        order.display = codes::Display::Hidden.to_wire();
    }
    match random.below(6) {
        // The client's second series of numbers.
        0 => with_appendage(order, &[2, 28, 1]),
        // Good till cancelled.
        1 | 2 if life != 0 => with_appendage(order, &[2, 129, b'Y']),
        _ => order.as_bytes().to_vec(),
    }
}

fn cancel(number: u32, quantity: u32) -> Vec<u8> {
    let (user_ref_num, quantity) = (number.into(), quantity.into());
    inbound::Cancel { kind: TypeByte::new(), user_ref_num, quantity }.as_bytes().to_vec()
}

fn replace(random: &mut Random, old: u32, number: u32) -> Vec<u8> {
    let price = 1_000_000 + random.below(9) * 100;
    let replace = inbound::Replace {
        kind: TypeByte::new(),
        orig_user_ref_num: old.into(),
        new_user_ref_num: number.into(),
        quantity: 300.into(),
        price: price.into(),
        time_in_force: codes::TimeInForce::Day.to_wire(),
        display: codes::Display::Visible.to_wire(),
        intermarket_sweep: codes::NO,
        cl_ord_id: *b"AGAIN         ",
        appendage_len_bytes: 0.into(),
    };
    replace.as_bytes().to_vec()
}

/// Lets three brokers trade at random, log out and in again, and operators intervene.
fn trade(venue: &TestVenue, random: &mut Random, rounds: u32, numbers: &mut [u32; 3]) {
    let log_in = |which: usize| venue.orders(BROKERS[which].0, 0);
    let mut brokers: Vec<Raw> = (0..3).map(log_in).collect();
    for _ in 0..rounds {
        let which = usize::try_from(random.below(3)).unwrap();
        for _ in 0..20 {
            let number = &mut numbers[which];
            let old = number.saturating_sub(u32::try_from(random.below(12)).unwrap());
            let message = match random.below(10) {
                0 | 1 => cancel(old, 0),
                2 => cancel(old, 100),
                3 => {
                    *number += 1;
                    replace(random, old, *number)
                }
                _ => {
                    *number += 1;
                    order(random, *number)
                }
            };
            brokers[which].ouch(&message);
        }
        brokers[which].sync();
        match random.below(12) {
            0 => brokers[which] = log_in(which),
            1 => {
                let target = Target::Firm(*b"ELSE");
                let desk = venue.venue().desk();
                let kill = Act::Kill { target, cancels: random.below(2) == 0 };
                desk.order("ops", kill, PATIENCE).unwrap();
                desk.order("ops", Act::Revive(target), PATIENCE).unwrap();
            }
            _ => {}
        }
    }
}

/// Bytes of every stream file, but what is behind its messages.
fn streams(dir: &VenueDir) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for session in fs::read_dir(dir.streams()).unwrap() {
        for file in fs::read_dir(session.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let mut bytes = fs::read(&path).unwrap();
            let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1);
            bytes.truncate(used);
            files.insert(name, bytes);
        }
    }
    files
}

/// Starts and ends the venue; what it was then, from where it began, and its streams.
fn round(venue: &mut TestVenue) -> (Option<u64>, Summary, BTreeMap<String, Vec<u8>>) {
    venue.restart().unwrap();
    let from = venue.venue().recovered().snapshot_seq;
    let summary = venue.stop();
    (from, summary, streams(&venue.dir()))
}

/// A venue with a day behind it and one begun, down; its last record, and the first of the day.
fn traded() -> (TestVenue, u64, u64) {
    let mut random = Random(42);
    // Its snapshots are those of the tests.
    let settings = [("journal.snapshot_every", "0"), ("venue.utc_offset", "-12:00")];
    let mut venue = venue(&settings);
    trade(&venue, &mut random, 25, &mut [0; 3]);
    let first = venue.stop().last_seq + 1;
    // A day later by its clock: some orders stand, and the numbers begin anew.
    venue.config.venue.utc_offset_s += 24 * 3_600;
    venue.restart().unwrap();
    trade(&venue, &mut random, 60, &mut [0; 3]);
    let last = venue.stop().last_seq;
    (venue, first, last)
}

/// Points of one run; `UNCROSS_SNAPSHOT_POINTS` asks for another number.
fn points() -> u64 {
    env::var("UNCROSS_SNAPSHOT_POINTS").map_or(100, |text| text.parse().expect("a number"))
}

#[test]
fn a_snapshot_and_the_records_behind_it_are_the_journal_at_every_point() {
    let (mut venue, first, _) = traded();
    let dir = venue.dir();
    // Once more, so that what a start says is in the journal; the next ones have nothing to say.
    let (from, genesis, told) = round(&mut venue);
    assert_eq!(from, None);
    let replayed = replay(&dir.journal(), &mut Discard).unwrap();
    let replica = replayed.replica.unwrap();
    assert_eq!(
        (replica.state_hash(), replica.output_hash()),
        (genesis.state_hash, genesis.output_hash)
    );
    assert!(4 < told.len(), "{:?}", told.keys());
    let mut random = Random(7);
    for point in 0..points() {
        // Some of the day before, whose streams are gone.
        let seq = if point % 20 == 19 {
            1 + random.below(first)
        } else {
            first + random.below(genesis.last_seq + 1 - first)
        };
        let context = format!("point {point}: snapshot at {seq} of {}", genesis.last_seq);
        fs::remove_dir_all(Snapshots::of(&dir.journal()).dir()).ok();
        write_snapshot(&dir, seq).unwrap_or_else(|error| panic!("{context}: {error}"));
        let (from, found, streams) = round(&mut venue);
        assert_eq!(found.last_seq, genesis.last_seq, "{context}");
        assert_eq!(found.state_hash, genesis.state_hash, "{context}");
        assert_eq!(found.output_hash, genesis.output_hash, "{context}");
        assert!(streams == told, "{context}: other bytes in a stream");
        // That of a day whose streams are gone as well: nobody can ask for them.
        assert_eq!(from, Some(seq), "{context}");
    }
}

/// The one snapshot of a venue that is down, written now.
fn one_snapshot(dir: &VenueDir, seq: u64) -> PathBuf {
    fs::remove_dir_all(Snapshots::of(&dir.journal()).dir()).ok();
    write_snapshot(dir, seq).unwrap().unwrap()
}

/// What is said of a harm, and what does it to the file.
type Harm<'a> = (&'a str, &'a dyn Fn(&Path));

#[test]
fn a_snapshot_that_cannot_be_used_is_passed_over_with_the_reason() {
    let (mut venue, first, last) = traded();
    let (_, genesis, told) = round(&mut venue);
    let dir = venue.dir();
    let (other, _, other_last) = traded();
    let foreign = one_snapshot(&other.dir(), other_last);
    let mut larger = self::venue(&[("capacity.orders", "524288")]);
    let larger_last = larger.stop().last_seq;
    let larger = one_snapshot(&larger.dir(), larger_last);
    let flip = |path: &Path, offset: usize| {
        let mut bytes = fs::read(path).unwrap();
        bytes[offset] ^= 4;
        fs::write(path, bytes).unwrap();
    };
    let beyond = |path: &Path| {
        // As if the journal had lost its end: the snapshot of a longer copy.
        let name = path.with_file_name("00000000000099999999.snap");
        fs::rename(path, name).unwrap();
    };
    let harms: [Harm<'_>; 9] = [
        ("capacity hash", &|path| {
            // The head is right, and so is every checksum.
            let snapshots = Snapshots::of(&dir.journal());
            let (head, _) = snapshots.read(path).unwrap();
            let (_, body) = snapshots.read(&larger).unwrap();
            snapshots.publish(snapshots.draft(&head, &body, || ()).unwrap()).unwrap();
        }),
        ("checksum", &|path| flip(path, 100)),
        ("BLAKE3", &|path| flip(path, 5_000)),
        ("length of the file", &|path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("first bytes", &|path| fs::write(path, [7; 9_000]).unwrap()),
        ("last sequence number is", &beyond),
        ("of a journal with salt", &|path| {
            fs::remove_file(path).unwrap();
            fs::copy(&foreign, path.with_file_name(foreign.file_name().unwrap())).unwrap();
        }),
        ("streams: ", &|_| fs::remove_dir_all(dir.streams()).unwrap()),
        ("listing", &|path| {
            // A folder in its place.
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
    ];
    for (reason, harm) in harms {
        let path = one_snapshot(&dir, last);
        harm(&path);
        venue.restart().unwrap();
        let recovered = venue.venue().recovered().clone();
        let passed = &recovered.passed_over;
        let is_told = reason == "listing" || passed.iter().any(|it| it.reason.contains(reason));
        assert!(
            recovered.snapshot_seq.is_none() && passed.len() == 1 && is_told,
            "{reason}: {passed:?}"
        );
        assert_eq!(recovered.records, genesis.last_seq);
        let found = venue.stop();
        assert_eq!(
            (found.state_hash, found.output_hash),
            (genesis.state_hash, genesis.output_hash)
        );
        assert!(streams(&dir) == told, "{reason}");
    }
    // With one before it, that is used.
    one_snapshot(&dir, first + 10);
    let path = write_snapshot(&dir, last).unwrap().unwrap();
    flip(&path, 5_000);
    venue.restart().unwrap();
    let recovered = venue.venue().recovered().clone();
    assert_eq!((recovered.snapshot_seq, recovered.passed_over.len()), (Some(first + 10), 1));
    assert_eq!(recovered.records, genesis.last_seq - first - 10);
    assert_eq!(venue.stop().state_hash, genesis.state_hash);
    assert!(streams(&dir) == told);
}

/// A copy of a folder and all in it, which a running venue may be writing: it is as a kill would
/// have left it at some moment meanwhile.
fn copy(from: &Path, to: &Path) {
    // A segment that is sealed beneath the copy has another name then.
    for _ in 0..100 {
        match try_copy(from, to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::remove_dir_all(to).unwrap();
            }
            copied => return copied.unwrap(),
        }
    }
    panic!("{} changes all the time", from.display());
}

fn try_copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    let paths = fs::read_dir(from)?.map(|entry| Ok(entry?.path()));
    let mut paths: Vec<_> = paths.collect::<io::Result<_>>()?;
    // The mark first: what it covers is in the copy then. Then from the last segment on down: what
    // is in front of one that is in the copy is complete.
    paths.sort_by_key(|path| (!path.ends_with("durable"), Reverse(path.clone())));
    for path in paths {
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            try_copy(&path, &target)?;
            continue;
        }
        let copied = fs::copy(&path, &target);
        // A venue that runs may remove or finish one meanwhile.
        if !from.ends_with("snapshots") {
            copied?;
        }
    }
    Ok(())
}

#[test]
fn a_snapshot_of_records_that_the_journal_has_not_is_passed_over() {
    let mut venue = venue(&[("journal.snapshot_every", "0")]);
    let mut random = Random(3);
    let mut numbers = [0; 3];
    trade(&venue, &mut random, 10, &mut numbers);
    venue.stop();
    let image = tempfile::tempdir().unwrap();
    copy(&venue.dir().journal(), image.path());
    venue.restart().unwrap();
    trade(&venue, &mut random, 20, &mut numbers);
    let last = venue.stop().last_seq;
    let snapshot = one_snapshot(&venue.dir(), last);
    let kept = fs::read(&snapshot).unwrap();
    // The journal as it was before, and then with other records.
    fs::remove_dir_all(venue.dir().journal()).unwrap();
    copy(image.path(), &venue.dir().journal());
    for (rounds, reason) in [(0, "the journal has"), (30, "is another one than it covers")] {
        fs::create_dir_all(snapshot.parent().unwrap()).unwrap();
        fs::write(&snapshot, &kept).unwrap();
        let seen = inspect(&venue.dir().journal(), |_| ()).unwrap();
        let told = seen.snapshots[0].content.clone().map(drop);
        let there = format!("it covers {last} records, there are {}", seen.files.last_seq);
        assert_eq!(told, if seen.files.last_seq < last { Err(there) } else { Ok(()) });
        venue.restart().unwrap();
        let passed = venue.venue().recovered().passed_over.clone();
        assert!(passed.len() == 1 && passed[0].reason.contains(reason), "{reason}: {passed:?}");
        assert_eq!(venue.venue().recovered().snapshot_seq, None);
        if rounds == 0 {
            trade(&venue, &mut Random(99), 30, &mut numbers.clone());
        }
        let summary = venue.stop();
        let replayed = replay(&venue.dir().journal(), &mut Discard).unwrap();
        assert_eq!(replayed.replica.unwrap().state_hash(), summary.state_hash);
    }
}

/// Waits for a snapshot, and returns the last record that it covers.
fn await_snapshot(venue: &TestVenue) -> u64 {
    let start = Instant::now();
    loop {
        let left = SHADOW_PATIENCE.saturating_sub(start.elapsed());
        match venue.venue().notices().recv_timeout(left).expect("a snapshot in time") {
            Notice::SnapshotWritten { seq, .. } => return seq,
            Notice::SnapshotFailed { error, .. } | Notice::ShadowEnded { error, .. } => {
                panic!("{error}");
            }
            _ => {}
        }
    }
}

#[test]
fn a_running_venue_writes_snapshots_and_one_that_is_killed_begins_from_the_last() {
    let mut venue = venue(&[("journal.snapshot_every", "200")]);
    trade(&venue, &mut Random(5), 40, &mut [0; 3]);
    let covered = await_snapshot(&venue);
    assert!(200 <= covered);
    let vitals = venue.venue().desk().vitals();
    assert_eq!(vitals.shadow.state, Shadowing::Following);
    assert!(covered <= vitals.shadow.snapshot_seq && covered <= vitals.shadow.seq);
    // What a killed process leaves.
    let image = tempfile::tempdir().unwrap();
    copy(venue.dir.path(), image.path());
    let mut killed = venue.image(image);
    let recovered = killed.venue().recovered().clone();
    assert!(recovered.snapshot_seq.is_some_and(|seq| covered <= seq), "{recovered:?}");
    let summary = killed.stop();
    let replayed = replay(&killed.dir().journal(), &mut Discard).unwrap();
    let replica = replayed.replica.unwrap();
    assert_eq!(
        (replica.state_hash(), replica.output_hash()),
        (summary.state_hash, summary.output_hash)
    );
    assert_eq!(summary.shadow_state_hash, Some(summary.state_hash));
    // An orderly end covers all but what is replayed sooner than written.
    let summary = venue.stop();
    assert_eq!(summary.shadow_state_hash, Some(summary.state_hash));
    let newest = Snapshots::of(&venue.dir().journal()).list().unwrap()[0].seq;
    assert!(summary.last_seq < newest + 200);
}

/// A disk that takes no snapshots.
#[derive(Debug)]
struct NoSnapshots;

impl Probe for NoSnapshots {
    fn before(&self, operation: Operation, path: &Path) -> io::Result<()> {
        let is_snapshot = path.extension().is_some_and(|ending| ending == "part");
        if is_snapshot && operation == Operation::Reserve {
            return Err(io::Error::from_raw_os_error(28));
        }
        Ok(())
    }
}

#[test]
fn streams_that_cannot_be_synced_leave_the_snapshot_before_the_last_one() {
    let mut venue = venue(&[("journal.snapshot_every", "0")]);
    let mut alice = venue.orders("ALICE", 1);
    for number in 1..=200 {
        alice.ouch(enter(number, b'B', 1, 1_000_000).as_bytes());
    }
    alice.sync();
    let summary = venue.stop();
    let dir = venue.dir();
    let earlier = write_snapshot(&dir, summary.last_seq - 50).unwrap().unwrap();
    let session = fs::read_dir(dir.streams()).unwrap().next().unwrap().unwrap().path();
    let stream = session.join("port-1.stream");
    fs::rename(&stream, session.join("aside")).unwrap();
    fs::create_dir(&stream).unwrap();
    let error = write_snapshot(&dir, summary.last_seq).unwrap_err();
    assert!(matches!(&error, ShadowError::Streams(_)), "{error}");
    let list = || Snapshots::of(&dir.journal()).list().unwrap();
    let paths: Vec<PathBuf> = list().into_iter().map(|view| view.path).collect();
    assert_eq!(paths, [earlier], "nothing is left of the other one");
    fs::remove_dir(&stream).unwrap();
    fs::rename(session.join("aside"), &stream).unwrap();
    write_snapshot(&dir, summary.last_seq).unwrap().unwrap();
    assert_eq!(list().len(), 2);
}

#[test]
fn a_disk_that_takes_no_snapshot_stops_nothing_and_is_told() {
    let options = Options { probe: Some(Arc::new(NoSnapshots)), ..Options::default() };
    let settings = [("journal.snapshot_every", "100")];
    let mut venue = TestVenue::with_options(&settings, options);
    let mut alice = venue.orders("ALICE", 1);
    for number in 1..=400 {
        alice.ouch(enter(number, b'B', 1, 1_000_000).as_bytes());
    }
    alice.sync();
    let start = Instant::now();
    let error = loop {
        let left = SHADOW_PATIENCE.saturating_sub(start.elapsed());
        match venue.venue().notices().recv_timeout(left).unwrap() {
            Notice::SnapshotFailed { error, .. } => break error,
            Notice::SnapshotWritten { .. } => panic!("there is no room for one"),
            _ => {}
        }
    };
    assert!(error.contains("reserving room for"), "{error}");
    alice.ouch(enter(401, b'B', 1, 1_000_000).as_bytes());
    alice.sync();
    assert_eq!(venue.venue().desk().vitals().shadow.state, Shadowing::Following);
    let summary = venue.stop();
    assert_eq!(summary.shadow_state_hash, Some(summary.state_hash));
    assert!(Snapshots::of(&venue.dir().journal()).list().unwrap().is_empty());
}

#[test]
fn no_shadow_runs_where_no_snapshots_are_wanted() {
    let mut venue = venue(&[("journal.snapshot_every", "0")]);
    assert_eq!(venue.venue().desk().vitals().shadow.state, Shadowing::Off);
    assert_eq!(venue.stop().shadow_state_hash, None);
}

/// A venue that runs, and a snapshot behind whose last record, of this number, it has gone on.
fn covered() -> (TestVenue, PathBuf, u64, [u32; 3]) {
    let mut venue = venue(&[("journal.snapshot_every", "0")]);
    let mut numbers = [0; 3];
    trade(&venue, &mut Random(11), 25, &mut numbers);
    let seq = venue.stop().last_seq;
    let snapshot = one_snapshot(&venue.dir(), seq);
    venue.restart().unwrap();
    trade(&venue, &mut Random(12), 10, &mut numbers);
    (venue, snapshot, seq, numbers)
}

/// What a backup is restored to: all records, the snapshot, and no streams.
fn restored(venue: &TestVenue, snapshot: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (venue.dir(), VenueDir::new(folder.path()));
    fs::create_dir(to.journal()).unwrap();
    journal::copy(&from.journal(), &to.journal(), None).unwrap();
    for file in [VenueDir::users_file, VenueDir::begun_file] {
        fs::copy(file(&from), file(&to)).unwrap();
    }
    let snapshots = Snapshots::of(&to.journal()).dir().to_owned();
    fs::create_dir(&snapshots).unwrap();
    fs::copy(snapshot, snapshots.join(snapshot.file_name().unwrap())).unwrap();
    folder
}

/// Makes sure that a venue came to where its records lead from the first one on, and its streams.
fn check_against_genesis(dir: &VenueDir, summary: &Summary) {
    let replica = replay(&dir.journal(), &mut Discard).unwrap().replica.unwrap();
    let expected = (replica.state_hash(), replica.output_hash());
    assert_eq!((summary.state_hash, summary.output_hash), expected);
    assert!(summary.shadow_state_hash.is_none_or(|hash| hash == summary.state_hash));
    let report = check_streams(&dir.journal(), &dir.streams()).unwrap();
    assert!(3 < report.streams.len(), "{report:?}");
    for it in &report.streams {
        assert!(it.fault.is_none() && it.held == it.messages, "{it:?}");
    }
}

/// Where a start began, the epoch it opened and the snapshots it passed over.
fn begun(venue: &TestVenue) -> (Option<u64>, Option<u32>, usize) {
    let recovered = venue.venue().recovered();
    (recovered.snapshot_seq, recovered.opened_epoch, recovered.passed_over.len())
}

#[test]
fn a_restored_venue_begins_from_a_snapshot_whose_session_is_over_until_it_has_its_own() {
    let (original, snapshot, seq, mut numbers) = covered();
    let before = Raw::connect(original.venue().orders_addr()).log_in("ALICE", "ALICE", "", 0);
    let mut first = original.image(restored(&original, &snapshot));
    assert_eq!(begun(&first), (Some(seq), Some(1), 0));
    trade(&first, &mut Random(13), 20, &mut numbers);
    let mut late = Raw::connect(first.venue().orders_addr());
    late.send_login("ALICE", "ALICE", &before, 1);
    assert_eq!(late.packet().unwrap(), (soup::LOGIN_REJECTED, b"S".to_vec()), "it is over");
    // What a kill leaves, with no snapshot of the new session; and an orderly end.
    let image = tempfile::tempdir().unwrap();
    copy(first.dir.path(), image.path());
    let summary = first.stop();
    check_against_genesis(&first.dir(), &summary);
    first.restart().unwrap();
    assert_eq!(begun(&first), (Some(seq), None, 0));
    let summary = first.stop();
    check_against_genesis(&first.dir(), &summary);
    first.config.journal.snapshot_every = 200;
    let mut killed = first.image(image);
    assert_eq!(begun(&killed), (Some(seq), None, 0));
    assert!(!killed.data(1).messages(20).is_empty(), "the session is resent from its beginning");
    trade(&killed, &mut Random(14), 20, &mut numbers);
    let summary = killed.stop();
    check_against_genesis(&killed.dir(), &summary);
    // From one of its own, and its streams are gone on with.
    killed.restart().unwrap();
    let (from, epoch, passed_over) = begun(&killed);
    let opened = survey(&killed.dir().journal()).unwrap().sessions.last().unwrap().first_seq;
    assert!(from.is_some_and(|from| opened < from), "{from:?} of a session from {opened} on");
    assert_eq!((epoch, passed_over), (None, 0));
    let summary = killed.stop();
    check_against_genesis(&killed.dir(), &summary);
    // Its session goes on: without the streams it is made again from its beginning.
    fs::remove_dir_all(killed.dir().streams()).unwrap();
    killed.restart().unwrap();
    let from = begun(&killed).0;
    assert!(from.is_none_or(|from| from < opened), "{from:?}");
    let summary = killed.stop();
    check_against_genesis(&killed.dir(), &summary);
}

#[test]
fn a_snapshot_that_the_shadow_writes_of_a_session_that_is_over_can_be_begun_from() {
    let (mut original, snapshot, seq, mut numbers) = covered();
    original.config.journal.snapshot_every = 60;
    let first = original.image(restored(&original, &snapshot));
    assert_eq!(begun(&first), (Some(seq), Some(1), 0));
    let written = await_snapshot(&first);
    let opened = survey(&first.dir().journal()).unwrap().sessions.last().unwrap().first_seq;
    assert!(seq < written && written < opened, "{seq}, {written}, {opened}");
    let image = tempfile::tempdir().unwrap();
    copy(first.dir.path(), image.path());
    let mut killed = first.image(image);
    assert_eq!(begun(&killed), (Some(written), None, 0));
    trade(&killed, &mut Random(15), 10, &mut numbers);
    let summary = killed.stop();
    check_against_genesis(&killed.dir(), &summary);
}

/// A disk that does nothing more from an operation on.
#[derive(Debug)]
struct Dying {
    from: u64,
    operations: AtomicU64,
}

impl Dying {
    fn new(from: u64) -> Arc<Self> {
        Arc::new(Self { from, operations: AtomicU64::new(0) })
    }
}

impl Probe for Dying {
    fn before(&self, _operation: Operation, _path: &Path) -> io::Result<()> {
        let number = self.operations.fetch_add(1, Ordering::Relaxed);
        if number < self.from { Ok(()) } else { Err(io::Error::from_raw_os_error(5)) }
    }
}

/// The epochs that the records of a journal open.
fn epochs(dir: &VenueDir) -> u32 {
    let mut count = 0;
    let each = |record: Record<'_>| {
        count += u32::from(record.kind == kind::EPOCH);
        Ok::<_, Infallible>(())
    };
    Reader::open(&dir.journal()).unwrap().for_each(each).unwrap();
    count
}

#[test]
fn a_first_start_that_is_cut_short_is_made_again_from_the_same_snapshot() {
    let (original, snapshot, seq, numbers) = covered();
    // More operations than a first start and an end without orders do on a machine that is in no
    // hurry, and in any case so many that one was not cut.
    let mut seen = BTreeSet::new();
    let mut told = BTreeSet::new();
    for cut in 0..400 {
        if 48 <= cut && seen.contains(&None) {
            break;
        }
        let folder = restored(&original, &snapshot);
        let options = Options { probe: Some(Dying::new(cut)), ..Options::default() };
        let first = venue::start_with(&original.config, &VenueDir::new(folder.path()), &options);
        let is_cut = match first {
            Ok(venue) => {
                drop(venue.stop());
                false
            }
            Err(error) => {
                let text = error.to_string();
                told.insert(text.split(" /").next().unwrap_or_default().to_owned());
                true
            }
        };
        let written = epochs(&VenueDir::new(folder.path()));
        let mut again = original.image(folder);
        let (from, epoch, passed_over) = begun(&again);
        assert_eq!((from, passed_over), (Some(seq), 0), "cut at {cut}");
        // An epoch that was written and not proven is followed by another one, and none is opened
        // twice. Without one goes on only what had begun.
        let is_due = epoch.map_or(!is_cut && written == 1, |epoch| epoch == written + 1);
        assert!(is_due, "cut at {cut}: {epoch:?} behind {written}");
        if seen.insert(epoch) {
            trade(&again, &mut Random(16), 10, &mut numbers.clone());
        }
        let summary = again.stop();
        check_against_genesis(&again.dir(), &summary);
        assert_eq!(epochs(&again.dir()), written + u32::from(epoch.is_some()), "cut at {cut}");
    }
    // Before there was an epoch, once it was written, and once it was proven.
    assert_eq!(seen, [None, Some(1), Some(2)].into());
    // The cuts were at distinct places.
    assert!(6 < told.len(), "{told:?}");
}
