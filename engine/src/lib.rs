//! The matching engine: a deterministic state machine from commands to events.
//!
//! It reads no clock, file, socket or random source; time comes with each command. The same
//! commands give the same events, bytes and hashes on every machine.
//!
//! Read [`engine`] first, then `matching`, then `book`.

#![deny(clippy::float_arithmetic)]

pub mod admin;
pub mod ahead;
mod arena;
mod book;
mod change;
pub mod command;
mod common;
pub mod copies;
mod day;
mod due;
pub mod engine;
pub mod event;
pub mod hash;
pub mod instrument;
mod ladder;
pub mod limits;
#[cfg(test)]
mod lives;
mod mass;
mod matching;
#[cfg(feature = "naive")]
pub mod naive;
mod prevention;
pub mod reject;
pub mod snapshot;
mod table;
mod timers;
pub mod types;
mod user_refs;

/// Counts changes of what the same commands lead to; every journal names the one it was written
/// under.
pub const BEHAVIOUR_VERSION: u32 = 4;

pub use engine::{Engine, Progress};
