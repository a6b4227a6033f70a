//! Iterating over ranges: in the history, scans of what was iterated.

use super::Tx;
use crate::history::Op;
use crate::store::{Entry, Iterated, Pull, Range, Result};

impl Tx<'_> {
    /// Iterates over a range from both ends as asked, and drops the iterator: in the history, a scan of each
    /// end up to the last entry that it gave, or one of the whole range if there was no more.
    ///
    /// # Errors
    /// Here and below: what the store answered. Pass it on.
    pub fn iterate(&mut self, range: &Range, pulls: &[Pull]) -> Result<Iterated> {
        let answer = self.inner.iterate(range, pulls);
        let given = self.checked("iterate", answer)?;
        let scan = |limit, reverse, entries| Op::Scan { range: range.clone(), limit, reverse, entries };
        if given.finished {
            self.event(scan(None, false, given.clone().into_entries()));
            return Ok(given);
        }
        for (reverse, entries) in [(false, &given.front), (true, &given.back)] {
            if !entries.is_empty() {
                self.event(scan(Some(entries.len()), reverse, entries.clone()));
            }
        }
        Ok(given)
    }

    /// Reads a page: at most `size` entries after a key, or before it if `reverse`; from the end of the
    /// range without one.
    pub fn page(
        &mut self,
        range: &Range,
        cursor: Option<&[u8]>,
        size: usize,
        reverse: bool,
    ) -> Result<Vec<Entry>> {
        let answer = self.inner.page(range, cursor, size, reverse);
        self.record("page", answer, |entries| Op::Scan {
            range: range.from_cursor(cursor, reverse),
            limit: Some(size),
            reverse,
            entries: entries.clone(),
        })
    }

    /// Counts the keys of a range. No history holds a count: it is for steps that compare it with what they
    /// read.
    pub fn count(&mut self, range: &Range) -> Result<usize> {
        let answer = self.inner.count(range);
        self.checked("count", answer)
    }
}
