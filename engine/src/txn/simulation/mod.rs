//! What a simulation of an application needs of the engine: reports of what transactions do, and the refusal
//! of calls from outside of the simulation.
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
