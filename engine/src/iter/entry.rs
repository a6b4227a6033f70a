//! The items of iterators: a key with its value and version, borrowed or owned.

use std::fmt;

use smallvec::SmallVec;

use crate::error::{Error, Result};
use crate::key::Key;
use crate::mvcc;
use crate::types::Version;
use crate::value::Value;
use crate::value_ref::ValueRef;

/// Bytes of an encoded value that an entry holds without an allocation.
const INLINE: usize = 40;

/// A key with its value and version, free to keep. The value is decoded when it is asked for.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// use stormproof::{Value, ValueRef};
///
/// db.put(run, "answer", 42_i64)?;
/// let entry = db.range(..).next().expect("there is one");
/// assert_eq!((entry.user_key(), entry.key().user_key()), (&b"answer"[..], &b"answer"[..]));
/// assert_eq!((entry.get::<u64>()?, entry.value()), (42, ValueRef::I64(42)));
/// assert_eq!(entry.version(), Some(db.version()));
/// assert_eq!(entry.to_value(), Value::from(42_i64));
/// let (key, value) = entry.into_pair();
/// assert_eq!((key.user_key(), value), (&b"answer"[..], Value::I64(42)));
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Clone)]
pub struct Entry {
    key: Key,
    value: Kept,
    version: Option<Version>,
}

/// A value, free to keep.
#[derive(Clone)]
enum Kept {
    Encoded(SmallVec<[u8; INLINE]>),
    Own(Value),
}

/// A key with its value and version, where they are stored: nothing is copied.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// use stormproof::ValueRef;
///
/// db.put(run, "answer", 42_i64)?;
/// let mut range = db.range(..);
/// let entry = range.next_ref().expect("there is one");
/// assert_eq!((entry.user_key(), entry.value()), (&b"answer"[..], ValueRef::I64(42)));
/// assert_eq!((entry.get::<u64>()?, entry.version()), (42, Some(db.version())));
/// assert_eq!((entry.to_key().user_key(), entry.to_entry().key()), (&b"answer"[..], &entry.to_key()));
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct EntryRef<'a> {
    key: &'a [u8],
    value: Seen<'a>,
    version: Option<Version>,
}

/// A value, where it is stored.
#[derive(Clone, Copy)]
enum Seen<'a> {
    Encoded(&'a [u8]),
    Own(&'a Value),
}

impl Entry {
    #[cfg(feature = "simulation")]
    pub(crate) const fn new(key: Key, value: Value, version: Option<Version>) -> Self {
        Self { key, value: Kept::Own(value), version }
    }

    /// Returns the key.
    #[inline]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// Returns the name that the user gave the key, without namespace and type tag.
    pub fn user_key(&self) -> &[u8] {
        self.key.user_key()
    }

    /// Returns the value, decoded in place.
    #[inline]
    pub fn value(&self) -> ValueRef<'_> {
        match &self.value {
            Kept::Encoded(bytes) => ValueRef::decode(bytes),
            Kept::Own(value) => value.into(),
        }
    }

    /// Returns the value as a value of the type that the caller names or implies.
    ///
    /// # Errors
    /// [`Error::Value`] when the value has another type.
    pub fn get<V>(&self) -> Result<V>
    where
        V: TryFrom<Value>,
        Error: From<V::Error>,
    {
        Ok(V::try_from(self.to_value())?)
    }

    /// Returns the value, free to keep.
    pub fn to_value(&self) -> Value {
        self.value().to_value()
    }

    /// Returns the version of the value; `None` if the transaction itself wrote it.
    #[inline]
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// Returns key and value.
    pub fn into_pair(self) -> (Key, Value) {
        let value = match self.value {
            Kept::Encoded(bytes) => ValueRef::decode(&bytes).to_value(),
            Kept::Own(value) => value,
        };
        (self.key, value)
    }
}

/// The same key, value and version.
impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.version == other.version && self.value() == other.value()
    }
}

impl Eq for Entry {}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut entry = f.debug_struct("Entry");
        entry.field("key", &self.key).field("value", &self.value()).field("version", &self.version).finish()
    }
}

impl<'a> EntryRef<'a> {
    #[inline]
    pub(super) fn stored(entry: mvcc::EntryRef<'a>) -> Self {
        Self::of(entry.key_and_value(), entry.version())
    }

    #[inline]
    pub(super) fn of_page(entry: mvcc::PageEntry<'a>) -> Self {
        Self::of(entry.key_and_value(), entry.version())
    }

    #[inline]
    fn of((key, value): (&'a [u8], Option<&'a [u8]>), version: Version) -> Self {
        // A cursor comes to values only, never to a tombstone.
        Self { key, value: Seen::Encoded(value.unwrap_or_default()), version: Some(version) }
    }

    #[inline]
    pub(super) fn own(key: &'a Key, value: &'a Value) -> Self {
        Self { key: key.as_bytes(), value: Seen::Own(value), version: None }
    }

    /// Returns the key, free to keep.
    #[inline]
    pub fn to_key(&self) -> Key {
        Key::from_encoded(self.key)
    }

    /// Returns the name that the user gave the key, without namespace and type tag.
    #[inline]
    pub fn user_key(&self) -> &'a [u8] {
        Key::user_key_of(self.key)
    }

    /// Returns the value, decoded in place.
    #[inline]
    pub fn value(&self) -> ValueRef<'a> {
        match self.value {
            Seen::Encoded(bytes) => ValueRef::decode(bytes),
            Seen::Own(value) => value.into(),
        }
    }

    /// Returns the value as a value of the type that the caller names or implies.
    ///
    /// # Errors
    /// [`Error::Value`] when the value has another type.
    pub fn get<V>(&self) -> Result<V>
    where
        V: TryFrom<Value>,
        Error: From<V::Error>,
    {
        Ok(V::try_from(self.value().to_value())?)
    }

    /// Returns the version of the value; `None` if the transaction itself wrote it.
    #[inline]
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// Returns the entry, free to keep.
    #[inline]
    pub fn to_entry(&self) -> Entry {
        let value = match self.value {
            Seen::Encoded(bytes) => Kept::Encoded(SmallVec::from_slice(bytes)),
            Seen::Own(value) => Kept::Own(value.clone()),
        };
        Entry { key: self.to_key(), value, version: self.version }
    }
}

impl fmt::Debug for EntryRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut entry = f.debug_struct("EntryRef");
        entry
            .field("key", &self.to_key())
            .field("value", &self.value())
            .field("version", &self.version)
            .finish()
    }
}
