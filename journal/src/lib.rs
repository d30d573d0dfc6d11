//! uncross-journal
