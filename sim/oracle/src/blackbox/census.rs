//! Counts all anomalies of a history by name, not only those of the weakest level that is violated.
//!
//! Each kind of cycle is looked for on the graph on which it is the simplest one: cycles of writes among
//! writes, those with one anti-dependency among those with one, each without an order, with that of sessions,
//! and in real time. A strongly connected component counts once for each name.

use std::collections::BTreeMap;

use super::classify_cycle;
use super::events::Events;
use super::orders::Orders;
use super::problem::{ByKey, Problem};
use super::rule::{Anti, Rule};
use super::single;
use super::table::{Anomaly, Table};
use crate::graph::{Kinds, components};
use crate::level::Level;

/// Maximum number of anomalies that are described by name.
const DESCRIBED_MAX: usize = 4;

/// Adds descriptions of anomalies that are no cycles, of each name: those of levels that others violate too.
pub(super) fn describe(direct: &[Anomaly], table: &mut Table) {
    for anomaly in direct {
        let same_name = table.anomalies.iter().filter(|other| other.name == anomaly.name);
        if same_name.count() < DESCRIBED_MAX && !table.anomalies.contains(anomaly) {
            table.anomalies.push(anomaly.clone());
        }
    }
}

/// Adds the counts of cycles, and descriptions of those that the table does not have.
pub(super) fn count(problem: &Problem<'_, '_>, table: &mut Table) {
    let known = problem.without_choices();
    let by_key = ByKey::new(problem, &known);
    let mut described: BTreeMap<String, usize> = BTreeMap::new();
    for anomaly in &table.anomalies {
        *described.entry(anomaly.name.clone()).or_default() += 1;
    }
    for (rule, level) in rules() {
        let events = Events::build(problem, &known, &by_key, Orders::Known, rule, &[]);
        let mut names: BTreeMap<String, u64> = BTreeMap::new();
        for anomaly in cycles(problem, &events, level) {
            *names.entry(anomaly.name.clone()).or_default() += 1;
            let count = described.entry(anomaly.name.clone()).or_default();
            let is_known =
                table.anomalies.iter().any(|other| other.txns == anomaly.txns && other.name == anomaly.name);
            if *count < DESCRIBED_MAX && !is_known {
                *count += 1;
                table.anomalies.push(anomaly);
            }
        }
        for (name, count) in names {
            let old = table.counts.entry(name).or_default();
            *old = count.max(*old);
        }
    }
    for anomaly in &table.anomalies {
        table.counts.entry(anomaly.name.clone()).or_insert(1);
    }
}

fn cycles(problem: &Problem<'_, '_>, events: &Events, level: Level) -> Vec<Anomaly> {
    let in_graph = components(&events.graph, Kinds::ALL);
    let mut steps: Vec<_> =
        in_graph.iter().filter_map(|component| classify_cycle::simplest(&events.graph, component)).collect();
    if steps.is_empty() {
        steps = single::cycles(events, usize::MAX);
    }
    steps.iter().map(|steps| classify_cycle::anomaly(problem.view, events, steps, level)).collect()
}

/// Returns the graphs, each with the level whose cycles it has, or for real time that of the strongest.
fn rules() -> impl Iterator<Item = (Rule, Level)> {
    let level = |level| (Rule::of(level), level);
    let single = Rule { time: true, ..Rule::of(Level::ParallelSnapshotIsolation) };
    debug_assert!(single.anti == Anti::All && single.single, "one anti-dependency in real time");
    [
        level(Level::ReadUncommitted),
        level(Level::StrongSessionReadUncommitted),
        level(Level::StrongReadUncommitted),
        level(Level::ReadCommitted),
        level(Level::StrongSessionReadCommitted),
        level(Level::StrongReadCommitted),
        level(Level::ConsistentView),
        level(Level::ParallelSnapshotIsolation),
        (single, Level::StrictSnapshotIsolation),
        level(Level::SnapshotIsolation),
        level(Level::StrongSessionSnapshotIsolation),
        level(Level::StrictSnapshotIsolation),
        level(Level::Serializable),
        level(Level::StrongSessionSerializable),
        level(Level::StrictSerializable),
    ]
    .into_iter()
}
