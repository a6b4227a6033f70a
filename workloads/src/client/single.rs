//! Single calls to the store: each is a transaction of the history, of one call.
//!
//! A store tells neither snapshot nor version of such a call, so what it wrote is not known for sure when
//! another client has written since; and of a call that writes what it has read nothing is known before it
//! was answered. Beside crashes both would leave too much open, so single calls are made only where nothing
//! crashes.

use super::Runner;
use crate::act::Act;
use crate::history::Session;
use crate::store::{Isolation, Result, RunHandle, StoreError};

/// What is added to a session for what it does in the middle of a transaction of its own.
pub(crate) const NESTED: Session = 1 << 20;

impl Runner<'_> {
    /// Makes one call, and writes it down with what it did and saw.
    pub(crate) fn single(
        &self,
        session: Session,
        run: Option<&RunHandle>,
        key: &str,
        act: &Act,
    ) -> Result<()> {
        if !self.store.capabilities().acts {
            return Ok(());
        }
        let blind = act.ops_before(key);
        if self.environment.may_crash() {
            return Ok(());
        }
        let called = self.recorder.tick();
        let index = self.recorder.begin(session, self.life, called, None, Isolation::Serializable);
        // What it is going to do must be on record, should it never be answered.
        let told_before = blind.is_some();
        blind.into_iter().flatten().for_each(|op| self.recorder.op(index, op));
        self.recorder.commit(index);
        let single = match self.store.single(run, key, act) {
            Ok(single) => single,
            Err(error) => {
                match &error {
                    StoreError::Indeterminate(_) => self.recorder.unknown(index),
                    StoreError::Conflict(conflicts) => self.recorder.aborted(index, conflicts.clone()),
                    _ => self.recorder.aborted(index, Vec::new()),
                }
                return Err(error);
            }
        };
        if !told_before {
            single.ops.into_iter().for_each(|op| self.recorder.op(index, op));
        }
        match &single.committed {
            Some(committed) => self.recorder.committed(index, committed),
            // It has been overwritten since, and the store tells the newest version only.
            None => self.recorder.unknown(index),
        }
        Ok(())
    }
}
