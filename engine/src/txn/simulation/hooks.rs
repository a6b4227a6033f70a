//! The hooks, where there is a simulation.

use std::ops::ControlFlow;

use rt::sync::Arc;

use super::super::transaction::Transaction;
use super::observer::{Observed, Observer};
use crate::commit::{Append, BufferedWrite};
use crate::durability::Durability;
use crate::error::{Error, Result};
use crate::iter::{Entry, Seen};
use crate::key::Key;
use crate::range::KeyRange;
use crate::store::Store;
use crate::types::Version;
use crate::value_ref::ValueRef;

/// The observer of a database, and the life in which the database was opened.
#[derive(Debug)]
pub(crate) struct Hooks {
    observer: Option<Arc<dyn Observer>>,
    durability: Durability,
    life: Option<u64>,
}

impl Hooks {
    pub(crate) fn new(observer: Option<Arc<dyn Observer>>, durability: Durability) -> Self {
        Self { observer, durability, life: rt::life::id() }
    }

    pub(crate) fn opened(&self, store: &Store) {
        let Some(observer) = &self.observer else { return };
        let (version, now) = (store.published(), store.wall_time());
        let mut entries = Vec::new();
        store.index.entries(&KeyRange::everything(), version, |entry| {
            if let Some(value) = entry.live(now) {
                let (key, version) = (Key::from_encoded(entry.key()), Some(entry.version()));
                entries.push(Entry::new(key, value.to_value(), version));
            }
            ControlFlow::Continue(())
        });
        observer.opened(self.durability, version, entries);
    }

    /// Checks that the call comes from the simulation that the database belongs to, if it belongs to one.
    ///
    /// # Errors
    /// [`Error::Invalid`] says where it comes from.
    pub(crate) fn check_life(&self) -> Result<()> {
        let here = rt::life::id();
        if here == self.life || rt::life::is_over() {
            return Ok(());
        }
        Err(Error::Invalid(
            match (self.life, here) {
                (Some(_), None) => {
                    "this database is simulated, and the call comes from a thread that is not: start threads with \
                     `stormproof::runtime::thread`, and call no executor's threads from a simulation"
                }
                (None, _) => {
                    "this database was opened outside of the simulation that calls it: open it with `World::open` or \
                     `World::builder`, in every life"
                }
                _ => {
                    "this database was opened in an earlier life, which is over: open it again with `World::open`, and \
                     keep none in a static"
                }
            }
            .to_owned(),
        ))
    }

    /// As [`Self::check_life`], for calls that return no errors.
    ///
    /// # Panics
    /// When the call is not from there.
    pub(crate) fn assert_life(&self) {
        if let Err(error) = self.check_life() {
            panic!("{error}");
        }
    }

    /// Returns a point in the order of events, before something begins.
    pub(crate) fn now(&self) -> u64 {
        self.observer.as_ref().map_or(0, |observer| observer.now())
    }

    pub(crate) fn begun(&self, called: u64, txn: &Transaction) {
        let (start_version, isolation) = (txn.context.start_version, txn.context.isolation);
        self.tell(txn, || Observed::Begun { called, start_version, isolation });
    }

    pub(crate) fn read(
        &self,
        txn: &Transaction,
        key: &Key,
        version: Option<Version>,
        value: Option<ValueRef<'_>>,
    ) {
        self.tell(txn, || Observed::Read { key, value: value.map(ValueRef::to_value), version });
    }

    /// Returns the receiver of what an iterator of a transaction gives.
    pub(crate) fn seen(&self, txn: &Transaction) -> Seen<'static> {
        match &self.observer {
            Some(observer) if !txn.is_of_system() => {
                let (observer, id) = (Arc::clone(observer), txn.context.id);
                Seen::told_to(move |range, reverse, entries| {
                    observer.observe(id, Observed::Scanned { range, reverse, entries });
                })
            }
            _ => Seen::default(),
        }
    }

    pub(crate) fn written(&self, txn: &Transaction, key: &Key, write: &BufferedWrite) {
        self.tell(txn, || Observed::Written {
            key,
            value: write.value.as_ref(),
            expires_at: write.expires_at,
            condition: write.condition.as_ref(),
        });
    }

    pub(crate) fn appended(&self, txn: &Transaction, append: &Append) {
        self.tell(txn, || Observed::Appended { stream: &append.stream, value: &append.value });
    }

    pub(crate) fn commit_called(&self, txn: &Transaction) {
        self.tell(txn, || Observed::CommitCalled);
    }

    pub(crate) fn committed(&self, txn: &Transaction, version: Option<Version>) {
        // What a transaction read may be less durable than a commit of its own would be.
        let durable = self.durability.is_strict() && version.is_some();
        self.tell(txn, || Observed::Committed { version, durable });
    }

    pub(crate) fn aborted(&self, txn: &Transaction, error: Option<&Error>) {
        self.tell(txn, || match error {
            Some(Error::Indeterminate { .. }) => Observed::Indeterminate,
            Some(Error::Conflict(conflicts)) => Observed::Aborted { conflicts },
            _ => Observed::Aborted { conflicts: &[] },
        });
    }

    pub(crate) fn looked(&self, called: u64, key: &Key, value: Option<ValueRef<'_>>) {
        if let Some(observer) = &self.observer {
            observer.looked(called, key, value.map(ValueRef::to_value));
        }
    }

    pub(crate) fn flushed(&self, called: u64) {
        if let Some(observer) = &self.observer {
            observer.flushed(called);
        }
    }

    pub(crate) fn closed(&self) {
        if let Some(observer) = &self.observer {
            observer.closed();
        }
    }

    fn tell<'a>(&self, txn: &Transaction, what: impl FnOnce() -> Observed<'a>) {
        if let Some(observer) = &self.observer
            && !txn.is_of_system()
        {
            observer.observe(txn.context.id, what());
        }
    }
}
