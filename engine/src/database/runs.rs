//! Beginning, ending and finding runs.

use crate::error::{Error, Result};
use crate::key::Key;
use crate::range::KeyRange;
use crate::run::{RunOptions, RunRecord, RunRef, RunStatus};
use crate::run_id::RunId;
use crate::txn::{Transaction, TransactionOptions, run_with_retry};
use crate::types::RunNumber;
use crate::value::Value;

use super::Database;

impl Database {
    /// Begins a run: one agent's session of work.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// let run = db.begin_run()?;
    /// db.put(run, "key", 1_i64)?;
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the record of the run can't be committed.
    pub fn begin_run(&self) -> Result<RunId> {
        self.begin_run_with(RunOptions::new())
    }

    /// Begins a run with an id, a parent or tags of the caller's choice.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// use stormproof::RunOptions;
    ///
    /// let child = db.begin_run_with(RunOptions::new().parent(run).tag("model", "small"))?;
    /// assert_eq!(db.run(child)?.parent, Some(run));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::RunExists`] when a run has that id; [`Error::RunNotFound`] when there is no such parent; when
    /// the record of the run can't be committed.
    pub fn begin_run_with(&self, options: RunOptions) -> Result<RunId> {
        let store = self.store();
        if let Some(parent) = options.parent {
            store.runs.find(parent)?;
        }
        let id = options.id.unwrap_or_else(|| RunId::random(&*self.coordinator().entropy));
        let mut number = store.runs.last_number();
        self.as_system(|txn| {
            if txn.exists(RunRecord::key(id))? {
                return Err(Error::RunExists(id));
            }
            number = store.runs.last_number().max(number).next();
            txn.insert(RunRecord::number_key(number), Value::from(id.as_bytes()))?;
            let record = RunRecord {
                id,
                number,
                status: RunStatus::Active,
                parent: options.parent,
                tags: options.tags.clone(),
                started: store.clock_time(),
                ended: None,
            };
            txn.put(RunRecord::key(id), record.encode())
        })?;
        Ok(id)
    }

    /// Ends a run: from now on it may read only. Ending it again changes nothing.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.end_run(run)?;
    /// assert!(matches!(db.put(run, "key", 1_i64), Err(stormproof::Error::RunEnded(_))));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::RunNotFound`]; when the record of the run can't be committed.
    pub fn end_run(&self, run: RunId) -> Result<()> {
        let store = self.store();
        self.as_system(|txn| {
            let key = RunRecord::key(run);
            let value: Value = txn.get(&key)?.ok_or(Error::RunNotFound(run))?;
            let mut record = RunRecord::decode(&key, &value).ok_or(Error::RunNotFound(run))?;
            if record.status == RunStatus::Active {
                record.status = RunStatus::Ended;
                record.ended = Some(store.clock_time().max(record.started));
                txn.put(key, record.encode())?;
            }
            Ok(())
        })
    }

    /// Returns the record of a run.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// let record = db.run(run)?;
    /// assert_eq!(record.status, stormproof::RunStatus::Active);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::RunNotFound`].
    pub fn run(&self, run: RunId) -> Result<RunRecord> {
        let key = RunRecord::key(run);
        let value = self.snapshot().value(&key).ok_or(Error::RunNotFound(run))?;
        RunRecord::decode(&key, &value).ok_or(Error::RunNotFound(run))
    }

    /// All runs, in the order in which they began.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// assert!(db.runs().iter().any(|record| record.id == run));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn runs(&self) -> Vec<RunRecord> {
        let mut runs: Vec<_> = self
            .snapshot()
            .range(RunRecord::all())
            .filter_map(|entry| RunRecord::decode(entry.key(), &entry.to_value()))
            .collect();
        runs.sort_by_key(|record| record.number);
        runs
    }

    fn as_system<T>(&self, body: impl FnMut(&mut Transaction) -> Result<T>) -> Result<T> {
        run_with_retry(self.handle.transactions.own(), RunRef::SYSTEM, &TransactionOptions::default(), body)
            .map(|(done, _)| done)
    }
}

impl RunRecord {
    /// The key that reserves a run's number.
    fn number_key(number: RunNumber) -> Key {
        Key::system(crate::key::TypeTag::State, &number.get().to_be_bytes())
    }

    fn all() -> KeyRange {
        KeyRange::all_with(Key::system(crate::key::TypeTag::Run, &[]))
    }
}
