//! Which part of a range a transaction has walked, for validation.

use crate::commit::ReadSet;
use crate::key::Key;
use crate::range::KeyRange;

/// The read set of a transaction that walks a range. The range is in it whole from the beginning, and cut to
/// what was walked in the end: a transaction that leaks the iterator conflicts with more, never with less.
#[derive(Debug)]
pub(super) struct Tracking<'a> {
    reads: &'a mut ReadSet,
    range: KeyRange,
}

/// How far a walk has come.
#[derive(Debug)]
pub(super) enum Walked {
    /// Nothing is left.
    All,
    /// Up to these keys, which were given: the last from the front, the last from the back.
    Ends(Option<Key>, Option<Key>),
}

impl<'a> Tracking<'a> {
    pub(super) fn new(reads: &'a mut ReadSet, range: &KeyRange) -> Self {
        reads.open_range(range.clone());
        Self { reads, range: range.clone() }
    }

    /// Tracks what was walked; from now on, `left` is what may be walked.
    pub(super) fn advance(&mut self, walked: &Walked, left: KeyRange) {
        self.reads.close_range();
        self.add(walked);
        self.reads.open_range(left.clone());
        self.range = left;
    }

    /// Tracks what was walked, and no more.
    pub(super) fn close(&mut self, walked: &Walked) {
        self.reads.close_range();
        self.add(walked);
    }

    fn add(&mut self, walked: &Walked) {
        if rt::mutant!(ScanNotTracked) {
            return;
        }
        match walked {
            Walked::All => self.reads.add_range(self.range.clone()),
            Walked::Ends(..) if rt::mutant!(UnfinishedIterationNotTracked) => {}
            Walked::Ends(front, back) => {
                if let Some(last) = front {
                    self.reads.add_range(self.range.cut_after(last, false));
                }
                if let Some(last) = back
                    && !rt::mutant!(IterationFromBackNotTracked)
                {
                    self.reads.add_range(self.range.cut_after(last, true));
                }
            }
        }
    }
}
