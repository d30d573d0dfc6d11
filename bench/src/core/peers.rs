//! Order books of others, as published in the Cargo registry.

pub(super) mod matchcore;
pub(super) mod orderbook;
