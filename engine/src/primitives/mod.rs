//! What agents build on: key-value data, event logs, state machines.
//!
//! All three are ways of using one [`Transaction`](crate::Transaction), so data of all kinds commit together
//! or not at all. Their keys differ in the type tag and never meet.

#[cfg(feature = "sha2")]
mod event_log;
mod kv_store;
mod state_machine;

#[cfg(feature = "sha2")]
pub use event_log::{Event, EventLog};
pub use kv_store::KvStore;
pub use state_machine::{State, StateMachine, StateMachineBuilder};
