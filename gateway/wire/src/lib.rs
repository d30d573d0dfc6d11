//! Codecs of the gateway: `SoupBinTCP` packets, OUCH 5.0 order entry and ITCH 5.0 market data.
//!
//! This crate knows every wire byte and nothing else: it opens no socket, allocates nothing and
//! never panics on what a peer sent. A layout is written once, as a `#[repr(C)]` struct of
//! unaligned big-endian fields. Decoding checks type and length and then borrows a view of the
//! given slice; encoding fills the struct and copies its bytes. What a field may contain is for the
//! session and the engine to judge; only the optional fields of an OUCH appendage are checked here
//! for tag and length, because without that they cannot be read at all.
//!
//! The tables in `docs/protocol` state the same layouts for people; a test compares them with
//! [`Layout::FIELDS`].
#![no_std]

#[cfg(test)]
extern crate std;

#[macro_use]
mod layout;

pub mod drop_copy;
pub mod file;
pub mod itch;
pub mod ouch;
pub mod soup;
pub mod text;

pub use layout::{DecodeError, Description, Field, Layout, TypeByte};
pub use zerocopy::big_endian::{I32, U16, U32, U64};
pub use zerocopy::{FromBytes, IntoBytes};
