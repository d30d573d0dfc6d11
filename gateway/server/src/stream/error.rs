//! What can be wrong with the files of a stream.

use std::{
    io,
    path::{Path, PathBuf},
};

use uncross_journal::{Fault, Finding};

use super::HEADER_LEN;

/// Why the files of a stream are not what they must be. They can be made again from the journal.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// There is no such file.
    #[error("{} is missing", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The system refused something.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It does not begin as such a file does.
    #[error("{} at offset 0: {fault}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: Fault,
    },
    /// Another version of the program wrote it. Nothing is wrong with it.
    #[error("{} is of stream version {found}, this program reads {expected}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version this program reads.
        expected: u32,
        /// Its version.
        found: u32,
    },
    /// It is another stream's, another session's or another journal's.
    #[error("{} says of its {what} {found}, expected {expected}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// What it should say.
        expected: String,
        /// What it says.
        found: String,
    },
    /// It is not as long as such a file is.
    #[error(
        "{} has {found} bytes, expected at least {expected} and whole chunks", path.display()
    )]
    Len {
        /// The file.
        path: PathBuf,
        /// Fewest bytes that hold what was noted.
        expected: u64,
        /// Its bytes.
        found: u64,
    },
    /// Its messages are not those that were noted.
    #[error(
        "{}: the {len} bytes from offset {HEADER_LEN} have checksum {found:#010x}, expected \
         {expected:#010x}",
        path.display()
    )]
    Content {
        /// The file.
        path: PathBuf,
        /// Bytes of the messages that were noted.
        len: u64,
        /// Checksum noted.
        expected: u32,
        /// Checksum of what is there.
        found: u32,
    },
    /// What was noted contradicts itself: so many bytes are not so many messages.
    #[error("{} has {found} messages in {len} bytes, expected {expected}", path.display())]
    Messages {
        /// The file.
        path: PathBuf,
        /// Bytes noted.
        len: u64,
        /// Messages noted.
        expected: u64,
        /// Messages that begin in the bytes noted.
        found: u64,
    },
    /// The index leads elsewhere.
    #[error("{} at offset {offset}: position {found}, expected {expected}", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// Of the entry.
        offset: u64,
        /// Position of the message.
        expected: u64,
        /// What the entry says.
        found: u64,
    },
    /// A message is another one.
    #[error(
        "{} at offset {offset}: {found:#04x} in message {number}, expected {expected:#04x}",
        path.display()
    )]
    Message {
        /// The file.
        path: PathBuf,
        /// Of the first byte that differs.
        offset: u64,
        /// Number of the message.
        number: u64,
        /// The byte that must be there.
        expected: u8,
        /// The byte that is.
        found: u8,
    },
    /// There is no such stream.
    #[error("stream {entry} was noted, but there is none of that number")]
    Entry {
        /// Its number.
        entry: u16,
    },
}

impl StreamError {
    /// Where it is; `None` when no bytes of a file are wrong.
    #[must_use]
    pub fn finding(&self) -> Option<Finding> {
        let at = |path: &Path, offset: Option<u64>, expected: String, found: String| Finding {
            path: path.to_owned(),
            offset,
            expected: Some(expected),
            found: Some(found),
        };
        match self {
            Self::Missing { path } => {
                Some(at(path, None, "a file".to_owned(), "nothing".to_owned()))
            }
            Self::Io { .. } | Self::Entry { .. } => None,
            Self::Header { path, fault } => {
                let (expected, found) = fault.expected_and_found();
                Some(Finding { path: path.clone(), offset: Some(0), expected, found })
            }
            Self::Version { path, expected, found } => {
                let [expected, found] = [expected, found].map(|it| format!("version {it}"));
                Some(at(path, None, expected, found))
            }
            Self::Foreign { path, what, expected, found } => {
                let [expected, found] = [expected, found].map(|it| format!("{what} {it}"));
                Some(at(path, Some(0), expected, found))
            }
            Self::Len { path, expected, found } => {
                let (expected, found) = (format!("at least {expected} bytes"), found.to_string());
                Some(at(path, None, expected, found))
            }
            Self::Content { path, expected, found, .. } => {
                let [expected, found] = [expected, found].map(|it| format!("{it:#010x}"));
                Some(at(path, Some(HEADER_LEN), expected, found))
            }
            Self::Messages { path, expected, found, .. } => {
                let [expected, found] = [expected, found].map(|it| format!("{it} messages"));
                Some(at(path, Some(HEADER_LEN), expected, found))
            }
            Self::Index { path, offset, expected, found } => {
                Some(at(path, Some(*offset), expected.to_string(), found.to_string()))
            }
            Self::Message { path, offset, expected, found, .. } => {
                let [expected, found] = [expected, found].map(|it| format!("{it:#04x}"));
                Some(at(path, Some(*offset), expected, found))
            }
        }
    }
}
