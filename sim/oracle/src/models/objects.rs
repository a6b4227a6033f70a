//! Objects that must be linearizable: registers, locks, queues.

use std::collections::BTreeMap;

use super::calls::{Call, Calls};
use super::linear::{Interval, Linear, Object, check};
use super::{ModelReport, Problem};
use crate::formats::FormatError;
use crate::formats::edn::Edn;

/// A register.
struct Register;

/// What a call did to a register.
enum Access {
    Read(String),
    Write(String),
    Cas(String, String),
    /// A read without an answer.
    Nothing,
}

impl Object for Register {
    type State = String;
    type Operation = Access;

    fn initial(&self) -> String {
        "nil".to_owned()
    }

    fn step(&self, state: &String, access: &Access) -> Option<String> {
        match access {
            Access::Read(value) => (state == value).then(|| value.clone()),
            Access::Write(value) => Some(value.clone()),
            Access::Cas(expected, value) => (state == expected).then(|| value.clone()),
            Access::Nothing => Some(state.clone()),
        }
    }
}

/// Checks registers, each on its own: with `jepsen.independent` every value is a pair of key and value.
pub(super) fn registers(calls: &Calls, steps_max: u64, report: &mut ModelReport) -> Result<(), FormatError> {
    let functions = ["read", "write", "cas"];
    report.left_out += calls.others(&functions);
    let relevant =
        || calls.list.iter().filter(|call| functions.contains(&call.function.as_str()) && !call.failed);
    let pair = |value: &Edn<'_>| value.items().is_some_and(|items| items.len() == 2);
    // A plain cas is a pair too, so values have keys only if reads and writes are pairs, or a cas has a pair
    // in its pair.
    let mut plain = relevant().filter(|call| call.function != "cas" && !pair(&call.value));
    let nested = |call: &&Call| call.value.items().is_some_and(|items| items.len() == 2 && pair(&items[1]));
    let independent = plain.next().is_none()
        && (relevant().any(|call| call.function != "cas") || relevant().all(|call| nested(&call)));
    let mut objects: BTreeMap<String, Vec<(&Call, Access)>> = BTreeMap::new();
    for call in relevant() {
        report.judged += 1;
        let (key, value) = match call.value.items() {
            Some([key, value]) if independent => (key.canonical(), value),
            _ if independent => return Err(call.unexpected("a key and a value")),
            _ => (String::new(), &call.value),
        };
        objects.entry(key).or_default().push((call, access(call, value)?));
    }
    for (key, mut accesses) in objects {
        // A read without an answer says nothing, and would only be one more call to place.
        accesses.retain(|(_, access)| !matches!(access, Access::Nothing));
        let name = if key.is_empty() { "the register".to_owned() } else { format!("register {key}") };
        judge(&Register, &name, accesses, steps_max, report);
    }
    Ok(())
}

fn access(call: &Call, value: &Edn<'_>) -> Result<Access, FormatError> {
    Ok(match call.function.as_str() {
        "read" if call.returned.is_none() => Access::Nothing,
        "read" => Access::Read(value.canonical()),
        "write" => Access::Write(value.canonical()),
        _ => match value.items() {
            Some([expected, value]) => Access::Cas(expected.canonical(), value.canonical()),
            _ => return Err(call.unexpected("a cas of two values")),
        },
    })
}

/// A lock: whether it is held.
struct Lock;

impl Object for Lock {
    type State = bool;
    /// Whether it is an acquisition.
    type Operation = bool;

    fn initial(&self) -> bool {
        false
    }

    fn step(&self, held: &bool, acquires: &bool) -> Option<bool> {
        (held != acquires).then_some(*acquires)
    }
}

pub(super) fn mutex(calls: &Calls, steps_max: u64, report: &mut ModelReport) -> Result<(), FormatError> {
    report.left_out += calls.others(&["acquire", "release"]);
    let relevant = calls.list.iter().filter(|call| !call.failed);
    let relevant = relevant.filter(|call| matches!(call.function.as_str(), "acquire" | "release"));
    let accesses: Vec<_> = relevant.map(|call| (call, call.function == "acquire")).collect();
    report.judged = accesses.len() as u64;
    judge(&Lock, "the lock", accesses, steps_max, report);
    Ok(())
}

/// A queue, first in, first out.
struct Fifo;

enum Queued {
    Enqueue(String),
    /// What was taken; none if the queue was empty.
    Dequeue(Option<String>),
    /// A dequeue without an answer: it may have taken the first item.
    Uncertain,
}

impl Object for Fifo {
    type State = Vec<String>;
    type Operation = Queued;

    fn initial(&self) -> Vec<String> {
        Vec::new()
    }

    fn step(&self, state: &Vec<String>, operation: &Queued) -> Option<Vec<String>> {
        match operation {
            Queued::Enqueue(value) => Some(state.iter().chain([value]).cloned().collect()),
            Queued::Dequeue(None) => state.is_empty().then(Vec::new),
            Queued::Dequeue(Some(value)) => (state.first() == Some(value)).then(|| state[1..].to_vec()),
            Queued::Uncertain => Some(state.get(1..).unwrap_or_default().to_vec()),
        }
    }
}

pub(super) fn fifo(calls: &Calls, steps_max: u64, report: &mut ModelReport) -> Result<(), FormatError> {
    report.left_out += calls.others(&["enqueue", "dequeue"]);
    let mut accesses = Vec::new();
    for call in calls.list.iter().filter(|call| !call.failed) {
        let operation = match (call.function.as_str(), call.returned, &call.value) {
            ("enqueue", _, value) => Queued::Enqueue(value.canonical()),
            ("dequeue", None, _) => Queued::Uncertain,
            ("dequeue", Some(_), Edn::Nil) => Queued::Dequeue(None),
            ("dequeue", Some(_), value) => Queued::Dequeue(Some(value.canonical())),
            _ => continue,
        };
        accesses.push((call, operation));
    }
    report.judged = accesses.len() as u64;
    judge(&Fifo, "the queue", accesses, steps_max, report);
    Ok(())
}

fn judge<B: Object>(
    object: &B,
    name: &str,
    accesses: Vec<(&Call, B::Operation)>,
    steps_max: u64,
    report: &mut ModelReport,
) {
    let (calls, operations): (Vec<&Call>, Vec<B::Operation>) = accesses.into_iter().unzip();
    let intervals: Vec<Interval<B::Operation>> = calls
        .iter()
        .zip(operations)
        .map(|(call, operation)| Interval { operation, invoked: call.invoked, returned: call.returned })
        .collect();
    match check(object, &intervals, steps_max) {
        Linear::Yes => {}
        Linear::No(stuck) => report.problem(|| {
            let call = calls[stuck].show();
            Problem::new("not linearizable", format!("{name}: no order of the calls explains {call}"))
        }),
        Linear::OutOfSteps => {
            report.undecided =
                Some(format!("{steps_max} steps of search (--steps) did not linearize {name}"));
        }
    }
}
