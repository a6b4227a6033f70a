//! The disk as the store holds it, for one life.

use std::fmt;
use std::io;
use std::sync::Arc;

use stormproof_env::{Disk, DiskLock, File, OpenMode};

use crate::device::{Device, Effect, Request, Shared};
use crate::hook::{Completion, Decision};
use crate::operation::OperationKind;
use crate::volume::inode::InodeId;

/// Files may not grow beyond what a signed 64-bit offset reaches, as with POSIX.
const OFFSET_MAX: u64 = i64::MAX as u64;

/// The call came from a life of the disk that a crash has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the handle belongs to life {of} of the simulated disk, which has ended: the call has no effect")]
pub struct DeadHandle {
    /// The life that the handle belongs to.
    pub of: u64,
}

/// A disk in one of its lives.
#[derive(Clone, Debug)]
pub(crate) struct Mount {
    shared: Arc<Shared>,
    life: u64,
}

impl Mount {
    pub(crate) fn new(shared: Arc<Shared>, life: u64) -> Self {
        Self { shared, life }
    }

    /// Performs one call: numbers it, asks the hook, lets it take effect, and notifies the hook. The lock is
    /// free whenever the hook runs, so the disk may be in another life after each of its calls: hence the
    /// checks.
    fn perform<T>(
        &self,
        request: Request,
        body: impl FnOnce(&mut Effect<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        let (operation, hook) = self.shared.with(|device| {
            self.check(device)?;
            Ok::<_, io::Error>((device.begin(request), device.hook.clone()))
        })?;
        match hook.as_ref().map_or(Decision::Proceed, |hook| hook.before(&operation)) {
            Decision::Proceed => {}
            Decision::Fail(kind) => return Err(kind.into()),
            Decision::CutPower => {
                self.shared.with(|device| {
                    if device.life == self.life {
                        device.powered = false;
                    }
                });
                return Err(self.dead());
            }
        }
        let (result, faults, stall) = self.shared.with(|device| {
            self.check(device)?;
            Ok::<_, io::Error>(device.effect(&operation, body))
        })?;
        if let Some(hook) = hook {
            if stall > 0 {
                hook.stall(&operation, stall);
            }
            hook.after(&operation, &Completion { error: result.as_ref().err().map(io::Error::kind), faults });
            self.shared.with(|device| self.check(device))?;
        }
        result
    }

    fn check(&self, device: &Device) -> io::Result<()> {
        if device.powered && device.life == self.life { Ok(()) } else { Err(self.dead()) }
    }

    fn dead(&self) -> io::Error {
        io::Error::other(DeadHandle { of: self.life })
    }

    fn about(kind: OperationKind, name: &str) -> io::Result<Request> {
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            let message = format!("{name:?} is not a plain file name");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Ok(Request { kind, file: name.into(), to: None, offset: 0, len: 0 })
    }

    fn about_directory(kind: OperationKind) -> Request {
        Request { kind, file: "".into(), to: None, offset: 0, len: 0 }
    }
}

impl Disk for Mount {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Box<dyn File>> {
        let new = mode == OpenMode::CreateNew;
        let request = Self::about(if new { OperationKind::Create } else { OperationKind::Open }, name)?;
        let name = Arc::clone(&request.file);
        let inode = self.perform(request, |effect| effect.open(new))?;
        Ok(Box::new(SimFile { mount: self.clone(), name, inode, writable: mode != OpenMode::Read }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let to = Self::about(OperationKind::Rename, to)?.file;
        let request = Request { to: Some(to), ..Self::about(OperationKind::Rename, from)? };
        self.perform(request, |effect| effect.rename())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.perform(Self::about(OperationKind::Remove, name)?, |effect| effect.remove())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.perform(Self::about_directory(OperationKind::List), |effect| effect.list())
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.perform(Self::about_directory(OperationKind::SyncDir), |effect| effect.sync_dir())
    }

    fn lock(&self, name: &str) -> io::Result<Arc<dyn DiskLock>> {
        let request = Self::about(OperationKind::Lock, name)?;
        let (inode, number) = self.perform(request, |effect| effect.lock())?;
        Ok(Arc::new(SimLock { mount: self.clone(), inode, number }))
    }

    fn lock_shared(&self, _name: &str) -> io::Result<Option<Arc<dyn DiskLock>>> {
        self.shared.with(|device| {
            self.check(device)?;
            if device.lock.is_some() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(None) }
        })
    }

    fn describe(&self) -> String {
        format!("simulated disk, life {}", self.life)
    }
}

struct SimFile {
    mount: Mount,
    name: Arc<str>,
    inode: InodeId,
    writable: bool,
}

impl SimFile {
    fn request(&self, kind: OperationKind, offset: u64, len: usize) -> Request {
        Request { kind, file: Arc::clone(&self.name), to: None, offset, len: len as u64 }
    }

    fn check_writable(&self, end: Option<u64>) -> io::Result<()> {
        if !self.writable {
            let message = format!("{} is open for reading only", self.name);
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        match end {
            Some(end) if end <= OFFSET_MAX => Ok(()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "offset out of range")),
        }
    }
}

impl File for SimFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if offset > OFFSET_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "offset out of range"));
        }
        let request = self.request(OperationKind::Read, offset, buffer.len());
        self.mount.perform(request, |effect| effect.read(self.inode, buffer))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.check_writable(offset.checked_add(bytes.len() as u64))?;
        let request = self.request(OperationKind::Write, offset, bytes.len());
        self.mount.perform(request, |effect| effect.write(self.inode, bytes))
    }

    fn len(&self) -> io::Result<u64> {
        self.mount.perform(self.request(OperationKind::Len, 0, 0), |effect| effect.len(self.inode))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_writable(Some(len))?;
        let request = self.request(OperationKind::SetLen, len, 0);
        self.mount.perform(request, |effect| effect.set_len(self.inode, len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.mount.perform(self.request(OperationKind::SyncData, 0, 0), |effect| effect.sync(self.inode))
    }

    fn sync_all(&self) -> io::Result<()> {
        self.mount.perform(self.request(OperationKind::SyncAll, 0, 0), |effect| effect.sync(self.inode))
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.mount.shared.with(|device| {
            if self.mount.check(device).is_ok() {
                device.close(self.inode);
            }
        });
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimFile")
            .field("name", &self.name)
            .field("life", &self.mount.life)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct SimLock {
    mount: Mount,
    inode: InodeId,
    /// Of the operation that took it.
    number: u64,
}

impl DiskLock for SimLock {
    fn check(&self) -> io::Result<()> {
        self.mount.shared.with(|device| {
            self.mount.check(device)?;
            device.check_place()
        })
    }

    fn unlock(&self) {
        self.mount.shared.with(|device| {
            // A lock that was taken since by another handle is not ours to give up.
            let ours = device.lock.as_ref().is_some_and(|lock| lock.number == self.number);
            if self.mount.check(device).is_ok() && ours {
                device.lock = None;
                device.close(self.inode);
            }
        });
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.unlock();
    }
}
