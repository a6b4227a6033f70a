//! Deque: elements come and go at both ends of a range that is iterated lazily.

use std::collections::BTreeSet;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{clients, parameters_of, scan_prefix};
use crate::evidence::{Evidence, Fate};
use crate::history::Op;
use crate::plan::{Pages, Payload, Plan, Step, Transaction};
use crate::store::Pull;
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "deque";

const DEQUE: &str = "deque/";
const TAKEN: &str = "taken/deque/";
/// Between the two ends.
const MIDDLE: u32 = 5_000;

/// Clients push elements to both ends of one range of keys and take them from there, after a peek at either
/// end; some read it page by page.
///
/// Stresses: iterators that are dropped half-way, from either end and from both, in transactions that write
/// where others have looked, own writes among what is iterated. Invariant: an element that was pushed is
/// there, or was taken, and never both; pages hold what a scan finds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deque {
    /// Entries of a page, at most.
    pub page_max: u32,
    /// The most entries that a peek at one end asks for.
    pub look_max: u32,
}

impl Default for Deque {
    fn default() -> Self {
        Self { page_max: 4, look_max: 3 }
    }
}

impl Workload for Deque {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "lazy iterators from either end, dropped half-way; pages; own writes among them",
            invariant: "an element is there or was taken, and never both; pages hold what a scan finds",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        parameters_of(self)
    }

    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        clients(&mut plan, scale, rng, |client, number, rng| {
            let at_back = rng.random_bool(0.5);
            let place = if at_back { MIDDLE + number } else { MIDDLE - 1 - number };
            let push = || Step::Put {
                key: format!("{DEQUE}{place:04}-{client:02}"),
                value: Payload::Unique { len: 0 },
            };
            match rng.random_range(0..10) {
                0..=1 => Transaction::of([push()]).into(),
                2..=3 => Transaction::of([Step::Pop { prefix: DEQUE.into(), back: at_back }]).into(),
                // Two of these that read each other's end can't both come first: write skew.
                4..=5 => Transaction::of([self.look(!at_back, rng), push()]).into(),
                6 => Transaction::of([
                    push(),
                    self.look(at_back, rng),
                    Step::Pop { prefix: DEQUE.into(), back: !at_back },
                ])
                .into(),
                7 => Transaction::of([self.look_at_both(rng), push()]).into(),
                8 => Transaction::reading([self.pages(true, rng)]).into(),
                _ => Transaction::of([self.pages(false, rng), push()]).into(),
            }
        });
        let scans = [DEQUE, TAKEN].map(scan_prefix);
        plan.audit.actions.push(Transaction::reading(scans).into());
        plan
    }

    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding> {
        let keys = |prefix: &str, cut: usize| -> Option<BTreeSet<&[u8]>> {
            Some(evidence.final_entries(prefix)?.iter().map(|entry| &entry.key[cut..]).collect())
        };
        let (Some(waiting), Some(taken)) = (keys(DEQUE, 0), keys(TAKEN, TAKEN.len() - DEQUE.len())) else {
            return Vec::new();
        };
        let mut findings = Vec::new();
        for key in waiting.intersection(&taken) {
            let message = format!("{} waits and was taken", String::from_utf8_lossy(key));
            findings.push(Finding::violation("an element is in one place", message, []));
        }
        for txn in evidence.clients().filter(|txn| evidence.fate(txn) == Fate::Must) {
            for key in txn.ops.iter().filter_map(pushed) {
                if !waiting.contains(key) && !taken.contains(key) {
                    let message = format!("{} was pushed, and is nowhere", String::from_utf8_lossy(key));
                    findings.push(Finding::violation("no element is lost", message, [txn.index]));
                }
            }
        }
        findings
    }
}

fn pushed(op: &Op) -> Option<&[u8]> {
    match op {
        Op::Put { key, .. } => Some(key.as_slice()).filter(|key| key.starts_with(DEQUE.as_bytes())),
        _ => None,
    }
}

impl Deque {
    fn pull(&self, back: bool, rng: &mut ChaCha8Rng) -> Pull {
        Pull { back, count: rng.random_range(1..=self.look_max.max(1)) }
    }

    fn look(&self, back: bool, rng: &mut ChaCha8Rng) -> Step {
        Step::Iterate { prefix: DEQUE.into(), pulls: vec![self.pull(back, rng)] }
    }

    /// Iterates from both ends in turn, perhaps until they meet.
    fn look_at_both(&self, rng: &mut ChaCha8Rng) -> Step {
        let pulls = (0..rng.random_range(2..=6)).map(|number| self.pull(number % 2 == 1, rng)).collect();
        Step::Iterate { prefix: DEQUE.into(), pulls }
    }

    fn pages(&self, check: bool, rng: &mut ChaCha8Rng) -> Step {
        Step::ReadPages(Pages {
            prefix: DEQUE.into(),
            size: rng.random_range(1..=self.page_max.max(1)),
            pages_max: if check { 1_000 } else { rng.random_range(1..=3) },
            reverse: rng.random_bool(0.5),
            check,
        })
    }
}
