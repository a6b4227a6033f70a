//! Values from serde types, with the feature `serde`: a type that can be serialized becomes a [`Value`] of
//! maps, arrays and plain values, so that it stays readable where it is stored, and fields can be added
//! later.
//!
//! As usual for formats that describe themselves: structs are maps by field name, enums are the variant's
//! name, or a map with the variant's name as its only key, `None` and units are null. Bytes are bytes only
//! for types that ask for it (`serde_bytes`). Keys of maps are text; integers, booleans and characters as
//! keys become text.

mod de;
mod error;
mod own;
mod ser;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::database::Database;
use crate::error::Result;
use crate::iter::{Entry, EntryRef};
use crate::key::IntoKey;
use crate::run_id::RunId;
use crate::snapshot::Snapshot;
use crate::txn::Transaction;
use crate::value::{Value, ValueError};
use crate::value_ref::ValueRef;

/// A serde type as a value, for tables and wherever a value is asked for.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// use serde::{Deserialize, Serialize};
/// use stormproof::{Serde, Table};
///
/// #[derive(Serialize, Deserialize)]
/// struct Note {
///     title: String,
///     tags: Vec<String>,
/// }
///
/// let notes = Table::<u64, Serde<Note>>::new("notes");
/// db.table(&notes).put(run, &1, Serde(Note { title: "find it".into(), tags: vec!["bug".into()] }))?;
/// let Some(Serde(note)) = db.table(&notes).get(&1)? else { panic!("it was put") };
/// assert_eq!((note.title.as_str(), note.tags.len()), ("find it", 1));
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serde<T>(pub T);

impl<T: Serialize> TryFrom<Serde<T>> for Value {
    type Error = ValueError;

    fn try_from(Serde(value): Serde<T>) -> Result<Self, ValueError> {
        Self::from_serde(&value)
    }
}

impl<T: DeserializeOwned> TryFrom<Value> for Serde<T> {
    type Error = ValueError;

    fn try_from(value: Value) -> Result<Self, ValueError> {
        ValueRef::from(&value).to_serde().map(Self)
    }
}

impl Value {
    /// Returns the value that a serde type becomes.
    ///
    /// ```
    /// use stormproof::{Value, ValueRef};
    ///
    /// let value = Value::from_serde(&(1_u8, Some("two"), [3.0]))?;
    /// assert_eq!(value.to_string(), "[1, \"two\", [3.0]]");
    /// let (one, two, three): (u8, Option<String>, Vec<f64>) = ValueRef::from(&value).to_serde()?;
    /// assert_eq!((one, two.as_deref(), three), (1, Some("two"), vec![3.0]));
    /// # Ok::<(), stormproof::ValueError>(())
    /// ```
    ///
    /// # Errors
    /// [`ValueError::Serde`] when the type refuses, has keys of maps that can't be text, or nests deeper than
    /// a value that can be stored.
    pub fn from_serde(value: &(impl Serialize + ?Sized)) -> Result<Self, ValueError> {
        Ok(value.serialize(ser::ToValue::default())?)
    }
}

impl<'a> ValueRef<'a> {
    /// Returns the value as a serde type, which can borrow text and bytes from it.
    ///
    /// ```
    /// use stormproof::{Value, ValueRef};
    ///
    /// let value = Value::from("borrowed");
    /// assert_eq!(ValueRef::from(&value).to_serde::<&str>()?, "borrowed");
    /// # Ok::<(), stormproof::ValueError>(())
    /// ```
    ///
    /// # Errors
    /// [`ValueError::Serde`] when it is none of that type, or nests deeper than a value that can be stored.
    pub fn to_serde<T: serde::Deserialize<'a>>(self) -> Result<T, ValueError> {
        self.check_depth()?;
        Ok(T::deserialize(de::FromValue(self))?)
    }
}

impl Entry {
    /// Returns the value as a serde type.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.put_as(run, "pair", &(1_u8, "one"))?;
    /// let entry = db.range(..).next().expect("there is one");
    /// assert_eq!(entry.get_as::<(u8, String)>()?, (1, "one".to_owned()));
    /// assert_eq!(db.range(..).next_ref().expect("one").get_as::<(u8, &str)>()?, (1, "one"));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`ValueRef::to_serde`].
    pub fn get_as<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(self.value().to_serde()?)
    }
}

impl<'a> EntryRef<'a> {
    /// Returns the value as a serde type, which can borrow text and bytes from it.
    ///
    /// # Errors
    /// As [`ValueRef::to_serde`].
    pub fn get_as<T: serde::Deserialize<'a>>(&self) -> Result<T> {
        Ok(self.value().to_serde()?)
    }
}

impl Transaction {
    /// Writes a serde type.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.put_as("pair", &(1_u8, "one"))?;
    /// assert_eq!(txn.get_as("pair")?, Some((1_u8, "one".to_owned())));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Value::from_serde`] and [`put`](Self::put).
    pub fn put_as(&mut self, key: impl IntoKey, value: &(impl Serialize + ?Sized)) -> Result<()> {
        self.put(key, Value::from_serde(value)?)
    }

    /// Reads a key as a serde type; `None` if the key is absent.
    ///
    /// # Errors
    /// As [`ValueRef::to_serde`] and [`get_with`](Self::get_with).
    pub fn get_as<T: DeserializeOwned>(&mut self, key: impl IntoKey) -> Result<Option<T>> {
        Ok(self.get_with(key, |value| value.map(ValueRef::to_serde).transpose())??)
    }
}

impl Snapshot {
    /// Reads a key as a serde type; `None` if the key is absent.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.put_as(run, "pair", &(1_u8, "one"))?;
    /// assert_eq!(db.snapshot().get_as("pair")?, Some((1_u8, "one".to_owned())));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`ValueRef::to_serde`].
    pub fn get_as<T: DeserializeOwned>(&self, key: impl IntoKey) -> Result<Option<T>> {
        Ok(self.get_with(key, |value| value.map(ValueRef::to_serde).transpose())?)
    }
}

impl Database {
    /// Writes a serde type, in a transaction of its own.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.put_as(run, "pair", &(1_u8, "one"))?;
    /// assert_eq!(db.get_as("pair")?, Some((1_u8, "one".to_owned())));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Value::from_serde`] and [`put`](Self::put).
    pub fn put_as(&self, run: RunId, key: impl IntoKey, value: &(impl Serialize + ?Sized)) -> Result<()> {
        self.put(run, key, Value::from_serde(value)?)
    }

    /// Reads a key as a serde type as of now; `None` if the key is absent.
    ///
    /// # Errors
    /// As [`ValueRef::to_serde`].
    pub fn get_as<T: DeserializeOwned>(&self, key: impl IntoKey) -> Result<Option<T>> {
        Ok(self.get_with(key, |value| value.map(ValueRef::to_serde).transpose())?)
    }
}

#[cfg(test)]
mod tests;
