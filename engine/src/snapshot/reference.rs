//! The reference for tests: a snapshot by copying everything, and what it has in common with the real one.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::{Snapshot, Versioned};
use crate::key::{IntoKey, Key};
use crate::range::KeyRange;
use crate::types::Version;
use crate::value::Value;
use crate::value_ref::ValueRef;

/// The whole database at one version, by either implementation.
pub trait SnapshotView {
    /// Returns the version.
    fn version(&self) -> Version;

    /// Returns a key's value and version.
    fn versioned(&self, key: impl IntoKey) -> Versioned;

    /// Returns the keys, values and versions of a range, in key order.
    fn entries(&self, range: impl Into<KeyRange>) -> Vec<(Key, Value, Option<Version>)>;
}

impl SnapshotView for Snapshot {
    fn version(&self) -> Version {
        Self::version(self)
    }

    fn versioned(&self, key: impl IntoKey) -> Versioned {
        self.get_versioned(key)
    }

    fn entries(&self, range: impl Into<KeyRange>) -> Vec<(Key, Value, Option<Version>)> {
        let parts = |entry: crate::iter::Entry| {
            let version = entry.version();
            let (key, value) = entry.into_pair();
            (key, value, version)
        };
        self.range(range).map(parts).collect()
    }
}

/// A deep copy of the database at one version: obviously right, and slow to make.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// use stormproof::{ClonedSnapshotView, SnapshotView as _};
///
/// db.put(run, "key", 1_i64)?;
/// let snapshot = db.snapshot();
/// let copy = ClonedSnapshotView::of(&snapshot);
/// assert_eq!(copy.entries(..), snapshot.entries(..));
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClonedSnapshotView {
    version: Version,
    entries: BTreeMap<Key, Versioned>,
}

impl ClonedSnapshotView {
    /// Takes a copy of all that a snapshot sees.
    pub fn of(snapshot: &Snapshot) -> Self {
        let open = &snapshot.open;
        let mut entries = BTreeMap::new();
        open.store.index.entries(&KeyRange::everything(), open.version(), |entry| {
            let value = entry.live(open.now).map(ValueRef::to_value);
            let versioned = Versioned { value, version: Some(entry.version()) };
            entries.insert(Key::from_encoded(entry.key()), versioned);
            ControlFlow::Continue(())
        });
        Self { version: open.version(), entries }
    }
}

impl SnapshotView for ClonedSnapshotView {
    fn version(&self) -> Version {
        self.version
    }

    fn versioned(&self, key: impl IntoKey) -> Versioned {
        let absent = Versioned { value: None, version: Some(Version::ZERO) };
        self.entries.get(&key.into_key()).cloned().unwrap_or(absent)
    }

    fn entries(&self, range: impl Into<KeyRange>) -> Vec<(Key, Value, Option<Version>)> {
        let range = range.into();
        let present =
            |(key, found): (&Key, &Versioned)| Some((key.clone(), found.value.clone()?, found.version));
        self.entries.iter().filter(|(key, _)| range.contains(key)).filter_map(present).collect()
    }
}
