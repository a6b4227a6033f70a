//! The input that all checks of the witness share.

use stormproof_workloads::store::Isolation;

use super::commits::Commits;
use crate::expectations::Expectations;
use crate::view::View;

/// A history, what was promised, and the commits that took effect.
pub(super) struct Witness<'v, 'h> {
    pub(super) view: &'v View<'h>,
    pub(super) expectations: &'v Expectations,
    pub(super) commits: Commits,
}

impl Witness<'_, '_> {
    /// Returns what a transaction was promised.
    pub(super) fn isolation(&self, txn: u32) -> Isolation {
        self.view.txn(txn).isolation.min(self.expectations.isolation)
    }
}
