//! Settings of the log.

use std::time::Duration;

use crate::durability::Durability;
use crate::recovery::Salvage;

/// Settings of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogOptions {
    pub(crate) durability: Durability,
    /// A segment that has as many bytes of records ends before the next group.
    pub(crate) segment_bytes_max: u64,
    /// Space is allocated in chunks of this size, ahead of what is written.
    pub(crate) allocate_bytes: u64,
    /// As many bytes may wait to be written before commits wait too.
    pub(crate) buffer_bytes_max: usize,
    /// With as many bytes of log that no checkpoint covers, it is time for one.
    pub(crate) checkpoint_log_bytes: u64,
    /// After so long it is time for a checkpoint too, if there is anything in the log.
    pub(crate) checkpoint_interval: Option<Duration>,
    /// What recovery does about damage.
    pub(crate) salvage: Salvage,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            segment_bytes_max: 64 << 20,
            allocate_bytes: 1 << 20,
            buffer_bytes_max: 8 << 20,
            checkpoint_log_bytes: 64 << 20,
            checkpoint_interval: None,
            salvage: Salvage::default(),
        }
    }
}
