//! Ranges of keys.

use std::ops;

use crate::key::{Key, Namespace, TypeTag};

/// A range of keys: the start belongs to it, the end does not.
///
/// Made from the usual range expressions (`"a".."c"`, `"a"..="c"`, `"a"..`, `..`), which mean keys of the
/// shared namespace, from [`KeyRange::prefix`], or in another namespace from [`KeyRange::in_namespace`].
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// use stormproof::{KeyRange, Namespace};
///
/// for name in ["a", "b", "b/1", "c"] {
///     db.put(run, name, 0_i64)?;
/// }
/// let mut txn = db.begin_transaction(run)?;
/// assert_eq!(txn.range("a".."c")?.count(), 3);
/// assert_eq!(txn.range("b"..="c")?.count(), 3);
/// assert_eq!(txn.range(KeyRange::prefix("b"))?.count(), 2);
///
/// let space = Namespace::of_run(run);
/// assert_eq!(txn.range(KeyRange::in_namespace(&space, ""))?.count(), 0);
/// let range = KeyRange::between(space.key("a"), space.key("m"));
/// assert!(range.contains(&space.key("b")) && !range.contains(&space.key("z")));
/// assert_eq!((range.start(), range.end()), (&space.key("a"), Some(&space.key("m"))));
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    start: Key,
    end: Option<Key>,
}

impl KeyRange {
    /// Returns all keys of the shared namespace that start with `prefix`.
    pub fn prefix(prefix: impl AsRef<[u8]>) -> Self {
        Self::all_with(Key::shared(TypeTag::Kv, prefix.as_ref()))
    }

    /// Returns all keys of a namespace that start with `prefix`.
    pub fn in_namespace(namespace: &Namespace, prefix: impl AsRef<[u8]>) -> Self {
        Self::all_with(namespace.key(prefix))
    }

    /// Creates the range from `start` up to, but not including, `end`; both in one namespace or not.
    pub const fn between(start: Key, end: Key) -> Self {
        Self { start, end: Some(end) }
    }

    /// Returns the first key.
    pub const fn start(&self) -> &Key {
        &self.start
    }

    /// Returns the first key after the range; `None` if it goes on to the last key.
    pub const fn end(&self) -> Option<&Key> {
        self.end.as_ref()
    }

    /// Returns whether the key lies in the range.
    pub fn contains(&self, key: &Key) -> bool {
        self.start <= *key && self.end.as_ref().is_none_or(|end| key < end)
    }

    pub(crate) fn all_with(prefix: Key) -> Self {
        let end = prefix.prefix_end();
        Self { start: prefix, end }
    }

    pub(crate) const fn from_parts(start: Key, end: Option<Key>) -> Self {
        Self { start, end }
    }

    /// Returns whether there can be a key that lies in both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let begins_before_end_of =
            |one: &Self, two: &Self| two.end.as_ref().is_none_or(|end| one.start < *end);
        begins_before_end_of(self, other) && begins_before_end_of(other, self)
    }

    /// Returns every key of the database, the system's own included.
    pub(crate) fn everything() -> Self {
        Self { start: Key::from_encoded(&[]), end: None }
    }

    /// Returns the part of the range up to a key in it.
    #[cfg(feature = "simulation")]
    pub(crate) fn up_to(&self, last: &Key) -> Self {
        Self { start: self.start.clone(), end: Some(last.successor()) }
    }

    /// Returns the part of the range from a key in it.
    #[cfg(feature = "simulation")]
    pub(crate) fn from(&self, first: &Key) -> Self {
        Self { start: first.clone(), end: self.end.clone() }
    }

    /// Returns the part of the range that a scan has covered when it stops early after `last`.
    pub(crate) fn cut_after(&self, last: &Key, reverse: bool) -> Self {
        if rt::mutant!(LimitedScanForgetsLast) {
            let (start, end) = if reverse {
                (last.successor(), self.end.clone())
            } else {
                (self.start.clone(), Some(last.clone()))
            };
            return Self { start, end };
        }
        if reverse {
            Self { start: last.clone(), end: self.end.clone() }
        } else {
            Self { start: self.start.clone(), end: Some(last.successor()) }
        }
    }
}

fn shared(key: impl AsRef<[u8]>) -> Key {
    Key::shared(TypeTag::Kv, key.as_ref())
}

/// Returns the bound after the last key of the shared namespace.
fn shared_end() -> Option<Key> {
    shared([]).prefix_end()
}

impl<K: AsRef<[u8]>> From<ops::Range<K>> for KeyRange {
    fn from(range: ops::Range<K>) -> Self {
        Self { start: shared(range.start), end: Some(shared(range.end)) }
    }
}

impl<K: AsRef<[u8]>> From<ops::RangeInclusive<K>> for KeyRange {
    fn from(range: ops::RangeInclusive<K>) -> Self {
        let last = shared(range.end());
        let end = if rt::mutant!(InclusiveRangeEndsBefore) { last } else { last.successor() };
        Self { start: shared(range.start()), end: Some(end) }
    }
}

impl<K: AsRef<[u8]>> From<ops::RangeFrom<K>> for KeyRange {
    fn from(range: ops::RangeFrom<K>) -> Self {
        Self { start: shared(range.start), end: shared_end() }
    }
}

impl<K: AsRef<[u8]>> From<ops::RangeTo<K>> for KeyRange {
    fn from(range: ops::RangeTo<K>) -> Self {
        Self { start: shared([]), end: Some(shared(range.end)) }
    }
}

impl From<ops::RangeFull> for KeyRange {
    fn from(_: ops::RangeFull) -> Self {
        Self { start: shared([]), end: shared_end() }
    }
}

impl From<&Self> for KeyRange {
    fn from(range: &Self) -> Self {
        range.clone()
    }
}
