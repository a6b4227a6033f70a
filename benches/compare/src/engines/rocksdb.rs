//! RocksDB, as `OptimisticTransactionDB`.

use std::path::Path;

use rocksdb::{ErrorKind, Options};
use stormproof_peers::rocksdb::RocksStore;

use crate::data::{self, Key, Value};
use crate::engine::{Engine, Setting};
use crate::engines::peer_durability;
use crate::outcome::Result;

pub(crate) struct Rocks(RocksStore);

impl Engine for Rocks {
    const NAME: &'static str = "rocksdb";
    type Session<'a> = &'a RocksStore;

    fn promise(setting: Setting) -> Option<&'static str> {
        Some(match setting {
            Setting::Durable => "snapshot isolation, optimistic; sync",
            Setting::Later | Setting::LogOnly => {
                "snapshot isolation, optimistic; the log is left to the operating system"
            }
        })
    }

    fn open(dir: &Path, setting: Setting) -> Result<Self> {
        let durability = peer_durability(setting);
        if setting != Setting::LogOnly {
            return Ok(Self(RocksStore::open(dir, durability)?));
        }
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_write_buffer_size(4 << 30);
        options.set_max_total_wal_size(8 << 30);
        Ok(Self(RocksStore::with(&options, dir, durability)?))
    }

    fn session(&self) -> Result<&RocksStore> {
        Ok(&self.0)
    }

    fn write(store: &mut &RocksStore, pairs: &[(Key, Value)]) -> Result<()> {
        let txn = store.begin_on(false);
        for (key, value) in pairs {
            txn.put(key, value)?;
        }
        Ok(txn.commit()?)
    }

    /// `get_for_update` has the commit fail if the key was written since; a snapshot would only add to it.
    fn add_one(store: &mut &RocksStore, key: &Key, between: impl Fn()) -> Result<u64> {
        let mut aborted = 0;
        loop {
            let txn = store.begin_on(false);
            let old = txn.get_pinned_for_update(key, true)?.map_or(0, |value| data::number(&value));
            between();
            txn.put(key, data::value(old + 1))?;
            match txn.commit() {
                Ok(()) => return Ok(aborted),
                Err(error) if matches!(error.kind(), ErrorKind::Busy | ErrorKind::TryAgain) => aborted += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn read(store: &mut &RocksStore, key: &Key, mut see: impl FnMut(&[u8])) -> Result<()> {
        if let Some(value) = store.database().get_pinned(key)? {
            see(&value);
        }
        Ok(())
    }

    fn read_each(store: &mut &RocksStore, keys: &[Key], mut see: impl FnMut(&[u8])) -> Result<()> {
        let snapshot = store.database().snapshot();
        for key in keys {
            if let Some(value) = snapshot.get_pinned(key)? {
                see(&value);
            }
        }
        Ok(())
    }

    fn begin_read(store: &mut &RocksStore) -> Result<bool> {
        drop(store.database().snapshot());
        Ok(true)
    }

    fn scan(
        store: &mut &RocksStore,
        from: &Key,
        limit: usize,
        mut see: impl FnMut(&[u8], &[u8]),
    ) -> Result<()> {
        let snapshot = store.database().snapshot();
        let mut entries = snapshot.raw_iterator();
        entries.seek(from);
        let mut left = limit;
        while left > 0
            && let Some((key, value)) = entries.item()
        {
            see(key, value);
            entries.next();
            left -= 1;
        }
        Ok(entries.status()?)
    }
}
