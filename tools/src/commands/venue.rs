//! What the commands share that work on a venue: its folder, its configuration, its users.

use std::{
    io,
    path::{Path, PathBuf},
};

use clap::Args;
use uncross_server::{
    config::{Config, VenueDir, error::ConfigError},
    users::error::UsersError,
};

use crate::errors::{self, Code, Failure};

/// Settings given on the command line.
#[derive(Args, Debug)]
pub(crate) struct Overrides {
    /// Set one setting; wins over the environment and the file
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE", value_parser = pair)]
    pub(crate) pairs: Vec<(String, String)>,
}

/// The venue a command works on.
#[derive(Args, Debug)]
pub(crate) struct VenueArgument {
    /// Folder of the venue
    #[arg(long, value_name = "DIR")]
    pub(crate) venue: PathBuf,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=');
    let (key, value) = pair.ok_or("expected SECTION.KEY=VALUE, for example core.pin=false")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

/// The configuration of the venue in `folder`, with the environment and `overrides` applied.
pub(crate) fn open(
    folder: &Path,
    overrides: &[(String, String)],
) -> Result<(VenueDir, Config), Failure> {
    let dir = VenueDir::new(folder);
    let file = dir.config_file();
    if !file.is_file() || !dir.users_file().is_file() {
        let message = format!("{} holds no venue", folder.display());
        return Err(Failure::new(&errors::NO_VENUE, message));
    }
    Ok((dir, load(Some(&file), overrides)?))
}

/// The configuration in `file`, with the environment and `overrides` applied.
pub(crate) fn load(file: Option<&Path>, overrides: &[(String, String)]) -> Result<Config, Failure> {
    Config::load(file, environment(), overrides).map_err(Failure::from)
}

/// The environment. Bytes that are no text become a mark that no setting has, so that such a
/// variable is refused where it means a setting, and never passed over.
pub(crate) fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |bytes: std::ffi::OsString| bytes.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}

/// A file that the operating system did not let be read.
pub(crate) fn unreadable(code: &'static Code, path: &Path, error: &io::Error) -> Failure {
    Failure::new(code, format!("{} cannot be read", path.display())).cause(error.to_string())
}

/// A file or folder that the operating system did not let be written.
pub(crate) fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let message = format!("{} cannot be written", path.display());
    Failure::new(&errors::FILE_WRITE, message).cause(error.to_string())
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let code = match &error {
            ConfigError::Read { .. } => &errors::CONFIG_READ,
            ConfigError::Syntax { .. } => &errors::CONFIG_SYNTAX,
            ConfigError::Unknown { .. } => &errors::CONFIG_UNKNOWN,
            ConfigError::FileOnly { .. } => &errors::CONFIG_FILE_ONLY,
            ConfigError::WrongType { .. } => &errors::CONFIG_TYPE,
            ConfigError::Impossible { .. } => &errors::CONFIG_VALUE,
            ConfigError::NotBuilt { .. } => &errors::CONFIG_NOT_BUILT,
            ConfigError::Contradiction { .. } => &errors::CONFIG_CONTRADICTION,
            ConfigError::Missing { .. } => &errors::CONFIG_MISSING,
            ConfigError::DuplicateInstrument { .. } => &errors::CONFIG_DUPLICATE,
            ConfigError::Instrument { .. } => &errors::CONFIG_INSTRUMENT,
        };
        let failure = Self::new(code, error.to_string());
        match error {
            ConfigError::Unknown { nearest: Some(nearest), .. } => {
                failure.fix(format!("did you mean {nearest}? {}", code.fix))
            }
            ConfigError::NotBuilt { exist, .. } => {
                failure.fix(format!("choose one of: {}", exist.join(", ")))
            }
            ConfigError::Read { path, source } => unreadable(code, &path, &source),
            ConfigError::Syntax { .. }
            | ConfigError::Unknown { nearest: None, .. }
            | ConfigError::FileOnly { .. }
            | ConfigError::WrongType { .. }
            | ConfigError::Impossible { .. }
            | ConfigError::Contradiction { .. }
            | ConfigError::Missing { .. }
            | ConfigError::DuplicateInstrument { .. }
            | ConfigError::Instrument { .. } => failure,
        }
    }
}

impl From<UsersError> for Failure {
    fn from(error: UsersError) -> Self {
        let code = match &error {
            UsersError::Read { .. }
            | UsersError::Syntax { .. }
            | UsersError::Entry { .. }
            | UsersError::NextPort { .. } => &errors::USERS_FILE,
            UsersError::Write { .. } => &errors::FILE_WRITE,
            UsersError::Name { .. } | UsersError::Firm { .. } => &errors::USER_WORD,
            UsersError::PasswordLength { .. } | UsersError::PasswordCharacter => &errors::PASSWORD,
            UsersError::Exists { .. } => &errors::USER_EXISTS,
            UsersError::Unknown { .. } => &errors::USER_UNKNOWN,
            UsersError::NoOrders { .. } => &errors::NO_ORDERS,
            UsersError::Grace { .. } => &errors::GRACE,
            UsersError::Full { .. } => &errors::PORTS_FULL,
            UsersError::Hash { .. } | UsersError::Random { .. } => &errors::SYSTEM,
        };
        match error {
            UsersError::Read { path, source } => unreadable(code, &path, &source),
            UsersError::Write { path, source } => unwritable(&path, &source),
            other => Self::new(code, other.to_string()),
        }
    }
}
