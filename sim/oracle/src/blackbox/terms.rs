//! The terms on which a history is judged, and the limits of a search.

use stormproof_workloads::history::TxnIndex;
use stormproof_workloads::store::Version;

use super::key_orders::VersionOrders;
use crate::view::Map;

/// The terms on which a history is judged.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// Maximum number of search steps.
    pub(crate) steps_max: u64,
    /// Maximum memory of the search, in bytes.
    pub(crate) memory_max: u64,
    /// Transactions that asked for less than serializable may miss what came later.
    pub(crate) mixed: bool,
    /// Appends to one list do not conflict with each other.
    pub(crate) appends_commute: bool,
    /// Orders of versions that may be assumed.
    pub(crate) orders: VersionOrders,
    /// Whether all anomalies are counted.
    pub(crate) census: bool,
    /// Versions at which unanswered commits may have taken effect; they only guide guesses.
    pub(crate) hints: Map<TxnIndex, Version>,
}

/// Default of the memory limit: 2 GiB.
pub(crate) const MEMORY_MAX: u64 = 2 << 30;

impl Terms {
    /// Returns the terms of a history by itself: no mix of levels, no conflicts waived.
    pub(crate) fn plain(steps_max: u64) -> Self {
        let (memory_max, hints) = (MEMORY_MAX, Map::default());
        let orders = VersionOrders::default();
        Self { steps_max, memory_max, mixed: false, appends_commute: false, orders, census: false, hints }
    }
}

/// What is left of the limits of a search.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) steps: u64,
    pub(super) steps_max: u64,
    pub(super) memory_max: u64,
}

impl Limits {
    pub(super) fn of(terms: &Terms) -> Self {
        Self { steps: terms.steps_max, steps_max: terms.steps_max, memory_max: terms.memory_max }
    }
}
