//! One visit to a small database beside the store: open, add 1 to its counter, close.

use crate::notebook::NoteKind;
use crate::store::{Result, Store, StoreError, TxnOptions};

const COUNTER: &[u8] = b"visits";

/// Visits the database `name`. What it does is not part of the history, which is that of one store.
pub(crate) fn visit(store: &dyn Store, name: &str) -> NoteKind {
    let mut visit = Visit::default();
    let error = visit.run(store, name).err().map(|error| error.to_string());
    let Visit { found, invoked, acked } = visit;
    NoteKind::Sibling { name: name.into(), found, invoked, acked, error }
}

#[derive(Default)]
struct Visit {
    found: Option<i64>,
    invoked: bool,
    acked: bool,
}

impl Visit {
    fn run(&mut self, store: &dyn Store, name: &str) -> Result<()> {
        let sibling = store.open_sibling(name)?;
        let mut txn = sibling.begin(&TxnOptions::default())?;
        let read = txn.get(COUNTER)?;
        let found = match &read.value {
            None => 0,
            Some(value) => std::str::from_utf8(value)
                .ok()
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| StoreError::Refused("the counter is not a number".into()))?,
        };
        self.found = Some(found);
        txn.put(COUNTER, (found + 1).to_string().as_bytes())?;
        self.invoked = true;
        txn.commit()?;
        sibling.close()?;
        self.acked = true;
        Ok(())
    }
}
