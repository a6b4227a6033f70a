//! skipdb, with keys and values of fixed size.

use std::path::Path;

use skipdb::serializable::SerializableDb;

use crate::data::{self, Key, Value};
use crate::engine::{Engine, Setting};
use crate::outcome::Result;

pub(crate) struct Skip(SerializableDb<Key, Value>);

impl Engine for Skip {
    const NAME: &'static str = "skipdb";
    type Session<'a> = &'a SerializableDb<Key, Value>;

    fn promise(setting: Setting) -> Option<&'static str> {
        (setting == Setting::Later)
            .then_some("serializable, optimistic; memory only: the end of the process takes everything")
    }

    fn open(_dir: &Path, _setting: Setting) -> Result<Self> {
        Ok(Self(SerializableDb::new()))
    }

    fn session(&self) -> Result<&SerializableDb<Key, Value>> {
        Ok(&self.0)
    }

    fn write(database: &mut &SerializableDb<Key, Value>, pairs: &[(Key, Value)]) -> Result<()> {
        let mut txn = database.serializable_write();
        for (key, value) in pairs {
            txn.insert(*key, *value)?;
        }
        Ok(txn.commit()?)
    }

    fn add_one(database: &mut &SerializableDb<Key, Value>, key: &Key, between: impl Fn()) -> Result<u64> {
        let mut aborted = 0;
        loop {
            let mut txn = database.serializable_write();
            let old = txn.get(key)?.map_or(0, |value| data::number(value.value().as_slice()));
            between();
            txn.insert(*key, data::value(old + 1))?;
            // Nothing is written anywhere but in memory: what fails is validation.
            if txn.commit().is_ok() {
                return Ok(aborted);
            }
            aborted += 1;
        }
    }

    fn read(database: &mut &SerializableDb<Key, Value>, key: &Key, see: impl FnMut(&[u8])) -> Result<()> {
        Self::read_each(database, std::slice::from_ref(key), see)
    }

    fn read_each(
        database: &mut &SerializableDb<Key, Value>,
        keys: &[Key],
        mut see: impl FnMut(&[u8]),
    ) -> Result<()> {
        let txn = database.read();
        for key in keys {
            if let Some(value) = txn.get(key) {
                see(value.value().as_slice());
            }
        }
        Ok(())
    }

    fn begin_read(database: &mut &SerializableDb<Key, Value>) -> Result<bool> {
        drop(database.read());
        Ok(true)
    }

    fn scan(
        database: &mut &SerializableDb<Key, Value>,
        from: &Key,
        limit: usize,
        mut see: impl FnMut(&[u8], &[u8]),
    ) -> Result<()> {
        let txn = database.read();
        for entry in txn.range::<Key, _>(*from..).take(limit) {
            see(entry.key(), entry.value().as_slice());
        }
        Ok(())
    }
}
