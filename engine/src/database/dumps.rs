//! Dumps: the whole content as entries, out of a database and into a new one.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use env::UnixMillis;

use super::{Database, open};
use crate::error::{Error, Result};
use crate::index_loader::IndexLoader;
use crate::key::Key;
use crate::mvcc::KEY_BYTES_MAX;
use crate::range::KeyRange;
use crate::recovery::RecoverySink as _;
use crate::types::{RunNumber, TxnId, Version};
use crate::value::{VALUE_DEPTH_MAX, Value};
use crate::wal::RecoveredWrite;

/// Entries that are copied out of the index at a time.
const CHUNK: usize = 256;

/// One key of a dump, with all that the database knows of it.
///
/// ```
/// use stormproof::{Database, DumpEntry, Namespace, TxnId, Value};
///
/// let mut entry = DumpEntry::new(Namespace::shared().key("greeting"), Value::from("hello"));
/// entry.txn = TxnId::new(7);
/// let db = Database::load([Ok::<_, stormproof::Error>(entry)])?;
/// assert_eq!(db.get::<String>("greeting")?.as_deref(), Some("hello"));
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DumpEntry {
    /// The key: one of the database's own, of an event log or a state machine as well.
    pub key: Key,
    /// The value, also if it has expired and was not swept.
    pub value: Value,
    /// When it expires, if it does.
    pub expires_at: Option<UnixMillis>,
    /// Its version.
    pub version: Version,
    /// The transaction that wrote it.
    pub txn: TxnId,
    /// The run that wrote it, by its number in the database.
    pub run: RunNumber,
}

impl DumpEntry {
    /// Creates an entry that does not expire, of the first version, written by the database itself.
    pub const fn new(key: Key, value: Value) -> Self {
        let (version, txn) = (Version::new(1), TxnId::new(1));
        Self { key, value, expires_at: None, version, txn, run: RunNumber::ZERO }
    }
}

impl Database {
    /// Calls `visit` with every key of one snapshot, in key order; returns the version of the snapshot.
    /// Writers go on meanwhile.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// use stormproof::Database;
    ///
    /// db.put(run, "key", 1_i64)?;
    /// let mut entries = Vec::new();
    /// let version = db.dump(|entry| {
    ///     entries.push(Ok::<_, stormproof::Error>(entry));
    ///     Ok::<_, stormproof::Error>(())
    /// })?;
    /// let copy = Database::load(entries)?;
    /// assert_eq!((copy.version(), copy.get("key")?), (version, Some(1_i64)));
    /// assert_eq!(copy.provenance("key"), db.provenance("key"));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first of `visit`.
    pub fn dump<E>(&self, mut visit: impl FnMut(DumpEntry) -> Result<(), E>) -> Result<Version, E> {
        let snapshot = self.snapshot();
        let mut rest = KeyRange::everything();
        loop {
            let entries = self.entries_of(&rest, snapshot.version());
            let Some(last) = entries.last() else { return Ok(snapshot.version()) };
            rest = KeyRange::from_parts(last.0.successor(), None);
            for (key, entry) in entries {
                if let Some(value) = entry.value {
                    let (expires_at, version) = (entry.expires.at(), entry.version);
                    visit(DumpEntry { key, value, expires_at, version, txn: entry.txn, run: entry.run })?;
                }
            }
        }
    }

    /// Copies the first entries of a range, so that nothing of the index is held while they are visited.
    fn entries_of(&self, range: &KeyRange, at: Version) -> Vec<(Key, crate::mvcc::VersionEntry)> {
        let mut entries = Vec::with_capacity(CHUNK);
        self.store().index.entries(range, at, |entry| {
            entries.push((Key::from_encoded(entry.key()), entry.to_entry()));
            if entries.len() < CHUNK { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        entries
    }

    /// Creates a database in memory with these entries, in any order, each key once: versions continue after
    /// the highest of them. To keep it, write a [backup](Database::backup_to) of it.
    ///
    /// # Errors
    /// Those of `entries`; [`Error::Invalid`] for a key that comes twice;
    /// [`Error::LimitExceeded`] for a key or a value that no database takes.
    pub fn load<E: From<Error>>(entries: impl IntoIterator<Item = Result<DumpEntry, E>>) -> Result<Self, E> {
        let builder = Self::builder();
        let mut loader = IndexLoader::new(builder.index_sizes, builder.recovery_threads);
        let (mut keys, mut buffer) = (BTreeSet::new(), Vec::new());
        let (mut last_version, mut last_txn) = (Version::ZERO, TxnId::ZERO);
        for entry in entries {
            let DumpEntry { key, value, expires_at, version, txn, run } = entry?;
            let length = key.as_bytes().len();
            if length > KEY_BYTES_MAX {
                let what = "bytes in a key";
                return Err(Error::LimitExceeded { what, limit: KEY_BYTES_MAX, actual: length }.into());
            }
            let value = value.within_depth(VALUE_DEPTH_MAX, "levels in a value").map_err(Error::from)?;
            buffer.clear();
            value.encode_onto(&mut buffer).expect("a value that nests no deeper than allowed can be encoded");
            // Version zero is that of a key that never existed.
            let version = version.max(Version::new(1));
            let write = RecoveredWrite {
                key: key.as_bytes(),
                value: Some(&buffer),
                version,
                transaction: txn,
                run,
                expires_at,
            };
            loader.apply(&[write])?;
            (last_version, last_txn) = (last_version.max(version), last_txn.max(txn));
            if !keys.insert(key.clone()) {
                return Err(Error::Invalid(format!("the key {key} comes twice: keep one of them")).into());
            }
        }
        Ok(open::loaded(builder, loader, last_version, last_txn)?)
    }
}
