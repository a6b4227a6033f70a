//! Checkpoints: the whole content at one version, so that recovery need not read the log from its beginning
//! and the log does not grow forever.
//!
//! Job: the file, writing it beside running commits, reading it back, and when it is time for one. Not its
//! job: which keys there are, which the store hands over in order at a snapshot.
//!
//! ```text
//! header    magic 8 | format 4 | database id 16 | epoch 8 | version 8 | lsn 8 | crc 4
//! blocks    raw length 4 | stored length 4 | entries 4 | crc 4 | pages …
//! footer    magic 8 | format 4 | database id 16 | version 8 | blocks 8 | entries 8 | durable lsn 8 | crc 4
//! ```
//! Pages are those of the index, as they are in memory (`mvcc::StoredPage`). The CRC of a block covers
//! database id, version, number of the block, its lengths and its content. Recovery loads the file, then
//! replays the log from `lsn`, skipping commits up to `version`: the two were not taken at one moment, so
//! that no commit had to wait, and everything up to some older version lies before `lsn`.
//!
//! * INV-CKP-1: a checkpoint that has its name is whole and synced, and the log was durable up to its version
//!   before.
//! * INV-CKP-2: older checkpoints and segments are removed after the new one's name is durable.

mod format;
mod reader;
mod rebuild;
mod writer;
mod trigger;
mod mutants;

pub(crate) use format::CheckpointHeader;
pub(crate) use reader::CheckpointReader;
pub(crate) use rebuild::{rebuild_checkpoint, write_empty_checkpoint};
pub(crate) use trigger::spawn_checkpointer;
pub use writer::CheckpointInfo;
pub(crate) use writer::CheckpointWriter;
