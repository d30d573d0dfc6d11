//! The program as its users meet it: arguments in, output and exit code out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed unwrap is a failed test"
)]

mod admin;
mod audit;
mod backup;
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
mod generations;
mod help;
mod history;
mod import;
mod init;
mod journals;
mod json;
mod lobster;
mod manual;
mod moments;
mod operator;
mod orders;
mod program;
mod progress;
mod requests;
mod running;
mod server;
mod sessions;
mod snapshots;
mod tape;
mod tour;
mod user;
mod venue;
mod versions;
mod wire;
