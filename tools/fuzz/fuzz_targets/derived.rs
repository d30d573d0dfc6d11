//! What a venue keeps beside its journal, changed in places: snapshots and streams.
//!
//! The input is as that of `journal`. A state that comes of a snapshot is the one that the journal
//! leads to, whatever checksums were made right.
#![no_main]

use std::{fs, path::Path, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use uncross_engine::limits::Capacity;
use uncross_fuzz::{Files, change, seal};
use uncross_journal::{
    Snapshots,
    format::{SnapshotHeader, StreamHeader},
};
use uncross_server::{
    audit::{overview::inspect, streams::check_streams},
    replay::{Discard, RestingBook, replay, replay_snapshot, resting_books},
};

const PAGE: usize = 4_096;

/// A venue, and what it kept beside its journal.
struct Venue {
    dir: tempfile::TempDir,
    derived: Files,
    capacity: Capacity,
    last_seq: u64,
    state_hash: [u8; 32],
}

static VENUE: LazyLock<Venue> = LazyLock::new(|| {
    let dir = uncross_fuzz::venue();
    let derived = uncross_fuzz::derived(dir.path());
    assert!(derived.iter().any(|(name, _)| name.ends_with(".snap")), "there is a snapshot");
    let replayed = replay(&dir.path().join("journal"), &mut Discard).expect("a whole journal");
    let replica = replayed.replica.expect("a journal of a venue");
    let has_orders = |book: &RestingBook| !book.bids.is_empty() || !book.asks.is_empty();
    assert!(resting_books(&replica).iter().any(has_orders), "there is something to capture");
    let (capacity, state_hash) = (replica.capacity(), replica.state_hash());
    Venue { dir, derived, capacity, last_seq: replayed.last_seq, state_hash }
});

fn repair(name: &str, bytes: &mut [u8]) {
    if name.ends_with(".snap") {
        let Some((_, body)) = bytes.split_at_checked(PAGE) else { return };
        let body_hash = *blake3::hash(body).as_bytes();
        seal::<SnapshotHeader>(bytes, 0, |header| {
            header.body_hash = body_hash;
            header.crc.set(header.checksum());
        });
    } else {
        seal::<StreamHeader>(bytes, 0, |header| header.crc.set(header.checksum()));
    }
}

/// Puts the files of `files` that are not as in `before` in their places.
fn put(dir: &Path, files: &Files, before: &Files) {
    for ((name, bytes), _) in files.iter().zip(before).filter(|(new, old)| new.1 != old.1) {
        fs::write(dir.join(name), bytes).expect("room for a small file");
    }
}

fuzz_target!(|input: &[u8]| {
    let Venue { dir, derived, capacity, last_seq, state_hash } = &*VENUE;
    let mut files = derived.clone();
    change(&mut files, input, repair);
    put(dir.path(), &files, derived);
    let journal = dir.path().join("journal");
    for view in Snapshots::of(&journal).list().expect("a folder") {
        if let Ok(replica) = replay_snapshot(&journal, &view.path, capacity, *last_seq) {
            assert_eq!(replica.state_hash(), *state_hash, "{view:?}");
        }
    }
    let report = check_streams(&journal, &dir.path().join("streams")).expect("a whole journal");
    let is_same = files.iter().zip(derived).all(|(new, old)| new == old);
    let is_good = report.streams.iter().all(|it| it.fault.is_none() && it.held == it.messages);
    assert!(is_good || !is_same, "{report:?}");
    let _seen = inspect(&journal, |_| {}).expect("a whole journal");
    for (name, bytes) in &files {
        let after = fs::read(dir.path().join(name)).expect("a file that was there");
        assert!(after == *bytes, "{name} was changed");
    }
    put(dir.path(), derived, &files);
});
