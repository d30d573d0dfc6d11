//! Measures Uncross: programs, never timed tests.
//!
//! [`core`] runs the matching engine alone, in process, against the naive book and, with the
//! feature `peers`, against order books of others. [`journal`] measures the journal beside the
//! limits of memory and disk, [`recovery`] how long a venue takes to start, [`beside`] whether what
//! runs beside the core slows it. Each gives a [`Told`]. What is measured and how to read it is in
//! `docs/bench-method.md`.

pub mod beside;
pub mod core;
pub mod journal;
pub mod machine;
pub mod recovery;
pub mod run;
mod told;

pub use told::Told;
