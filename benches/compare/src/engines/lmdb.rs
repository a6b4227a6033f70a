//! LMDB. Read transactions are reset and renewed, as its documentation advises.

use std::path::Path;

use lmdb::{Cursor, InactiveTransaction, RoTransaction, Transaction, WriteFlags};
use stormproof_peers::lmdb::{LmdbStore, Readers};

use crate::data::{self, Key, Value};
use crate::engine::{Engine, Setting};
use crate::engines::peer_durability;
use crate::outcome::Result;

pub(crate) struct Lmdb(LmdbStore);

pub(crate) struct Session<'a> {
    store: &'a LmdbStore,
    idle: Option<InactiveTransaction<'a>>,
}

impl Engine for Lmdb {
    const NAME: &'static str = "lmdb";
    type Session<'a> = Session<'a>;

    fn promise(setting: Setting) -> Option<&'static str> {
        match setting {
            Setting::Durable => Some("serializable, one writer; synced"),
            Setting::Later => Some("serializable, one writer; NO_SYNC: a power cut may take the database"),
            Setting::LogOnly => None,
        }
    }

    fn open(dir: &Path, setting: Setting) -> Result<Self> {
        Ok(Self(LmdbStore::open(dir, peer_durability(setting), Readers::OfThreads)?))
    }

    fn session(&self) -> Result<Session<'_>> {
        Ok(Session { store: &self.0, idle: None })
    }

    fn write(session: &mut Session<'_>, pairs: &[(Key, Value)]) -> Result<()> {
        let mut txn = session.store.environment().begin_rw_txn()?;
        for (key, value) in pairs {
            txn.put(session.store.database(), key, value, WriteFlags::empty())?;
        }
        Ok(txn.commit()?)
    }

    fn add_one(session: &mut Session<'_>, key: &Key, between: impl Fn()) -> Result<u64> {
        let mut txn = session.store.environment().begin_rw_txn()?;
        let old = match txn.get(session.store.database(), key) {
            Ok(value) => data::number(value),
            Err(lmdb::Error::NotFound) => 0,
            Err(error) => return Err(error.into()),
        };
        between();
        txn.put(session.store.database(), key, &data::value(old + 1), WriteFlags::empty())?;
        txn.commit()?;
        Ok(0)
    }

    fn read(session: &mut Session<'_>, key: &Key, see: impl FnMut(&[u8])) -> Result<()> {
        Self::read_each(session, std::slice::from_ref(key), see)
    }

    fn read_each(session: &mut Session<'_>, keys: &[Key], mut see: impl FnMut(&[u8])) -> Result<()> {
        let txn = session.begin()?;
        for key in keys {
            see(txn.get(session.store.database(), key)?);
        }
        session.idle = Some(txn.reset());
        Ok(())
    }

    fn begin_read(session: &mut Session<'_>) -> Result<bool> {
        let txn = session.begin()?;
        session.idle = Some(txn.reset());
        Ok(true)
    }

    fn scan(
        session: &mut Session<'_>,
        from: &Key,
        limit: usize,
        mut see: impl FnMut(&[u8], &[u8]),
    ) -> Result<()> {
        let txn = session.begin()?;
        let mut cursor = txn.open_ro_cursor(session.store.database())?;
        for entry in cursor.iter_from(from).take(limit) {
            let (key, value) = entry?;
            see(key, value);
        }
        drop(cursor);
        session.idle = Some(txn.reset());
        Ok(())
    }
}

impl<'a> Session<'a> {
    fn begin(&mut self) -> Result<RoTransaction<'a>> {
        Ok(match self.idle.take() {
            Some(idle) => idle.renew()?,
            None => self.store.environment().begin_ro_txn()?,
        })
    }
}
