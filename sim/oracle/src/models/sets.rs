//! Sets: what was added is there.

use super::calls::{Call, Calls};
use super::{ModelReport, Problem};
use crate::formats::FormatError;
use crate::formats::edn::Edn;
use crate::view::Map;

/// Returns the elements of a read, as text.
fn elements(read: &Call) -> Result<Vec<String>, FormatError> {
    match &read.value {
        Edn::Sequence(items) | Edn::Set(items) => Ok(items.iter().map(Edn::canonical).collect()),
        Edn::Nil => Ok(Vec::new()),
        _ => Err(read.unexpected("a set of elements")),
    }
}

fn count(calls: &Calls, report: &mut ModelReport) {
    report.judged = (calls.of("add").count() + calls.ok("read").count()) as u64;
    report.left_out += calls.others(&["add", "read"]);
    if calls.ok("read").next().is_none() && report.judged > 0 {
        report.undecided = Some("no read ended well".to_owned());
    }
}

/// Compares the last read with what was added.
pub(super) fn check(calls: &Calls, report: &mut ModelReport) -> Result<(), FormatError> {
    count(calls, report);
    let Some(last) = calls.ok("read").max_by_key(|read| read.invoked) else { return Ok(()) };
    let mut seen: Map<String, u32> = Map::default();
    for element in elements(last)? {
        *seen.entry(element).or_default() += 1;
    }
    let mut added: Map<String, ()> = Map::default();
    for add in calls.of("add") {
        let element = add.value.canonical();
        let acked = add.returned.is_some_and(|returned| returned < last.invoked);
        if acked && !seen.contains_key(&element) {
            report.problem(|| {
                Problem::new(
                    "lost",
                    format!("{} was acknowledged, and {} does not have it", add.show(), last.place()),
                )
            });
        }
        added.insert(element, ());
    }
    let mut strange: Vec<_> =
        seen.into_iter().filter(|(element, times)| *times > 1 || !added.contains_key(element)).collect();
    strange.sort_unstable();
    for (element, times) in strange {
        report.problem(|| {
            let place = last.place();
            match times {
                1 => Problem::new("unexpected", format!("{element} was never added, and {place} has it")),
                times => Problem::new("duplicated", format!("{element} is {times} times in {place}")),
            }
        });
    }
    Ok(())
}

/// Compares every read with what was acknowledged or read before it began.
pub(super) fn check_full(calls: &Calls, report: &mut ModelReport) -> Result<(), FormatError> {
    count(calls, report);
    let mut reads: Vec<(&Call, Map<String, ()>)> = Vec::new();
    for read in calls.ok("read") {
        reads.push((read, elements(read)?.into_iter().map(|element| (element, ())).collect()));
    }
    let mut added: Map<String, ()> = Map::default();
    for add in calls.of("add") {
        let element = add.value.canonical();
        // It was there from the first moment at which a client knew of it: its ack, or the end of a read that
        // saw it.
        let seen = reads.iter().filter(|(_, elements)| elements.contains_key(&element));
        let known = seen.filter_map(|(read, _)| read.returned).chain(add.returned).min();
        let missing = reads.iter().find(|(read, elements)| {
            known.is_some_and(|known| known < read.invoked) && !elements.contains_key(&element)
        });
        if let Some((read, _)) = missing {
            let later = reads
                .iter()
                .any(|(other, elements)| other.invoked > read.invoked && elements.contains_key(&element));
            let kind = if later { "stale" } else { "lost" };
            report.problem(|| {
                Problem::new(kind, format!("{} was there, and {} does not have it", add.show(), read.place()))
            });
        }
        added.insert(element, ());
    }
    for (read, elements) in &reads {
        let mut strange: Vec<&String> =
            elements.keys().filter(|element| !added.contains_key(*element)).collect();
        strange.sort_unstable();
        for element in strange {
            report.problem(|| {
                Problem::new("unexpected", format!("{element} was never added, and {} has it", read.place()))
            });
        }
    }
    Ok(())
}
