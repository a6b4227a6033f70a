//! The timeline of a run: lanes, lives, transactions, faults, the frontier and the interleaving.

use std::collections::BTreeMap;

use stormproof_faults::{CrashReport, FiredFault};
use stormproof_reports::{
    Access, AccessKind, Conflict, ConflictKind, Fault, FrontierPoint, Lane, LaneId, LaneKind, Life, LifeEnd,
    Outcome, Step, Time, Txn, show_bytes,
};
use stormproof_rt_shuttle::life::LifeEnd as End;
use stormproof_workloads::history::{self, Event, Op, Session};
use stormproof_workloads::plan::FIRST_CLIENT;
use stormproof_workloads::store::{self, Bytes, Expected, Isolation};

use super::writers::{Writers, key_words, range_words};
use crate::run::{INSPECTOR, LifeRun, Run, Watched};
use crate::task_names::{self, MAIN, session_of};

/// A value that is longer is cut, and says so.
const VALUE_BYTES_MAX: usize = 160;

/// A run on one time axis.
pub(super) struct Timeline<'a> {
    run: &'a Run,
    watched: &'a Watched,
    lanes: BTreeMap<String, LaneId>,
}

impl<'a> Timeline<'a> {
    pub(super) fn new(run: &'a Run, watched: &'a Watched) -> Self {
        let mut names: Vec<String> = run.history.txns.iter().map(|txn| task_of(run, txn.session)).collect();
        names.extend(watched.steps.iter().map(|step| step.task.to_owned()));
        names.push(MAIN.to_owned());
        names.sort_by_key(|name| (order_of(name), name.clone()));
        names.dedup();
        let lanes = names.into_iter().zip(0..).collect();
        Self { run, watched, lanes }
    }

    /// Returns the lanes: clients by number, then the engine's tasks, then the world.
    pub(super) fn lanes(&self) -> Vec<Lane> {
        let mut lanes = vec![Lane::default(); self.lanes.len()];
        for (name, &lane) in &self.lanes {
            let kind = kind_of(name);
            lanes[lane as usize] = Lane { name: name.clone(), kind };
        }
        lanes
    }

    pub(super) fn lives(&self) -> Vec<Life> {
        self.run.lives.iter().enumerate().map(|(number, run)| self.life(number, run)).collect()
    }

    fn life(&self, number: usize, run: &LifeRun) -> Life {
        let opened = self.run.events.iter().find_map(|event| match event {
            Event::Opened { life, at } if *life as usize == number => Some(self.watched.time_of_event(*at)),
            _ => None,
        });
        let inspected = self
            .run
            .history
            .txns
            .iter()
            .find(|txn| txn.life as usize == number && txn.session == INSPECTOR)
            .and_then(|txn| txn.start_version);
        let mut recovery = run.now.recovery.clone();
        recovery.extend(run.now.open_error.iter().map(|error| format!("opening failed: {error}")));
        recovery.extend(run.now.close_error.iter().map(|error| format!("closing failed: {error}")));
        let end = match &run.life.end {
            End::Killed => LifeEnd::Crashed,
            End::Completed if run.opened() && run.now.close_error.is_none() => LifeEnd::Closed,
            _ => LifeEnd::Open,
        };
        Life {
            begun: self.begin_of_life(number),
            opened,
            ended: Some(self.end_of_life(number)),
            end,
            recovered_version: inspected,
            recovery,
        }
    }

    fn begin_of_life(&self, number: usize) -> Time {
        match self.watched.lives.get(number) {
            Some(&step) => self.watched.time_of_step(step),
            None if number == 0 => 0,
            None => self.end_of_life(number - 1),
        }
    }

    /// Returns the last step of a life, or its last event if that came later.
    fn end_of_life(&self, number: usize) -> Time {
        let steps = &self.watched.steps;
        let behind = self.watched.lives.get(number + 1).copied().unwrap_or(steps.len());
        let last_step = behind.checked_sub(1).map_or(0, |step| self.watched.time_of_step(step));
        let ended = self.run.history.lives.iter().find(|life| life.life as usize == number);
        let ended = ended.and_then(|life| life.ended).map_or(0, |(at, _)| self.watched.time_of_event(at));
        last_step.max(ended)
    }

    pub(super) fn txns(&self, writers: &Writers) -> Vec<Txn> {
        let mut txns: Vec<Txn> = self.run.history.txns.iter().map(|txn| self.txn(txn, writers)).collect();
        let mut last = 0;
        for event in &self.run.events {
            let at = event.at().map(|at| self.watched.time_of_event(at));
            match event {
                Event::Op { txn, op, .. } => {
                    let index = *txn as usize;
                    if let Some(txn) = txns.get_mut(index) {
                        txn.accesses.push(access(op, at.unwrap_or(last), writers));
                    }
                }
                // That nothing is known has no time of its own: it was said right after what came before.
                Event::Outcome { txn, outcome: history::Outcome::Unknown { .. } } => {
                    if let Some(txn) = txns.get_mut(*txn as usize) {
                        txn.ended = last + 1;
                    }
                }
                _ => {}
            }
            last = last.max(at.unwrap_or(last));
        }
        txns
    }

    /// Returns a transaction without its operations.
    fn txn(&self, txn: &history::Txn, writers: &Writers) -> Txn {
        let time = |at| self.watched.time_of_event(at);
        let cut_off = self.end_of_life(txn.life as usize);
        let mut told = Txn {
            id: txn.index,
            lane: self.lanes.get(&task_of(self.run, txn.session)).copied().unwrap_or_default(),
            life: txn.life,
            begun: time(txn.begun),
            ended: cut_off,
            start_version: txn.start_version,
            isolation: match txn.isolation {
                Isolation::ReadCommitted => "read committed",
                Isolation::Snapshot => "snapshot",
                Isolation::Serializable => "serializable",
            }
            .to_owned(),
            ..Txn::default()
        };
        match &txn.outcome {
            history::Outcome::Running => told.outcome = Outcome::Running,
            history::Outcome::Unknown { invoked } => {
                told.outcome = Outcome::Unknown;
                told.commit_called = Some(time(*invoked));
            }
            history::Outcome::Committed { invoked, acked, version, durable } => {
                told.outcome = Outcome::Committed;
                told.commit_called = Some(time(*invoked));
                told.ended = time(*acked);
                told.commit_version = *version;
                told.durable = durable.map(time);
            }
            history::Outcome::Aborted { at, conflicts } => {
                let failed = txn.ops.iter().any(|op| matches!(op, Op::Failed { .. }));
                let refused = failed || !conflicts.is_empty();
                told.outcome = if refused { Outcome::Aborted } else { Outcome::RolledBack };
                told.ended = time(*at);
                told.conflicts = conflicts.iter().map(|lost| conflict(lost, writers)).collect();
            }
        }
        told
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults: Vec<Fault> = self.run.faults.iter().map(|fired| self.fault(fired)).collect();
        for (number, run) in self.run.lives.iter().enumerate() {
            let cut = self.run.crashes.iter().find(|cut| cut.life == number as u64 + 1);
            if run.crashed() {
                let place =
                    run.crashed_at.clone().unwrap_or_else(|| format!("while {}", run.now.phase.name()));
                let left = cut.map(|cut| format!("; {}", survival(cut))).unwrap_or_default();
                faults.push(Fault {
                    at: self.end_of_life(number),
                    kind: "power cut".to_owned(),
                    detail: format!("ended life {number} {place}{left}"),
                    lane: None,
                    crash: true,
                });
            }
        }
        faults.sort_by_key(|fault| fault.at);
        faults
    }

    fn fault(&self, fired: &FiredFault) -> Fault {
        let step = self.watched.operations.get(&(fired.operation, fired.file.clone())).copied();
        let task = step.and_then(|step| self.watched.steps.get(step)).map(|step| step.task);
        let what = if fired.what.is_empty() { String::new() } else { format!(": {}", fired.what) };
        let file = if fired.file.is_empty() { "the directory" } else { &fired.file };
        Fault {
            // Without a watched run there is no finer time than the life.
            at: step.map_or_else(
                || self.begin_of_life(usize::try_from(fired.life.saturating_sub(1)).unwrap_or(0)),
                |step| self.watched.time_of_step(step),
            ),
            kind: fired.fault.key.kind.name().to_owned(),
            detail: format!("{} of {file}, operation {}{what}", fired.fault.key.operation, fired.operation),
            lane: task.and_then(|task| self.lanes.get(task).copied()),
            crash: false,
        }
    }

    /// Returns what was published and what was durable. A store in memory has nothing durable.
    pub(super) fn frontier(&self, lives: &[Life]) -> Vec<FrontierPoint> {
        let mut points = Vec::new();
        for (number, life) in lives.iter().enumerate() {
            let recovered = life.recovered_version.unwrap_or(0);
            let is_new = |at: Time| life.opened.is_none_or(|opened| at >= opened);
            if let Some(at) = life.opened {
                points.push(FrontierPoint { at, published: recovered, durable: recovered });
            }
            for seen in self.watched.frontier.iter().filter(|seen| seen.life == number) {
                let at = seen.steps as Time + seen.after;
                if is_new(at) {
                    let published = seen.published.unwrap_or(recovered);
                    points.push(FrontierPoint { at, published, durable: seen.durable.unwrap_or(recovered) });
                }
            }
        }
        points.dedup_by_key(|point| (point.published, point.durable));
        points
    }

    pub(super) fn steps(&self) -> Vec<Step> {
        let step = |(number, seen): (usize, &crate::run::WatchedStep)| Step {
            at: self.watched.time_of_step(number),
            lane: self.lanes.get(seen.task).copied().unwrap_or_default(),
            label: format!("{} {}", seen.kind.verb(), seen.label).trim_end().to_owned(),
            preempted: seen.preempted,
        };
        self.watched.steps.iter().enumerate().map(step).collect()
    }
}

/// Returns the task that runs a session.
fn task_of(run: &Run, session: Session) -> String {
    if let Some(task) = run.others.get(&session) {
        return task.clone();
    }
    if session == INSPECTOR || session < FIRST_CLIENT { MAIN.to_owned() } else { task_names::client(session) }
}

fn kind_of(task: &str) -> LaneKind {
    match task {
        MAIN => LaneKind::World,
        client if session_of(client).is_some() => LaneKind::Client,
        _ => LaneKind::Engine,
    }
}

fn order_of(task: &str) -> (u8, u32) {
    match kind_of(task) {
        LaneKind::Client => (0, session_of(task).unwrap_or(u32::MAX)),
        LaneKind::Engine => (1, 0),
        LaneKind::World => (2, 0),
    }
}

fn access(op: &Op, at: Time, writers: &Writers) -> Access {
    let told = |kind, key: &[u8], value: Option<&Bytes>| Access {
        at,
        kind,
        key: key_words(key),
        value: value.map(|value| value_words(value)),
        ..Access::default()
    };
    match op {
        Op::Get { key, read } => {
            let note = if read.version.is_none() { "its own write" } else { "" };
            Access {
                version: read.version,
                from: writers.of(read.version),
                note: note.to_owned(),
                ..told(AccessKind::Read, key, read.value.as_ref())
            }
        }
        Op::Scan { range, limit, reverse, entries } => Access {
            at,
            kind: AccessKind::Scan,
            key: range_words(range),
            note: scan_words(*limit, *reverse, entries),
            ..Access::default()
        },
        Op::Put { key, value } => told(AccessKind::Write, key, Some(value)),
        Op::PutExpiring { key, value, ttl_ms } => {
            Access { note: format!("expires after {ttl_ms} ms"), ..told(AccessKind::Write, key, Some(value)) }
        }
        Op::Delete { key } => told(AccessKind::Delete, key, None),
        Op::Cas { key, expected, value } => {
            Access { note: condition_words(expected), ..told(AccessKind::Cas, key, Some(value)) }
        }
        Op::DeleteIf { key, expected } => {
            Access { note: condition_words(expected), ..told(AccessKind::Delete, key, None) }
        }
        Op::Append { key, element } => told(AccessKind::Append, key, Some(element)),
        Op::List { key, elements, version } => {
            let all: Vec<String> = elements.iter().map(|element| value_words(element)).collect();
            Access {
                value: Some(format!("[{}]", all.join(", "))),
                version: *version,
                from: writers.of(*version),
                note: format!("{} elements", elements.len()),
                ..told(AccessKind::Read, key, None)
            }
        }
        Op::Failed { what, error } => Access {
            at,
            kind: AccessKind::Failed,
            key: what.clone(),
            note: error.clone(),
            ..Access::default()
        },
    }
}

fn condition_words(expected: &Expected) -> String {
    match expected {
        Expected::Version(version) => format!("if at version {version}"),
        Expected::Value(value) => format!("if {}", value_words(value)),
        Expected::Absent => "if absent".to_owned(),
    }
}

fn scan_words(limit: Option<usize>, reverse: bool, entries: &[store::Entry]) -> String {
    let entry = |entry: &store::Entry| {
        let version = entry.version.map(|version| format!(" @{version}")).unwrap_or_default();
        format!("{} = {}{version}", key_words(&entry.key), value_words(&entry.value))
    };
    let all: Vec<String> = entries.iter().map(entry).collect();
    let direction = if reverse { "backwards, " } else { "" };
    let limit = limit.map(|limit| format!("at most {limit}, ")).unwrap_or_default();
    let found =
        if all.is_empty() { "nothing".to_owned() } else { format!("{}: {}", all.len(), all.join("; ")) };
    format!("{direction}{limit}found {found}")
}

fn value_words(value: &[u8]) -> String {
    match value.get(..VALUE_BYTES_MAX) {
        Some(begin) if value.len() > VALUE_BYTES_MAX => {
            format!("{}… ({} bytes)", show_bytes(begin), value.len())
        }
        _ => show_bytes(value),
    }
}

/// Returns the kind of a store's conflict, as reports name it.
pub fn conflict_kind(kind: store::ConflictKind) -> ConflictKind {
    match kind {
        store::ConflictKind::Write => ConflictKind::Write,
        store::ConflictKind::Cas => ConflictKind::Cas,
        store::ConflictKind::Read => ConflictKind::Read,
        store::ConflictKind::Range => ConflictKind::Range,
    }
}

fn conflict(lost: &store::Conflict, writers: &Writers) -> Conflict {
    Conflict {
        kind: conflict_kind(lost.kind),
        key: key_words(&lost.key),
        winner_version: lost.winner,
        winner: writers.of(lost.winner),
    }
}

/// Returns what a power cut left, in words.
fn survival(cut: &CrashReport) -> String {
    let counts = [
        (cut.pieces_kept, "unsynced pieces survived"),
        (cut.pieces_lost, "were lost"),
        (cut.pieces_torn, "were torn"),
        (cut.growths_lost, "growths were lost"),
        (cut.truncations_lost, "truncations were undone"),
        (cut.hollow_tails, "files have a tail without data"),
        (cut.entries_kept, "unsynced names survived"),
        (cut.entries_lost, "names were lost"),
    ];
    let mut words: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if cut.reordered {
        words.push("in another order than written".to_owned());
    }
    if words.is_empty() { "nothing was unsynced".to_owned() } else { words.join(", ") }
}
