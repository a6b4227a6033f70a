//! What a database promises, and how it is opened.

use std::path::Path;

use stormproof_workloads::store::{Isolation, Result, Store};

/// When a commit is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Durability {
    /// Before its ack: what was acked survives a power cut.
    PerCommit,
    /// Later: a power cut takes the last commits.
    Later,
}

/// How many transactions may write at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Writers {
    /// One at a time: beginning a second one waits for the first to end. A thread that holds two waits for
    /// ever.
    One,
    /// Side by side; a conflict is found at the commit, at the latest.
    Many,
}

/// A database to run on: what it promises, in its own documentation's words.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its name, as given to [`Peer::by_name`].
    pub name: &'static str,
    /// The strongest isolation of transactions that read and write points and ranges.
    pub isolation: Isolation,
    /// How many transactions of that isolation may write at once.
    pub writers: Writers,
    /// What [`Durability::PerCommit`] sets; `None` if the database keeps nothing.
    pub durable: Option<&'static str>,
    /// What [`Durability::Later`] sets, and what a power cut then takes.
    pub later: &'static str,
    pub(crate) open: fn(&Path, Durability) -> Result<Box<dyn Store>>,
}

impl Peer {
    /// Returns all that were compiled in.
    pub fn all() -> Vec<Self> {
        vec![
            #[cfg(feature = "canopydb")]
            crate::canopydb::PEER,
            #[cfg(feature = "fjall")]
            crate::fjall::PEER,
            #[cfg(feature = "lmdb")]
            crate::lmdb::PEER,
            #[cfg(feature = "redb")]
            crate::redb::PEER,
            #[cfg(feature = "rocksdb")]
            crate::rocksdb::PEER,
            #[cfg(feature = "skipdb")]
            crate::skipdb::PEER,
            #[cfg(feature = "sled")]
            crate::sled::PEER,
            #[cfg(feature = "sqlite")]
            crate::sqlite::PEER,
            #[cfg(feature = "surrealkv")]
            crate::surrealkv::PEER,
        ]
    }

    /// Returns the one of this name, if it was compiled in.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|peer| peer.name == name)
    }

    /// Opens the database in the directory `dir`, which exists, or creates it there.
    ///
    /// # Errors
    /// When it can't be opened, or when [`Durability::PerCommit`] is asked of a database that keeps nothing.
    pub fn open(&self, dir: &Path, durability: Durability) -> Result<Box<dyn Store>> {
        (self.open)(dir, durability)
    }
}
