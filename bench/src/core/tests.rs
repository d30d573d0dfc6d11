//! Tiny workloads through everything.
