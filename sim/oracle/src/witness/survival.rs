//! What each crash took: the cut between what survived and what did not, from what later lives read.

use stormproof_workloads::history::{Life, LifeEnd, Outcome, Txn, TxnIndex};
use stormproof_workloads::store::Version;

use super::Witness;
use super::commits::Commit;
use crate::expectations::Durability;
use crate::verdict::{AnomalyClass, Findings, Invariant, Violation};
use crate::view::{Content, How, KeyId, Map, Seen};

/// What survived: of each life all versions up to its cut.
#[derive(Debug)]
pub(super) struct Cuts {
    cuts: Vec<Version>,
    /// By life: the highest version that must be there when the next life opens.
    pub(super) floors: Vec<Version>,
    /// The first life at whose end the cut can't be right.
    pub(super) wrong_before: Option<Life>,
}

impl Cuts {
    pub(super) fn is_lost(&self, life: Life, version: Version) -> bool {
        version > self.cuts[life as usize]
    }
}

/// A reader and a key that prove something.
#[derive(Clone, Copy, Debug)]
struct Proof {
    version: Version,
    reader: TxnIndex,
    key: KeyId,
}

/// What is known about the end of one life.
#[derive(Clone, Copy, Debug, Default)]
struct Evidence {
    /// The highest version that a later life saw.
    seen: Option<Proof>,
    /// The lowest version that a later life missed.
    missed: Option<Proof>,
    /// The highest version that had to survive.
    durable: Option<Version>,
    /// The highest version that anybody had read, and who.
    visible: Option<Proof>,
}

/// For each key its versions over all lives, lost or not: version, life, whether it left the key absent.
type AllVersions<'h> = Vec<Vec<(Version, Life, Content<'h>)>>;

impl<'h> Witness<'_, 'h> {
    pub(super) fn cuts(&self, findings: &mut Findings) -> Cuts {
        let lives = self.commits.lives() as usize;
        let mut evidence = vec![Evidence::default(); lives];
        self.must_survive(&mut evidence);
        if lives > 1 {
            let all = self.all_versions();
            self.gather(&all, &mut evidence);
            self.missing_elements(&all, &mut evidence);
            self.absences(&all, &mut evidence);
        }
        let mut cuts = Cuts { cuts: vec![Version::MAX; lives], floors: vec![0; lives], wrong_before: None };
        for (life, proof) in evidence.iter().enumerate() {
            cuts.cuts[life] = proof.missed.map_or(Version::MAX, |missed| missed.version - 1);
            cuts.floors[life] = proof.durable.max(proof.seen.map(|seen| seen.version)).unwrap_or(0);
            let wrong = life + 1 < lives && self.judge(life, proof, findings);
            if wrong && cuts.wrong_before.is_none() {
                cuts.wrong_before = Life::try_from(life).ok();
            }
        }
        self.bounded_loss(&cuts, findings);
        cuts
    }

    /// Collects what reads say about the ends of lives before theirs.
    fn gather(&self, all: &AllVersions<'h>, evidence: &mut [Evidence]) {
        for reader in &self.view.history.txns {
            for read in self.view.reads(reader.index) {
                let versions = &all[read.key as usize];
                let Some(version) = read.version else { continue };
                let proof = |version| Proof { version, reader: reader.index, key: read.key };
                let life = self.commits.at(version).map(|commit| commit.life);
                if version > 0 {
                    let Some(life) = life.filter(|life| *life <= reader.life) else { continue };
                    for proofs in &mut evidence[life as usize..reader.life as usize] {
                        proofs.seen =
                            proofs.seen.filter(|old| old.version >= version).or(Some(proof(version)));
                    }
                    if life == reader.life {
                        let visible = &mut evidence[life as usize].visible;
                        *visible = visible.filter(|old| old.version >= version).or(Some(proof(version)));
                    }
                }
                let absent = read.seen == Seen::Absent;
                if absent && version == 0 {
                    // Says less than it seems to: see `absences`.
                    continue;
                }
                for before in life.unwrap_or(0)..reader.life {
                    let from =
                        versions.partition_point(|(other, life, _)| (*life, *other) <= (before, version));
                    let from = from.max(versions.partition_point(|(_, life, _)| *life < before));
                    let missed = versions[from..]
                        .iter()
                        .take_while(|(_, life, _)| *life == before)
                        .find(|(_, _, content)| !absent || *content != Content::Absent);
                    if let Some(&(missed, _, _)) = missed
                        && missed > version
                    {
                        let old = &mut evidence[before as usize].missed;
                        *old = old.filter(|old| old.version <= missed).or(Some(proof(missed)));
                    }
                }
            }
        }
    }

    /// Collects what absences without a version say: scans that did not find a key, reads of keys whose tombstones may
    /// have been collected. Each says that the surviving state had no such key, and by itself not which of several
    /// such states it was; so the cuts are lowered until all of them hold.
    fn absences(&self, all: &AllVersions<'h>, evidence: &mut [Evidence]) {
        let absent = self.unversioned_absences(all);
        // Every proof has to hold at the cuts that the others made; each round lowers one of them.
        let mut holding = 0;
        let mut at = 0;
        while holding < absent.len() {
            let proof = absent[at];
            at = (at + 1) % absent.len();
            holding += 1;
            let before = self.view.txn(proof.reader).life;
            let survives = |version: Version, life: Life| {
                life < before && evidence[life as usize].missed.is_none_or(|missed| version < missed.version)
            };
            let latest =
                all[proof.key as usize].iter().rev().find(|(version, life, _)| survives(*version, *life));
            if let Some((version, life, content)) = latest
                && matches!(content, Content::Value(_) | Content::Appended { .. })
            {
                // An unanswered delete explains it as well, and must where the value can't have been lost.
                let end = &mut evidence[*life as usize];
                let kept =
                    end.durable.max(end.seen.map(|seen| seen.version)).is_some_and(|kept| kept >= *version);
                if (kept || self.guess.deletes_first) && self.deleter(proof, *version, *life, &[]).is_some() {
                    continue;
                }
                end.missed = Some(Proof { version: *version, ..proof });
                holding = 0;
            }
        }
    }

    /// An unanswered delete whose effect somebody saw, as an absence that nothing else explains; with the versions
    /// between which it took effect.
    pub(super) fn unanswered_delete(
        &self,
        cuts: &Cuts,
        ignored: &[TxnIndex],
    ) -> Option<(TxnIndex, Version, Version)> {
        let all = self.all_versions();
        for reader in &self.view.history.txns {
            let started = reader.start_version.unwrap_or(0);
            for read in self.view.reads(reader.index) {
                if read.seen != Seen::Absent || read.version.unwrap_or(0) > 0 {
                    continue;
                }
                // A condition held when its transaction committed, a read when it began.
                let commit = self.commits.of_txn(reader.index).filter(|_| read.how == How::Condition);
                let started = commit.map_or(started, |commit| commit.version - 1);
                let there = |version: Version, life: Life| {
                    life < reader.life && !cuts.is_lost(life, version)
                        || life == reader.life && version <= started
                };
                let latest =
                    all[read.key as usize].iter().rev().find(|(version, life, _)| there(*version, *life));
                let Some((version, life, Content::Value(_) | Content::Appended { .. })) = latest else {
                    continue;
                };
                let proof = Proof { version: 0, reader: reader.index, key: read.key };
                if let Some(deleter) = self.deleter(proof, *version, *life, ignored) {
                    let of_life = self.view.txn(deleter).life;
                    let until = if of_life == reader.life { started } else { cuts.cuts[of_life as usize] };
                    return Some((deleter, *version, until));
                }
            }
        }
        None
    }

    /// A transaction that was never answered and explains why a reader did not find a value: it would have left the key
    /// absent, and had seen the value or come in a later life.
    fn deleter(
        &self,
        proof: Proof,
        value: Version,
        value_life: Life,
        ignored: &[TxnIndex],
    ) -> Option<TxnIndex> {
        let until = self.view.txn(proof.reader).life;
        let explains = |txn: &&Txn| {
            matches!(txn.outcome, Outcome::Unknown { .. })
                && (value_life..=until).contains(&txn.life)
                && txn.start_version.unwrap_or(0) >= value
                && self.commits.of_txn(txn.index).is_none()
                && !ignored.contains(&txn.index)
                && self.view.writes(txn.index).iter().any(|write| {
                    write.key == proof.key && matches!(write.content, Content::Absent | Content::Expiring(_))
                })
        };
        self.view.history.txns.iter().find(explains).map(|txn| txn.index)
    }

    /// Absences without a version, of keys that the reader's own life had not touched yet.
    fn unversioned_absences(&self, all: &AllVersions<'h>) -> Vec<Proof> {
        let mut absent: Vec<Proof> = Vec::new();
        for reader in self.view.history.txns.iter().filter(|reader| reader.life > 0) {
            for read in self.view.reads(reader.index) {
                let gone = read.seen == Seen::Absent && read.version.unwrap_or(0) == 0;
                let started = reader.start_version.unwrap_or(0);
                let untouched = || {
                    let mut versions = all[read.key as usize].iter();
                    !versions.any(|(version, life, _)| *life == reader.life && *version <= started)
                };
                if gone && read.how != How::Condition && untouched() {
                    absent.push(Proof { version: 0, reader: reader.index, key: read.key });
                }
            }
        }
        absent
    }

    /// Collects what lists say that lack elements of earlier lives.
    fn missing_elements(&self, all: &AllVersions<'h>, evidence: &mut [Evidence]) {
        for reader in self.view.history.txns.iter().filter(|reader| reader.life > 0) {
            for read in self.view.reads(reader.index) {
                let Seen::List(elements) = read.seen else { continue };
                let versions = &all[read.key as usize];
                if versions.iter().any(|(_, _, content)| !matches!(content, Content::Appended { .. })) {
                    continue;
                }
                let there: Map<&[u8], ()> = elements.iter().map(|element| (element.as_slice(), ())).collect();
                for (version, life, content) in versions.iter().take_while(|(_, life, _)| *life < reader.life)
                {
                    if self.view.appended(*content).iter().any(|element| !there.contains_key(element)) {
                        let old = &mut evidence[*life as usize].missed;
                        let proof = Proof { version: *version, reader: reader.index, key: read.key };
                        *old = old.filter(|old| old.version <= *version).or(Some(proof));
                    }
                }
            }
        }
    }

    fn all_versions(&self) -> AllVersions<'h> {
        let mut all: AllVersions<'h> = vec![Vec::new(); self.view.keys.len()];
        for commit in &self.commits.list {
            for write in self.view.writes(commit.txn) {
                all[write.key as usize].push((commit.version, commit.life, write.content));
            }
        }
        all
    }

    fn must_survive(&self, evidence: &mut [Evidence]) {
        if self.expectations.durability == Durability::None {
            return;
        }
        for commit in &self.commits.list {
            if self.is_durable(commit) {
                let durable = &mut evidence[commit.life as usize].durable;
                *durable = (*durable).max(Some(commit.version));
            }
        }
    }

    /// Whether no crash may take it back.
    fn is_durable(&self, commit: &Commit) -> bool {
        let Outcome::Committed { durable, .. } = self.view.txn(commit.txn).outcome else { return false };
        let closed = matches!(self.commits.ends[commit.life as usize], Some((_, LifeEnd::Closed)));
        durable.is_some() || closed || self.expectations.durability == Durability::Strict
    }

    /// Compares what must be there after a life with what was; returns whether there is no right cut.
    fn judge(&self, life: usize, evidence: &Evidence, findings: &mut Findings) -> bool {
        let Some(missed) = evidence.missed else { return false };
        let mut wrong = false;
        if let Some(durable) = evidence.durable.filter(|durable| *durable >= missed.version) {
            wrong = true;
            findings.add(|| self.lost_ack(life, missed, durable));
        }
        if self.expectations.durability == Durability::None {
            return wrong;
        }
        if let Some(seen) = evidence.seen.filter(|seen| seen.version >= missed.version) {
            wrong = true;
            findings.add(|| self.no_prefix(missed, seen));
        }
        let strict = self.expectations.durability == Durability::Strict;
        if let Some(visible) = evidence.visible.filter(|visible| strict && visible.version >= missed.version)
            && !wrong
        {
            wrong = true;
            findings.add(|| Violation {
                invariant: Invariant::VisibleSurvives,
                class: AnomalyClass::LostVisible,
                txns: vec![visible.reader, missed.reader],
                keys: self.keys_of(&[visible.key, missed.key]),
                message: format!(
                    "T{} read version {} of {}, and after the crash T{} finds version {} of {} gone: what was \
                     visible did not survive",
                    visible.reader,
                    visible.version,
                    self.view.key_name(visible.key),
                    missed.reader,
                    missed.version,
                    self.view.key_name(missed.key)
                ),
            });
        }
        wrong
    }

    fn lost_ack(&self, life: usize, missed: Proof, durable: Version) -> Violation {
        let name = self.view.key_name(missed.key);
        let owner = self.commits.at(missed.version);
        let own = owner.is_some_and(|commit| self.is_durable(commit));
        let mut txns = vec![missed.reader];
        txns.extend(owner.map(|commit| commit.txn));
        let message = if own {
            format!(
                "T{} was acked as durable at version {}, and after the end of life {life} T{} does not find what it \
                 wrote to {name}",
                owner.map_or(0, |commit| commit.txn),
                missed.version,
                missed.reader
            )
        } else {
            txns.extend(self.commits.at(durable).map(|commit| commit.txn));
            format!(
                "version {durable} was acked as durable, and after the end of life {life} T{} does not find the \
                 earlier version {} of {name}",
                missed.reader, missed.version
            )
        };
        let keys = self.keys_of(&[missed.key]);
        Violation { invariant: Invariant::AckedSurvives, class: AnomalyClass::LostAck, txns, keys, message }
    }

    fn no_prefix(&self, missed: Proof, seen: Proof) -> Violation {
        let (seen_in, missed_in) = (self.view.txn(seen.reader), self.view.txn(missed.reader));
        let same = seen.version == missed.version;
        let class = if !same {
            AnomalyClass::PrefixHole
        } else if missed_in.life < seen_in.life {
            AnomalyClass::Resurrected
        } else if missed_in.life > seen_in.life {
            AnomalyClass::Vanished
        } else if missed.key != seen.key || missed.reader == seen.reader {
            AnomalyClass::TornCommit
        } else if missed_in.begun < seen_in.begun {
            AnomalyClass::LateAppearance
        } else {
            AnomalyClass::Vanished
        };
        let why = match class {
            AnomalyClass::PrefixHole => "a later commit survived and an earlier one did not",
            AnomalyClass::Resurrected => "what one recovery had discarded, a later one brought back",
            AnomalyClass::TornCommit => "a part of the commit survived and a part did not",
            AnomalyClass::LateAppearance => "it appeared after recovery had ended",
            _ => "what had survived was gone later",
        };
        let txns = [seen.version, missed.version]
            .into_iter()
            .filter_map(|version| self.commits.at(version))
            .map(|commit| commit.txn)
            .chain([seen.reader, missed.reader]);
        let mut distinct: Vec<TxnIndex> = Vec::new();
        for txn in txns {
            if !distinct.contains(&txn) {
                distinct.push(txn);
            }
        }
        Violation {
            invariant: Invariant::PrefixSurvives,
            class,
            txns: distinct,
            keys: self.keys_of(&[seen.key, missed.key]),
            message: format!(
                "after the crash T{} (life {}) sees version {} of {} and T{} (life {}) misses version {} of {}: {why}",
                seen.reader,
                seen_in.life,
                seen.version,
                self.view.key_name(seen.key),
                missed.reader,
                missed_in.life,
                missed.version,
                self.view.key_name(missed.key)
            ),
        }
    }

    fn keys_of(&self, ids: &[KeyId]) -> Vec<Vec<u8>> {
        let mut keys: Vec<_> = ids.iter().map(|id| self.view.keys[*id as usize].to_vec()).collect();
        keys.dedup();
        keys
    }

    /// D4: fewer acked commits are lost than the bound.
    fn bounded_loss(&self, cuts: &Cuts, findings: &mut Findings) {
        let Durability::Batched { commits_max: Some(bound) } = self.expectations.durability else { return };
        for life in 0..self.commits.lives() {
            let lost: Vec<&Commit> = self.commits.list[self.commits.of_life(life)]
                .iter()
                .filter(|commit| commit.acked.is_some() && cuts.is_lost(life, commit.version))
                .collect();
            if lost.len() as u64 >= bound {
                findings.add(|| Violation {
                    invariant: Invariant::BoundedLoss,
                    class: AnomalyClass::ExcessiveLoss,
                    txns: lost.iter().map(|commit| commit.txn).collect(),
                    keys: Vec::new(),
                    message: format!(
                        "the end of life {life} took {} acked commits, from version {} on; fewer than {bound} may go",
                        lost.len(),
                        lost.first().map_or(0, |commit| commit.version)
                    ),
                });
            }
        }
    }
}
