//! Avoids starvation: reserves the keys that a closure keeps losing, for one closure at a time.
//!
//! Job: bounds how often a closure loses. Not its job: the answer to a commit, which validation alone
//! decides.
//!
//! ```text
//! a closure   loses, loses, …   queues   reserves what it lost   runs again   commits, lifts the reservation
//! others                                          commits that write it wait ··············· go on
//! ```
//!
//! A closure that has lost `alone_after` times queues; the first of the queue *holds a reservation* of the
//! keys and ranges that it has lost so far. Commits by others that would write any of these wait, before they
//! join a group, for the end of the reservation; reads and buffered writes never wait (V6). For all others
//! the price is one load of a word that is not written as long as nothing is reserved; while something is,
//! the word is a filter of what is reserved.
//!
//! Between two reservations there is a *cooldown*, during which others go on as if there were no queue.
//! Fairness costs hundreds of times as much as a commit: those that waited fall asleep, are woken, and have
//! lost. Without the cooldown they would queue next, and from then on every commit would go through here.
//!
//! * INV-TURN-1: one closure at a time holds a reservation, in the order of arrival. A closure that gives up
//!   waiting for its turn runs again without one, and keeps its place.
//! * INV-TURN-2: a commit that writes what is reserved, and reads the word after the reservation was made,
//!   does not join a group before the reservation ends or its wait limit is reached.
//!
//! **The bound.** With a reservation, a closure loses only to commits that had already read the word when
//! what they write was reserved: at most one of each other thread for every reservation that it makes, and it
//! makes one more only if it has lost something new. One that touches `k` keys or ranges, among `t` other
//! threads, thus runs at most `1 + k + k · t` times with a reservation; one that always loses the same key,
//! which it reserves from the start, at most `1 + t`.
//!
//! **Its limits.** The holder may wait for a thread whose commit waits for the reservation: a closure that
//! runs other transactions, or hands work to a thread. So a commit waits at most for a *wait limit* of its
//! own, and never longer than that after the holder's present run began; then it goes on, and may win. The
//! bound holds for closures whose runs with a reservation all fit into one wait limit.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use rt::sync::atomic::{AtomicU64, Ordering};
use rt::sync::{Arc, Condvar, Mutex, MutexGuard};
use rt::time::Instant;

use crate::commit::{Append, WriteSet};
use crate::conflict::ConflictInfo;
use crate::key::Key;
use crate::mvcc::fingerprint;
use crate::range::KeyRange;

/// A deadline for those that have none.
const NEVER: Instant = Instant::from_nanos(u64::MAX);

/// For how long nothing is reserved between two reservations, at least; and how many times as long as the
/// last one was.
const COOLDOWN_MIN: Duration = Duration::from_millis(1);
const COOLDOWN_TIMES: u32 = 4;

/// The queue of closures that keep losing, and what the first of them has reserved.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Contention {
    /// Bits of the hashes of reserved keys; all bits if there is a range; zero as long as nothing is
    /// reserved. On a cache line of its own, as every commit reads it.
    filter: AtomicU64,
    queue: Queue,
}

#[derive(Debug)]
#[repr(align(64))]
struct Queue {
    line: Mutex<Line>,
    /// The reservation was lifted.
    lifted: Condvar,
}

#[derive(Debug)]
struct Line {
    /// The queue; the first holds the reservation, or is about to.
    waiting: VecDeque<Arc<Ticket>>,
    reserved: Option<Reservation>,
    /// When the next reservation may be made.
    next: Instant,
}

#[derive(Debug)]
struct Ticket {
    /// It is the first now.
    called: Condvar,
}

#[derive(Debug)]
struct Reservation {
    keys: ReservedKeys,
    wait_limit: Duration,
    made: Instant,
    /// A wait limit after the holder's present run began.
    until: Instant,
}

/// What a closure has lost to others: no commit of theirs may write these while they are reserved.
#[derive(Clone, Debug, Default)]
pub(super) struct ReservedKeys {
    keys: BTreeSet<Key>,
    ranges: Vec<KeyRange>,
}

/// A place in the queue, given up when dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    contention: &'a Contention,
    ticket: Arc<Ticket>,
    wait_limit: Duration,
}

impl Contention {
    pub(crate) const fn new() -> Self {
        let line = Line { waiting: VecDeque::new(), reserved: None, next: Instant::from_nanos(0) };
        let line = Mutex::new("turnstile", line);
        Self {
            filter: AtomicU64::new("turnstile.filter", 0),
            queue: Queue { line, lifted: Condvar::new("turnstile.lifted") },
        }
    }

    /// Takes a place at the end of the queue.
    pub(super) fn queue(&self, wait_limit: Duration) -> Place<'_> {
        let ticket = Arc::new(Ticket { called: Condvar::new("turnstile.called") });
        self.queue.line.lock().waiting.push_back(Arc::clone(&ticket));
        Place { contention: self, ticket, wait_limit }
    }

    /// Returns how many closures have a place in the queue, with the one that holds the reservation.
    pub(crate) fn queued(&self) -> usize {
        self.queue.line.lock().waiting.len()
    }

    /// Returns whether the queue is empty and nothing is reserved.
    #[cfg(test)]
    pub(crate) fn is_free(&self) -> bool {
        let line = self.queue.line.lock();
        line.waiting.is_empty() && line.reserved.is_none() && self.filter.load(Ordering::SeqCst) == 0
    }

    /// Waits while any of the writes is reserved, but not longer than the wait limit, or `deadline`, allows.
    #[inline]
    pub(super) fn give_way(&self, writes: &WriteSet, appends: &[Append], deadline: Option<Instant>) {
        let filter = self.filter.load(Ordering::SeqCst);
        if filter != 0 {
            let hit = |(key, _): (&Key, _)| filter & bit(key) != 0;
            if !appends.is_empty() || writes.iter().any(hit) {
                self.wait_for_reserved(writes, appends, deadline);
            }
        }
    }

    #[cold]
    fn wait_for_reserved(&self, writes: &WriteSet, appends: &[Append], deadline: Option<Instant>) {
        let mut line = self.queue.line.lock();
        let mut own = None;
        while let Some(reserved) = &line.reserved {
            if !reserved.keys.is_written_by(writes, appends) {
                return;
            }
            let now = rt::time::now();
            let own = *own.get_or_insert_with(|| now.saturating_add(reserved.wait_limit));
            let until = own.min(reserved.until).min(deadline.unwrap_or(NEVER));
            if now >= until {
                return;
            }
            rt::reached!("commit gave way to one that kept losing");
            wait(&self.queue.lifted, &mut line, until);
        }
    }
}

impl Place<'_> {
    /// Waits until its turn has come, but not longer than the wait limit, or `deadline`, allows; returns
    /// whether what was lost is now reserved for the run that follows.
    pub(super) fn enter(&self, lost: &ReservedKeys, deadline: Option<Instant>) -> bool {
        let mut now = rt::time::now();
        let until = now.saturating_add(self.wait_limit).min(deadline.unwrap_or(NEVER));
        let mut line = self.contention.queue.line.lock();
        loop {
            let first = line.is_first(&self.ticket);
            if first && (line.reserved.is_some() || now >= line.next) {
                break;
            }
            if now >= until {
                return false;
            }
            let wake = if first { until.min(line.next) } else { until };
            wait(&self.ticket.called, &mut line, wake);
            now = rt::time::now();
        }
        let made = line.reserved.as_ref().map_or(now, |reserved| reserved.made);
        let until = now.saturating_add(self.wait_limit);
        line.reserved = Some(Reservation { keys: lost.clone(), wait_limit: self.wait_limit, made, until });
        self.contention.filter.store(lost.filter(), Ordering::SeqCst);
        true
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Contention { filter, queue } = self.contention;
        let mut line = queue.line.lock();
        if !line.is_first(&self.ticket) {
            return line.waiting.retain(|ticket| !Arc::ptr_eq(ticket, &self.ticket));
        }
        line.waiting.pop_front();
        if let Some(reserved) = line.reserved.take() {
            filter.store(0, Ordering::SeqCst);
            queue.lifted.notify_all();
            let now = rt::time::now();
            let lasted = now.saturating_since(reserved.made);
            line.next = now.saturating_add(lasted.saturating_mul(COOLDOWN_TIMES).max(COOLDOWN_MIN));
        }
        if let Some(first) = line.waiting.front() {
            first.called.notify_one();
        }
    }
}

impl Line {
    fn is_first(&self, ticket: &Arc<Ticket>) -> bool {
        self.waiting.front().is_some_and(|first| Arc::ptr_eq(first, ticket))
    }
}

impl ReservedKeys {
    pub(super) fn add(&mut self, conflicts: &[ConflictInfo]) {
        for conflict in conflicts {
            if let ConflictInfo::RangeConflict { start, end, .. } = conflict {
                let range = KeyRange::from_parts(start.clone(), end.clone());
                if !self.ranges.contains(&range) {
                    self.ranges.push(range);
                }
            } else {
                self.keys.insert(conflict.key().clone());
            }
        }
    }

    fn filter(&self) -> u64 {
        if !self.ranges.is_empty() {
            return u64::MAX;
        }
        self.keys.iter().fold(0, |filter, key| filter | bit(key))
    }

    fn is_written_by(&self, writes: &WriteSet, appends: &[Append]) -> bool {
        let holds = |key| self.keys.contains(key) || self.ranges.iter().any(|range| range.contains(key));
        writes.iter().any(|(key, _)| holds(key))
            // Which key an append will get is not known yet: any of its stream.
            || appends.iter().any(|append| {
                let stream = KeyRange::all_with(append.stream.clone());
                self.keys.iter().any(|key| stream.contains(key))
                    || self.ranges.iter().any(|range| range.overlaps(&stream))
            })
    }
}

/// Returns one of 64 bits, by the key's hash.
#[inline]
fn bit(key: &Key) -> u64 {
    1 << (fingerprint(key.as_bytes()) >> 2)
}

/// Waits for a notification until a deadline, if there is one.
fn wait(condition: &Condvar, line: &mut MutexGuard<'_, Line>, until: Instant) {
    if until == NEVER {
        condition.wait(line);
    } else {
        condition.wait_until(line, until);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Contention, ReservedKeys};

    #[test]
    fn inv_turn_1_places_are_kept_and_turns_come_in_order() {
        rt::check(|| {
            let (contention, lost) = (Contention::new(), ReservedKeys::default());
            let queue = || contention.queue(Duration::MAX);
            let (first, second, third) = (queue(), queue(), queue());
            let must_wait = |place: &super::Place<'_>| !place.enter(&lost, Some(rt::time::now()));
            let enters = |place: &super::Place<'_>| place.enter(&lost, None);
            assert!(enters(&first));
            assert!(must_wait(&second) && must_wait(&third) && enters(&first));
            drop(first);
            assert!(must_wait(&third) && enters(&second));
            let fourth = queue();
            drop(third);
            assert!(must_wait(&fourth));
            drop(second);
            assert!(enters(&fourth));
            drop(fourth);
            assert!(contention.is_free());
        });
    }
}
