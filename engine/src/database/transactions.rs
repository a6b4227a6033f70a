//! Beginning transactions, and running closures as such.

use super::Database;
use crate::error::{Error, Result};
use crate::run_id::RunId;
use crate::txn::{Commit, Transaction, TransactionOptions, run_with_own_errors, run_with_retry};

impl Database {
    /// Begins a transaction of a run, to be committed by the caller.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// let mut txn = db.begin_transaction(run)?;
    /// let stock: u64 = txn.get("stock")?.unwrap_or(0);
    /// txn.put("stock", stock + 5)?;
    /// match txn.commit() {
    ///     Ok(commit) => assert!(commit.version().is_some()),
    ///     Err(error) if error.is_conflict() => println!("others were first: {error}"),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::RunNotFound`](crate::Error::RunNotFound), [`Error::RunEnded`](crate::Error::RunEnded);
    /// [`Error::Closed`](crate::Error::Closed).
    pub fn begin_transaction(&self, run: RunId) -> Result<Transaction> {
        self.begin_transaction_with(run, &TransactionOptions::default())
    }

    /// Begins a transaction of a run with options of its own. An ended run may begin read-only ones.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// use stormproof::{Error, TransactionOptions};
    ///
    /// let mut report = db.begin_transaction_with(run, &TransactionOptions::new().read_only())?;
    /// assert!(matches!(report.put("key", 1_u64), Err(Error::ReadOnly)));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::RunNotFound`](crate::Error::RunNotFound), [`Error::RunEnded`](crate::Error::RunEnded);
    /// [`Error::Closed`](crate::Error::Closed).
    #[inline]
    pub fn begin_transaction_with(&self, run: RunId, options: &TransactionOptions) -> Result<Transaction> {
        self.coordinator().check_open()?;
        let runs = &self.store().runs;
        let run = if options.read_only { runs.find(run)? } else { runs.find_active(run)? };
        Ok(Transaction::begin(self.handle.transactions.own(), run, options))
    }

    /// Runs a closure as a transaction: commits when it returns `Ok`, runs it again after a conflict, aborts
    /// and returns any other error. The closure may thus run several times.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// db.put(run, "from", 10_u64)?;
    /// let left = db.transaction(run, |txn| {
    ///     let (from, to) = (txn.get::<u64>("from")?.unwrap_or(0), txn.get::<u64>("to")?.unwrap_or(0));
    ///     txn.put("from", from - 3)?;
    ///     txn.put("to", to + 3)?;
    ///     Ok(from - 3)
    /// })?;
    /// assert_eq!(left, 7);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// What the closure returns; [`Error::MaxRetriesExceeded`](crate::Error::MaxRetriesExceeded); whatever
    /// else keeps a commit from happening.
    pub fn transaction<T>(&self, run: RunId, body: impl FnMut(&mut Transaction) -> Result<T>) -> Result<T> {
        self.transaction_with(run, &TransactionOptions::default(), body)
    }

    /// Like [`transaction`](Self::transaction), with options.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// use std::time::Duration;
    /// use stormproof::{Error, RetryPolicy, TransactionOptions};
    ///
    /// let options = TransactionOptions::new().timeout(Duration::from_secs(1)).retry(RetryPolicy::never());
    /// let lost = db.transaction_with(run, &options, |txn| {
    ///     let read: u64 = txn.get("key")?.unwrap_or(0);
    ///     db.put(run, "key", 7_u64)?; // Another transaction is faster.
    ///     txn.put("key", read + 1)
    /// });
    /// assert!(matches!(lost, Err(Error::MaxRetriesExceeded { attempts: 1, .. })));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction); [`Error::Timeout`](crate::Error::Timeout).
    pub fn transaction_with<T>(
        &self,
        run: RunId,
        options: &TransactionOptions,
        body: impl FnMut(&mut Transaction) -> Result<T>,
    ) -> Result<T> {
        self.transaction_with_commit(run, options, body).map(|(done, _)| done)
    }

    /// Like [`transaction_with`](Self::transaction_with), and hands out the commit as well: its version, and
    /// a ticket that resolves when it is durable.
    ///
    /// ```
    /// use stormproof::{Database, TransactionOptions};
    ///
    /// # fn main() -> Result<(), stormproof::Error> {
    /// let db = Database::open_in_memory()?;
    /// let run = db.begin_run()?;
    /// let options = TransactionOptions::new();
    /// let (_, commit) = db.transaction_with_commit(run, &options, |txn| txn.put("key", 1_i64))?;
    /// commit.wait_durable()?;
    /// assert_eq!(commit.version(), Some(db.version()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`transaction_with`](Self::transaction_with).
    pub fn transaction_with_commit<T>(
        &self,
        run: RunId,
        options: &TransactionOptions,
        body: impl FnMut(&mut Transaction) -> Result<T>,
    ) -> Result<(T, Commit)> {
        let runs = &self.store().runs;
        let run = if options.read_only { runs.find(run)? } else { runs.find_active(run)? };
        run_with_retry(self.handle.transactions.own(), run, options, body)
    }

    /// Like [`transaction`](Self::transaction), for a closure with an error type of its own: any error of it
    /// rolls the transaction back and is returned as it is. The type must take the errors of the store, `E:
    /// From<stormproof::Error>`, as `Box<dyn Error>`, `anyhow::Error` and enums with a `#[from]` variant do;
    /// and it must be named, as `?` converts.
    ///
    /// A closure that gives up after a conditional write failed is run again if the key has changed since its
    /// snapshot.
    ///
    /// ```
    /// use stormproof::{Database, Error};
    ///
    /// #[derive(Debug)]
    /// enum Refused {
    ///     Poor { has: u64 },
    ///     Store(Error),
    /// }
    ///
    /// impl From<Error> for Refused {
    ///     fn from(error: Error) -> Self {
    ///         Self::Store(error)
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Error> {
    /// let db = Database::open_in_memory()?;
    /// let run = db.begin_run()?;
    /// db.put(run, "account", 10_u64)?;
    /// let drawn = db.try_transaction(run, |txn| {
    ///     let has: u64 = txn.get("account")?.unwrap_or(0);
    ///     txn.put("drawn", true)?;
    ///     txn.put("account", has.checked_sub(50).ok_or(Refused::Poor { has })?)?;
    ///     Ok(())
    /// });
    /// assert!(matches!(drawn, Err(Refused::Poor { has: 10 })));
    /// assert_eq!(db.get::<bool>("drawn")?, None, "rolled back");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What the closure returns; the errors of [`transaction`](Self::transaction), converted.
    pub fn try_transaction<T, E: From<Error>>(
        &self,
        run: RunId,
        body: impl FnMut(&mut Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        self.try_transaction_with_commit(run, &TransactionOptions::default(), body).map(|(done, _)| done)
    }

    /// Like [`try_transaction`](Self::try_transaction), with options, and hands out the commit as well.
    ///
    /// ```
    /// use stormproof::{Database, TransactionOptions};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let db = Database::open_in_memory()?;
    /// let run = db.begin_run()?;
    /// let options = TransactionOptions::new();
    /// let body = |txn: &mut stormproof::Transaction| -> Result<(), Box<dyn std::error::Error>> {
    ///     txn.put("port", "8080".parse::<u64>()?)?; // An error of the standard library's rolls back, too.
    ///     Ok(())
    /// };
    /// let ((), commit) = db.try_transaction_with_commit(run, &options, body)?;
    /// assert_eq!(commit.version(), Some(db.version()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`try_transaction`](Self::try_transaction).
    pub fn try_transaction_with_commit<T, E: From<Error>>(
        &self,
        run: RunId,
        options: &TransactionOptions,
        body: impl FnMut(&mut Transaction) -> Result<T, E>,
    ) -> Result<(T, Commit), E> {
        let runs = &self.store().runs;
        let run = if options.read_only { runs.find(run)? } else { runs.find_active(run)? };
        run_with_own_errors(self.handle.transactions.own(), run, options, body)
    }
}
