//! Canopydb, with its one writer at a time, and as a second contestant with writers side by side.

use std::path::Path;
use std::time::Duration;

use canopydb::{DbOptions, EnvOptions, Error};
use stormproof_peers::canopydb::{CanopyStore, TREE};

use crate::data::{self, Key, Value};
use crate::engine::{Engine, Setting};
use crate::engines::peer_durability;
use crate::outcome::Result;

pub(crate) struct Canopy<const SIDE_BY_SIDE: bool>(CanopyStore);

impl<const SIDE_BY_SIDE: bool> Engine for Canopy<SIDE_BY_SIDE> {
    const NAME: &'static str = if SIDE_BY_SIDE { "canopydb (concurrent)" } else { "canopydb" };
    type Session<'a> = &'a CanopyStore;

    fn promise(setting: Setting) -> Option<&'static str> {
        Some(match (SIDE_BY_SIDE, setting) {
            (false, Setting::Durable) => "serializable, one writer; commit_with(sync)",
            (true, Setting::Durable) => "snapshot isolation, optimistic; commit_with(sync)",
            (false, _) => "serializable, one writer; the log is left to the operating system",
            (true, _) => "snapshot isolation, optimistic; the log is left to the operating system",
        })
    }

    fn open(dir: &Path, setting: Setting) -> Result<Self> {
        let durability = peer_durability(setting);
        if setting != Setting::LogOnly {
            return Ok(Self(CanopyStore::open(dir, durability)?));
        }
        let mut environment = EnvOptions::new(dir);
        environment.max_wal_size = 8 << 30;
        let mut options = DbOptions::new();
        options.checkpoint_interval = Duration::from_secs(3600);
        options.checkpoint_target_size = 4 << 30;
        options.throttle_memory_limit = 8 << 30;
        options.stall_memory_limit = 8 << 30;
        Ok(Self(CanopyStore::with(environment, options, durability)?))
    }

    fn session(&self) -> Result<&CanopyStore> {
        Ok(&self.0)
    }

    fn write(store: &mut &CanopyStore, pairs: &[(Key, Value)]) -> Result<()> {
        let txn = store.database().begin_write_with(SIDE_BY_SIDE)?;
        let mut tree = txn.get_or_create_tree(TREE)?;
        for (key, value) in pairs {
            tree.insert(key, value)?;
        }
        drop(tree);
        txn.commit()?;
        Ok(())
    }

    fn add_one(store: &mut &CanopyStore, key: &Key, between: impl Fn()) -> Result<u64> {
        let mut aborted = 0;
        loop {
            let txn = store.database().begin_write_with(SIDE_BY_SIDE)?;
            let mut tree = txn.get_or_create_tree(TREE)?;
            let old = tree.get(key)?.map_or(0, |value| data::number(&value));
            between();
            tree.insert(key, &data::value(old + 1))?;
            drop(tree);
            match txn.commit() {
                Ok(_) => return Ok(aborted),
                Err(Error::WriteConflict) => aborted += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn read(store: &mut &CanopyStore, key: &Key, see: impl FnMut(&[u8])) -> Result<()> {
        Self::read_each(store, std::slice::from_ref(key), see)
    }

    fn read_each(store: &mut &CanopyStore, keys: &[Key], mut see: impl FnMut(&[u8])) -> Result<()> {
        let txn = store.database().begin_read()?;
        let tree = txn.get_tree(TREE)?.ok_or("the tree is missing")?;
        for key in keys {
            if let Some(value) = tree.get(key)? {
                see(&value);
            }
        }
        Ok(())
    }

    fn begin_read(store: &mut &CanopyStore) -> Result<bool> {
        drop(store.database().begin_read()?);
        Ok(true)
    }

    fn scan(
        store: &mut &CanopyStore,
        from: &Key,
        limit: usize,
        mut see: impl FnMut(&[u8], &[u8]),
    ) -> Result<()> {
        let txn = store.database().begin_read()?;
        let tree = txn.get_tree(TREE)?.ok_or("the tree is missing")?;
        for entry in tree.range(from.as_slice()..)?.take(limit) {
            let (key, value) = entry?;
            see(&key, &value);
        }
        Ok(())
    }
}
