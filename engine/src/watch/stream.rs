//! A watch as a stream.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::commit::WatchedCommit;
use super::reader::Watch;
use crate::error::Result;

/// A [`Watch`] as a [`Stream`]: a type of its own, as one that is an iterator and a stream would have two
/// methods `next` for users of the `futures` crate.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// use stormproof::KeyRange;
///
/// let mut commits = db.watch(KeyRange::prefix("jobs/"), db.version())?.into_stream();
/// assert_eq!(stormproof::Watch::position(commits.watch()), db.version());
/// # Ok::<(), stormproof::Error>(())
/// ```
pub struct WatchStream(Watch);

impl WatchStream {
    pub(super) const fn new(watch: Watch) -> Self {
        Self(watch)
    }

    /// Returns the watch itself: its position, and [`Watch::skip_to`].
    pub const fn watch(&mut self) -> &mut Watch {
        &mut self.0
    }
}

impl Stream for WatchStream {
    type Item = Result<WatchedCommit>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next(context)
    }
}

impl fmt::Debug for WatchStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WatchStream").field(&self.0).finish()
    }
}
