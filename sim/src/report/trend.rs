//! Campaigns over time, as a report: failures grouped over all of them.

use std::collections::BTreeMap;

use stormproof_reports::{FailureTotal, Trend, TrendPoint};

use super::campaign::{campaign, groups};
use crate::sweep::Merged;
use crate::triage::Rate;

/// Returns the trend of campaigns, each with why it proves nothing, if it does not.
pub fn trend(mut campaigns: Vec<(Merged, Vec<String>)>) -> Trend {
    campaigns.sort_by_key(|(merged, _)| begun(merged));
    let points: Vec<TrendPoint> = campaigns.iter().map(|(merged, doubts)| point(merged, doubts)).collect();
    let never = points.iter().map(|point| &point.marks_never_reached);
    let marks_never_reached = never
        .clone()
        .next()
        .into_iter()
        .flatten()
        .filter(|mark| never.clone().all(|unseen| unseen.contains(mark)))
        .cloned()
        .collect();
    let plural = if campaigns.len() == 1 { "campaign" } else { "campaigns" };
    Trend {
        title: format!("{} {plural}", campaigns.len()),
        campaigns: points,
        groups: grouped(&campaigns),
        marks_never_reached,
    }
}

fn begun(merged: &Merged) -> u64 {
    merged.result.start.as_ref().map_or(0, |start| start.unix_seconds)
}

fn build(merged: &Merged) -> String {
    merged.result.start.as_ref().map(|start| start.build.to_string()).unwrap_or_default()
}

fn point(merged: &Merged, doubts: &[String]) -> TrendPoint {
    let shown = campaign(&merged.result, doubts);
    let what = merged
        .result
        .start
        .as_ref()
        .map(|start| format!("seeds {}{}", start.seeds, start.options.to_flags()));
    TrendPoint {
        unix_seconds: begun(merged),
        build: build(merged),
        what: what.unwrap_or_default(),
        verdict: shown.verdict(),
        seeds: shown.seeds,
        failing_seeds: shown.failing_seeds,
        interleavings: shown.interleavings,
        seconds: shown.seconds,
        seeds_per_second: shown.seeds_per_second(),
        marks_never_reached: shown
            .marks
            .iter()
            .filter(|mark| mark.hits == 0)
            .map(|mark| mark.name.clone())
            .collect(),
        doubts: doubts.to_vec(),
    }
}

/// Groups failures of all campaigns by invariant, class and shape, those that were seen last first. The rate
/// is that of the campaigns from the first to the last in which the failure showed: before and after, the bug
/// may not have been there.
fn grouped(campaigns: &[(Merged, Vec<String>)]) -> Vec<FailureTotal> {
    let mut found: BTreeMap<(String, String, String), FailureTotal> = BTreeMap::new();
    let mut spans: BTreeMap<(String, String, String), (usize, usize)> = BTreeMap::new();
    for (number, (merged, _)) in campaigns.iter().enumerate() {
        for group in groups(&merged.result) {
            let key = (group.invariant.clone(), group.class.clone(), group.shape.clone());
            spans.entry(key.clone()).or_insert((number, number)).1 = number;
            let seen = FailureTotal {
                first_build: build(merged),
                first_seen: begun(merged),
                last_seen: begun(merged),
                ..group
            };
            match found.get_mut(&key) {
                None => _ = found.insert(key, seen),
                Some(known) => add(known, seen),
            }
        }
    }
    let mut all: Vec<FailureTotal> = found
        .into_iter()
        .map(|(key, group)| {
            let (first, last) = spans[&key];
            let of = campaigns[first..=last].iter().map(|(merged, _)| merged.result.seeds).sum();
            let rate = Rate { of, count: group.count };
            let (low, high) = rate.interval();
            FailureTotal { of, low, high, seeds_until_gone: rate.seeds_until_gone(), ..group }
        })
        .collect();
    all.sort_by_key(|group| std::cmp::Reverse((group.last_seen, group.count)));
    all
}

/// Adds what a later campaign saw of a failure; the smallest trace stays.
fn add(known: &mut FailureTotal, seen: FailureTotal) {
    known.count += seen.count;
    known.last_seen = seen.last_seen;
    let size = |group: &FailureTotal| group.operations.unwrap_or(u64::MAX);
    if seen.trace_file.is_some() && (known.trace_file.is_none() || size(&seen) < size(known)) {
        known.reproduce = seen.reproduce;
        known.trace_file = seen.trace_file;
        known.operations = seen.operations;
    }
}
