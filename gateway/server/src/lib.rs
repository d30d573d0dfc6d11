//! uncross-server
