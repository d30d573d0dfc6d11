//! The demonstration: synthetic brokers over real connections.
//!
//! [`flow`] decides what the brokers do, [`brokers`] does it and measures, [`subscribers`] read
//! along.

pub(crate) mod brokers;
pub(crate) mod flow;
pub(crate) mod subscribers;
