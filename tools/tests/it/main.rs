//! The program as its users meet it: arguments in, output and exit code out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed unwrap is a failed test"
)]

mod bad_input;
mod bench;
mod config;
mod copies;
mod crash;
mod doctor;
mod documents;
mod export;
mod fake;
mod frame;
mod help;
mod import;
mod init;
mod json;
mod lobster;
mod manual;
mod orders;
mod program;
mod requests;
mod running;
mod server;
mod sessions;
mod tape;
mod tour;
mod user;
mod venue;
mod wire;
