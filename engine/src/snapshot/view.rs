//! Reading at one version.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use env::UnixMillis;
use rt::sync::Arc;

use crate::key::{IntoKey, Key};
use crate::range::KeyRange;
use crate::reentry;
use crate::store::{Registered, Store};
use crate::striped::Stripe;
use crate::types::Version;
use crate::value::Value;
use crate::value_ref::ValueRef;

/// A key's value and the version that it has.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Versioned {
    /// The value; `None` if the key is absent.
    pub value: Option<Value>,
    /// The version of the value, or of the tombstone if the key was deleted or has expired; zero if it never
    /// existed; `None` if a transaction reads its own write, which has no version yet.
    pub version: Option<Version>,
}

/// The whole database at one version. All answers stay the same for as long as the view lives.
pub trait SnapshotView {
    /// The version that the view reads.
    fn version(&self) -> Version;

    /// A key's value and version.
    fn get(&self, key: impl IntoKey) -> Versioned;

    /// The keys of a range with their values and versions, in key order.
    fn scan(&self, range: impl Into<KeyRange>) -> Vec<(Key, Versioned)>;

    /// The keys of the shared namespace that start with `prefix`, in key order.
    fn scan_prefix(&self, prefix: impl AsRef<[u8]>) -> Vec<(Key, Versioned)> {
        self.scan(KeyRange::prefix(prefix))
    }
}

/// Reads the live store at its version, in time and space that do not depend on the size of the database.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// use std::ops::ControlFlow;
/// use stormproof::{SnapshotView as _, Value, ValueRef};
///
/// db.put(run, "a", 1_i64)?;
/// db.put(run, "b", "two")?;
/// let view = db.snapshot();
/// assert_eq!(view.value("a"), Some(Value::I64(1)));
/// assert_eq!(view.get("a").version, Some(db.provenance("a").expect("it is there").version));
/// assert!(view.get_with("b", |value| value == Some(ValueRef::String("two"))));
/// let mut last = None;
/// view.visit(.., true, |key, _| {
///     last = Some(key.clone());
///     ControlFlow::Break(())
/// });
/// assert_eq!(last.expect("there are two").user_key(), b"b");
/// assert_eq!((view.scan("a"..="b").len(), view.scan_prefix("b").len()), (2, 1));
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Debug)]
pub struct LazySnapshotView {
    store: Arc<Stripe<Store>>,
    registered: Registered,
    now: UnixMillis,
}

impl LazySnapshotView {
    #[inline]
    pub(crate) fn new(store: Arc<Stripe<Store>>) -> Self {
        let registered = store.snapshots.register();
        let now = store.wall_time();
        Self { store, registered, now }
    }

    /// The value of a key, if it is present: like [`SnapshotView::get`], without the version.
    #[inline]
    pub fn value(&self, key: impl IntoKey) -> Option<Value> {
        self.get_with(key, |value| value.map(ValueRef::to_value))
    }

    /// Calls `read` with the value of a key, `None` if it is absent: like [`value`](Self::value), but nothing
    /// is copied or counted. `read` should be short, as nothing that others overwrite meanwhile is freed, and
    /// must not use the database.
    #[inline]
    pub fn get_with<R>(&self, key: impl IntoKey, read: impl FnOnce(Option<ValueRef<'_>>) -> R) -> R {
        let key = key.into_key();
        let (at, now) = (self.registered.version, self.now);
        self.store.index.read(&key, at, now, |_, value, _| reentry::looking(|| read(value)))
    }

    /// Calls `visit` with the keys of a range and their values, in key order or backwards, until it breaks.
    /// Nothing is copied. `visit` should be short, as nothing that others overwrite meanwhile is freed, and
    /// must not use the database.
    pub fn visit(
        &self,
        range: impl Into<KeyRange>,
        reverse: bool,
        mut visit: impl FnMut(&Key, ValueRef<'_>) -> ControlFlow<()>,
    ) {
        let (at, now) = (self.registered.version, self.now);
        reentry::looking(|| {
            self.store.index.visit(&range.into(), reverse, at, now, |key, _, value| visit(key, value));
        });
    }
}

impl SnapshotView for LazySnapshotView {
    fn version(&self) -> Version {
        self.registered.version
    }

    #[inline]
    fn get(&self, key: impl IntoKey) -> Versioned {
        let (at, now) = (self.registered.version, self.now);
        self.store.index.read(&key.into_key(), at, now, |version, value, _| Versioned {
            value: value.map(ValueRef::to_value),
            version: Some(version),
        })
    }

    fn scan(&self, range: impl Into<KeyRange>) -> Vec<(Key, Versioned)> {
        let mut found = Vec::new();
        let (at, now) = (self.registered.version, self.now);
        self.store.index.visit(&range.into(), false, at, now, |key, version, value| {
            let versioned = Versioned { value: Some(value.to_value()), version: Some(version) };
            found.push((key.clone(), versioned));
            ControlFlow::Continue(())
        });
        found
    }
}

impl Drop for LazySnapshotView {
    fn drop(&mut self) {
        self.store.snapshots.release(&self.registered);
    }
}

/// A deep copy of the database at its version: obviously right, slow to make, and the oracle for the other
/// view.
#[derive(Clone, Debug)]
pub struct ClonedSnapshotView {
    version: Version,
    entries: BTreeMap<Key, Versioned>,
}

impl ClonedSnapshotView {
    pub(crate) fn new(store: &Arc<Stripe<Store>>) -> Self {
        let source = LazySnapshotView::new(Arc::clone(store));
        let mut entries = BTreeMap::new();
        store.index.entries(&KeyRange::everything(), source.version(), |entry| {
            let value = entry.live(source.now).map(ValueRef::to_value);
            let versioned = Versioned { value, version: Some(entry.version()) };
            entries.insert(Key::from_encoded(entry.key()), versioned);
            ControlFlow::Continue(())
        });
        Self { version: source.version(), entries }
    }
}

impl SnapshotView for ClonedSnapshotView {
    fn version(&self) -> Version {
        self.version
    }

    fn get(&self, key: impl IntoKey) -> Versioned {
        self.entries
            .get(&key.into_key())
            .cloned()
            .unwrap_or(Versioned { value: None, version: Some(Version::ZERO) })
    }

    fn scan(&self, range: impl Into<KeyRange>) -> Vec<(Key, Versioned)> {
        let range = range.into();
        self.entries
            .iter()
            .filter(|(key, versioned)| range.contains(key) && versioned.value.is_some())
            .map(|(key, versioned)| (key.clone(), versioned.clone()))
            .collect()
    }
}
