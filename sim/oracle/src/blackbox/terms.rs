//! The terms on which a history is judged.

use stormproof_workloads::history::TxnIndex;
use stormproof_workloads::store::Version;

use crate::view::Map;

/// The terms on which a history is judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    /// Maximum number of search steps.
    pub(crate) steps_max: u64,
    /// Transactions that asked for less than serializable may miss what came later.
    pub(crate) mixed: bool,
    /// Appends to one list do not conflict with each other.
    pub(crate) appends_commute: bool,
    /// Versions at which unanswered commits may have taken effect; they only guide guesses.
    pub(crate) hints: Map<TxnIndex, Version>,
}
