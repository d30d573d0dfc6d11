//! Memory that grows chunk by chunk, each of them a piece of a file where there is room for it.
//!
//! A chunk is made with one `open`, one `fallocate` and one `mmap`, some tens of microseconds; what
//! is written into it costs no system call. Nothing is ever synced here: what is in the files can
//! be made again.
#![expect(unsafe_code, reason = "chunks of a file are memory-mapped")]

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use memmap2::{MmapMut, MmapOptions};
use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};

use crate::limits::{
    STREAM_CHUNK_LEN, STREAM_CHUNKS_RESERVED, STREAM_INDEX_CHUNK_LEN, STREAM_INDEX_CHUNKS_RESERVED,
    STREAM_INDEX_LARGE_CHUNK_LEN, STREAM_LARGE_CHUNK_LEN, STREAM_SMALL_CHUNKS,
};

/// Lengths of successive chunks: some small ones, then large ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    small_len: usize,
    large_len: usize,
    /// Chunks for which there is room in the list from the first one on.
    reserved: usize,
}

/// Of the messages.
pub(super) const MESSAGES: Geometry = Geometry {
    small_len: STREAM_CHUNK_LEN,
    large_len: STREAM_LARGE_CHUNK_LEN,
    reserved: STREAM_CHUNKS_RESERVED,
};
/// Of the index.
pub(super) const ENTRIES: Geometry = Geometry {
    small_len: STREAM_INDEX_CHUNK_LEN,
    large_len: STREAM_INDEX_LARGE_CHUNK_LEN,
    reserved: STREAM_INDEX_CHUNKS_RESERVED,
};

impl Geometry {
    /// Bytes of a chunk.
    pub(super) const fn len_of(self, chunk: usize) -> usize {
        if chunk < STREAM_SMALL_CHUNKS { self.small_len } else { self.large_len }
    }

    /// Position at which a chunk starts.
    pub(super) const fn start_of(self, chunk: usize) -> usize {
        if chunk < STREAM_SMALL_CHUNKS {
            chunk * self.small_len
        } else {
            STREAM_SMALL_CHUNKS * self.small_len + (chunk - STREAM_SMALL_CHUNKS) * self.large_len
        }
    }

    /// Chunk and offset of a position.
    pub(super) const fn place(self, position: usize) -> (usize, usize) {
        let small_len = STREAM_SMALL_CHUNKS * self.small_len;
        if position < small_len {
            return (position / self.small_len, position % self.small_len);
        }
        let beyond = position - small_len;
        (STREAM_SMALL_CHUNKS + beyond / self.large_len, beyond % self.large_len)
    }
}

/// The chunks of one file.
#[derive(Debug)]
pub(super) struct Chunks {
    geometry: Geometry,
    path: PathBuf,
    /// Length of the file, as it was left here; `None` when there is none.
    file_len: Option<u64>,
    maps: Vec<MmapMut>,
}

impl Chunks {
    /// None yet; the file at `path` is made with the first one.
    pub(super) const fn new(geometry: Geometry, path: PathBuf) -> Self {
        Self { geometry, path, file_len: None, maps: Vec::new() }
    }

    /// Those of an open file with whole chunks behind `header_len` bytes, of which `used` are in
    /// use: what follows them may be written without asking for room again.
    ///
    /// # Errors
    ///
    /// The system refused.
    pub(super) fn of_file(
        geometry: Geometry,
        path: PathBuf,
        file: &File,
        (header_len, count, used): (u64, usize, usize),
    ) -> io::Result<Self> {
        let mut chunks = Self::new(geometry, path);
        chunks.maps.reserve(geometry.reserved.max(count));
        let end = geometry.start_of(count);
        if used < end {
            // A file that was copied may have holes.
            reserve(file, header_len + used as u64, (end - used) as u64)?;
        }
        for chunk in 0..count {
            let offset = header_len + geometry.start_of(chunk) as u64;
            chunks.maps.push(map(file, offset, geometry.len_of(chunk))?);
        }
        chunks.file_len = Some(header_len + end as u64);
        Ok(chunks)
    }

    /// Bytes that there is room for.
    pub(super) const fn capacity(&self) -> usize {
        self.geometry.start_of(self.maps.len())
    }

    /// Makes another chunk; a file that is made for the first one begins with `header`, which has
    /// the same length each time.
    ///
    /// # Errors
    ///
    /// The file cannot be made or grow, for another reason than a shortage.
    pub(super) fn grow(&mut self, header: &[u8]) -> io::Result<()> {
        if self.maps.is_empty() {
            self.maps.reserve(self.geometry.reserved);
        }
        let len = self.geometry.len_of(self.maps.len());
        let chunk = match self.extend(header, len) {
            Ok(Some(chunk)) => chunk,
            // Somebody took the file away or changed it: what follows is kept all the same.
            Ok(None) => MmapMut::map_anon(len)?,
            // A full disk: orders are about to be refused, and what is said until then fits into
            // memory. The same where the file system cannot reserve, or there is no file to be had.
            Err(error) if is_shortage(&error) => MmapMut::map_anon(len)?,
            Err(error) => {
                let said = format!("{}: {error}", self.path.display());
                return Err(io::Error::new(error.kind(), said));
            }
        };
        self.maps.push(chunk);
        Ok(())
    }

    /// The next chunk of the file, all of it on the disk; `None` when the file is not as it was
    /// left.
    fn extend(&mut self, header: &[u8], len: usize) -> io::Result<Option<MmapMut>> {
        let file = if let Some(file_len) = self.file_len {
            match open(&self.path) {
                Ok(file) if file.metadata()?.len() == file_len => file,
                Ok(_) => return Ok(None),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
        } else {
            let file = create(&self.path)?;
            if let Err(error) = file.write_all_at(header, 0) {
                // Without its header it is no file of a stream.
                drop(fs::remove_file(&self.path));
                return Err(error);
            }
            self.file_len = Some(header.len() as u64);
            file
        };
        let offset = (header.len() + self.capacity()) as u64;
        // A hole would be filled when it is written, and a full disk would then kill the process.
        reserve(&file, offset, len as u64)?;
        self.file_len = Some(offset + len as u64);
        map(&file, offset, len).map(Some)
    }

    /// Takes the file's name away; what is mapped stays until this is dropped.
    pub(super) fn remove(&mut self) {
        if self.file_len.take().is_some() {
            // What is left behind is removed by the next start.
            drop(fs::remove_file(&self.path));
        }
    }

    /// Writes at `position`, for which there is room.
    #[inline]
    pub(super) fn put(&mut self, mut position: usize, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (chunk, offset) = self.geometry.place(position);
            let room = self.geometry.len_of(chunk) - offset;
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.maps[chunk][offset..offset + now.len()].copy_from_slice(now);
            position += now.len();
            bytes = later;
        }
    }

    /// The bytes from `position` to `end` or the end of its chunk, whichever is first.
    #[inline]
    pub(super) fn at(&self, position: usize, end: usize) -> &[u8] {
        let (chunk, offset) = self.geometry.place(position);
        let end = self.geometry.len_of(chunk).min(offset + end - position);
        self.maps.get(chunk).map_or(&[], |chunk| &chunk[offset..end])
    }
}

/// Opens a file that is there.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Makes a file that only its owner may read, and the folder it is in; one of an earlier life that
/// is in its place loses its name.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    match options.open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            fs::create_dir_all(path.parent().unwrap_or(path))?;
            options.open(path)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            options.open(path)
        }
        opened => opened,
    }
}

/// Has `len` bytes from `offset` on be on the disk.
fn reserve(file: &File, offset: u64, len: u64) -> io::Result<()> {
    let reserved =
        rustix::io::retry_on_intr(|| fallocate(file, FallocateFlags::empty(), offset, len));
    reserved.map_err(io::Error::from)
}

fn map(file: &File, offset: u64, len: usize) -> io::Result<MmapMut> {
    let mut options = MmapOptions::new();
    options.offset(offset).len(len);
    // SAFETY: the range lies within the file and is mapped here once. Only the owner may open the
    // file, which is in a folder of the venue's own, and the lock of the journal keeps other
    // venues away from that: no other process writes it. The tools that read it never shorten it.
    unsafe { options.map_mut(file) }
}

/// Whether the system is out of something that memory can stand in for.
fn is_shortage(error: &io::Error) -> bool {
    const SHORTAGES: [Errno; 5] =
        [Errno::NOSPC, Errno::DQUOT, Errno::MFILE, Errno::NFILE, Errno::OPNOTSUPP];
    SHORTAGES.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn memory_stands_in_for_what_the_system_is_out_of_and_for_nothing_else() {
        let of = |errno: Errno| is_shortage(&errno.into());
        assert!(of(Errno::NOSPC) && of(Errno::MFILE) && of(Errno::OPNOTSUPP));
        assert!(!of(Errno::IO) && !of(Errno::ACCESS) && !of(Errno::ROFS));
        // Nowhere to put a file at all is the operator's fault and is said.
        let mut chunks = Chunks::new(MESSAGES, PathBuf::from("/proc/nowhere/feed.stream"));
        let error = chunks.grow(b"header").unwrap_err();
        assert!(error.to_string().starts_with("/proc/nowhere/feed.stream: "), "{error}");
    }

    #[test]
    fn what_is_written_is_in_the_file_behind_its_header() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("session/feed.index");
        let mut chunks = Chunks::new(ENTRIES, path.clone());
        chunks.grow(b"HEAD").unwrap();
        chunks.grow(b"HEAD").unwrap();
        let border = ENTRIES.len_of(0) - 3;
        chunks.put(border, b"straddles");
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 4 + chunks.capacity());
        assert_eq!((&bytes[..4], &bytes[4 + border..][..9]), (&b"HEAD"[..], &b"straddles"[..]));
        chunks.remove();
        assert!(!path.exists());
        assert_eq!(chunks.at(border, border + 9), b"str", "what is mapped stays");
    }

    #[test]
    fn memory_stands_in_for_a_file_that_somebody_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("feed.index");
        let changes: [fn(&Path); 2] = [
            |path| fs::remove_file(path).unwrap(),
            |path| OpenOptions::new().append(true).open(path).unwrap().set_len(1 << 20).unwrap(),
        ];
        for change in changes {
            let mut chunks = Chunks::new(ENTRIES, path.clone());
            chunks.grow(&[]).unwrap();
            chunks.put(0, b"before");
            change(&path);
            let len = fs::metadata(&path).ok().map(|it| it.len());
            chunks.grow(&[]).unwrap();
            chunks.put(ENTRIES.len_of(0), b"behind");
            assert_eq!(chunks.at(0, 6), b"before");
            assert_eq!(chunks.at(ENTRIES.len_of(0), ENTRIES.len_of(0) + 6), b"behind");
            assert_eq!(fs::metadata(&path).ok().map(|it| it.len()), len, "it is left alone");
        }
    }
}
