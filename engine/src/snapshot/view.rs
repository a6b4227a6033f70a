//! Reading at one version.

use rt::sync::Arc;

use super::Versioned;
use crate::error::{Error, Result};
use crate::iter::{Range, Source};
use crate::key::{IntoKey, Key};
use crate::range::KeyRange;
use crate::reentry;
use crate::store::{OpenSnapshot, Store};
use crate::striped::Stripe;
use crate::types::Version;
use crate::value::Value;
use crate::value_ref::ValueRef;

/// The whole database at one version: all answers stay the same for as long as the snapshot lives. Takes no
/// time and no memory to make, whatever the size of the database; what it sees is kept until it is dropped.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// use stormproof::{Value, ValueRef};
///
/// db.put(run, "a", 1_i64)?;
/// db.put(run, "b", "two")?;
/// let snapshot = db.snapshot();
/// db.delete(run, "a")?;
/// assert_eq!((snapshot.get::<u64>("a")?, snapshot.value("a")), (Some(1), Some(Value::I64(1))));
/// assert_eq!(snapshot.get_many::<i64>(["a", "z"])?, [Some(1), None]);
/// assert!(snapshot.version() < db.version());
/// assert_eq!(snapshot.get_versioned("b").version, Some(snapshot.version()));
/// assert!(snapshot.exists("b") && !snapshot.exists("z"));
/// assert!(snapshot.get_with("b", |value| value == Some(ValueRef::String("two"))));
/// assert_eq!(snapshot.range("a"..="b").next_back().expect("there are two").user_key(), b"b");
/// assert_eq!(snapshot.prefix("b").count(), 1);
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Debug)]
pub struct Snapshot {
    pub(super) open: OpenSnapshot,
}

impl Snapshot {
    #[inline]
    pub(crate) fn new(store: Arc<Stripe<Store>>) -> Self {
        Self { open: OpenSnapshot::new(store) }
    }

    /// Returns the version that it reads.
    #[inline]
    pub const fn version(&self) -> Version {
        self.open.version()
    }

    /// Reads a key as a value of the type that the caller names or implies; `None` if the key is absent.
    ///
    /// # Errors
    /// [`Error::Value`] when the value has another type.
    #[inline]
    pub fn get<V>(&self, key: impl IntoKey) -> Result<Option<V>>
    where
        V: TryFrom<Value>,
        Error: From<V::Error>,
    {
        Ok(self.value(key).map(V::try_from).transpose()?)
    }

    /// Reads many keys, in the order in which they are given.
    ///
    /// # Errors
    /// [`Error::Value`] when a value has another type than asked for.
    pub fn get_many<V>(&self, keys: impl IntoIterator<Item = impl IntoKey>) -> Result<Vec<Option<V>>>
    where
        V: TryFrom<Value>,
        Error: From<V::Error>,
    {
        let keys: Vec<Key> = keys.into_iter().map(IntoKey::into_key).collect();
        self.open.store.index.prefetch(&keys);
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// Returns the value of a key, of whatever type; `None` if the key is absent.
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
        let (at, now) = (self.open.version(), self.open.now);
        let at = if rt::mutant!(ViewReadsNewest) { self.open.store.published() } else { at };
        self.open.store.index.read(&key, at, now, |_, value, _| reentry::reading_in_place(|| read(value)))
    }

    /// Returns a key's value and version.
    #[inline]
    pub fn get_versioned(&self, key: impl IntoKey) -> Versioned {
        let (at, now) = (self.open.version(), self.open.now);
        self.open.store.index.read(&key.into_key(), at, now, |version, value, _| Versioned {
            value: value.map(ValueRef::to_value),
            version: Some(version),
        })
    }

    /// Returns whether a key is present.
    pub fn exists(&self, key: impl IntoKey) -> bool {
        self.get_with(key, |value| value.is_some())
    }

    /// Returns the entries of a range, lazily, in key order or backwards.
    #[inline]
    pub fn range(&self, range: impl Into<KeyRange>) -> Range<'_> {
        let source = Source::Borrowed(&self.open.store);
        Range::of_snapshot(source, range.into(), self.open.version(), self.open.now)
    }

    /// Returns the entries of the shared namespace whose keys start with `prefix`: a [`range`](Self::range).
    pub fn prefix(&self, prefix: impl AsRef<[u8]>) -> Range<'_> {
        self.range(KeyRange::prefix(prefix))
    }

    /// Returns the entries of a range, by an iterator that keeps the snapshot.
    #[inline]
    pub(crate) fn into_range(self, range: KeyRange) -> Range<'static> {
        let (at, now) = (self.open.version(), self.open.now);
        Range::of_snapshot(Source::Open(self.open), range, at, now)
    }
}
