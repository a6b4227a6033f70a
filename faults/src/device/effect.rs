//! What each call does to the volume, and what the fault that it meets makes of it.

use std::io;
use std::sync::Arc;

use crate::device::{Device, HeldLock};
use crate::fault::{ExactFault, FaultKind, FiredFault};
use crate::operation::Operation;
use crate::options::EntryPolicy;
use crate::streams::stream;
use crate::volume::inode::{Decay, Fate, Inode, InodeId, Persist};
use crate::volume::pages::{PAGE, SECTOR};
use rand::RngExt;
use stormproof_env::displacement;

/// A call that takes effect on the device, and the faults that it meets.
pub(crate) struct Effect<'a> {
    pub(super) device: &'a mut Device,
    pub(super) operation: &'a Operation,
    pub(super) fault: Option<ExactFault>,
    pub(super) met: Vec<FiredFault>,
}

impl Effect<'_> {
    pub(crate) fn open(&mut self, exclusive: bool) -> io::Result<InodeId> {
        if self.fault_is(FaultKind::OpenFails).is_some() {
            return Err(self.eio(""));
        }
        if exclusive {
            self.check_entry_change()?;
        }
        let name = Arc::clone(&self.operation.file);
        let id = match (self.device.volume.lookup(&name), exclusive) {
            (Some(_), true) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(id), false) => id,
            (None, false) => return Err(io::ErrorKind::NotFound.into()),
            (None, true) => {
                if self.fault_is(FaultKind::NoSpace).is_some() {
                    return Err(self.no_space());
                }
                self.device.volume.create(self.operation.number, &name)
            }
        };
        self.device.volume.inode_mut(id).handles += 1;
        Ok(id)
    }

    pub(crate) fn read(&mut self, id: InodeId, buffer: &mut [u8]) -> io::Result<usize> {
        let offset = self.operation.offset;
        let mut buffer = buffer;
        if self.fault_is(FaultKind::ReadFails).is_some() {
            return Err(self.eio(""));
        }
        if let Some(detail) = self.fault_is(FaultKind::ShortRead)
            && buffer.len() > 1
        {
            let len = 1 + (detail % (buffer.len() as u64 - 1)) as usize;
            self.note(format!("{len} of {} bytes", buffer.len()));
            buffer = &mut buffer[..len];
        }
        self.decay(id, offset, buffer.len() as u64);
        self.device.volume.inode(id).read(offset, buffer).map_err(|sector| {
            io::Error::other(format!("simulated EIO: sector {sector} of {} is bad", self.operation.file))
        })
    }

    /// Damages one of the synced sectors about to be read that hold something: holes have no sector. The more
    /// there are, the likelier it is.
    fn decay(&mut self, id: InodeId, offset: u64, len: u64) {
        let (rot, detail) = match (self.fault_is(FaultKind::BitRot), self.fault_is(FaultKind::BadSector)) {
            (Some(detail), _) => (true, detail),
            (None, Some(detail)) => (false, detail),
            (None, None) => return,
        };
        let inode = self.device.volume.inode(id);
        let mut sectors = inode.settled_sectors(offset..offset.saturating_add(len));
        sectors.retain(|sector| !inode.durable.is_zero(sector * SECTOR..(sector + 1) * SECTOR));
        if (detail >> 44) % DECAY_SECTORS >= sectors.len() as u64 {
            return;
        }
        let sector = sectors[(detail % sectors.len() as u64) as usize];
        let bytes = inode.durable.bytes(sector * SECTOR..(sector + 1) * SECTOR);
        let behind = last_content(inode).saturating_sub(sector * SECTOR);
        let decay = if rot {
            let byte = ((detail >> 16) % bytes.len() as u64) as u16;
            let mask = 1 << ((detail >> 40) % 8);
            self.note(format!("sector {sector}, byte {byte}, mask {mask:#04x}"));
            Decay::Flipped { byte, mask }
        } else {
            self.note(format!("sector {sector}"));
            Decay::Unreadable
        };
        self.device.volume.inode_mut(id).decay.insert(sector, decay);
        self.device.decayed.insert((id, sector), (self.operation.file.to_string(), behind));
    }

    pub(crate) fn write(&mut self, id: InodeId, bytes: &[u8]) -> io::Result<usize> {
        self.disturb_place();
        let offset = self.operation.offset;
        let mut fate = Fate::Sound;
        let mut len = bytes.len();
        let mut failure = None;
        if let Some(detail) = self.fault_is(FaultKind::WriteFails) {
            len = if detail.is_multiple_of(2) { 0 } else { (detail >> 1) as usize % (len + 1) };
            failure = Some(self.eio(&format!("{len} of {} bytes are in the cache", bytes.len())));
        } else if self.fault_is(FaultKind::NoSpace).is_some() {
            return Err(self.no_space());
        } else if let Some(detail) = self.fault_is(FaultKind::ShortWrite)
            && len > 1
        {
            len = 1 + (detail % (len as u64 - 1)) as usize;
            self.note(format!("{len} of {} bytes", bytes.len()));
        } else if self.fault_is(FaultKind::LostWrite).is_some() {
            fate = Fate::Lost;
            self.note("");
        } else if let Some(detail) = self.fault_is(FaultKind::MisdirectedWrite) {
            let sectors = self.device.volume.inode(id).cached.len().div_ceil(SECTOR).max(2);
            let away = 1 + detail % (sectors - 1);
            let to = ((offset / SECTOR + away) % sectors) * SECTOR + offset % SECTOR;
            fate = Fate::Misdirected(to);
            self.note(format!("to offset {to}"));
        }
        let len = self.room(id, offset, len)?;
        self.device.statistics.bytes_written += len as u64;
        self.device.volume.inode_mut(id).write(self.operation.number, offset, &bytes[..len], fate);
        failure.map_or(Ok(len), Err)
    }

    /// Returns how many of `len` bytes fit the capacity.
    fn room(&self, id: InodeId, offset: u64, len: usize) -> io::Result<usize> {
        let Some(capacity) = self.device.capacity else { return Ok(len) };
        let allocated = self.device.volume.inode(id).cached.allocated();
        if len == 0 || offset + len as u64 <= allocated {
            return Ok(len);
        }
        let free = capacity.saturating_sub(self.device.volume.used()) / PAGE * PAGE;
        match (allocated + free).checked_sub(offset) {
            None | Some(0) => Err(io::ErrorKind::StorageFull.into()),
            Some(room) => Ok(len.min(usize::try_from(room).unwrap_or(usize::MAX))),
        }
    }

    pub(crate) fn len(&mut self, id: InodeId) -> io::Result<u64> {
        if self.fault_is(FaultKind::LenFails).is_some() {
            return Err(self.eio(""));
        }
        Ok(self.device.volume.inode(id).cached.len())
    }

    pub(crate) fn set_len(&mut self, id: InodeId, len: u64) -> io::Result<()> {
        if self.fault_is(FaultKind::SetLenFails).is_some() {
            return Err(self.eio(""));
        }
        let before = self.device.volume.inode(id).cached.len();
        if len > before {
            if self.fault_is(FaultKind::NoSpace).is_some() {
                return Err(self.no_space());
            }
            let grows = usize::try_from(len - before).unwrap_or(usize::MAX);
            if self.room(id, before, grows)? < grows {
                return Err(io::ErrorKind::StorageFull.into());
            }
        } else if len < before {
            let mut given_up = self.device.volume.inode(id).durable.clone();
            given_up.clear(0..len);
            self.device.volume.recycle(&given_up);
        }
        self.device.volume.inode_mut(id).set_len(self.operation.number, len);
        Ok(())
    }

    pub(crate) fn sync(&mut self, id: InodeId) -> io::Result<()> {
        if self.fault_is(FaultKind::SyncKeepsPages).is_some() {
            return Err(self.eio("the data stay dirty"));
        }
        if self.fault_is(FaultKind::SyncLies).is_some() {
            self.note("");
            // The caller sees clean pages: only a crash shows the lie.
            self.device.volume.inode_mut(id).sync(Persist::Some { page: &mut |_| false, revert: false });
            return Ok(());
        }
        if let Some(detail) = self.fault_is(FaultKind::SyncDropsPages) {
            let revert = detail.is_multiple_of(4);
            let mut rng = stream(detail, "dropped pages");
            let keeps = rng.random_bool(0.5);
            let mut page = |_| keeps && rng.random_bool(0.5);
            self.device.volume.inode_mut(id).sync(Persist::Some { page: &mut page, revert });
            let cache = if revert { "old" } else { "new" };
            return Err(self.eio(&format!("dirty pages dropped, reads show the {cache} content")));
        }
        self.device.volume.inode_mut(id).sync(Persist::All);
        if self.device.entries == EntryPolicy::FileSync {
            self.device.volume.directory.sync_file(id);
        }
        match self.fault_is(FaultKind::SyncFailsDurable) {
            Some(_) => Err(self.eio("everything is durable nevertheless")),
            None => Ok(()),
        }
    }

    pub(crate) fn rename(&mut self) -> io::Result<()> {
        self.check_entry_change()?;
        let from = Arc::clone(&self.operation.file);
        let to = Arc::clone(self.operation.to.as_ref().expect("a rename has a new name"));
        let id = self.device.volume.lookup(&from).ok_or(io::ErrorKind::NotFound)?;
        let failure = self.fault_is(FaultKind::RenameFails);
        if failure.is_none_or(|detail| detail.is_multiple_of(2)) {
            self.device.volume.rename(self.operation.number, id, &from, &to);
            self.device.volume.collect();
        }
        match failure {
            Some(detail) => {
                Err(self.eio(if detail.is_multiple_of(2) { "it took effect" } else { "no effect" }))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn remove(&mut self) -> io::Result<()> {
        self.check_entry_change()?;
        let name = Arc::clone(&self.operation.file);
        let id = self.device.volume.lookup(&name).ok_or(io::ErrorKind::NotFound)?;
        let failure = self.fault_is(FaultKind::RemoveFails);
        if failure.is_none_or(|detail| detail.is_multiple_of(2)) {
            self.device.volume.remove(self.operation.number, id, &name);
            self.device.volume.collect();
        }
        match failure {
            Some(detail) => {
                Err(self.eio(if detail.is_multiple_of(2) { "it took effect" } else { "no effect" }))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn list(&mut self) -> io::Result<Vec<String>> {
        if self.fault_is(FaultKind::ListFails).is_some() {
            return Err(self.eio(""));
        }
        Ok(self.device.volume.directory.current.keys().map(|name| name.to_string()).collect())
    }

    pub(crate) fn sync_dir(&mut self) -> io::Result<()> {
        if let Some(detail) = self.fault_is(FaultKind::DirSyncFails) {
            let drops = detail.is_multiple_of(2);
            if drops {
                self.device.volume.directory.drop_pending();
            }
            return Err(self.eio(if drops { "the entries are dropped" } else { "the entries stay pending" }));
        }
        if self.fault_is(FaultKind::SyncLies).is_some() {
            self.note("");
            self.device.volume.directory.drop_pending();
            return Ok(());
        }
        self.device.volume.directory.sync();
        self.device.volume.collect();
        Ok(())
    }

    pub(crate) fn lock(&mut self) -> io::Result<(InodeId, u64)> {
        let name = Arc::clone(&self.operation.file);
        let id = match self.device.volume.lookup(&name) {
            Some(id) => id,
            None => self.device.volume.create(self.operation.number, &name),
        };
        if self.device.lock.is_some() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.device.lock = Some(HeldLock { name, inode: id, number: self.operation.number });
        self.device.volume.inode_mut(id).handles += 1;
        Ok((id, self.operation.number))
    }

    /// Lets another program move the directory or remove the lock file, if that is the fault.
    fn disturb_place(&mut self) {
        if self.fault_is(FaultKind::DirectoryMoved).is_some() {
            self.note("until the life ends");
            self.device.moved = true;
        }
        if self.fault_is(FaultKind::LockRemoved).is_some()
            && let Some(HeldLock { name, inode, .. }) = self.device.lock.clone()
            && self.device.volume.lookup(&name) == Some(inode)
        {
            self.note("");
            self.device.volume.remove(self.operation.number, inode, &name);
        }
    }

    /// Refuses to change names in a directory that was moved.
    fn check_entry_change(&mut self) -> io::Result<()> {
        self.disturb_place();
        if self.device.moved {
            return Err(displacement("the simulated directory", "it was renamed or removed"));
        }
        Ok(())
    }

    /// Returns the particulars of the fault that is to fire, if it is of this kind. It has not fired until it
    /// is noted.
    pub(super) fn fault_is(&self, kind: FaultKind) -> Option<u64> {
        self.fault.as_ref().filter(|fault| fault.key.kind == kind).map(|fault| fault.detail)
    }

    /// Notes that the fault fired.
    pub(super) fn note(&mut self, what: impl Into<String>) {
        if let Some(fault) = self.fault.take() {
            self.fired(fault, what.into());
        }
    }

    pub(super) fn fired(&mut self, fault: ExactFault, what: String) {
        *self.device.statistics.faults.entry(fault.key.kind).or_default() += 1;
        let fired = FiredFault {
            fault,
            operation: self.operation.number,
            life: self.operation.life,
            file: self.operation.file.to_string(),
            what,
        };
        self.device.fired.push(fired.clone());
        self.met.push(fired);
    }

    fn eio(&mut self, what: &str) -> io::Error {
        self.note(what);
        io::Error::other(format!("simulated EIO on {}", self.operation))
    }

    fn no_space(&mut self) -> io::Error {
        self.note("");
        io::ErrorKind::StorageFull.into()
    }
}

/// The number of sectors with content below which a read is less likely to meet decay, in proportion.
const DECAY_SECTORS: u64 = 8;

/// Returns the end of the content, zeros at the end not counted.
fn last_content(inode: &Inode) -> u64 {
    let last = inode.durable.iter().filter_map(|(index, page)| {
        let end = page.iter().rposition(|byte| *byte != 0)?;
        Some(index * PAGE + end as u64 + 1)
    });
    last.last().unwrap_or(0)
}
