//! Why a configuration is refused: where, what was expected, what was found.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use thiserror::Error;
use uncross_engine::instrument::InstrumentError;

/// Where a setting was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The default built into the program.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// The environment variable of this name.
    Environment(String),
    /// An explicit override, such as a flag.
    Override,
    /// A request of an operator.
    Request,
}

/// A setting, found somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it was read.
    pub source: Source,
    /// Line of the file, from 1.
    pub line: Option<u32>,
    /// Name as `section.key` or `instrument[index].key`.
    pub key: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Default => write!(f, "built-in default")?,
            Source::File(path) => write!(f, "{}", path.display())?,
            Source::Environment(name) => write!(f, "{name}")?,
            Source::Override => write!(f, "override")?,
            Source::Request => return write!(f, "{}", self.key),
        }
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.key)
    }
}

/// Why a configuration is refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The operating system failed the read of the file.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The text is no TOML.
    #[error("{place}: {message}")]
    Syntax {
        /// The first offending line; the key is the file's role.
        place: Place,
        /// What the TOML reader said.
        message: String,
    },
    /// There is no such setting or section.
    #[error("{place}: unknown setting")]
    Unknown {
        /// The setting as written.
        place: Place,
        /// The most similar one that exists.
        nearest: Option<String>,
    },
    /// The setting can only be given in a file.
    #[error("{place}: instruments can only be listed in a file")]
    FileOnly {
        /// The setting as written.
        place: Place,
    },
    /// The value has the wrong type.
    #[error("{place}: expected {expected}, found {found}")]
    WrongType {
        /// The setting.
        place: Place,
        /// The type and an example.
        expected: String,
        /// The type and, where it is short, the value.
        found: String,
    },
    /// The value has the right type, but no venue can have it.
    #[error("{place}: expected {expected}, found {found}")]
    Impossible {
        /// The setting.
        place: Place,
        /// What values are possible.
        expected: String,
        /// The value.
        found: String,
    },
    /// The value is planned, but this version cannot do it.
    #[error("{place}: \"{found}\" is not built into this version; these are: {}", exist.join(", "))]
    NotBuilt {
        /// The setting.
        place: Place,
        /// The value.
        found: String,
        /// What this version can do.
        exist: &'static [&'static str],
    },
    /// Two settings contradict each other.
    #[error("{place}: expected {expected}, found {found}")]
    Contradiction {
        /// One of them, preferably the one that was set.
        place: Place,
        /// The relation, naming the other setting.
        expected: String,
        /// Both values.
        found: String,
    },
    /// A setting without a default is missing.
    #[error("{place}: missing")]
    Missing {
        /// The setting.
        place: Place,
    },
    /// Two instruments have the same id or symbol.
    #[error("{place}: {value} is already the {field} of instrument[{first}]")]
    DuplicateInstrument {
        /// The later of the two.
        place: Place,
        /// What they share: `id` or `symbol`.
        field: &'static str,
        /// The shared value.
        value: String,
        /// Index of the earlier of the two.
        first: usize,
    },
    /// An instrument cannot be listed.
    #[error("{place}: {source}")]
    Instrument {
        /// The instrument.
        place: Place,
        /// What is wrong with it.
        source: InstrumentError,
    },
}

impl ConfigError {
    /// Where the fault is, unless the file could not be read at all.
    #[must_use]
    pub const fn place(&self) -> Option<&Place> {
        match self {
            Self::Read { .. } => None,
            Self::Syntax { place, .. }
            | Self::Unknown { place, .. }
            | Self::FileOnly { place }
            | Self::WrongType { place, .. }
            | Self::Impossible { place, .. }
            | Self::NotBuilt { place, .. }
            | Self::Contradiction { place, .. }
            | Self::Missing { place }
            | Self::DuplicateInstrument { place, .. }
            | Self::Instrument { place, .. } => Some(place),
        }
    }

    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }
}
