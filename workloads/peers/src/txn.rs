//! The part that all adapters share: a [`StoreTxn`] over the five operations of a database's transaction.

use std::fmt::Display;

use stormproof_workloads::store::{
    Bytes, Capabilities, Committed, Conflict, ConflictKind, Entry, Expected, Isolation, Key, Range, Read,
    Result, StoreError, StoreTxn, Version,
};

/// A transaction of a database. Dropping it aborts it. One that only reads leaves out the writes: [`Txn`]
/// refuses them before they get here.
pub(crate) trait Native {
    /// Reads a key, own writes included.
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>>;

    /// Reads the first `limit` keys in `range`, or the last ones if `reverse`, own writes included.
    fn scan(&mut self, range: &Range, limit: usize, reverse: bool) -> Result<Vec<(Key, Bytes)>>;

    /// Writes a key.
    fn put(&mut self, _key: &[u8], _value: &[u8]) -> Result<()> {
        Err(read_only())
    }

    /// Deletes a key, if it is there.
    fn delete(&mut self, _key: &[u8]) -> Result<()> {
        Err(read_only())
    }

    /// Commits.
    fn commit(self) -> Result<()>;
}

fn read_only() -> StoreError {
    StoreError::Refused("the transaction is read-only".into())
}

/// A database's transaction, as workloads see it.
pub(crate) struct Txn<N> {
    native: N,
    read_only: bool,
    /// Whether an ack of a write says that it is on disk.
    durable: bool,
    written: bool,
}

impl<N: Native> Txn<N> {
    pub(crate) fn new(native: N, read_only: bool, durable: bool) -> Self {
        Self { native, read_only, durable, written: false }
    }

    fn write(&mut self) -> Result<&mut N> {
        if self.read_only {
            return Err(read_only());
        }
        self.written = true;
        Ok(&mut self.native)
    }
}

impl<N: Native> StoreTxn for Txn<N> {
    fn start_version(&self) -> Option<Version> {
        None
    }

    fn get(&mut self, key: &[u8]) -> Result<Read> {
        Ok(Read { value: self.native.get(key)?, version: None })
    }

    fn scan(&mut self, range: &Range, limit: Option<usize>, reverse: bool) -> Result<Vec<Entry>> {
        let limit = limit.unwrap_or(usize::MAX);
        if limit == 0 || range.end.as_ref().is_some_and(|end| *end <= range.start) {
            return Ok(Vec::new());
        }
        let found = self.native.scan(range, limit, reverse)?;
        Ok(found.into_iter().map(|(key, value)| Entry { key, value, version: None }).collect())
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.write()?.put(key, value)
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.write()?.delete(key)
    }

    /// None of these databases has conditional writes that go with a transaction: read, compare, write.
    fn cas(&mut self, key: &[u8], expected: &Expected, value: &[u8]) -> Result<()> {
        self.write()?;
        let current = self.native.get(key)?;
        let holds = match expected {
            Expected::Value(value) => current.as_ref() == Some(value),
            Expected::Absent => current.is_none(),
            Expected::Version(_) => {
                return Err(StoreError::Refused("this store has no versions to compare".into()));
            }
        };
        if !holds {
            let conflict = Conflict::new(ConflictKind::Cas, key.to_vec(), None);
            return Err(StoreError::Conflict(vec![conflict]));
        }
        self.native.put(key, value)
    }

    fn commit(self: Box<Self>) -> Result<Committed> {
        self.native.commit()?;
        Ok(Committed { version: None, durable: self.durable || !self.written })
    }

    fn abort(self: Box<Self>) {}
}

/// Returns the capabilities of a store with transactions over ordered keys at this isolation, and nothing
/// else.
pub(crate) fn capabilities(isolation_max: Isolation) -> Capabilities {
    Capabilities { isolation_max, ..Capabilities::default() }
}

/// Converts an error of any call but a commit: nothing happened.
pub(crate) fn refused(error: impl Display) -> StoreError {
    StoreError::Refused(error.to_string())
}

/// Converts an error of a commit: it may have been applied.
pub(crate) fn unknown(error: impl Display) -> StoreError {
    StoreError::Indeterminate(error.to_string())
}

/// Returns a conflict whose keys the database does not name.
pub(crate) fn conflict() -> StoreError {
    StoreError::Conflict(Vec::new())
}
