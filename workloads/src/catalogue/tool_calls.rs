//! Tool-call sequence: an agent's step moves its state machine, appends an event and keeps a result, all or
//! nothing.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{clients, parameters_of, scan_prefix};
use crate::evidence::{Evidence, Fate};
use crate::history::{Op, Outcome, Txn};
use crate::plan::{Plan, Step, Transaction, Unanswered};
use crate::store::{Entry, Range, machine_key, stream_key};
use crate::workload::{About, Finding, Scale, Workload};

pub(super) const NAME: &str = "tool-calls";

/// Each client is an agent that does its steps in order; after a crash it goes on, and tries the step again
/// whose commit was never answered. Steps of others are observed as a whole.
///
/// Stresses: transactions over all three primitives, and exactly-once resumption after a crash. Invariant:
/// machine, events and results of an agent show the same steps, in every snapshot; no step is done twice;
/// none that was acked is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolCalls {
    /// One transaction in this many observes another agent; 0 for none.
    pub observe_every: u32,
}

impl Default for ToolCalls {
    fn default() -> Self {
        Self { observe_every: 4 }
    }
}

impl Workload for ToolCalls {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> About {
        About {
            stresses: "transactions over keys, events and state machines, resumed after a crash",
            invariant: "a step is done whole, once, or not at all",
        }
    }

    fn parameters(&self) -> serde_json::Value {
        parameters_of(self)
    }

    fn plan(&self, scale: &Scale, rng: &mut ChaCha8Rng) -> Plan {
        let mut plan = Plan::new(NAME, self.parameters());
        clients(&mut plan, scale, rng, |client, number, rng| {
            if self.observe_every > 0 && rng.random_ratio(1, self.observe_every) {
                return Transaction::reading(observe(rng.random_range(0..scale.clients))).into();
            }
            let step = Step::ToolCall { agent: agent(client), step: u64::from(number) };
            Transaction { unanswered: Unanswered::Repeat, ..Transaction::of([step]) }.into()
        });
        plan.audit
            .actions
            .extend((0..scale.clients).map(|client| Transaction::reading(observe(client)).into()));
        plan
    }

    fn check(&self, evidence: &Evidence<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        // Sessions are never renumbered, so they bound the agents of any plan.
        let last = evidence.plan.clients.iter().map(|client| client.session).max().unwrap_or(0);
        for agent in (0..last).map(agent) {
            findings.extend(evidence.snapshots().filter_map(|txn| torn(txn, &agent)));
            findings.extend(missing(evidence, &agent));
        }
        findings
    }
}

fn agent(client: u32) -> String {
    format!("agent-{client}")
}

fn results(agent: &str) -> String {
    format!("result/{agent}/")
}

fn observe(client: u32) -> Vec<Step> {
    let agent = agent(client);
    let stream = format!("calls-{agent}");
    let results = scan_prefix(&results(&agent));
    vec![Step::ReadMachine { machine: agent }, Step::ReadEvents { stream, verify: false }, results]
}

/// What an observer saw of an agent, unless it did not read everything.
struct Seen<'a> {
    machine: Option<String>,
    events: Vec<u64>,
    results: &'a [Entry],
}

fn seen<'a>(txn: &'a Txn, agent: &str) -> Option<Seen<'a>> {
    let (mut machine, mut events, mut results) = (None, None, None);
    let (machine_key, stream_key) = (machine_key(agent), stream_key(&format!("calls-{agent}")));
    let range = Range::prefix(self::results(agent).as_bytes());
    for op in &txn.ops {
        match op {
            Op::Get { key, read } if *key == machine_key => {
                let state = read.value.as_ref().map(|state| String::from_utf8_lossy(state).into_owned());
                machine = Some(state);
            }
            Op::List { key, elements, .. } if *key == stream_key => {
                let number = |event: &Vec<u8>| String::from_utf8_lossy(event).parse().unwrap_or(u64::MAX);
                events = Some(elements.iter().map(number).collect());
            }
            Op::Scan { range: scanned, entries, .. } if *scanned == range => {
                results = Some(entries.as_slice())
            }
            Op::Get { .. } | Op::List { .. } | Op::Scan { .. } => {}
            // It does a step itself: no observer.
            _ => return None,
        }
    }
    Some(Seen { machine: machine?, events: events?, results: results? })
}

fn torn(txn: &Txn, agent: &str) -> Option<Finding> {
    let Seen { machine, events, results } = seen(txn, agent)?;
    let expected = events.last().map(|step| format!("after {step}"));
    let number = |entry: &Entry| {
        let key = String::from_utf8_lossy(&entry.key).into_owned();
        key.rsplit('/').next().and_then(|step| step.parse().ok())
    };
    let done: Vec<u64> = results.iter().filter_map(number).collect();
    let (rule, message) = if !events.is_sorted_by(|a, b| a < b) {
        ("no step is done twice", format!("{agent} did steps {events:?}"))
    } else if done != events {
        ("a step is all or nothing", format!("{agent} has events of {events:?} and results of {done:?}"))
    } else if machine != expected {
        let state = machine.unwrap_or_default();
        ("a step is all or nothing", format!("{agent} has events of {events:?} and is in state {state:?}"))
    } else {
        return None;
    };
    Some(Finding::violation(rule, message, [txn.index]))
}

/// Finds a step that was acked, and has left nothing.
fn missing(evidence: &Evidence<'_>, agent: &str) -> Vec<Finding> {
    let prefix = results(agent);
    let Some(last) = evidence.final_entries(&prefix) else { return Vec::new() };
    let mut findings = Vec::new();
    for txn in evidence.clients().filter(|txn| evidence.fate(txn) == Fate::Must) {
        for op in &txn.ops {
            let Op::Put { key, value } = op else { continue };
            let kept = last.iter().any(|entry| entry.key == *key && entry.value == *value);
            if key.starts_with(prefix.as_bytes()) && !kept && matches!(txn.outcome, Outcome::Committed { .. })
            {
                let message = format!("{} was acked, and is not there", String::from_utf8_lossy(key));
                findings.push(Finding::violation("no step is lost", message, [txn.index]));
            }
        }
    }
    findings
}
