//! Typed tables: keys and values of one type each, under a name, in key order.
//!
//! A table is a way to name keys: those of plain key-value data that begin with the table's name, as ordered
//! keys (`tuple`). So tables commit together with all other data, and conflicts, durability and simulations
//! are those of keys.

mod database_table;
mod entries;
mod snapshot_table;
mod transaction_table;
mod value;

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds};

pub use database_table::DatabaseTable;
pub use entries::TableEntries;
pub use snapshot_table::SnapshotTable;
pub use transaction_table::TransactionTable;
pub use value::TableValue;

use crate::error::Result;
use crate::key::{Key, Namespace};
use crate::range::KeyRange;
use crate::tuple::{FromKeyPart, KeyPart, decode, encoded};

/// A typed table: a name, the type of its keys, the type of its values. Opened with `table` of a
/// [`Transaction`](crate::Transaction), a [`Snapshot`](crate::Snapshot) or a [`Database`](crate::Database);
/// two tables of one name and one namespace are the same.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// use stormproof::{Namespace, Table};
///
/// let scores: Table<(String, u32), u64> = Table::new("scores");
/// db.transaction(run, |txn| {
///     let mut scores = txn.table(&scores);
///     scores.put(&("ada".to_owned(), 2), 70)?;
///     scores.put(&("ada".to_owned(), 10), 90)?;
///     scores.put(&("bob".to_owned(), 1), 80)
/// })?;
/// let of_ada = db.table(&scores).prefix(&("ada",)).collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(of_ada.iter().map(|((_, round), score)| (*round, *score)).collect::<Vec<_>>(), [(2, 70), (10, 90)]);
///
/// let private = Table::<u64, String>::in_namespace(&Namespace::of_run(run), "notes");
/// db.table(&private).put(run, &7, "mine".to_owned())?;
/// assert_eq!(db.get(private.key(&7))?, Some("mine".to_owned()));
/// # Ok::<(), stormproof::Error>(())
/// ```
pub struct Table<K, V> {
    /// The ordered key of the name.
    prefix: Key,
    types: PhantomData<fn(K) -> V>,
}

impl<K, V> Table<K, V> {
    /// Returns the table of that name in the shared namespace.
    pub fn new(name: &str) -> Self {
        Self::in_namespace(&Namespace::shared(), name)
    }

    /// Returns the table of that name in a namespace.
    pub fn in_namespace(namespace: &Namespace, name: &str) -> Self {
        Self { prefix: namespace.tuple(&(name,)), types: PhantomData }
    }

    /// Returns the whole key of an entry, for all that can be done with a key.
    pub fn key<Q: KeyPart + ?Sized>(&self, key: &Q) -> Key
    where
        K: Borrow<Q>,
    {
        self.under(key)
    }

    fn under<Q: KeyPart + ?Sized>(&self, part: &Q) -> Key {
        self.prefix.clone().with_bytes(&encoded(part))
    }

    fn whole(&self) -> KeyRange {
        KeyRange::all_with(self.prefix.clone())
    }

    fn with_prefix<Q: KeyPart + ?Sized>(&self, part: &Q) -> KeyRange {
        KeyRange::all_with(self.under(part))
    }
}

impl<K: KeyPart, V> Table<K, V> {
    fn bounds(&self, range: &impl RangeBounds<K>) -> KeyRange {
        let start = match range.start_bound() {
            Bound::Included(key) => self.under(key),
            Bound::Excluded(key) => self.under(key).successor(),
            Bound::Unbounded => self.prefix.clone(),
        };
        let end = match range.end_bound() {
            Bound::Included(key) => Some(self.under(key).successor()),
            Bound::Excluded(key) => Some(self.under(key)),
            Bound::Unbounded => self.prefix.prefix_end(),
        };
        KeyRange::from_parts(start, end)
    }
}

impl<K: FromKeyPart, V> Table<K, V> {
    /// Returns the key of an entry of the table.
    fn key_of(&self, key: &Key) -> Result<K> {
        Ok(decode(&key.as_bytes()[self.prefix.as_bytes().len()..])?)
    }
}

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        Self { prefix: self.prefix.clone(), types: PhantomData }
    }
}

impl<K, V> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
