//! The administrative door: operators' HTTP, beside the venue and never in its way.
//!
//! What it reads are counters that the venue's threads write anyway. What it orders goes through
//! the desk into the ring as a command like any other, is journalled with the name of who ordered
//! it, and is answered once it is durable. Tokio lives on one thread of this crate and nowhere
//! else.
//!
//! Follow a request through the files: `door` accepts it, `api` finds what it is about, `registry`
//! knows whose token it carries, `body` reads it, `names` turns names into ids, the desk does it;
//! `answer` and `problem` are what is said.
//!
//! Every act may be ordered again: what is so already stays so, and the answer says `unchanged`.

mod answer;
mod api;
mod body;
mod clerk;
mod door;
mod health;
pub mod limits;
mod names;
pub mod operators;
pub mod problem;
mod registry;
mod workers;

pub use door::{Admin, AdminError, Bound, Settings, start};
