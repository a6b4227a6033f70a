//! Names of the files of a database, and how a new one is created: written under another name, synced,
//! renamed, and the directory synced, so that a file that has its name is whole.

use env::{Disk, File, OpenMode, write_all_at};

use crate::error::{Error, Result};
use crate::types::Lsn;

/// The file that says that the directory is a database, and which.
pub(crate) const MANIFEST: &str = "stormproof.manifest";
/// The file whose lock is the lock of the directory.
pub(crate) const LOCK: &str = "LOCK";
/// Ends the names of files that are not whole yet.
const UNFINISHED: &str = ".tmp";
/// Ends the names of files that a salvage quarantined.
const QUARANTINED: &str = ".salvaged";

/// The kind of a file, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FileName {
    /// A segment of the log, with the LSN at which it starts.
    Segment(Lsn),
    /// A checkpoint, with its number.
    Checkpoint(u64),
    Manifest,
    Lock,
    /// Left by a crash: not whole, and not needed.
    Unfinished,
    /// Quarantined by a salvage.
    Quarantined,
    /// Not a file of a database.
    Foreign,
}

impl FileName {
    pub(crate) fn parse(name: &str) -> Self {
        if name == MANIFEST {
            return Self::Manifest;
        }
        if name == LOCK {
            return Self::Lock;
        }
        let ours = name.starts_with("wal-") || name.starts_with("checkpoint-") || name.starts_with(MANIFEST);
        if ours && name.ends_with(UNFINISHED) {
            return Self::Unfinished;
        }
        if ours && name.ends_with(QUARANTINED) {
            return Self::Quarantined;
        }
        if let Some(lsn) = number(name, "wal-", ".log") {
            return Self::Segment(Lsn::new(lsn));
        }
        number(name, "checkpoint-", ".ckpt").map_or(Self::Foreign, Self::Checkpoint)
    }
}

fn number(name: &str, prefix: &str, suffix: &str) -> Option<u64> {
    let digits = name.strip_prefix(prefix)?.strip_suffix(suffix)?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// Returns the name of the segment that starts at `first`.
pub(crate) fn segment_name(first: Lsn) -> String {
    format!("wal-{:020}.log", first.get())
}

/// Returns the name of the checkpoint with this number.
pub(crate) fn checkpoint_name(number: u64) -> String {
    format!("checkpoint-{number:020}.ckpt")
}

/// Returns the name that a file has until it is whole.
pub(crate) fn unfinished_name(name: &str) -> String {
    format!("{name}{UNFINISHED}")
}

/// Returns the name under which a salvage quarantines a file.
pub(crate) fn quarantine_name(name: &str) -> String {
    format!("{name}{QUARANTINED}")
}

/// An I/O error, and whether it ends all writing: a failed sync does, after which nothing is known about what
/// it covered, and so does a directory that is no longer the one that was opened.
#[derive(Debug)]
pub(crate) struct IoFailure {
    pub(crate) error: Error,
    pub(crate) fatal: bool,
}

impl IoFailure {
    pub(crate) fn of_sync(error: Error) -> Self {
        Self { error, fatal: true }
    }
}

impl From<Error> for IoFailure {
    fn from(error: Error) -> Self {
        let fatal = matches!(error, Error::Displaced { .. });
        Self { error, fatal }
    }
}

/// Creates the unfinished file that will become `name`, in place of one that an earlier attempt left.
pub(crate) fn create_unfinished(disk: &dyn Disk, name: &str) -> Result<Box<dyn File>> {
    let unfinished = unfinished_name(name);
    match disk.open(&unfinished, OpenMode::CreateNew) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            disk.remove(&unfinished).map_err(|error| Error::io("remove", &unfinished, error))?;
            disk.open(&unfinished, OpenMode::CreateNew)
        }
        other => other,
    }
    .map_err(|error| Error::io("create", &unfinished, error))
}

/// Publishes a written file under its name. The sync comes before the rename, or a crash could leave the name
/// with half of the content; the sync of the directory comes before anything that relies on the file.
pub(crate) fn publish_file(disk: &dyn Disk, file: &dyn File, name: &str) -> Result<(), IoFailure> {
    let unfinished = unfinished_name(name);
    if !(rt::mutant!(CheckpointRenamedBeforeSync) && name.starts_with("checkpoint-")) {
        file.sync_all().map_err(|error| IoFailure::of_sync(Error::io("sync", &unfinished, error)))?;
    }
    rt::probe::at("file synced");
    disk.rename(&unfinished, name).map_err(|error| Error::io("rename", &unfinished, error))?;
    rt::probe::at("file renamed");
    sync_dir(disk)
}

/// Makes creations, renames and removals durable.
pub(crate) fn sync_dir(disk: &dyn Disk) -> Result<(), IoFailure> {
    if rt::mutant!(DirectoryNotSynced) {
        return Ok(());
    }
    disk.sync_dir()
        .map_err(|error| IoFailure::of_sync(Error::io("sync the directory", disk.describe(), error)))
}

/// Writes a whole small file under its name, durably.
pub(crate) fn create_file(disk: &dyn Disk, name: &str, bytes: &[u8]) -> Result<(), IoFailure> {
    let file = create_unfinished(disk, name)?;
    let written = write_all_at(&*file, 0, bytes)
        .map_err(|error| IoFailure::from(Error::io("write", unfinished_name(name), error)))
        .and_then(|()| publish_file(disk, &*file, name));
    if written.is_err() {
        // Frees the space; if it fails too, the next attempt or the next open removes it.
        let _ = disk.remove(&unfinished_name(name));
    }
    written
}

#[cfg(test)]
mod tests {
    use super::{FileName, checkpoint_name, segment_name, unfinished_name};
    use crate::types::Lsn;

    #[test]
    fn names_say_what_a_file_is() {
        assert_eq!(FileName::parse(&segment_name(Lsn::new(77))), FileName::Segment(Lsn::new(77)));
        assert_eq!(FileName::parse(&checkpoint_name(u64::MAX)), FileName::Checkpoint(u64::MAX));
        assert_eq!(FileName::parse(&unfinished_name(&segment_name(Lsn::ZERO))), FileName::Unfinished);
        for foreign in
            ["wal-1.log", "wal-+0000000000000000001.log", "wal-99999999999999999999.log", "notes.tmp"]
        {
            assert_eq!(FileName::parse(foreign), FileName::Foreign, "{foreign}");
        }
    }
}
