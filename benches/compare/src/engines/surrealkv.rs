//! SurrealKV.

use std::path::Path;

use stormproof_peers::surrealkv::SurrealStore;
use surrealkv::{Error, LSMIterator, Mode, TreeBuilder};

use crate::data::{self, Key, Value};
use crate::engine::{Engine, Setting};
use crate::engines::peer_durability;
use crate::outcome::Result;

pub(crate) struct Surreal(SurrealStore);

impl Engine for Surreal {
    const NAME: &'static str = "surrealkv";
    type Session<'a> = &'a SurrealStore;

    fn promise(setting: Setting) -> Option<&'static str> {
        Some(match setting {
            Setting::Durable => "snapshot isolation, optimistic; Durability::Immediate",
            Setting::Later | Setting::LogOnly => {
                "snapshot isolation, optimistic; Durability::Eventual: the log is left to the operating system"
            }
        })
    }

    fn open(dir: &Path, setting: Setting) -> Result<Self> {
        let durability = peer_durability(setting);
        if setting != Setting::LogOnly {
            return Ok(Self(SurrealStore::open(dir, durability)?));
        }
        let builder = TreeBuilder::new().with_path(dir.to_owned());
        let builder = builder.with_max_memtable_size(2 << 30).with_flush_on_close(false);
        Ok(Self(SurrealStore::with(builder, durability)?))
    }

    fn session(&self) -> Result<&SurrealStore> {
        Ok(&self.0)
    }

    fn write(store: &mut &SurrealStore, pairs: &[(Key, Value)]) -> Result<()> {
        let mut txn = store.begin_with(Mode::WriteOnly)?;
        for (key, value) in pairs {
            txn.set(key, value)?;
        }
        Ok(store.commit(&mut txn)?)
    }

    fn add_one(store: &mut &SurrealStore, key: &Key, between: impl Fn()) -> Result<u64> {
        let mut aborted = 0;
        loop {
            let mut txn = store.begin_with(Mode::ReadWrite)?;
            let old = txn.get(key)?.map_or(0, |value| data::number(&value));
            between();
            txn.set(key, data::value(old + 1).as_slice())?;
            match store.commit(&mut txn) {
                Ok(()) => return Ok(aborted),
                Err(Error::TransactionWriteConflict | Error::TransactionRetry) => aborted += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn read(store: &mut &SurrealStore, key: &Key, see: impl FnMut(&[u8])) -> Result<()> {
        Self::read_each(store, std::slice::from_ref(key), see)
    }

    fn read_each(store: &mut &SurrealStore, keys: &[Key], mut see: impl FnMut(&[u8])) -> Result<()> {
        let txn = store.begin_with(Mode::ReadOnly)?;
        for key in keys {
            if let Some(value) = txn.get(key)? {
                see(&value);
            }
        }
        Ok(())
    }

    fn begin_read(store: &mut &SurrealStore) -> Result<bool> {
        drop(store.begin_with(Mode::ReadOnly)?);
        Ok(true)
    }

    fn scan(
        store: &mut &SurrealStore,
        from: &Key,
        limit: usize,
        mut see: impl FnMut(&[u8], &[u8]),
    ) -> Result<()> {
        let txn = store.begin_with(Mode::ReadOnly)?;
        let mut entries = txn.scan(from.as_slice()..)?;
        let mut more = entries.seek_first()?;
        for _ in 0..limit {
            if !more {
                break;
            }
            see(entries.key().user_key(), &entries.value_ref()?);
            more = entries.next()?;
        }
        Ok(())
    }

    fn close(self) -> Result<()> {
        drop(self.0);
        Ok(())
    }
}
