//! Sequenced streams: every message of a session, framed as it is sent, kept for resending.
//!
//! A stream lives in two files that are mapped chunk by chunk, its messages and the positions of
//! some of them, so that old messages cost disk and page cache, not memory. It is derived from the
//! journal: its files are never synced here, and nothing is lost with them. It grows by mappings,
//! not by heap, on the publisher's thread.

mod chunks;
mod error;
mod resume;

use std::{
    io,
    path::{Path, PathBuf},
    sync::atomic::{Ordering, fence},
};

use uncross_journal::format::StreamHeader;
use uncross_wire::{IntoBytes, soup};

use self::chunks::{Chunks, ENTRIES, MESSAGES};
pub use self::error::StreamError;
pub(crate) use self::resume::check_header;
use crate::{
    limits::STREAM_INDEX_STRIDE,
    streams::{Session, StreamMark},
};

/// Bytes in front of the messages.
pub(crate) const HEADER_LEN: u64 = size_of::<StreamHeader>() as u64;
/// Bytes of an entry of the index.
pub(crate) const ENTRY_LEN: usize = size_of::<u64>();

/// One stream of sequenced Soup packets.
#[derive(Debug)]
pub(crate) struct Stream {
    session: Session,
    entry: u16,
    messages: Chunks,
    /// Position of every message whose number is 1 more than a multiple of the stride.
    index: Chunks,
    len: usize,
    /// Number the next message gets.
    next: u64,
    is_ended: bool,
}

impl Stream {
    /// An empty stream; its files, `stem` with two endings, are made with its first message.
    pub(crate) fn new(session: Session, entry: u16, stem: &Path) -> Self {
        let messages = Chunks::new(MESSAGES, stem.with_extension(MESSAGES_EXTENSION));
        let index = Chunks::new(ENTRIES, stem.with_extension(INDEX_EXTENSION));
        Self { session, entry, messages, index, len: 0, next: 1, is_ended: false }
    }

    /// What is left of a stream that nobody needs: nothing.
    pub(crate) const fn gone() -> Self {
        Self {
            session: Session { salt: 0, name: [b' '; 10] },
            entry: 0,
            messages: Chunks::new(MESSAGES, PathBuf::new()),
            index: Chunks::new(ENTRIES, PathBuf::new()),
            len: 0,
            next: 1,
            is_ended: true,
        }
    }

    /// Number the next message gets.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// Bytes so far.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Nothing will follow, and nobody new begins to follow: the files lose their names, and end
    /// with the last of those who still read them.
    pub(crate) fn end(&mut self) {
        self.is_ended = true;
        self.messages.remove();
        self.index.remove();
    }

    pub(crate) const fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Appends a message, given in parts.
    ///
    /// # Errors
    ///
    /// A file could not grow.
    pub(crate) fn append(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        let payload_len: usize = parts.iter().map(|part| part.len()).sum();
        let header = soup::header(soup::SEQUENCED_DATA, payload_len);
        let end = self.len + header.len() + payload_len;
        while self.messages.capacity() < end {
            let header = StreamHeader::new(self.session.salt, self.session.name, self.entry);
            self.messages.grow(header.as_bytes())?;
        }
        if (self.next - 1).is_multiple_of(STREAM_INDEX_STRIDE) {
            self.note_position()?;
        }
        let (length, kind) = header.split_at(size_of::<u16>());
        let mut at = self.len + length.len();
        for part in [kind].iter().chain(parts) {
            self.messages.put(at, part);
            at += part.len();
        }
        // Release: the length is stored last. Another process that reads the file has the kernel
        // copy it from its beginning on, and so sees a length only where the message is.
        fence(Ordering::Release);
        self.messages.put(self.len, length);
        self.len = end;
        self.next += 1;
        Ok(())
    }

    /// Writes the position of the next message into the index.
    fn note_position(&mut self) -> io::Result<()> {
        let at = index_position(self.next - 1);
        if self.index.capacity() < at + ENTRY_LEN {
            self.index.grow(&[])?;
        }
        self.index.put(at, &(self.len as u64).to_le_bytes());
        Ok(())
    }

    /// The bytes from `position` to the end or the chunk's end, whichever is first.
    pub(crate) fn at(&self, position: usize) -> &[u8] {
        self.messages.at(position, self.len)
    }

    /// Position of message `number`; `None` when it is neither there nor the next one.
    pub(crate) fn position(&self, number: u64) -> Option<usize> {
        if number == self.next {
            return Some(self.len);
        }
        let before = number.checked_sub(1).filter(|_| number < self.next)?;
        let at = index_position(before);
        let entry = self.index.at(at, at + ENTRY_LEN);
        let mut position = usize::try_from(u64::from_le_bytes(entry.try_into().ok()?)).ok()?;
        for _ in 0..before % STREAM_INDEX_STRIDE {
            let length = u16::from_be_bytes([self.byte(position), self.byte(position + 1)]);
            position += 2 + usize::from(length);
        }
        Some(position)
    }

    fn byte(&self, position: usize) -> u8 {
        self.at(position)[0]
    }

    /// How far it has come, for one that goes on from here after a restart. Reads all of it.
    pub(crate) fn mark(&self) -> StreamMark {
        let (mut crc, mut position) = (0, 0);
        while position < self.len {
            let part = self.at(position);
            crc = uncross_journal::crc32c(crc, part);
            position += part.len();
        }
        StreamMark { entry: self.entry, next: self.next, len: self.len as u64, crc }
    }
}

/// Ending of the name of a file with messages, and of one with an index.
pub(crate) const MESSAGES_EXTENSION: &str = "stream";
pub(crate) const INDEX_EXTENSION: &str = "index";

/// Position in the index of the entry that leads to the message behind so many others.
const fn index_position(before: u64) -> usize {
    (before / STREAM_INDEX_STRIDE) as usize * ENTRY_LEN
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::limits::STREAM_CHUNK_LEN;

    pub(super) const SESSION: Session = Session { salt: 7, name: *b" SESSION01" };

    fn stream(dir: &tempfile::TempDir) -> Stream {
        Stream::new(SESSION, 3, &dir.path().join("port-3"))
    }

    #[test]
    fn every_message_is_found_by_its_number_across_chunks() {
        let dir = tempfile::tempdir().unwrap();
        let mut stream = stream(&dir);
        let message = [7; 1_000];
        let mut expected = Vec::new();
        for number in 1..=5_000_u64 {
            let len = usize::try_from(number % 900).unwrap();
            stream.append(&[&number.to_be_bytes(), &message[..len]]).unwrap();
            expected.push((number, len));
        }
        assert!(2 * STREAM_CHUNK_LEN < stream.len(), "several chunks are needed");
        for (number, len) in expected {
            let mut position = stream.position(number).unwrap();
            let mut bytes = Vec::new();
            while bytes.len() < 11 + len {
                let part = stream.at(position);
                bytes.extend_from_slice(part);
                position += part.len();
            }
            assert_eq!(bytes[..3], soup::header(b'S', 8 + len));
            assert_eq!(bytes[3..11], number.to_be_bytes());
        }
        assert_eq!(stream.position(0), None);
        assert_eq!(stream.position(5_001), Some(stream.len()));
        assert_eq!(stream.position(5_002), None);
    }

    #[test]
    fn an_index_finds_every_entry_across_its_chunks() {
        let dir = tempfile::tempdir().unwrap();
        let mut stream = stream(&dir);
        // As many as three chunks of the index are for.
        let count = 3 * (ENTRIES.len_of(0) / ENTRY_LEN) as u64 * STREAM_INDEX_STRIDE;
        for _ in 0..count {
            stream.append(&[b""]).unwrap();
        }
        for number in 1..=count {
            let position = usize::try_from((number - 1) * 3).unwrap();
            assert_eq!(stream.position(number), Some(position), "message {number}");
        }
    }

    #[test]
    fn who_reads_the_file_meanwhile_sees_a_length_only_where_the_message_is() {
        const MESSAGES: u64 = 50_000;
        let dir = tempfile::tempdir().unwrap();
        let message = [7; 1_000];
        let mut stream = stream(&dir);
        stream.append(&[&message]).unwrap();
        let file = std::fs::File::open(dir.path().join("port-3.stream")).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut found, mut bytes) = (0, [0; 1_003]);
                let start = std::time::Instant::now();
                while found < MESSAGES {
                    assert!(start.elapsed().as_secs() < 60, "message {found} does not come");
                    let at = HEADER_LEN + found * bytes.len() as u64;
                    let read = file.read_at(&mut bytes, at).unwrap();
                    if read == bytes.len() && bytes[..2] != [0, 0] {
                        let is_whole = bytes[2] == b'S' && bytes.ends_with(&message);
                        assert!(is_whole, "message {found}");
                        found += 1;
                    }
                }
            });
            for _ in 1..MESSAGES {
                stream.append(&[&message]).unwrap();
            }
        });
    }

    #[test]
    fn a_stream_begins_its_files_with_its_first_message_and_ends_with_their_names() {
        let dir = tempfile::tempdir().unwrap();
        let names = || {
            let entries = std::fs::read_dir(dir.path()).unwrap();
            let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let mut stream = stream(&dir);
        assert_eq!((stream.position(1), stream.position(2)), (Some(0), None));
        assert!(stream.at(0).is_empty() && names().is_empty());
        stream.append(&[b"message"]).unwrap();
        assert_eq!(names(), ["port-3.index", "port-3.stream"]);
        stream.end();
        assert!(names().is_empty());
        assert_eq!(stream.at(0), b"\0\x08Smessage", "those who follow it read on");
    }
}
