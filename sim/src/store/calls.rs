//! Which public functions of the engine were called, and how they ended.
//!
//! Job: counts, by function and outcome, and of pairs of acts on one key in one transaction. Not its job:
//! deciding which ones there have to be (`surface`).
//!
//! INV-CALLS-1: the lock is held for one count and never across a call to a store, so no interleaving depends
//! on it.

#![expect(
    clippy::disallowed_types,
    reason = "bookkeeping outside of the simulated world: held for a count, so no interleaving depends on it"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Two names, and how often they came together.
pub type Counts = BTreeMap<(&'static str, &'static str), u64>;

/// Counts that all clients of a run share; clones count together.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<Mutex<Counted>>);

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Calls by function and outcome.
    pub calls: Counts,
    /// Pairs of acts on one key in one transaction: the one before, and the one after it.
    pub pairs: Counts,
}

impl Calls {
    /// Counts a call.
    pub fn add(&self, function: &'static str, outcome: &'static str) {
        *self.counted().calls.entry((function, outcome)).or_default() += 1;
    }

    /// Counts a call that can't fail.
    pub fn ok(&self, function: &'static str) {
        self.add(function, OK);
    }

    /// Counts an act together with those on the same key that came before it.
    pub fn pair(&self, before: &[&'static str], act: &'static str) {
        let mut counted = self.counted();
        for first in before {
            *counted.pairs.entry((first, act)).or_default() += 1;
        }
    }

    /// Returns whether any function that was called is one of these.
    pub fn any(&self, is: impl Fn(&str) -> bool) -> bool {
        self.counted().calls.keys().any(|(function, _)| is(function))
    }

    /// Takes what was counted.
    pub fn take(&self) -> Counted {
        std::mem::take(&mut *self.counted())
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The outcome of a call that did what it should.
pub const OK: &str = "ok";
