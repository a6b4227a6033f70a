//! The same workloads and checkers on the real world: real threads, a real disk, real kills.
//!
//! A *round* is a plan, a store, and the lives that it has. It goes
//!
//! ```text
//! seed ─► round ─► lives ─► history ─► judge
//!         plan,    in this process, or in a process each
//!         store    that is killed on the way (`process_supervisor`)
//! ```
//!
//! - [`round`] draws a round from a seed, `target` opens its store and knows what that promises;
//! - `thread_runner` runs setup, clients and audit on threads; `process_supervisor` runs lives in child
//!   processes and kills them, `child` is what those do, and `message` is the protocol between the two;
//!   `power` is the disk that loses what was not synced, where the power goes out with a kill;
//! - `judge` hands the history to oracle and workload, [`campaign`] runs rounds until time is up, [`figures`]
//!   counts.
//!
//! The seed decides the plan and how the store is opened, and nothing else: threads, disk and kills are as
//! they come. So a violation is kept as its history, not as its seed.
//!
//! Architecture invariant: where lives are killed, what a client learnt of the store is recorded in another
//! process before the client acts on it.

pub mod campaign;
pub mod figures;
pub mod round;

mod child;
mod thread_runner;
mod judge;
mod power;
mod process_supervisor;
mod message;
mod peer;
mod target;
mod time;

pub use child::serve;
pub use judge::{Judged, judge};
pub use target::{Promise, Target, UnknownStore};
pub use thread_runner::{ThreadRunner, Work};
pub use time::RealTime;
