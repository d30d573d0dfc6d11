//! Questions to a journal, answered from its records alone: nothing is changed, a venue may run
//! beside, and what is held in memory is bounded by the engine's capacity, not by the journal.

pub mod cat;
pub mod diff;
pub mod history;
pub mod moment;
pub mod overview;
mod run;
pub mod streams;
pub mod told;
