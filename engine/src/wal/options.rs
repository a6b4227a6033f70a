//! Settings of the log.

use std::time::Duration;

use crate::durability::Durability;

/// Settings of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogOptions {
    pub(crate) durability: Durability,
    /// Bytes of records at which a segment ends.
    pub(crate) segment_bytes_max: u64,
    /// Space is allocated ahead of what is written: in chunks as large as what there is, up to this size.
    pub(crate) allocate_bytes: u64,
    /// Bytes that may wait to be written before commits wait too.
    pub(crate) buffer_bytes_max: usize,
    /// Bytes of log that no checkpoint covers at which it is time for one.
    pub(crate) checkpoint_log_bytes: u64,
    /// Complete segments at which it is time for a checkpoint too: every open leaves one.
    pub(crate) checkpoint_segments: usize,
    /// Time after which a checkpoint is due too, if there is anything in the log.
    pub(crate) checkpoint_interval: Option<Duration>,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            segment_bytes_max: 64 << 20,
            allocate_bytes: 1 << 20,
            buffer_bytes_max: 8 << 20,
            checkpoint_log_bytes: 64 << 20,
            checkpoint_segments: if rt::probe::is_simulated() { 12 } else { 64 },
            checkpoint_interval: None,
        }
    }
}
