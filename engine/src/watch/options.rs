//! Settings of a watch.

use crate::error::{Error, Result};
use crate::types::Version;

/// Settings of a [`Watch`](crate::Watch).
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// use stormproof::{KeyRange, WatchOptions};
///
/// let options = WatchOptions::new()
///     .after(db.version()) // every commit after the state that a snapshot of this version shows
///     .durable() // and only once no crash can take it back
///     .bytes_max(1 << 20);
/// let mut watch = db.watch_with(KeyRange::prefix("jobs/"), &options)?;
/// db.put(run, "jobs/1", "waits")?;
/// assert_eq!(watch.try_next()?.expect("it is durable").writes[0].key.user_key(), b"jobs/1");
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "options do nothing by themselves"]
pub struct WatchOptions {
    pub(crate) after: Option<Version>,
    pub(crate) durable: bool,
    pub(crate) bytes_max: usize,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self { after: None, durable: false, bytes_max: 4 << 20 }
    }
}

impl WatchOptions {
    /// Creates the default settings: from now on, as soon as a commit is published, up to 4 MiB ahead of the
    /// reader.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for every commit after this version, which the reader has seen: that of a snapshot, of a commit
    /// that a watch delivered, or zero for the beginning. Default: the newest version.
    pub const fn after(mut self, version: Version) -> Self {
        self.after = Some(version);
        self
    }

    /// Asks for durable commits only, as soon as they are. Does not make the database sync earlier. Default:
    /// as soon as they are published, when a crash may take them back where the durability mode says so.
    pub const fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Sets how many bytes of commits are kept in memory for a reader that is slower than the writers: 1 KiB
    /// to 1 GiB. What does not fit is read from the log. Default: 4 MiB.
    pub const fn bytes_max(mut self, bytes: usize) -> Self {
        self.bytes_max = bytes;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the one that is outside of its range.
    pub(crate) fn check(&self) -> Result<()> {
        let (least, most) = (1 << 10, 1 << 30);
        if (least..=most).contains(&self.bytes_max) {
            return Ok(());
        }
        Err(Error::Invalid(format!(
            "bytes_max of the watch is {}, and must be from {least} to {most}: set it to one of these, or leave it out",
            self.bytes_max
        )))
    }
}
