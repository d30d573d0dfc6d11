//! Every bound of the server that is not the operator's to set, each with its reason.

use std::time::Duration;

use uncross_engine::limits::{ECHO_LEN_MAX, STEP_EVENTS_MAX};

/// Bytes of a ring slot and of a journal slot: one cache line.
pub const SLOT_LEN: usize = 64;
/// Bytes of a record's header, in the ring as in the journal.
pub const HEADER_LEN: usize = 24;
/// Bytes of the longest fixed body.
pub const BODY_LEN_MAX: usize = 40;
/// Bytes of the longest record a session can cause.
pub const RECORD_LEN_MAX: usize =
    (HEADER_LEN + BODY_LEN_MAX + ECHO_LEN_MAX).next_multiple_of(SLOT_LEN);
/// Ring slots of the longest record.
pub const RECORD_SLOTS_MAX: usize = RECORD_LEN_MAX / SLOT_LEN;

/// Records the core takes in one turn. The time stamp of a turn is shared, and egress waits for
/// its end: 256 commands of 50 ns keep both within 13 microseconds.
pub const RECORDS_PER_TURN: usize = 256;

/// Most nanoseconds that may lie between the readings of both clocks that a start sets in relation:
/// a thousand times what two readings take, and nothing beside what an order takes.
pub const CLOCK_GAP_NS: u64 = 100_000;
/// How often they are read until it is less: a machine on which it never is starts all the same.
pub const CLOCK_READS_MAX: u64 = 100;

/// Records between two checkpoints of the rolling output hash: one in 2,048 pages of journal.
pub const RECORDS_PER_CHECKPOINT: u64 = 1 << 17;

/// Events the publisher takes in one round: four steps of the engine. The reports of a round go
/// before its market data, so this bounds how far they are ahead.
pub const EVENTS_PER_ROUND: usize = 4 * STEP_EVENTS_MAX;

/// Messages from the gateway to the publisher about one connection while its number is taken:
/// opened, login judged, login granted, closed.
pub const ASKS_PER_CONNECTION: usize = 4;
/// Messages back: login judged, login granted too late, over, ended.
pub const TELLS_PER_CONNECTION: usize = 4;

/// Frames of one connection in a round in which no other waits: about a third of what its buffer
/// holds.
pub const FRAMES_ALONE_MAX: usize = 64;
/// Connections of one firm that get their whole share of a round in which others wait; more of
/// them share what these get.
pub const ACCOUNT_SESSIONS: usize = 4;
/// Milliseconds a client has to read why its connection ends.
pub const LINGER_MS: u64 = 1_000;

/// Bytes of a connection's receive buffer: sixteen of the longest frames.
pub const INBOX_LEN: usize = 16 * 1_024;
/// Bytes written to one connection in one turn, so that a long resend does not starve others.
pub const WRITE_PER_TURN: usize = 256 * 1_024;
/// Bytes of a stream file mapped at once, at first: most ports say little.
pub const STREAM_CHUNK_LEN: usize = 1 << 20;
/// So many chunks are of that length; then they are larger, because a process has 65,530 mappings.
pub const STREAM_SMALL_CHUNKS: usize = 16;
/// Bytes of a later chunk.
pub const STREAM_LARGE_CHUNK_LEN: usize = 1 << 26;
/// Bytes of a stream's file read at once when a start checks it.
pub const STREAM_READ_LEN: usize = 1 << 20;
/// Bytes of a stream's file held while a tool compares it; there may be thousands of streams.
pub const STREAM_WINDOW_LEN: usize = 1 << 14;
/// Messages between two entries of a stream's index: a resend walks at most so many.
pub const STREAM_INDEX_STRIDE: u64 = 64;
/// Chunks for which a stream has its list at once: 63 GiB of messages.
pub const STREAM_CHUNKS_RESERVED: usize = 1_024;
/// Bytes of the index mapped at once, at first: entries for half a million messages.
pub const STREAM_INDEX_CHUNK_LEN: usize = 1 << 16;
/// Bytes of a later part of the index.
pub const STREAM_INDEX_LARGE_CHUNK_LEN: usize = 1 << 22;
/// Parts of the index for which a stream has its list at once: 1.6 billion messages.
pub const STREAM_INDEX_CHUNKS_RESERVED: usize = 64;

/// Passwords on their way to and from the thread that checks them; other logins wait outside.
pub const LOGINS_CHECKED_MAX: usize = 64;
/// Of these, how many may come from one address, so that a flood from there delays only itself.
pub const LOGINS_PER_ADDRESS_MAX: usize = 2;
/// Failed logins of one user from one address in a row before it must wait.
pub const LOGIN_FAILURES_FREE: u32 = 3;
/// Longest wait after failed logins, in seconds.
pub const LOGIN_BACK_OFF_MAX_S: u64 = 300;
/// Entries of the table of failed logins; the oldest is forgotten first.
pub const LOGIN_FAILURES_TRACKED: usize = 4_096;

/// Connections accepted in one round: the next ones wait in the backlog.
pub const ACCEPTS_PER_ROUND: usize = 16;
/// Fewest connections a venue is started for.
pub const CONNECTIONS_MIN: u32 = 16;
/// File descriptors kept for the journal, the poll, logs and the like, and for the door of
/// operators with its 64 connections.
pub const DESCRIPTORS_RESERVED: u64 = 144;
/// Seconds that the records of a start may wait for room in the journal.
pub const START_PATIENCE_S: u64 = 10;

/// Milliseconds between two rounds of housekeeping: heartbeats and deadlines are whole seconds.
pub const HOUSEKEEPING_MS: u64 = 250;
/// Milliseconds between two rounds after which the process must have stood still: four times as
/// long as a thread sleeps.
pub const STANDSTILL_MS: u64 = 4 * HOUSEKEEPING_MS;
/// Administrative acts on their way; people order them one by one.
pub const DESK_ACTS_MAX: usize = 16;
/// Bytes of an operator's name in a record.
pub const OPERATOR_LEN_MAX: usize = 16;
/// Messages from the hot threads to the log that may wait; more are counted and dropped.
pub const NOTICES_MAX: usize = 1_024;

/// Records that the shadow applies before it looks whether the core is behind: some 100
/// microseconds of work.
pub const SHADOW_BATCH: u64 = 256;
/// How long the shadow sleeps when it has applied all that is durable.
pub const SHADOW_INTERVAL: Duration = Duration::from_millis(50);
/// How long the shadow waits for a core that is behind, at most, before each batch.
pub const SHADOW_HOLD_MAX: Duration = Duration::from_millis(100);
/// How long the shadow rests after a snapshot at most: one that took long because others kept the
/// CPU must not put off the next one for hours.
pub const SHADOW_REST_MAX: Duration = Duration::from_mins(10);
/// Priority of the shadow's thread where it may not have that of idle time: the lowest there is.
pub const SHADOW_NICE: i32 = 19;
/// How long a snapshot waits for the streams that belong to it.
pub const SHADOW_WRITTEN_PATIENCE: Duration = Duration::from_secs(5);
/// How long the end of a venue waits for its shadow to come to the end of the journal.
pub const SHADOW_END_PATIENCE: Duration = Duration::from_secs(5);
/// New records for which the end of a venue writes a snapshot: replaying fewer takes less than
/// writing it.
pub const SNAPSHOT_RECORDS_MIN: u64 = 10_000;

const _: () = assert!(RECORD_LEN_MAX <= 1_024);
const _: () = assert!(STREAM_CHUNK_LEN.is_power_of_two());
