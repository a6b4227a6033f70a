//! One directory of files: everything that the engine asks of storage.

use std::fmt::Debug;
use std::io;

/// How [`Disk::open`] treats a file that exists, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// The file must exist; writes to it fail.
    Read,
    /// The file must exist.
    ReadWrite,
    /// The file must not exist ([`io::ErrorKind::AlreadyExists`] otherwise).
    CreateNew,
}

/// A flat directory. Names are plain file names, without separators.
///
/// What survives a power cut, as POSIX file systems promise it and no more:
/// * a file's content: what was written before the last successful [`File::sync_data`] or [`File::sync_all`];
/// * a directory entry (creation, rename, removal): what was done before the last successful
///   [`Disk::sync_dir`];
/// * of everything else any subset, in any order, torn at any byte.
///
/// After a sync that failed nothing is known about the data it covered, and a later sync that succeeds proves
/// nothing about them.
pub trait Disk: Send + Sync + Debug {
    /// Opens or creates a file.
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Box<dyn File>>;

    /// Renames atomically, replacing `to` if it exists.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// The names of all files, sorted.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes creations, renames and removals durable.
    fn sync_dir(&self) -> io::Result<()>;

    /// Takes the lock that lets one process at a time open the directory, until the returned value is dropped
    /// or the process ends. `name` is the lock file, created when missing and never removed.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when another process, or another handle of this one, holds it.
    fn lock(&self, name: &str) -> io::Result<Box<dyn DiskLock>>;

    /// Returns where this is, for messages.
    fn describe(&self) -> String;
}

/// Holds the lock of a directory until it is dropped.
pub trait DiskLock: Send + Sync + Debug {}

/// An open file, addressed by offset; there is no cursor. Any number of threads may use it at once.
pub trait File: Send + Sync + Debug {
    /// Reads up to `buffer.len()` bytes at `offset`; 0 means the end of the file. May read fewer than there
    /// are.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes up to `bytes.len()` bytes at `offset`, extending the file with zeros if `offset` lies behind
    /// its end. May write fewer than asked.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize>;

    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no content.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Truncates, or extends with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes the content and the length durable (`fdatasync`).
    fn sync_data(&self) -> io::Result<()>;

    /// Makes content and all metadata durable (`fsync`). Not the file's directory entry: see
    /// [`Disk::sync_dir`].
    fn sync_all(&self) -> io::Result<()>;
}

/// Writes all of `bytes` at `offset`, going on after short and interrupted writes.
///
/// # Errors
/// The first other error; some of the bytes may have been written then.
pub fn write_all_at(file: &dyn File, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(offset, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                bytes = &bytes[written..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Fills `buffer` from `offset`, going on after short and interrupted reads.
///
/// # Errors
/// [`io::ErrorKind::UnexpectedEof`] when the file ends before; the first other error.
pub fn read_exact_at(file: &dyn File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    if read_up_to_at(file, offset, buffer)? < buffer.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// Reads until `buffer` is full or the file ends, going on after short and interrupted reads; returns how
/// many bytes were read.
///
/// # Errors
/// The first error that is not an interruption.
pub fn read_up_to_at(file: &dyn File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(offset + filled as u64, &mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
