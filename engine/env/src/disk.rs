//! One directory of files: everything that the engine asks of storage.

use std::fmt::{self, Debug, Display};
use std::io;
use std::sync::Arc;

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

/// The kind of a directory entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    File,
    /// A symbolic link, whatever it points to.
    Link,
    /// A directory, a pipe, or another thing that holds no bytes of its own.
    Other,
}

/// A directory, or its lock file, is no longer what was opened: it was renamed, removed or replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Displaced {
    /// The path of the directory or the lock file.
    pub place: String,
    /// What happened to it, as far as that is known.
    pub problem: &'static str,
}

impl Display for Displaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

impl std::error::Error for Displaced {}

/// Returns the error of a disk whose directory, or lock file, is no longer what was opened.
pub fn displacement(place: impl Display, problem: &'static str) -> io::Error {
    io::Error::other(Displaced { place: place.to_string(), problem })
}

/// Returns what was displaced, if that is what the error says.
pub fn displaced(error: &io::Error) -> Option<&Displaced> {
    error.get_ref()?.downcast_ref()
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

    /// Returns the names of all entries of any kind, sorted.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Returns the kind of an entry. Links are not followed.
    fn kind_of(&self, name: &str) -> io::Result<EntryKind> {
        let _ = name;
        Ok(EntryKind::File)
    }

    /// Makes creations, renames and removals durable.
    fn sync_dir(&self) -> io::Result<()>;

    /// Takes the lock that lets one process at a time open the directory, until the returned value is dropped
    /// or the process ends. `name` is the lock file, created when missing and never removed.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when another process, or another handle of this one, holds it.
    fn lock(&self, name: &str) -> io::Result<Arc<dyn DiskLock>>;

    /// Takes the lock in shared mode: readers hold it together, and exclude writers. Creates nothing: `None`
    /// when there is no lock file, or it can't be locked in this mode.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when a writer holds the lock.
    fn lock_shared(&self, name: &str) -> io::Result<Option<Arc<dyn DiskLock>>>;

    /// Returns where this is, for messages.
    fn describe(&self) -> String;
}

/// Holds the lock of a directory until it is unlocked or dropped.
pub trait DiskLock: Send + Sync + Debug {
    /// Checks that the directory is still at its path, and the lock file still in it. Cheap enough to be
    /// called before every write.
    ///
    /// # Errors
    /// [`Displaced`], by [`displaced`], if not. Any other error says nothing about it.
    fn check(&self) -> io::Result<()>;

    /// Releases the lock. Does nothing in a process that was forked from the one that took it, and nothing
    /// the second time.
    fn unlock(&self);
}

/// An open file, addressed by offset; there is no cursor. Any number of threads may use it at once.
pub trait File: Send + Sync + Debug {
    /// Reads up to `buffer.len()` bytes at `offset`; 0 means the end of the file. May read fewer than there
    /// are.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes up to `bytes.len()` bytes at `offset`, extending the file with zeros if `offset` lies beyond
    /// its end. May write fewer than asked.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize>;

    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Returns whether the file has no content.
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
