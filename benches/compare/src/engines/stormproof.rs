//! Stormproof.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use stormproof::{Commit, Database, Durability, KeyRange, RunId, Transaction, ValueRef as Stored};

use crate::data::{self, Key, Value};
use crate::engine::{Engine, Setting};
use crate::outcome::Result;
use crate::pace::{Pace, Rate};

/// How old acked commits may become before they are on disk: that of the strictest peer that says a time.
const LATER: Duration = Duration::from_millis(500);

/// Stormproof on disk.
pub(crate) struct Stormproof(Database);

/// One thread's handle, and the run that it writes in.
pub(crate) struct Session {
    database: Database,
    run: RunId,
    end: stormproof::Key,
}

impl Engine for Stormproof {
    const NAME: &'static str = "stormproof";
    type Session<'a> = Session;

    fn promise(setting: Setting) -> Option<&'static str> {
        Some(match setting {
            Setting::Durable => "serializable; Strict: synced before it is visible or acked",
            Setting::Later | Setting::LogOnly => {
                "serializable; Async: a power cut takes less than 500 ms, a prefix of the commits stays"
            }
        })
    }

    fn open(dir: &Path, setting: Setting) -> Result<Self> {
        let builder = Database::builder().dir(dir);
        let builder = match setting {
            Setting::Durable => builder.durability(Durability::Strict),
            Setting::Later => builder.durability(Durability::Async { interval: LATER }),
            Setting::LogOnly => {
                builder.durability(Durability::Async { interval: LATER }).checkpoint_log_bytes(u64::MAX)
            }
        };
        Ok(Self(builder.open()?))
    }

    fn session(&self) -> Result<Session> {
        Session::new(&self.0)
    }

    fn write(session: &mut Session, pairs: &[(Key, Value)]) -> Result<()> {
        session.write(pairs)
    }

    fn add_one(session: &mut Session, key: &Key, between: impl Fn()) -> Result<u64> {
        session.add_one(key, between)
    }

    fn read(session: &mut Session, key: &Key, see: impl FnMut(&[u8])) -> Result<()> {
        session.read(key, see)
    }

    fn read_each(session: &mut Session, keys: &[Key], see: impl FnMut(&[u8])) -> Result<()> {
        session.read_each(keys, see)
    }

    fn begin_read(session: &mut Session) -> Result<bool> {
        drop(session.database.snapshot());
        Ok(true)
    }

    fn scan(session: &mut Session, from: &Key, limit: usize, see: impl FnMut(&[u8], &[u8])) -> Result<()> {
        session.scan(from, limit, see);
        Ok(())
    }

    fn pipelined(dir: &Path, in_flight: usize, pace: &Pace) -> Result<Option<Rate>> {
        let database = Database::builder().dir(dir).durability(Durability::Pipelined).open()?;
        let session = Session::new(&database)?;
        let key = data::key(0);
        session.write(&[(key, data::value(0))])?;
        let mut waiting: VecDeque<Commit> = VecDeque::with_capacity(in_flight);
        let mut rate = pace.run(|| {
            if waiting.len() == in_flight
                && let Some(oldest) = waiting.pop_front()
            {
                oldest.wait_durable()?;
            }
            let mut txn = session.database.begin_transaction(session.run)?;
            put_one_more(&mut txn, &key)?;
            waiting.push_back(txn.commit()?);
            Ok(0)
        })?;
        // Only what was durable in time counts.
        rate.operations -= waiting.len() as u64;
        let committed = rate.operations + waiting.len() as u64;
        for commit in waiting {
            commit.wait_durable()?;
        }
        let mut found = 0;
        session.read(&key, |value| found = data::number(value))?;
        if found != committed {
            return Err(format!("{committed} pipelined commits left {found}").into());
        }
        database.close()?;
        Ok(Some(rate))
    }

    fn close(self) -> Result<()> {
        Ok(self.0.close()?)
    }
}

/// Stormproof in memory only.
pub(crate) struct InMemory(Database);

impl Engine for InMemory {
    const NAME: &'static str = "stormproof (memory)";
    type Session<'a> = Session;

    fn promise(setting: Setting) -> Option<&'static str> {
        (setting == Setting::Later)
            .then_some("serializable; memory only: the end of the process takes everything")
    }

    fn open(_dir: &Path, _setting: Setting) -> Result<Self> {
        Ok(Self(Database::open_in_memory()?))
    }

    fn session(&self) -> Result<Session> {
        Session::new(&self.0)
    }

    fn write(session: &mut Session, pairs: &[(Key, Value)]) -> Result<()> {
        session.write(pairs)
    }

    fn add_one(session: &mut Session, key: &Key, between: impl Fn()) -> Result<u64> {
        session.add_one(key, between)
    }

    fn read(session: &mut Session, key: &Key, see: impl FnMut(&[u8])) -> Result<()> {
        session.read(key, see)
    }

    fn read_each(session: &mut Session, keys: &[Key], see: impl FnMut(&[u8])) -> Result<()> {
        session.read_each(keys, see)
    }

    fn begin_read(session: &mut Session) -> Result<bool> {
        drop(session.database.snapshot());
        Ok(true)
    }

    fn scan(session: &mut Session, from: &Key, limit: usize, see: impl FnMut(&[u8], &[u8])) -> Result<()> {
        session.scan(from, limit, see);
        Ok(())
    }
}

impl Session {
    fn new(database: &Database) -> Result<Self> {
        let end = KeyRange::prefix("").end().cloned().ok_or("the shared namespace has an end")?;
        Ok(Self { database: database.clone(), run: database.begin_run()?, end })
    }

    fn write(&self, pairs: &[(Key, Value)]) -> Result<()> {
        Ok(self
            .database
            .transaction(self.run, |txn| pairs.iter().try_for_each(|(key, value)| txn.put(key, value)))?)
    }

    fn add_one(&self, key: &Key, between: impl Fn()) -> Result<u64> {
        let mut attempts = 0;
        self.database.transaction(self.run, |txn| {
            attempts += 1;
            let old = txn.get_with(key, number)?;
            between();
            txn.put(key, &data::value(old + 1))
        })?;
        Ok(attempts - 1)
    }

    fn read(&self, key: &Key, mut see: impl FnMut(&[u8])) -> Result<()> {
        self.database.get_with(key, |value| {
            if let Some(Stored::Bytes(value)) = value {
                see(value);
            }
        });
        Ok(())
    }

    fn read_each(&self, keys: &[Key], mut see: impl FnMut(&[u8])) -> Result<()> {
        let snapshot = self.database.snapshot();
        for key in keys {
            snapshot.get_with(key, |value| {
                if let Some(Stored::Bytes(value)) = value {
                    see(value);
                }
            });
        }
        Ok(())
    }

    fn scan(&self, from: &Key, limit: usize, mut see: impl FnMut(&[u8], &[u8])) {
        use stormproof::IntoKey;
        let range = KeyRange::between(from.into_key(), self.end.clone());
        let snapshot = self.database.snapshot();
        snapshot.range(range).limit(limit).for_each_ref(|entry| {
            if let Stored::Bytes(value) = entry.value() {
                see(entry.user_key(), value);
            }
            ControlFlow::Continue(())
        });
    }
}

fn put_one_more(txn: &mut Transaction, key: &Key) -> Result<()> {
    let old = txn.get_with(key, number)?;
    Ok(txn.put(key, &data::value(old + 1))?)
}

fn number(value: Option<Stored<'_>>) -> u64 {
    match value {
        Some(Stored::Bytes(value)) => data::number(value),
        _ => 0,
    }
}
