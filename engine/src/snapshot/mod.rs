//! Snapshots: which versions are still being read, and how a snapshot is read.
//!
//! [`registry`](self) knows the oldest snapshot, below which old versions may go. A [`SnapshotView`] reads at one
//! version; there are two, of which the copying one is obviously right and the lazy one is fast.

mod registry;
mod view;

pub(crate) use registry::{Registered, SnapshotRegistry};
pub use view::{ClonedSnapshotView, LazySnapshotView, SnapshotView, Versioned};
