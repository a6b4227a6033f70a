//! The engine's own loops, which run a transaction again after a conflict.

use stormproof_rt::sync::atomic::Ordering;
use stormproof_workloads::manner::{LoopBy, Manner};
use stormproof_workloads::store::{Body, Committed, Result, Retry, StoreError, TxnOptions};

use super::EngineStore;
use super::convert::error;
use super::engine::{Error, RunId, Transaction, TxnId};
use super::txn::{Told, isolation, policy, wanted};

impl EngineStore {
    /// Runs a transaction by the loop that is asked for.
    pub(super) fn run_in_loop(
        &self,
        options: &TxnOptions,
        retry: Retry,
        body: Body<'_>,
    ) -> Result<Committed> {
        let run = self.run_of(options.run.as_ref())?;
        let Manner { loop_by, ticket, retries_as_usual, .. } = options.manner;
        let wanted = wanted(options);
        let wanted = if retries_as_usual { wanted } else { wanted.retry(policy(retry)) };
        let mut last = LastTxn::default();
        let mut own = None;
        // Errors of the body that are not the engine's own go past it.
        let mut made = 0_u64;
        let mut plain = |txn: &mut Transaction| {
            made += 1;
            if made > 1 {
                self.retries.fetch_add(1, Ordering::Relaxed);
            }
            let id = txn.context().id();
            let mut held = self.txn(txn, ticket);
            let done = body(&mut held);
            last = LastTxn { id: Some(id), wrote: held.wrote(), key: held.written.last().cloned() };
            let failed = held.failed.take();
            done.map_err(|told| {
                failed.unwrap_or_else(|| {
                    own = Some(told);
                    Error::Invalid("the body gave up".into())
                })
            })
        };
        let commit = match loop_by {
            LoopBy::WithCommit => {
                let done = self.database.transaction_with_commit(run, &wanted, &mut plain);
                self.count("Database::transaction_with_commit", &done);
                done.map(|((), commit)| Some(commit))
            }
            LoopBy::With => {
                let done = self.database.transaction_with(run, &wanted, &mut plain);
                self.count("Database::transaction_with", &done);
                done.map(|()| None)
            }
            LoopBy::Plain if self.is_usual(run, options)? => {
                let done = self.database.transaction(run, &mut plain);
                self.count("Database::transaction", &done);
                done.map(|()| None)
            }
            LoopBy::Try if self.is_usual(run, options)? => {
                let done: std::result::Result<(), Told> =
                    self.database.try_transaction(run, |txn| plain(txn).map_err(Told));
                let done = done.map_err(|Told(error)| error);
                self.count("Database::try_transaction", &done);
                done.map(|()| None)
            }
            LoopBy::TryWithCommit | LoopBy::Try | LoopBy::Plain => {
                let done: std::result::Result<_, Told> =
                    self.database.try_transaction_with_commit(run, &wanted, |txn| plain(txn).map_err(Told));
                let done = done.map_err(|Told(error)| error);
                self.count("Database::try_transaction_with_commit", &done);
                done.map(|((), commit)| Some(commit))
            }
        };
        match commit {
            Ok(Some(commit)) => Ok(self.committed(&commit, ticket)),
            Ok(None) => self.committed_by(&last),
            Err(failed) => Err(own.unwrap_or_else(|| error(failed))),
        }
    }

    /// Returns whether a transaction is wanted as the database runs those of which nothing is said.
    fn is_usual(&self, run: RunId, options: &TxnOptions) -> Result<bool> {
        let Manner { timeout_micros, writes_max, bytes_max, retries_as_usual, .. } = options.manner;
        let limited = timeout_micros.is_some() || writes_max.is_some() || bytes_max.is_some();
        if options.read_only || limited || !retries_as_usual {
            return Ok(false);
        }
        let txn = self.ask("Database::begin_transaction", |database| database.begin_transaction(run))?;
        Ok(txn.context().isolation() == isolation(options.isolation))
    }

    /// Returns a commit of which only the transaction is known: it is read off what it has written last.
    fn committed_by(&self, last: &LastTxn) -> Result<Committed> {
        let Some((id, key)) = last.wrote() else { return Ok(Committed::default()) };
        let newest = key.and_then(|key| {
            self.calls.ok("Database::provenance");
            self.database.provenance(key.as_slice())
        });
        match newest.filter(|newest| newest.txn == id) {
            Some(newest) => {
                let durable = self.database.durable_version() >= newest.version;
                Ok(Committed { version: Some(newest.version.get()), durable })
            }
            None => Err(StoreError::Indeterminate("it has been overwritten since it was acked".into())),
        }
    }
}

/// What is known of the last attempt of a loop that does not tell the commit.
#[derive(Default)]
struct LastTxn {
    id: Option<TxnId>,
    wrote: bool,
    key: Option<Vec<u8>>,
}

impl LastTxn {
    fn wrote(&self) -> Option<(TxnId, Option<&Vec<u8>>)> {
        self.id.filter(|_| self.wrote).map(|id| (id, self.key.as_ref()))
    }
}
