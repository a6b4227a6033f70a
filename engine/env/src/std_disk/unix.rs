//! A directory that is held open: every name is resolved relative to the handle.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::{EntryKind, OpenMode, displacement};

#[derive(Debug)]
pub(super) struct Directory {
    /// Absolute, so that a change of the working directory does not change what it names.
    path: PathBuf,
    handle: fs::File,
}

impl Directory {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let handle = fs::File::open(&path)?;
        Ok(Self { path, handle })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Another handle of the directory, with locks of its own.
    pub(super) fn reopen(&self) -> Option<fs::File> {
        self.open_at(".", OFlags::RDONLY | OFlags::DIRECTORY).ok()
    }

    /// Checks that the path still leads to this directory.
    pub(super) fn check(&self) -> io::Result<()> {
        let ours = self.handle.metadata()?;
        let problem = match fs::metadata(&self.path) {
            Ok(there) if is_same(&ours, &there) => return Ok(()),
            Ok(_) => "another one took its place",
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(error);
            }
            Err(_) if ours.nlink() == 0 => "it was removed",
            Err(_) => "it was renamed or removed",
        };
        Err(displacement(self.path.display(), problem))
    }

    /// Checks that the directory still has this file under this name.
    pub(super) fn check_is_named(&self, file: &fs::File, name: &str) -> io::Result<()> {
        let ours = file.metadata()?;
        let file = self.path.join(name);
        match rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) if there.st_ino == ours.ino() && device(there.st_dev) == Some(ours.dev()) => Ok(()),
            Ok(_) => Err(displacement(file.display(), "another file took its place")),
            Err(Errno::NOENT) => Err(displacement(file.display(), "it was removed")),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn open_file(&self, name: &str, mode: OpenMode) -> io::Result<fs::File> {
        self.open_at(
            name,
            match mode {
                OpenMode::Read => OFlags::RDONLY,
                OpenMode::ReadWrite => OFlags::RDWR,
                OpenMode::CreateNew => OFlags::RDWR | OFlags::CREATE | OFlags::EXCL,
            },
        )
    }

    pub(super) fn open_lock_file(&self, name: &str) -> io::Result<fs::File> {
        self.open_at(name, OFlags::RDWR | OFlags::CREATE)
    }

    fn open_at(&self, name: &str, flags: OFlags) -> io::Result<fs::File> {
        let mode = Mode::from_raw_mode(0o666);
        match rustix::fs::openat(&self.handle, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, mode) {
            Ok(file) => Ok(file.into()),
            Err(Errno::LOOP | Errno::MLINK) => {
                Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a symbolic link"))
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.handle, from, &self.handle, to)?)
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.handle, name, AtFlags::empty())?)
    }

    /// Returns the names of all entries that are UTF-8: no other is one of ours.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.handle)? {
            let entry = entry?;
            match entry.file_name().to_str() {
                Ok("." | "..") | Err(_) => {}
                Ok(name) => names.push(name.to_owned()),
            }
        }
        Ok(names)
    }

    pub(super) fn kind_of(&self, name: &str) -> io::Result<EntryKind> {
        let stat = rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => EntryKind::File,
            FileType::Symlink => EntryKind::Link,
            _ => EntryKind::Other,
        })
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        explained(self.handle.sync_all())
    }
}

/// Makes the entries of `path` durable.
pub(super) fn sync(path: &Path) -> io::Result<()> {
    explained(fs::File::open(path)?.sync_all())
}

/// Some file systems, of networks mostly, refuse to sync a directory: names of files are not durable there.
fn explained(synced: io::Result<()>) -> io::Result<()> {
    synced.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported => io::Error::new(
            io::ErrorKind::Unsupported,
            format!("this file system can't sync directories ({error}), so keep the database on another"),
        ),
        _ => error,
    })
}

/// Converts a device number, which is signed on some systems, to the type of the standard library.
fn device(number: impl TryInto<i64>) -> Option<u64> {
    number.try_into().ok().map(i64::cast_unsigned)
}

fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    one.dev() == other.dev() && one.ino() == other.ino()
}
