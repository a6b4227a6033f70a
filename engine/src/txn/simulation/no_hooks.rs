//! The hooks, where there is no simulation: nothing.

use super::super::transaction::Transaction;
use crate::commit::{Append, BufferedWrite};
use crate::error::{Error, Result};
use crate::iter::Seen;
use crate::key::Key;
use crate::store::Store;
use crate::types::Version;
use crate::value_ref::ValueRef;

/// Nothing: see the feature `simulation`.
#[derive(Debug)]
pub(crate) struct Hooks;

#[expect(clippy::unused_self, reason = "with the feature `simulation` they do something")]
#[expect(clippy::unnecessary_wraps, reason = "with the feature `simulation` it may be an error")]
impl Hooks {
    #[inline]
    pub(crate) fn check_life(&self) -> Result<()> {
        Ok(())
    }

    #[inline]
    pub(crate) fn assert_life(&self) {}

    #[inline]
    pub(crate) fn now(&self) -> u64 {
        0
    }

    #[inline]
    pub(crate) fn opened(&self, _: &Store) {}

    #[inline]
    pub(crate) fn begun(&self, _called: u64, _txn: &Transaction) {}

    #[inline]
    pub(crate) fn read(&self, _: &Transaction, _: &Key, _: Option<Version>, _: Option<ValueRef<'_>>) {}

    #[inline]
    pub(crate) fn seen(&self, _: &Transaction) -> Seen<'static> {
        Seen::default()
    }

    #[inline]
    pub(crate) fn written(&self, _: &Transaction, _: &Key, _: &BufferedWrite) {}

    #[inline]
    pub(crate) fn appended(&self, _: &Transaction, _: &Append) {}

    #[inline]
    pub(crate) fn commit_called(&self, _: &Transaction) {}

    #[inline]
    pub(crate) fn committed(&self, _: &Transaction, _: Option<Version>) {}

    #[inline]
    pub(crate) fn aborted(&self, _: &Transaction, _: Option<&Error>) {}

    #[inline]
    pub(crate) fn looked(&self, _called: u64, _: &Key, _: Option<ValueRef<'_>>) {}

    #[inline]
    pub(crate) fn flushed(&self, _called: u64) {}

    #[inline]
    pub(crate) fn closed(&self) {}
}
