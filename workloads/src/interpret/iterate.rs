//! Steps that iterate over ranges.

use crate::plan::Pages;
use crate::store::{Entry, Iterated, Pull, Range, Result};
use crate::tx::Tx;

/// Moves the element at one end of a deque to those that were taken. Does nothing if it is empty.
pub(super) fn pop(txn: &mut Tx<'_>, prefix: &str, back: bool) -> Result<()> {
    let range = Range::prefix(prefix.as_bytes());
    let given: Iterated = txn.iterate(&range, &[Pull { back, count: 1 }])?;
    let Some(Entry { key, value, .. }) = given.into_entries().pop() else { return Ok(()) };
    txn.delete(&key)?;
    let mut taken = b"taken/".to_vec();
    taken.extend_from_slice(&key);
    txn.put(taken, value)
}

/// Reads a range page by page, and, if asked for, compares that with other ways to read it.
pub(super) fn pages(txn: &mut Tx<'_>, pages: &Pages) -> Result<()> {
    let range = Range::prefix(pages.prefix.as_bytes());
    let size = pages.size.max(1) as usize;
    let mut read: Vec<Entry> = Vec::new();
    let mut ended = false;
    for _ in 0..pages.pages_max {
        let cursor = read.last().map(|last| last.key.clone());
        let page = txn.page(&range, cursor.as_deref(), size, pages.reverse)?;
        ended = page.len() < size;
        read.extend(page);
        if ended {
            break;
        }
    }
    if pages.check && ended {
        let counted = txn.count(&range)?;
        txn.assert("pages hold what there is to count", counted == read.len(), || {
            format!("{counted} keys under {} are counted, and {} come in pages", pages.prefix, read.len())
        });
        let scanned = txn.scan(&range, None, pages.reverse)?;
        txn.assert("pages hold what a scan finds", scanned == read, || {
            format!(
                "a scan finds {} keys under {}, and {} come in pages",
                scanned.len(),
                pages.prefix,
                read.len()
            )
        });
    }
    Ok(())
}
