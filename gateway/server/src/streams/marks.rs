//! How far the streams of a session have come, and a sink that knows it without writing them.

use std::io;

use uncross_journal::crc32c;
use uncross_wire::soup;

use super::{ENTRIES, MessageSink, SessionName};

/// How far a stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamMark {
    /// Which one it is: 0 the feed, then the ports, then the drop copies.
    pub entry: u16,
    /// Number that its next message gets; messages are numbered from 1.
    pub next: u64,
    /// Bytes of its messages, framed as they are sent.
    pub len: u64,
    /// CRC32C of all of them. It can be continued, so that nobody needs the bytes to go on.
    pub crc: u32,
}

/// How far all streams of a session have come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    /// Name of the session; blanks before the first one.
    pub session: SessionName,
    /// Messages of all streams and sessions since the journal began.
    pub messages: u64,
    /// The streams that have a message, by rising entry.
    pub streams: Vec<StreamMark>,
}

impl Marks {
    /// Before the first message of a journal.
    #[must_use]
    pub const fn none() -> Self {
        Self { session: [b' '; 10], messages: 0, streams: Vec::new() }
    }
}

/// Counts what is said and keeps none of it: the marks of who writes the same messages into
/// streams.
#[derive(Clone, Debug)]
pub struct Tally {
    session: SessionName,
    messages: u64,
    /// By entry.
    marks: Vec<StreamMark>,
}

impl Tally {
    /// Goes on from `marks`; from [`Marks::none`] at the beginning of a journal.
    ///
    /// # Panics
    ///
    /// When they name a stream that there is not: they must be those of a tally or of streams.
    #[must_use]
    pub fn resume(marks: &Marks) -> Self {
        let Marks { session, messages, ref streams } = *marks;
        let mut tally = Self { session, messages, marks: empty() };
        for mark in streams {
            tally.marks[usize::from(mark.entry)] = *mark;
        }
        tally
    }

    /// How far the streams have come.
    #[must_use]
    pub fn marks(&self) -> Marks {
        let begun = self.marks.iter().filter(|mark| 1 < mark.next);
        let Self { session, messages, .. } = *self;
        Marks { session, messages, streams: begun.copied().collect() }
    }
}

fn empty() -> Vec<StreamMark> {
    let entries = (0..).take(ENTRIES);
    entries.map(|entry| StreamMark { entry, next: 1, len: 0, crc: 0 }).collect()
}

impl MessageSink for Tally {
    fn append(&mut self, entry: u16, parts: &[&[u8]]) -> io::Result<()> {
        let mark = &mut self.marks[usize::from(entry)];
        let payload_len: usize = parts.iter().map(|part| part.len()).sum();
        let header = soup::header(soup::SEQUENCED_DATA, payload_len);
        mark.crc = parts.iter().fold(crc32c(mark.crc, &header), |crc, part| crc32c(crc, part));
        mark.len += (header.len() + payload_len) as u64;
        mark.next += 1;
        self.messages += 1;
        Ok(())
    }

    fn begin(&mut self, session: SessionName) {
        self.session = session;
        self.marks = empty();
    }
}
