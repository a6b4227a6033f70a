//! redb.

use std::path::Path;

use redb::{ReadableDatabase, ReadableTable};
use stormproof_peers::redb::{RedbStore, TABLE};

use crate::data::{self, Key, Value};
use crate::engine::{Engine, Setting};
use crate::engines::peer_durability;
use crate::outcome::Result;

pub(crate) struct Redb(RedbStore);

impl Engine for Redb {
    const NAME: &'static str = "redb";
    type Session<'a> = &'a RedbStore;

    fn promise(setting: Setting) -> Option<&'static str> {
        match setting {
            Setting::Durable => Some("serializable, one writer; Durability::Immediate"),
            Setting::Later => {
                Some("serializable, one writer; Durability::None: a crash goes back to the last sync")
            }
            Setting::LogOnly => None,
        }
    }

    fn open(dir: &Path, setting: Setting) -> Result<Self> {
        Ok(Self(RedbStore::open(dir, peer_durability(setting))?))
    }

    fn session(&self) -> Result<&RedbStore> {
        Ok(&self.0)
    }

    fn write(store: &mut &RedbStore, pairs: &[(Key, Value)]) -> Result<()> {
        let txn = store.begin_write()?;
        let mut table = txn.open_table(TABLE)?;
        for (key, value) in pairs {
            table.insert(key.as_slice(), value.as_slice())?;
        }
        drop(table);
        Ok(txn.commit()?)
    }

    fn add_one(store: &mut &RedbStore, key: &Key, between: impl Fn()) -> Result<u64> {
        let txn = store.begin_write()?;
        let mut table = txn.open_table(TABLE)?;
        let old = table.get(key.as_slice())?.map_or(0, |value| data::number(value.value()));
        between();
        table.insert(key.as_slice(), data::value(old + 1).as_slice())?;
        drop(table);
        txn.commit()?;
        Ok(0)
    }

    fn read(store: &mut &RedbStore, key: &Key, mut see: impl FnMut(&[u8])) -> Result<()> {
        let table = store.database().begin_read()?.open_table(TABLE)?;
        if let Some(value) = table.get(key.as_slice())? {
            see(value.value());
        }
        Ok(())
    }

    fn read_each(store: &mut &RedbStore, keys: &[Key], mut see: impl FnMut(&[u8])) -> Result<()> {
        let table = store.database().begin_read()?.open_table(TABLE)?;
        for key in keys {
            if let Some(value) = table.get(key.as_slice())? {
                see(value.value());
            }
        }
        Ok(())
    }

    fn begin_read(store: &mut &RedbStore) -> Result<bool> {
        drop(store.database().begin_read()?);
        Ok(true)
    }

    fn scan(
        store: &mut &RedbStore,
        from: &Key,
        limit: usize,
        mut see: impl FnMut(&[u8], &[u8]),
    ) -> Result<()> {
        let table = store.database().begin_read()?.open_table(TABLE)?;
        for entry in table.range(from.as_slice()..)?.take(limit) {
            let (key, value) = entry?;
            see(key.value(), value.value());
        }
        Ok(())
    }
}
