//! What a database does in these measurements, in the calls that its own users would write.
//!
//! Job: one thin trait, compiled anew for each database, so that nothing stands between the loop and the
//! database: no virtual calls, and no copies but those that its own interface makes. The `Store` trait of
//! workloads would cost a box and several vectors a transaction: nothing beside a sync, and most of the time
//! of a fast read.

use std::path::Path;

use crate::data::{Key, Value};
use crate::outcome::Result;
use crate::pace::{Pace, Rate};

/// How a database is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// A commit is on disk before it is acked.
    Durable,
    /// A commit is acked before it is on disk; checkpoints, flushes and the like as they are by default.
    Later,
    /// As `Later`, without any checkpoint or flush: everything stays in the log.
    LogOnly,
}

/// A database.
pub(crate) trait Engine: Send + Sync + Sized + 'static {
    /// Its name.
    const NAME: &'static str;

    /// What one thread works with.
    type Session<'a>;

    /// What a setting promises here, in a few words; `None` if there is no such setting.
    fn promise(setting: Setting) -> Option<&'static str>;

    /// Opens the database in a directory, or creates it there. Only called with a setting that it has.
    fn open(dir: &Path, setting: Setting) -> Result<Self>;

    /// Begins work in one thread.
    fn session(&self) -> Result<Self::Session<'_>>;

    /// Writes keys blindly, in one transaction.
    fn write(session: &mut Self::Session<'_>, pairs: &[(Key, Value)]) -> Result<()>;

    /// Adds one to a key's number in a transaction that reads it, calls `between`, and writes it; again until
    /// it commits. Returns the number of aborted attempts.
    fn add_one(session: &mut Self::Session<'_>, key: &Key, between: impl Fn()) -> Result<u64>;

    /// Reads one key, in the way that is meant for just that.
    fn read(session: &mut Self::Session<'_>, key: &Key, see: impl FnMut(&[u8])) -> Result<()>;

    /// Reads keys in one transaction.
    fn read_each(session: &mut Self::Session<'_>, keys: &[Key], see: impl FnMut(&[u8])) -> Result<()>;

    /// Begins a transaction that reads, and ends it. Returns false if there is no such thing.
    fn begin_read(session: &mut Self::Session<'_>) -> Result<bool>;

    /// Reads up to `limit` keys in order, in one transaction.
    fn scan(
        session: &mut Self::Session<'_>,
        from: &Key,
        limit: usize,
        see: impl FnMut(&[u8], &[u8]),
    ) -> Result<()>;

    /// Commits durably from one thread with this number of commits in flight, adding one to one key after the
    /// other; `None` if the database can't. The database is opened for this in a directory of its own.
    fn pipelined(dir: &Path, in_flight: usize, pace: &Pace) -> Result<Option<Rate>> {
        let _ = (dir, in_flight, pace);
        Ok(None)
    }

    /// Closes the database in order.
    fn close(self) -> Result<()> {
        Ok(())
    }
}
