//! The venue: sockets in, ring, core, journal, events out.
//!
//! Follow an order through the files: `doors` reads its frame, `record` makes a record of it,
//! `ring` carries it, `core_loop` numbers and journals it, `replica` applies it, `events` carries
//! what came of it, `outbound` holds that until it may leave, `egress` writes it to `streams`,
//! [`publisher`] sends those. `talk` is what gateway and publisher say to each other. [`reactor`]
//! is the loop around all of it, on one thread or three, [`venue`] starts and ends it.

pub mod affinity;
mod ahead;
pub mod audit;
mod auth;
mod build_id;
mod calendar;
mod clock;
pub mod config;
mod connection;
pub mod core_loop;
pub mod desk;
mod doors;
mod egress;
pub mod events;
pub mod export;
mod follower;
pub mod limits;
pub mod notice;
mod outbound;
mod outlet;
mod output_hash;
pub mod private;
pub mod publisher;
pub mod reactor;
pub mod record;
pub mod replay;
pub mod replica;
pub mod ring;
mod room;
pub mod sessions;
pub mod shadow;
pub mod snapshot;
mod stream;
pub mod streams;
mod tail;
mod talk;
mod terms;
pub mod users;
pub mod venue;
mod waiting;

pub use build_id::build_text;
pub use uncross_engine as engine;
pub use uncross_journal as journal;
