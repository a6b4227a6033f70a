//! Effects without their causes: causal reverse, and subkeys that are read in reverse.

use super::calls::Calls;
use super::{ModelReport, Problem};
use crate::formats::FormatError;
use crate::formats::edn::Edn;
use crate::view::Map;

/// Checks that a read that sees a write also sees those that were acknowledged before it began.
pub(super) fn check(calls: &Calls, report: &mut ModelReport) -> Result<(), FormatError> {
    report.judged = (calls.of("write").count() + calls.ok("read").count()) as u64;
    report.left_out += calls.others(&["write", "read"]);
    let writes: Vec<_> = calls.of("write").map(|write| (write.value.canonical(), write)).collect();
    for read in calls.ok("read") {
        let (Edn::Sequence(items) | Edn::Set(items)) = &read.value else {
            return Err(read.unexpected("a set of values"));
        };
        let seen: Map<String, ()> = items.iter().map(|item| (item.canonical(), ())).collect();
        // The latest begin of what was seen, and what was acknowledged before that and is missed.
        let effect = writes
            .iter()
            .filter(|(value, _)| seen.contains_key(value))
            .max_by_key(|(_, write)| write.invoked);
        let Some((_, effect)) = effect else { continue };
        let acked = |returned: Option<usize>| returned.is_some_and(|returned| returned < effect.invoked);
        for (_, cause) in
            writes.iter().filter(|(value, write)| acked(write.returned) && !seen.contains_key(value))
        {
            report.problem(|| {
                Problem::new(
                    "causal reverse",
                    format!(
                        "{} sees {} and misses {}, which was acknowledged before",
                        read.place(),
                        effect.show(),
                        cause.show()
                    ),
                )
            });
        }
    }
    Ok(())
}

/// Checks subkeys that are written in order and read in reverse: once one was seen, all that are read after
/// it are there.
pub(super) fn check_sequential(calls: &Calls, report: &mut ModelReport) -> Result<(), FormatError> {
    report.judged = (calls.of("write").count() + calls.ok("read").count()) as u64;
    report.left_out += calls.others(&["write", "read"]);
    for read in calls.ok("read") {
        let values = read.value.items().and_then(|pair| pair.get(1)).and_then(Edn::items);
        let values = values.ok_or_else(|| read.unexpected("a key and the values of its subkeys"))?;
        let first = values.iter().position(|value| *value != Edn::Nil);
        let gap = first.and_then(|first| values[first..].iter().find(|value| **value == Edn::Nil));
        if gap.is_some() {
            report.problem(|| {
                Problem::new(
                    "trailing nil",
                    format!("{} sees a later write and misses an earlier one", read.show()),
                )
            });
        }
    }
    Ok(())
}
