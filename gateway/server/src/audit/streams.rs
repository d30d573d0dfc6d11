//! Whether the files of the streams hold what the journal leads to, byte for byte.

use std::{
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use uncross_engine::{Progress, limits::STEP_EVENTS_MAX};
use uncross_journal::{Reader, ReplayError, format::StreamHeader};
use uncross_wire::soup;

use crate::{
    egress::Egress,
    limits::{STREAM_INDEX_STRIDE, STREAM_WINDOW_LEN},
    replay::check_behaviour,
    replica::{ApplyError, Replica},
    stream::{ENTRY_LEN, HEADER_LEN, INDEX_EXTENSION, MESSAGES_EXTENSION, check_header},
    streams::{ENTRIES, MessageSink, SessionName, StreamError, session_folder, stem},
};

/// What a check found.
#[derive(Debug, Default)]
pub struct StreamsReport {
    /// Name of the session that the journal ends in; blanks for none.
    pub session: SessionName,
    /// Sequence number of the journal's last record.
    pub last_seq: u64,
    /// Streams of the session.
    pub streams: Vec<StreamReport>,
}

/// One stream.
#[derive(Debug)]
pub struct StreamReport {
    /// Name of its files without their endings.
    pub name: String,
    /// Messages that the journal leads to.
    pub messages: u64,
    /// Of these, how many the file holds from the first one on. The others were not written: the
    /// venue ended before, or is about to, or the disk had no room.
    pub held: u64,
    /// What is otherwise than it must be.
    pub fault: Option<StreamError>,
}

/// Compares the stream files in `streams` with what the journal in `dir` leads to. Changes nothing
/// and may run beside a venue.
///
/// # Errors
///
/// The journal is damaged, or its records do not lead to the output that was recorded. What is
/// wrong with streams is part of the report.
pub fn check_streams(dir: &Path, streams: &Path) -> Result<StreamsReport, ReplayError<ApplyError>> {
    check_streams_by(&Reader::open_whole(dir)?, streams)
}

/// The same with the journal that `reader` reads, which tells how far it is.
///
/// # Errors
///
/// As [`check_streams`].
pub fn check_streams_by(
    reader: &Reader,
    streams: &Path,
) -> Result<StreamsReport, ReplayError<ApplyError>> {
    check_behaviour::<ApplyError>(reader)?;
    let mut egress = Egress::over(Comparing::new(streams, reader.salt()));
    let mut events = Vec::with_capacity(STEP_EVENTS_MAX);
    let mut replica: Option<Replica> = None;
    let end = reader.for_each(|record| {
        let Some(replica) = &mut replica else {
            replica = Some(Replica::found(&record)?);
            return Ok(());
        };
        let mut progress = replica.apply(&record, &mut events)?;
        loop {
            for event in events.drain(..) {
                egress.write(&event).map_err(|error| ApplyError::Stream(error.to_string()))?;
            }
            match progress {
                Progress::Done => return Ok::<_, ApplyError>(()),
                Progress::More => progress = replica.resume(&mut events),
            }
        }
    })?;
    Ok(egress.streams.report(end.last_seq))
}

/// Compares messages with files instead of writing them.
#[derive(Debug)]
struct Comparing {
    dir: PathBuf,
    salt: u64,
    session: SessionName,
    /// By entry.
    streams: Vec<Option<Compared>>,
}

/// How far the file of a stream was compared.
#[derive(Debug)]
struct Compared {
    /// `None`: there is none.
    files: Option<Files>,
    messages: u64,
    held: u64,
    fault: Option<StreamError>,
}

/// The files of a stream.
#[derive(Debug)]
struct Files {
    path: PathBuf,
    file: File,
    index_path: PathBuf,
    /// `None`: there is none.
    index: Option<File>,
    window: Vec<u8>,
    /// Position of the window's first byte among the messages.
    start: u64,
    /// Position of the next message.
    position: u64,
}

/// What comparing one message comes to.
enum Verdict {
    Same,
    /// Nothing was written where it must be.
    Unwritten,
    Different(StreamError),
}

impl Comparing {
    fn new(dir: &Path, salt: u64) -> Self {
        let session = [b' '; 10];
        Self { dir: dir.to_owned(), salt, session, streams: none() }
    }

    fn report(self, last_seq: u64) -> StreamsReport {
        let begun = self.streams.into_iter().zip(0..);
        let begun = begun.filter_map(|(compared, entry)| Some((compared?, entry)));
        let reports = begun.map(|(compared, entry)| {
            let Compared { messages, held, fault, .. } = compared;
            StreamReport { name: stem(entry), messages, held, fault }
        });
        StreamsReport { session: self.session, last_seq, streams: reports.collect() }
    }
}

fn none() -> Vec<Option<Compared>> {
    (0..ENTRIES).map(|_| None).collect()
}

impl MessageSink for Comparing {
    fn append(&mut self, entry: u16, parts: &[&[u8]]) -> io::Result<()> {
        let Self { dir, salt, session, streams } = self;
        let compared = streams[usize::from(entry)].get_or_insert_with(|| {
            let header = StreamHeader::new(*salt, *session, entry);
            match Files::open(&session_folder(dir, *session).join(stem(entry)), &header) {
                Ok(files) => Compared { files, messages: 0, held: 0, fault: None },
                Err(fault) => Compared { files: None, messages: 0, held: 0, fault: Some(fault) },
            }
        });
        compared.messages += 1;
        // Behind the first one that is not there or different none is looked for.
        let is_whole = compared.held + 1 == compared.messages;
        let Some(files) = compared.files.as_mut().filter(|_| is_whole) else { return Ok(()) };
        match files.compare(compared.messages, parts) {
            Ok(Verdict::Same) => compared.held += 1,
            Ok(Verdict::Unwritten) => {}
            Ok(Verdict::Different(fault)) | Err(fault) => compared.fault = Some(fault),
        }
        Ok(())
    }

    fn begin(&mut self, session: SessionName) {
        self.session = session;
        self.streams = none();
    }
}

impl Files {
    /// Opens the files `stem`; `None` when they are not there.
    fn open(stem: &Path, header: &StreamHeader) -> Result<Option<Self>, StreamError> {
        let path = stem.with_extension(MESSAGES_EXTENSION);
        let index_path = stem.with_extension(INDEX_EXTENSION);
        let open = |path: &Path| match File::open(path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StreamError::Io { path: path.to_owned(), error }),
        };
        let Some(file) = open(&path)? else { return Ok(None) };
        let len = file.metadata().map(|it| it.len());
        if len.map_err(|error| StreamError::Io { path: path.clone(), error })? == 0 {
            // A running venue has just made it, and is about to write its header.
            return Ok(None);
        }
        check_header(&path, &file, header)?;
        let index = open(&index_path)?;
        Ok(Some(Self { path, file, index_path, index, window: Vec::new(), start: 0, position: 0 }))
    }

    /// Compares the next message, which has this number, with what is there.
    fn compare(&mut self, number: u64, parts: &[&[u8]]) -> Result<Verdict, StreamError> {
        let payload_len = parts.iter().map(|part| part.len()).sum();
        let header = soup::header(soup::SEQUENCED_DATA, payload_len);
        let len = header.len() + payload_len;
        let expected = || header.iter().chain(parts.iter().copied().flatten()).copied();
        let mut found = self.bytes(len)?;
        if !found.iter().copied().eq(expected()) {
            // What was read ahead may be older than what a running venue has written since.
            self.window.clear();
            found = self.bytes(len)?;
        }
        if !found.iter().copied().eq(expected()) {
            let is_unwritten = found.len() < len || found[..2] == [0, 0];
            if is_unwritten {
                return Ok(Verdict::Unwritten);
            }
            let mut pairs = (0..).zip(expected()).zip(found.iter().copied());
            if let Some(((at, expected), found)) = pairs.find(|((_, it), found)| it != found) {
                let (path, offset) = (self.path.clone(), HEADER_LEN + self.position + at);
                let fault = StreamError::Message { path, offset, number, expected, found };
                return Ok(Verdict::Different(fault));
            }
        }
        let verdict = self.compare_entry(number)?;
        if matches!(verdict, Verdict::Same) {
            self.position += len as u64;
        }
        Ok(verdict)
    }

    /// The next `len` bytes, or those that there are.
    fn bytes(&mut self, len: usize) -> Result<&[u8], StreamError> {
        let within = usize::try_from(self.position - self.start).unwrap_or(usize::MAX);
        let is_held = within.checked_add(len).is_some_and(|end| end <= self.window.len());
        if !is_held {
            self.start = self.position;
            self.window.resize(STREAM_WINDOW_LEN.max(len), 0);
            let read = read_some(&self.file, &mut self.window, HEADER_LEN + self.position);
            let read = read.map_err(|error| StreamError::Io { path: self.path.clone(), error })?;
            self.window.truncate(read);
        }
        let within = usize::try_from(self.position - self.start).unwrap_or(usize::MAX);
        let end = (within + len).min(self.window.len());
        Ok(&self.window[within..end])
    }

    /// Compares the entry of the index that leads to the next message, if there is one for it.
    fn compare_entry(&self, number: u64) -> Result<Verdict, StreamError> {
        if !(number - 1).is_multiple_of(STREAM_INDEX_STRIDE) {
            return Ok(Verdict::Same);
        }
        let Some(index) = &self.index else { return Ok(Verdict::Unwritten) };
        let offset = (number - 1) / STREAM_INDEX_STRIDE * ENTRY_LEN as u64;
        let path = || self.index_path.clone();
        let mut bytes = [0; ENTRY_LEN];
        let read = read_some(index, &mut bytes, offset);
        let read = read.map_err(|error| StreamError::Io { path: path(), error })?;
        let (expected, found) = (self.position, u64::from_le_bytes(bytes));
        if read == ENTRY_LEN && found == expected {
            Ok(Verdict::Same)
        } else if read < ENTRY_LEN || found == 0 {
            Ok(Verdict::Unwritten)
        } else {
            Ok(Verdict::Different(StreamError::Index { path: path(), offset, expected, found }))
        }
    }
}

/// Fills `bytes` from `offset` on as far as the file goes.
fn read_some(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], offset + read as u64) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}
