//! A history in the form that both checkers read: keys as numbers, scans as reads of every key that they
//! cover, and for each transaction its external reads and final writes.
//!
//! Job: the one place that turns operations into external reads and final writes, and that checks what needs
//! no other transaction: read-your-writes, repeatable reads, the shape of scans.
//!
//! Invariants: INV-VIEW-1: key numbers rise in key order, so a key range is a range of numbers. INV-VIEW-2: a
//! scan stands for one read of each key in the range it covered (up to its last entry if its limit cut it
//! off), of those that occur anywhere in the history; an absent key is a read of its absence.

mod build;

use std::ops::Range as Span;

use stormproof_workloads::History;
use stormproof_workloads::history::{Outcome, Txn, TxnIndex};
use stormproof_workloads::store::{Bytes, Expected, Isolation, Version};

use crate::formats::Notation;
use crate::verdict::{Findings, Invariant, Violation};

/// A hash map whose order of iteration never matters, with a fixed seed.
pub(crate) type Map<K, V> = hashbrown::HashMap<K, V, foldhash::fast::FixedState>;

/// A key as a number.
pub(crate) type KeyId = u32;

/// What a read saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen<'h> {
    Absent,
    Value(&'h [u8]),
    /// The elements, without those that the reader appended itself.
    List(&'h [Bytes]),
}

/// An external read: of a write of another transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed<'h> {
    pub(crate) key: KeyId,
    pub(crate) seen: Seen<'h>,
    pub(crate) version: Option<Version>,
    pub(crate) how: How,
}

/// The kind of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Get,
    Scan,
    /// The condition of a committed conditional write, which held at the commit.
    Condition,
}

/// The final state that a transaction left in a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content<'h> {
    Absent,
    Value(&'h [u8]),
    Expiring(&'h [u8]),
    /// Elements `first..first + count` of [`View::elements`], appended to the list.
    Appended {
        first: u32,
        count: u32,
    },
}

/// A final write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written<'h> {
    pub(crate) key: KeyId,
    pub(crate) content: Content<'h>,
}

/// A condition of a conditional write, on a key that its transaction had not written before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Condition<'h> {
    pub(crate) txn: TxnIndex,
    pub(crate) key: KeyId,
    pub(crate) expected: &'h Expected,
}

/// A value that its own writer overwrote or appended to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Intermediate<'h> {
    pub(crate) txn: TxnIndex,
    pub(crate) key: KeyId,
    pub(crate) value: &'h [u8],
}

/// A history with numbered keys, external reads and final writes.
#[derive(Debug)]
pub(crate) struct View<'h> {
    pub(crate) history: &'h History,
    /// The notation of keys and values, to show them as they are written.
    notation: Notation,
    pub(crate) keys: Vec<&'h [u8]>,
    pub(crate) elements: Vec<&'h [u8]>,
    pub(crate) conditions: Vec<Condition<'h>>,
    pub(crate) intermediate: Vec<Intermediate<'h>>,
    reads: Vec<Observed<'h>>,
    writes: Vec<Written<'h>>,
    /// By transaction: where its reads and its writes begin; and the ends of all.
    begins: Vec<(u32, u32)>,
    internal: Vec<Violation>,
}

impl<'h> View<'h> {
    pub(crate) fn new(history: &'h History) -> Self {
        Self::of(history, Notation::Bytes)
    }

    pub(crate) fn of(history: &'h History, notation: Notation) -> Self {
        build::build(history, notation)
    }

    pub(crate) fn txn(&self, index: TxnIndex) -> &'h Txn {
        &self.history.txns[index as usize]
    }

    /// Returns the external reads of a transaction, in order.
    pub(crate) fn reads(&self, txn: TxnIndex) -> &[Observed<'h>] {
        &self.reads[self.read_places(txn)]
    }

    /// Returns the places of those reads among all reads.
    pub(crate) fn read_places(&self, txn: TxnIndex) -> Span<usize> {
        self.begins[txn as usize].0 as usize..self.begins[txn as usize + 1].0 as usize
    }

    /// Returns the total number of external reads.
    pub(crate) fn read_count(&self) -> usize {
        self.reads.len()
    }

    /// Returns the total number of final writes.
    pub(crate) fn write_count(&self) -> usize {
        self.writes.len()
    }

    pub(crate) fn read_at(&self, place: usize) -> &Observed<'h> {
        &self.reads[place]
    }

    pub(crate) fn internal(&self) -> &[Violation] {
        &self.internal
    }

    /// Returns the final write to each key that the transaction wrote.
    pub(crate) fn writes(&self, txn: TxnIndex) -> &[Written<'h>] {
        &self.writes[self.begins[txn as usize].1 as usize..self.begins[txn as usize + 1].1 as usize]
    }

    /// Returns the elements of an append.
    pub(crate) fn appended(&self, content: Content<'h>) -> &[&'h [u8]] {
        match content {
            Content::Appended { first, count } => &self.elements[first as usize..(first + count) as usize],
            _ => &[],
        }
    }

    pub(crate) fn key_name(&self, key: KeyId) -> String {
        self.show(self.keys[key as usize])
    }

    /// Returns a key or an element as text, as its file writes it.
    pub(crate) fn show(&self, bytes: &[u8]) -> String {
        show_in(self.notation, bytes)
    }

    /// Returns a value as text: quoted, unless its file writes it in a notation of its own.
    pub(crate) fn show_value(&self, bytes: &[u8]) -> String {
        match self.notation {
            Notation::Edn => self.show(bytes),
            Notation::Bytes | Notation::Text => format!("\"{}\"", self.show(bytes)),
        }
    }

    /// Returns what was seen, as text.
    pub(crate) fn show_seen(&self, seen: Seen<'_>) -> String {
        match seen {
            Seen::Absent => "nothing".to_owned(),
            Seen::Value(value) => self.show_value(value),
            Seen::List(elements) => {
                const SHOWN: usize = 12;
                let skipped = elements.len().saturating_sub(SHOWN);
                let mut texts: Vec<_> =
                    elements[skipped..].iter().map(|element| self.show(element)).collect();
                if skipped > 0 {
                    texts.insert(0, format!("… {skipped} more"));
                }
                format!("[{}]", texts.join(" "))
            }
        }
    }

    /// Reports transactions that miss their own writes, and reads that did not repeat where a snapshot was
    /// promised.
    pub(crate) fn report_internal(&self, promised: Isolation, findings: &mut Findings) {
        let snapshot = |txn: &TxnIndex| self.txn(*txn).isolation.min(promised) >= Isolation::Snapshot;
        for violation in &self.internal {
            if violation.invariant != Invariant::Repeatable || violation.txns.iter().all(snapshot) {
                findings.add(|| violation.clone());
            }
        }
        findings.reads = self.reads.len() as u64;
    }
}

/// Returns bytes as text, shortened.
pub(crate) fn show(bytes: &[u8]) -> String {
    show_in(Notation::Bytes, bytes)
}

/// Bits of a version below its epoch: a store that is opened again begins the next epoch, so that no version
/// is assigned twice.
const EPOCH_BITS: u32 = 40;

/// Returns a version as people can read it: `7`, and from the second epoch on `e2.7`, the seventh of the
/// epoch.
pub(crate) fn show_version(version: Version) -> String {
    match version >> EPOCH_BITS {
        0 => version.to_string(),
        epoch => format!("e{}.{}", epoch + 1, version & ((1 << EPOCH_BITS) - 1)),
    }
}

pub(crate) fn show_in(notation: Notation, bytes: &[u8]) -> String {
    const LENGTH_MAX: usize = 48;
    let shown = &bytes[..bytes.len().min(LENGTH_MAX)];
    let text = match notation {
        Notation::Edn => String::from_utf8_lossy(shown).replace(char::is_control, " "),
        Notation::Bytes | Notation::Text => shown.escape_ascii().to_string(),
    };
    if bytes.len() > LENGTH_MAX { format!("{text}… ({} bytes)", bytes.len()) } else { text }
}

/// Returns whether a transaction is known to be committed.
pub(crate) fn is_committed(txn: &Txn) -> bool {
    matches!(txn.outcome, Outcome::Committed { .. })
}
