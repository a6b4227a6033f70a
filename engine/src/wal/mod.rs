//! The write-ahead log.
//!
//! Job: the order and the bytes of commits on disk. Records are laid out in [`format`], what they hold in
//! [`entry`], files in [`segment`]; [`writer`] owns the end of the log, [`reader`] reads it back, [`log`] is what the
//! commit protocol talks to. Not its job: which commits there are (`txn`), when an ack is due (`durability`), what a bad
//! byte means (`recovery`).

pub(crate) mod cursor;
pub(crate) mod entry;
pub(crate) mod files;
mod flush;
pub(crate) mod format;
pub(crate) mod header_file;
mod log;
pub(crate) mod manifest;
mod metrics;
mod options;
mod pending;
pub(crate) mod reader;
pub(crate) mod segment;
mod state;
mod writer;

pub(crate) use log::{Capture, Log, Resume};
pub use metrics::LogMetrics;
pub(crate) use options::LogOptions;
pub(crate) use state::State;
pub(crate) use writer::{SealedSegment, SegmentWriter};
