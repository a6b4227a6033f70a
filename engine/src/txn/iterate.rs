//! Iterating over a range through a transaction's own writes.

use super::transaction::Transaction;
use crate::error::Result;
use crate::iter::{Range, Source};
use crate::range::KeyRange;

impl Transaction {
    /// Returns the entries of a range, lazily, in key order or backwards: what the snapshot has, and the
    /// transaction's own writes. What is iterated is tracked, and no more (see [`Range`]).
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # (1..=3_i64).try_for_each(|number| db.put(run, format!("item/{number}"), number))?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.put("item/4", 4_i64)?;
    /// txn.delete("item/2")?;
    /// let mut sum = 0;
    /// for entry in txn.range("item/2"..="item/4")? {
    ///     sum += entry.get::<i64>()?;
    /// }
    /// assert_eq!((sum, txn.range("item/"..)?.count()), (7, 3));
    ///
    /// // What decides about writes is collected first.
    /// let keys: Vec<_> = txn.range("item/"..)?.rev().take(2).map(|entry| entry.key().clone()).collect();
    /// keys.iter().try_for_each(|key| txn.delete(key))?;
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the transaction has ended or is past its timeout.
    #[inline]
    pub fn range(&mut self, range: impl Into<KeyRange>) -> Result<Range<'_>> {
        self.context.check_active()?;
        let seen = self.coordinator.hooks.seen(self);
        let tracks_reads = self.context.tracks_reads();
        let context = &mut self.context;
        let source = Source::Borrowed(&self.coordinator.store);
        let range = Range::of_snapshot(source, range.into(), context.start_version, context.now);
        let reads = tracks_reads.then_some(&mut context.reads);
        Ok(range.of_transaction(&context.writes, reads, seen))
    }

    /// Returns the entries of the shared namespace whose keys start with `prefix`: a [`range`](Self::range).
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// # (1..=3_i64).try_for_each(|number| db.put(run, format!("item/{number}"), number))?;
    /// # let mut txn = db.begin_transaction(run)?;
    /// txn.delete("item/1")?;
    /// assert_eq!(txn.prefix("item/")?.count(), 2);
    /// assert!(txn.prefix("other/")?.next().is_none());
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`range`](Self::range).
    pub fn prefix(&mut self, prefix: impl AsRef<[u8]>) -> Result<Range<'_>> {
        self.range(KeyRange::prefix(prefix))
    }
}
