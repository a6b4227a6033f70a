//! Contract §3: an abort has a cause, the one that the store reports.
//!
//! Job: every transaction aborted for a conflict lost to a commit that took effect. Not its job: commits that
//! should have been aborted ([`super::conflicts`]).
//!
//! A conflict names the version of the winner. If an acked commit has that version, it must have written the
//! key and have been called before the loser was aborted. If no acked commit has it, it may belong to an
//! unanswered commit that wrote the key, or to the store itself, which sweeps expired values by deletes that
//! are no transaction of the history. Hence INV-ABORT-1: a commit that failed and was rolled back is no
//! cause. This rule holds for every choice of versions for unanswered commits and therefore needs no search
//! (INV-UNA-1).

use stormproof_workloads::history::{Life, Op, Outcome, Time, TxnIndex};
use stormproof_workloads::store::{Conflict, ConflictKind, Range, Version};

use super::context::Witness;
use crate::verdict::{AnomalyClass, Findings, Invariant, Violation};
use crate::view::{Content, Map, show, show_version};

/// A transaction that the store aborted.
struct Loser<'h> {
    txn: TxnIndex,
    life: Life,
    start: Version,
    /// Time at which the client learnt of the abort.
    at: Time,
    conflicts: &'h [Conflict],
}

/// Evidence for a conflict.
enum Cause {
    Real,
    /// The version belongs to an acked commit that is no cause.
    Others(TxnIndex),
    None,
}

impl<'h> Witness<'_, 'h> {
    /// Checks that every aborted transaction lost to a commit.
    pub(super) fn aborts(&self, findings: &mut Findings) {
        let mut writers: Option<Writers<'_>> = None;
        for loser in self.losers() {
            let mut held_by = None;
            let mut is_real = |conflict: &Conflict| match self.winner(&loser, conflict) {
                Cause::Real => true,
                Cause::None => writers.get_or_insert_with(|| self.writers()).excuse(&loser, conflict),
                Cause::Others(txn) => {
                    held_by = held_by.or(Some(txn));
                    false
                }
            };
            for conflict in loser.conflicts {
                if let Some(why) = self.misreported(&loser, conflict) {
                    findings.add(|| misreported(&loser, conflict, &why));
                }
            }
            // One real conflict is a sufficient cause.
            if !loser.conflicts.iter().any(&mut is_real) {
                findings.add(|| baseless(&loser, held_by));
            }
        }
    }

    fn losers(&self) -> impl Iterator<Item = Loser<'h>> {
        self.view.history.txns.iter().filter_map(|txn| match &txn.outcome {
            Outcome::Aborted { at, conflicts } if !conflicts.is_empty() => {
                let start = txn.start_version?;
                Some(Loser { txn: txn.index, life: txn.life, start, at: *at, conflicts })
            }
            _ => None,
        })
    }

    /// Returns the evidence of acked commits for a conflict.
    fn winner(&self, loser: &Loser<'_>, conflict: &Conflict) -> Cause {
        let Some(version) = conflict.winner else { return Cause::None };
        if version <= loser.start {
            // Only a condition can fail at the snapshot already.
            return if conflict.kind == ConflictKind::Cas { Cause::Real } else { Cause::None };
        }
        let commit = self.commits.at(version).filter(|commit| commit.acked.is_some());
        let Some(commit) = commit.filter(|commit| commit.life == loser.life) else { return Cause::None };
        let wrote = |key: &[u8]| {
            self.view.writes(commit.txn).iter().any(|write| self.view.keys[write.key as usize] == key)
        };
        // Without its range, a range conflict reports only the start of it.
        let is_start = conflict.kind == ConflictKind::Range && conflict.range.is_none();
        let fits = is_start || wrote(&conflict.key);
        if fits && commit.invoked < loser.at { Cause::Real } else { Cause::Others(commit.txn) }
    }

    /// Returns what is wrong with a conflict as it was reported, whatever its cause: the range was never
    /// scanned, the key does not lie in it, or the loser has never seen that version.
    fn misreported(&self, loser: &Loser<'_>, conflict: &Conflict) -> Option<String> {
        let ops = &self.view.txn(loser.txn).ops;
        if let Some(range) = &conflict.range {
            if !range.contains(&conflict.key) {
                return Some("which does not lie in the range that is named with it".to_owned());
            }
            let inside = |scanned: &Range| {
                let ends_before = match (&range.end, &scanned.end) {
                    (_, None) => true,
                    (Some(end), Some(last)) => end <= last,
                    (None, Some(_)) => false,
                };
                scanned.start <= range.start && ends_before
            };
            let scanned = |op: &Op| matches!(op, Op::Scan { range: scanned, .. } if inside(scanned));
            return (!ops.iter().any(scanned)).then(|| "in a range that it had not scanned".to_owned());
        }
        let seen = conflict.seen?;
        match conflict.kind {
            ConflictKind::Write => (seen != loser.start)
                .then(|| format!("and was told that its snapshot had been version {seen}")),
            ConflictKind::Read => {
                let mut versions = Vec::new();
                for op in ops {
                    match op {
                        Op::Get { key, read } if *key == conflict.key => versions.push(read.version),
                        Op::Scan { entries, .. } => versions.extend(
                            entries
                                .iter()
                                .filter(|entry| entry.key == conflict.key)
                                .map(|entry| entry.version),
                        ),
                        _ => {}
                    }
                }
                let is_known = !versions.is_empty() && versions.iter().all(Option::is_some);
                (is_known && !versions.contains(&Some(seen)))
                    .then(|| format!("and was told that it had read version {seen}"))
            }
            ConflictKind::Cas | ConflictKind::Range => None,
        }
    }

    fn writers(&self) -> Writers<'_> {
        let mut writers = Writers::default();
        for txn in &self.view.history.txns {
            let (unanswered, invoked) = match txn.outcome {
                Outcome::Unknown { invoked } => (Some((txn.life, invoked)), invoked),
                Outcome::Committed { invoked, .. } => (None, invoked),
                Outcome::Running | Outcome::Aborted { .. } => continue,
            };
            let version = self.commits.of_txn(txn.index).filter(|commit| commit.acked.is_some());
            let version = version.map(|commit| commit.version);
            for write in self.view.writes(txn.index) {
                let expires = matches!(write.content, Content::Expiring(_)).then_some(invoked);
                let of_key = writers.by_key.entry(self.view.keys[write.key as usize]).or_default();
                for writer in [of_key, &mut writers.any] {
                    writer.acked.extend(version.map(|version| (version, invoked)));
                    if writer.unanswered.last() != unanswered.as_ref() {
                        writer.unanswered.extend(unanswered);
                    }
                    writer.expires = writer.expires.into_iter().chain(expires).min();
                }
            }
        }
        writers
    }
}

/// The possible writers of a key.
#[derive(Debug, Default)]
struct Writer {
    /// Versions and call times of acked commits.
    acked: Vec<(Version, Time)>,
    /// Lives and call times of unanswered commits.
    unanswered: Vec<(Life, Time)>,
    /// Call time of the first commit of an expiring value, which the store may have swept later.
    expires: Option<Time>,
}

/// The possible writers of all keys, for conflicts that acked commits do not explain.
#[derive(Debug, Default)]
struct Writers<'v> {
    by_key: Map<&'v [u8], Writer>,
    /// The writers of any key, for ranges.
    any: Writer,
}

impl Writers<'_> {
    fn excuse(&self, loser: &Loser<'_>, conflict: &Conflict) -> bool {
        if conflict.winner.is_some_and(|version| version <= loser.start) {
            return false;
        }
        let writer = match (conflict.kind, conflict.winner) {
            // The version that the condition met is not reported.
            (ConflictKind::Cas, None) => return true,
            (ConflictKind::Range, _) => &self.any,
            _ => match self.by_key.get(conflict.key.as_slice()) {
                Some(writer) => writer,
                None => return false,
            },
        };
        let won = |&(version, invoked): &(Version, Time)| version > loser.start && invoked < loser.at;
        let may_have = |&(life, invoked): &(Life, Time)| life == loser.life && invoked < loser.at;
        conflict.winner.is_none() && writer.acked.iter().any(won)
            || writer.unanswered.iter().any(may_have)
            || writer.expires.is_some_and(|invoked| invoked < loser.at)
    }
}

fn misreported(loser: &Loser<'_>, conflict: &Conflict, why: &str) -> Violation {
    Violation {
        invariant: Invariant::Conflicts,
        class: AnomalyClass::BaselessAbort,
        txns: vec![loser.txn],
        keys: vec![conflict.key.clone()],
        message: format!(
            "T{} started at version {} and was aborted for a conflict on {}, {why}",
            loser.txn,
            loser.start,
            show(&conflict.key)
        ),
    }
}

fn baseless(loser: &Loser<'_>, held_by: Option<TxnIndex>) -> Violation {
    let conflict = &loser.conflicts[0];
    let key = show(&conflict.key);
    let why = match (held_by, conflict.winner) {
        (Some(txn), Some(version)) => {
            let version = show_version(version);
            format!(
                "with version {version} of {key}, which is that of T{txn}, and no write of it from before"
            )
        }
        _ => format!("on {key}, which no transaction had written since"),
    };
    Violation {
        invariant: Invariant::Conflicts,
        class: AnomalyClass::BaselessAbort,
        txns: [loser.txn].into_iter().chain(held_by).collect(),
        keys: vec![conflict.key.clone()],
        message: format!(
            "T{} started at version {} and was aborted for a conflict {why}",
            loser.txn,
            show_version(loser.start)
        ),
    }
}
