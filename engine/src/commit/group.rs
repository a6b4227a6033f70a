//! Group commit: leader and followers.

use rt::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::leader::Leader;
use super::mutants;
use super::request::{Member, Request};
use crate::error::{Error, Result};
use crate::store::Store;
use crate::types::Version;

/// Brings requests to the leader's protocol, alone or in groups.
///
/// Where a commit waits for the disk, those that arrive meanwhile queue up; the leader hands the lead over to
/// the first of them, which commits all the others with it as one group, with one write and one sync. Only
/// those that are answered and the next leader are woken (Helland et al., "Group Commit Timers and High
/// Volume Transaction Systems", 1987, with the sync itself as the timer). Where a commit does not wait for
/// the disk, a lock is cheaper than any hand-over.
#[derive(Debug)]
pub(crate) struct Committer {
    leader: Mutex<Leader>,
    queue: Mutex<Queue>,
    grouped: bool,
}

#[derive(Debug, Default)]
struct Queue {
    /// Whether there is a leader.
    led: bool,
    waiting: Vec<Arc<Waiter>>,
}

#[derive(Debug)]
struct Waiter {
    state: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Debug)]
enum Waiting {
    /// For a leader.
    Queued(Request),
    /// With a leader.
    Led,
    /// Is to lead.
    Leads(Request),
    Done(Result<Version>),
}

impl Committer {
    /// `grouped`: whether commits wait for the disk.
    pub(crate) const fn new(leader: Leader, grouped: bool) -> Self {
        Self {
            leader: Mutex::new("commit.protocol", leader),
            queue: Mutex::new("commit.queue", Queue { led: false, waiting: Vec::new() }),
            grouped,
        }
    }

    /// Commits a transaction; returns its version.
    #[inline]
    pub(crate) fn commit(&self, store: &Store, mut request: Request) -> Result<Version> {
        mutants::validate_before_lead(&mut request, &store.index);
        mutants::one_more_lock();
        if self.grouped {
            return self.commit_in_group(store, request);
        }
        let mut members = [Member::new(request)];
        self.leader.lock_soon().commit_group(store, &mut members);
        let [member] = members;
        member.into_result()
    }

    fn commit_in_group(&self, store: &Store, request: Request) -> Result<Version> {
        let mut queue = self.queue.lock();
        if !queue.led {
            queue.led = true;
            drop(queue);
            return self.lead(store, request);
        }
        let waiter = Arc::new(Waiter {
            state: Mutex::new("commit.waiter", Waiting::Queued(request)),
            wake: Condvar::new("commit.waiter.wake"),
        });
        // Under the same hold of the lock under which there was a leader: a request that queues after the
        // leader has left would never be led.
        queue.waiting.push(Arc::clone(&waiter));
        drop(queue);
        match waiter.wait() {
            Waiting::Leads(request) => self.lead(store, request),
            Waiting::Done(result) => result,
            Waiting::Queued(_) | Waiting::Led => Err(Error::Closed),
        }
    }

    /// Keeps commits out for as long as the guard lives: for what must happen between two groups.
    pub(crate) fn between_groups(&self) -> MutexGuard<'_, Leader> {
        self.leader.lock()
    }

    /// Collects all that no snapshot sees, while commits go on; with `idle_only`, not where they will do it
    /// soon.
    pub(crate) fn collect_all(&self, store: &Store, idle_only: bool) {
        let mut collection = self.between_groups().begin_collection(store, idle_only);
        while self.between_groups().collect_leaf(store, &mut collection) {
            // The lock is not fair: commits that wait for it would seldom get it otherwise.
            rt::thread::yield_now();
        }
        self.between_groups().free_retired();
    }

    /// Packs a leaf whose journal is nearly full, while commits go on: they wait only while it is put in
    /// place.
    pub(crate) fn pack_leaf(&self, store: &Store, number: u32) {
        // A moment old at most, which is safe: no snapshot is below it, then or later.
        let oldest = store.snapshots.floor();
        if let Some(packed) = store.index.pack_beside(number, oldest) {
            rt::probe::at("packing.pack→put in place");
            let before = self.between_groups().put_in_place(store, packed);
            // Here and not under the lock: what only the old state held is freed piece by piece.
            drop(before);
        }
    }

    /// Leads one group, then hands the lead over.
    fn lead(&self, store: &Store, request: Request) -> Result<Version> {
        let followers = std::mem::take(&mut self.queue.lock().waiting);
        let mut members = Vec::with_capacity(followers.len() + 1);
        members.push(Member::new(request));
        members.extend(followers.iter().filter_map(|follower| follower.join()).map(Member::new));
        self.leader.lock().commit_group(store, &mut members);
        rt::probe::at("commit.publish→ack");
        // Before the acks: the next group is on its way to the disk while the followers of this one are
        // woken, which takes microseconds for each.
        self.hand_over();
        let mut members = members.into_iter();
        let own = members.next().map_or(Err(Error::Closed), Member::into_result);
        for (follower, member) in followers.iter().zip(members) {
            follower.answer(Waiting::Done(member.into_result()));
        }
        own
    }

    /// Makes the first of the queue the leader, or leaves the lead if the queue is empty.
    fn hand_over(&self) {
        if rt::mutant!(HandOverMissed) && self.queue.lock().waiting.is_empty() {
            rt::probe::at("commit.look→hand over");
            self.queue.lock().led = false;
            return;
        }
        // Checks and leaves under one hold of the lock, or a request that queues in between is never led.
        let mut queue = self.queue.lock();
        if queue.waiting.is_empty() {
            queue.led = false;
            return;
        }
        let next = queue.waiting.remove(0);
        drop(queue);
        if let Some(request) = next.join() {
            next.answer(Waiting::Leads(request));
        }
    }
}

impl Waiter {
    /// Gives the request to a leader.
    fn join(&self) -> Option<Request> {
        match std::mem::replace(&mut *self.state.lock(), Waiting::Led) {
            Waiting::Queued(request) => Some(request),
            _ => None,
        }
    }

    fn answer(&self, answer: Waiting) {
        *self.state.lock() = answer;
        self.wake.notify_one();
    }

    fn wait(&self) -> Waiting {
        let mut state = self.state.lock();
        while matches!(*state, Waiting::Queued(_) | Waiting::Led) {
            self.wake.wait(&mut state);
        }
        std::mem::replace(&mut *state, Waiting::Led)
    }
}
