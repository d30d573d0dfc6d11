//! Who may look at a venue and act on it: names, roles, and the hashes of their tokens.
//!
//! The list is `operators.toml` in the folder of the venue, written by `uncross operator` and
//! readable only by its owner. A token is random, so a fast hash of it is as good as a slow one.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use toml::de::DeTable;
use uncross_server::private::{self, Lock};

use crate::limits::{NAME_LEN_MAX, OPERATORS_MAX, TOKEN_LEN};

/// What begins a token, so that people and scanners know one when they see it.
const TOKEN_PREFIX: &str = "uxa_";
const HASH_LEN: usize = 32;

const HEADER: &str = "\
# Who may look at this venue (viewer) and act on it (operator), written by `uncross operator`.
# Of tokens only BLAKE3 hashes are kept. A running venue follows this file.

";

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May read.
    Viewer,
    /// May read and act.
    Operator,
}

impl Role {
    /// The role in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }
}

/// One who has a token.
#[derive(Clone)]
pub struct Operator {
    name: String,
    role: Role,
    hash: [u8; HASH_LEN],
}

impl Operator {
    /// The name that stands in the journal beside each act: 1 to 16 letters, digits, `-`, `_`, `.`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What they may do.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }
}

/// Without the hash: what is never printed cannot leak.
impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, role, hash: _ } = self;
        f.debug_struct("Operator").field("name", name).field("role", role).finish_non_exhaustive()
    }
}

/// A new token. It is shown once; only its hash is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    fn random() -> io::Result<Self> {
        let bytes = private::random::<TOKEN_LEN>()?;
        Ok(Self(format!("{TOKEN_PREFIX}{}", hex(&bytes))))
    }

    /// The token as it is sent.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Why operators could not be read, changed or written. Holds no token and no hash.
#[derive(Debug, thiserror::Error)]
pub enum OperatorsError {
    /// The operating system failed the read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system failed the write; the old file stands.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The text is no list of operators.
    #[error("{}:{line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line of the fault, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// An entry of the file breaks a rule.
    #[error("{}: operator {name:?}: {rule}", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// The name in the entry.
        name: String,
        /// The rule.
        rule: &'static str,
    },
    /// The name is malformed.
    #[error(
        "a name has 1 to {NAME_LEN_MAX} ASCII letters, digits, '-', '_' and '.', found {found:?}"
    )]
    Name {
        /// The name as given.
        found: String,
    },
    /// The name is taken.
    #[error("operator {name} exists")]
    Exists {
        /// The name.
        name: String,
    },
    /// Nobody has the name.
    #[error("there is no operator {name}")]
    Unknown {
        /// The name as given.
        name: String,
    },
    /// There is no room for another one.
    #[error("a venue has at most {OPERATORS_MAX} operators")]
    Full,
    /// The operating system gave no random bytes.
    #[error("no random bytes: {source}")]
    Random {
        /// What the operating system said.
        source: io::Error,
    },
}

/// All who have a token of a venue. Invariant: names are well-formed and unique.
#[derive(Clone, Debug)]
pub struct Operators {
    path: PathBuf,
    list: Vec<Operator>,
}

impl Operators {
    /// Nobody yet; [`Operators::save`] writes to `path`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), list: Vec::new() }
    }

    /// Reads the file at `path`. Where none is, nobody has a token.
    ///
    /// # Errors
    ///
    /// The file cannot be read or is damaged.
    pub fn load(path: &Path) -> Result<Self, OperatorsError> {
        let mut operators = Self::new(path);
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(operators),
            Err(source) => return Err(OperatorsError::Read { path: path.to_owned(), source }),
        };
        for entry in parse(path, &text)?.operator {
            operators.admit(entry)?;
        }
        Ok(operators)
    }

    /// Waits until nobody else edits the file at `path`. Taken before [`Operators::load`] by
    /// whoever will save.
    ///
    /// # Errors
    ///
    /// The folder cannot be opened or locked.
    pub fn lock(path: &Path) -> Result<Lock, OperatorsError> {
        private::lock(path)
            .map_err(|source| OperatorsError::Write { path: path.to_owned(), source })
    }

    /// Adds somebody and returns the token. Nothing is written before [`Operators::save`].
    ///
    /// # Errors
    ///
    /// A malformed name or one that is taken, no room, no random bytes.
    pub fn add(&mut self, name: &str, role: Role) -> Result<Token, OperatorsError> {
        if !is_name(name) {
            return Err(OperatorsError::Name { found: name.to_owned() });
        }
        if self.find(name).is_some() {
            return Err(OperatorsError::Exists { name: name.to_owned() });
        }
        if OPERATORS_MAX <= self.list.len() {
            return Err(OperatorsError::Full);
        }
        let token = Token::random().map_err(|source| OperatorsError::Random { source })?;
        let hash = hash(token.text().as_bytes());
        self.list.push(Operator { name: name.to_owned(), role, hash });
        Ok(token)
    }

    /// Takes somebody's token away. Nothing is written before [`Operators::save`].
    ///
    /// # Errors
    ///
    /// Nobody has the name.
    pub fn remove(&mut self, name: &str) -> Result<(), OperatorsError> {
        let found = self.list.iter().position(|operator| operator.name == name);
        let index = found.ok_or_else(|| OperatorsError::Unknown { name: name.to_owned() })?;
        self.list.remove(index);
        Ok(())
    }

    /// Everybody, in the order in which they were added.
    #[must_use]
    pub fn list(&self) -> &[Operator] {
        &self.list
    }

    /// Whose token it is. The time it takes tells nothing about the tokens that there are.
    #[must_use]
    pub fn verify(&self, token: &[u8]) -> Option<&Operator> {
        let hash = hash(token);
        let mut found = None;
        for operator in &self.list {
            if bool::from(operator.hash.ct_eq(&hash)) {
                found = Some(operator);
            }
        }
        found
    }

    /// Writes the file so that it is either the old or the new one, whatever fails, and readable
    /// only by its owner.
    ///
    /// # Errors
    ///
    /// The operating system failed the write; the old file stands.
    pub fn save(&self) -> Result<(), OperatorsError> {
        let fail = |source| OperatorsError::Write { path: self.path.clone(), source };
        let entries = self.list.iter().map(|operator| StoredOperator {
            name: operator.name.clone(),
            role: operator.role,
            token_blake3: hex(&operator.hash),
        });
        let text = toml::to_string(&Stored { operator: entries.collect() });
        let text = text.map_err(|error| fail(io::Error::other(error)))?;
        private::replace(&self.path, &format!("{HEADER}{text}")).map_err(fail)
    }

    fn find(&self, name: &str) -> Option<&Operator> {
        self.list.iter().find(|operator| operator.name == name)
    }

    /// Takes over a stored entry if it keeps the invariants.
    fn admit(&mut self, entry: StoredOperator) -> Result<(), OperatorsError> {
        let StoredOperator { name, role, token_blake3 } = entry;
        let hash = unhex(&token_blake3);
        let rule = if !is_name(&name) {
            "the name is malformed"
        } else if self.find(&name).is_some() {
            "the name is there twice"
        } else if OPERATORS_MAX <= self.list.len() {
            "there are too many"
        } else if let Some(hash) = hash {
            self.list.push(Operator { name, role, hash });
            return Ok(());
        } else {
            "token_blake3 is not 64 hexadecimal digits"
        };
        Err(OperatorsError::Entry { path: self.path.clone(), name, rule })
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    #[serde(default)]
    operator: Vec<StoredOperator>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct StoredOperator {
    name: String,
    role: Role,
    token_blake3: String,
}

fn parse(path: &Path, text: &str) -> Result<Stored, OperatorsError> {
    let fail = |error: &toml::de::Error, message: &str| {
        let at = error.span().map_or(0, |span| span.start);
        let before = text.get(..at).unwrap_or(text);
        let line = 1 + before.bytes().filter(|&byte| byte == b'\n').count();
        OperatorsError::Syntax { path: path.to_owned(), line, message: message.to_owned() }
    };
    DeTable::parse(text).map_err(|error| fail(&error, error.message()))?;
    // The message of a wrong type quotes the value, which could be a token in the wrong place.
    let expected = "expected [[operator]] with name, role (viewer or operator) and token_blake3";
    toml::from_str(text).map_err(|error| fail(&error, expected))
}

fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !text.is_empty() && text.len() <= NAME_LEN_MAX && text.bytes().all(is_part)
}

fn hash(token: &[u8]) -> [u8; HASH_LEN] {
    *blake3::hash(token).as_bytes()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

fn unhex(text: &str) -> Option<[u8; HASH_LEN]> {
    if text.len() != 2 * HASH_LEN || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; HASH_LEN];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
