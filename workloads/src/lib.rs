//! What agents do to a store, and what they saw: the [`Store`] trait, [`History`], and workloads.
//!
//! Workloads know a store only through [`Store`], so the same workload runs in a simulation, on real threads
//! and on other databases. Checkers know a run only through its [`History`], so they can't inherit a store's
//! bugs.
//!
//! A run goes `workload → plan → runner → (tx → store, recorder, notebook) → evidence → findings`.
//!
//! Architecture invariant: this crate imports no engine and no runtime. Threads, time and crashes belong to
//! the host.

pub mod store;

pub mod history;

pub mod workload;

pub mod act;
pub mod manner;
pub mod plan;

pub mod client;
pub mod environment;
mod interpret;
pub mod notebook;
mod sibling;
pub mod watching;
pub mod tx;

pub mod evidence;

pub mod generate;

pub mod catalogue;
pub mod recorded;

pub mod memory_store;
pub mod crashing_store;

#[cfg(test)]
mod self_tests;

pub use client::Runner;
pub use environment::Environment;
pub use evidence::Evidence;
pub use history::History;
pub use notebook::Notebook;
pub use plan::Plan;
pub use recorded::Recorded;
pub use store::{Store, StoreError, StoreTxn};
pub use tx::Tx;
pub use workload::{About, Finding, Scale, Workload, verdict};
