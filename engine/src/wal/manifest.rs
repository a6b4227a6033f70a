//! The manifest: the file that makes a directory a database, and says which. It is created last, so a directory
//! without one holds nothing that anybody was promised.

use env::{Disk, OpenMode, read_up_to_at};

use super::files::{IoFailure, MANIFEST, create_file};
use super::format::DatabaseId;
use super::header_file::{HeaderWriter, read_header};
use crate::error::{Error, Result};

const MAGIC: &[u8; 8] = b"STRMMANI";
const BYTES: usize = 32;

/// Creates the manifest, durably.
pub(crate) fn create_manifest(disk: &dyn Disk, database: &DatabaseId) -> Result<(), IoFailure> {
    create_file(disk, MANIFEST, &HeaderWriter::new(MAGIC).bytes(database).finish())
}

/// Reads the id of the database.
pub(crate) fn read_manifest(disk: &dyn Disk) -> Result<DatabaseId> {
    let file = disk.open(MANIFEST, OpenMode::Read).map_err(|error| Error::io("open", MANIFEST, error))?;
    let mut bytes = [0; BYTES + 1];
    let read = read_up_to_at(&*file, 0, &mut bytes).map_err(|error| Error::io("read", MANIFEST, error))?;
    let fields = read_header(MANIFEST, 0, &bytes[..read], MAGIC, BYTES)?;
    if read > BYTES {
        return Err(Error::Corruption {
            file: MANIFEST.to_owned(),
            offset: BYTES as u64,
            problem: "bytes behind its end".to_owned(),
        });
    }
    Ok(fields.try_into().expect("the header has just these fields"))
}
