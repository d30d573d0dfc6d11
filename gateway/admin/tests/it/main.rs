//! The door of operators before a venue that runs: HTTP in, reports and market data out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed unwrap is a failed test"
)]

mod acts;
mod http;
mod stage;
