//! uncross
fn main() {}
