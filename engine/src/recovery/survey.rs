//! What files there are, read-only.

use env::{Disk, File, OpenMode};

use crate::checkpoint::CheckpointReader;
use crate::error::{Error, Result};
use crate::types::Lsn;
use crate::wal::files::{FileName, MANIFEST};
use crate::wal::manifest::Manifest;
use crate::wal::segment::{SEGMENT_HEADER_BYTES, SegmentHeader};

/// The files of a directory.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// In log order.
    pub(crate) segments: Vec<String>,
    /// Oldest first.
    pub(crate) checkpoints: Vec<(u64, String)>,
    pub(crate) manifest: bool,
    /// Left by crashes.
    pub(crate) unfinished: Vec<String>,
    /// Put aside by salvages.
    pub(crate) salvaged: Vec<String>,
}

impl Survey {
    pub(crate) fn of(disk: &dyn Disk) -> Result<Self> {
        let mut survey = Self::default();
        let names = disk.list().map_err(|error| Error::io("list the directory", disk.describe(), error))?;
        // Sorted names are in order, as their numbers have a fixed width.
        for name in names {
            match FileName::parse(&name) {
                FileName::Segment(_) => survey.segments.push(name),
                FileName::Checkpoint(number) => survey.checkpoints.push((number, name)),
                FileName::Manifest => survey.manifest = true,
                FileName::Unfinished => survey.unfinished.push(name),
                FileName::Salvaged => survey.salvaged.push(name),
                FileName::Lock | FileName::Foreign => {}
            }
        }
        Ok(survey)
    }

    /// The manifest of the database; `None` if the directory provably never held one. The manifest is created last, so
    /// what is there without one is at most a first segment without records.
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
        if let Some(name) = self.salvaged.first() {
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

    /// The newest checkpoint, opened.
    pub(crate) fn newest_checkpoint(&self, disk: &dyn Disk) -> Result<Option<CheckpointReader>> {
        self.checkpoints.last().map(|(_, name)| CheckpointReader::open(disk, name)).transpose()
    }
}

/// Whether a segment has nothing but zeros behind its header.
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
