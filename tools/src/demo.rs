//! The demonstration: synthetic brokers over real connections.
//!
//! [`flow`] decides what the brokers do, [`brokers`] does it and measures.

pub(crate) mod brokers;
pub(crate) mod flow;
