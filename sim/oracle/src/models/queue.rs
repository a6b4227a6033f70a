//! Queues whose order does not matter: what was enqueued is dequeued, once.

use std::collections::BTreeMap;

use super::calls::{Call, Calls};
use super::{ModelReport, Problem};
use crate::formats::FormatError;
use crate::formats::edn::Edn;

#[derive(Default)]
struct Value<'c> {
    attempted: u32,
    acked: u32,
    dequeued: Vec<&'c Call>,
}

pub(super) fn check(calls: &Calls, report: &mut ModelReport) -> Result<(), FormatError> {
    let functions = ["enqueue", "dequeue", "drain"];
    report.judged = functions.iter().map(|function| calls.of(function).count() as u64).sum();
    report.left_out += calls.others(&functions);
    let mut values: BTreeMap<String, Value<'_>> = BTreeMap::new();
    for enqueue in calls.of("enqueue") {
        let value = values.entry(enqueue.value.canonical()).or_default();
        value.attempted += 1;
        value.acked += u32::from(enqueue.returned.is_some());
    }
    for dequeue in calls.ok("dequeue").filter(|call| call.value != Edn::Nil) {
        values.entry(dequeue.value.canonical()).or_default().dequeued.push(dequeue);
    }
    let mut drained = false;
    for drain in calls.ok("drain") {
        drained = true;
        let items = drain.value.items().ok_or_else(|| drain.unexpected("the elements that were left"))?;
        for item in items {
            values.entry(item.canonical()).or_default().dequeued.push(drain);
        }
    }
    // An unanswered dequeue may have taken anything.
    let mut uncertain = calls.of("dequeue").filter(|call| call.returned.is_none()).count();
    for (name, Value { attempted, acked, dequeued }) in &values {
        let count = u32::try_from(dequeued.len()).unwrap_or(u32::MAX);
        let last = dequeued.last().map_or(String::new(), |call| format!(", at last by {}", call.place()));
        if count > *attempted {
            let kind = if *attempted == 0 { "unexpected" } else { "duplicated" };
            report.problem(|| {
                Problem::new(
                    kind,
                    format!("{name} was enqueued {attempted} times and dequeued {count} times{last}"),
                )
            });
        }
        for _ in count..*acked {
            if uncertain > 0 {
                uncertain -= 1;
            } else if drained {
                report.problem(|| {
                    Problem::new(
                        "lost",
                        format!("{name} was enqueued, which was acknowledged, and never dequeued"),
                    )
                });
            } else {
                report.undecided = Some("the queue was not drained, so what is left is unknown".to_owned());
            }
        }
    }
    Ok(())
}
