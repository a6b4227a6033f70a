//! What the kernel asks, answered by the tree.

use std::ffi::OsStr;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    InitFlags, KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use stormproof_env::{File, read_up_to_at, write_all_at};

use crate::Lack;
use crate::tree::{Node, Tree};

/// For how long the kernel may remember an answer: it has to ask each time, as a power cut changes all.
const REMEMBERED: Duration = Duration::ZERO;

/// The number of a file in a listing: it gets its own when it is looked up. 0 would hide the entry.
const UNKNOWN: u64 = u64::MAX;

/// The handle of every file: files are known by their number.
const HANDLE: FileHandle = FileHandle(0);

/// Answers the kernel.
#[derive(Debug)]
pub(crate) struct FileSystem {
    tree: Arc<Tree>,
    lacks: Option<Lack>,
}

impl FileSystem {
    pub(crate) fn new(tree: Arc<Tree>, lacks: Option<Lack>) -> Self {
        Self { tree, lacks }
    }

    fn sync_directory(&self, number: INodeNo) -> Result<(), Errno> {
        if self.lacks == Some(Lack::DirectorySync) {
            return Err(Errno::EINVAL);
        }
        self.tree.sync_directory(number.0).map_err(errno)
    }

    fn node(&self, number: INodeNo) -> Result<Node, Errno> {
        // After a power cut, files that were open are gone.
        self.tree.node(number.0).ok_or(Errno::EIO)
    }

    fn file(&self, number: INodeNo) -> Result<Arc<dyn File>, Errno> {
        match self.node(number)? {
            Node::File(file) => Ok(file),
            Node::Directory => Err(Errno::EISDIR),
        }
    }
}

fn attributes_of(number: u64, node: &Node) -> Result<FileAttr, Errno> {
    match node {
        Node::Directory => Ok(attributes(number, FileType::Directory, 0)),
        Node::File(file) => Ok(attributes(number, FileType::RegularFile, file.len().map_err(errno)?)),
    }
}

fn attributes(number: u64, kind: FileType, size: u64) -> FileAttr {
    FileAttr {
        ino: INodeNo(number),
        size,
        blocks: size.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm: if kind == FileType::Directory { 0o755 } else { 0o644 },
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

fn errno(error: io::Error) -> Errno {
    match error.kind() {
        io::ErrorKind::NotFound => Errno::ENOENT,
        io::ErrorKind::AlreadyExists => Errno::EEXIST,
        io::ErrorKind::StorageFull => Errno::ENOSPC,
        io::ErrorKind::InvalidInput => Errno::EINVAL,
        io::ErrorKind::Interrupted => Errno::EINTR,
        io::ErrorKind::IsADirectory => Errno::EISDIR,
        io::ErrorKind::Unsupported => Errno::ENOTSUP,
        _ => Errno::EIO,
    }
}

fn name(name: &OsStr) -> Result<&str, Errno> {
    name.to_str().ok_or(Errno::EINVAL)
}

/// Answers with what was done, or with its error.
macro_rules! answer {
    ($reply:ident, $done:expr, $value:pat => $with:expr) => {
        match $done {
            Ok($value) => $with,
            Err(error) => $reply.error(error),
        }
    };
}

impl Filesystem for FileSystem {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        if self.lacks == Some(Lack::Locks) {
            // Else the kernel would lock by itself.
            let asked = config.add_capabilities(InitFlags::FUSE_FLOCK_LOCKS);
            asked.map_err(|_| io::Error::from(io::ErrorKind::Unsupported))?;
        }
        Ok(())
    }

    fn setlk(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: LockOwner,
        _: u64,
        _: u64,
        _: i32,
        _: u32,
        _: bool,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::ENOLCK);
    }

    fn lookup(&self, _: &Request, parent: INodeNo, wanted: &OsStr, reply: ReplyEntry) {
        let found = name(wanted).and_then(|name| self.tree.look_up(parent.0, name).map_err(errno));
        let found = found.and_then(|(number, node)| attributes_of(number, &node));
        answer!(reply, found, attributes => reply.entry(&REMEMBERED, &attributes, Generation(0)));
    }

    fn forget(&self, _: &Request, number: INodeNo, references: u64) {
        self.tree.forget(number.0, references);
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let found = self.node(number).and_then(|node| attributes_of(number.0, &node));
        answer!(reply, found, attributes => reply.attr(&REMEMBERED, &attributes));
    }

    fn setattr(
        &self,
        _: &Request,
        number: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let set = match size {
            Some(size) => self.file(number).and_then(|file| file.set_len(size).map_err(errno)),
            None => Ok(()),
        };
        let done = set.and_then(|()| attributes_of(number.0, &self.node(number)?));
        answer!(reply, done, attributes => reply.attr(&REMEMBERED, &attributes));
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, wanted: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        let made = name(wanted).and_then(|name| self.tree.create_directory(parent.0, name).map_err(errno));
        let made = made.map(|number| attributes(number, FileType::Directory, 0));
        answer!(reply, made, attributes => reply.entry(&REMEMBERED, &attributes, Generation(0)));
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        wanted: &OsStr,
        _: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let created = name(wanted).and_then(|name| self.tree.create(parent.0, name).map_err(errno));
        let created = created.and_then(|(number, node)| attributes_of(number, &node));
        answer!(reply, created, attributes => reply.created(
            &REMEMBERED,
            &attributes,
            Generation(0),
            HANDLE,
            FopenFlags::FOPEN_DIRECT_IO,
        ));
    }

    fn open(&self, _: &Request, number: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        answer!(reply, self.file(number), _ => reply.opened(HANDLE, FopenFlags::FOPEN_DIRECT_IO));
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut bytes = vec![0; size as usize];
        let read =
            self.file(number).and_then(|file| read_up_to_at(&*file, offset, &mut bytes).map_err(errno));
        answer!(reply, read, read => reply.data(&bytes[..read]));
    }

    fn write(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = self.file(number).and_then(|file| write_all_at(&*file, offset, data).map_err(errno));
        answer!(reply, written, () => reply.written(u32::try_from(data.len()).unwrap_or(u32::MAX)));
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // Of closing a file, which makes nothing durable.
        reply.ok();
    }

    fn fsync(&self, _: &Request, number: INodeNo, _: FileHandle, data_only: bool, reply: ReplyEmpty) {
        let synced = self.file(number).and_then(|file| {
            let synced = if data_only { file.sync_data() } else { file.sync_all() };
            synced.map_err(errno)
        });
        answer!(reply, synced, () => reply.ok());
    }

    fn fsyncdir(&self, _: &Request, number: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        answer!(reply, self.sync_directory(number), () => reply.ok());
    }

    fn unlink(&self, _: &Request, parent: INodeNo, wanted: &OsStr, reply: ReplyEmpty) {
        let removed = name(wanted).and_then(|name| self.tree.remove(parent.0, name).map_err(errno));
        answer!(reply, removed, () => reply.ok());
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        from: &OsStr,
        new_parent: INodeNo,
        to: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let renamed = if parent != new_parent || !flags.is_empty() {
            Err(Errno::ENOTSUP)
        } else {
            name(from)
                .and_then(|from| Ok((from, name(to)?)))
                .and_then(|(from, to)| self.tree.rename(parent.0, from, to).map_err(errno))
        };
        answer!(reply, renamed, () => reply.ok());
    }

    fn readdir(&self, _: &Request, number: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        answer!(reply, self.tree.list(number.0).map_err(errno), listed => {
            let own = [".", ".."].map(|name| (Some(number.0), name.to_owned()));
            for (at, (directory, name)) in (1_u64..).zip(own.into_iter().chain(listed)) {
                let (number, kind) = match directory {
                    Some(number) => (number, FileType::Directory),
                    None => (UNKNOWN, FileType::RegularFile),
                };
                if at > offset && reply.add(INodeNo(number), at, kind, name) {
                    break;
                }
            }
            reply.ok();
        });
    }
}
