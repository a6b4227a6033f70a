//! What behaviour a run showed, as a set of hashes.
//!
//! Job: features that are cheap, deterministic, and few: which marks and outcomes of calls came, which
//! operations of different tasks met on one object, which windows were interrupted, where the power went out,
//! what recovery found. Not its job: which of them are new (`corpus`).

use foldhash::fast::FixedState;
use hashbrown::HashSet;
use stormproof_rt::sync::Mutex;
use stormproof_rt_shuttle::life::{Step, Watcher};
use stormproof_rt_shuttle::op::OpKind;
use stormproof_workloads::history::Outcome;

use crate::digest::Digest;
use crate::run::Run;

/// One thing that a run showed: a hash of its name.
pub type Feature = u64;

/// Watches a run, and collects which operations of which tasks met.
#[derive(Debug)]
pub struct Onlooker(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    features: HashSet<Feature, FixedState>,
    /// By label: who used it last, and how.
    last: hashbrown::HashMap<&'static str, (&'static str, OpKind), FixedState>,
    /// The step before.
    before: Option<(&'static str, &'static str, OpKind)>,
}

impl Onlooker {
    /// One that has seen nothing.
    pub fn new() -> Self {
        Self(Mutex::new("guided.onlooker", Seen::default()))
    }

    /// What it has seen.
    pub fn take(&self) -> Vec<Feature> {
        std::mem::take(&mut *self.0.lock()).features.into_iter().collect()
    }
}

impl Default for Onlooker {
    fn default() -> Self {
        Self::new()
    }
}

impl Watcher for Onlooker {
    fn step(&self, step: &Step) {
        let Step { path, kind, label, preempted, .. } = *step;
        let mut seen = self.0.lock();
        // Who was there last, and who comes now: a pair of adjacent operations on one object.
        if let Some((by, how)) = seen.last.insert(label, (path, kind))
            && by != path
            && (!how.commutes_with(kind) || kind == OpKind::At)
        {
            let pair = feature("met", &[class(by), label, class(path)], &[how as u64, kind as u64]);
            seen.features.insert(pair);
        }
        // A task that was kept off in the middle of something, and what another did then.
        if preempted
            && let Some((by, window, OpKind::At | OpKind::Point)) = seen.before
            && by != path
        {
            let interrupted = feature("interrupted", &[window, label, class(path)], &[kind as u64]);
            seen.features.insert(interrupted);
        }
        seen.before = Some((path, label, kind));
    }

    fn value(&self, _label: &'static str, _value: u64) {}
}

/// The features of a run, with those that were collected while it ran.
pub fn features(run: &Run, mut seen: Vec<Feature>) -> Vec<Feature> {
    let mut add = |kind: &str, names: &[&str], numbers: &[u64]| seen.push(feature(kind, names, numbers));
    for (mark, hits) in crate::run::marks(run) {
        add("mark", &[mark], &[u64::from(hits.ilog2())]);
    }
    for ((function, outcome), count) in &run.counted.calls {
        add("call", &[function, outcome], &[u64::from(count.ilog2() / 2)]);
    }
    for (first, second) in run.counted.pairs.keys() {
        add("pair", &[first, second], &[]);
    }
    for txn in &run.history.txns {
        if let Outcome::Aborted { conflicts, .. } = &txn.outcome {
            let mut kinds: Vec<u64> = conflicts.iter().map(|conflict| conflict.kind as u64).collect();
            kinds.dedup();
            kinds.truncate(3);
            add("conflicts", &[], &kinds);
        }
    }
    let mut crashed_before = "";
    for life in &run.lives {
        let found: Vec<String> = life.now.recovery.iter().map(|word| class(word).to_owned()).collect();
        for word in &found {
            add("recovery", &[word, crashed_before], &[]);
        }
        if life.crashed() {
            let at = life.crashed_at.as_deref().map_or("a point", class);
            // The state of the log: how much of it there is, in steps of four.
            let log = u64::from((life.disk_syncs + 1).ilog2() / 2);
            add("crash", &[at, life.now.phase.name()], &[log]);
            crashed_before = life.now.phase.name();
        }
        if let Some(error) = &life.now.open_error {
            add("refused", &[class(&error.to_string())], &[]);
        }
    }
    for fault in &run.faults {
        add("fault", &[fault.fault.key.kind.name()], &[]);
    }
    seen.sort_unstable();
    seen.dedup();
    seen
}

fn feature(kind: &str, names: &[&str], numbers: &[u64]) -> Feature {
    let mut digest = Digest::default();
    digest.bytes(kind.as_bytes());
    for name in names {
        digest.number(name.len() as u64);
        digest.bytes(name.as_bytes());
    }
    numbers.iter().for_each(|number| digest.number(*number));
    digest.value().0
}

/// A name up to its first number: tasks of one kind, texts of one form.
fn class(name: &str) -> &str {
    let end = name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len());
    &name[..end]
}
