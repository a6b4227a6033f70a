//! Other databases, where they are built in.
//!
//! One feature of this crate per database: only those that are asked for are built.

#[cfg(not(feature = "stormproof-peers"))]
pub(super) use without::{is_durable, isolation, names, open};

#[cfg(feature = "stormproof-peers")]
pub(super) use with::{is_durable, isolation, names, open};

use super::target::UnknownStore;

/// The names of all databases that can be built in.
const KNOWN: [&str; 9] =
    ["canopydb", "fjall", "lmdb", "redb", "rocksdb", "skipdb", "sled", "sqlite", "surrealkv"];

fn missing(name: &str) -> UnknownStore {
    if KNOWN.contains(&name) {
        UnknownStore::NotBuiltIn(name.into())
    } else {
        UnknownStore::Unknown { name: name.into() }
    }
}

#[cfg(feature = "stormproof-peers")]
mod with {
    use std::path::Path;

    use stormproof_peers::{Durability, Peer};
    use stormproof_workloads::Store;
    use stormproof_workloads::store::{Isolation, Result, StoreError};

    use super::{UnknownStore, missing};

    pub(in super::super) fn names() -> Vec<&'static str> {
        Peer::all().into_iter().map(|peer| peer.name).collect()
    }

    pub(in super::super) fn isolation(name: &str) -> std::result::Result<Isolation, UnknownStore> {
        find(name).map(|peer| peer.isolation)
    }

    /// Returns whether it can be opened so that every ack is durable.
    pub(in super::super) fn is_durable(name: &str) -> std::result::Result<bool, UnknownStore> {
        find(name).map(|peer| peer.durable.is_some())
    }

    pub(in super::super) fn open(name: &str, folder: &Path, per_commit: bool) -> Result<Box<dyn Store>> {
        let peer = find(name).map_err(|error| StoreError::Refused(error.to_string()))?;
        peer.open(folder, if per_commit { Durability::PerCommit } else { Durability::Later })
    }

    fn find(name: &str) -> std::result::Result<Peer, UnknownStore> {
        Peer::by_name(name).ok_or_else(|| missing(name))
    }
}

#[cfg(not(feature = "stormproof-peers"))]
mod without {
    use std::path::Path;

    use stormproof_workloads::Store;
    use stormproof_workloads::store::{Isolation, Result, StoreError};

    use super::{UnknownStore, missing};

    pub(in super::super) fn names() -> Vec<&'static str> {
        Vec::new()
    }

    pub(in super::super) fn isolation(name: &str) -> std::result::Result<Isolation, UnknownStore> {
        Err(missing(name))
    }

    pub(in super::super) fn is_durable(name: &str) -> std::result::Result<bool, UnknownStore> {
        Err(missing(name))
    }

    pub(in super::super) fn open(name: &str, _folder: &Path, _per_commit: bool) -> Result<Box<dyn Store>> {
        Err(StoreError::Refused(missing(name).to_string()))
    }
}
