//! A store that refuses all calls after a given number, as if its process had ended there.
//!
//! Job: cut a store off in the middle of whatever clients do, so that the next life goes on with what is
//! left. Not its job: what is left, which is for the store inside.
//!
//! INV-CRASHING-1: after the last call nothing reaches the store inside, but for commits that are cut: of
//! these every second one happens, and none is answered.

#![expect(
    clippy::disallowed_types,
    reason = "a count outside of the simulated world: hosts that interleave clients do so before each call"
)]

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::store::{
    Body, Bytes, Capabilities, Committed, Entry, Expected, Range, Read, Result, Retry, RunHandle, Store,
    StoreError, StoreTxn, StoreWatch, StreamEvent, TxnOptions, Version, WatchRequest, Watched, run_again,
};

/// A store that is lost after a given number of calls.
pub struct CrashingStore<S> {
    inner: S,
    limit: CallLimit,
}

/// How many calls there were, how many there may be, and what to do before each.
struct CallLimit {
    calls: AtomicU64,
    calls_max: u64,
    before: fn(),
}

impl<S: Store> CrashingStore<S> {
    /// Loses `inner` after `calls_max` calls.
    pub fn new(inner: S, calls_max: u64) -> Self {
        Self { inner, limit: CallLimit { calls: AtomicU64::new(0), calls_max, before: || {} } }
    }

    /// Runs `before` ahead of each call: where a host interleaves clients.
    #[must_use]
    pub fn yielding(mut self, before: fn()) -> Self {
        self.limit.before = before;
        self
    }
}

impl<S> fmt::Debug for CrashingStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrashingStore").field("calls", &self.limit.calls).finish_non_exhaustive()
    }
}

impl CallLimit {
    /// Counts one more call.
    fn call(&self) -> Result<()> {
        let number = self.count();
        if number < self.calls_max { Ok(()) } else { Err(StoreError::Closed("the process has ended".into())) }
    }

    fn count(&self) -> u64 {
        (self.before)();
        self.calls.fetch_add(1, Ordering::SeqCst)
    }
}

impl<S: Store> Store for CrashingStore<S> {
    fn begin(&self, options: &TxnOptions) -> Result<Box<dyn StoreTxn + '_>> {
        self.limit.call()?;
        Ok(Box::new(CrashingTxn { inner: self.inner.begin(options)?, limit: &self.limit }))
    }

    /// Runs a loop of its own, which can be cut between attempts.
    fn transaction(&self, options: &TxnOptions, retry: Retry, body: Body<'_>) -> Result<Committed> {
        run_again(self, options, retry, body)
    }

    fn flush(&self) -> Result<()> {
        self.limit.call()?;
        self.inner.flush()
    }

    fn name(&self) -> String {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn begin_run(&self, parent: Option<&RunHandle>) -> Result<RunHandle> {
        self.limit.call()?;
        self.inner.begin_run(parent)
    }

    fn end_run(&self, run: &RunHandle) -> Result<()> {
        self.limit.call()?;
        self.inner.end_run(run)
    }

    fn open_sibling(&self, name: &str) -> Result<Box<dyn Store>> {
        self.limit.call()?;
        self.inner.open_sibling(name)
    }

    fn watch(&self, request: &WatchRequest) -> Result<Box<dyn StoreWatch + '_>> {
        self.limit.call()?;
        Ok(Box::new(CrashingWatch { inner: self.inner.watch(request)?, limit: &self.limit }))
    }
}

struct CrashingWatch<'a> {
    inner: Box<dyn StoreWatch + 'a>,
    limit: &'a CallLimit,
}

impl StoreWatch for CrashingWatch<'_> {
    fn next(&mut self, timeout: Duration) -> Result<Watched> {
        self.limit.call()?;
        self.inner.next(timeout)
    }

    fn skip_to(&mut self, version: Version) -> Result<()> {
        self.limit.call()?;
        self.inner.skip_to(version)
    }

    fn position(&self) -> Version {
        self.inner.position()
    }
}

struct CrashingTxn<'a> {
    inner: Box<dyn StoreTxn + 'a>,
    limit: &'a CallLimit,
}

impl StoreTxn for CrashingTxn<'_> {
    fn start_version(&self) -> Option<Version> {
        self.inner.start_version()
    }

    fn get(&mut self, key: &[u8]) -> Result<Read> {
        self.limit.call()?;
        self.inner.get(key)
    }

    fn scan(&mut self, range: &Range, limit: Option<usize>, reverse: bool) -> Result<Vec<Entry>> {
        self.limit.call()?;
        self.inner.scan(range, limit, reverse)
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.limit.call()?;
        self.inner.put(key, value)
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.limit.call()?;
        self.inner.delete(key)
    }

    fn cas(&mut self, key: &[u8], expected: &Expected, value: &[u8]) -> Result<()> {
        self.limit.call()?;
        self.inner.cas(key, expected, value)
    }

    fn put_with_ttl(&mut self, key: &[u8], value: &[u8], ttl: Duration) -> Result<()> {
        self.limit.call()?;
        self.inner.put_with_ttl(key, value, ttl)
    }

    fn append(&mut self, key: &[u8], element: &[u8]) -> Result<()> {
        self.limit.call()?;
        self.inner.append(key, element)
    }

    fn list(&mut self, key: &[u8]) -> Result<(Vec<Bytes>, Option<Version>)> {
        self.limit.call()?;
        self.inner.list(key)
    }

    fn append_event(&mut self, stream: &str, payload: &[u8]) -> Result<()> {
        self.limit.call()?;
        self.inner.append_event(stream, payload)
    }

    fn events(&mut self, stream: &str) -> Result<Vec<StreamEvent>> {
        self.limit.call()?;
        self.inner.events(stream)
    }

    fn verify_events(&mut self, stream: &str) -> Result<u64> {
        self.limit.call()?;
        self.inner.verify_events(stream)
    }

    fn create_machine(&mut self, machine: &str, state: &str) -> Result<()> {
        self.limit.call()?;
        self.inner.create_machine(machine, state)
    }

    fn machine(&mut self, machine: &str) -> Result<Read> {
        self.limit.call()?;
        self.inner.machine(machine)
    }

    fn transition(&mut self, machine: &str, from: &str, to: &str) -> Result<()> {
        self.limit.call()?;
        self.inner.transition(machine, from, to)
    }

    fn commit(self: Box<Self>) -> Result<Committed> {
        let number = self.limit.count();
        if number < self.limit.calls_max {
            return self.inner.commit();
        }
        if number.is_multiple_of(2) {
            let _ = self.inner.commit();
        }
        Err(StoreError::Indeterminate("the process has ended".into()))
    }

    fn abort(self: Box<Self>) {
        self.inner.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::CrashingStore;
    use crate::memory_store::MemoryStore;
    use crate::store::{Store, StoreError, TxnOptions};

    #[test]
    fn of_the_commits_that_are_cut_every_second_one_happens_and_none_is_answered() {
        let memory = MemoryStore::with_clock(std::sync::Arc::new(std::time::Duration::default));
        let store = CrashingStore::new(memory.clone(), 6);
        let put = |key: &[u8]| {
            let mut txn = store.begin(&TxnOptions::default()).expect("alive");
            txn.put(key, b"1").expect("alive");
            txn
        };
        let (first, second, third) = (put(b"a"), put(b"b"), put(b"c"));
        for txn in [first, second, third] {
            assert!(matches!(txn.commit(), Err(StoreError::Indeterminate(_))));
        }
        assert!(matches!(store.begin(&TxnOptions::default()), Err(StoreError::Closed(_))));
        let mut left = memory.begin(&TxnOptions::default()).expect("the memory is not lost");
        let found = [b"a", b"b", b"c"].map(|key| left.get(key).expect("readable").value.is_some());
        assert_eq!(found, [true, false, true]);
    }
}
