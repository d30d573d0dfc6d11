//! Who may log in: names, ports, firms and hashed passwords. A user without a port enters no orders
//! but listens to the drop copies of its firm.
//!
//! The list is `users.toml` in the folder of the venue, written only by `uncross user` and readable
//! only by its owner. `SoupBinTCP` pads names and passwords and ignores their case, so both are
//! trimmed and upper-cased before anything is compared or hashed.

pub mod error;

use std::{
    fmt,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version,
    password_hash::SaltString,
};
use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use toml::de::DeTable;
use uncross_engine::limits::PORTS_MAX;
use uncross_wire::text::{alpha, trim};

use self::error::{EntryFault, UsersError};
use crate::config::{
    line_of,
    units::{format_duration, parse_duration},
};

/// Longest name: the field of a Soup login.
pub const NAME_LEN_MAX: usize = 6;
/// Longest password: the field of a Soup login.
pub const PASSWORD_LEN_MAX: usize = 10;
/// Longest firm: the field of an OUCH order.
pub const FIRM_LEN_MAX: usize = 4;

/// Memory and passes of a hash. Modest on purpose: passwords are checked on one thread beside the
/// core, and every broker logs in within the same second after a restart. At some 3 ms each that
/// thread clears 300 logins a second; guessing over the wire is held back by the lock-out, and
/// whoever can read the file owns the venue already.
const MEMORY_KIB: u32 = 8 << 10;
const PASSES: u32 = 1;
const LANES: u32 = 1;
const HASH_LEN: usize = 32;
const SALT_LEN: usize = 16;

/// Checked in place of an unknown user's hash, so that the answer takes as long: same algorithm
/// and cost, and a result that no password is known to have.
const UNKNOWN_HASH: &str = "$argon2id$v=19$m=8192,t=1,p=1$\
    dW5jcm9zcyBubyB1c2VyIQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Of one-time passwords: 32 characters that cannot be mistaken for one another, five bits each.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

const HEADER: &str = "\
# The users of this venue, written by `uncross user`. Passwords are kept as argon2id hashes.
# A port belongs to its user for good: removed users leave a gap that is never filled again.

";

/// A user.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    name: String,
    /// `None` of a user for drop copies.
    port: Option<u16>,
    firm: [u8; FIRM_LEN_MAX],
    /// PHC string.
    hash: String,
    grace: Option<Duration>,
}

impl User {
    /// The name in upper case, 1 to 6 letters and digits.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name as on the wire, padded with spaces.
    #[must_use]
    pub fn name_padded(&self) -> [u8; NAME_LEN_MAX] {
        pad(&self.name)
    }

    /// The permanent port, from 1; `None`: the user only listens to the drop copies of its firm.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The firm as on the wire, padded with spaces.
    #[must_use]
    pub const fn firm(&self) -> [u8; FIRM_LEN_MAX] {
        self.firm
    }

    /// How long after the end of its connection its orders are cancelled; `None`: they stay.
    #[must_use]
    pub const fn cancel_on_disconnect(&self) -> Option<Duration> {
        self.grace
    }

    /// The firm without its padding.
    #[must_use]
    pub fn firm_text(&self) -> &str {
        str::from_utf8(trim(&self.firm)).unwrap_or_default()
    }
}

/// Without the hash: what is never printed cannot leak.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, port, firm: _, hash: _, grace } = self;
        f.debug_struct("User")
            .field("name", name)
            .field("port", port)
            .field("cancel_on_disconnect", grace)
            .field("firm", &self.firm_text())
            .finish_non_exhaustive()
    }
}

/// All users of a venue.
///
/// Invariants: names are unique; ports are unique and below `next_port`; who has no port has no
/// grace either.
#[derive(Clone, Debug)]
pub struct Users {
    path: PathBuf,
    /// The port of the next new user; ports below it are or were in use.
    next_port: u16,
    /// By port, then those without one.
    list: Vec<User>,
}

/// Keeps other editors away from a users file until dropped.
#[derive(Debug)]
pub struct UsersLock {
    _folder: File,
}

impl Users {
    /// No users yet; [`Users::save`] writes to `path`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), next_port: 1, list: Vec::new() }
    }

    /// Reads the users file at `path`.
    ///
    /// # Errors
    ///
    /// The file cannot be read or is damaged.
    pub fn load(path: &Path) -> Result<Self, UsersError> {
        let text = fs::read_to_string(path)
            .map_err(|source| UsersError::Read { path: path.to_owned(), source })?;
        let Stored { next_port, user } = parse(path, &text)?;
        let mut users = Self::new(path);
        for entry in user {
            users.admit(entry)?;
        }
        users.list.sort_by_key(|user| user.port.unwrap_or(u16::MAX));
        let free = users.list.iter().filter_map(User::port).max().map_or(1, |last| last + 1);
        if next_port < free || PORTS_MAX + 1 < next_port {
            let (path, found) = (path.to_owned(), next_port);
            return Err(UsersError::NextPort { path, free, found });
        }
        users.next_port = next_port;
        Ok(users)
    }

    /// Waits until nobody else edits the users file at `path`. Taken before [`Users::load`] by
    /// whoever will save, so that no concurrent change is lost and no port given out twice.
    ///
    /// # Errors
    ///
    /// The folder cannot be opened or locked.
    pub fn lock(path: &Path) -> Result<UsersLock, UsersError> {
        let fail = |source| UsersError::Write { path: path.to_owned(), source };
        let folder = File::open(folder_of(path)).map_err(fail)?;
        folder.lock().map_err(fail)?;
        Ok(UsersLock { _folder: folder })
    }

    /// Adds a user and returns its port. Nothing is written before [`Users::save`].
    ///
    /// # Errors
    ///
    /// A malformed name, firm or password, a name that is taken, or no port left.
    pub fn add(&mut self, name: &str, firm: &str, password: &str) -> Result<u16, UsersError> {
        let mut user = self.new_user(name, firm, password)?;
        let port = self.next_port;
        if PORTS_MAX < port {
            return Err(UsersError::Full { ports_max: PORTS_MAX });
        }
        self.next_port += 1;
        user.port = Some(port);
        self.list.push(user);
        self.list.sort_by_key(|user| user.port.unwrap_or(u16::MAX));
        Ok(port)
    }

    /// Adds a user who only listens to the drop copies of a firm. Nothing is written before
    /// [`Users::save`].
    ///
    /// # Errors
    ///
    /// A malformed name, firm or password, or a name that is taken.
    pub fn add_drop_copy(
        &mut self,
        name: &str,
        firm: &str,
        password: &str,
    ) -> Result<(), UsersError> {
        let user = self.new_user(name, firm, password)?;
        self.list.push(user);
        Ok(())
    }

    /// A user without a port.
    fn new_user(&self, name: &str, firm: &str, password: &str) -> Result<User, UsersError> {
        let name = check_word(name, NAME_LEN_MAX)
            .ok_or_else(|| UsersError::Name { found: name.to_owned() })?;
        let firm = check_word(firm, FIRM_LEN_MAX)
            .ok_or_else(|| UsersError::Firm { found: firm.to_owned() })?;
        let password = normalise(password.as_bytes());
        check_password(&password)?;
        if let Some(User { port, .. }) = self.find(&name) {
            return Err(UsersError::Exists { name, port: *port });
        }
        Ok(User { name, port: None, firm: pad(&firm), hash: hash(&password)?, grace: None })
    }

    /// The firms whose reports are to be copied, each once.
    #[must_use]
    pub fn copied_firms(&self) -> Vec<[u8; FIRM_LEN_MAX]> {
        let mut firms: Vec<_> =
            self.list.iter().filter(|user| user.port.is_none()).map(User::firm).collect();
        firms.sort_unstable();
        firms.dedup();
        firms
    }

    /// Sets how long after the end of a user's connection its orders are cancelled; `None`: they
    /// stay. It counts from the user's next login.
    ///
    /// # Errors
    ///
    /// No such user, one without orders, or the time is longer than [`GRACE_MAX`] or no whole
    /// number of milliseconds.
    pub fn set_cancel_on_disconnect(
        &mut self,
        name: &str,
        grace: Option<Duration>,
    ) -> Result<(), UsersError> {
        if let Some(found) = grace.filter(|&grace| !is_grace(grace)) {
            return Err(UsersError::Grace { found: format_duration(found) });
        }
        let user = self.list.iter_mut().find(|user| user.name.eq_ignore_ascii_case(name));
        let Some(user) = user else {
            return Err(UsersError::Unknown { name: name.to_owned() });
        };
        if user.port.is_none() {
            return Err(UsersError::NoOrders { name: user.name.clone() });
        }
        user.grace = grace;
        Ok(())
    }

    /// Writes the file so that it is either the old or the new one, whatever fails, and readable
    /// only by its owner.
    ///
    /// # Errors
    ///
    /// The operating system failed the write; the old file stands.
    pub fn save(&self) -> Result<(), UsersError> {
        self.write().map_err(|source| UsersError::Write { path: self.path.clone(), source })
    }

    /// All users by port, then those without one.
    #[must_use]
    pub fn list(&self) -> &[User] {
        &self.list
    }

    /// The user called `name`, in any case and padding.
    #[must_use]
    pub fn find(&self, name: impl AsRef<[u8]>) -> Option<&User> {
        let name = normalise(name.as_ref());
        self.list.iter().find(|user| user.name.as_bytes() == name)
    }

    /// The user called `name` if `password` is right, both in any case and padding.
    ///
    /// Takes milliseconds, and as long for an unknown name.
    #[must_use]
    pub fn verify(&self, name: impl AsRef<[u8]>, password: impl AsRef<[u8]>) -> Option<&User> {
        let user = self.find(name);
        let stored = user.map_or(UNKNOWN_HASH, |user| &user.hash);
        let hash = PasswordHash::new(stored).ok()?;
        let password = normalise(password.as_ref());
        let is_right = Argon2::default().verify_password(&password, &hash).is_ok();
        user.filter(|_| is_right)
    }

    /// Takes over a stored entry if it keeps the invariants.
    fn admit(&mut self, entry: StoredUser) -> Result<(), UsersError> {
        let StoredUser { name, port, drop_copy, firm, hash, cancel_on_disconnect } = entry;
        let fail = |fault| UsersError::Entry { path: self.path.clone(), name: name.clone(), fault };
        if check_word(&name, NAME_LEN_MAX).as_ref() != Some(&name) {
            return Err(fail(EntryFault::Name));
        }
        if check_word(&firm, FIRM_LEN_MAX).as_ref() != Some(&firm) {
            return Err(fail(EntryFault::Firm));
        }
        if drop_copy && (port.is_some() || cancel_on_disconnect.is_some()) {
            return Err(fail(EntryFault::DropCopy));
        }
        let found = port.unwrap_or(0);
        if !drop_copy && !(1..=PORTS_MAX).contains(&found) {
            return Err(fail(EntryFault::Port { found }));
        }
        if !has_our_cost(&hash) {
            return Err(fail(EntryFault::Hash));
        }
        if self.find(&name).is_some() {
            return Err(fail(EntryFault::NameTwice));
        }
        if !drop_copy && self.list.iter().any(|user| user.port == port) {
            return Err(fail(EntryFault::PortTwice { port: found }));
        }
        let grace = match cancel_on_disconnect.as_deref().map(parse_duration) {
            None => None,
            Some(Ok(grace)) if is_grace(grace) => Some(grace),
            Some(_) => return Err(fail(EntryFault::Grace)),
        };
        self.list.push(User { name, port, firm: pad(&firm), hash, grace });
        Ok(())
    }

    fn write(&self) -> io::Result<()> {
        let user = self.list.iter().map(|user| StoredUser {
            name: user.name.clone(),
            port: user.port,
            drop_copy: user.port.is_none(),
            firm: user.firm_text().to_owned(),
            hash: user.hash.clone(),
            cancel_on_disconnect: user.grace.map(format_duration),
        });
        let stored = Stored { next_port: self.next_port, user: user.collect() };
        let text = toml::to_string(&stored).map_err(io::Error::other)?;
        let folder = folder_of(&self.path);
        // A temporary file is made with mode 0600.
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(HEADER.as_bytes())?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    }
}

/// A new password that people can type, with 50 random bits.
///
/// # Errors
///
/// The operating system gave no random bytes.
pub fn random_password() -> Result<String, UsersError> {
    let bytes = random_bytes::<PASSWORD_LEN_MAX>()?;
    Ok(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    next_port: u16,
    #[serde(default)]
    user: Vec<StoredUser>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct StoredUser {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    /// It has no port, and listens to the copies of its firm's reports.
    #[serde(default, skip_serializing_if = "is_false")]
    drop_copy: bool,
    firm: String,
    hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancel_on_disconnect: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Longest time that orders may outlive a connection and still be cancelled for it.
pub const GRACE_MAX: Duration = Duration::from_hours(24);

fn is_grace(grace: Duration) -> bool {
    grace <= GRACE_MAX && grace.subsec_nanos().is_multiple_of(1_000_000)
}

fn parse(path: &Path, text: &str) -> Result<Stored, UsersError> {
    let fail = |error: &toml::de::Error, message: &str| {
        let at = error.span().map_or(0, |span| span.start);
        let line = line_of(text, at).unwrap_or(1);
        UsersError::Syntax { path: path.to_owned(), line, message: message.to_owned() }
    };
    DeTable::parse(text).map_err(|error| fail(&error, error.message()))?;
    // The message of a wrong type quotes the value, which could be a hash in the wrong place.
    let expected = "expected next_port and [[user]] with name, port or drop_copy, firm, hash and \
                    perhaps cancel_on_disconnect";
    toml::from_str(text).map_err(|error| fail(&error, expected))
}

fn folder_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// As both sides of every comparison are.
fn normalise(text: &[u8]) -> Vec<u8> {
    trim(text).to_ascii_uppercase()
}

/// `text` in upper case if it is 1 to `len_max` ASCII letters and digits.
fn check_word(text: &str, len_max: usize) -> Option<String> {
    let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_word && !text.is_empty() && text.len() <= len_max).then(|| text.to_ascii_uppercase())
}

fn check_password(password: &[u8]) -> Result<(), UsersError> {
    if password.is_empty() || PASSWORD_LEN_MAX < password.len() {
        return Err(UsersError::PasswordLength { found_len: password.len() });
    }
    if !password.iter().all(u8::is_ascii_graphic) {
        return Err(UsersError::PasswordCharacter);
    }
    Ok(())
}

/// A checked word, left-justified in its field.
fn pad<const N: usize>(word: &str) -> [u8; N] {
    alpha(word).unwrap_or([b' '; N])
}

fn hash(password: &[u8]) -> Result<String, UsersError> {
    let fail = |reason| UsersError::Hash { reason };
    let salt = SaltString::encode_b64(&random_bytes::<SALT_LEN>()?).map_err(fail)?;
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_LEN))
        .map_err(|error| fail(error.into()))?;
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    Ok(hasher.hash_password(password, &salt).map_err(fail)?.to_string())
}

/// Whether checking against `hash` costs what checking against [`UNKNOWN_HASH`] costs; otherwise
/// the time of an answer would tell which names exist.
fn has_our_cost(hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else {
        return false;
    };
    let is_ours = |params: Params| {
        (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES)
    };
    hash.algorithm == argon2::ARGON2ID_IDENT
        && hash.version == Some(Version::V0x13.into())
        && hash.salt.is_some()
        && hash.hash.is_some_and(|output| output.len() == HASH_LEN)
        && Params::try_from(&hash).is_ok_and(is_ours)
}

fn random_bytes<const N: usize>() -> Result<[u8; N], UsersError> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        let read = getrandom(&mut bytes[filled..], GetRandomFlags::empty());
        filled += read.map_err(|error| UsersError::Random { source: error.into() })?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
