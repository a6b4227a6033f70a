//! A store that takes no more operations after so many, as if its process had ended there.

use std::time::Duration;

use stormproof_rt::sync::atomic::{AtomicU64, Ordering};
use stormproof_workloads::store::{
    Bytes, Capabilities, Committed, Entry, Expected, Range, Read, Result, RunHandle, Store, StoreError,
    StoreTxn, StreamEvent, TxnOptions, Version,
};

use crate::engine_store::EngineStore;

/// An engine that is lost after so many operations: what is called then never reaches it.
#[derive(Debug)]
pub struct Interrupted {
    inner: EngineStore,
    count: Count,
}

impl Interrupted {
    /// Loses `inner` after so many operations.
    pub fn new(inner: EngineStore, operations: u64) -> Self {
        Self { inner, count: Count { done: AtomicU64::new("operations", 0), most: operations } }
    }
}

/// How many operations there were, and how many there may be.
#[derive(Debug)]
struct Count {
    done: AtomicU64,
    most: u64,
}

impl Count {
    fn call(&self) -> Result<()> {
        let done = self.done.fetch_add(1, Ordering::SeqCst);
        if done < self.most { Ok(()) } else { Err(StoreError::Closed("the process has ended".into())) }
    }
}

impl Store for Interrupted {
    fn begin(&self, options: &TxnOptions) -> Result<Box<dyn StoreTxn + '_>> {
        self.count.call()?;
        Ok(Box::new(InterruptedTxn { inner: self.inner.begin(options)?, count: &self.count }))
    }

    fn flush(&self) -> Result<()> {
        self.count.call()?;
        self.inner.flush()
    }

    fn name(&self) -> String {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn begin_run(&self, parent: Option<&RunHandle>) -> Result<RunHandle> {
        self.count.call()?;
        self.inner.begin_run(parent)
    }

    fn end_run(&self, run: &RunHandle) -> Result<()> {
        self.count.call()?;
        self.inner.end_run(run)
    }

    fn open_sibling(&self, name: &str) -> Result<Box<dyn Store>> {
        self.count.call()?;
        self.inner.open_sibling(name)
    }
}

struct InterruptedTxn<'a> {
    inner: Box<dyn StoreTxn + 'a>,
    count: &'a Count,
}

impl StoreTxn for InterruptedTxn<'_> {
    fn start_version(&self) -> Option<Version> {
        self.inner.start_version()
    }

    fn get(&mut self, key: &[u8]) -> Result<Read> {
        self.count.call()?;
        self.inner.get(key)
    }

    fn scan(&mut self, range: &Range, limit: Option<usize>, reverse: bool) -> Result<Vec<Entry>> {
        self.count.call()?;
        self.inner.scan(range, limit, reverse)
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.count.call()?;
        self.inner.put(key, value)
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.count.call()?;
        self.inner.delete(key)
    }

    fn cas(&mut self, key: &[u8], expected: &Expected, value: &[u8]) -> Result<()> {
        self.count.call()?;
        self.inner.cas(key, expected, value)
    }

    fn put_with_ttl(&mut self, key: &[u8], value: &[u8], ttl: Duration) -> Result<()> {
        self.count.call()?;
        self.inner.put_with_ttl(key, value, ttl)
    }

    fn append(&mut self, key: &[u8], element: &[u8]) -> Result<()> {
        self.count.call()?;
        self.inner.append(key, element)
    }

    fn list(&mut self, key: &[u8]) -> Result<(Vec<Bytes>, Option<Version>)> {
        self.count.call()?;
        self.inner.list(key)
    }

    fn append_event(&mut self, stream: &str, payload: &[u8]) -> Result<()> {
        self.count.call()?;
        self.inner.append_event(stream, payload)
    }

    fn events(&mut self, stream: &str) -> Result<Vec<StreamEvent>> {
        self.count.call()?;
        self.inner.events(stream)
    }

    fn verify_events(&mut self, stream: &str) -> Result<u64> {
        self.count.call()?;
        self.inner.verify_events(stream)
    }

    fn create_machine(&mut self, machine: &str, state: &str) -> Result<()> {
        self.count.call()?;
        self.inner.create_machine(machine, state)
    }

    fn machine(&mut self, machine: &str) -> Result<Read> {
        self.count.call()?;
        self.inner.machine(machine)
    }

    fn transition(&mut self, machine: &str, from: &str, to: &str) -> Result<()> {
        self.count.call()?;
        self.inner.transition(machine, from, to)
    }

    /// A commit that the end cut off: nobody knows.
    fn commit(self: Box<Self>) -> Result<Committed> {
        let cut = self.count.call().is_err();
        if !cut {
            return self.inner.commit();
        }
        // Every second one reached the log. It is the transaction that decides, so that both happen.
        if self.inner.start_version().is_some_and(|version| version % 2 == 0) {
            let _ = self.inner.commit();
        }
        Err(StoreError::Indeterminate("the process has ended".into()))
    }

    fn abort(self: Box<Self>) {
        self.inner.abort();
    }
}
