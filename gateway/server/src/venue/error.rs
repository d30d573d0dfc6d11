//! Why a venue does not start, or did not end well.

use std::{io, net::SocketAddr, path::PathBuf};

use uncross_engine::{copies::CopiesFull, engine::DefineError, limits::Capacity};
use uncross_journal::{CloseError, OpenError, ReplayError};

use crate::{
    affinity::PlanError, core_loop::CoreError, reactor::ReactorError, replica::ApplyError,
    users::error::UsersError,
};

/// Why a venue does not start. Nothing was changed but what the message says.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen for {door} on {address}: {error}")]
    Listen {
        /// `orders` or `data`.
        door: &'static str,
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// The venue had a journal, and it is empty now.
    #[error("{} says that a journal was begun, but there is no record of it", path.display())]
    JournalGone {
        /// The file that says so.
        path: PathBuf,
    },
    /// Another version of the engine wrote the journal: its records would lead elsewhere.
    #[error("the journal is of behaviour version {found}, this program of version {expected}")]
    Behaviour {
        /// This program's.
        expected: u32,
        /// The journal's.
        found: u32,
    },
    /// A record cannot be applied.
    #[error(transparent)]
    Replay(#[from] ReplayError<ApplyError>),
    /// The users file is unusable.
    #[error(transparent)]
    Users(#[from] UsersError),
    /// The configuration contradicts the journal.
    #[error("capacity: the journal was begun with {journal:?}, configured is {configured:?}")]
    Capacity {
        /// What the journal says.
        journal: Capacity,
        /// What the configuration says.
        configured: Capacity,
    },
    /// An instrument cannot be listed.
    #[error("instrument {id}: {error}")]
    Listing {
        /// Its id.
        id: u32,
        /// Why.
        error: DefineError,
    },
    /// More firms have users for drop copies than the engine holds.
    #[error("drop copies: {0}")]
    Copies(CopiesFull),
    /// A user has a port that the engine does not hold.
    #[error("user {user} has port {port}, the capacity is {ports_max} ports")]
    Ports {
        /// The user.
        user: String,
        /// Its port.
        port: u16,
        /// `capacity.ports`.
        ports_max: u16,
    },
    /// A user has a port that was another's, whose reports and orders it would get.
    #[error("user {user} has port {port}, which the journal knows as that of {owner}")]
    PortOwner {
        /// The user.
        user: String,
        /// Its port.
        port: u16,
        /// Who last logged in there.
        owner: String,
    },
    /// The process may not have as many files and sockets open as are configured.
    #[error(
        "{expected} open files are needed for the configured connections and ports, \
         the limit is {found}"
    )]
    Descriptors {
        /// Needed.
        expected: u64,
        /// Allowed.
        found: u64,
    },
    /// The CPUs do not allow what is configured.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The wall clock is behind the journal.
    #[error("the clock is {behind_ns} ns behind the last record, at most 1 s is allowed")]
    ClockBehind {
        /// By how much.
        behind_ns: u64,
    },
    /// The first records could not be journalled.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The system refused something.
    #[error("{doing}: {error}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

/// Why a venue did not end well.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// It had failed before.
    #[error(transparent)]
    Failed(#[from] ReactorError),
    /// The journal was not closed cleanly.
    #[error(transparent)]
    Close(#[from] CloseError),
    /// A thread panicked.
    #[error("a thread of the venue panicked")]
    Panicked,
}

/// For `map_err`: what was being done when the system refused it.
pub(super) fn io_error(doing: &'static str) -> impl FnOnce(io::Error) -> StartError {
    move |error| StartError::Io { doing, error }
}
