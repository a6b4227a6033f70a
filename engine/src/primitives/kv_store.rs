//! Key-value data of one namespace.

use crate::error::{Error, Result};
use crate::iter::Range;
use crate::key::{Key, Namespace};
use crate::range::KeyRange;
use crate::txn::Transaction;
use crate::value::Value;

/// Key-value data of one namespace.
///
/// ```
/// use stormproof::{Database, KvStore, Namespace};
///
/// # fn main() -> Result<(), stormproof::Error> {
/// let db = Database::open_in_memory()?;
/// let run = db.begin_run()?;
/// let notes = KvStore::new(Namespace::of_run(run));
/// db.transaction(run, |txn| notes.put(txn, "todo", "find the bug"))?;
/// let mut txn = db.begin_transaction(run)?;
/// assert_eq!(notes.get(&mut txn, "todo")?, Some("find the bug".to_owned()));
/// assert_eq!(txn.get::<String>("todo")?, None, "another namespace");
/// assert_eq!(notes.prefix(&mut txn, "to")?.count(), 1);
/// notes.delete(&mut txn, "todo")?;
/// assert!(!txn.exists(notes.key("todo"))?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KvStore {
    namespace: Namespace,
}

impl KvStore {
    /// Returns the data of that namespace.
    pub const fn new(namespace: Namespace) -> Self {
        Self { namespace }
    }

    /// Returns the whole key of that name, for all that [`Transaction`] can do with a key.
    pub fn key(&self, name: impl AsRef<[u8]>) -> Key {
        self.namespace.key(name)
    }

    /// Reads.
    ///
    /// # Errors
    /// As [`Transaction::get`].
    pub fn get<V>(&self, txn: &mut Transaction, name: impl AsRef<[u8]>) -> Result<Option<V>>
    where
        V: TryFrom<Value>,
        Error: From<V::Error>,
    {
        txn.get(self.key(name))
    }

    /// Writes.
    ///
    /// # Errors
    /// As [`Transaction::put`].
    pub fn put<V>(&self, txn: &mut Transaction, name: impl AsRef<[u8]>, value: V) -> Result<()>
    where
        V: TryInto<Value>,
        Error: From<V::Error>,
    {
        txn.put(self.key(name), value)
    }

    /// Deletes.
    ///
    /// # Errors
    /// As [`Transaction::delete`].
    pub fn delete(&self, txn: &mut Transaction, name: impl AsRef<[u8]>) -> Result<()> {
        txn.delete(self.key(name))
    }

    /// Returns the entries whose names start with `prefix`, lazily, in order or backwards.
    ///
    /// # Errors
    /// As [`Transaction::range`].
    pub fn prefix<'a>(&self, txn: &'a mut Transaction, prefix: impl AsRef<[u8]>) -> Result<Range<'a>> {
        txn.range(KeyRange::in_namespace(&self.namespace, prefix))
    }
}
