//! Whether limits held: each exactly, neither sooner nor later than it says.

use std::time::Duration;

use super::micros;
use crate::manner::Manner;
use crate::store::StoreError;
use crate::tx::Summary;

/// The rule that is broken otherwise.
pub(super) const RULE: &str = "limits hold exactly";

/// Why a transaction should not have been told that it passed a limit; `None` if it did. `elapsed` is the
/// time since its begin was called; not known where the store's own loop may end it before a pause.
pub(super) fn unfounded(manner: &Manner, error: &StoreError, elapsed: Option<Duration>) -> Option<String> {
    let told = format!("it was told: {error}");
    if manner.view.is_some() {
        return Some(format!("a view has no limits, and {told}"));
    }
    match error {
        StoreError::Limit { what, limit, actual } => {
            // Keys come one at a time, bytes do not.
            let (asked, exactly) = match what.as_str() {
                "writes" => (manner.writes_max, true),
                "bytes" => (manner.bytes_max, false),
                _ => return None,
            };
            match asked.map(|asked| asked as u64) {
                None => Some(format!("no limit was asked for, and {told}")),
                Some(asked) if asked != *limit => Some(format!("the limit was {asked}, and {told}")),
                Some(asked) if *actual <= asked || exactly && *actual != asked + 1 => {
                    Some(format!("that is not the first too many, and {told}"))
                }
                Some(_) => None,
            }
        }
        StoreError::TimedOut { micros: limit } => match manner.timeout_micros {
            Some(asked) if asked == *limit => {
                let passed = micros(elapsed?);
                (passed < asked).then(|| format!("only {passed} µs had passed, and {told}"))
            }
            _ => Some(format!("that was not asked for, and {told}")),
        },
        _ => None,
    }
}

/// Why a transaction should not have committed; `None` if it could.
pub(super) fn passed(manner: &Manner, summary: Summary) -> Option<String> {
    // A view is no transaction, and has no limits.
    if manner.view.is_some() {
        return None;
    }
    if let Some(limit) = manner.writes_max.filter(|limit| summary.keys_written > *limit) {
        return Some(format!("{} writes were committed, more than {limit}", summary.keys_written));
    }
    let took = micros(summary.took);
    let limit = manner.timeout_micros.filter(|limit| took >= *limit)?;
    Some(format!("its commit was called {took} µs after it had begun, and its timeout was {limit} µs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited() -> Manner {
        Manner { timeout_micros: Some(100), writes_max: Some(2), ..Manner::default() }
    }

    #[test]
    fn a_transaction_that_wrote_more_or_later_than_it_may_is_told_of() {
        let did = |keys_written, took| Summary {
            keys_written,
            took: Duration::from_micros(took),
            ..Summary::default()
        };
        assert_eq!(passed(&limited(), did(2, 99)), None);
        assert!(passed(&limited(), did(3, 0)).is_some());
        assert!(passed(&limited(), did(0, 100)).is_some());
    }

    #[test]
    fn a_limit_that_was_not_passed_is_no_reason() {
        let writes = |limit, actual| StoreError::Limit { what: "writes".into(), limit, actual };
        let told = |error: &StoreError, elapsed| {
            unfounded(&limited(), error, Some(Duration::from_micros(elapsed))).is_some()
        };
        assert!(!told(&writes(2, 3), 0));
        assert!(told(&writes(2, 2), 0) && told(&writes(2, 4), 0) && told(&writes(1, 2), 0));
        let late = StoreError::TimedOut { micros: 100 };
        assert!(!told(&late, 100) && told(&late, 99));
    }
}
