//! Sequenced streams: every message of a session, framed as it is sent, kept for resending.
//!
//! A stream lives in an unlinked file that is mapped chunk by chunk, so that old messages cost
//! disk and page cache, not memory. It is derived from the journal and made anew at every start.
//! It grows by mappings, not by heap: the publisher's thread makes a chunk with one `fallocate` and
//! one `mmap` when the last one is full, which takes it some tens of microseconds.
#![expect(unsafe_code, reason = "chunks of the stream file are memory-mapped")]

use std::{fs::File, io, path::Path};

use memmap2::{MmapMut, MmapOptions};
use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};
use uncross_wire::soup;

use crate::limits::{
    STREAM_CHUNK_LEN, STREAM_CHUNKS_RESERVED, STREAM_INDEX_CHUNK_LEN, STREAM_INDEX_CHUNKS_RESERVED,
    STREAM_INDEX_LARGE_CHUNK_LEN, STREAM_INDEX_STRIDE, STREAM_LARGE_CHUNK_LEN, STREAM_SMALL_CHUNKS,
};

/// Lengths of successive mappings: some small ones, then large ones.
#[derive(Clone, Copy, Debug)]
struct Geometry {
    small_len: usize,
    large_len: usize,
}

/// Of the messages.
const MESSAGES: Geometry =
    Geometry { small_len: STREAM_CHUNK_LEN, large_len: STREAM_LARGE_CHUNK_LEN };
/// Of the index.
const ENTRIES: Geometry =
    Geometry { small_len: STREAM_INDEX_CHUNK_LEN, large_len: STREAM_INDEX_LARGE_CHUNK_LEN };

impl Geometry {
    /// Bytes of a chunk.
    const fn len_of(self, chunk: usize) -> usize {
        if chunk < STREAM_SMALL_CHUNKS { self.small_len } else { self.large_len }
    }

    /// Position at which a chunk starts.
    const fn start_of(self, chunk: usize) -> usize {
        if chunk < STREAM_SMALL_CHUNKS {
            chunk * self.small_len
        } else {
            STREAM_SMALL_CHUNKS * self.small_len + (chunk - STREAM_SMALL_CHUNKS) * self.large_len
        }
    }

    /// Chunk and offset of a position.
    const fn place(self, position: usize) -> (usize, usize) {
        let small_len = STREAM_SMALL_CHUNKS * self.small_len;
        if position < small_len {
            return (position / self.small_len, position % self.small_len);
        }
        let beyond = position - small_len;
        (STREAM_SMALL_CHUNKS + beyond / self.large_len, beyond % self.large_len)
    }
}

/// Bytes of an entry of the index.
const ENTRY_LEN: usize = size_of::<u64>();

/// Positions, in memory that no file backs.
#[derive(Debug)]
struct Index {
    chunks: Vec<MmapMut>,
    len: usize,
}

impl Index {
    fn push(&mut self, position: usize) -> io::Result<()> {
        let (chunk, offset) = ENTRIES.place(self.len * ENTRY_LEN);
        if self.chunks.len() == chunk {
            self.chunks.push(MmapMut::map_anon(ENTRIES.len_of(chunk))?);
        }
        let entry = (position as u64).to_le_bytes();
        self.chunks[chunk][offset..offset + ENTRY_LEN].copy_from_slice(&entry);
        self.len += 1;
        Ok(())
    }

    fn get(&self, number: usize) -> Option<usize> {
        if self.len <= number {
            return None;
        }
        let (chunk, offset) = ENTRIES.place(number * ENTRY_LEN);
        let bytes = self.chunks.get(chunk)?.get(offset..offset + ENTRY_LEN)?;
        usize::try_from(u64::from_le_bytes(bytes.try_into().ok()?)).ok()
    }
}

/// Whether the system is out of something that memory can stand in for.
fn is_shortage(error: &io::Error) -> bool {
    const SHORTAGES: [Errno; 5] =
        [Errno::NOSPC, Errno::DQUOT, Errno::MFILE, Errno::NFILE, Errno::OPNOTSUPP];
    SHORTAGES.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// One stream of sequenced Soup packets.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Made with the first message.
    file: Option<File>,
    chunks: Vec<MmapMut>,
    len: usize,
    /// Number the next message gets.
    next: u64,
    /// Position of every message whose number is 1 more than a multiple of the stride.
    index: Index,
    is_ended: bool,
}

impl Stream {
    pub(crate) fn new() -> Self {
        let (chunks, index) = (Vec::new(), Index { chunks: Vec::new(), len: 0 });
        Self { file: None, chunks, len: 0, next: 1, index, is_ended: false }
    }

    /// Number the next message gets.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// Bytes so far.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Nothing will follow.
    pub(crate) const fn end(&mut self) {
        self.is_ended = true;
    }

    pub(crate) const fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Appends a message, given in parts.
    ///
    /// # Errors
    ///
    /// The file could not grow.
    pub(crate) fn append(&mut self, dir: &Path, parts: &[&[u8]]) -> io::Result<()> {
        let payload_len: usize = parts.iter().map(|part| part.len()).sum();
        let header = soup::header(soup::SEQUENCED_DATA, payload_len);
        let end = self.len + header.len() + payload_len;
        while self.capacity() < end {
            self.grow(dir)?;
        }
        if (self.next - 1).is_multiple_of(STREAM_INDEX_STRIDE) {
            self.index.push(self.len)?;
        }
        self.put(&header);
        for part in parts {
            self.put(part);
        }
        self.next += 1;
        Ok(())
    }

    const fn capacity(&self) -> usize {
        MESSAGES.start_of(self.chunks.len())
    }

    fn grow(&mut self, dir: &Path) -> io::Result<()> {
        if self.chunks.is_empty() {
            self.chunks.reserve(STREAM_CHUNKS_RESERVED);
            self.index.chunks.reserve(STREAM_INDEX_CHUNKS_RESERVED);
        }
        let len = MESSAGES.len_of(self.chunks.len());
        let chunk = match self.reserve(dir, len) {
            Ok(chunk) => chunk,
            // A full disk: orders are about to be refused, and what is said until then fits into
            // memory. The same where the file system cannot reserve, or there is no file to be had.
            Err(error) if is_shortage(&error) => MmapMut::map_anon(len)?,
            Err(error) => return Err(error),
        };
        self.chunks.push(chunk);
        Ok(())
    }

    /// The next chunk of the file, all of it on the disk.
    fn reserve(&mut self, dir: &Path, len: usize) -> io::Result<MmapMut> {
        let offset = self.capacity() as u64;
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(dir)?),
        };
        // A hole would be filled when it is written, and a full disk would then kill the process.
        rustix::io::retry_on_intr(|| {
            fallocate(&*file, FallocateFlags::empty(), offset, len as u64)
        })?;
        let mut options = MmapOptions::new();
        options.offset(offset).len(len);
        // SAFETY: the file has no name, so no other process can truncate or write it, and this
        // range of it is mapped once.
        unsafe { options.map_mut(&*file) }
    }

    fn put(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (chunk, offset) = MESSAGES.place(self.len);
            let room = MESSAGES.len_of(chunk) - offset;
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.chunks[chunk][offset..offset + now.len()].copy_from_slice(now);
            self.len += now.len();
            bytes = later;
        }
    }

    /// The bytes from `position` to the end or the chunk's end, whichever is first.
    pub(crate) fn at(&self, position: usize) -> &[u8] {
        let (chunk, offset) = MESSAGES.place(position);
        let end = MESSAGES.len_of(chunk).min(offset + self.len - position);
        self.chunks.get(chunk).map_or(&[], |chunk| &chunk[offset..end])
    }

    /// Position of message `number`; `None` when it is neither there nor the next one.
    pub(crate) fn position(&self, number: u64) -> Option<usize> {
        if number == self.next {
            return Some(self.len);
        }
        let before = number.checked_sub(1)?;
        let entry = usize::try_from(before / STREAM_INDEX_STRIDE).ok()?;
        let mut position = self.index.get(entry).filter(|_| number < self.next)?;
        for _ in 0..before % STREAM_INDEX_STRIDE {
            let length = u16::from_be_bytes([self.byte(position), self.byte(position + 1)]);
            position += 2 + usize::from(length);
        }
        Some(position)
    }

    fn byte(&self, position: usize) -> u8 {
        let (chunk, offset) = MESSAGES.place(position);
        self.chunks[chunk][offset]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_found_by_its_number_across_chunks() {
        let dir = tempfile::tempdir().unwrap();
        let mut stream = Stream::new();
        let message = [7; 1_000];
        let mut expected = Vec::new();
        for number in 1..=5_000_u64 {
            let len = usize::try_from(number % 900).unwrap();
            stream.append(dir.path(), &[&number.to_be_bytes(), &message[..len]]).unwrap();
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
    fn chunks_follow_one_another_without_a_gap() {
        for geometry in [MESSAGES, ENTRIES] {
            for chunk in 0..40 {
                let (start, len) = (geometry.start_of(chunk), geometry.len_of(chunk));
                assert_eq!(geometry.place(start), (chunk, 0));
                assert_eq!(start + len, geometry.start_of(chunk + 1));
                assert_eq!(geometry.place(start + len - 1), (chunk, len - 1));
            }
        }
    }

    #[test]
    fn an_index_finds_every_entry_across_its_chunks() {
        let mut index = Index { chunks: Vec::new(), len: 0 };
        for number in 0..30_000 {
            index.push(number * 7).unwrap();
        }
        assert!(3 < index.chunks.len());
        for number in 0..30_000 {
            assert_eq!(index.get(number), Some(number * 7));
        }
        assert_eq!(index.get(30_000), None);
    }

    #[test]
    fn memory_stands_in_for_what_the_system_is_out_of_and_for_nothing_else() {
        let of = |errno: Errno| is_shortage(&errno.into());
        assert!(of(Errno::NOSPC) && of(Errno::MFILE) && of(Errno::OPNOTSUPP));
        assert!(!of(Errno::IO) && !of(Errno::ACCESS) && !of(Errno::ROFS));
        // Nowhere to put a file at all is the operator's fault and is said.
        let mut stream = Stream::new();
        assert!(stream.append(Path::new("/proc/nowhere"), &[b"message"]).is_err());
    }

    #[test]
    fn an_empty_stream_begins_at_one() {
        let stream = Stream::new();
        assert_eq!((stream.position(1), stream.position(2)), (Some(0), None));
        assert!(stream.at(0).is_empty());
    }
}
