//! Quarantines what a salvage drops, before anything is cut: the bytes stay on disk under another name.

use env::{Disk, OpenMode, read_up_to_at, write_all_at};

use super::replay::Replayed;
use crate::error::{Error, Result};
use crate::wal::files::{create_unfinished, publish_file, quarantine_name, sync_dir};

/// Copies the files that will be cut or replaced, and renames the segments after the damage, durably.
pub(super) fn quarantine(disk: &dyn Disk, replayed: &mut Replayed) -> Result<()> {
    for name in &replayed.keep_copies {
        keep_copy(disk, name)?;
    }
    // Newest first: a crash in between leaves a log without a hole, which a second salvage reads to the same
    // place.
    for name in replayed.quarantine.iter().rev() {
        quarantine_file(disk, name)?;
    }
    Ok(())
}

/// Keeps a copy of a file that is about to be changed. One that an earlier attempt kept is the original, and
/// stays.
pub(super) fn keep_copy(disk: &dyn Disk, name: &str) -> Result<()> {
    let kept = quarantine_name(name);
    let names = disk.list().map_err(|error| Error::io("list the directory", disk.describe(), error))?;
    if names.contains(&kept) { Ok(()) } else { copy(disk, name, &kept) }
}

/// Renames a file out of the way, durably.
pub(super) fn quarantine_file(disk: &dyn Disk, name: &str) -> Result<()> {
    disk.rename(name, &quarantine_name(name)).map_err(|error| Error::io("rename", name, error))?;
    sync_dir(disk).map_err(|failure| failure.error)
}

fn copy(disk: &dyn Disk, from: &str, to: &str) -> Result<()> {
    let source = disk.open(from, OpenMode::Read).map_err(|error| Error::io("open", from, error))?;
    let target = create_unfinished(disk, to)?;
    let mut buffer = vec![0; 1 << 20];
    let mut offset = 0;
    loop {
        let read =
            read_up_to_at(&*source, offset, &mut buffer).map_err(|error| Error::io("read", from, error))?;
        if read == 0 {
            break;
        }
        write_all_at(&*target, offset, &buffer[..read]).map_err(|error| Error::io("write", to, error))?;
        offset += read as u64;
    }
    publish_file(disk, &*target, to).map_err(|failure| failure.error)
}
