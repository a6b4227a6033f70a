//! The public functions of the engine that clients of simulations call, and how calls of them end.
//!
//! Job: the list, and what of it a campaign never met: a function that is never called may be wrong in any
//! way. Not its job: counting (`store::calls`). `tests/surface.rs` compares the list with the engine's
//! source.

use std::collections::BTreeMap;

use stormproof_workloads::act::Act;

use crate::store::calls::OK;

/// Functions that clients call, each with the outcomes, beside success, that a campaign must have met.
pub const FUNCTIONS: &[(&str, &[&str])] = &[
    ("Commit::wait_durable", &[]),
    ("Database::backup_to_disk", &[]),
    ("Database::begin_run_with", &["DiskFull", "Closed"]),
    ("Database::begin_transaction", &[]),
    ("Database::begin_transaction_with", &["Closed", "RunEnded", "RunNotFound"]),
    ("Database::checkpoint", &[]),
    ("Database::close", &[]),
    ("Database::collect", &[]),
    ("Database::delete", &[]),
    ("Database::durable_version", &[]),
    ("Database::end_run", &[]),
    ("Database::exists", &[]),
    ("Database::fetch_update", &[]),
    ("Database::flush", &[]),
    ("Database::forget_run", &[]),
    ("Database::get", &[]),
    ("Database::get_many", &[]),
    ("Database::get_or_insert_with", &[]),
    ("Database::get_with", &[]),
    ("Database::increment", &[]),
    ("Database::metrics", &[]),
    ("Database::prefix", &[]),
    ("Database::provenance", &[]),
    ("Database::put", &[]),
    ("Database::put_many", &[]),
    ("Database::put_with_ttl", &[]),
    ("Database::range", &[]),
    ("Database::read", &[]),
    ("Database::recovery_report", &[]),
    ("Database::run", &[]),
    ("Database::runs", &[]),
    ("Database::snapshot", &[]),
    ("Database::sweep_expired", &[]),
    ("Database::take", &[]),
    ("Database::transaction", &["Invalid"]),
    ("Database::transaction_with", &["MaxRetriesExceeded"]),
    ("Database::transaction_with_commit", &["MaxRetriesExceeded"]),
    ("Database::try_transaction", &["Invalid"]),
    ("Database::try_transaction_with_commit", &["MaxRetriesExceeded", "Timeout", "LimitExceeded"]),
    ("Database::update", &[]),
    ("Database::version", &[]),
    ("Database::wait_durable", &[]),
    ("Database::watch_with", &[]),
    ("EventLog::append", &[]),
    ("EventLog::is_empty", &[]),
    ("EventLog::last", &[]),
    ("EventLog::len", &[]),
    ("EventLog::read", &[]),
    ("EventLog::truncate_before", &[]),
    ("EventLog::verify", &[]),
    ("KvStore::delete", &[]),
    ("KvStore::get", &[]),
    ("KvStore::prefix", &[]),
    ("KvStore::put", &["ReadOnly"]),
    ("Range::after", &[]),
    ("Range::for_each_ref", &[]),
    ("Range::keys", &[]),
    ("Range::limit", &[]),
    ("Range::next_back_ref", &[]),
    ("Range::next_ref", &[]),
    ("Snapshot::exists", &[]),
    ("Snapshot::get", &[]),
    ("Snapshot::get_many", &[]),
    ("Snapshot::get_versioned", &[]),
    ("Snapshot::get_with", &[]),
    ("Snapshot::prefix", &[]),
    ("Snapshot::range", &[]),
    ("Snapshot::value", &[]),
    ("Snapshot::version", &[]),
    ("StateMachine::create", &["Conflict"]),
    ("StateMachine::state", &[]),
    ("StateMachine::state_versioned", &[]),
    ("StateMachine::transition", &["Invalid", "InvalidTransition"]),
    ("Ticket::is_durable", &[]),
    ("Ticket::wait", &[]),
    ("Ticket::wait_timeout", &[]),
    ("Transaction::abort", &[]),
    ("Transaction::cas", &["Conflict", "ReadOnly"]),
    (
        "Transaction::commit",
        &["Conflict", "RunEnded", "Timeout", "DiskFull", "Indeterminate", "Closed", "Poisoned"],
    ),
    ("Transaction::compare_and_set", &["Conflict"]),
    ("Transaction::delete", &["ReadOnly", "LimitExceeded"]),
    ("Transaction::delete_if", &["Conflict"]),
    ("Transaction::exists", &[]),
    ("Transaction::fetch_update", &[]),
    ("Transaction::get", &["Timeout"]),
    ("Transaction::get_many", &[]),
    ("Transaction::get_or_insert_with", &[]),
    ("Transaction::get_versioned", &["Timeout"]),
    ("Transaction::get_with", &[]),
    ("Transaction::increment", &["ReadOnly"]),
    ("Transaction::insert", &["Conflict"]),
    ("Transaction::prefix", &[]),
    ("Transaction::put", &["ReadOnly", "LimitExceeded", "Timeout"]),
    ("Transaction::put_many", &[]),
    ("Transaction::put_with_ttl", &[]),
    ("Transaction::range", &[]),
    ("Transaction::start_version", &[]),
    ("Transaction::take", &[]),
    ("Transaction::update", &[]),
    ("TransactionContext::append_len", &[]),
    ("TransactionContext::cas_set_len", &[]),
    ("TransactionContext::delete_set_len", &[]),
    ("TransactionContext::write_set_len", &[]),
    ("runtime::block_on", &[]),
];

/// Counts by two names.
type Nested = BTreeMap<String, BTreeMap<String, u64>>;

/// What of the list never came: functions, and outcomes of those that did.
pub fn never_called(calls: &Nested) -> Vec<String> {
    let mut never = Vec::new();
    for (function, outcomes) in FUNCTIONS {
        match calls.get(*function) {
            None => never.push((*function).to_owned()),
            Some(counts) => never.extend(
                [&OK]
                    .into_iter()
                    .chain(*outcomes)
                    .filter(|outcome| !counts.contains_key(**outcome))
                    .map(|outcome| format!("{function} with {outcome}")),
            ),
        }
    }
    never
}

/// How many pairs of acts on one key in one transaction came, and how many there are.
pub fn pairs(pairs: &Nested) -> (usize, usize) {
    (pairs.values().map(BTreeMap::len).sum(), Act::KINDS.len() * Act::KINDS.len())
}

/// The pairs of acts that never came.
pub fn never_paired(pairs: &Nested) -> Vec<String> {
    let all = Act::KINDS.iter().flat_map(|first| Act::KINDS.iter().map(move |second| (*first, *second)));
    let came = |(first, second): &(&str, &str)| pairs.get(*first).is_some_and(|of| of.contains_key(*second));
    all.filter(|pair| !came(pair)).map(|(first, second)| format!("{first}, {second}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(counts: &[(&str, &str)]) -> Nested {
        let mut nested = Nested::new();
        for (first, second) in counts {
            nested.entry((*first).to_owned()).or_default().insert((*second).to_owned(), 1);
        }
        nested
    }

    #[test]
    fn the_list_is_sorted_and_names_each_function_once() {
        assert!(FUNCTIONS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn what_never_came_is_named() {
        let never = never_called(&counted(&[("StateMachine::create", "ok"), ("EventLog::len", "Timeout")]));
        assert_eq!(never.len(), FUNCTIONS.len());
        assert!(never.contains(&"StateMachine::create with Conflict".to_owned()));
        assert!(never.contains(&"EventLog::len with ok".to_owned()));
        assert!(never.contains(&"Database::put".to_owned()));
    }

    #[test]
    fn pairs_are_counted_in_their_order() {
        let came = counted(&[("put", "get"), ("get", "get")]);
        assert_eq!(pairs(&came), (2, Act::KINDS.len().pow(2)));
        let never = never_paired(&came);
        assert!(never.contains(&"get, put".to_owned()) && !never.contains(&"put, get".to_owned()));
    }
}
