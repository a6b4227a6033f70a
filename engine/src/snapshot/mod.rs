//! Snapshots as users see them: reading the whole database at one version.
//!
//! [`Snapshot`] reads the live store. Beside it there is, for tests, a copy that is obviously right. Which
//! snapshots are open, and so what may be collected, is known to the `store`.

mod view;
mod versioned;
mod reference;

pub use reference::{ClonedSnapshotView, SnapshotView};
pub use versioned::Versioned;
pub use view::Snapshot;
