//! Directories and files, by the numbers that the kernel knows them by.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use stormproof_env::{Disk, File, OpenMode};
use stormproof_faults::{CrashOdds, DiskOptions, SimDisk};
use stormproof_rt::sync::{Mutex, MutexGuard};

/// The number of the topmost directory.
pub(crate) const ROOT: u64 = 1;

/// A tree of directories. The files of each are on a simulated disk of their own.
#[derive(Debug)]
pub(crate) struct Tree {
    table: Mutex<Table>,
}

/// What a number stands for.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Directory,
    File(Arc<dyn File>),
}

#[derive(Debug)]
struct Table {
    options: DiskOptions,
    directories: BTreeMap<u64, Directory>,
    /// Also those that have no name any more: a process may have them open.
    files: BTreeMap<u64, OpenFile>,
    /// Numbers are not used again: what was open before a power cut stays dead.
    next: u64,
}

#[derive(Debug)]
struct Directory {
    disk: SimDisk,
    mounted: Arc<dyn Disk>,
    /// The numbers of files that the kernel knows.
    numbers: BTreeMap<String, u64>,
    /// The numbers of the directories in it. Each has a file of its name on the disk, which decides whether
    /// the entry survives a power cut.
    directories: BTreeMap<String, u64>,
}

#[derive(Debug)]
struct OpenFile {
    file: Arc<dyn File>,
    /// How often the kernel has looked it up and not forgotten it.
    references: u64,
}

impl Directory {
    fn new(options: DiskOptions) -> Self {
        let disk = SimDisk::new(options);
        Self { mounted: disk.mount(), disk, numbers: BTreeMap::new(), directories: BTreeMap::new() }
    }
}

impl Tree {
    pub(crate) fn new(options: DiskOptions) -> Self {
        let directories = BTreeMap::from([(ROOT, Directory::new(options.clone()))]);
        let table = Table { options, directories, files: BTreeMap::new(), next: ROOT + 1 };
        Self { table: Mutex::new("tree", table) }
    }

    /// A power cut; see [`MountedDisk::cut_power`](crate::MountedDisk::cut_power).
    pub(crate) fn cut_power(&self, odds: &CrashOdds, seed: u64) {
        let mut table = self.table();
        table.files.clear();
        for (number, directory) in &mut table.directories {
            // Each draws its own.
            directory.disk.crash(odds, seed.wrapping_add(*number));
            directory.mounted = directory.disk.mount();
            directory.numbers.clear();
        }
        table.remove_lost_directories();
    }

    pub(crate) fn node(&self, number: u64) -> Option<Node> {
        let table = self.table();
        match table.directories.contains_key(&number) {
            true => Some(Node::Directory),
            false => table.files.get(&number).map(|open| Node::File(Arc::clone(&open.file))),
        }
    }

    /// Finds what has this name in a directory; the kernel counts it as known until it
    /// [forgets](Self::forget).
    pub(crate) fn look_up(&self, parent: u64, name: &str) -> io::Result<(u64, Node)> {
        let mut table = self.table();
        let directory = table.directory(parent)?;
        if let Some(found) = directory.directories.get(name) {
            return Ok((*found, Node::Directory));
        }
        if let Some(number) = directory.numbers.get(name).copied()
            && let Some(open) = table.files.get_mut(&number)
        {
            open.references += 1;
            return Ok((number, Node::File(Arc::clone(&open.file))));
        }
        let file = table.directory(parent)?.mounted.open(name, OpenMode::ReadWrite)?;
        table.add_file(parent, name, file)
    }

    pub(crate) fn forget(&self, number: u64, references: u64) {
        let mut table = self.table();
        let Some(open) = table.files.get_mut(&number) else { return };
        open.references = open.references.saturating_sub(references);
        if open.references == 0 {
            table.files.remove(&number);
            table.directories.values_mut().for_each(|directory| {
                directory.numbers.retain(|_, named| *named != number);
            });
        }
    }

    pub(crate) fn create(&self, parent: u64, name: &str) -> io::Result<(u64, Node)> {
        let mut table = self.table();
        let directory = table.directory(parent)?;
        let file = directory.mounted.open(name, OpenMode::CreateNew)?;
        table.add_file(parent, name, file)
    }

    pub(crate) fn create_directory(&self, parent: u64, name: &str) -> io::Result<u64> {
        let mut table = self.table();
        let (number, made) = (table.next, Directory::new(table.options.clone()));
        let directory = table.directory(parent)?;
        directory.mounted.open(name, OpenMode::CreateNew)?;
        directory.directories.insert(name.to_owned(), number);
        table.directories.insert(number, made);
        table.next += 1;
        Ok(number)
    }

    pub(crate) fn rename(&self, parent: u64, from: &str, to: &str) -> io::Result<()> {
        let mut table = self.table();
        let directory = table.directory(parent)?;
        if directory.directories.contains_key(from) || directory.directories.contains_key(to) {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "directories keep their names here"));
        }
        directory.mounted.rename(from, to)?;
        match directory.numbers.remove(from) {
            Some(number) => _ = directory.numbers.insert(to.to_owned(), number),
            None => _ = directory.numbers.remove(to),
        }
        Ok(())
    }

    pub(crate) fn remove(&self, parent: u64, name: &str) -> io::Result<()> {
        let mut table = self.table();
        let directory = table.directory(parent)?;
        if directory.directories.contains_key(name) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        directory.mounted.remove(name)?;
        directory.numbers.remove(name);
        Ok(())
    }

    /// What is in a directory: names, with numbers of directories and none of files.
    pub(crate) fn list(&self, parent: u64) -> io::Result<Vec<(Option<u64>, String)>> {
        let mut table = self.table();
        let directory = table.directory(parent)?;
        let names = directory.mounted.list()?;
        Ok(names.into_iter().map(|name| (directory.directories.get(&name).copied(), name)).collect())
    }

    pub(crate) fn sync_directory(&self, number: u64) -> io::Result<()> {
        let mut table = self.table();
        table.directory(number)?.mounted.sync_dir()
    }

    /// Copies all files into a directory of the operating system.
    pub(crate) fn dump(&self, to: &Path) -> io::Result<()> {
        self.table().dump(ROOT, to)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock()
    }
}

impl Table {
    fn directory(&mut self, number: u64) -> io::Result<&mut Directory> {
        self.directories.get_mut(&number).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn add_file(&mut self, parent: u64, name: &str, file: Box<dyn File>) -> io::Result<(u64, Node)> {
        let number = self.next;
        self.next += 1;
        self.directory(parent)?.numbers.insert(name.to_owned(), number);
        let file: Arc<dyn File> = Arc::from(file);
        self.files.insert(number, OpenFile { file: Arc::clone(&file), references: 1 });
        Ok((number, Node::File(file)))
    }

    /// Removes directories whose entry is not on the disk any more, with all that is in them.
    fn remove_lost_directories(&mut self) {
        let mut lost = Vec::new();
        for directory in self.directories.values_mut() {
            let files = directory.disk.files();
            directory.directories.retain(|name, number| {
                let there = files.contains_key(name);
                lost.extend((!there).then_some(*number));
                there
            });
        }
        while let Some(number) = lost.pop() {
            let below = self.directories.remove(&number).map(|directory| directory.directories);
            lost.extend(below.unwrap_or_default().into_values());
        }
    }

    fn dump(&self, number: u64, to: &Path) -> io::Result<()> {
        let Some(directory) = self.directories.get(&number) else { return Ok(()) };
        for (name, bytes) in directory.disk.files() {
            let to = to.join(&name);
            match directory.directories.get(&name) {
                Some(number) => {
                    std::fs::create_dir_all(&to)?;
                    self.dump(*number, &to)?;
                }
                None => std::fs::write(&to, bytes)?,
            }
        }
        Ok(())
    }
}
