//! A store that yields before each call, and dies after so many.

use std::sync::Arc;
use std::time::Duration;

use shuttle::sync::atomic::{AtomicU64, Ordering};

use crate::memory_store::MemoryStore;
use crate::store::{
    Capabilities, Committed, Entry, Expected, Range, Read, Result, RunHandle, Store, StoreError, StoreTxn,
    TxnOptions, Version,
};

/// How many calls are left.
#[derive(Clone)]
pub(super) struct Life {
    calls: Arc<AtomicU64>,
    budget: u64,
}

impl Life {
    pub(super) fn of(budget: u64) -> Self {
        Self { calls: Arc::new(AtomicU64::new(0)), budget }
    }

    /// One more call.
    fn call(&self) -> Result<()> {
        shuttle::thread::yield_now();
        let calls = self.calls.fetch_add(1, Ordering::SeqCst);
        if calls < self.budget { Ok(()) } else { Err(StoreError::Closed("the power was cut".into())) }
    }
}

#[derive(Clone)]
pub(super) struct Mortal {
    inner: MemoryStore,
    life: Life,
}

impl Mortal {
    pub(super) fn new(inner: MemoryStore, life: Life) -> Self {
        Self { inner, life }
    }
}

impl Store for Mortal {
    fn begin(&self, options: &TxnOptions) -> Result<Box<dyn StoreTxn + '_>> {
        self.life.call()?;
        Ok(Box::new(MortalTxn { inner: self.inner.begin(options)?, life: &self.life }))
    }

    fn flush(&self) -> Result<()> {
        self.life.call()?;
        self.inner.flush()
    }

    fn name(&self) -> String {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn begin_run(&self, parent: Option<&RunHandle>) -> Result<RunHandle> {
        self.life.call()?;
        self.inner.begin_run(parent)
    }

    fn end_run(&self, run: &RunHandle) -> Result<()> {
        self.life.call()?;
        self.inner.end_run(run)
    }

    fn open_sibling(&self, name: &str) -> Result<Box<dyn Store>> {
        self.life.call()?;
        self.inner.open_sibling(name)
    }
}

struct MortalTxn<'a> {
    inner: Box<dyn StoreTxn + 'a>,
    life: &'a Life,
}

impl StoreTxn for MortalTxn<'_> {
    fn start_version(&self) -> Option<Version> {
        self.inner.start_version()
    }

    fn get(&mut self, key: &[u8]) -> Result<Read> {
        self.life.call()?;
        self.inner.get(key)
    }

    fn scan(&mut self, range: &Range, limit: Option<usize>, reverse: bool) -> Result<Vec<Entry>> {
        self.life.call()?;
        self.inner.scan(range, limit, reverse)
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.life.call()?;
        self.inner.put(key, value)
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.life.call()?;
        self.inner.delete(key)
    }

    fn cas(&mut self, key: &[u8], expected: &Expected, value: &[u8]) -> Result<()> {
        self.life.call()?;
        self.inner.cas(key, expected, value)
    }

    fn put_with_ttl(&mut self, key: &[u8], value: &[u8], ttl: Duration) -> Result<()> {
        self.life.call()?;
        self.inner.put_with_ttl(key, value, ttl)
    }

    /// The commit that is cut has happened, or has not: every second one has.
    fn commit(self: Box<Self>) -> Result<Committed> {
        let cut = self.life.call().is_err();
        let calls = self.life.calls.load(Ordering::SeqCst);
        if !cut {
            return self.inner.commit();
        }
        if calls.is_multiple_of(2) {
            let _ = self.inner.commit();
        }
        Err(StoreError::Indeterminate("the power was cut".into()))
    }

    fn abort(self: Box<Self>) {
        self.inner.abort();
    }
}
