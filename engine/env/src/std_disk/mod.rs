//! A directory of the real file system.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod directory;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use directory::Directory;

use crate::{Disk, DiskLock, EntryKind, File, OpenMode, ProcessId};

/// A directory of the real file system.
///
/// The directory is held open, and its files are reached through that handle: a change of the working
/// directory, or another directory that takes its place, can't redirect a write. A directory that is no
/// longer at its path refuses to create, rename and remove files, with an error that [`crate::displaced`]
/// recognises. Links are not followed.
///
/// Where directories have no handles (outside of Unix), files are reached by the absolute path, and the
/// identity of the directory is checked before each of these calls.
#[derive(Clone, Debug)]
pub struct StdDisk {
    directory: Arc<Directory>,
}

impl StdDisk {
    /// Uses `dir`, which must exist.
    ///
    /// # Errors
    /// When `dir` is missing or not a directory.
    pub fn open(dir: impl AsRef<Path>) -> io::Result<Self> {
        let path = std::path::absolute(dir)?;
        if fs::metadata(&path)?.is_dir() {
            Ok(Self { directory: Arc::new(Directory::open(path)?) })
        } else {
            Err(io::Error::new(
                io::ErrorKind::NotADirectory,
                format!("{} is not a directory", path.display()),
            ))
        }
    }

    /// Uses `dir`, creating it and its parents when missing. The new entries are synced, each in its parent.
    ///
    /// # Errors
    /// When a directory can't be created or synced.
    pub fn create(dir: impl AsRef<Path>) -> io::Result<Self> {
        let dir = std::path::absolute(dir)?;
        // The system says "exists" of the first, which is no help.
        if let Some(file) = dir.ancestors().find(|path| path.exists()).filter(|path| !path.is_dir()) {
            return Err(io::Error::new(
                io::ErrorKind::NotADirectory,
                format!("{} is not a directory, so give another path", file.display()),
            ));
        }
        let missing: Vec<&Path> = dir.ancestors().take_while(|path| !path.exists()).collect();
        fs::create_dir_all(&dir)?;
        for parent in missing.into_iter().filter_map(Path::parent) {
            directory::sync(parent)?;
        }
        Self::open(&dir)
    }
}

impl Disk for StdDisk {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Box<dyn File>> {
        if mode == OpenMode::CreateNew {
            self.directory.check()?;
        }
        Ok(Box::new(StdFile { file: self.directory.open_file(name, mode)? }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.directory.check()?;
        self.directory.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.directory.check()?;
        self.directory.remove(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = self.directory.names()?;
        names.sort();
        Ok(names)
    }

    fn kind_of(&self, name: &str) -> io::Result<EntryKind> {
        self.directory.kind_of(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.directory.sync()
    }

    fn lock(&self, name: &str) -> io::Result<Arc<dyn DiskLock>> {
        let file = self.directory.open_lock_file(name)?;
        try_lock(&file)?;
        // The directory too, so that a second opener is refused even if the file was removed. Some network
        // file systems can't lock directories: there the file alone has to do.
        let directory = match self.directory.reopen() {
            Some(handle) => match try_lock(&handle) {
                Ok(()) => Some(handle),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                Err(_) => None,
            },
            None => None,
        };
        Ok(Arc::new(StdLock {
            place: Arc::clone(&self.directory),
            name: name.to_owned(),
            file,
            directory,
            process: ProcessId::current(),
        }))
    }

    fn lock_shared(&self, name: &str) -> io::Result<Option<Arc<dyn DiskLock>>> {
        let file = match self.directory.open_file(name, OpenMode::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match file.try_lock_shared() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
            // A file system that knows no locks can still be read.
            Err(fs::TryLockError::Error(_)) => return Ok(None),
        }
        Ok(Some(Arc::new(StdLock {
            place: Arc::clone(&self.directory),
            name: name.to_owned(),
            file,
            directory: None,
            process: ProcessId::current(),
        })))
    }

    fn describe(&self) -> String {
        self.directory.path().display().to_string()
    }
}

fn try_lock(file: &fs::File) -> io::Result<()> {
    file.try_lock().map_err(|error| match error {
        fs::TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
        // Not a lock that another process holds, but a file system without locks: ENOLCK, ENOSYS and the
        // like.
        fs::TryLockError::Error(error) => io::Error::new(
            error.kind(),
            format!("this file system can't lock files ({error}), so keep the database on another"),
        ),
    })
}

#[derive(Debug)]
struct StdLock {
    place: Arc<Directory>,
    name: String,
    file: fs::File,
    directory: Option<fs::File>,
    process: ProcessId,
}

impl DiskLock for StdLock {
    fn check(&self) -> io::Result<()> {
        self.place.check()?;
        self.place.check_is_named(&self.file, &self.name)
    }

    fn unlock(&self) {
        // A forked child shares the lock with its parent: what it unlocked, the parent would have lost.
        if !self.process.is_current() {
            return;
        }
        // Explicitly, as descriptors that a child process inherited keep the lock after ours are closed. The
        // file last: an opener takes it first, and must not find the directory locked then. Errors leave it
        // to the end of the process.
        if let Some(directory) = &self.directory {
            let _ = directory.unlock();
        }
        let _ = self.file.unlock();
    }
}

impl Drop for StdLock {
    fn drop(&mut self) {
        self.unlock();
    }
}

#[derive(Debug)]
struct StdFile {
    file: fs::File,
}

/// What the standard library calls to sync a file: `fsync` and `fdatasync`; on Apple's systems
/// `fcntl(F_FULLFSYNC)` for both, as `fsync` leaves data in the drive's cache there; on Windows
/// `FlushFileBuffers`. Renames are `renameat` and `MoveFileEx`, locks `flock` and `LockFileEx`. The design of
/// the engine says what each of them guarantees.
impl File for StdFile {
    #[cfg(unix)]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.file, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.file, buffer, offset)
    }

    #[cfg(unix)]
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(&self.file, bytes, offset)
    }

    #[cfg(windows)]
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_write(&self.file, bytes, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}
