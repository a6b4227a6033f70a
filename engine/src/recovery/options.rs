//! Settings of an open.

use super::report::Salvage;
use crate::wal::LogOptions;

/// Settings of an open: those of the log that follows, and what to do about damage.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RecoveryOptions {
    pub(crate) log: LogOptions,
    pub(crate) salvage: Salvage,
}

impl From<LogOptions> for RecoveryOptions {
    fn from(log: LogOptions) -> Self {
        Self { log, salvage: Salvage::default() }
    }
}
