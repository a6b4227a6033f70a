//! What integration tests of the whole workspace share: the engine as a store, real threads, scripts.
//!
//! The tests themselves are in `tests/`, isolation scripts in `isolation/`.

pub mod engine_store;
pub mod interrupted;
pub mod real;
pub mod script;
