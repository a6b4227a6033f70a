//! Long forks: two readers that see two writes in opposite orders.

use super::calls::{Call, Calls};
use super::{ModelReport, Problem};
use crate::formats::FormatError;
use crate::formats::edn::Edn;
use crate::view::Map;

/// What one read saw: by key, whether it was written.
struct Reader<'c> {
    call: &'c Call,
    keys: Map<String, bool>,
}

pub(super) fn check(calls: &Calls, report: &mut ModelReport) -> Result<(), FormatError> {
    let mut readers: Vec<Reader<'_>> = Vec::new();
    let mut by_key: std::collections::BTreeMap<String, Vec<usize>> = std::collections::BTreeMap::new();
    for call in calls.list.iter().filter(|call| !call.failed) {
        let Some(ops) = call.value.items() else {
            report.left_out += 1;
            continue;
        };
        report.judged += 1;
        let mut keys = Map::default();
        for op in ops {
            let Some([function, key, value]) = op.items() else {
                return Err(call.unexpected("operations like [:r key value]"));
            };
            if function.name() == Some("r") && call.returned.is_some() {
                keys.insert(key.canonical(), *value != Edn::Nil);
            }
        }
        if keys.len() > 1 {
            for key in keys.keys() {
                by_key.entry(key.clone()).or_default().push(readers.len());
            }
            readers.push(Reader { call, keys });
        }
    }
    let mut told: Map<(usize, usize), ()> = Map::default();
    for group in by_key.values() {
        for (at, &first) in group.iter().enumerate() {
            for &second in &group[at + 1..] {
                if told.contains_key(&(first, second)) {
                    continue;
                }
                if let Some((seen, missed)) = forked(&readers[first], &readers[second]) {
                    told.insert((first, second), ());
                    let (first, second) = (readers[first].call.show(), readers[second].call.show());
                    report.problem(|| {
                        Problem::new("long fork", format!("{first} sees {seen} and not {missed}, and {second} sees {missed} and not {seen}"))
                    });
                }
            }
        }
    }
    Ok(())
}

fn forked<'r>(first: &'r Reader<'_>, second: &'r Reader<'_>) -> Option<(&'r str, &'r str)> {
    let only = |one: &'r Reader<'_>, other: &'r Reader<'_>| {
        let seen = one.keys.iter().filter(|(_, seen)| **seen);
        seen.map(|(key, _)| key.as_str()).filter(|key| other.keys.get(*key) == Some(&false)).min()
    };
    only(first, second).zip(only(second, first))
}
