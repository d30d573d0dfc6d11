//! Where a start begins: behind the newest snapshot that can be used, or in front of the first
//! record. A snapshot that cannot be used is passed over and says why; nothing depends on one.

use std::path::{Path, PathBuf};

use uncross_engine::limits::Capacity;
use uncross_journal::{
    Anchor, Completeness, ReadError, Record, Recovery, ReplayError, SnapshotView, Snapshots, kind,
};

use super::error::{StartError, io_error};
use crate::{
    follower::Follower,
    snapshot::{Body, Unusable, terms},
    streams::{Marks, Streams, Tally},
};

/// A snapshot that a start did not use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// Its file.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// The snapshots of a journal as they were found before it was opened.
#[derive(Debug)]
pub(super) struct Candidates {
    snapshots: Snapshots,
    /// The newest one first.
    views: Vec<SnapshotView>,
}

/// From where a start replays, and what it has there.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) follower: Follower<Streams>,
    /// The snapshot that is used, and the place behind its last record.
    pub(super) from: Option<(Body, Anchor)>,
    pub(super) passed_over: Vec<PassedOver>,
}

impl Candidates {
    /// Lists them. A folder that cannot be listed holds none that could be read.
    pub(super) fn list(snapshots: Snapshots) -> Self {
        let views = snapshots.list().unwrap_or_default();
        Self { snapshots, views }
    }

    /// Where the newest one that can be read ends: of what lies before it, the journal need not be
    /// read when it is opened.
    pub(super) fn newest(&self) -> Option<Anchor> {
        let heads = self.views.iter().filter_map(|view| self.snapshots.head(&view.path).ok());
        heads.map(|(head, _)| head.anchor).next()
    }

    /// Tries one after the other.
    ///
    /// # Errors
    ///
    /// The streams of an earlier run cannot be removed where all is made anew.
    pub(super) fn begin(
        &self,
        recovery: &Recovery,
        streams: &Path,
        capacity: &Capacity,
    ) -> Result<Beginning, StartError> {
        let mut passed_over = Vec::new();
        for view in &self.views {
            match self.restore(view, recovery, streams, capacity) {
                Ok((follower, from)) => {
                    return Ok(Beginning { follower, from: Some(from), passed_over });
                }
                Err(error) => {
                    let (path, reason) = (view.path.clone(), error.to_string());
                    passed_over.push(PassedOver { path, reason });
                }
            }
        }
        // All of it is made again, under the same numbers.
        let cleared = Streams::clear(streams);
        cleared.map_err(io_error("removing the streams of an earlier run"))?;
        let streams = Streams::new(streams, recovery.salt().unwrap_or(0));
        Ok(Beginning { follower: Follower::new(streams), from: None, passed_over })
    }

    fn restore(
        &self,
        view: &SnapshotView,
        recovery: &Recovery,
        streams: &Path,
        capacity: &Capacity,
    ) -> Result<(Follower<Streams>, (Body, Anchor)), Unusable> {
        let salt = recovery.salt().unwrap_or(0);
        let (head, _) = self.snapshots.head(&view.path)?;
        head.check(&terms(salt, capacity))?;
        let found = recovery.find(&head.anchor)?;
        Unusable::found(found, &head.anchor, recovery.last_seq())?;
        let (head, bytes) = self.snapshots.read(&view.path)?;
        let body = Body::decode(&bytes, &head)?;
        drop(bytes);
        // The state first: the files of the streams are not touched for one that is none.
        let state = Follower::restore(&body, Tally::resume(&Marks::none()))?;
        if let Some(replica) = &state.replica {
            body.prove(&head, replica)?;
        }
        let marks = body.marks.marks();
        let streams = match Streams::resume(streams, salt, &marks) {
            Err(_) if is_over(recovery, &head.anchor)? => Streams::over(streams, salt, &marks)?,
            resumed => resumed?,
        };
        Ok((state.with_streams(streams), (body, head.anchor)))
    }
}

/// Whether the session at `anchor` ends before the doors open: in the records behind, or with the
/// epoch that this start opens. Then nobody will ask for its streams, which are in no backup.
fn is_over(recovery: &Recovery, anchor: &Anchor) -> Result<bool, ReadError> {
    if recovery.completeness() == Completeness::Unproven {
        return Ok(true);
    }
    let ends = |kind| matches!(kind, kind::DAY_ROLL | kind::EPOCH);
    let each = |record: Record<'_>| if ends(record.kind) { Err(()) } else { Ok(()) };
    match recovery.replay_behind(Some(anchor), each) {
        Ok(()) => Ok(false),
        Err(ReplayError::Apply(())) => Ok(true),
        Err(ReplayError::Read(error)) => Err(error),
    }
}
