//! A process killed while it appends: everything it had acknowledged is there.

use std::env;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use uncross_journal::OpenError;

use crate::support::{
    Kept, Random, append_one, assert_prefix, hash_after, open_dir, replayed, settings, verify,
    writer,
};

/// Where the child finds its journal.
const DIR: &str = "UNCROSS_JOURNAL_KILL_DIR";

/// Runs in the child only: appends without end and tells each number once the record is written.
#[test]
fn child_appends_until_it_is_killed() {
    let Some(dir) = env::var_os(DIR) else { return };
    let mut writer = writer(&PathBuf::from(dir), &settings());
    let mut pipe = io::stderr().lock();
    let mut seq = writer.last_seq();
    loop {
        seq += 1;
        append_one(&mut writer, &Kept::of(seq)).unwrap();
        if seq.is_multiple_of(100) {
            writer.checkpoint(hash_after(seq), seq * 1000).unwrap();
        }
        if pipe.write_all(&seq.to_le_bytes()).is_err() {
            return;
        }
    }
}

/// Starts a child and kills it after it told `count` numbers; returns the last one it told.
fn kill_after(dir: &Path, count: u64) -> u64 {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["kill::child_appends_until_it_is_killed", "--exact", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stderr.take().unwrap();
    let mut told = 0;
    let mut number = [0; 8];
    for _ in 0..count {
        pipe.read_exact(&mut number).unwrap();
        told = u64::from_le_bytes(number);
    }
    if count.is_multiple_of(2) {
        match open_dir(dir, &settings()).unwrap_err() {
            OpenError::Locked { owner_pid, .. } => assert_eq!(owner_pid, Some(child.id())),
            other => panic!("{other}"),
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it told between the last look and its end counts as well.
    let mut rest = Vec::new();
    pipe.read_to_end(&mut rest).unwrap();
    rest.as_chunks::<8>().0.last().map_or(told, |number| u64::from_le_bytes(*number))
}

#[test]
fn a_killed_process_loses_nothing_it_acknowledged() {
    const SEED: u64 = 0x0BAD_CAFE;
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(SEED);
    for round in 1..=5 {
        let told = kill_after(dir.path(), 200 + random.below(1500));
        let context = format!("round {round}, seed {SEED:#x}");
        let mut recovery =
            open_dir(dir.path(), &settings()).unwrap_or_else(|error| panic!("{context}: {error}"));
        let last = recovery.last_seq();
        assert!(told <= last && last <= told + 1, "{context}: told {told}, found {last}");
        assert_prefix(&replayed(&mut recovery), last, &context);
        if round % 2 == 0 {
            drop(recovery);
        } else {
            recovery.into_writer(0, hash_after(last)).unwrap().close().unwrap();
            assert_eq!(verify(dir.path()).last_seq, last, "{context}");
        }
    }
}
