//! The slow, obviously correct checker: tries every order of the transactions and replays states.
//!
//! Definitions by states: N. Crooks et al., "Seeing is believing: a client-centric specification of database
//! isolation", PODC 2017; read-atomic and causal by commit orders: R. Biswas and C. Enea, OOPSLA 2019. Shares
//! no code with the checkers that it judges.

use std::collections::{BTreeMap, BTreeSet};

use stormproof_oracle::Level;
use stormproof_workloads::History;
use stormproof_workloads::history::{Op, Outcome, Txn};
use stormproof_workloads::store::Expected;

type Bytes = Vec<u8>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Plain(Bytes),
    List(Vec<Bytes>),
}

type State = BTreeMap<Bytes, Value>;

/// Something that a transaction saw of others.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    key: Bytes,
    value: Option<Value>,
    /// A scan did not show the key.
    unscanned: bool,
}

#[derive(Debug)]
struct Node<'h> {
    txn: &'h Txn,
    must: bool,
    seen: Vec<Seen>,
    wrote: BTreeSet<Bytes>,
    before: Vec<usize>,
}

/// Whether some order of the committed transactions, with any of the unanswered ones, explains what all saw.
pub(crate) fn holds(history: &History, level: Level) -> bool {
    if Family::of(level) == Family::Uncommitted && !reads_of_somebody(history) {
        return false;
    }
    let keys = all_keys(history);
    let mut nodes = Vec::new();
    for txn in &history.txns {
        let must = matches!(txn.outcome, Outcome::Committed { .. });
        if !must && !matches!(txn.outcome, Outcome::Unknown { .. }) {
            continue;
        }
        match external(txn, &keys) {
            Some((seen, wrote)) => nodes.push(Node { txn, must, seen, wrote, before: Vec::new() }),
            None if must => return false,
            None => {}
        }
    }
    if Family::of(level) == Family::Uncommitted {
        // What may have been aborted is no part of the order of writes.
        nodes.retain(|node| node.must);
    }
    for later in 0..nodes.len() {
        nodes[later].before =
            (0..nodes.len()).filter(|&earlier| precedes(&nodes[earlier], &nodes[later], level)).collect();
    }
    let mut search = Search {
        family: Family::of(level),
        dead: dead_elements(history),
        nodes: &nodes,
        order: Vec::new(),
        states: vec![State::new()],
        visible: vec![BTreeSet::new(); nodes.len()],
    };
    search.extend()
}

fn precedes(earlier: &Node<'_>, later: &Node<'_>, level: Level) -> bool {
    let Outcome::Committed { acked, .. } = earlier.txn.outcome else { return false };
    let session = earlier.txn.session == later.txn.session && earlier.txn.index < later.txn.index;
    let time = acked < later.txn.begun;
    match level {
        Level::Causal
        | Level::ParallelSnapshotIsolation
        | Level::StrongSessionReadUncommitted
        | Level::StrongSessionReadCommitted
        | Level::StrongSessionPrefixConsistency
        | Level::StrongSessionSnapshotIsolation
        | Level::StrongSessionSerializable => session,
        Level::StrongReadUncommitted
        | Level::StrongReadCommitted
        | Level::StrictSnapshotIsolation
        | Level::StrictSerializable => session || time,
        _ => false,
    }
}

/// Levels that differ only in the order of sessions and in real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Uncommitted,
    Committed,
    Cursor,
    Repeatable,
    Atomic,
    Causal,
    Consistent,
    Prefix,
    Snapshot,
    Serial,
}

impl Family {
    fn of(level: Level) -> Self {
        match level {
            Level::ReadUncommitted | Level::StrongSessionReadUncommitted | Level::StrongReadUncommitted => {
                Self::Uncommitted
            }
            Level::ReadCommitted | Level::StrongSessionReadCommitted | Level::StrongReadCommitted => {
                Self::Committed
            }
            Level::CursorStability => Self::Cursor,
            Level::RepeatableRead => Self::Repeatable,
            Level::ReadAtomic => Self::Atomic,
            Level::Causal => Self::Causal,
            Level::ConsistentView | Level::ParallelSnapshotIsolation => Self::Consistent,
            Level::PrefixConsistency | Level::StrongSessionPrefixConsistency => Self::Prefix,
            Level::SnapshotIsolation
            | Level::StrongSessionSnapshotIsolation
            | Level::StrictSnapshotIsolation => Self::Snapshot,
            Level::Serializable | Level::StrongSessionSerializable | Level::StrictSerializable => {
                Self::Serial
            }
        }
    }
}

/// Whether every value that a committed transaction read of another was written by one, however that ended.
fn reads_of_somebody(history: &History) -> bool {
    let wrote = |reader: &Txn, wanted: &dyn Fn(&Op) -> bool| {
        history.txns.iter().filter(|txn| txn.index != reader.index).flat_map(|txn| &txn.ops).any(wanted)
    };
    let keys = all_keys(history);
    let committed = history.txns.iter().filter(|txn| matches!(txn.outcome, Outcome::Committed { .. }));
    committed.into_iter().all(|txn| {
        let Some((seen, _)) = external(txn, &keys) else { return false };
        seen.iter().all(|seen| match &seen.value {
            None => true,
            Some(Value::Plain(value)) => wrote(txn, &|op| match op {
                Op::Put { key, value: other } | Op::Cas { key, value: other, .. } => {
                    *key == seen.key && other == value
                }
                _ => false,
            }),
            Some(Value::List(elements)) => elements.iter().all(|element| {
                let appends = |op: &Op| matches!(op, Op::Append { key, element: other } if *key == seen.key && other == element);
                wrote(txn, &appends)
            }),
        })
    })
}

/// List elements of transactions that did not certainly commit.
fn dead_elements(history: &History) -> BTreeSet<(Bytes, Bytes)> {
    let dead = history.txns.iter().filter(|txn| !matches!(txn.outcome, Outcome::Committed { .. }));
    dead.flat_map(|txn| &txn.ops)
        .filter_map(|op| match op {
            Op::Append { key, element } => Some((key.clone(), element.clone())),
            _ => None,
        })
        .collect()
}

fn all_keys(history: &History) -> BTreeSet<Bytes> {
    let mut keys = BTreeSet::new();
    for op in history.txns.iter().flat_map(|txn| &txn.ops) {
        match op {
            Op::Get { key, .. }
            | Op::Put { key, .. }
            | Op::PutExpiring { key, .. }
            | Op::Delete { key }
            | Op::Cas { key, .. }
            | Op::DeleteIf { key, .. }
            | Op::Append { key, .. }
            | Op::List { key, .. } => {
                keys.insert(key.clone());
            }
            Op::Scan { entries, .. } => keys.extend(entries.iter().map(|entry| entry.key.clone())),
            Op::Failed { .. } => {}
        }
    }
    keys
}

/// What a transaction saw of others and which keys it wrote; `None` if it contradicts itself.
fn external(txn: &Txn, keys: &BTreeSet<Bytes>) -> Option<(Vec<Seen>, BTreeSet<Bytes>)> {
    let mut own: BTreeMap<Bytes, Option<Value>> = BTreeMap::new();
    let mut seen = Vec::new();
    for op in &txn.ops {
        match op {
            Op::Get { key, read } => {
                see(&own, &mut seen, key, read.value.clone().map(Value::Plain), false)?;
            }
            Op::Scan { entries, limit: None, range, .. } => {
                for key in keys.iter().filter(|key| range.contains(key)) {
                    let found = entries.iter().find(|entry| entry.key == *key);
                    see(
                        &own,
                        &mut seen,
                        key,
                        found.map(|entry| Value::Plain(entry.value.clone())),
                        found.is_none(),
                    )?;
                }
            }
            Op::Scan { .. } | Op::PutExpiring { .. } | Op::Failed { .. } => unreachable!("not generated"),
            Op::Put { key, value } => {
                own.insert(key.clone(), Some(Value::Plain(value.clone())));
            }
            Op::Delete { key } => {
                own.insert(key.clone(), None);
            }
            Op::Cas { key, expected, .. } | Op::DeleteIf { key, expected } => {
                let demanded = match expected {
                    Expected::Value(value) => Some(Value::Plain(value.clone())),
                    _ => None,
                };
                see(&own, &mut seen, key, demanded, false)?;
                let left = match op {
                    Op::Cas { value, .. } => Some(Value::Plain(value.clone())),
                    _ => None,
                };
                own.insert(key.clone(), left);
            }
            Op::Append { key, element } => {
                match own.entry(key.clone()).or_insert(Some(Value::List(Vec::new()))) {
                    Some(Value::List(elements)) => elements.push(element.clone()),
                    _ => unreachable!("not generated"),
                }
            }
            Op::List { key, elements, .. } => {
                let mine = match own.get(key) {
                    Some(Some(Value::List(mine))) => mine.as_slice(),
                    _ => &[],
                };
                let others = elements.strip_suffix(mine)?;
                let value = (!others.is_empty()).then(|| Value::List(others.to_vec()));
                seen.push(Seen { key: key.clone(), value, unscanned: false });
            }
        }
    }
    Some((seen, own.into_keys().collect()))
}

fn see(
    own: &BTreeMap<Bytes, Option<Value>>,
    seen: &mut Vec<Seen>,
    key: &[u8],
    value: Option<Value>,
    unscanned: bool,
) -> Option<()> {
    match own.get(key) {
        Some(mine) => (*mine == value).then_some(()),
        None => {
            seen.push(Seen { key: key.to_vec(), value, unscanned });
            Some(())
        }
    }
}

fn apply(state: &mut State, txn: &Txn) {
    for op in &txn.ops {
        match op {
            Op::Put { key, value } | Op::Cas { key, value, .. } => {
                state.insert(key.clone(), Value::Plain(value.clone()));
            }
            Op::Delete { key } | Op::DeleteIf { key, .. } => {
                state.remove(key);
            }
            Op::Append { key, element } => {
                match state.entry(key.clone()).or_insert(Value::List(Vec::new())) {
                    Value::List(elements) => elements.push(element.clone()),
                    Value::Plain(_) => unreachable!("not generated"),
                }
            }
            _ => {}
        }
    }
}

struct Search<'s, 'h> {
    family: Family,
    /// List elements of transactions that did not certainly commit.
    dead: BTreeSet<(Bytes, Bytes)>,
    nodes: &'s [Node<'h>],
    order: Vec<usize>,
    /// `states[n]` is what the first `n` of the order left.
    states: Vec<State>,
    /// Causal: what each placed one depends on.
    visible: Vec<BTreeSet<usize>>,
}

impl Search<'_, '_> {
    fn extend(&mut self) -> bool {
        if (0..self.nodes.len()).all(|node| !self.nodes[node].must || self.order.contains(&node)) {
            return self.family != Family::Uncommitted || self.lists_grow();
        }
        for next in 0..self.nodes.len() {
            let node = &self.nodes[next];
            let ready = node.before.iter().all(|before| self.order.contains(before));
            if self.order.contains(&next) || !ready {
                continue;
            }
            for sources in self.explanations(next) {
                let Some(visible) = self.allowed(next, &sources) else { continue };
                self.visible[next] = visible;
                let mut state = self.states[self.order.len()].clone();
                apply(&mut state, node.txn);
                self.states.push(state);
                self.order.push(next);
                let found = self.extend();
                self.order.pop();
                self.states.pop();
                if found {
                    return true;
                }
            }
        }
        false
    }

    fn writes(&self, node: usize, key: &[u8]) -> bool {
        self.nodes[node].wrote.contains(key)
    }

    /// For read-atomic and causal: each way to say from whom each read was; for the others one, without any.
    fn explanations(&self, next: usize) -> Vec<Vec<Option<usize>>> {
        let mut ways = vec![Vec::new()];
        if !matches!(self.family, Family::Atomic | Family::Causal | Family::Consistent) {
            return ways;
        }
        for seen in &self.nodes[next].seen {
            let mut sources = Vec::new();
            if seen.value.is_none() {
                sources.push(None);
            }
            for (at, &writer) in self.order.iter().enumerate() {
                if self.writes(writer, &seen.key) && self.states[at + 1].get(&seen.key) == seen.value.as_ref()
                {
                    sources.push(Some(writer));
                }
            }
            ways = ways
                .iter()
                .flat_map(|way: &Vec<Option<usize>>| {
                    sources.iter().map(move |source| way.iter().copied().chain([*source]).collect())
                })
                .collect();
        }
        ways
    }

    /// Whether `next` may come next; if so, what it depends on.
    fn allowed(&self, next: usize, sources: &[Option<usize>]) -> Option<BTreeSet<usize>> {
        let node = &self.nodes[next];
        let none = BTreeSet::new();
        let last = self.order.len();
        let at_some =
            |seen: &Seen| self.states.iter().any(|state| state.get(&seen.key) == seen.value.as_ref());
        match self.family {
            Family::Uncommitted => Some(none),
            Family::Committed => node.seen.iter().all(at_some).then_some(none),
            Family::Cursor => {
                // Who updates a key updates the version that it read.
                let updates = |seen: &Seen| node.wrote.contains(&seen.key) && !seen.unscanned;
                let current = |seen: &Seen| self.states[last].get(&seen.key) == seen.value.as_ref();
                let holds = node.seen.iter().all(|seen| at_some(seen) && (!updates(seen) || current(seen)));
                holds.then_some(none)
            }
            Family::Repeatable => {
                let current = |seen: &Seen| self.states[last].get(&seen.key) == seen.value.as_ref();
                let holds = |seen: &Seen| if seen.unscanned { at_some(seen) } else { current(seen) };
                node.seen.iter().all(holds).then_some(none)
            }
            Family::Atomic => {
                let visible: BTreeSet<usize> = sources.iter().flatten().copied().collect();
                self.sees_all(next, sources, &visible).then_some(none)
            }
            Family::Causal => {
                let visible = self.closure(sources.iter().flatten().chain(&node.before).copied());
                self.sees_all(next, sources, &visible).then_some(visible)
            }
            Family::Consistent => {
                let written = |other: &usize| node.wrote.iter().any(|key| self.writes(*other, key));
                let overwritten = self.order.iter().copied().filter(written);
                let direct = sources.iter().flatten().chain(&node.before).copied().chain(overwritten);
                let visible = self.closure(direct);
                self.sees_all(next, sources, &visible).then_some(visible)
            }
            Family::Serial => self.fits(next, last).then_some(none),
            Family::Prefix | Family::Snapshot => {
                let oldest = node
                    .before
                    .iter()
                    .filter_map(|before| self.order.iter().position(|other| other == before))
                    .map(|at| at + 1)
                    .max()
                    .unwrap_or(0);
                (oldest..=last)
                    .any(|at| {
                        let others = self.order[at..].iter();
                        let alone = others
                            .copied()
                            .all(|other| node.wrote.iter().all(|key| !self.writes(other, key)));
                        (alone || self.family == Family::Prefix) && self.fits(next, at)
                    })
                    .then_some(none)
            }
        }
    }

    /// These, and everything that they depend on.
    fn closure(&self, direct: impl Iterator<Item = usize>) -> BTreeSet<usize> {
        let mut visible = BTreeSet::new();
        for other in direct {
            visible.insert(other);
            visible.extend(&self.visible[other]);
        }
        visible
    }

    /// Whether every list that was read is a beginning of the list at the end, but for elements that may be
    /// gone again.
    fn lists_grow(&self) -> bool {
        let none = Vec::new();
        let end = self.states.last();
        self.nodes.iter().flat_map(|node| &node.seen).all(|seen| {
            let Some(Value::List(elements)) = &seen.value else { return true };
            let list = match end.and_then(|state| state.get(&seen.key)) {
                Some(Value::List(list)) => list,
                _ => &none,
            };
            let alive = elements
                .iter()
                .filter(|element| !self.dead.contains(&(seen.key.clone(), (*element).clone())));
            let alive: Vec<&Bytes> = alive.collect();
            alive.len() <= list.len() && alive.into_iter().zip(list).all(|(seen, element)| seen == element)
        })
    }

    fn fits(&self, next: usize, at: usize) -> bool {
        self.nodes[next].seen.iter().all(|seen| self.states[at].get(&seen.key) == seen.value.as_ref())
    }

    fn sees_all(&self, next: usize, sources: &[Option<usize>], visible: &BTreeSet<usize>) -> bool {
        let place = |node: usize| self.order.iter().position(|other| *other == node);
        self.nodes[next].seen.iter().zip(sources).all(|(seen, source)| {
            let of_source = source.and_then(place);
            visible
                .iter()
                .filter(|other| self.writes(**other, &seen.key))
                .all(|other| place(*other) <= of_source)
        })
    }
}
