//! Why users could not be read, changed or written. Holds no password and no hash.

use std::{io, path::PathBuf};

use thiserror::Error;
use uncross_engine::limits::PORTS_MAX;

use super::{FIRM_LEN_MAX, LANES, MEMORY_KIB, NAME_LEN_MAX, PASSES, PASSWORD_LEN_MAX};

/// Why users could not be read, changed or written.
#[derive(Debug, Error)]
pub enum UsersError {
    /// The operating system failed the read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The users file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system failed the write; the old file stands.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// The users file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The text is no list of users.
    #[error("{}:{line}: {message}", path.display())]
    Syntax {
        /// The users file.
        path: PathBuf,
        /// Line of the fault, from 1.
        line: u32,
        /// What is wrong.
        message: String,
    },
    /// An entry of the file breaks a rule.
    #[error("{}: user {name:?}: {fault}", path.display())]
    Entry {
        /// The users file.
        path: PathBuf,
        /// The name in the entry.
        name: String,
        /// The rule.
        fault: EntryFault,
    },
    /// The next port would be given out twice, or is beyond the last one.
    #[error("{}: next_port must be in {free}..={}, found {found}", path.display(), PORTS_MAX + 1)]
    NextPort {
        /// The users file.
        path: PathBuf,
        /// The first port above all in use.
        free: u16,
        /// The value in the file.
        found: u16,
    },
    /// The name is malformed.
    #[error("a name has 1 to {NAME_LEN_MAX} ASCII letters and digits, found {found:?}")]
    Name {
        /// The name as given.
        found: String,
    },
    /// The firm is malformed.
    #[error("a firm has 1 to {FIRM_LEN_MAX} ASCII letters and digits, found {found:?}")]
    Firm {
        /// The firm as given.
        found: String,
    },
    /// The password is empty or too long.
    #[error("a password has 1 to {PASSWORD_LEN_MAX} characters, found {found_len}")]
    PasswordLength {
        /// Bytes of the password.
        found_len: usize,
    },
    /// The password holds something that no client can send.
    #[error("a password is printable ASCII without spaces")]
    PasswordCharacter,
    /// The name is taken.
    #[error("user {name} exists and {}", part_of(*port))]
    Exists {
        /// The name.
        name: String,
        /// Its port; `None` of a user for drop copies.
        port: Option<u16>,
    },
    /// The user enters no orders, so there are none to be cancelled.
    #[error("user {name} listens to drop copies and has no orders")]
    NoOrders {
        /// The name.
        name: String,
    },
    /// No user has the name.
    #[error("there is no user {name}")]
    Unknown {
        /// The name as given.
        name: String,
    },
    /// The time until orders are cancelled is too long or too fine.
    #[error("cancel_on_disconnect is whole milliseconds, at most 24h, found {found}")]
    Grace {
        /// The time as given.
        found: String,
    },
    /// Every port has been given out; ports are not used again.
    #[error("all {ports_max} ports have been given out")]
    Full {
        /// Ports of a venue.
        ports_max: u16,
    },
    /// The password could not be hashed.
    #[error("the password cannot be hashed: {reason}")]
    Hash {
        /// What the hash function said.
        reason: argon2::password_hash::Error,
    },
    /// The operating system gave no random bytes.
    #[error("no random bytes: {source}")]
    Random {
        /// What the operating system said.
        source: io::Error,
    },
}

fn part_of(port: Option<u16>) -> String {
    port.map_or_else(|| "listens to drop copies".to_owned(), |port| format!("has port {port}"))
}

/// The rule that an entry of the users file breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EntryFault {
    /// The name is malformed.
    #[error("a name has 1 to {NAME_LEN_MAX} upper-case ASCII letters and digits")]
    Name,
    /// The firm is malformed.
    #[error("a firm has 1 to {FIRM_LEN_MAX} upper-case ASCII letters and digits")]
    Firm,
    /// There is no such port.
    #[error("a port is in 1..={PORTS_MAX}, found {found}")]
    Port {
        /// The port in the file.
        found: u16,
    },
    /// A user for drop copies has something that belongs to orders.
    #[error("a user with drop_copy has neither a port nor cancel_on_disconnect")]
    DropCopy,
    /// The hash is damaged or of another cost.
    #[error("the hash must be argon2id with m={MEMORY_KIB},t={PASSES},p={LANES}")]
    Hash,
    /// The time until orders are cancelled is none, too long or too fine.
    #[error("cancel_on_disconnect is a duration such as \"5s\", whole milliseconds, at most 24h")]
    Grace,
    /// An entry before has the name.
    #[error("the name occurs twice")]
    NameTwice,
    /// An entry before has the port.
    #[error("port {port} occurs twice")]
    PortTwice {
        /// The port.
        port: u16,
    },
}
