use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
};

use tempfile::TempDir;

use super::*;
use crate::limits::{STREAM_CHUNK_LEN, STREAM_INDEX_STRIDE};

const SESSION: SessionName = *b"SESSION001";
const SALT: u64 = 0xFEED_FACE;
/// Bytes of a header page.
const HEADER_LEN: u64 = 4_096;

/// What is said: entry and length of the message behind its number.
fn script(count: u64) -> Vec<(u16, u64)> {
    let entries = [FEED, 1, 7, PORTS_MAX, copies(0), copies(63)];
    // A generator with a fixed seed.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..count).map(|_| (entries[(next() % 6) as usize], next() % 200)).collect()
}

fn say(sink: &mut impl MessageSink, script: &[(u16, u64)], first: u64) {
    let filler = [0xAB; 200];
    for (number, &(entry, len)) in (first..).zip(script) {
        let parts = [&number.to_be_bytes()[..], &filler[..usize::try_from(len).unwrap()]];
        sink.append(entry, &parts).unwrap();
    }
}

/// Streams of a script, in a folder of their own.
fn written(script: &[(u16, u64)]) -> (TempDir, Streams) {
    let dir = tempfile::tempdir().unwrap();
    let mut streams = Streams::new(dir.path(), SALT);
    streams.begin(SESSION);
    say(&mut streams, script, 0);
    (dir, streams)
}

/// All bytes of an entry's stream, and where each of its messages begins.
fn content(streams: &mut Streams, entry: u16) -> (Vec<u8>, Vec<Option<usize>>) {
    let id = streams.current(entry);
    let stream = streams.stream(id);
    let mut bytes = Vec::new();
    while bytes.len() < stream.len() {
        bytes.extend_from_slice(stream.at(bytes.len()));
    }
    (bytes, (0..=stream.next() + 1).map(|number| stream.position(number)).collect())
}

fn assert_same(a: &mut Streams, b: &mut Streams) {
    assert_eq!(a.marks(), b.marks());
    for entry in (0..).take(ENTRIES) {
        assert!(content(a, entry) == content(b, entry), "entry {entry}");
    }
}

fn folder(dir: &TempDir) -> PathBuf {
    session_folder(dir.path(), SESSION)
}

#[test]
fn streams_gone_on_with_equal_streams_made_anew_byte_for_byte() {
    let script = script(60_000);
    let (_dir, mut anew) = written(&script);
    assert!(STREAM_CHUNK_LEN < content(&mut anew, FEED).0.len(), "several chunks are needed");
    for cut in [0, 1, 63, 64, 65, 6_400, 30_011, 59_999, 60_000] {
        let (front, back) = script.split_at(cut);
        let (dir, streams) = written(front);
        let marks = streams.marks();
        drop(streams);
        let mut resumed = Streams::resume(dir.path(), SALT, &marks).unwrap();
        assert_eq!(resumed.marks(), marks);
        say(&mut resumed, back, cut as u64);
        assert_same(&mut resumed, &mut anew);
    }
}

#[test]
fn what_lies_behind_the_marks_is_said_again() {
    let script = script(40_000);
    let (_dir, mut anew) = written(&script);
    for cut in [0, 500, 17_777, 39_000] {
        // The run before came to the end of the script, or to another end.
        for other in [0, 1] {
            let (dir, mut streams) = written(&script[..cut]);
            let marks = streams.marks();
            say(&mut streams, &script[cut..], cut as u64 + other);
            drop(streams);
            let mut resumed = Streams::resume(dir.path(), SALT, &marks).unwrap();
            say(&mut resumed, &script[cut..], cut as u64);
            assert_same(&mut resumed, &mut anew);
        }
    }
}

#[test]
fn streams_may_be_gone_on_with_over_and_over() {
    let script = script(30_000);
    let (_dir, mut anew) = written(&script);
    let dir = tempfile::tempdir().unwrap();
    let mut marks = Marks { session: SESSION, ..Marks::none() };
    for (count, piece) in (0..).zip(script.chunks(1_000)) {
        let mut streams = Streams::resume(dir.path(), SALT, &marks).unwrap();
        say(&mut streams, piece, count * 1_000);
        marks = streams.marks();
    }
    let mut resumed = Streams::resume(dir.path(), SALT, &marks).unwrap();
    assert_same(&mut resumed, &mut anew);
}

#[test]
fn a_tally_has_the_marks_of_the_streams_and_goes_on_from_any() {
    let script = script(5_000);
    let (_dir, mut streams) = written(&[]);
    let mut tally = Tally::resume(&Marks::none());
    tally.begin(SESSION);
    assert_eq!(tally.marks(), streams.marks());
    for (count, piece) in (0..).zip(script.chunks(617)) {
        say(&mut streams, piece, count * 617);
        say(&mut tally, piece, count * 617);
        assert_eq!(tally.marks(), streams.marks());
        tally = Tally::resume(&tally.marks());
    }
    streams.note_written();
    assert_eq!(streams.written().load(Ordering::Acquire), 5_000);
    streams.begin(*b"SESSION002");
    tally.begin(*b"SESSION002");
    assert_eq!(tally.marks(), streams.marks());
    assert_eq!((tally.marks().messages, tally.marks().streams.len()), (5_000, 0));
}

#[test]
fn streams_of_a_session_that_is_over_are_counted_until_the_next_one_begins() {
    const NEXT: SessionName = *b"SESSION002";
    let (front, back) = (script(3_000), script(500));
    let (dir, mut streams) = written(&front);
    let marks = streams.marks();
    drop(streams);
    // What a run after the marks has left is of no use either.
    fs::create_dir(session_folder(dir.path(), NEXT)).unwrap();
    fs::write(session_folder(dir.path(), NEXT).join("port-9.stream"), b"stale").unwrap();
    streams = Streams::over(dir.path(), SALT, &marks).unwrap();
    assert!(streams.is_over() && streams.session() == SESSION);
    assert!(streams.written().load(Ordering::Acquire) == 3_000);
    say(&mut streams, &back, 3_000);
    assert!(!folder(&dir).exists() && !session_folder(dir.path(), NEXT).exists());
    streams.begin(NEXT);
    say(&mut streams, &back, 0);
    streams.note_written();
    assert!(!streams.is_over() && streams.written().load(Ordering::Acquire) == 4_000);
    let (_dir, mut anew) = written(&[]);
    anew.begin(NEXT);
    say(&mut anew, &back, 0);
    for entry in (0..).take(ENTRIES) {
        assert!(content(&mut streams, entry) == content(&mut anew, entry), "entry {entry}");
    }
    let mut wrong = marks;
    let entry = u16::try_from(ENTRIES).unwrap();
    wrong.streams[0].entry = entry;
    let refused = Streams::over(dir.path(), SALT, &wrong).unwrap_err();
    assert!(matches!(refused, StreamError::Entry { entry: found } if found == entry));
}

/// Changes the files of a session of 20,000 messages and goes on with them, which must fail; the
/// files must be as the change left them.
fn refused(change: impl FnOnce(&Path)) -> StreamError {
    let (dir, streams) = written(&script(20_000));
    let marks = streams.marks();
    drop(streams);
    change(&folder(&dir));
    let before = snapshot(&folder(&dir));
    let error = Streams::resume(dir.path(), SALT, &marks).unwrap_err();
    assert!(snapshot(&folder(&dir)) == before, "nothing is changed: {error}");
    error
}

/// Names, lengths and checksums of the files of a folder.
fn snapshot(folder: &Path) -> Vec<(PathBuf, usize, u32)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            (path, bytes.len(), uncross_journal::crc32c(0, &bytes))
        })
        .collect();
    files.sort();
    files
}

fn flip(path: &Path, offset: u64, bit: u8) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 1 << bit], offset).unwrap();
}

fn set_len(path: &Path, len: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(len).unwrap();
}

#[test]
fn a_missing_file_or_folder_is_found() {
    for name in ["feed.stream", "feed.index", "port-7.stream", "copies-63.index"] {
        let error = refused(|folder| fs::remove_file(folder.join(name)).unwrap());
        assert!(matches!(&error, StreamError::Missing { path } if path.ends_with(name)), "{error}");
        assert!(error.to_string().ends_with(&format!("{name} is missing")), "{error}");
    }
    let error = refused(|folder| fs::remove_dir_all(folder).unwrap());
    assert!(matches!(error, StreamError::Missing { .. }), "{error}");
}

#[test]
fn a_truncated_or_longer_file_is_found() {
    for (name, len) in [
        ("feed.stream", 0),
        ("feed.stream", 4_095),
        ("feed.stream", HEADER_LEN),
        ("feed.stream", HEADER_LEN + 10_000),
        ("feed.stream", HEADER_LEN + STREAM_CHUNK_LEN as u64 + 1),
        ("feed.index", 0),
        ("feed.index", 8),
        ("feed.index", (64 << 10) + 8),
    ] {
        let error = refused(|folder| set_len(&folder.join(name), len));
        let is_it = matches!(&error, StreamError::Len { path, found, .. }
            if path.ends_with(name) && *found == len);
        assert!(is_it, "{name} of {len} bytes: {error}");
    }
    // A file that lost its pages, but not its length.
    let error = refused(|folder| {
        let path = folder.join("port-1.stream");
        set_len(&path, HEADER_LEN + 100_000);
        set_len(&path, HEADER_LEN + STREAM_CHUNK_LEN as u64);
    });
    assert!(matches!(error, StreamError::Content { .. }), "{error}");
}

#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    let script = script(300);
    let (dir, streams) = written(&script);
    let marks = streams.marks();
    drop(streams);
    let mark = marks.streams[0];
    assert_eq!(mark.entry, FEED);
    let (feed, index) = (folder(&dir).join("feed.stream"), folder(&dir).join("feed.index"));
    let whole = fs::read(&feed).unwrap();
    let check = |path: &Path, offset: u64| {
        for bit in 0..8 {
            flip(path, offset, bit);
            let error = Streams::resume(dir.path(), SALT, &marks).expect_err("a flipped bit");
            flip(path, offset, bit);
            let is_it = match &error {
                StreamError::Header { .. } => path == feed && offset < HEADER_LEN,
                StreamError::Content { .. } => path == feed && HEADER_LEN <= offset,
                StreamError::Index { offset: found, .. } => {
                    path == index && *found == offset / 8 * 8
                }
                _ => false,
            };
            assert!(is_it, "bit {bit} of byte {offset} of {}: {error}", path.display());
        }
    };
    for offset in (0..32).chain([100, 4_000]).chain(HEADER_LEN - 4..HEADER_LEN) {
        check(&feed, offset);
    }
    for offset in (HEADER_LEN..HEADER_LEN + mark.len).step_by(7).chain([HEADER_LEN + mark.len - 1])
    {
        check(&feed, offset);
    }
    for offset in 0..(mark.next - 1).div_ceil(STREAM_INDEX_STRIDE) * 8 {
        check(&index, offset);
    }
    // What lies behind is not looked at.
    flip(&feed, HEADER_LEN + mark.len, 0);
    flip(&index, (mark.next - 1).div_ceil(STREAM_INDEX_STRIDE) * 8, 0);
    drop(Streams::resume(dir.path(), SALT, &marks).unwrap());
    flip(&feed, HEADER_LEN + mark.len, 0);
    assert!(fs::read(&feed).unwrap() == whole);
}

#[test]
fn a_foreign_file_is_found() {
    let (dir, streams) = written(&script(20_000));
    let marks = streams.marks();
    drop(streams);
    let what = |result: Result<Streams, StreamError>| match result {
        Err(StreamError::Foreign { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(what(Streams::resume(dir.path(), SALT + 1, &marks)), "journal");
    let other = Marks { session: *b"SESSION002", ..marks.clone() };
    fs::rename(folder(&dir), session_folder(dir.path(), other.session)).unwrap();
    assert_eq!(what(Streams::resume(dir.path(), SALT, &other)), "session");
    fs::rename(session_folder(dir.path(), other.session), folder(&dir)).unwrap();
    let path = |name: &str| folder(&dir).join(name);
    fs::rename(path("port-1.stream"), path("swap")).unwrap();
    fs::rename(path("port-7.stream"), path("port-1.stream")).unwrap();
    fs::rename(path("swap"), path("port-7.stream")).unwrap();
    assert_eq!(what(Streams::resume(dir.path(), SALT, &marks)), "stream");
    // Another session of the same name of the same journal, as in a venue restored from a backup.
    let (dir, streams) = written(&script(20_001)[1..]);
    drop(streams);
    let error = Streams::resume(dir.path(), SALT, &marks).unwrap_err();
    assert!(matches!(error, StreamError::Content { .. }), "{error}");
}

#[test]
fn marks_that_no_stream_can_have_are_refused() {
    let (dir, streams) = written(&script(100));
    let marks = streams.marks();
    drop(streams);
    let with = |change: &dyn Fn(&mut StreamMark)| {
        let mut marks = marks.clone();
        change(&mut marks.streams[0]);
        Streams::resume(dir.path(), SALT, &marks).unwrap_err()
    };
    let error = with(&|mark| mark.entry = copies(64));
    assert!(matches!(error, StreamError::Entry { entry } if entry == copies(64)), "{error}");
    for next in [0, 1, 2, u64::MAX] {
        let error = with(&|mark| mark.next = next);
        let is_it = matches!(error, StreamError::Messages { .. } | StreamError::Len { .. });
        assert!(is_it, "{next}: {error}");
    }
    for len in [0, 1, 1 << 40, u64::MAX] {
        let error = with(&|mark| mark.len = len);
        let is_it = matches!(error, StreamError::Content { .. } | StreamError::Len { .. });
        assert!(is_it, "{len}: {error}");
    }
}

#[test]
fn what_memory_stood_in_for_is_not_taken_for_written() {
    let script = script(60_000);
    let (dir, mut streams) = written(&script[..1_000]);
    // The disk takes no more, as far as this stream can see: it is not as it was left.
    let path = folder(&dir).join("feed.stream");
    let len = fs::metadata(&path).unwrap().len();
    set_len(&path, len + 1);
    say(&mut streams, &script[1_000..], 1_000);
    let (_anew_dir, mut anew) = written(&script);
    assert_same(&mut streams, &mut anew);
    let marks = streams.marks();
    drop(streams);
    for len in [len + 1, len, len + STREAM_CHUNK_LEN as u64, len + 7 * STREAM_CHUNK_LEN as u64] {
        set_len(&path, len);
        assert!(Streams::resume(dir.path(), SALT, &marks).is_err(), "{len} bytes");
    }
}

#[test]
fn a_session_that_ends_takes_its_files_along() {
    let (dir, mut streams) = written(&script(1_000));
    let id = streams.current(FEED);
    streams.follow(id);
    let position = streams.stream(id).position(100).unwrap();
    let before = streams.stream(id).at(position).to_vec();
    streams.begin(*b"SESSION002");
    assert!(!folder(&dir).exists());
    assert_eq!(streams.stream(id).at(position), before, "who follows reads on");
    streams.unfollow(id);
    streams.append(FEED, &[b"first"]).unwrap();
    assert!(session_folder(dir.path(), *b"SESSION002").join("feed.stream").exists());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn streams_of_other_sessions_and_such_without_a_mark_go_when_one_is_gone_on_with() {
    let (dir, mut streams) = written(&script(1_000));
    let marks = streams.marks();
    streams.append(99, &[b"began behind the marks"]).unwrap();
    drop(streams);
    let other = session_folder(dir.path(), *b"SESSION000");
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("feed.stream"), b"").unwrap();
    fs::write(folder(&dir).join("notes.txt"), b"").unwrap();
    let mut streams = Streams::resume(dir.path(), SALT, &marks).unwrap();
    assert!(!other.exists() && !folder(&dir).join("port-99.stream").exists());
    assert!(folder(&dir).join("notes.txt").exists());
    assert_eq!(content(&mut streams, 99).0, b"");
}

#[test]
fn a_stale_file_is_replaced_where_a_stream_begins() {
    let (dir, streams) = written(&script(1_000));
    drop(streams);
    let mut streams = Streams::new(dir.path(), SALT);
    streams.begin(SESSION);
    let script = script(60_000);
    say(&mut streams, &script, 0);
    let (_anew_dir, mut anew) = written(&script);
    assert_same(&mut streams, &mut anew);
    let marks = streams.marks();
    drop(streams);
    drop(Streams::resume(dir.path(), SALT, &marks).unwrap());
    Streams::clear(dir.path()).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn synced_streams_are_those_of_the_session_that_is_there() {
    let (dir, streams) = written(&script(1_000));
    let (marks, mut synced) = (streams.marks(), Synced::default());
    let count = |synced: &mut Synced, dir: &Path, marks: &Marks| {
        let mut pieces = 0;
        synced.advance(dir, marks, || pieces += 1).unwrap();
        pieces
    };
    assert_eq!(count(&mut synced, dir.path(), &marks), 2 * marks.streams.len());
    assert_eq!(count(&mut synced, dir.path(), &marks), 0, "all of it was synced before");
    let other = Marks { session: *b"SESSION002", ..marks.clone() };
    assert_eq!(count(&mut synced, dir.path(), &other), 0);
    assert_eq!(count(&mut synced, dir.path(), &marks), 2 * marks.streams.len(), "forgotten");
    assert_eq!(count(&mut Synced::default(), &dir.path().join("nowhere"), &marks), 0);
    drop(streams);
}

#[test]
fn a_session_whose_streams_failed_to_be_synced_is_never_called_synced() {
    let (dir, streams) = written(&script(1_000));
    let (marks, mut synced) = (streams.marks(), Synced::default());
    let path = folder(&dir).join("feed.stream");
    let aside = folder(&dir).join("aside");
    fs::rename(&path, &aside).unwrap();
    fs::create_dir(&path).unwrap();
    let first = synced.advance(dir.path(), &marks, || ()).unwrap_err();
    fs::remove_dir(&path).unwrap();
    fs::rename(&aside, &path).unwrap();
    let second = synced.advance(dir.path(), &marks, || ()).unwrap_err();
    assert_eq!(second.kind(), first.kind());
    assert_eq!(second.to_string(), format!("a sync before failed: {first}"));
    let other = Marks { session: *b"SESSION002", ..marks.clone() };
    synced.advance(dir.path(), &other, || ()).unwrap();
    drop(streams);
}
