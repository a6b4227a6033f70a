//! Backups: a database of its own in another directory, with the content of an open one at one version.
//!
//! Job: the files of a backup, in an order in which a half-made one never opens ([`BackupTarget`]), and the
//! space that the files of a database take ([`DiskSize`]). Not its job: which keys there are, which the
//! caller writes at a snapshot.
//!
//! A backup is a checkpoint, an empty log after it, and a manifest. It has an id of its own, so that files
//! of the two can't be mixed up, and the epoch of the original, so that no version is used twice in it.
//!
//! * INV-BACKUP-1: from the first durable change of the directory to the last, it holds something that keeps
//!   it from opening as an empty database: an unfinished checkpoint, then a checkpoint without a manifest.
//!   The manifest comes last, after everything that it promises.
//! * INV-BACKUP-2: a directory that holds anything is not written into (A7).

mod target;
mod size;

#[cfg(test)]
mod tests;

pub use size::DiskSize;
pub use target::BackupInfo;
pub(crate) use target::BackupTarget;
