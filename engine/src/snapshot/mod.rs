//! Snapshots as users see them: reading the whole database at one version.
//!
//! A [`SnapshotView`] reads at one version; there are two, of which the copying one is obviously right and
//! the lazy one is fast. Which snapshots are open, and so what may be collected, is known to the `store`.

mod view;

pub use view::{ClonedSnapshotView, LazySnapshotView, SnapshotView, Versioned};
