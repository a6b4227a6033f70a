//! Builds a [`View`] from the operations of a history.

use stormproof_workloads::History;
use stormproof_workloads::history::{Op, Outcome, Txn, TxnIndex};
use stormproof_workloads::store::{Bytes, Entry, Expected, Range, Version};

use super::{Condition, Content, How, Intermediate, KeyId, Map, Observed, Seen, View, Written};
use crate::formats::Notation;
use crate::verdict::{AnomalyClass, Invariant, Violation};

/// Maximum number of internal violations described.
const INTERNAL_MAX: usize = 256;

pub(super) fn build(history: &History, notation: Notation) -> View<'_> {
    let keys = sorted_keys(history);
    let mut ids = Map::with_capacity_and_hasher(keys.len(), foldhash::fast::FixedState::default());
    for (id, key) in keys.iter().enumerate() {
        ids.insert(*key, number(id));
    }
    let mut builder = Builder {
        ids,
        own: vec![(TxnIndex::MAX, 0); keys.len()],
        read: vec![(TxnIndex::MAX, 0); keys.len()],
        appended: Vec::new(),
        view: View {
            history,
            notation,
            keys,
            elements: Vec::new(),
            conditions: Vec::new(),
            intermediate: Vec::new(),
            reads: Vec::new(),
            writes: Vec::new(),
            begins: Vec::with_capacity(history.txns.len() + 1),
            internal: Vec::new(),
        },
    };
    for txn in &history.txns {
        builder.txn(txn);
    }
    builder.begin();
    builder.view
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn sorted_keys(history: &History) -> Vec<&[u8]> {
    let mut set: hashbrown::HashSet<&[u8], foldhash::fast::FixedState> = hashbrown::HashSet::default();
    for op in history.txns.iter().flat_map(|txn| &txn.ops) {
        match op {
            Op::Get { key, .. }
            | Op::Put { key, .. }
            | Op::PutExpiring { key, .. }
            | Op::Delete { key }
            | Op::DeleteIf { key, .. }
            | Op::Cas { key, .. }
            | Op::Append { key, .. }
            | Op::List { key, .. } => {
                set.insert(key);
            }
            Op::Scan { entries, .. } => set.extend(entries.iter().map(|entry| entry.key.as_slice())),
            Op::Failed { .. } => {}
        }
    }
    let mut keys: Vec<_> = set.into_iter().collect();
    keys.sort_unstable();
    keys
}

struct Builder<'h> {
    ids: Map<&'h [u8], KeyId>,
    /// By key: the transaction that wrote it last, and the place of that write in `view.writes`.
    own: Vec<(TxnIndex, usize)>,
    /// By key: the transaction that read it last, and the place of its first read in `view.reads`.
    read: Vec<(TxnIndex, usize)>,
    /// Elements appended by the current transaction.
    appended: Vec<(KeyId, &'h [u8])>,
    view: View<'h>,
}

impl<'h> Builder<'h> {
    fn txn(&mut self, txn: &'h Txn) {
        self.begin();
        let writes = self.view.writes.len();
        self.appended.clear();
        for op in &txn.ops {
            self.op(txn, op);
        }
        self.place_appended(writes);
    }

    /// Notes where the reads and writes of the next transaction begin.
    fn begin(&mut self) {
        self.view.begins.push((number(self.view.reads.len()), number(self.view.writes.len())));
    }

    fn op(&mut self, txn: &'h Txn, op: &'h Op) {
        match op {
            Op::Get { key, read } => {
                let seen = read.value.as_ref().map_or(Seen::Absent, |value| Seen::Value(value));
                self.add_read(txn, self.ids[key.as_slice()], seen, read.version, How::Get);
            }
            Op::List { key, elements, version } => self.list(txn, key, elements, *version),
            Op::Scan { range, limit, reverse, entries } => self.scan(txn, range, *limit, *reverse, entries),
            Op::Put { key, value } => self.write(txn, key, Content::Value(value)),
            Op::PutExpiring { key, value, ttl_ms: _ } => self.write(txn, key, Content::Expiring(value)),
            Op::Delete { key } => self.write(txn, key, Content::Absent),
            Op::Cas { key, expected, value } => {
                self.condition(txn, key, expected);
                self.write(txn, key, Content::Value(value));
            }
            Op::DeleteIf { key, expected } => {
                self.condition(txn, key, expected);
                self.write(txn, key, Content::Absent);
            }
            Op::Append { key, element } => self.append(txn, key, element),
            Op::Failed { .. } => {}
        }
    }

    fn write(&mut self, txn: &'h Txn, key: &'h [u8], content: Content<'h>) {
        let id = self.ids[key];
        let (owner, at) = self.own[id as usize];
        if owner == txn.index {
            if let Content::Value(value) | Content::Expiring(value) = self.view.writes[at].content {
                self.view.intermediate.push(Intermediate { txn: txn.index, key: id, value });
            }
            self.view.writes[at].content = content;
        } else {
            self.own[id as usize] = (txn.index, self.view.writes.len());
            self.view.writes.push(Written { key: id, content });
        }
    }

    fn append(&mut self, txn: &'h Txn, key: &'h [u8], element: &'h [u8]) {
        let id = self.ids[key];
        let (owner, at) = self.own[id as usize];
        if owner == txn.index {
            if let Some(&(_, last)) = self.appended.iter().rev().find(|(other, _)| *other == id) {
                self.view.intermediate.push(Intermediate { txn: txn.index, key: id, value: last });
            }
            if let Content::Appended { count, .. } = &mut self.view.writes[at].content {
                *count += 1;
            }
        } else {
            self.own[id as usize] = (txn.index, self.view.writes.len());
            self.view.writes.push(Written { key: id, content: Content::Appended { first: 0, count: 1 } });
        }
        self.appended.push((id, element));
    }

    /// Places the appended elements, those of one key side by side.
    fn place_appended(&mut self, writes: usize) {
        if self.appended.is_empty() {
            return;
        }
        self.appended.sort_by_key(|(key, _)| *key);
        let base = self.view.elements.len();
        self.view.elements.extend(self.appended.iter().map(|(_, element)| *element));
        for write in &mut self.view.writes[writes..] {
            if let Content::Appended { first, .. } = &mut write.content {
                *first = number(base + self.appended.partition_point(|(key, _)| *key < write.key));
            }
        }
    }

    fn condition(&mut self, txn: &'h Txn, key: &'h [u8], expected: &'h Expected) {
        let id = self.ids[key];
        let (owner, at) = self.own[id as usize];
        if owner == txn.index {
            let held = match (self.view.writes[at].content, expected) {
                (_, Expected::Version(_)) | (Content::Expiring(_) | Content::Appended { .. }, _) => true,
                (Content::Absent, expected) => *expected == Expected::Absent,
                (Content::Value(own), Expected::Value(value)) => own == value.as_slice(),
                (Content::Value(_), Expected::Absent) => false,
            };
            if !held {
                self.internal(txn, id, AnomalyClass::InternalInconsistency, |view| {
                    format!(
                        "wrote {} itself, then a condition on it held that contradicts it",
                        view.show(key)
                    )
                });
            }
            return;
        }
        if !matches!(txn.outcome, Outcome::Committed { .. } | Outcome::Unknown { .. }) {
            return;
        }
        self.view.conditions.push(Condition { txn: txn.index, key: id, expected });
        let seen = match expected {
            Expected::Version(_) => return,
            Expected::Value(value) => Seen::Value(value),
            Expected::Absent => Seen::Absent,
        };
        self.view.reads.push(Observed { key: id, seen, version: None, how: How::Condition });
    }

    fn list(&mut self, txn: &'h Txn, key: &'h [u8], elements: &'h [Bytes], version: Option<Version>) {
        let id = self.ids[key];
        let mut others = elements;
        if self.own[id as usize].0 == txn.index {
            let mine: Vec<&[u8]> =
                self.appended.iter().filter(|(other, _)| *other == id).map(|(_, element)| *element).collect();
            let split = elements.len().saturating_sub(mine.len());
            if !elements[split..].iter().map(Vec::as_slice).eq(mine.iter().copied()) {
                self.internal(txn, id, AnomalyClass::InternalInconsistency, |view| {
                    let mine: Vec<_> = mine.iter().map(|element| view.show(element)).collect();
                    let seen = view.show_seen(Seen::List(elements));
                    format!(
                        "appended [{}] to list {} itself and then read {seen}",
                        mine.join(" "),
                        view.show(key)
                    )
                });
                return;
            }
            others = &elements[..split];
        }
        self.external(txn, Observed { key: id, seen: Seen::List(others), version, how: How::Get });
    }

    /// Adds a read of a key by a get or a scan.
    fn add_read(&mut self, txn: &'h Txn, key: KeyId, seen: Seen<'h>, version: Option<Version>, how: How) {
        let (owner, at) = self.own[key as usize];
        if owner != txn.index {
            self.external(txn, Observed { key, seen, version, how });
            return;
        }
        let content = self.view.writes[at].content;
        let right = match (content, seen) {
            (Content::Absent, seen) => seen == Seen::Absent,
            (Content::Value(own), seen) => seen == Seen::Value(own),
            (Content::Expiring(own), seen) => seen == Seen::Absent || seen == Seen::Value(own),
            (Content::Appended { .. }, _) => true,
        };
        if !right {
            self.internal(txn, key, AnomalyClass::InternalInconsistency, |view| {
                let own = match content {
                    Content::Value(own) | Content::Expiring(own) => format!("wrote {}", view.show_value(own)),
                    _ => "deleted it".to_owned(),
                };
                let how = if how == How::Scan { "a scan" } else { "a get" };
                format!("{own} itself, and then {how} of it saw {}", view.show_seen(seen))
            });
        }
    }

    fn external(&mut self, txn: &'h Txn, read: Observed<'h>) {
        let (reader, at) = self.read[read.key as usize];
        if reader != txn.index {
            self.read[read.key as usize] = (txn.index, self.view.reads.len());
            self.view.reads.push(read);
            return;
        }
        let first = self.view.reads[at];
        let both = first.version.zip(read.version);
        if first.seen == read.seen && both.is_none_or(|(first, again)| first == again) {
            // A scan says less than a get: that it did not show a key is a statement about a range.
            if first.how == How::Scan && read.how == How::Get {
                self.view.reads[at].how = How::Get;
            }
            return;
        }
        self.view.reads.push(read);
        self.internal(txn, read.key, AnomalyClass::NonRepeatableRead, |view| {
            let at = |version: Option<Version>| version.map_or(String::new(), |v| format!(" at version {v}"));
            format!(
                "read {}{} and then {}{}, without having written it",
                view.show_seen(first.seen),
                at(first.version),
                view.show_seen(read.seen),
                at(read.version)
            )
        });
    }

    fn scan(
        &mut self,
        txn: &'h Txn,
        range: &'h Range,
        limit: Option<usize>,
        reverse: bool,
        entries: &'h [Entry],
    ) {
        let ordered = entries.windows(2).all(|pair| match reverse {
            false => pair[0].key < pair[1].key,
            true => pair[0].key > pair[1].key,
        });
        let inside = entries.iter().all(|entry| range.contains(&entry.key));
        if !ordered || !inside || limit.is_some_and(|limit| entries.len() > limit) {
            let key = entries.first().map_or(0, |entry| self.ids[entry.key.as_slice()]);
            self.internal(txn, key, AnomalyClass::MalformedScan, |_| {
                "scanned and got keys out of order, twice, outside of the range, or more than it asked for"
                    .to_owned()
            });
            return;
        }
        let mut from = self.view.keys.partition_point(|key| *key < range.start.as_slice());
        let mut to = range
            .end
            .as_ref()
            .map_or(self.view.keys.len(), |end| self.view.keys.partition_point(|key| *key < end.as_slice()))
            .max(from);
        if limit.is_some_and(|limit| entries.len() >= limit) {
            match entries.last() {
                None => to = from,
                Some(last) if reverse => from = self.ids[last.key.as_slice()] as usize,
                Some(last) => to = self.ids[last.key.as_slice()] as usize + 1,
            }
        }
        let mut left = entries;
        for id in from..to {
            let next = if reverse { left.last() } else { left.first() };
            let found = next.filter(|entry| entry.key == self.view.keys[id]);
            if found.is_some() {
                left = if reverse { &left[..left.len() - 1] } else { &left[1..] };
            }
            let seen = found.map_or(Seen::Absent, |entry| Seen::Value(&entry.value));
            let version = found.and_then(|entry| entry.version);
            self.add_read(txn, number(id), seen, version, How::Scan);
        }
    }

    fn internal(
        &mut self,
        txn: &Txn,
        key: KeyId,
        class: AnomalyClass,
        what: impl FnOnce(&View<'h>) -> String,
    ) {
        if self.view.internal.len() >= INTERNAL_MAX {
            return;
        }
        let invariant = match class {
            AnomalyClass::InternalInconsistency => Invariant::ReadYourWrites,
            AnomalyClass::NonRepeatableRead => Invariant::Repeatable,
            _ => Invariant::Snapshot,
        };
        let outcome = match txn.outcome {
            Outcome::Committed { .. } => "",
            _ => " (which did not commit)",
        };
        let name = self.view.key_name(key);
        let message = format!("T{}{outcome}, key {name}: {}", txn.index, what(&self.view));
        let keys = vec![self.view.keys[key as usize].to_vec()];
        self.view.internal.push(Violation { invariant, class, txns: vec![txn.index], keys, message });
    }
}
