//! The files of a directory, by kind.

use env::{Disk, EntryKind, File, OpenMode};

use super::files::{FileName, MANIFEST, segment_name, unfinished_name};
use super::manifest::Manifest;
use super::segment::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::error::{Error, Result};
use crate::types::Lsn;

/// The files of a directory, by kind.
#[derive(Debug, Default)]
pub(crate) struct DirectoryListing {
    /// Segments, in log order.
    pub(crate) segments: Vec<String>,
    /// Checkpoints, oldest first.
    pub(crate) checkpoints: Vec<(u64, String)>,
    pub(crate) manifest: bool,
    /// Files that a crash left unfinished.
    pub(crate) unfinished: Vec<String>,
    /// Files that a salvage quarantined.
    pub(crate) quarantined: Vec<String>,
}

impl DirectoryListing {
    /// Lists the directory.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::NotAFile`] for a link under a name of a database. Followed, it would let two
    /// directories write to one file; overlooked, it would make a full directory an empty one.
    pub(crate) fn of(disk: &dyn Disk) -> Result<Self> {
        let mut listing = Self::default();
        let names = disk.list().map_err(|error| Error::io("list the directory", disk.describe(), error))?;
        // Sorted names are in order, as their numbers have a fixed width.
        for name in names {
            let kind = FileName::parse(&name);
            if kind != FileName::Foreign {
                refuse_link(disk, &name)?;
            }
            match kind {
                FileName::Segment(_) => listing.segments.push(name),
                FileName::Checkpoint(number) => listing.checkpoints.push((number, name)),
                FileName::Manifest => listing.manifest = true,
                FileName::Unfinished => listing.unfinished.push(name),
                FileName::Quarantined => listing.quarantined.push(name),
                FileName::Lock | FileName::Foreign => {}
            }
        }
        Ok(listing)
    }

    /// Reads the manifest of the database; returns `None` if the directory provably never held one. The
    /// manifest is created last, so without one there is at most a first segment without records.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is data and no manifest; those of reading the manifest.
    pub(crate) fn database(&self, disk: &dyn Disk) -> Result<Option<Manifest>> {
        if self.manifest {
            return Manifest::read(disk).map(Some);
        }
        let missing = |what: &str| Error::Missing {
            file: MANIFEST.to_owned(),
            problem: format!("{what} is there, so there was a database"),
        };
        if let Some((_, name)) = self.checkpoints.first() {
            return Err(missing(name));
        }
        if let Some(name) = self.quarantined.first() {
            return Err(missing(name));
        }
        if let Some(name) = self.unfinished.iter().find(|name| !is_left_by_creation(name)) {
            return Err(missing(name));
        }
        match self.segments.as_slice() {
            [] => Ok(None),
            [name] => {
                let (header, file) = SegmentHeader::open(disk, name, OpenMode::Read)?;
                if header.number == 1 && header.first_lsn == Lsn::ZERO && is_blank(&*file, name)? {
                    rt::reached!("half-created database created again");
                    Ok(None)
                } else {
                    Err(missing(name))
                }
            }
            [name, ..] => Err(missing(name)),
        }
    }
}

/// Refuses an entry under a name of a database that is no file of its own (A3).
///
/// # Errors
/// [`Error::NotAFile`], [`Error::Io`].
pub(crate) fn refuse_link(disk: &dyn Disk, name: &str) -> Result<()> {
    let kind = match disk.kind_of(name) {
        Ok(EntryKind::File) => return Ok(()),
        Ok(EntryKind::Link) => "a symbolic link",
        Ok(EntryKind::Other) => "no file",
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("look at", name, error)),
    };
    Err(Error::NotAFile { directory: disk.describe(), file: name.to_owned(), kind })
}

/// Returns whether an unfinished file can be there though no database ever was: a crash in the middle of
/// creating the first segment, or the manifest, leaves it.
fn is_left_by_creation(name: &str) -> bool {
    name == unfinished_name(MANIFEST) || name == unfinished_name(&segment_name(Lsn::ZERO))
}

/// Returns whether a segment has nothing but zeros after its header.
fn is_blank(file: &dyn File, name: &str) -> Result<bool> {
    let mut buffer = vec![0; 64 << 10];
    let mut offset = SEGMENT_HEADER_BYTES;
    loop {
        let read =
            env::read_up_to_at(file, offset, &mut buffer).map_err(|error| Error::io("read", name, error))?;
        if buffer[..read].iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        if read < buffer.len() {
            return Ok(true);
        }
        offset += read as u64;
    }
}
