//! uncross-engine
