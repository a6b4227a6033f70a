//! Watching: what is asked of a store that delivers commits, and what it answers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Bytes, Key, Result, Version};

/// What to watch, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchRequest {
    /// Keys that start with this.
    pub prefix: Key,
    /// The version after which commits are wanted; `None` from now on.
    pub after: Option<Version>,
    /// Only commits that no crash can take back.
    pub durable: bool,
    /// Bytes of commits that may wait for the reader.
    pub bytes_max: usize,
    /// By polling, as tasks do, instead of a call that blocks.
    pub polled: bool,
}

/// A commit, as far as it touched what is watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedCommit {
    /// Its version.
    pub version: Version,
    /// What it wrote, in key order; `None` is a delete.
    pub writes: Vec<(Key, Option<Bytes>)>,
}

/// What a watch answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// The next commit.
    Commit(WatchedCommit),
    /// Nothing has come in time.
    Quiet,
    /// What comes next is not kept any more: the reader has to read anew at this version or later, and to
    /// [skip](StoreWatch::skip_to) to the version at which it did.
    Behind {
        /// The version.
        read_at: Version,
    },
}

/// A watch.
pub trait StoreWatch {
    /// Waits for the next commit, but no longer than `timeout`.
    ///
    /// # Errors
    /// When the store is closed, or the disk fails.
    fn next(&mut self, timeout: Duration) -> Result<Watched>;

    /// Passes over all commits up to this version.
    ///
    /// # Errors
    /// When the version is older than the one at which to read anew.
    fn skip_to(&mut self, version: Version) -> Result<()>;

    /// Returns the version up to which everything was delivered.
    fn position(&self) -> Version;
}
