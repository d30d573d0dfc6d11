//! The venue over real sockets, real journal files and real restarts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed unwrap is a failed test"
)]

mod acts;
mod audit;
mod bad_input;
mod bad_journals;
mod bad_tags;
mod copies;
mod damaged;
mod days;
mod disk_full;
mod durability;
mod export;
mod fairness;
mod gate;
mod golden;
mod harness;
mod kinds;
mod layouts;
mod poison;
mod reboot;
mod records;
mod refusals;
mod sessions;
mod snapshots;
mod streams;
