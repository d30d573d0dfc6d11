//! Going on with the files of an earlier run, which are trusted in nothing.
//!
//! All that is to be served again is read once and compared with its checksum, and every entry of
//! the index with the messages. What lies behind is taken as not there.

use std::{
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    path::Path,
};

use uncross_journal::{
    Fault, crc32c,
    format::{STREAM_MAGIC, STREAM_VERSION, StreamHeader},
};
use zerocopy::{FromZeros, IntoBytes};

use super::{
    ENTRY_LEN, HEADER_LEN, INDEX_EXTENSION, MESSAGES_EXTENSION, Stream, StreamError,
    chunks::{Chunks, ENTRIES, Geometry, MESSAGES, open},
};
use crate::{
    limits::{STREAM_INDEX_STRIDE, STREAM_READ_LEN},
    streams::{Session, StreamMark},
};

impl Stream {
    /// Goes on from `mark` with the files `stem` of an earlier run, which change only behind it.
    ///
    /// # Errors
    ///
    /// They are not what was noted; nothing was changed.
    pub(crate) fn resume(
        session: Session,
        stem: &Path,
        mark: &StreamMark,
    ) -> Result<Self, StreamError> {
        let StreamMark { entry, next, len, .. } = *mark;
        let messages_path = stem.with_extension(MESSAGES_EXTENSION);
        let index_path = stem.with_extension(INDEX_EXTENSION);
        let messages = Found::open(&messages_path)?;
        let header = StreamHeader::new(session.salt, session.name, entry);
        check_header(&messages_path, &messages.file, &header)?;
        let chunks = messages.chunks(MESSAGES, HEADER_LEN, len)?;
        let index = Found::open(&index_path)?;
        let entries_len = entries(mark) * ENTRY_LEN as u64;
        let index_chunks = index.chunks(ENTRIES, 0, entries_len)?;
        check(&messages, &index, mark)?;
        // Both fit memory, since the files are mapped as a whole.
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let entries_len = usize::try_from(entries_len).unwrap_or(usize::MAX);
        Ok(Self {
            session,
            entry,
            messages: messages.map(MESSAGES, (HEADER_LEN, chunks, len))?,
            index: index.map(ENTRIES, (0, index_chunks, entries_len))?,
            len,
            next,
            is_ended: false,
        })
    }
}

/// Entries that the index has up to a mark.
const fn entries(mark: &StreamMark) -> u64 {
    mark.next.saturating_sub(1).div_ceil(STREAM_INDEX_STRIDE)
}

/// A file that was found.
struct Found<'a> {
    path: &'a Path,
    file: File,
}

impl<'a> Found<'a> {
    fn open(path: &'a Path) -> Result<Self, StreamError> {
        match open(path) {
            Ok(file) => Ok(Self { path, file }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(StreamError::Missing { path: path.to_owned() })
            }
            Err(error) => Err(StreamError::Io { path: path.to_owned(), error }),
        }
    }

    /// For `map_err`: the system refused something about this file.
    fn failed(&self, error: io::Error) -> StreamError {
        StreamError::Io { path: self.path.to_owned(), error }
    }

    /// How many chunks it has behind `header_len` bytes; together they hold `used` bytes.
    fn chunks(&self, geometry: Geometry, header_len: u64, used: u64) -> Result<usize, StreamError> {
        let found = self.file.metadata().map_err(|error| self.failed(error))?.len();
        let wrong = || StreamError::Len {
            path: self.path.to_owned(),
            expected: header_len.saturating_add(used),
            found,
        };
        let held = found.checked_sub(header_len).filter(|&held| used <= held).ok_or_else(wrong)?;
        let held = usize::try_from(held).map_err(|_beyond_memory| wrong())?;
        let (count, rest) = geometry.place(held);
        if rest != 0 || count == 0 { Err(wrong()) } else { Ok(count) }
    }

    fn read(&self, bytes: &mut [u8], offset: u64) -> Result<(), StreamError> {
        self.file.read_exact_at(bytes, offset).map_err(|error| self.failed(error))
    }

    fn map(&self, geometry: Geometry, place: (u64, usize, usize)) -> Result<Chunks, StreamError> {
        let chunks = Chunks::of_file(geometry, self.path.to_owned(), &self.file, place);
        chunks.map_err(|error| self.failed(error))
    }
}

/// Compares the header of a file with that which its stream must have.
///
/// # Errors
///
/// It is another one.
pub(crate) fn check_header(
    path: &Path,
    file: &File,
    expected: &StreamHeader,
) -> Result<(), StreamError> {
    let failed = |error| StreamError::Io { path: path.to_owned(), error };
    let len = file.metadata().map_err(failed)?.len();
    if len < HEADER_LEN {
        return Err(StreamError::Len { path: path.to_owned(), expected: HEADER_LEN, found: len });
    }
    let mut header = StreamHeader::new_zeroed();
    file.read_exact_at(header.as_mut_bytes(), 0).map_err(failed)?;
    let broken = |fault| StreamError::Header { path: path.to_owned(), fault };
    if header.magic != STREAM_MAGIC {
        return Err(broken(Fault::Magic { expected: STREAM_MAGIC, found: header.magic }));
    }
    let (computed, stored) = (header.checksum(), header.crc.get());
    if computed != stored {
        return Err(broken(Fault::Checksum { expected: computed, found: stored }));
    }
    // Before the other fields: in another version they may be other ones.
    let (expected_version, found) = (STREAM_VERSION, header.format_version.get());
    if expected_version != found {
        let (path, expected) = (path.to_owned(), expected_version);
        return Err(StreamError::Version { path, expected, found });
    }
    let journal = |header: &StreamHeader| format!("{:016x}", header.salt.get());
    let session = |header: &StreamHeader| header.session.escape_ascii().to_string();
    let facts = [
        ("journal", journal(expected), journal(&header)),
        ("session", session(expected), session(&header)),
        ("stream", expected.entry.get().to_string(), header.entry.get().to_string()),
    ];
    for (what, expected, found) in facts {
        if expected != found {
            return Err(StreamError::Foreign { path: path.to_owned(), what, expected, found });
        }
    }
    Ok(())
}

/// Reads the messages up to the mark and compares them with it, and the index with them.
///
/// They are read, not mapped: a bad sector is then an error and not the end of the process.
fn check(messages: &Found<'_>, index: &Found<'_>, mark: &StreamMark) -> Result<(), StreamError> {
    let mut walk = Walk { position: 0, high: None, count: 0 };
    let count = entries(mark);
    let mut entries = Entries { index, count, bytes: Vec::new(), first: 0, wrong: None };
    let mut window = vec![0; STREAM_READ_LEN];
    let (mut read, mut crc) = (0, 0);
    while read < mark.len {
        let left = usize::try_from(mark.len - read).unwrap_or(usize::MAX);
        let bytes = &mut window[..left.min(STREAM_READ_LEN)];
        messages.read(bytes, HEADER_LEN + read)?;
        crc = crc32c(crc, bytes);
        walk.over(bytes, read, |number, position| entries.compare(number, position))?;
        read += bytes.len() as u64;
    }
    let path = || messages.path.to_owned();
    let StreamMark { len, crc: expected, .. } = *mark;
    if crc != expected {
        return Err(StreamError::Content { path: path(), len, expected, found: crc });
    }
    let (expected, found) = (mark.next.saturating_sub(1), walk.count);
    if (walk.position, found) != (len, expected) {
        return Err(StreamError::Messages { path: path(), len, expected, found });
    }
    entries.wrong.map_or(Ok(()), Err)
}

/// Goes from message to message.
struct Walk {
    /// Of the next message.
    position: u64,
    /// First byte of its length, when the second one is still to be read.
    high: Option<u8>,
    /// Messages whose first byte was read.
    count: u64,
}

impl Walk {
    /// Goes on over the bytes from `start` on, and tells of each message whose position belongs in
    /// an index: the entry's number and the position.
    fn over(
        &mut self,
        bytes: &[u8],
        start: u64,
        mut tell: impl FnMut(u64, u64) -> Result<(), StreamError>,
    ) -> Result<(), StreamError> {
        if let Some(high) = self.high.take() {
            let Some(&low) = bytes.first() else {
                self.high = Some(high);
                return Ok(());
            };
            self.position += 2 + u64::from(u16::from_be_bytes([high, low]));
        }
        // No window is behind the next message; it may be in front of it.
        let mut at = usize::try_from(self.position - start).unwrap_or(usize::MAX);
        while let Some(&high) = bytes.get(at) {
            if self.count.is_multiple_of(STREAM_INDEX_STRIDE) {
                tell(self.count / STREAM_INDEX_STRIDE, start + at as u64)?;
            }
            self.count += 1;
            let Some(&low) = bytes.get(at + 1) else {
                self.high = Some(high);
                break;
            };
            at += 2 + usize::from(u16::from_be_bytes([high, low]));
        }
        self.position = start + at as u64;
        Ok(())
    }
}

/// The entries of an index, read in their order.
struct Entries<'a> {
    index: &'a Found<'a>,
    /// How many of them count.
    count: u64,
    bytes: Vec<u8>,
    /// Number of the first entry in `bytes`.
    first: u64,
    /// The first one that leads elsewhere.
    wrong: Option<StreamError>,
}

impl Entries<'_> {
    fn compare(&mut self, number: u64, expected: u64) -> Result<(), StreamError> {
        if self.count <= number {
            // The messages are not those that were noted, which their checksum will say.
            return Ok(());
        }
        let held = (self.bytes.len() / ENTRY_LEN) as u64;
        if self.bytes.is_empty() || self.first + held <= number {
            // The smallest chunk: a file has whole ones.
            self.bytes.resize(ENTRIES.len_of(0), 0);
            self.first = number;
            self.index.read(&mut self.bytes, number * ENTRY_LEN as u64)?;
        }
        let at = usize::try_from(number - self.first).unwrap_or(usize::MAX) * ENTRY_LEN;
        let entry = self.bytes[at..].first_chunk().copied().unwrap_or_default();
        let found = u64::from_le_bytes(entry);
        if found != expected {
            let (path, offset) = (self.index.path.to_owned(), number * ENTRY_LEN as u64);
            self.wrong.get_or_insert(StreamError::Index { path, offset, expected, found });
        }
        Ok(())
    }
}
