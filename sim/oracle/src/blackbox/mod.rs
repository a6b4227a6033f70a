//! The black-box checker: decides by values alone which isolation levels a history satisfies.
//!
//! Job: for each level, whether some order of the transactions explains what clients saw; if not, the
//! shortest cycle that proves it, each edge in a sentence. Not its job: crashes, and versions that the store
//! reported, which serve as guesses only.
//!
//! How a level is decided:
//! 1. direct anomalies: values that no committed transaction left;
//! 2. a cycle among what reads prove, on a graph with as many edges as there are operations: violated;
//! 3. if reads prove the whole order, as for lists and for registers that are read before they are written:
//!    holds;
//! 4. else add implied edges ([`saturate`]): a cycle is violated;
//! 5. else guess the rest by a simulated schedule ([`schedule`]) or by time; an acyclic guess proves that it
//!    holds;
//! 6. else try levels that keep more order, which leave less to decide;
//! 7. else search, within limits; past a limit the answer is [`Standing::Unknown`].
//!
//! Invariants: INV-BB-1: "violated" is never based on a guess. INV-BB-2: "holds" is always backed by an order
//! that was checked to be acyclic.

mod anomaly_names;
mod census;
mod classify_cycle;
mod cycle_edge;
mod events;
mod judge;
mod key_orders;
mod orders;
mod paths;
mod problem;
mod resolve;
mod rule;
mod saturate;
mod schedule;
mod search;
mod single;
mod table;
mod terms;
mod weak;

pub use anomaly_names::NAMES as ANOMALY_NAMES;
pub use cycle_edge::{CycleEdge, Dependency};
pub use key_orders::VersionOrders;
pub use table::{Anomaly, Standing, Table};

pub(crate) use judge::{judge, judge_at};
pub(crate) use terms::{MEMORY_MAX, Terms};
