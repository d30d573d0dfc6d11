//! The streams of the day, and who follows them: one for each port, one for the feed, and one for
//! each firm whose reports are copied.
//!
//! They live in files, a folder for each session. Those of a session end with it: what nobody can
//! ask for any more is not kept.

mod folder;
mod marks;

use std::{
    collections::VecDeque,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use uncross_engine::limits::{COPIED_FIRMS_MAX, PORTS_MAX};

pub(crate) use self::folder::{Synced, remove_but, stem};
pub use self::{
    folder::session_folder,
    marks::{Marks, StreamMark, Tally},
};
use crate::stream::Stream;
pub use crate::stream::StreamError;

/// Name of a session, as it is on the wire.
pub type SessionName = [u8; 10];

/// What a stream belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    /// Salt of the journal's first segment.
    pub(crate) salt: u64,
    pub(crate) name: SessionName,
}

/// A stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamId(usize);

/// A stream and how many connections follow it.
#[derive(Debug)]
struct Slot {
    stream: Stream,
    followers: u32,
}

/// All streams that are being written or read.
#[derive(Debug)]
pub struct Streams {
    dir: PathBuf,
    /// Folder of the session.
    folder: PathBuf,
    session: Session,
    slots: Vec<Slot>,
    /// Empty slots.
    free: Vec<usize>,
    /// By entry: its stream of the day.
    current: Vec<Option<StreamId>>,
    /// Entries of `current` that grew since they were last looked at, first grown first.
    grown: VecDeque<u16>,
    is_grown: Vec<bool>,
    /// Whether messages are only counted: see [`Streams::over`].
    is_over: bool,
    /// Messages since the journal began, and what others were told of that.
    messages: u64,
    written: Arc<AtomicU64>,
}

/// Entry that stands for the feed; those up to [`PORTS_MAX`] stand for the ports.
pub(crate) const FEED: u16 = 0;
/// Entries of all streams.
pub(crate) const ENTRIES: usize = PORTS_MAX as usize + 1 + COPIED_FIRMS_MAX;
const _: () = assert!(COPIED_FIRMS_MAX < (u16::MAX - PORTS_MAX) as usize);

/// Entry that stands for the drop copies of the firm in this place.
pub(crate) const fn copies(slot: u16) -> u16 {
    PORTS_MAX + 1 + slot
}

/// The place of the firm whose drop copies the entry stands for, if it is one of those.
pub(crate) const fn copies_slot(entry: u16) -> Option<u16> {
    entry.checked_sub(PORTS_MAX + 1)
}

/// Where the messages go that egress makes of events.
pub(crate) trait MessageSink {
    /// Takes the next message of an entry's stream, given in parts.
    ///
    /// # Errors
    ///
    /// It could not be kept.
    fn append(&mut self, entry: u16, parts: &[&[u8]]) -> io::Result<()>;

    /// Ends the streams of the session before; those of `session` begin.
    fn begin(&mut self, session: SessionName);
}

impl MessageSink for Streams {
    fn append(&mut self, entry: u16, parts: &[&[u8]]) -> io::Result<()> {
        if !self.is_over {
            let id = self.current(entry);
            self.slots[id.0].stream.append(parts)?;
            self.note_grown(entry);
        }
        self.messages += 1;
        Ok(())
    }

    /// Each stream is replaced when it is next wanted.
    fn begin(&mut self, session: SessionName) {
        for entry in 0..self.current.len() {
            if let Some(id) = self.current[entry].take() {
                self.slots[id.0].stream.end();
                self.drop_if_done(id);
                self.note_grown(u16::try_from(entry).unwrap_or(FEED));
            }
        }
        // It is not there before the first message, and a file of somebody else's keeps it.
        drop(fs::remove_dir(&self.folder));
        self.session.name = session;
        self.folder = session_folder(&self.dir, session);
        self.is_over = false;
    }
}

impl Streams {
    /// Streams in `dir` of a journal that is to be applied from its first record on. Files of an
    /// earlier run are replaced one by one; [`Streams::clear`] removes them all.
    #[must_use]
    pub fn new(dir: &Path, salt: u64) -> Self {
        let session = Session { salt, name: [b' '; 10] };
        Self {
            dir: dir.to_owned(),
            folder: session_folder(dir, session.name),
            session,
            slots: Vec::new(),
            free: Vec::new(),
            current: vec![None; ENTRIES],
            grown: VecDeque::with_capacity(ENTRIES),
            is_grown: vec![false; ENTRIES],
            is_over: false,
            messages: 0,
            written: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Streams in `dir` that go on from `marks`, which were those of the same journal at some
    /// record: what the files hold behind them counts as not there, since the records behind that
    /// one say it again. Reads all that is in front of them.
    ///
    /// # Errors
    ///
    /// A file is not what was noted. Then no file was changed.
    pub fn resume(dir: &Path, salt: u64, marks: &Marks) -> Result<Self, StreamError> {
        let mut streams = Self::at(dir, salt, marks)?;
        for mark in &marks.streams {
            let path = streams.folder.join(stem(mark.entry));
            let stream = Stream::resume(streams.session, &path, mark)?;
            streams.current[usize::from(mark.entry)] = Some(StreamId(streams.slots.len()));
            streams.slots.push(Slot { stream, followers: 0 });
        }
        let is_kept = |entry| streams.current[usize::from(entry)].is_some();
        // A stream that begins behind the marks replaces what stays here of it.
        drop(remove_but(dir, Some(&streams.folder), is_kept));
        Ok(streams)
    }

    /// Streams in `dir` at `marks`, of a session that ends before anybody can ask for what it has
    /// said: until the next one begins, messages are counted and kept nowhere. What earlier runs
    /// left is removed; the records behind the marks say again all of it that is of use.
    ///
    /// # Errors
    ///
    /// The marks name a stream that there is not.
    pub fn over(dir: &Path, salt: u64, marks: &Marks) -> Result<Self, StreamError> {
        let streams = Self { is_over: true, ..Self::at(dir, salt, marks)? };
        // A stream that begins behind the marks replaces what stays here of it.
        drop(Self::clear(dir));
        Ok(streams)
    }

    /// Those of the session that `marks` name, none of which is there yet.
    fn at(dir: &Path, salt: u64, marks: &Marks) -> Result<Self, StreamError> {
        let mut entries = marks.streams.iter().map(|mark| mark.entry);
        if let Some(entry) = entries.find(|&entry| ENTRIES <= usize::from(entry)) {
            return Err(StreamError::Entry { entry });
        }
        let mut streams = Self::new(dir, salt);
        streams.session.name = marks.session;
        streams.folder = session_folder(dir, marks.session);
        streams.messages = marks.messages;
        streams.note_written();
        Ok(streams)
    }

    /// Whether they are still those of a session whose messages are kept nowhere.
    pub(crate) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Removes the streams of earlier runs in `dir`.
    ///
    /// # Errors
    ///
    /// A file cannot be removed.
    pub fn clear(dir: &Path) -> io::Result<()> {
        remove_but(dir, None, |_| false)
    }

    /// How far the streams have come. Reads all of them.
    #[must_use]
    pub fn marks(&self) -> Marks {
        let streams = self.current.iter().flatten().map(|&id| self.stream(id));
        let begun = streams.filter(|stream| 1 < stream.next());
        let session = self.session.name;
        Marks { session, messages: self.messages, streams: begun.map(Stream::mark).collect() }
    }

    /// Names the journal that the streams follow from, before the first message of one that is
    /// new.
    pub(crate) const fn set_salt(&mut self, salt: u64) {
        self.session.salt = salt;
    }

    /// Messages since the journal began that are in the files or in what stands in for them: those
    /// up to a record, as a [`Tally`] counts them, are there when this is not below its count.
    #[must_use]
    pub fn written(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.written)
    }

    /// Tells others what was written until now.
    pub(crate) fn note_written(&self) {
        // Release: pairs with the Acquire of those who look, for whom the bytes are there then.
        self.written.store(self.messages, Ordering::Release);
    }

    /// Name of the day's session.
    pub(crate) const fn session(&self) -> SessionName {
        self.session.name
    }

    /// The stream of an entry.
    pub(crate) fn current(&mut self, entry: u16) -> StreamId {
        if let Some(id) = self.current[usize::from(entry)] {
            return id;
        }
        let stream = Stream::new(self.session, entry, &self.folder.join(stem(entry)));
        let slot = Slot { stream, followers: 0 };
        let id = if let Some(id) = self.free.pop() {
            self.slots[id] = slot;
            StreamId(id)
        } else {
            self.slots.push(slot);
            StreamId(self.slots.len() - 1)
        };
        self.current[usize::from(entry)] = Some(id);
        id
    }

    pub(crate) fn stream(&self, id: StreamId) -> &Stream {
        &self.slots[id.0].stream
    }

    /// A connection follows the stream: it is kept until the connection no longer does.
    pub(crate) fn follow(&mut self, id: StreamId) {
        self.slots[id.0].followers += 1;
    }

    /// A connection follows the stream no more.
    pub(crate) fn unfollow(&mut self, id: StreamId) {
        self.slots[id.0].followers -= 1;
        self.drop_if_done(id);
    }

    /// Drops a stream that has ended and that nobody reads.
    fn drop_if_done(&mut self, id: StreamId) {
        let slot = &mut self.slots[id.0];
        if slot.stream.is_ended() && slot.followers == 0 {
            slot.stream = Stream::gone();
            self.free.push(id.0);
        }
    }

    /// An entry whose stream grew or ended, each once.
    pub(crate) fn take_grown(&mut self) -> Option<u16> {
        let entry = self.grown.pop_front()?;
        self.is_grown[usize::from(entry)] = false;
        Some(entry)
    }

    fn note_grown(&mut self, entry: u16) {
        if !self.is_grown[usize::from(entry)] {
            self.is_grown[usize::from(entry)] = true;
            self.grown.push_back(entry);
        }
    }
}

#[cfg(test)]
mod tests;
