//! The cut of each crash: which commits survived and which did not, from the reads of later lives.

use stormproof_workloads::history::{Life, LifeEnd, Outcome, TxnIndex};
use stormproof_workloads::store::Version;

use super::commits::Commit;
use super::context::Witness;
use crate::expectations::Durability;
use crate::verdict::{AnomalyClass, Findings, Invariant, Violation};
use crate::view::{Content, KeyId, show_version};

/// The cuts: of each life, all versions up to its cut survived.
#[derive(Debug)]
pub(super) struct Cuts {
    cuts: Vec<Version>,
    /// By life: the highest version that must be there when the next life opens.
    pub(super) floors: Vec<Version>,
    /// The first life whose cut is inconsistent.
    pub(super) wrong_before: Option<Life>,
    /// The keys whose reads decided the cuts.
    pub(super) decided_by: Vec<KeyId>,
}

impl Cuts {
    pub(super) fn is_lost(&self, life: Life, version: Version) -> bool {
        version > self.cuts[life as usize]
    }
}

/// A version with the reader and the key that prove something about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proof {
    pub(super) version: Version,
    pub(super) reader: TxnIndex,
    pub(super) key: KeyId,
}

/// Evidence about the end of one life.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    /// The highest version that a later life saw.
    seen: Option<Proof>,
    /// The lowest version that a later life missed.
    pub(super) missed: Option<Proof>,
    /// The highest version that had to survive.
    durable: Option<Version>,
    /// The highest version that was read, with its reader.
    visible: Option<Proof>,
}

/// Keeps the higher of two proofs.
fn raise(old: &mut Option<Proof>, new: Proof) {
    if old.is_none_or(|old| old.version < new.version) {
        *old = Some(new);
    }
}

/// A version of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owned<'h> {
    pub(super) commit: Commit,
    pub(super) content: Content<'h>,
    /// Number of elements that its life appended up to here, if it only appended to the key.
    pub(super) appended: Option<usize>,
}

/// By key: its versions over all lives, lost or not.
pub(super) type AllVersions<'h> = Vec<Vec<Owned<'h>>>;

impl<'h> Witness<'_, 'h> {
    pub(super) fn cuts(&self, findings: &mut Findings) -> Cuts {
        let lives = self.commits.lives() as usize;
        let mut evidence = vec![Evidence::default(); lives];
        self.must_survive(&mut evidence);
        let mut decided_by = Vec::new();
        if lives > 1 {
            // What reads prove to have survived is gathered before demands lower any cut, so that a cut below
            // a survivor is reported as a hole and not taken for the end of the prefix.
            let all = self.all_versions();
            self.gather(&all, &mut evidence);
            decided_by = self.demands(&all, &mut evidence);
        }
        let (floors, cuts) = (vec![0; lives], vec![Version::MAX; lives]);
        let mut cuts = Cuts { cuts, floors, wrong_before: None, decided_by };
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

    /// Collects evidence from reads: versions that survived earlier lives, and versions that were visible.
    fn gather(&self, all: &AllVersions<'h>, evidence: &mut [Evidence]) {
        for reader in &self.view.history.txns {
            for read in self.view.reads(reader.index) {
                let proof = |version| Proof { version, reader: reader.index, key: read.key };
                let Some(version) = read.version else {
                    if let Some(version) = self.own_version(all, reader.life, reader.start_version, read.key)
                    {
                        raise(&mut evidence[reader.life as usize].visible, proof(version));
                    }
                    continue;
                };
                let Some(commit) = self.commits.at(version).filter(|commit| commit.life <= reader.life)
                else {
                    continue;
                };
                for proofs in &mut evidence[commit.life as usize..reader.life as usize] {
                    raise(&mut proofs.seen, proof(version));
                }
                if commit.life == reader.life {
                    raise(&mut evidence[commit.life as usize].visible, proof(version));
                }
            }
        }
    }

    /// Returns the version of the reader's own life that a read without a version must have seen.
    fn own_version(
        &self,
        all: &AllVersions<'h>,
        life: Life,
        start: Option<Version>,
        key: KeyId,
    ) -> Option<Version> {
        let start = start?;
        let versions = &all[key as usize];
        let end = versions.partition_point(|one| (one.commit.life, one.commit.version) <= (life, start));
        let latest = versions[..end].last()?.commit;
        (latest.life == life).then_some(latest.version)
    }

    fn all_versions(&self) -> AllVersions<'h> {
        let mut all: AllVersions<'h> = vec![Vec::new(); self.view.keys.len()];
        for commit in &self.commits.list {
            for write in self.view.writes(commit.txn) {
                let versions = &mut all[write.key as usize];
                let before = versions.last().filter(|one| one.commit.life == commit.life);
                let before = before.map_or(Some(0), |one| one.appended);
                let more = match write.content {
                    Content::Appended { count, .. } => Some(count as usize),
                    _ => None,
                };
                let appended = before.zip(more).map(|(before, more)| before + more);
                versions.push(Owned { commit: *commit, content: write.content, appended });
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

    /// Returns whether the commit must survive every crash.
    fn is_durable(&self, commit: &Commit) -> bool {
        let Outcome::Committed { durable, .. } = self.view.txn(commit.txn).outcome else { return false };
        let closed = matches!(self.commits.ends[commit.life as usize], Some((_, LifeEnd::Closed)));
        durable.is_some() || closed || self.expectations.durability == Durability::Strict
    }

    /// Compares what must survive a life with what did; returns whether the cut is inconsistent.
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
                    show_version(visible.version),
                    self.view.key_name(visible.key),
                    missed.reader,
                    show_version(missed.version),
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
                show_version(missed.version),
                missed.reader
            )
        } else {
            txns.extend(self.commits.at(durable).map(|commit| commit.txn));
            format!(
                "version {} was acked as durable, and after the end of life {life} T{} does not find the \
                 earlier version {} of {name}",
                show_version(durable),
                missed.reader,
                show_version(missed.version)
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
                show_version(seen.version),
                self.view.key_name(seen.key),
                missed.reader,
                missed_in.life,
                show_version(missed.version),
                self.view.key_name(missed.key)
            ),
        }
    }

    fn keys_of(&self, ids: &[KeyId]) -> Vec<Vec<u8>> {
        let mut keys: Vec<_> = ids.iter().map(|id| self.view.keys[*id as usize].to_vec()).collect();
        keys.dedup();
        keys
    }

    /// Checks D4: fewer acked commits are lost than the bound.
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
                        show_version(lost.first().map_or(0, |commit| commit.version))
                    ),
                });
            }
        }
    }
}
