//! Our workloads, one per file.
//!
//! Each is plain data: its parameters, with defaults. [`all`] lists them, [`by_name`] makes one from its name
//! and parameters, as a trace keeps them.

mod agent_mix;
mod bank;
mod cas_machine;
mod deque;
mod event_log;
mod hotspot;
mod large_transactions;
mod list_append;
mod long_reader;
mod phantom;
mod register_mix;
mod retry_storm;
mod run_lifecycle;
mod step_mix;
mod tiny_databases;
mod tool_calls;
mod ttl_cache;
mod watch;
mod work_queue;
mod write_skew;

pub use agent_mix::AgentMix;
pub use bank::Bank;
pub use cas_machine::CasMachine;
pub use deque::Deque;
pub use event_log::EventLog;
pub use hotspot::Hotspot;
pub use large_transactions::LargeTransactions;
pub use list_append::ListAppend;
pub use long_reader::LongReader;
pub use phantom::Phantom;
pub use register_mix::RegisterMix;
pub(crate) use register_mix::{garbage, wrong_end};
pub use retry_storm::RetryStorm;
pub use run_lifecycle::RunLifecycle;
pub use step_mix::StepMix;
pub use tiny_databases::TinyDatabases;
pub use tool_calls::ToolCalls;
pub use ttl_cache::TtlCache;
pub use watch::Watch;
pub use work_queue::WorkQueue;
pub use write_skew::WriteSkew;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::evidence::Evidence;
use crate::history::TxnIndex;
use crate::plan::{Action, Client, Plan, Step};
use crate::recorded::{self, Recorded};
use crate::store::{Isolation, Range};
use crate::workload::{Finding, Scale, Workload};

/// Returns all of them, with their default parameters.
pub fn all() -> Vec<Box<dyn Workload>> {
    CATALOGUE.iter().filter_map(|(_, make)| make(serde_json::Value::Null)).collect()
}

/// Returns the one with this name. `parameters` replaces those it names; `Null` replaces none. A recording is
/// judged without its file, so it is known here too.
pub fn by_name(name: &str, parameters: serde_json::Value) -> Option<Box<dyn Workload>> {
    if name == recorded::NAME {
        return Some(Box::new(Recorded::default()));
    }
    let (_, make) = CATALOGUE.iter().find(|(known, _)| *known == name)?;
    make(parameters)
}

type Make = fn(serde_json::Value) -> Option<Box<dyn Workload>>;

const CATALOGUE: &[(&str, Make)] = &[
    (hotspot::NAME, make::<Hotspot>),
    (cas_machine::NAME, make::<CasMachine>),
    (bank::NAME, make::<Bank>),
    (list_append::NAME, make::<ListAppend>),
    (register_mix::NAME, make::<RegisterMix>),
    (write_skew::NAME, make::<WriteSkew>),
    (phantom::NAME, make::<Phantom>),
    (event_log::NAME, make::<EventLog>),
    (tool_calls::NAME, make::<ToolCalls>),
    (work_queue::NAME, make::<WorkQueue>),
    (ttl_cache::NAME, make::<TtlCache>),
    (run_lifecycle::NAME, make::<RunLifecycle>),
    (long_reader::NAME, make::<LongReader>),
    (retry_storm::NAME, make::<RetryStorm>),
    (large_transactions::NAME, make::<LargeTransactions>),
    (tiny_databases::NAME, make::<TinyDatabases>),
    (watch::NAME, make::<Watch>),
    (agent_mix::NAME, make::<AgentMix>),
    (deque::NAME, make::<Deque>),
    (step_mix::NAME, make::<StepMix>),
];

fn make<W: Workload + Default + DeserializeOwned + 'static>(
    parameters: serde_json::Value,
) -> Option<Box<dyn Workload>> {
    let workload =
        if parameters.is_null() { W::default() } else { serde_json::from_value(parameters).ok()? };
    Some(Box::new(workload))
}

/// Returns the parameters of a workload as a value.
fn parameters_of(workload: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(workload).unwrap_or_default()
}

/// Gives each client of `scale` as many actions as `next` makes of its number, and a seed.
fn clients(
    plan: &mut Plan,
    scale: &Scale,
    rng: &mut ChaCha8Rng,
    mut next: impl FnMut(u32, u32, &mut ChaCha8Rng) -> Action,
) {
    for (client, session) in (0..).zip(scale.sessions()) {
        let seed = rng.random();
        let actions = (0..scale.transactions).map(|number| next(client, number, rng)).collect();
        plan.clients.push(Client { session, seed, actions });
    }
    plan.set_isolation(scale.isolation);
}

/// Scans all keys that start with `prefix`.
fn scan_prefix(prefix: &str) -> Step {
    let Range { start, end } = Range::prefix(prefix.as_bytes());
    let text = |key: Vec<u8>| String::from_utf8_lossy(&key).into_owned();
    Step::Scan { start: text(start), end: end.map(text), limit: None, reverse: false }
}

/// Reports an anomaly that snapshot isolation allows: a violation only if every client asked for more.
fn judged(evidence: &Evidence<'_>, rule: &str, message: String, txn: TxnIndex) -> Finding {
    if evidence.clients().all(|txn| txn.isolation == Isolation::Serializable) {
        Finding::violation(rule, message, [txn])
    } else {
        Finding::sighting(rule, message, [txn])
    }
}
