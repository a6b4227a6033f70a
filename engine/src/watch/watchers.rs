//! The commit leader's side of all watches.

use rt::sync::Arc;
use rt::sync::atomic::{AtomicU64, Ordering};

use super::commit::{RawCommit, RawWrite};
use super::queue::WatchQueue;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::mvcc::Record;
use crate::types::{RunNumber, TxnId, Version};

/// All watches of a database, and what the group under way is going to deliver to them.
#[derive(Debug)]
pub(crate) struct Watchers {
    queues: Vec<Arc<WatchQueue>>,
    /// Commits of the group under way, each with the watch that gets it.
    staged: Vec<(usize, RawCommit)>,
    /// For collecting the writes of one commit, by watch.
    writes: Vec<Vec<RawWrite>>,
    /// Up to here all is delivered; kept as long as there are watches.
    delivered: Arc<AtomicU64>,
    closed: bool,
}

impl Default for Watchers {
    fn default() -> Self {
        Self {
            queues: Vec::new(),
            staged: Vec::new(),
            writes: Vec::new(),
            delivered: Arc::new(AtomicU64::new("watch.delivered", 0)),
            closed: false,
        }
    }
}

impl Watchers {
    /// Adds a watch of all that is published after `published`. Returns the counter of the version up to
    /// which all is delivered.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub(crate) fn add(&mut self, queue: &Arc<WatchQueue>, published: Version) -> Result<Arc<AtomicU64>> {
        if self.closed {
            return Err(Error::Closed);
        }
        self.drop_abandoned();
        self.queues.push(Arc::clone(queue));
        self.writes.resize_with(self.queues.len(), Vec::new);
        self.delivered.store(published.get(), Ordering::SeqCst);
        Ok(Arc::clone(&self.delivered))
    }

    /// Copies what a commit writes to watched ranges, before it is installed.
    #[inline]
    pub(crate) fn stage<'a>(
        &mut self,
        version: Version,
        txn: TxnId,
        run: RunNumber,
        writes: impl Iterator<Item = (&'a Key, &'a Record)>,
    ) {
        if !self.queues.is_empty() {
            self.stage_watched(version, txn, run, writes);
        }
    }

    #[cold]
    fn stage_watched<'a>(
        &mut self,
        version: Version,
        txn: TxnId,
        run: RunNumber,
        writes: impl Iterator<Item = (&'a Key, &'a Record)>,
    ) {
        for (key, record) in writes {
            let mut copy = None;
            for (queue, own) in self.queues.iter().zip(&mut self.writes) {
                if queue.range.contains(key) {
                    let copy = copy.get_or_insert_with(|| RawWrite {
                        key: key.clone(),
                        value: record.value().map(Arc::from),
                        expires_at: record.expires().at(),
                    });
                    own.push(copy.clone());
                }
            }
        }
        for (number, own) in self.writes.iter_mut().enumerate() {
            if !own.is_empty() {
                self.staged.push((number, RawCommit { version, txn, run, writes: std::mem::take(own) }));
            }
        }
        if rt::mutant!(WatchDeliversBeforePublish) {
            self.deliver_staged(version);
        }
    }

    /// Delivers what the group has staged, which is published up to `published`.
    #[inline]
    pub(crate) fn deliver(&mut self, published: Version) {
        if !self.queues.is_empty() {
            self.deliver_staged(published);
        }
    }

    #[cold]
    fn deliver_staged(&mut self, published: Version) {
        if rt::mutant!(WatchSkipsGroupMember)
            && let Some(first) = self.staged.first().map(|(_, commit)| commit.version)
            && let Some(second) = self.staged.iter().map(|(_, commit)| commit.version).find(|v| *v != first)
        {
            self.staged.retain(|(_, commit)| commit.version != second);
        }
        let mut woken = Vec::new();
        for (number, commit) in self.staged.drain(..) {
            woken.extend(self.queues[number].push(commit));
        }
        rt::probe::at("watch.push→delivered");
        // After the last push: a reader that finds its queue empty takes this as its position, and would
        // otherwise leave a commit out.
        self.delivered.store(published.get(), Ordering::SeqCst);
        woken.into_iter().for_each(std::task::Waker::wake);
        self.drop_abandoned();
    }

    /// Forgets what the group has staged: it failed.
    #[inline]
    pub(crate) fn forget(&mut self) {
        self.staged.clear();
    }

    /// Ends all watches: nothing is committed any more.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        let woken: Vec<_> = self.queues.drain(..).filter_map(|queue| queue.close()).collect();
        woken.into_iter().for_each(std::task::Waker::wake);
    }

    /// Drops the queues that no reader has any more. Called between groups: what is staged names queues by
    /// their place.
    fn drop_abandoned(&mut self) {
        self.queues.retain(|queue| Arc::strong_count(queue) > 1);
        self.writes.truncate(self.queues.len());
    }
}
