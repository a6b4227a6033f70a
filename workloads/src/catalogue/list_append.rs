//! List append: every transaction appends to lists and reads lists.
//!
//! The richest history there is: a list shows the order of all that was ever appended to it (Kingsbury and
//! Alvaro, Elle, VLDB 2020), so the black-box checker reads the whole version order from it.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{clients, parameters_of};
use crate::evidence::{Evidence, Fate};
use crate::generate::Zipf;
use crate::history::{Op, Txn};
use crate::plan::{Action, End, Plan, Step, Transaction};
use crate::store::Bytes;
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "list-append";

/// Clients append elements that no other client appends, and read whole lists, a few of each in one
/// transaction.
///
/// Stresses: everything that isolation promises, in the form that black-box checkers see best. Invariant: the
/// final list holds each element that must survive exactly once, and none of an abort; whatever a surviving
/// transaction read is a prefix of it, and its own appends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListAppend {
    /// How many lists.
    pub lists: u32,
    /// Operations of a transaction, at most.
    pub steps_max: u32,
    /// Skew of the lists, in quarters (see [`Zipf`]).
    pub skew_quarters: u32,
    /// One transaction in this many is aborted on purpose; 0 for none.
    pub abort_every: u32,
    /// One action in this many is a flush, after which nothing that was acked may be lost; 0 for none.
    pub flush_every: u32,
}

impl Default for ListAppend {
    fn default() -> Self {
        Self { lists: 4, steps_max: 4, skew_quarters: 2, abort_every: 10, flush_every: 12 }
    }
}

impl Workload for ListAppend {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "everything that isolation promises, as black-box checkers see it best",
            invariant: "a list holds each append once, and reads are its prefixes",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        parameters_of(self)
    }

    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        let zipf = Zipf::new(self.lists, self.skew_quarters);
        clients(&mut plan, scale, rng, |_, _, rng| {
            if self.flush_every > 0 && rng.random_ratio(1, self.flush_every) {
                return Action::Flush;
            }
            let steps = rng.random_range(1..=self.steps_max.max(1));
            let step = |_| {
                let list = key(zipf.draw(rng));
                if rng.random_bool(0.5) { Step::Append { list } } else { Step::ReadList { list } }
            };
            let steps: Vec<_> = (0..steps).map(step).collect();
            let abort = self.abort_every > 0 && rng.random_ratio(1, self.abort_every);
            let end = if abort { End::Abort } else { End::Commit };
            Transaction { end, ..Transaction::of(steps) }.into()
        });
        let reads = (0..self.lists.max(1)).map(|list| Step::ReadList { list: key(list) });
        plan.audit.actions.push(Transaction::reading(reads).into());
        plan
    }

    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding> {
        (0..self.lists.max(1)).flat_map(|list| check_list(evidence, key(list).as_bytes())).collect()
    }
}

fn key(list: u32) -> String {
    format!("list/{list}")
}

/// Judges a list (or an event stream, which is one).
pub(super) fn check_list(evidence: &Evidence<'_>, list: &[u8]) -> Vec<Finding> {
    let Some(last) = evidence.final_list(list) else { return Vec::new() };
    let mut findings = Vec::new();
    for txn in evidence.clients() {
        let fate = evidence.fate(txn);
        for element in appends(txn, list) {
            let times = last.iter().filter(|other| *other == element).count();
            let (list, element) = (text(list), text(element));
            let (rule, message) = match (fate, times) {
                (Fate::Must, 0) => {
                    ("no append is lost", format!("{element} was acked, and is not in {list}"))
                }
                (Fate::Never, 1..) => {
                    ("no append of an abort", format!("{element} is in {list}, of an abort"))
                }
                (_, 2..) => ("no append counts twice", format!("{element} is in {list} {times} times")),
                _ => continue,
            };
            findings.push(Finding::violation(rule, message, [txn.index]));
        }
        if fate == Fate::Must {
            findings.extend(strange_read(txn, list, last));
        }
    }
    findings
}

/// Finds a surviving transaction that read anything but a prefix of the final list, followed by its own
/// appends.
fn strange_read(txn: &Txn, list: &[u8], last: &[Bytes]) -> Option<Finding> {
    let mut own: Vec<&Bytes> = Vec::new();
    for op in &txn.ops {
        match op {
            Op::Append { key, element } if key == list => own.push(element),
            Op::List { key, elements, .. } if key == list => {
                let others = elements.len().checked_sub(own.len());
                let fits = others.is_some_and(|others| {
                    last.starts_with(&elements[..others]) && elements[others..].iter().eq(own.iter().copied())
                });
                if !fits {
                    let read: Vec<_> = elements.iter().map(|element| text(element)).collect();
                    let message =
                        format!("{} was read as {read:?}, which is no prefix of what it became", text(list));
                    return Some(Finding::violation("reads of a list are prefixes", message, [txn.index]));
                }
            }
            _ => {}
        }
    }
    None
}

pub(super) fn appends<'a>(txn: &'a Txn, list: &[u8]) -> impl Iterator<Item = &'a Bytes> {
    txn.ops.iter().filter_map(move |op| match op {
        Op::Append { key, element } if key == list => Some(element),
        _ => None,
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
