//! uncross-wire
