//! Watching ranges of keys.

use rt::sync::Arc;

use super::Database;
use crate::error::Result;
use crate::range::KeyRange;
use crate::types::Version;
use crate::watch::{Watch, WatchOptions, WatchQueue};

impl Database {
    /// Watches a range of keys: delivers every commit above the version `after`, which the reader has seen,
    /// that touched the range, or every new one if that is `None`. See [`Watch`] for how to read it, and for
    /// what happens when a reader is slower than the writers.
    ///
    /// What comes after an older version is read from the log, so a watch continues where an earlier one
    /// ended, also after the database was closed and opened again, as long as no checkpoint came in between.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let dir = dir.path();
    /// use stormproof::{Database, KeyRange};
    ///
    /// let db = Database::open(dir)?;
    /// let run = db.begin_run()?;
    /// let mut watch = db.watch(KeyRange::prefix("jobs/"), None)?;
    /// db.transaction(run, |txn| {
    ///     txn.put("jobs/1", "waits")?;
    ///     txn.put("jobs/2", "waits")?;
    ///     txn.put("elsewhere", "not watched")
    /// })?;
    /// let commit = watch.try_next()?.expect("it was acked, so it is there");
    /// assert_eq!((commit.writes.len(), commit.run), (2, Some(run)));
    /// let seen = watch.position();
    ///
    /// db.delete(run, "jobs/1")?;
    /// db.close()?;
    /// let db = Database::open(dir)?;
    /// let mut watch = db.watch(KeyRange::prefix("jobs/"), seen)?;
    /// let missed = watch.try_next()?.expect("it is in the log");
    /// assert_eq!(missed.writes[0].value, None, "a delete");
    /// assert!(watch.try_next()?.is_none());
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed). The watch itself reports that commits are no longer kept.
    pub fn watch(&self, range: impl Into<KeyRange>, after: impl Into<Option<Version>>) -> Result<Watch> {
        self.watch_with(range, &WatchOptions { after: after.into(), ..WatchOptions::new() })
    }

    /// As [`watch`](Self::watch), with options: only durable commits, and how many may wait.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let builder = stormproof::Database::builder().dir(dir.path());
    /// # let db = builder.durability(stormproof::Durability::Pipelined).open()?;
    /// # let run = db.begin_run()?;
    /// use stormproof::{KeyRange, WatchOptions};
    ///
    /// let payments = KeyRange::prefix("payment/");
    /// let mut watch = db.watch_with(payments, &WatchOptions::new().durable())?;
    /// db.put(run, "payment/1", 100_u64)?;
    /// let paid = watch.next().expect("the database is open")?;
    /// assert!(db.durable_version() >= paid.version, "no crash takes it back: ship the goods");
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for an option outside of its range;
    /// [`Error::Closed`](crate::Error::Closed).
    pub fn watch_with(&self, range: impl Into<KeyRange>, options: &WatchOptions) -> Result<Watch> {
        options.check()?;
        let store = &self.coordinator().store;
        // Before the committer's lock: in a forked child, a thread of the parent may hold it for good.
        store.check_process()?;
        // Between two groups, or a group under way would be in part before the watch and in part after it.
        let mut leader = self.coordinator().committer.between_groups();
        let published = store.published();
        let queue = Arc::new(WatchQueue::new(range.into(), options.bytes_max, published));
        let delivered = leader.watchers.add(&queue, published)?;
        drop(leader);
        let after = options.after.unwrap_or(published);
        Ok(Watch::new(Arc::clone(store), (queue, delivered), (after, published), options.durable))
    }
}
