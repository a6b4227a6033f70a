//! The deterministic simulator of the Stormproof engine.
//!
//! A run goes `seed → plan → world → lives → history → verdict`. Everything about it follows from one number:
//!
//! - [`seed`] gives labelled streams of randomness, [`plan`] draws from them what will happen, as plain data;
//! - [`mod@run`] plays it: one execution of the twin engine per life, a world (disk, clocks, history) that
//!   outlives them, and a verdict by the oracle, the workload and the world;
//! - [`trace`] writes a failure to a file, [`shrink`] reduces it, [`sweep`] runs many seeds in worker
//!   processes, [`zoo`] shows that deliberate bugs are found;
//! - [`real`] runs the same workloads on real threads, a real disk and other databases, with real kills;
//! - [`cli`] is the binary `stormproof`, which users can build with workloads of their own:
//!   [`cli::main_with`].
//!
//! Architecture invariant: nothing in a run depends on wall time, the operating system's randomness,
//! addresses or thread identity. Only [`sweep`], [`real`] and [`cli`] know the real world.

pub mod build_id;
pub mod digest;
pub mod seed;

pub mod options;
pub mod plan;

mod landmarks;
pub mod registry;
pub mod run;
pub mod workload_params;
pub mod store;

pub mod finding;
pub mod inspector;
pub mod invariants;
mod suggest;
pub mod summary;
pub mod task_names;
pub mod stats;
pub mod surface;

pub mod enumerate;
pub mod explore;
pub mod real;
pub mod report;
pub mod runner;
pub mod determinism;
pub mod guided;
pub mod shrink;
pub mod sweep;
pub mod trace;
pub mod triage;
pub mod zoo;

#[cfg(feature = "cli")]
pub mod cli;
pub mod marks;
