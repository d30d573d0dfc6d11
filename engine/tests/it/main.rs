//! The engine's behaviour: rules, the comparison with the naive book, and what it allocates.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed unwrap is a failed test"
)]

mod acts;
mod allocations;
mod copies;
mod differential;
mod edges;
mod flow;
mod hashes;
mod kinds;
mod rules;
mod snapshots;
mod spans;
mod stage;
