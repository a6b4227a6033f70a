//! Small checksummed headers at the start of files: segments, checkpoints, the manifest.
//!
//! ```text
//! 0       8                12
//! | magic | format version | fields … | crc32 of all before |
//! ```
//! Later versions keep length and checksum, so that a damaged version is not mistaken for a later one.

use crate::error::{Error, Result};
use crate::wal::format::u32_at;

/// The magic number and format version with which a kind of file begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileFormat {
    pub(crate) magic: &'static [u8; 8],
    /// The format version that this library writes, and the only one that it reads.
    pub(crate) version: u32,
}

/// Writes a header.
#[derive(Debug)]
pub(crate) struct HeaderWriter(Vec<u8>);

impl HeaderWriter {
    pub(crate) fn new(format: FileFormat) -> Self {
        let mut bytes = format.magic.to_vec();
        bytes.extend_from_slice(&format.version.to_le_bytes());
        Self(bytes)
    }

    #[must_use]
    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    #[must_use]
    pub(crate) fn u64(self, number: u64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    /// Returns the header, with its checksum.
    pub(crate) fn finish(self) -> Vec<u8> {
        let crc = crc32fast::hash(&self.0);
        self.bytes(&crc.to_le_bytes()).0
    }
}

/// Bound of positions, versions and segment numbers, which no database that was really written reaches: so
/// sums of two do not overflow, whatever a file says.
pub(crate) const NUMBER_MAX: u64 = 1 << 63;
/// Bound of epochs: each has versions below [`NUMBER_MAX`].
const EPOCH_MAX: u64 = 1 << 23;

/// Checks the numbers in a header whose checksum matches: a forged file must be an error, not a panic.
///
/// # Errors
/// [`Error::Corruption`].
pub(crate) fn check_numbers(file: &str, epoch: u64, numbers: &[u64]) -> Result<()> {
    if epoch < EPOCH_MAX && numbers.iter().all(|number| *number < NUMBER_MAX) {
        return Ok(());
    }
    Err(Error::Corruption {
        file: file.to_owned(),
        offset: 0,
        problem: "numbers in the header that can't be".to_owned(),
    })
}

/// Checks magic, version and checksum of the header at the start of `bytes`, `length` bytes long with its
/// checksum, and returns its fields.
///
/// # Errors
/// [`Error::NewerFormat`], [`Error::OlderFormat`] and [`Error::Corruption`], naming `file` and counting from
/// `offset`.
pub(crate) fn read_header<'a>(
    file: &str,
    offset: u64,
    bytes: &'a [u8],
    format: FileFormat,
    length: usize,
) -> Result<&'a [u8]> {
    let damaged =
        |problem: &str| Error::Corruption { file: file.to_owned(), offset, problem: problem.to_owned() };
    if bytes.len() < 12 {
        return Err(damaged("too short for a header"));
    }
    if &bytes[..8] != format.magic {
        return Err(damaged("does not start with the mark of such a file"));
    }
    if bytes.len() < length {
        return Err(damaged("too short for a header"));
    }
    // First: a version that is damaged must not be reported as that of a later library.
    if crc32fast::hash(&bytes[..length - 4]) != u32_at(bytes, length - 4) {
        return Err(damaged("the checksum of the header does not match"));
    }
    let found = u32_at(bytes, 8);
    let (file, supported) = (file.to_owned(), format.version);
    match found {
        0 => return Err(damaged("a format version that never was")),
        older if older < supported => return Err(Error::OlderFormat { file, found, supported }),
        newer if newer > supported => return Err(Error::NewerFormat { file, found, supported }),
        _ => {}
    }
    Ok(&bytes[12..length - 4])
}
