//! A directory that counts what is written to it.

use std::io;
use std::path::Path;

use env::{Disk, DiskLock, EntryKind, File, OpenMode, StdDisk};
use rt::sync::Arc;
use rt::sync::atomic::{AtomicU64, Ordering};

/// A directory that counts what is written to it.
#[derive(Debug)]
pub(crate) struct CountingDisk {
    disk: StdDisk,
    counts: Arc<Counts>,
}

/// What was done since the directory was opened.
#[derive(Debug)]
pub(crate) struct Counts {
    bytes: AtomicU64,
    syncs: AtomicU64,
}

impl CountingDisk {
    pub(crate) fn create(dir: &Path) -> io::Result<Self> {
        let counts = Counts { bytes: AtomicU64::new("bytes", 0), syncs: AtomicU64::new("syncs", 0) };
        Ok(Self { disk: StdDisk::create(dir)?, counts: Arc::new(counts) })
    }

    pub(crate) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }
}

impl Counts {
    /// Bytes written, and syncs.
    pub(crate) fn get(&self) -> (u64, u64) {
        (self.bytes.load(Ordering::Relaxed), self.syncs.load(Ordering::Relaxed))
    }
}

impl Disk for CountingDisk {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Box<dyn File>> {
        let file = self.disk.open(name, mode)?;
        Ok(Box::new(CountingFile { file, counts: self.counts() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn kind_of(&self, name: &str) -> io::Result<EntryKind> {
        self.disk.kind_of(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.disk.sync_dir()
    }

    fn lock(&self, name: &str) -> io::Result<Arc<dyn DiskLock>> {
        self.disk.lock(name)
    }

    fn lock_shared(&self, name: &str) -> io::Result<Option<Arc<dyn DiskLock>>> {
        self.disk.lock_shared(name)
    }

    fn describe(&self) -> String {
        self.disk.describe()
    }
}

#[derive(Debug)]
struct CountingFile {
    file: Box<dyn File>,
    counts: Arc<Counts>,
}

impl File for CountingFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write_at(offset, bytes)?;
        self.counts.bytes.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.counts.syncs.fetch_add(1, Ordering::Relaxed);
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.counts.syncs.fetch_add(1, Ordering::Relaxed);
        self.file.sync_all()
    }
}
