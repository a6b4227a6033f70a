//! A write as it comes back from the log or a checkpoint.

use env::UnixMillis;

use crate::types::{RunNumber, TxnId, Version};

/// A put or delete that was read back. Borrowed from the block that was read: copy what you keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecoveredWrite<'a> {
    pub(crate) key: &'a [u8],
    /// The encoded value, for [`decode_value`](crate::encoding::decode_value); `None` is a delete.
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) version: Version,
    pub(crate) transaction: TxnId,
    pub(crate) run: RunNumber,
    pub(crate) expires_at: Option<UnixMillis>,
}
