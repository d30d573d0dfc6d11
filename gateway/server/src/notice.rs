//! What the hot threads have to say to people: small values, formatted elsewhere.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crossbeam::channel::{Receiver, Sender, bounded};
use uncross_journal::DiskError;

use crate::{core_loop::CoreError, limits::NOTICES_MAX};

/// Why a connection was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The client logged out.
    Logout,
    /// The peer closed the connection or it broke.
    Lost,
    /// The same user logged in elsewhere.
    TakenOver,
    /// Nothing was received for too long.
    Silent,
    /// No login came in time.
    NoLogin,
    /// It read too slowly.
    Slow,
    /// It sent something that is no message; what was expected and found.
    Protocol(String),
    /// The session is over.
    SessionEnded,
    /// Its login was refused.
    Refused,
}

/// Something an operator wants to know.
#[derive(Clone, Debug)]
pub enum Notice {
    /// A login succeeded.
    LoggedIn {
        /// The user.
        user: String,
        /// From where.
        peer: SocketAddr,
        /// `orders` or `data`.
        door: &'static str,
    },
    /// A login failed.
    LoginRefused {
        /// From where.
        peer: SocketAddr,
        /// Why.
        reason: String,
    },
    /// A connection was turned away before any login.
    Overloaded {
        /// From where.
        peer: SocketAddr,
    },
    /// A connection ended.
    Closed {
        /// From where.
        peer: SocketAddr,
        /// Why.
        reason: Closed,
    },
    /// The journal has no room for the next record, or has room again.
    JournalRoom {
        /// Whether commands wait for it.
        is_waiting: bool,
    },
    /// The journal cannot prepare its next segment, or can again. What is prepared still lasts.
    JournalSpace {
        /// What the system said; `None` when there is space again.
        error: Option<DiskError>,
    },
    /// New orders are refused for want of room in the journal, or accepted again.
    OrdersRefused {
        /// Whether they are refused now.
        is_refusing: bool,
    },
    /// The wall clock was set, or runs too differently: time is stretched or shrunk by 500 ppm
    /// until it agrees. Told once until it does.
    ClockOff {
        /// How far the wall clock is ahead of the venue's time, in nanoseconds.
        error_ns: i64,
    },
    /// There is a new snapshot: the next start begins from there.
    SnapshotWritten {
        /// Last record it covers.
        seq: u64,
        /// Its file.
        path: PathBuf,
    },
    /// A snapshot could not be written. The venue needs none; the next start takes longer.
    SnapshotFailed {
        /// Last record it should have covered.
        seq: u64,
        /// What went wrong.
        error: String,
    },
    /// The shadow does not go on. There are no more snapshots until the next start.
    ShadowEnded {
        /// Why.
        error: String,
        /// The venue said something else than its journal leads to.
        differs: bool,
    },
    /// The venue cannot go on.
    Failed(CoreError),
    /// The venue cannot go on: a stream file or the poll failed.
    Io(String),
}

/// Where a hot thread puts its notices; never blocks.
#[derive(Clone, Debug)]
pub(crate) struct Notices {
    sender: Sender<Notice>,
    dropped: Arc<AtomicU64>,
}

impl Notices {
    pub(crate) fn new() -> (Self, Receiver<Notice>) {
        let (sender, receiver) = bounded(NOTICES_MAX);
        (Self { sender, dropped: Arc::default() }, receiver)
    }

    /// Notices that found no room, so far.
    pub(crate) fn dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.dropped)
    }

    pub(crate) fn put(&self, notice: Notice) {
        if self.sender.try_send(notice).is_err() {
            // Relaxed: a count for people, nothing is ordered by it.
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
