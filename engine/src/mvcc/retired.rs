//! Leaves that were replaced, and wait until no reader has them any more.
//!
//! Epochs alone free them late: by the number of reads and writes that their thread goes on to make, whatever
//! the bytes, and not at all while it makes none. So the writer keeps what it has replaced, and drops it when
//! it has become too much and no reader is in the way.
//!
//! INV-RETIRED-1: what is counted is freed later, and not counted any more once it is.

use std::collections::VecDeque;

use rt::lockfree::{Published, begin_epochs, settled};
use rt::sync::Arc;
use rt::sync::atomic::{AtomicU64, Ordering};

use super::leaf::Leaf;

/// Bytes that may wait before the writer tries to free them after every group.
fn waiting_max() -> u64 {
    if rt::probe::is_simulated() { 2 << 10 } else { 256 << 10 }
}

/// What was replaced. Belongs to the writer.
#[derive(Debug)]
pub(super) struct Retired {
    /// With the bytes that each leaves behind, the oldest first.
    leaves: VecDeque<(Published<Leaf>, u64)>,
    /// Bytes that they leave behind together.
    here: u64,
    /// Whether any came since they were last looked at.
    has_more: bool,
    /// Bytes that are not freed yet, of leaves that are not here any more too.
    waiting: Arc<AtomicU64>,
}

impl Retired {
    pub(super) fn new() -> Self {
        Self {
            leaves: VecDeque::new(),
            here: 0,
            has_more: false,
            waiting: Arc::new(AtomicU64::new("index.retired", 0)),
        }
    }

    /// Returns how many bytes wait to be freed.
    pub(super) fn waiting(&self) -> u64 {
        settled(|| self.waiting.load(Ordering::Relaxed))
    }

    /// Takes a leaf that was replaced, of which that many bytes are of no use any more.
    pub(super) fn add(&mut self, leaf: Published<Leaf>, bytes: usize) {
        leaf.garbage.count(&self.waiting, bytes as u64);
        self.leaves.push_back((leaf, bytes as u64));
        self.here += bytes as u64;
        self.has_more = true;
    }

    /// Counts a leaf that was replaced and that the caller frees, of which that many bytes are of no use any
    /// more.
    pub(super) fn count(&self, leaf: &Leaf, bytes: usize) {
        leaf.garbage.count(&self.waiting, bytes as u64);
    }

    /// Frees the oldest of what waits, if it is too much: no more than must be, since a commit waits for it.
    /// Not again before there is more of it: a reader that was in the way may be there for long.
    #[inline]
    pub(super) fn free_some(&mut self) {
        if std::mem::take(&mut self.has_more) && self.here > waiting_max() {
            self.free_beyond(waiting_max());
        }
    }

    /// Frees all that waits, unless a reader is in the way.
    pub(super) fn free(&mut self) {
        if self.waiting() > 0 {
            self.free_beyond(if rt::mutant!(RetiredKeptIdle) { waiting_max() } else { 0 });
        }
    }

    fn free_beyond(&mut self, kept: u64) {
        // First, while what waits is still here: given up beside a reader, it would stay in this thread's
        // queue, which moves only when this thread reads or writes again.
        if !begin_epochs() {
            return;
        }
        rt::reached!("replaced leaves freed");
        while self.here > kept
            && let Some((leaf, bytes)) = self.leaves.pop_front()
        {
            drop(leaf);
            self.here -= bytes;
        }
        begin_epochs();
    }
}

/// What a leaf leaves behind: counted once it was replaced, until it is freed.
#[derive(Debug, Default)]
pub(super) struct Garbage(rt::lockfree::WriteOnce<Counted>);

#[derive(Debug)]
struct Counted {
    waiting: Arc<AtomicU64>,
    bytes: u64,
}

impl Garbage {
    fn count(&self, waiting: &Arc<AtomicU64>, bytes: u64) {
        let counted = Counted { waiting: Arc::clone(waiting), bytes };
        if self.0.set(counted).is_ok() {
            settled(|| waiting.fetch_add(bytes, Ordering::Relaxed));
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        settled(|| self.waiting.fetch_sub(self.bytes, Ordering::Relaxed));
    }
}
