//! Beginning, ending and finding runs.

use crate::error::{Error, Result};
use crate::key::Key;
use crate::range::KeyRange;
use crate::run::{RunOptions, RunRecord, RunRef, RunStatus};
use crate::run_id::RunId;
use crate::txn::{Transaction, TransactionOptions, run_with_retry};
use crate::value::Value;

use super::{Database, mutants};

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
            let last = store.runs.last_number().max(number);
            number = last.next();
            if txn.get(RunRecord::number_key(last))? == Some(Value::Null) {
                txn.delete(RunRecord::number_key(last))?;
            }
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
                mutants::forget_origin(&mut record);
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

    /// Returns all runs, in the order in which they began.
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

    /// Forgets a run that has ended: its record goes, and it can't be found any more, not even for reading.
    /// What it wrote stays, and says its number and transaction, no longer its id (see [`Provenance`]); so do
    /// the runs that were begun from it. Happens by itself if the builder
    /// [says](super::DatabaseBuilder::ended_runs_max) how many, or how long, ended runs are kept.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// assert!(db.forget_run(run).is_err(), "it may still write");
    /// db.end_run(run)?;
    /// db.forget_run(run)?;
    /// assert!(matches!(db.run(run), Err(stormproof::Error::RunNotFound(_))));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::RunNotFound`]; [`Error::Invalid`] when it has not ended; when this can't be committed.
    ///
    /// [`Provenance`]: super::Provenance
    pub fn forget_run(&self, run: RunId) -> Result<()> {
        self.as_system(|txn| {
            if forget(txn, run)? {
                return Ok(());
            }
            Err(Error::Invalid(format!("run {run} has not ended, and may write: end it, then forget it")))
        })
    }

    fn as_system<T>(&self, body: impl FnMut(&mut Transaction) -> Result<T>) -> Result<T> {
        run_with_retry(self.handle.transactions.own(), RunRef::SYSTEM, &TransactionOptions::default(), body)
            .map(|(done, _)| done)
    }
}

/// Deletes the record of a run, if it has ended; returns whether it had.
///
/// # Errors
/// [`Error::RunNotFound`].
pub(super) fn forget(txn: &mut Transaction, run: RunId) -> Result<bool> {
    let key = RunRecord::key(run);
    let value: Value = txn.get(&key)?.ok_or(Error::RunNotFound(run))?;
    let record = RunRecord::decode(&key, &value).ok_or(Error::RunNotFound(run))?;
    if record.status != RunStatus::Ended && !rt::mutant!(LiveRunForgotten) {
        return Ok(false);
    }
    txn.delete(key)?;
    // The last number stays, or it would be given to another run after a restart; the next run to begin takes
    // it away.
    if record.number < txn.coordinator.store.runs.last_number() {
        txn.delete(RunRecord::number_key(record.number))?;
    } else {
        txn.put(RunRecord::number_key(record.number), Value::Null)?;
    }
    Ok(true)
}

impl RunRecord {
    fn all() -> KeyRange {
        KeyRange::all_with(Key::system(crate::key::TypeTag::Run, &[]))
    }
}
