//! SurrealKV: a log-structured merge tree with an asynchronous commit pipeline.
//!
//! Promises snapshot isolation: optimistic transactions of which the first to write a key wins. Durable per
//! commit is `Durability::Immediate`; otherwise `Durability::Eventual`, where a power cut takes the last
//! commits. Commits are futures, driven by the calling thread on a runtime of the store.

use std::path::Path;

use stormproof_workloads::store::{
    Bytes, Capabilities, Isolation, Key, Range, Result, Store, StoreTxn, TxnOptions,
};
use surrealkv::{LSMIterator, Mode, Transaction, Tree, TreeBuilder};
use tokio::runtime::{Builder, Runtime};

use crate::txn::{Native, Txn, capabilities, conflict, refused, unknown};
use crate::{Durability, Peer, Writers};

/// What it promises.
pub const PEER: Peer = Peer {
    name: "surrealkv",
    isolation: Isolation::Snapshot,
    writers: Writers::Many,
    durable: Some("Durability::Immediate: the log is synced before the commit returns"),
    later: "Durability::Eventual: a power cut takes the last commits",
    open: |dir, durability| Ok(Box::new(SurrealStore::open(dir, durability)?)),
};

/// A SurrealKV tree.
pub struct SurrealStore {
    tree: Tree,
    runtime: Runtime,
    durability: Durability,
}

impl SurrealStore {
    /// Opens the tree in `dir`, or creates it.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn open(dir: &Path, durability: Durability) -> Result<Self> {
        Self::with(TreeBuilder::new().with_path(dir.to_owned()), durability)
    }

    /// Opens the tree that the builder describes.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn with(builder: TreeBuilder, durability: Durability) -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_time().build().map_err(refused)?;
        let inside = runtime.enter();
        let tree = builder.build().map_err(refused)?;
        drop(inside);
        Ok(Self { tree, runtime, durability })
    }

    /// Returns the tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Begins a transaction with the durability of this store.
    ///
    /// # Errors
    /// When the tree refuses it.
    pub fn begin_with(&self, mode: Mode) -> Result<Transaction> {
        let durability = match self.durability {
            Durability::PerCommit => surrealkv::Durability::Immediate,
            Durability::Later => surrealkv::Durability::Eventual,
        };
        Ok(self.tree.begin_with_mode(mode).map_err(refused)?.with_durability(durability))
    }

    /// Commits on the calling thread.
    ///
    /// # Errors
    /// As the tree's own commit.
    pub fn commit(&self, txn: &mut Transaction) -> std::result::Result<(), surrealkv::Error> {
        self.runtime.block_on(txn.commit())
    }
}

impl Store for SurrealStore {
    fn begin(&self, options: &TxnOptions) -> Result<Box<dyn StoreTxn + '_>> {
        let mode = if options.read_only { Mode::ReadOnly } else { Mode::ReadWrite };
        let native = SurrealTxn { txn: self.begin_with(mode)?, store: self, read_only: options.read_only };
        Ok(Box::new(Txn::new(native, options.read_only, self.durability == Durability::PerCommit)))
    }

    fn flush(&self) -> Result<()> {
        self.tree.flush_wal(true).map_err(unknown)
    }

    fn name(&self) -> String {
        PEER.name.into()
    }

    fn capabilities(&self) -> Capabilities {
        capabilities(PEER.isolation)
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.runtime.block_on(self.tree.close()).map_err(unknown)
    }
}

impl Drop for SurrealStore {
    fn drop(&mut self) {
        // A tree that is dropped outside of a runtime is not closed. Closing twice is nothing.
        let _ = self.runtime.block_on(self.tree.close());
    }
}

struct SurrealTxn<'a> {
    txn: Transaction,
    store: &'a SurrealStore,
    read_only: bool,
}

impl Native for SurrealTxn<'_> {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>> {
        self.txn.get(key).map_err(refused)
    }

    fn scan(&mut self, range: &Range, limit: usize, reverse: bool) -> Result<Vec<(Key, Bytes)>> {
        match range.end.as_deref() {
            Some(end) => visit(self.txn.range(range.start.as_slice(), end), limit, reverse),
            None => visit(self.txn.scan(range.start.as_slice()..), limit, reverse),
        }
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.txn.set(key, value).map_err(refused)
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.txn.delete(key).map_err(refused)
    }

    fn commit(mut self) -> Result<()> {
        if self.read_only {
            return Ok(());
        }
        match self.store.commit(&mut self.txn) {
            Ok(()) => Ok(()),
            Err(surrealkv::Error::TransactionWriteConflict | surrealkv::Error::TransactionRetry) => {
                Err(conflict())
            }
            Err(error) => Err(unknown(error)),
        }
    }
}

fn visit(
    entries: surrealkv::Result<impl LSMIterator>,
    limit: usize,
    reverse: bool,
) -> Result<Vec<(Key, Bytes)>> {
    let mut entries = entries.map_err(refused)?;
    let mut found = Vec::new();
    let mut more = if reverse { entries.seek_last() } else { entries.seek_first() }.map_err(refused)?;
    while more && found.len() < limit {
        found.push((entries.key().user_key().to_vec(), entries.value().map_err(refused)?));
        more = if reverse { entries.prev() } else { entries.next() }.map_err(refused)?;
    }
    Ok(found)
}
