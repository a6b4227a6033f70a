//! What a transaction hands over in order to commit.

use env::UnixMillis;

use super::event_numbers::Append;
use super::read_set::ReadSet;
use super::write_set::WriteSet;
use crate::error::{Error, Result};
use crate::run::RunRef;
use crate::types::{Isolation, TxnId, Version};

/// A transaction that asks to be committed: all that the leader has to know of it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) txn: TxnId,
    pub(crate) run: RunRef,
    /// The snapshot that it read.
    pub(crate) start: Version,
    /// The time by which it judged expiry.
    pub(crate) now: UnixMillis,
    pub(crate) isolation: Isolation,
    pub(crate) reads: ReadSet,
    pub(crate) writes: WriteSet,
    /// Entries for event logs, which get their sequence numbers from the leader.
    pub(crate) appends: Vec<Append>,
}

/// A member of a group: its request, and the answer to it.
#[derive(Debug)]
pub(crate) struct Member {
    pub(super) request: Request,
    pub(super) result: Result<Version>,
}

impl Member {
    #[inline]
    pub(crate) const fn new(request: Request) -> Self {
        Self { request, result: Err(Error::Closed) }
    }

    #[inline]
    pub(crate) fn into_result(self) -> Result<Version> {
        self.result
    }
}
