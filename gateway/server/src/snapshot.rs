//! What a snapshot of a venue holds, and its bytes.
//!
//! The bytes are laid out by rkyv and checked by it before anything is made of them; they come from
//! files of our own with a BLAKE3 over them, never from a peer.

use rkyv::{Archive, Deserialize, Serialize, from_bytes, rancor, to_bytes, util::AlignedVec};
use uncross_engine::{
    BEHAVIOUR_VERSION,
    hash::state_hash,
    instrument::Instrument,
    limits::Capacity,
    snapshot::{RestoreError, State},
};
use uncross_journal::{
    Anchor, DiskError, Foreign, Found, Hash, ReadError, SnapshotError, SnapshotHead, Terms,
};

use crate::{
    egress::EgressState,
    replica::{ApplyError, Replica},
    streams::{Marks, SessionName, StreamError, StreamMark},
};

/// Counts changes of what the body of a snapshot looks like.
pub const BODY_VERSION: u32 = 1;

/// What a snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct Body {
    pub(crate) engine: State,
    /// CRC32C and count of all events.
    pub(crate) output: (u32, u64),
    /// By rising port: who last logged in there.
    pub(crate) owners: Vec<(u16, [u8; 6])>,
    /// By rising id: the instruments as the configuration stated them last.
    pub(crate) filed: Vec<Instrument>,
    pub(crate) egress: EgressState,
    pub(crate) marks: MarksState,
}

/// How far the streams of the session have come.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct MarksState {
    session: SessionName,
    messages: u64,
    /// Entry, next number, bytes and their CRC32C.
    streams: Vec<(u16, u64, u64, u32)>,
}

impl From<Marks> for MarksState {
    fn from(marks: Marks) -> Self {
        let Marks { session, messages, streams } = marks;
        let streams =
            streams.into_iter().map(|StreamMark { entry, next, len, crc }| (entry, next, len, crc));
        Self { session, messages, streams: streams.collect() }
    }
}

impl MarksState {
    pub(crate) fn marks(&self) -> Marks {
        let Self { session, messages, ref streams } = *self;
        let streams =
            streams.iter().map(|&(entry, next, len, crc)| StreamMark { entry, next, len, crc });
        Marks { session, messages, streams: streams.collect() }
    }
}

/// Why a snapshot is not used. The journal is not touched by it: an earlier one is tried, or all
/// records are replayed.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It is damaged or cannot be read.
    #[error(transparent)]
    File(#[from] SnapshotError),
    /// It is of another journal, program or venue.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// The journal cannot be read where the snapshot ends.
    #[error(transparent)]
    Journal(#[from] ReadError),
    /// It covers more than the journal holds.
    #[error("it covers {seq} records, the journal has {last_seq}")]
    Beyond {
        /// Its last record.
        seq: u64,
        /// That of the journal.
        last_seq: u64,
    },
    /// The journal has other records where the snapshot ends.
    #[error("record {seq} of the journal is another one than it covers")]
    Elsewhere {
        /// Its last record.
        seq: u64,
    },
    /// Its body is none.
    #[error("its body cannot be decoded: {0}")]
    Body(String),
    /// No engine can have had its state.
    #[error("its state is impossible: {0}")]
    State(#[from] RestoreError),
    /// What was made of it is not what was captured.
    #[error("its {what} is {found}, it says {expected}")]
    Hash {
        /// Hash of what.
        what: &'static str,
        /// What it says.
        expected: String,
        /// What was found.
        found: String,
    },
    /// The records behind it do not follow from it.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The streams that its numbers go on in are not there as it says.
    #[error("streams: {0}")]
    Streams(#[from] StreamError),
}

impl From<DiskError> for Unusable {
    fn from(error: DiskError) -> Self {
        Self::File(error.into())
    }
}

impl Unusable {
    /// Whether it may be a good one, that another version of the program wrote.
    #[must_use]
    pub const fn is_of_another_version(&self) -> bool {
        matches!(
            self,
            Self::File(SnapshotError::Version { .. })
                | Self::Foreign(Foreign::Behaviour { .. } | Foreign::Body { .. })
        )
    }

    /// What the look for its place in the journal found.
    pub(crate) fn found(found: Found, anchor: &Anchor, last_seq: u64) -> Result<(), Self> {
        let seq = anchor.seq;
        match found {
            Found::There => Ok(()),
            Found::Beyond => Err(Self::Beyond { seq, last_seq }),
            Found::Elsewhere => Err(Self::Elsewhere { seq }),
        }
    }
}

/// Whose snapshots a start can use: those of the journal with this salt, by an engine of this
/// version and capacity.
pub(crate) fn terms(salt: u64, capacity: &Capacity) -> Terms {
    let behaviour_version = BEHAVIOUR_VERSION;
    let capacity_hash = capacity_hash(capacity);
    Terms { salt, behaviour_version, body_version: BODY_VERSION, capacity_hash }
}

fn capacity_hash(capacity: &Capacity) -> [u8; 32] {
    let Capacity { orders, hidden_orders, levels, nodes, instruments, ports, .. } = *capacity;
    let Capacity { port_orders, port_pages, user_ref_pages, .. } = *capacity;
    let mut hasher = blake3::Hasher::new();
    for value in [
        orders,
        hidden_orders,
        levels,
        nodes,
        instruments.into(),
        ports.into(),
        port_orders,
        port_pages,
        user_ref_pages,
    ] {
        hasher.update(&value.to_le_bytes());
    }
    *hasher.finalize().as_bytes()
}

impl Body {
    /// Its bytes.
    ///
    /// # Errors
    ///
    /// There is no memory for them.
    pub(crate) fn encode(&self) -> Result<AlignedVec, rancor::Error> {
        to_bytes::<rancor::Error>(self)
    }

    /// What the bytes hold, of a snapshot that has this head.
    ///
    /// # Errors
    ///
    /// They are no body of this version, or of another capacity than the head says: an engine of it
    /// may be larger than the memory.
    pub(crate) fn decode(bytes: &[u8], head: &SnapshotHead) -> Result<Self, Unusable> {
        // What is in the bytes is read where it lies, so they must be aligned for it.
        let mut aligned = AlignedVec::<16>::with_capacity(bytes.len());
        aligned.extend_from_slice(bytes);
        let decoded = from_bytes::<Self, rancor::Error>(&aligned);
        let body = decoded.map_err(|error| Unusable::Body(error.to_string()))?;
        let hashes = [head.terms.capacity_hash, capacity_hash(&body.engine.capacity())];
        if hashes[0] != hashes[1] {
            let [expected, found] = hashes.map(|hash| format!("{:?}", Hash(hash)));
            return Err(Unusable::Hash { what: "capacity hash", expected, found });
        }
        Ok(body)
    }

    /// Makes sure that `replica`, which was restored from this, is what the head says.
    ///
    /// # Errors
    ///
    /// A hash differs.
    pub(crate) fn prove(&self, head: &SnapshotHead, replica: &Replica) -> Result<(), Unusable> {
        let differs = |what, expected, found| Err(Unusable::Hash { what, expected, found });
        let (expected, found) = (head.state_hash, state_hash(replica.engine()));
        if expected != found {
            let [expected, found] = [expected, found].map(|hash| format!("{:?}", Hash(hash)));
            return differs("state hash", expected, found);
        }
        let (expected, found) = (head.output_hash, replica.output_hash());
        if expected != found {
            return differs("output hash", format!("{expected:016x}"), format!("{found:016x}"));
        }
        let (expected, found) = (head.anchor.seq, self.engine.seq());
        if expected != found {
            return differs("last record", expected.to_string(), found.to_string());
        }
        Ok(())
    }
}
