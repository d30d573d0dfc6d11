//! Every bound of the door that is not the operator's to set, each with its reason.

use std::time::Duration;

/// Connections served at the same time; further ones wait in the backlog of the listener. A
/// console, a scraper, some probes and the commands of a few people are less than half of it.
pub const CONNECTIONS_MAX: usize = 64;
/// Connections that wait to be accepted.
pub const BACKLOG: i32 = 128;
/// Bytes of a request's head: ours are below 1 KiB.
pub const HEAD_LEN_MAX: usize = 16 * 1_024;
/// Bytes of a request's body: an instrument with every field is below 1 KiB.
pub const BODY_LEN_MAX: usize = 16 * 1_024;
/// Longest time from the beginning of a connection, or from its last answer, to the end of a
/// request's head: the time that an idle connection is kept.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest life of a connection, so that nobody keeps a place by not reading what is answered: a
/// body and the longest act fit twice.
pub const CONVERSATION_MAX: Duration = Duration::from_secs(20);
/// Longest time until a body is there.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Characters of an unknown path that its answer shows.
pub const PATH_SHOWN_MAX: usize = 100;
/// Longest wait for an act to be durable.
pub const ACT_PATIENCE: Duration = Duration::from_secs(5);
/// Acts that wait for the core at the same time, a thread each.
pub const ACTS_MAX: usize = 4;
/// Acts that wait for a thread; further ones are refused.
pub const ACTS_WAITING_MAX: usize = 16;
/// Time for what is being answered when the door is closed: longer than an act may take.
pub const STOP_PATIENCE: Duration = Duration::from_secs(6);

/// Age of the core's last sign of life above which it does not count as alive: eight times as long
/// as it sleeps when nothing happens.
pub const BEAT_AGE_MAX: Duration = Duration::from_secs(2);
/// Longest that what was in the journal when somebody asked may take to be durable, on top of the
/// interval between two flushes; half of the second that probes usually wait for an answer.
pub const DURABLE_PATIENCE: Duration = Duration::from_millis(500);
/// Between two looks at that.
pub const DURABLE_POLL: Duration = Duration::from_millis(5);

/// Operators in a file: a file of more is not one of ours.
pub const OPERATORS_MAX: usize = 1_024;
/// Bytes of an operator's name: the field of the journal's record.
pub const NAME_LEN_MAX: usize = 16;
/// Random bytes of a token. Nobody guesses 256 bits, so wrong tokens need not be counted.
pub const TOKEN_LEN: usize = 32;

const _: () = assert!(ACT_PATIENCE.as_millis() < STOP_PATIENCE.as_millis());
const _: () = assert!(
    2 * (BODY_TIMEOUT.as_millis() + ACT_PATIENCE.as_millis()) <= CONVERSATION_MAX.as_millis()
);
const _: () = assert!(8 * 1_024 <= HEAD_LEN_MAX, "the HTTP library takes no less");
