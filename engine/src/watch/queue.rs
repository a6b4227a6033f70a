//! The queue of one watch: what the commit leader has delivered and the reader has not taken yet.

use std::collections::VecDeque;
use std::task::Waker;

use rt::sync::Mutex;

use super::commit::RawCommit;
use crate::range::KeyRange;
use crate::types::Version;

/// The queue of one watch. The commit leader fills it, the reader empties it; its lock is held for moments.
#[derive(Debug)]
pub(crate) struct WatchQueue {
    pub(super) range: KeyRange,
    bytes_max: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    commits: VecDeque<RawCommit>,
    bytes: usize,
    /// Every commit of the range above this version was queued, up to the first that was missed.
    from: Version,
    /// The last commit for which there was no room. None is queued from the first of them on, until the
    /// reader has taken all that is queued and begins to read the log.
    missed: Option<Version>,
    closed: bool,
    /// Of a reader that waits.
    waker: Option<Waker>,
}

/// What a reader finds in its queue.
#[derive(Debug)]
pub(super) enum Taken {
    /// The next commit.
    Commit(RawCommit),
    /// The next commits, up to this version, are not in the queue.
    Gap(Version),
    /// Nothing; the reader is woken when there is.
    Nothing,
    /// Nothing, and nothing will come.
    Closed,
}

impl WatchQueue {
    /// Creates a queue of the commits above `from`.
    pub(crate) const fn new(range: KeyRange, bytes_max: usize, from: Version) -> Self {
        let state =
            State { commits: VecDeque::new(), bytes: 0, from, missed: None, closed: false, waker: None };
        Self { range, bytes_max, state: Mutex::new("watch.queue", state) }
    }

    /// Adds a commit, or notes that it was missed. Returns the reader's waker, if it waits.
    pub(super) fn push(&self, commit: RawCommit) -> Option<Waker> {
        let mut state = self.state.lock();
        let bytes = commit.bytes();
        // One commit always fits: else a large one could never be delivered.
        let is_full = !state.commits.is_empty() && state.bytes + bytes > self.bytes_max;
        if is_full || state.missed.is_some() {
            rt::reached!("a watch has no room for a commit");
            if !rt::mutant!(WatchForgetsMissed) {
                state.missed = Some(commit.version);
            }
        } else {
            state.bytes += bytes;
            state.commits.push_back(commit);
        }
        state.waker.take()
    }

    /// Takes what comes after `seen`; if that is nothing, leaves `waker` to be woken.
    pub(super) fn take(&self, seen: Version, waker: &Waker) -> Taken {
        let mut state = self.state.lock();
        loop {
            if seen < state.from {
                return Taken::Gap(state.from);
            }
            if let Some(commit) = state.commits.pop_front() {
                state.bytes -= commit.bytes();
                // The reader has it from the log, or has passed over it.
                if commit.version <= seen {
                    continue;
                }
                return Taken::Commit(commit);
            }
            if let Some(missed) = state.missed.take() {
                // In the same critical section in which none is queued: what comes from now on is above
                // the last that was missed.
                state.from = missed;
                continue;
            }
            if state.closed {
                return Taken::Closed;
            }
            match &mut state.waker {
                Some(known) => known.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
            return Taken::Nothing;
        }
    }

    /// Notes that nothing more comes. Returns the reader's waker, if it waits.
    pub(super) fn close(&self) -> Option<Waker> {
        let mut state = self.state.lock();
        state.closed = true;
        state.waker.take()
    }

    /// Frees the memory, as the reader is gone.
    pub(super) fn clear(&self) {
        let mut state = self.state.lock();
        state.commits = VecDeque::new();
        state.bytes = 0;
        state.waker = None;
    }
}
