//! The reader's side of a watch.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use rt::sync::Arc;
use rt::sync::atomic::{AtomicU64, Ordering};
use rt::time::Instant;

use super::commit::{RawCommit, WatchedCommit};
use super::cursor::{LogCursor, Part};
use super::queue::{Taken, WatchQueue};
#[cfg(feature = "futures")]
use super::stream::WatchStream;
use crate::error::{Error, Result};
use crate::runtime::{block_on, block_on_until};
use crate::store::Store;
use crate::types::Version;
use crate::wal::TicketFuture;

/// Delivers every commit that touched a range of keys: in commit order, whole, and without a hole.
///
/// Made by [`Database::watch`](crate::Database::watch). Read it as an iterator, which waits for the next
/// commit and ends when the database is closed; with [`next_timeout`](Self::next_timeout) and
/// [`try_next`](Self::try_next); or from a task, with [`poll_next`](Self::poll_next) or as a
/// [stream](Self::into_stream).
///
/// Commits that the reader has not taken are kept in memory up to a bound
/// ([`WatchOptions::bytes_max`](crate::WatchOptions::bytes_max)); beyond it they are read from the log, in
/// the thread that asks, once they are durable. When a checkpoint has taken the log as well (in memory there
/// is none), the reader gets [`Error::WatchBehind`], which names the version at which to read anew.
///
/// Two agents that coordinate: the first waits for what the second puts.
///
/// ```
/// use stormproof::{Database, KeyRange, runtime::thread};
///
/// let db = Database::open_in_memory()?;
/// let run = db.begin_run()?;
/// let results = db.watch(KeyRange::prefix("result/"), db.version())?;
///
/// let agent = db.clone();
/// let worker = thread::spawn("worker", move || {
///     for (job, answer) in [("result/a", 7_i64), ("result/b", 8)] {
///         agent.put(run, job, answer)?;
///     }
///     Ok::<_, stormproof::Error>(())
/// })?;
///
/// let mut sum = 0;
/// for commit in results.take(2) {
///     for write in commit?.writes {
///         sum += i64::try_from(write.value.expect("nothing is deleted"))?;
///     }
/// }
/// assert_eq!(sum, 15);
/// worker.join().expect("no panic")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A reader that falls behind gets an error, reads the state, and goes on from there:
///
/// ```
/// use std::collections::BTreeMap;
/// use stormproof::{Database, Error, KeyRange, Watch, WatchOptions};
///
/// fn refresh(db: &Database, watch: &mut Watch, known: &mut BTreeMap<Vec<u8>, i64>) -> Result<(), Error> {
///     loop {
///         match watch.try_next() {
///             Ok(None) => return Ok(()),
///             Ok(Some(commit)) => {
///                 for write in commit.writes {
///                     match write.value {
///                         Some(value) => known.insert(write.key.user_key().to_vec(), i64::try_from(value)?),
///                         None => known.remove(write.key.user_key()),
///                     };
///                 }
///             }
///             Err(Error::WatchBehind { .. }) => {
///                 let snapshot = db.snapshot();
///                 known.clear();
///                 for entry in snapshot.prefix("n/") {
///                     known.insert(entry.user_key().to_vec(), entry.get()?);
///                 }
///                 watch.skip_to(snapshot.version())?;
///             }
///             Err(error) => return Err(error),
///         }
///     }
/// }
///
/// let db = Database::open_in_memory()?;
/// let run = db.begin_run()?;
/// let mut watch = db.watch_with(KeyRange::prefix("n/"), &WatchOptions::new().bytes_max(1 << 10))?;
/// let mut known = BTreeMap::new();
/// for number in 0..100_i64 {
///     db.put(run, format!("n/{number:02}"), number)?; // more than 1 KiB, and in memory there is no log
/// }
/// refresh(&db, &mut watch, &mut known)?;
/// db.delete(run, "n/07")?;
/// refresh(&db, &mut watch, &mut known)?;
/// assert_eq!(known.len(), 99);
/// assert_eq!(watch.position(), db.version());
/// # Ok::<(), Error>(())
/// ```
pub struct Watch {
    store: Arc<Store>,
    queue: Arc<WatchQueue>,
    delivered: Arc<AtomicU64>,
    durable: bool,
    cursor: LogCursor,
    /// Read from the log, and not taken yet; up to which version it was read.
    from_log: VecDeque<RawCommit>,
    log_read: Version,
    /// All commits of the range up to here were taken from queue or log.
    taken: Version,
    /// Taken, and not durable yet.
    next: Option<RawCommit>,
    /// Waits until a version is durable.
    waiting: Option<(Version, TicketFuture)>,
    /// All up to here was handed out.
    seen: Version,
    /// The reader has a gap after `seen`, and must read anew at this version at least.
    behind: Option<Version>,
    /// Whether the iterator has ended.
    ended: bool,
}

impl Watch {
    pub(crate) fn new(
        store: Arc<Store>,
        (queue, delivered): (Arc<WatchQueue>, Arc<AtomicU64>),
        (after, published): (Version, Version),
        durable: bool,
    ) -> Self {
        Self {
            store,
            queue,
            delivered,
            durable,
            cursor: LogCursor::new(after == published),
            from_log: VecDeque::new(),
            log_read: after,
            taken: after,
            next: None,
            waiting: None,
            seen: after,
            // What it has seen is not there: a crash took it back.
            behind: (after > published).then_some(published),
            ended: false,
        }
    }

    /// Returns the next commit if it is there.
    ///
    /// # Errors
    /// [`Error::WatchBehind`] until [`skip_to`](Self::skip_to) is called; [`Error::Closed`] after the last
    /// commit of a database that is closed; [`Error::Poisoned`] when what a durable watch waits for can't
    /// become durable any more; [`Error::Io`] and [`Error::Corruption`] when the log can't be read.
    pub fn try_next(&mut self) -> Result<Option<WatchedCommit>> {
        match self.poll_commit(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(found) => found?.ok_or(Error::Closed).map(Some),
            Poll::Pending => Ok(None),
        }
    }

    /// Waits for the next commit, but no longer than `timeout`; returns `None` when the time is up.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// use std::time::Duration;
    /// use stormproof::KeyRange;
    ///
    /// let mut watch = db.watch(KeyRange::prefix("jobs/"), db.version())?;
    /// assert!(watch.next_timeout(Duration::from_millis(1))?.is_none());
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`try_next`](Self::try_next).
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Option<WatchedCommit>> {
        let deadline = rt::time::now().saturating_add(timeout);
        self.wait_until(deadline)?.map_or(Ok(None), |found| found.ok_or(Error::Closed).map(Some))
    }

    /// Polls for the next commit: `None` when the database is closed and all was handed out, and after an
    /// error until [`skip_to`](Self::skip_to) is called. Needs no particular executor. Catching up reads from
    /// the log, in the thread that polls.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// use std::future::poll_fn;
    /// use stormproof::{KeyRange, runtime::block_on};
    ///
    /// let mut watch = db.watch(KeyRange::prefix("jobs/"), db.version())?;
    /// db.put(run, "jobs/1", "waits")?;
    /// let commit = block_on(poll_fn(|context| watch.poll_next(context))).expect("it is open")?;
    /// assert_eq!((commit.version, commit.run), (db.version(), Some(run)));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<WatchedCommit>>> {
        // A loop that passes over errors must come to an end, and must not take what lies after a gap for
        // what comes next.
        if self.ended {
            return Poll::Ready(None);
        }
        let found = ready!(self.poll_commit(context));
        self.ended = !matches!(found, Ok(Some(_)));
        Poll::Ready(found.transpose())
    }

    /// Returns the watch as a `Stream`, for tasks that use the combinators of the `futures` crate.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// use futures_core::Stream;
    /// use std::{future::poll_fn, pin::Pin};
    /// use stormproof::{KeyRange, runtime::block_on};
    ///
    /// let mut commits = db.watch(KeyRange::prefix("jobs/"), db.version())?.into_stream();
    /// db.put(run, "jobs/1", "waits")?;
    /// let first = block_on(poll_fn(|context| Pin::new(&mut commits).poll_next(context)));
    /// assert_eq!(first.expect("it is open")?.version, db.version());
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    #[cfg(feature = "futures")]
    pub const fn into_stream(self) -> WatchStream {
        WatchStream::new(self)
    }

    /// Returns the version up to which everything was handed out. A watch that is made
    /// [`after`](crate::WatchOptions::after) it continues from here, also in another process.
    pub const fn position(&self) -> Version {
        self.seen
    }

    /// Passes over all commits up to `version`: those that the reader has seen in a snapshot of this version.
    /// After [`Error::WatchBehind`], this is how it continues.
    ///
    /// # Errors
    /// [`Error::WatchBehind`] if the version is older than the one at which to read anew.
    pub fn skip_to(&mut self, version: Version) -> Result<()> {
        if self.behind.is_some_and(|read_at| version < read_at) {
            return Err(self.behind_error());
        }
        self.seen = self.seen.max(version);
        self.taken = self.taken.max(version);
        self.from_log.retain(|commit| commit.version > version);
        self.next.take_if(|commit| commit.version <= version);
        if self.behind.take().is_some() {
            // From the version of a snapshot of this opening.
            (self.seen, self.taken, self.log_read) = (version, version, version);
            (self.from_log, self.next) = (VecDeque::new(), None);
            self.cursor = LogCursor::new(true);
        }
        self.ended = false;
        Ok(())
    }

    /// Waits for the next commit until `deadline`.
    fn wait_until(&mut self, deadline: Instant) -> Result<Option<Option<WatchedCommit>>> {
        block_on_until(poll_fn(|context| self.poll_commit(context)), deadline).transpose()
    }

    /// Returns the next commit, durable if that is asked for; `None` when no more will come.
    fn poll_commit(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<WatchedCommit>>> {
        if self.behind.is_some() {
            return Poll::Ready(Err(self.behind_error()));
        }
        if self.next.is_none() {
            self.next = ready!(self.poll_taken(context))?;
        }
        let Some(version) = self.next.as_ref().map(|commit| commit.version) else {
            return Poll::Ready(Ok(None));
        };
        if self.durable && !rt::mutant!(WatchDeliversUnsynced) {
            ready!(self.poll_durable(version, context))?;
        }
        self.seen = version;
        let commit = self.next.take().map(|commit| commit.decode(&self.store));
        Poll::Ready(commit.transpose())
    }

    /// Takes the next commit from the log or the queue.
    fn poll_taken(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<RawCommit>>> {
        loop {
            if let Some(commit) = self.from_log.pop_front() {
                self.taken = commit.version;
                return Poll::Ready(Ok(Some(commit)));
            }
            self.taken = self.taken.max(self.log_read);
            // Before the queue is read: what is delivered after this is not in it, but may have been
            // skipped by it.
            let delivered = Version::new(self.delivered.load(Ordering::SeqCst));
            match self.queue.take(self.taken, context.waker()) {
                Taken::Commit(commit) => {
                    self.taken = commit.version;
                    return Poll::Ready(Ok(Some(commit)));
                }
                Taken::Gap(up_to) => {
                    if !ready!(self.poll_log(up_to, context))? {
                        rt::reached!("a watch fell behind");
                        self.behind = Some(up_to);
                        return Poll::Ready(Err(self.behind_error()));
                    }
                }
                Taken::Nothing => {
                    self.taken = self.taken.max(delivered);
                    if !self.durable || self.is_durable(self.taken) {
                        self.seen = self.seen.max(self.taken);
                    }
                    return Poll::Pending;
                }
                Taken::Closed => return Poll::Ready(Ok(None)),
            }
        }
    }

    /// Reads the next part of the log, up to `up_to` at most; returns false if it is not there any more.
    fn poll_log(&mut self, up_to: Version, context: &mut Context<'_>) -> Poll<Result<bool>> {
        let Some(log) = self.store.log.clone() else { return Poll::Ready(Ok(false)) };
        // What is not synced may not even be written; but what is must not wait for what is not.
        let up_to = up_to.min(log.durable_version().max(self.taken.next()));
        ready!(self.poll_durable(up_to, context))?;
        match self.cursor.read(&log, &self.queue.range, self.taken, up_to)? {
            Part::Commits(commits, end) => {
                self.from_log.extend(commits);
                self.log_read = end;
                Poll::Ready(Ok(true))
            }
            Part::Gone => Poll::Ready(Ok(false)),
        }
    }

    fn is_durable(&self, version: Version) -> bool {
        self.store.log.as_ref().is_none_or(|log| log.durable_version() >= version)
    }

    /// Waits until a version is durable, without making that happen earlier.
    fn poll_durable(&mut self, version: Version, context: &mut Context<'_>) -> Poll<Result<()>> {
        if self.is_durable(version) {
            self.waiting = None;
            return Poll::Ready(Ok(()));
        }
        if self.waiting.as_ref().is_none_or(|(awaited, _)| *awaited != version) {
            self.waiting = Some((version, self.store.ticket(version).patiently()));
        }
        let Some((_, ticket)) = &mut self.waiting else { return Poll::Pending };
        let durable = ready!(Pin::new(ticket).poll(context));
        self.waiting = None;
        Poll::Ready(durable)
    }

    fn behind_error(&self) -> Error {
        Error::WatchBehind { seen: self.seen, read_at: self.behind.unwrap_or(self.seen) }
    }
}

impl Iterator for Watch {
    type Item = Result<WatchedCommit>;

    /// Waits for the next commit. Ends when the database is closed, and after an error until
    /// [`Watch::skip_to`] is called.
    fn next(&mut self) -> Option<Self::Item> {
        block_on(poll_fn(|context| self.poll_next(context)))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.queue.clear();
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("range", &self.queue.range)
            .field("position", &self.seen)
            .field("behind", &self.behind)
            .finish_non_exhaustive()
    }
}
