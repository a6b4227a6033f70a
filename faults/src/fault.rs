//! What a device can do wrong while the power is on, and the name of each single fault.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::operation::OperationKind;

/// A kind of fault. Each applies to certain calls ([`FaultKind::applies_to`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// A sync fails, the dirty pages are dropped and marked clean: the next sync finds nothing to do and
    /// succeeds, though the data never reached the medium (Rebello et al., "Can Applications Recover from
    /// fsync Failures?", ATC '20, §3). Some of the pages may have been written. Later reads give the new
    /// content (ext4, XFS) or, on a draw, the old one (Btrfs).
    SyncDropsPages,
    /// A sync fails, the data stay dirty: a later sync would write them. A store can't distinguish this from
    /// [`Self::SyncDropsPages`].
    SyncKeepsPages,
    /// A sync fails after everything had become durable.
    SyncFailsDurable,
    /// A sync of the directory fails; the entries stay pending or, on a draw, are dropped: never written,
    /// though later syncs succeed.
    DirSyncFails,
    /// EIO on write; a part of the bytes may be in the page cache.
    WriteFails,
    /// Fewer bytes written than asked for.
    ShortWrite,
    /// ENOSPC on write, extension or creation, once; see also [`crate::SimDisk::set_capacity`].
    NoSpace,
    /// EIO on read, once.
    ReadFails,
    /// A sector that can't be read until it is written anew.
    BadSector,
    /// Fewer bytes read than asked for.
    ShortRead,
    /// A bit of a synced sector has flipped; it stays so until the sector is written anew.
    BitRot,
    /// EIO on opening or creating.
    OpenFails,
    /// EIO on listing the directory.
    ListFails,
    /// EIO on asking for the length.
    LenFails,
    /// EIO on changing the length.
    SetLenFails,
    /// EIO on rename; on a draw it took effect nevertheless.
    RenameFails,
    /// EIO on remove; on a draw it took effect nevertheless.
    RemoveFails,
    /// EINTR: no effect, and the caller may try again.
    Interrupted,
    /// The answer comes late.
    Stall,
    /// A lying device: the sync succeeds and writes nothing. A store can only detect it.
    SyncLies,
    /// A lying device: one write never reaches the medium, though syncs succeed. A store can only detect it.
    LostWrite,
    /// A lying device: one write reaches the medium in another place of the same file. A store can only
    /// detect it.
    MisdirectedWrite,
    /// The directory is moved away, until the life ends: open files go on, and files can't be created,
    /// renamed or removed, so that nothing reaches what lies at its path.
    DirectoryMoved,
    /// The lock file is removed, as a careless script does it. The lock itself holds.
    LockRemoved,
}

impl FaultKind {
    /// All kinds.
    pub const ALL: [Self; 24] = [
        Self::SyncDropsPages,
        Self::SyncKeepsPages,
        Self::SyncFailsDurable,
        Self::DirSyncFails,
        Self::WriteFails,
        Self::ShortWrite,
        Self::NoSpace,
        Self::ReadFails,
        Self::BadSector,
        Self::ShortRead,
        Self::BitRot,
        Self::OpenFails,
        Self::ListFails,
        Self::LenFails,
        Self::SetLenFails,
        Self::RenameFails,
        Self::RemoveFails,
        Self::Interrupted,
        Self::Stall,
        Self::SyncLies,
        Self::LostWrite,
        Self::MisdirectedWrite,
        Self::DirectoryMoved,
        Self::LockRemoved,
    ];

    /// Returns the name in messages, plans and traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SyncDropsPages => "sync-drops-pages",
            Self::SyncKeepsPages => "sync-keeps-pages",
            Self::SyncFailsDurable => "sync-fails-durable",
            Self::DirSyncFails => "dir-sync-fails",
            Self::WriteFails => "write-fails",
            Self::ShortWrite => "short-write",
            Self::NoSpace => "no-space",
            Self::ReadFails => "read-fails",
            Self::BadSector => "bad-sector",
            Self::ShortRead => "short-read",
            Self::BitRot => "bit-rot",
            Self::OpenFails => "open-fails",
            Self::ListFails => "list-fails",
            Self::LenFails => "len-fails",
            Self::SetLenFails => "set-len-fails",
            Self::RenameFails => "rename-fails",
            Self::RemoveFails => "remove-fails",
            Self::Interrupted => "interrupted",
            Self::Stall => "stall",
            Self::SyncLies => "sync-lies",
            Self::LostWrite => "lost-write",
            Self::MisdirectedWrite => "misdirected-write",
            Self::DirectoryMoved => "directory-moved",
            Self::LockRemoved => "lock-removed",
        }
    }

    /// Returns whether the fault can happen to such a call.
    pub const fn applies_to(self, operation: OperationKind) -> bool {
        use OperationKind as Op;
        match self {
            Self::SyncDropsPages | Self::SyncKeepsPages | Self::SyncFailsDurable => {
                matches!(operation, Op::SyncData | Op::SyncAll)
            }
            Self::DirSyncFails => matches!(operation, Op::SyncDir),
            Self::WriteFails | Self::ShortWrite | Self::LostWrite | Self::MisdirectedWrite => {
                matches!(operation, Op::Write)
            }
            Self::NoSpace => matches!(operation, Op::Write | Op::SetLen | Op::Create),
            Self::ReadFails | Self::BadSector | Self::ShortRead | Self::BitRot => {
                matches!(operation, Op::Read)
            }
            Self::OpenFails => matches!(operation, Op::Open | Op::Create),
            Self::ListFails => matches!(operation, Op::List),
            Self::LenFails => matches!(operation, Op::Len),
            Self::SetLenFails => matches!(operation, Op::SetLen),
            Self::RenameFails => matches!(operation, Op::Rename),
            Self::RemoveFails => matches!(operation, Op::Remove),
            Self::Interrupted => matches!(operation, Op::Read | Op::Write),
            Self::Stall => true,
            Self::SyncLies => operation.is_sync(),
            Self::DirectoryMoved => matches!(operation, Op::Create | Op::Rename | Op::Remove | Op::Write),
            Self::LockRemoved => matches!(operation, Op::Write),
        }
    }

    /// Returns whether the device breaks its word, so that no store without redundancy keeps what it acked.
    pub const fn is_lie(self) -> bool {
        matches!(self, Self::SyncLies | Self::LostWrite | Self::MisdirectedWrite)
    }

    /// Returns whether synced content is damaged on the medium.
    pub const fn is_decay(self) -> bool {
        matches!(self, Self::BitRot | Self::BadSector)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of one single fault, which holds as long as the sequence of such operations does: so a plan can
/// list it, and shrinking can switch it off, while everything else about the run changes.
///
/// Prints, and parses, as `sync-drops-pages wal sync-data 3`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FaultKey {
    /// What happens.
    pub kind: FaultKind,
    /// The class of the file, see [`crate::class_of`].
    pub class: String,
    /// The call that it happens to.
    pub operation: OperationKind,
    /// Which of these calls on this class of file, counted from 1 over all lives.
    pub nth: u64,
}

impl fmt::Display for FaultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.kind, self.class, self.operation, self.nth)
    }
}

/// An error: the text is not the name of a fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a fault: write it as `sync-drops-pages wal sync-data 3` (kind, class of file, call, its number)"
)]
pub struct NotAFault(String);

impl FromStr for FaultKey {
    type Err = NotAFault;

    fn from_str(text: &str) -> Result<Self, NotAFault> {
        let parse = || {
            let mut words = text.split_whitespace();
            let kind = words.next()?;
            let class = words.next()?.to_owned();
            let operation = words.next()?;
            let nth = words.next()?.parse().ok()?;
            let kind = FaultKind::ALL.into_iter().find(|known| known.name() == kind)?;
            let operation = OperationKind::ALL.into_iter().find(|known| known.name() == operation)?;
            words.next().is_none().then_some(Self { kind, class, operation, nth })
        };
        parse().ok_or_else(|| NotAFault(text.to_owned()))
    }
}

/// A fault together with the number from which its particulars follow: which bit rots, how long a stall
/// takes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExactFault {
    /// Which fault.
    pub key: FaultKey,
    /// Decides the particulars.
    pub detail: u64,
}

/// A fault that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FiredFault {
    /// Which, in a form that a plan can list.
    pub fault: ExactFault,
    /// The number of the operation that met it.
    pub operation: u64,
    /// In which life of the disk.
    pub life: u64,
    /// The name of the file; empty for the directory.
    pub file: String,
    /// What exactly happened, for people.
    pub what: String,
}

impl fmt::Display for FiredFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {}", self.operation, self.fault.key)?;
        if self.what.is_empty() { Ok(()) } else { write!(f, ": {}", self.what) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_fault_parses_back() {
        for kind in FaultKind::ALL {
            let operation = OperationKind::ALL.into_iter().find(|op| kind.applies_to(*op));
            let operation = operation.expect("every fault can happen to something");
            let key = FaultKey { kind, class: "wal".into(), operation, nth: 7 };
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        assert!("bit-rot wal read".parse::<FaultKey>().is_err());
        assert!("bit-rot wal read 1 2".parse::<FaultKey>().is_err());
    }
}
