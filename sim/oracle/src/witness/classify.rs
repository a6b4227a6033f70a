//! Classifies a read that does not fit its snapshot; runs only for violations.

use stormproof_workloads::history::{Outcome, TxnIndex};
use stormproof_workloads::store::Version;

use super::chain::{Chain, Entry};
use super::context::Witness;
use crate::verdict::{AnomalyClass, Invariant, Violation};
use crate::view::{Content, How, Observed, Seen, show, show_version};

impl Witness<'_, '_> {
    pub(super) fn classify(
        &self,
        chain: &Chain<'_>,
        reader: TxnIndex,
        start: Version,
        read: &Observed<'_>,
    ) -> Violation {
        let expected = chain.latest(start).map(|at| &chain.entries[at]);
        let (invariant, class, other, why) = self.reason(chain, expected, reader, start, read);
        let name = self.view.key_name(read.key);
        let version =
            read.version.map_or(String::new(), |version| format!(" at version {}", show_version(version)));
        let how = if read.how == How::Scan { "scanned" } else { "read" };
        let (due, start) = (self.due(chain, expected), show_version(start));
        let message = format!(
            "T{reader}, which started at version {start}, {how} key {name} and saw {}{version}, but {due}: {why}",
            self.view.show_seen(read.seen)
        );
        let mut txns = vec![reader];
        txns.extend(other);
        txns.extend(expected.map(|entry| entry.txn).filter(|txn| other != Some(*txn)));
        let keys = vec![self.view.keys[read.key as usize].to_vec()];
        Violation { invariant, class, txns, keys, message }
    }

    fn due(&self, chain: &Chain<'_>, expected: Option<&Entry<'_>>) -> String {
        let Some(entry) = expected else { return "the key did not exist then".to_owned() };
        let what = match entry.content {
            Content::Absent => "had deleted it".to_owned(),
            Content::Value(value) | Content::Expiring(value) => format!("had written \"{}\"", show(value)),
            Content::Appended { .. } => {
                let elements: Vec<_> = chain.elements[..entry.length].iter().map(|one| show(one)).collect();
                format!("had made it [{}]", elements.join(" "))
            }
        };
        format!("T{} {what} at version {}", entry.txn, show_version(entry.version))
    }

    /// Returns the violated promise, the kind of anomaly, the other transaction, and the reason.
    fn reason(
        &self,
        chain: &Chain<'_>,
        expected: Option<&Entry<'_>>,
        reader: TxnIndex,
        start: Version,
        read: &Observed<'_>,
    ) -> (Invariant, AnomalyClass, Option<TxnIndex>, String) {
        if let Some((class, txn, why)) = self.uncommitted(reader, read) {
            return (Invariant::CommittedOnly, class, txn, why);
        }
        let Some(found) = self.found(chain, read) else {
            if expected.is_some_and(|entry| read.version == Some(entry.version)) {
                let why = "the version is the right one and what was seen is not".to_owned();
                return (Invariant::Versions, AnomalyClass::VersionMismatch, None, why);
            }
            let why = "it is no state that the key ever had".to_owned();
            return (Invariant::Snapshot, AnomalyClass::StaleRead, None, why);
        };
        let due = expected.map_or(0, |entry| entry.version);
        if found == due {
            let why = "what was seen is right and its version is not".to_owned();
            return (Invariant::Versions, AnomalyClass::VersionMismatch, None, why);
        }
        let other = self.commits.at(found).map(|commit| commit.txn);
        if found > start {
            let why = format!("version {} is later than the snapshot", show_version(found));
            return (Invariant::Snapshot, AnomalyClass::FutureRead, other, why);
        }
        if found > due {
            let why = format!("version {} is not there any more, or never was", show_version(found));
            return (Invariant::PrefixSurvives, AnomalyClass::Resurrected, other, why);
        }
        let torn = expected.and_then(|entry| self.other_part_seen(reader, entry));
        if let Some(key) = torn {
            let why = format!("of that commit it saw {}, and not this", self.view.key_name(key));
            return (Invariant::Snapshot, AnomalyClass::FracturedRead, other, why);
        }
        let (class, why) = match (read.how, read.seen) {
            (How::Scan, Seen::Absent) => (AnomalyClass::Phantom, "the scan missed it"),
            (How::Scan, _) if expected.is_some_and(|entry| entry.content == Content::Absent) => {
                (AnomalyClass::Phantom, "the scan showed what was gone")
            }
            _ => (AnomalyClass::StaleRead, "the read missed it"),
        };
        (Invariant::Snapshot, class, other, why.to_owned())
    }

    /// Returns the version that the read saw, as its value tells, or else as it was reported.
    fn found(&self, chain: &Chain<'_>, read: &Observed<'_>) -> Option<Version> {
        let fits = |at: usize| super::chain::matches(chain, Some(at), &Observed { version: None, ..*read });
        let reported = read.version.filter(|version| *version == 0 || self.commits.at(*version).is_some());
        let by_value =
            || (0..chain.entries.len()).rev().find(|&at| fits(at)).map(|at| chain.entries[at].version);
        match reported {
            Some(version) => {
                let at = chain.entries.iter().position(|entry| entry.version == version);
                let right = at.map_or(read.seen == Seen::Absent || version > 0, fits);
                if right { Some(version) } else { by_value() }
            }
            None => by_value().or((read.seen == Seen::Absent).then_some(0)),
        }
    }

    /// Returns whether what was seen comes from a transaction that must have no effect, or from none at all.
    fn uncommitted(
        &self,
        reader: TxnIndex,
        read: &Observed<'_>,
    ) -> Option<(AnomalyClass, Option<TxnIndex>, String)> {
        let seen = match read.seen {
            Seen::Value(value) => value,
            Seen::List(elements) => elements.last()?.as_slice(),
            Seen::Absent => return None,
        };
        let mut dead = None;
        for txn in &self.view.history.txns {
            let wrote =
                self.view.writes(txn.index).iter().filter(|write| write.key == read.key).any(|write| {
                    match write.content {
                        Content::Value(value) | Content::Expiring(value) => value == seen,
                        Content::Appended { .. } => self.view.appended(write.content).last() == Some(&seen),
                        Content::Absent => false,
                    }
                });
            let alive = matches!(txn.outcome, Outcome::Committed { .. } | Outcome::Unknown { .. });
            if wrote && alive {
                return None;
            }
            if wrote && txn.index != reader {
                dead = Some(txn);
            }
        }
        if let Some(txn) = dead {
            let state = if matches!(txn.outcome, Outcome::Aborted { .. }) {
                "was aborted"
            } else {
                "never committed"
            };
            let why = format!("it was written by T{}, which {state}", txn.index);
            return Some((AnomalyClass::AbortedRead, Some(txn.index), why));
        }
        let passed = |value: &&crate::view::Intermediate<'_>| value.key == read.key && value.value == seen;
        if let Some(middle) = self.view.intermediate.iter().find(passed) {
            let why = format!("T{} wrote it and overwrote it itself before it committed", middle.txn);
            return Some((AnomalyClass::IntermediateRead, Some(middle.txn), why));
        }
        let inside = self.view.elements.contains(&seen) && matches!(read.seen, Seen::List(_));
        (!inside).then(|| (AnomalyClass::GarbageRead, None, "no transaction wrote that value".to_owned()))
    }

    /// Returns a key by which the reader saw the commit of `entry`.
    fn other_part_seen(&self, reader: TxnIndex, entry: &Entry<'_>) -> Option<u32> {
        let reads = self.view.reads(reader);
        reads.iter().find(|read| read.version == Some(entry.version)).map(|read| read.key)
    }
}
