//! What agents do to a store, and what they saw: the [`Store`] trait, [`History`], and workloads.
//!
//! Workloads know a store only through [`Store`], so the same workload runs in a simulation, on real threads and on
//! other databases. Checkers know a run only through its [`History`], so they can't inherit a store's bugs.
//!
//! Architecture invariant: this crate imports no engine and no runtime.

pub mod history;
pub mod store;

pub use history::History;
pub use store::{Store, StoreError, StoreTxn};
