//! sled. Its transactions are closures that run alone; it has no transactions that only read, and no
//! snapshots.
//!
//! It has no durable setting here: its flush calls `sync_file_range` on Linux, which waits for the pages but
//! neither for the disk's cache nor for the file's metadata, so it does not promise what the others do (and
//! is much faster).

use std::convert::Infallible;
use std::path::Path;

use sled::transaction::{ConflictableTransactionError, TransactionError};
use stormproof_peers::sled::SledStore;

use crate::data::{self, Key, Value};
use crate::engine::{Engine, Setting};
use crate::engines::peer_durability;
use crate::outcome::Result;

pub(crate) struct Sled(SledStore);

impl Engine for Sled {
    const NAME: &'static str = "sled";
    type Session<'a> = &'a Self;

    fn promise(setting: Setting) -> Option<&'static str> {
        match setting {
            Setting::Later => Some("serializable closures, reads without transactions; flushed every 500 ms"),
            Setting::Durable | Setting::LogOnly => None,
        }
    }

    fn open(dir: &Path, setting: Setting) -> Result<Self> {
        Ok(Self(SledStore::open(dir, peer_durability(setting))?))
    }

    fn session(&self) -> Result<&Self> {
        Ok(self)
    }

    fn write(sled: &mut &Self, pairs: &[(Key, Value)]) -> Result<()> {
        let written = sled.0.database().transaction(|tree| {
            for (key, value) in pairs {
                tree.insert(key.as_slice(), value.as_slice())?;
            }
            Ok::<_, ConflictableTransactionError<Infallible>>(())
        });
        stored(written)
    }

    fn add_one(sled: &mut &Self, key: &Key, between: impl Fn()) -> Result<u64> {
        let added = sled.0.database().transaction(|tree| {
            let old = tree.get(key)?.map_or(0, |value| data::number(&value));
            between();
            tree.insert(key.as_slice(), data::value(old + 1).as_slice())?;
            Ok::<_, ConflictableTransactionError<Infallible>>(())
        });
        stored(added)?;
        Ok(0)
    }

    fn read(sled: &mut &Self, key: &Key, mut see: impl FnMut(&[u8])) -> Result<()> {
        if let Some(value) = sled.0.database().get(key)? {
            see(&value);
        }
        Ok(())
    }

    fn read_each(sled: &mut &Self, keys: &[Key], mut see: impl FnMut(&[u8])) -> Result<()> {
        keys.iter().try_for_each(|key| Self::read(sled, key, &mut see))
    }

    fn begin_read(_sled: &mut &Self) -> Result<bool> {
        Ok(false)
    }

    fn scan(sled: &mut &Self, from: &Key, limit: usize, mut see: impl FnMut(&[u8], &[u8])) -> Result<()> {
        for entry in sled.0.database().range(from.as_slice()..).take(limit) {
            let (key, value) = entry?;
            see(&key, &value);
        }
        Ok(())
    }
}

/// These closures never abort.
fn stored(outcome: std::result::Result<(), TransactionError<Infallible>>) -> Result<()> {
    Ok(outcome.map_err(|error| match error {
        TransactionError::Abort(never) => match never {},
        TransactionError::Storage(error) => error,
    })?)
}
