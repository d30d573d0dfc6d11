//! Behaviour of the journal, seen from outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed unwrap is a failed test"
)]

mod bodies;
mod crash;
mod device;
mod docs;
mod faults;
mod garbage;
mod golden;
mod images;
mod kill;
mod levels;
mod meanwhile;
mod power;
mod reading;
mod roundtrip;
mod seeking;
mod simulated;
mod snapshots;
mod support;
mod tailing;
mod troubled;
