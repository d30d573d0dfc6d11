//! The streams of the day, and who follows them: one for each port, one for the feed, and one for
//! each firm whose reports are copied.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
};

use uncross_engine::limits::{COPIED_FIRMS_MAX, PORTS_MAX};

use crate::stream::Stream;

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
pub(crate) struct Streams {
    dir: PathBuf,
    slots: Vec<Slot>,
    /// Empty slots.
    free: Vec<usize>,
    /// By entry: its stream of the day.
    current: Vec<Option<StreamId>>,
    /// Entries of `current` that grew since they were last looked at, first grown first.
    grown: VecDeque<u16>,
    is_grown: Vec<bool>,
    session: [u8; 10],
}

/// Entry that stands for the feed; those up to [`PORTS_MAX`] stand for the ports.
pub(crate) const FEED: u16 = 0;
/// Entries of all streams.
const ENTRIES: usize = PORTS_MAX as usize + 1 + COPIED_FIRMS_MAX;
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
    fn begin(&mut self, session: [u8; 10]);
}

impl MessageSink for Streams {
    fn append(&mut self, entry: u16, parts: &[&[u8]]) -> io::Result<()> {
        let id = self.current(entry);
        self.slots[id.0].stream.append(&self.dir, parts)?;
        self.note_grown(entry);
        Ok(())
    }

    /// Each stream is replaced when it is next wanted.
    fn begin(&mut self, session: [u8; 10]) {
        self.session = session;
        for entry in 0..self.current.len() {
            if let Some(id) = self.current[entry].take() {
                self.slots[id.0].stream.end();
                self.drop_if_done(id);
                self.note_grown(u16::try_from(entry).unwrap_or(FEED));
            }
        }
    }
}

impl Streams {
    pub(crate) fn new(dir: &Path) -> Self {
        let entries = ENTRIES;
        Self {
            dir: dir.to_owned(),
            slots: Vec::new(),
            free: Vec::new(),
            current: vec![None; entries],
            grown: VecDeque::with_capacity(entries),
            is_grown: vec![false; entries],
            session: [b' '; 10],
        }
    }

    /// Name of the day's session.
    pub(crate) const fn session(&self) -> [u8; 10] {
        self.session
    }

    /// The stream of an entry.
    pub(crate) fn current(&mut self, entry: u16) -> StreamId {
        if let Some(id) = self.current[usize::from(entry)] {
            return id;
        }
        let slot = Slot { stream: Stream::new(), followers: 0 };
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
            slot.stream = Stream::new();
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
