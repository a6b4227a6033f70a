//! A directory of the real file system.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Disk, DiskLock, File, OpenMode};

/// A directory of the real file system.
#[derive(Clone, Debug)]
pub struct StdDisk {
    dir: PathBuf,
}

impl StdDisk {
    /// Uses `dir`, which must exist.
    ///
    /// # Errors
    /// When `dir` is missing or not a directory.
    pub fn open(dir: impl AsRef<Path>) -> io::Result<Self> {
        let dir = dir.as_ref();
        if fs::metadata(dir)?.is_dir() {
            Ok(Self { dir: dir.to_path_buf() })
        } else {
            Err(io::Error::new(io::ErrorKind::NotADirectory, format!("{} is not a directory", dir.display())))
        }
    }

    /// Uses `dir`, creating it and its parents when missing. The new entries are synced, each in its parent.
    ///
    /// # Errors
    /// When a directory can't be created or synced.
    pub fn create(dir: impl AsRef<Path>) -> io::Result<Self> {
        let dir = dir.as_ref();
        let missing: Vec<&Path> =
            dir.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
        fs::create_dir_all(dir)?;
        for path in missing {
            let parent = match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            sync_directory(parent)?;
        }
        Self::open(dir)
    }
}

impl Disk for StdDisk {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Box<dyn File>> {
        let mut options = fs::OpenOptions::new();
        match mode {
            OpenMode::Read => options.read(true),
            OpenMode::ReadWrite => options.read(true).write(true),
            OpenMode::CreateNew => options.read(true).write(true).create_new(true),
        };
        let file = options.open(self.dir.join(name))?;
        Ok(Box::new(StdFile { file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.dir.join(from), self.dir.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.dir.join(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                // A name that is not UTF-8 is none of ours.
                names.extend(entry.file_name().into_string());
            }
        }
        names.sort();
        Ok(names)
    }

    fn sync_dir(&self) -> io::Result<()> {
        sync_directory(&self.dir)
    }

    fn lock(&self, name: &str) -> io::Result<Box<dyn DiskLock>> {
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.dir.join(name))?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(StdLock { _file: file })),
            Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn describe(&self) -> String {
        self.dir.display().to_string()
    }
}

/// Directories can be opened and synced on Unix; elsewhere the file system keeps entries durable by itself.
fn sync_directory(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(dir)?.sync_all() } else { Ok(()) }
}

#[derive(Debug)]
struct StdLock {
    // The operating system releases the lock when the file closes.
    _file: fs::File,
}

impl DiskLock for StdLock {}

#[derive(Debug)]
struct StdFile {
    file: fs::File,
}

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
