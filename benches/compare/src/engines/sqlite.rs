//! SQLite in WAL mode: one connection that writes, one for the reads of each thread, all statements prepared.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};
use stormproof_peers::sqlite::{GET, PUT, SqliteStore};

use crate::data::{self, Key, Value};
use crate::engine::{Engine, Setting};
use crate::engines::peer_durability;
use crate::outcome::Result;

pub(crate) struct Sqlite(SqliteStore);

pub(crate) struct Session<'a> {
    store: &'a SqliteStore,
    reader: Connection,
}

impl Engine for Sqlite {
    const NAME: &'static str = "sqlite";
    type Session<'a> = Session<'a>;

    fn promise(setting: Setting) -> Option<&'static str> {
        match setting {
            Setting::Durable => Some("serializable, one writer; WAL, synchronous = FULL"),
            Setting::Later => {
                Some("serializable, one writer; WAL, synchronous = NORMAL: synced at checkpoints")
            }
            Setting::LogOnly => None,
        }
    }

    fn open(dir: &Path, setting: Setting) -> Result<Self> {
        Ok(Self(SqliteStore::open(dir, peer_durability(setting))?))
    }

    fn session(&self) -> Result<Session<'_>> {
        Ok(Session { store: &self.0, reader: self.0.connect()? })
    }

    fn write(session: &mut Session<'_>, pairs: &[(Key, Value)]) -> Result<()> {
        let writer = session.store.writer();
        run(&writer, "BEGIN IMMEDIATE")?;
        let mut put = writer.prepare_cached(PUT)?;
        for (key, value) in pairs {
            put.execute(params![key.as_slice(), value.as_slice()])?;
        }
        run(&writer, "COMMIT")
    }

    fn add_one(session: &mut Session<'_>, key: &Key, between: impl Fn()) -> Result<u64> {
        let writer = session.store.writer();
        run(&writer, "BEGIN IMMEDIATE")?;
        let mut old = 0;
        get(&writer, key, |value| old = data::number(value))?;
        between();
        writer.prepare_cached(PUT)?.execute(params![key.as_slice(), data::value(old + 1).as_slice()])?;
        run(&writer, "COMMIT")?;
        Ok(0)
    }

    fn read(session: &mut Session<'_>, key: &Key, see: impl FnMut(&[u8])) -> Result<()> {
        get(&session.reader, key, see)
    }

    fn read_each(session: &mut Session<'_>, keys: &[Key], mut see: impl FnMut(&[u8])) -> Result<()> {
        run(&session.reader, "BEGIN")?;
        for key in keys {
            get(&session.reader, key, &mut see)?;
        }
        run(&session.reader, "COMMIT")
    }

    /// Cheaper than what the others do: SQLite takes the snapshot with the first read only.
    fn begin_read(session: &mut Session<'_>) -> Result<bool> {
        run(&session.reader, "BEGIN")?;
        run(&session.reader, "COMMIT")?;
        Ok(true)
    }

    fn scan(
        session: &mut Session<'_>,
        from: &Key,
        limit: usize,
        mut see: impl FnMut(&[u8], &[u8]),
    ) -> Result<()> {
        let query = "SELECT key, value FROM data WHERE key >= ?1 ORDER BY key LIMIT ?2";
        let mut statement = session.reader.prepare_cached(query)?;
        let mut rows = statement.query(params![from.as_slice(), i64::try_from(limit).unwrap_or(-1)])?;
        while let Some(row) = rows.next()? {
            see(row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?);
        }
        Ok(())
    }
}

fn run(connection: &Connection, statement: &str) -> Result<()> {
    connection.prepare_cached(statement)?.execute([])?;
    Ok(())
}

fn get(connection: &Connection, key: &Key, mut see: impl FnMut(&[u8])) -> Result<()> {
    let mut statement = connection.prepare_cached(GET)?;
    let found = statement.query_row(params![key.as_slice()], |row| {
        see(row.get_ref(0)?.as_blob()?);
        Ok(())
    });
    found.optional()?;
    Ok(())
}
