//! The folder of the streams: a folder for each session in it, two files for each stream.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fmt::Write,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    ops::Range,
    path::{Path, PathBuf},
};

use memmap2::MmapOptions;
use uncross_wire::text::trim;

use super::{ENTRIES, FEED, Marks, SessionName, copies, copies_slot};
use crate::{
    limits::STREAM_INDEX_STRIDE,
    stream::{ENTRY_LEN, HEADER_LEN, INDEX_EXTENSION, MESSAGES_EXTENSION},
};

/// Bytes synced at once: a millisecond of the device.
const SYNC_PIECE_BYTES: u64 = 1 << 20;

/// The folder of a session's streams in `dir`: its name, or a spelling of that for a name that
/// could be that of something else.
#[must_use]
pub fn session_folder(dir: &Path, session: SessionName) -> PathBuf {
    let name = trim(&session);
    let is_plain = !name.is_empty() && name.iter().all(u8::is_ascii_alphanumeric);
    let mut text = String::new();
    for byte in if is_plain { name } else { &session } {
        let written = if is_plain {
            text.write_char(char::from(*byte))
        } else {
            // Longer than any name, so that none is spelt like another.
            write!(text, "{byte:02x}")
        };
        debug_assert!(written.is_ok(), "a text takes what is written");
    }
    dir.join(text)
}

/// Name of the files of a stream, without their endings.
pub(crate) fn stem(entry: u16) -> String {
    match copies_slot(entry) {
        Some(slot) => format!("copies-{slot}"),
        None if entry == FEED => "feed".to_owned(),
        None => format!("port-{entry}"),
    }
}

/// The stream of which this is a file's name.
fn entry_of(name: &OsStr) -> Option<u16> {
    let (stem_found, extension) = name.to_str()?.rsplit_once('.')?;
    let number = |prefix| stem_found.strip_prefix(prefix)?.parse::<u16>().ok();
    let entry = match stem_found {
        "feed" => FEED,
        _ => number("port-").or_else(|| number("copies-")?.checked_add(copies(0)))?,
    };
    let is_ours = matches!(extension, MESSAGES_EXTENSION | INDEX_EXTENSION)
        && usize::from(entry) < ENTRIES
        && stem(entry) == stem_found;
    is_ours.then_some(entry)
}

/// Removes the streams in `dir` but those of `kept`: of a session, the entries that `is_kept`
/// knows. Files that are none of streams stay, and so does the folder that they are in.
///
/// # Errors
///
/// A file cannot be removed.
pub(crate) fn remove_but(
    dir: &Path,
    kept: Option<&Path>,
    is_kept: impl Fn(u16) -> bool,
) -> io::Result<()> {
    for session in list(dir)? {
        let is_kept_session = kept == Some(&*session);
        for path in list(&session)? {
            let entry = path.file_name().and_then(entry_of);
            if entry.is_some_and(|entry| !is_kept_session || !is_kept(entry)) {
                fs::remove_file(path)?;
            }
        }
        if !is_kept_session {
            drop(fs::remove_dir(session));
        }
    }
    Ok(())
}

/// What is in a folder; nothing where there is none.
fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    entries.map(|entry| Ok(entry?.path())).collect()
}

/// How far the files of streams are on the device, by their paths.
#[derive(Debug, Default)]
pub(crate) struct Synced {
    files: BTreeMap<PathBuf, u64>,
    /// The session one of whose files could not be synced, and why. The system may have dropped
    /// what it did not write, and says so once: no later sync makes that good.
    failed: Option<(SessionName, ErrorKind, String)>,
}

impl Synced {
    /// Gets the streams in `dir` onto the device as far as `marks` say; may be called beside who
    /// writes them. Only what is new, piece by piece, so that the syncs of a running journal never
    /// wait for more than one; `pause` is called after each.
    ///
    /// # Errors
    ///
    /// The system refused, now or before in the same session.
    pub(crate) fn advance(
        &mut self,
        dir: &Path,
        marks: &Marks,
        pause: impl FnMut(),
    ) -> io::Result<()> {
        if let Some((_, kind, said)) = self.failed.as_ref().filter(|it| it.0 == marks.session) {
            return Err(io::Error::new(*kind, format!("a sync before failed: {said}")));
        }
        let done = self.sync(dir, marks, pause);
        let failed = done.as_ref().err();
        self.failed = failed.map(|error| (marks.session, error.kind(), error.to_string()));
        done
    }

    fn sync(&mut self, dir: &Path, marks: &Marks, mut pause: impl FnMut()) -> io::Result<()> {
        let folder = session_folder(dir, marks.session);
        let mut has_files = false;
        for mark in &marks.streams {
            let stem = folder.join(stem(mark.entry));
            let entries = mark.next.saturating_sub(1).div_ceil(STREAM_INDEX_STRIDE);
            let lens = [HEADER_LEN + mark.len, entries * ENTRY_LEN as u64];
            for (extension, len) in [MESSAGES_EXTENSION, INDEX_EXTENSION].into_iter().zip(lens) {
                let path = stem.with_extension(extension);
                let from = self.files.get(&path).copied().unwrap_or(0);
                match sync_range(&path, from..len, &mut pause) {
                    Ok(()) => {}
                    // The session ended meanwhile.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                }
                self.files.insert(path, len);
                has_files = true;
            }
        }
        // What is there no more is not waited for again.
        self.files.retain(|path, _| path.starts_with(&folder));
        if has_files {
            File::open(&folder)?.sync_all()?;
            File::open(dir)?.sync_all()?;
        }
        Ok(())
    }
}

fn sync_range(path: &Path, range: Range<u64>, mut pause: impl FnMut()) -> io::Result<()> {
    // To be synced through, a mapping must be one that could be written through.
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let end = range.end.min(file.metadata()?.len());
    if end <= range.start {
        return Ok(());
    }
    let map = MmapOptions::new().len(index(end)).map_raw(&file)?;
    let mut at = range.start;
    while at < end {
        let len = (end - at).min(SYNC_PIECE_BYTES);
        map.flush_range(index(at), index(len))?;
        at += len;
        pause();
    }
    Ok(())
}

/// An offset as one into memory, of which there are as many.
fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_sessions_that_could_lead_elsewhere_are_spelt() {
        let folder = |session| session_folder(Path::new("streams"), session);
        assert_eq!(folder(*b"2611200000"), Path::new("streams/2611200000"));
        assert_eq!(folder(*b"       A1 "), Path::new("streams/A1"));
        assert_eq!(folder(*b"        .."), Path::new("streams/20202020202020202e2e"));
        assert_eq!(folder(*b"/etc/passw"), Path::new("streams/2f6574632f7061737377"));
        assert_eq!(folder([b' '; 10]), Path::new("streams/20202020202020202020"));
    }

    #[test]
    fn a_stream_is_told_by_the_name_of_its_file_and_nothing_else_is_one() {
        for entry in (0..).take(ENTRIES) {
            for extension in [MESSAGES_EXTENSION, INDEX_EXTENSION] {
                let name = format!("{}.{extension}", stem(entry));
                assert_eq!(entry_of(name.as_ref()), Some(entry), "{name}");
            }
        }
        for name in [
            "feed",
            "feed.txt",
            "feed-1.stream",
            "port-0.stream",
            "port-4097.stream",
            "port-+1.stream",
            "port-01.stream",
            "copies-64.index",
            "copies-65535.index",
            ".stream",
        ] {
            assert_eq!(entry_of(name.as_ref()), None, "{name}");
        }
    }

    #[test]
    fn only_files_of_streams_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let touch = |name: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        };
        let here = |name: &str| dir.path().join(name).exists();
        for name in ["A/feed.stream", "A/port-1.index", "A/notes.txt", "B/feed.index", "C.txt"] {
            touch(name);
        }
        touch("D/port-2.stream");
        let kept = dir.path().join("D");
        remove_but(dir.path(), Some(&kept), |entry| entry == 2).unwrap();
        assert!(here("A/notes.txt") && here("C.txt") && here("D/port-2.stream"));
        assert!(!here("A/feed.stream") && !here("A/port-1.index") && !here("B"));
        touch("D/port-3.stream");
        remove_but(dir.path(), Some(&kept), |entry| entry == 2).unwrap();
        assert!(here("D/port-2.stream") && !here("D/port-3.stream"));
        remove_but(dir.path(), None, |_| true).unwrap();
        assert!(!here("D") && here("A/notes.txt"));
        remove_but(&dir.path().join("nowhere"), None, |_| true).unwrap();
    }
}
