//! The engine as a store, twice from one source: simulated and real.

pub mod real;
pub mod simulated;
