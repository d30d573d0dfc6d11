//! uncross-client
