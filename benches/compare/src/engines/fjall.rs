//! fjall, with optimistic transactions.

use std::path::Path;

use fjall::{KeyspaceCreateOptions, OptimisticTxDatabase, Readable};
use stormproof_peers::fjall::FjallStore;

use crate::data::{self, Key, Value};
use crate::engine::{Engine, Setting};
use crate::engines::peer_durability;
use crate::outcome::Result;

pub(crate) struct Fjall(FjallStore);

impl Engine for Fjall {
    const NAME: &'static str = "fjall";
    type Session<'a> = &'a FjallStore;

    fn promise(setting: Setting) -> Option<&'static str> {
        Some(match setting {
            Setting::Durable => "serializable, optimistic; PersistMode::SyncData",
            Setting::Later | Setting::LogOnly => {
                "serializable, optimistic; the journal is left to the operating system"
            }
        })
    }

    fn open(dir: &Path, setting: Setting) -> Result<Self> {
        let durability = peer_durability(setting);
        if setting != Setting::LogOnly {
            return Ok(Self(FjallStore::open(dir, durability)?));
        }
        let database = OptimisticTxDatabase::builder(dir).max_journaling_size(8 << 30).open()?;
        let options = KeyspaceCreateOptions::default().max_memtable_size(4 << 30);
        Ok(Self(FjallStore::with(database, options, durability)?))
    }

    fn session(&self) -> Result<&FjallStore> {
        Ok(&self.0)
    }

    fn write(store: &mut &FjallStore, pairs: &[(Key, Value)]) -> Result<()> {
        let mut txn = store.begin_write()?;
        for (key, value) in pairs {
            txn.insert(store.keyspace(), key.as_slice(), value.as_slice());
        }
        Ok(txn.commit()??)
    }

    fn add_one(store: &mut &FjallStore, key: &Key, between: impl Fn()) -> Result<u64> {
        let mut aborted = 0;
        loop {
            let mut txn = store.begin_write()?;
            let old = txn.get(store.keyspace(), key)?.map_or(0, |value| data::number(&value));
            between();
            txn.insert(store.keyspace(), key.as_slice(), data::value(old + 1).as_slice());
            if txn.commit()?.is_ok() {
                return Ok(aborted);
            }
            aborted += 1;
        }
    }

    fn read(store: &mut &FjallStore, key: &Key, mut see: impl FnMut(&[u8])) -> Result<()> {
        if let Some(value) = store.keyspace().get(key)? {
            see(&value);
        }
        Ok(())
    }

    fn read_each(store: &mut &FjallStore, keys: &[Key], mut see: impl FnMut(&[u8])) -> Result<()> {
        let snapshot = store.database().read_tx();
        for key in keys {
            if let Some(value) = snapshot.get(store.keyspace(), key)? {
                see(&value);
            }
        }
        Ok(())
    }

    fn begin_read(store: &mut &FjallStore) -> Result<bool> {
        drop(store.database().read_tx());
        Ok(true)
    }

    fn scan(
        store: &mut &FjallStore,
        from: &Key,
        limit: usize,
        mut see: impl FnMut(&[u8], &[u8]),
    ) -> Result<()> {
        let snapshot = store.database().read_tx();
        for guard in snapshot.range(store.keyspace(), from.as_slice()..).take(limit) {
            let (key, value) = guard.into_inner()?;
            see(&key, &value);
        }
        Ok(())
    }
}
