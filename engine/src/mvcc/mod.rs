//! The multi-version index: every key's versions, found by key and walked in key order.
//!
//! ```text
//! root ──► chunk ──► leaf:  page      newest version of each key, packed, in key order
//!                           journal   what came since, in commit order
//!                           history   older versions that snapshots still see
//! ```
//! A reader at snapshot `s` sees of each key the newest version at or below `s`; a tombstone or nothing
//! means that the key is absent. It finds the leaf, looks into the journal, then the page, and into the
//! history if it has met something newer than `s`. Nothing is locked, and nothing written that other
//! threads read (`rt::lockfree`).
//!
//! The writer fills journals in place. A full one is merged into a new page, which takes the leaf's place;
//! leaves that become too large are split, small ones merged. What no snapshot sees any more goes when its
//! leaf is packed.
//!
//! Not its job: deciding who may write what when (`commit`), and which versions are still needed (`store`).
//!
//! Invariants, beside those of the parts:
//! * INV-MVCC-1: versions of a key rise strictly; only the writer adds or removes any.
//! * INV-MVCC-2: every key has one leaf, the one that the directory names, at every moment.
//! * INV-MVCC-3: collection keeps, of every key, the newest version and all that a snapshot sees where any
//!   may be (`ActiveSnapshots`), so that none reads anything else than before. A tombstone that is all that
//!   is left goes too, in two steps (`repack`).

mod index;
mod read;
mod scan;
mod scanned;
mod collection;
mod cursor;
mod snapshot_pages;

mod directory;
mod node;
mod table;

mod leaf;
mod page;
mod page_builder;
mod stored_page;
mod journal;
mod history;
mod record;
mod entry;

mod writer;
mod active_snapshots;
mod retired;
mod repack;
mod packing;
mod bulk_load;

#[cfg(test)]
mod tests;

pub(crate) use active_snapshots::ActiveSnapshots;
pub(crate) use collection::Pass;
pub(crate) use cursor::Cursor;
pub(crate) use entry::VersionEntry;
pub(crate) use index::{Hint, Index, Sizes};
pub(crate) use journal::JOURNAL_MAX;
pub(crate) use leaf::Leaf;
pub(crate) use packing::{PackedBeside, Turn};
pub(crate) use page::{ENTRIES_MAX, EntryRef, Page, PageEntry};
pub(crate) use record::{KEY_BYTES_MAX, Record, fingerprint};
pub(crate) use stored_page::{Bounds, StoredPage};
pub(crate) use writer::Writer;
