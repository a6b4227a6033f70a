//! What a task is about to do: the kind of an operation and the label of its object.
//!
//! Every scheduling point carries an [`Op`]. Its two halves are what makes traces readable ("lock
//! commit.queue") and stable: they change only when the code around them does.

use std::fmt;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use serde::{Deserialize, Serialize};

/// Kinds of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum OpKind {
    /// The task has not run yet.
    Start,
    /// The task has ended.
    End,
    /// Locking a mutex.
    Lock,
    /// Trying to lock a mutex.
    TryLock,
    /// After unlocking a mutex.
    Unlock,
    /// Locking for reading.
    Read,
    /// After unlocking what was locked for reading.
    Unread,
    /// Locking for writing.
    Write,
    /// After unlocking what was locked for writing.
    Unwrite,
    /// Waiting for a notification.
    Wait,
    /// Waking one waiter.
    NotifyOne,
    /// Waking all waiters.
    NotifyAll,
    /// Reading an atomic.
    Load,
    /// Writing an atomic.
    Store,
    /// Reading and writing an atomic in one step.
    Update,
    /// Starting a task.
    Spawn,
    /// Waiting for a task to end.
    Join,
    /// Asking whether a task has ended.
    IsFinished,
    /// Letting others run.
    Yield,
    /// Waiting for time to pass.
    Sleep,
    /// Asking for the time.
    Now,
    /// A window between two steps of a protocol.
    At,
    /// A step of the simulated world.
    Point,
}

impl OpKind {
    /// Returns the word that stands for it in labels.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::End => "end",
            Self::Lock => "lock",
            Self::TryLock => "try-lock",
            Self::Unlock => "unlock",
            Self::Read => "read",
            Self::Unread => "unread",
            Self::Write => "write",
            Self::Unwrite => "unwrite",
            Self::Wait => "wait",
            Self::NotifyOne => "notify-one",
            Self::NotifyAll => "notify-all",
            Self::Load => "load",
            Self::Store => "store",
            Self::Update => "update",
            Self::Spawn => "spawn",
            Self::Join => "join",
            Self::IsFinished => "is-finished",
            Self::Yield => "yield",
            Self::Sleep => "sleep",
            Self::Now => "now",
            Self::At => "at",
            Self::Point => "point",
        }
    }

    /// Returns whether two operations of these kinds on one object commute.
    pub const fn commutes_with(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Load | Self::IsFinished | Self::Join, Self::Load | Self::IsFinished | Self::Join)
                | (Self::Read | Self::Unread, Self::Read | Self::Unread)
        )
    }
}

/// An operation that a task is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    /// What.
    pub kind: OpKind,
    /// On what: the label with which the object was created, or that of the probe.
    pub label: &'static str,
    /// Tells objects of one label apart, for as long as they live; 0 if there is no object. Differs from run
    /// to run: compare it, never order by it.
    pub object: usize,
}

impl Op {
    pub(crate) const fn new(kind: OpKind, label: &'static str, object: usize) -> Self {
        Self { kind, label, object }
    }

    /// Returns whether this and `other` commute. Operations without an object commute with
    /// all others.
    pub const fn commutes_with(&self, other: &Self) -> bool {
        self.object == 0 || self.object != other.object || self.kind.commutes_with(other.kind)
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_op(f, self.kind, self.label)
    }
}

pub(crate) fn write_op(f: &mut impl fmt::Write, kind: OpKind, label: &str) -> fmt::Result {
    f.write_str(kind.verb())?;
    if label.is_empty() { Ok(()) } else { write!(f, " {label}") }
}

/// A number for (kind, label), dense and valid on one OS thread: never store it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpId(pub(crate) u16);

/// Name and stable hash of an [`OpId`].
#[derive(Clone, Debug)]
pub(crate) struct OpName {
    pub(crate) kind: OpKind,
    pub(crate) label: &'static str,
    /// The same in every process: made from the content.
    pub(crate) hash: u64,
}

/// Address and length of a label, and an operation on it.
type Address = (usize, usize, OpKind);

/// Numbers (kind, label) pairs as they first occur.
#[derive(Debug)]
pub(crate) struct OpTable {
    /// Those met last, by the low bits of their address: what nearly every point asks for.
    recent: Box<[(Address, OpId); RECENT]>,
    /// By address, which is fast; two addresses may hold the same label.
    by_address: HashMap<Address, OpId, FixedState>,
    by_content: HashMap<(&'static str, OpKind), OpId, FixedState>,
    names: Vec<OpName>,
    /// The names as they were when last asked for.
    shared: Arc<[OpName]>,
    /// Texts that were interned.
    texts: HashSet<&'static str, FixedState>,
}

/// Slots of [`OpTable::recent`]; a power of two, several times as many as an engine has operations.
const RECENT: usize = 512;

impl Default for OpTable {
    fn default() -> Self {
        // No label lies at address 0.
        let none = ((0, 0, OpKind::Start), OpId(0));
        Self {
            recent: Box::new([none; RECENT]),
            by_address: HashMap::default(),
            by_content: HashMap::default(),
            names: Vec::new(),
            shared: Arc::default(),
            texts: HashSet::default(),
        }
    }
}

impl OpTable {
    #[inline]
    pub(crate) fn id(&mut self, op: &Op) -> OpId {
        let address = (op.label.as_ptr() as usize, op.label.len(), op.kind);
        let slot = (address.0 ^ (op.kind as usize) << 4) % RECENT;
        let (known, id) = self.recent[slot];
        if known == address { id } else { self.look_up(address, slot, op) }
    }

    #[cold]
    fn look_up(&mut self, address: Address, slot: usize, op: &Op) -> OpId {
        let id = match self.by_address.get(&address) {
            Some(id) => *id,
            None => self.add(address, op),
        };
        self.recent[slot] = (address, id);
        id
    }

    pub(crate) fn name(&self, id: OpId) -> &OpName {
        &self.names[usize::from(id.0)]
    }

    /// Interns `text`, for ever: names of tasks, of which a program has few.
    pub(crate) fn intern(&mut self, text: &str) -> &'static str {
        if let Some(known) = self.texts.get(text) {
            return known;
        }
        let text: &'static str = Box::leak(text.into());
        self.texts.insert(text);
        text
    }

    /// Returns all names so far, by [`OpId`].
    pub(crate) fn shared(&mut self) -> Arc<[OpName]> {
        if self.shared.len() < self.names.len() {
            self.shared = self.names.as_slice().into();
        }
        Arc::clone(&self.shared)
    }

    #[cold]
    fn add(&mut self, address: (usize, usize, OpKind), op: &Op) -> OpId {
        let names = &mut self.names;
        let id = *self.by_content.entry((op.label, op.kind)).or_insert_with(|| {
            let id = OpId(u16::try_from(names.len()).expect("fewer than 65,536 labels"));
            names.push(OpName {
                kind: op.kind,
                label: op.label,
                hash: stable_op_hash(op.kind.verb(), op.label),
            });
            id
        });
        self.by_address.insert(address, id);
        id
    }
}

/// Returns a hash that is the same in every process and on every machine.
pub(crate) fn stable_op_hash(verb: &str, label: &str) -> u64 {
    stable_hash(stable_hash(FNV_START, verb.as_bytes()), label.as_bytes())
}

pub(crate) const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a with a final mix, since its high bits are weak on short inputs.
pub(crate) fn stable_hash(start: u64, bytes: &[u8]) -> u64 {
    let hash =
        bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    mix(hash, 0x9e37_79b9_7f4a_7c15)
}

/// Folds `value` into `hash`: a 128-bit product, folded (the core of wyhash and foldhash).
#[inline]
pub(crate) fn mix(hash: u64, value: u64) -> u64 {
    let product = u128::from(hash ^ 0x2d35_8dcc_aa6c_78a5) * u128::from(value ^ 0x8bb8_4b93_962e_acc9);
    (product as u64) ^ ((product >> 64) as u64)
}
