//! What a simulation of an application wants of the engine: to be told what transactions do, and that calls
//! from outside of it are refused.
//!
//! Job: the [`Hooks`] of a database. Without the feature `simulation` they are empty, and cost nothing. Not
//! its job: recording and judging, which is the simulator's.

#[cfg(feature = "simulation")]
mod hooks;
#[cfg(feature = "simulation")]
mod observer;

#[cfg(not(feature = "simulation"))]
#[path = "no_hooks.rs"]
mod hooks;

pub(crate) use hooks::Hooks;
#[cfg(feature = "simulation")]
pub use observer::{Observed, Observer};
