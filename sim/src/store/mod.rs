//! The engine as a store, compiled twice from one source: simulated and real.

pub mod calls;
pub mod real;
pub mod simulated;
