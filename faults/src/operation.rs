//! The calls of [`stormproof_env::Disk`] and [`stormproof_env::File`], numbered.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The calls of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationKind {
    /// `Disk::open` of a file that exists.
    Open,
    /// `Disk::open` of a new file.
    Create,
    /// `File::read_at`.
    Read,
    /// `File::write_at`.
    Write,
    /// `File::len`.
    Len,
    /// `File::set_len`.
    SetLen,
    /// `File::sync_data`.
    SyncData,
    /// `File::sync_all`.
    SyncAll,
    /// `Disk::rename`.
    Rename,
    /// `Disk::remove`.
    Remove,
    /// `Disk::list`.
    List,
    /// `Disk::sync_dir`.
    SyncDir,
    /// `Disk::lock`.
    Lock,
}

impl OperationKind {
    /// All kinds.
    pub const ALL: [Self; 13] = [
        Self::Open,
        Self::Create,
        Self::Read,
        Self::Write,
        Self::Len,
        Self::SetLen,
        Self::SyncData,
        Self::SyncAll,
        Self::Rename,
        Self::Remove,
        Self::List,
        Self::SyncDir,
        Self::Lock,
    ];

    /// Returns the name in messages and traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Create => "create",
            Self::Read => "read",
            Self::Write => "write",
            Self::Len => "len",
            Self::SetLen => "set-len",
            Self::SyncData => "sync-data",
            Self::SyncAll => "sync-all",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::List => "list",
            Self::SyncDir => "sync-dir",
            Self::Lock => "lock",
        }
    }

    /// Returns whether it can change what a power cut leaves.
    pub const fn changes(self) -> bool {
        !matches!(self, Self::Open | Self::Read | Self::Len | Self::List)
    }

    /// Returns whether it makes something durable.
    pub const fn is_sync(self) -> bool {
        matches!(self, Self::SyncData | Self::SyncAll | Self::SyncDir)
    }
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One call, before it takes effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Counts from 1, over all lives of the disk.
    pub number: u64,
    /// Which life of the disk it belongs to; counts from 1.
    pub life: u64,
    /// Which call.
    pub kind: OperationKind,
    /// Name of the file; for renames the old one, empty for calls about the directory itself.
    pub file: Arc<str>,
    /// New name, in renames.
    pub to: Option<Arc<str>>,
    /// Which class of file, see [`class_of`]; `"dir"` for calls about the directory itself.
    pub class: &'static str,
    /// How many operations of this kind there were on files of this class, this one included.
    pub nth: u64,
    /// First byte; the new length in `SetLen`.
    pub offset: u64,
    /// How many bytes.
    pub len: u64,
}

impl Operation {
    /// Returns a label for a scheduling point, like `disk.write wal`.
    pub fn label(&self) -> &'static str {
        label(self.kind, self.class)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {}", self.number, self.kind)?;
        if !self.file.is_empty() {
            write!(f, " {}", self.file)?;
        }
        if let Some(to) = &self.to {
            write!(f, " -> {to}")?;
        }
        match self.kind {
            OperationKind::Read | OperationKind::Write => {
                write!(f, " [{}..{}]", self.offset, self.offset + self.len)
            }
            OperationKind::SetLen => write!(f, " to {}", self.offset),
            _ => Ok(()),
        }
    }
}

/// Returns the class of a file by its name: what a fault plan names, as it stays the same from run to run
/// while names carry numbers.
///
/// A name that ends in `.tmp` is a `temporary`; else the letters that it starts with decide, if they are one
/// of `wal`, `checkpoint`, `manifest` or `lock`; everything else is `other`.
pub fn class_of(name: &str) -> &'static str {
    if name.ends_with(".tmp") {
        return "temporary";
    }
    let letters = name.trim_start_matches('.');
    let end = letters.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(letters.len());
    match letters[..end].to_ascii_lowercase().as_str() {
        "wal" | "log" | "segment" => "wal",
        "checkpoint" | "snapshot" => "checkpoint",
        "manifest" | "meta" | "identity" => "manifest",
        "lock" => "lock",
        _ => "other",
    }
}

/// A table of all labels: schedulers want `&'static str`, and strings leaked at run time would pile up.
macro_rules! labels {
    ($($kind:ident $name:literal),* $(,)?) => {
        fn label(kind: OperationKind, class: &'static str) -> &'static str {
            match kind {
                $(OperationKind::$kind => match class {
                    "wal" => concat!("disk.", $name, " wal"),
                    "checkpoint" => concat!("disk.", $name, " checkpoint"),
                    "manifest" => concat!("disk.", $name, " manifest"),
                    "temporary" => concat!("disk.", $name, " temporary"),
                    "lock" => concat!("disk.", $name, " lock"),
                    "dir" => concat!("disk.", $name),
                    _ => concat!("disk.", $name, " other"),
                },)*
            }
        }
    };
}

labels! {
    Open "open",
    Create "create",
    Read "read",
    Write "write",
    Len "len",
    SetLen "set-len",
    SyncData "sync-data",
    SyncAll "sync-all",
    Rename "rename",
    Remove "remove",
    List "list",
    SyncDir "sync-dir",
    Lock "lock",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_suffixes_do_not_change_the_class_of_a_file() {
        assert_eq!(class_of("wal-00000000000000000017.log"), "wal");
        assert_eq!(class_of("checkpoint-12"), "checkpoint");
        assert_eq!(class_of("checkpoint-12.tmp"), "temporary");
        assert_eq!(class_of("LOCK"), "lock");
        assert_eq!(class_of("walrus"), "other");
        assert_eq!(class_of(""), "other");
    }

    #[test]
    fn every_kind_is_labelled_with_its_own_name() {
        for kind in OperationKind::ALL {
            assert_eq!(label(kind, "wal"), format!("disk.{kind} wal"));
            assert_eq!(label(kind, "dir"), format!("disk.{kind}"));
        }
    }
}
