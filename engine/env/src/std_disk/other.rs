//! A directory where the standard library has no handles of directories: names are resolved by the absolute
//! path, and identities are compared.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use same_file::Handle;

use crate::{EntryKind, OpenMode, displacement};

#[derive(Debug)]
pub(super) struct Directory {
    /// Absolute, so that a change of the working directory does not change what it names.
    path: PathBuf,
    handle: Handle,
}

impl Directory {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let handle = Handle::from_path(&path)?;
        Ok(Self { path, handle })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Directories can't be locked here.
    pub(super) fn reopen(&self) -> Option<fs::File> {
        None
    }

    /// Checks that the path still leads to this directory.
    pub(super) fn check(&self) -> io::Result<()> {
        match Handle::from_path(&self.path) {
            Ok(there) if there == self.handle => Ok(()),
            Ok(_) => Err(displacement(self.path.display(), "another one took its place")),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Err(displacement(self.path.display(), "it was renamed or removed"))
            }
            Err(error) => Err(error),
        }
    }

    /// Checks that the directory still has this file under this name.
    pub(super) fn check_is_named(&self, file: &fs::File, name: &str) -> io::Result<()> {
        let path = self.path.join(name);
        match Handle::from_path(&path) {
            Ok(there) if there == Handle::from_file(file.try_clone()?)? => Ok(()),
            Ok(_) => Err(displacement(path.display(), "another file took its place")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(displacement(path.display(), "it was removed"))
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn open_file(&self, name: &str, mode: OpenMode) -> io::Result<fs::File> {
        self.refuse_link(name)?;
        let mut options = fs::OpenOptions::new();
        match mode {
            OpenMode::Read => options.read(true),
            OpenMode::ReadWrite => options.read(true).write(true),
            OpenMode::CreateNew => options.read(true).write(true).create_new(true),
        };
        options.open(self.path.join(name))
    }

    pub(super) fn open_lock_file(&self, name: &str) -> io::Result<fs::File> {
        self.refuse_link(name)?;
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).open(self.path.join(name))
    }

    fn refuse_link(&self, name: &str) -> io::Result<()> {
        match self.kind_of(name) {
            Ok(EntryKind::Link) => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a symbolic link")),
            _ => Ok(()),
        }
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    /// Returns the names of all entries that are UTF-8: no other is one of ours.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    pub(super) fn kind_of(&self, name: &str) -> io::Result<EntryKind> {
        let kind = fs::symlink_metadata(self.path.join(name))?.file_type();
        Ok(if kind.is_file() {
            EntryKind::File
        } else if kind.is_symlink() {
            EntryKind::Link
        } else {
            EntryKind::Other
        })
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        sync(&self.path)
    }
}

/// Makes the entries of `path` durable. NTFS journals changes of a directory, so that each is there whole or
/// not at all, but writes the journal when it sees fit; a flush of a handle of the directory has it written.
/// Such a handle must be one that may write, or the flush is refused.
#[cfg(windows)]
pub(super) fn sync(path: &Path) -> io::Result<()> {
    use std::os::windows::fs::OpenOptionsExt as _;

    /// `FILE_FLAG_BACKUP_SEMANTICS`: without it directories can't be opened.
    const OPEN_DIRECTORIES: u32 = 0x0200_0000;
    let handle = fs::OpenOptions::new().write(true).custom_flags(OPEN_DIRECTORIES).open(path);
    handle.and_then(|handle| handle.sync_all()).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("this file system can't sync directories ({error}), so keep the database on another"),
        )
    })
}

/// Nothing is known of how to sync a directory here, so nothing is promised.
#[cfg(not(windows))]
pub(super) fn sync(path: &Path) -> io::Result<()> {
    let path = path.display();
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        format!("directories can't be synced on this platform, so {path} can't hold a database"),
    ))
}
